//! The order of quiet: one doubly linked list of slots for each timeout, longest quiet first.
//!
//! A packet moves its flow to the back of its list in constant time, so that the front is always
//! the next to expire. Links stand apart from the flows so that neighbours' flows stay untouched.

/// No slot.
pub(crate) const NONE: u32 = u32::MAX;

/// Which timeout a flow waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Class {
    Tcp = 0,
    TcpClosed = 1,
    Udp = 2,
    Other = 3,
}

/// One list: a timeout, and whether nobody answered its flows so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Queue {
    pub(crate) class: Class,
    pub(crate) unanswered: bool,
}

impl Queue {
    pub(crate) const ALL: [Queue; 8] = {
        let classes = [Class::Tcp, Class::TcpClosed, Class::Udp, Class::Other];
        let mut all = [Queue { class: Class::Tcp, unanswered: false }; 8];
        let mut i = 0;
        while i < 8 {
            all[i] = Queue { class: classes[i % 4], unanswered: i >= 4 };
            i += 1;
        }
        all
    };

    fn index(self) -> usize {
        self.class as usize + if self.unanswered { 4 } else { 0 }
    }
}

#[derive(Debug, Clone, Copy)]
struct Link {
    previous: u32,
    next: u32,
    queue: Queue,
    linked: bool,
}

/// The lists; slots are numbers below the number of slots ever grown to.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    links: Vec<Link>,
    heads: [Option<u32>; 8],
    tails: [Option<u32>; 8],
    lengths: [u32; 8],
}

impl Lists {
    /// The slot that has been quiet longest in a list.
    pub(crate) fn front(&self, queue: Queue) -> Option<u32> {
        self.heads[queue.index()]
    }

    /// How many wait of which nobody answered one.
    pub(crate) fn unanswered(&self) -> usize {
        self.lengths[4..].iter().sum::<u32>() as usize
    }

    /// How many of the others wait.
    pub(crate) fn answered(&self) -> usize {
        self.lengths[..4].iter().sum::<u32>() as usize
    }

    /// Puts `slot` at the back of `queue`, wherever it stood.
    pub(crate) fn touch(&mut self, slot: u32, queue: Queue) {
        let list = queue.index();
        if self.tails[list] == Some(slot) {
            return;
        }
        self.remove(slot);
        let index = slot as usize;
        if self.links.len() <= index {
            let unlinked = Link { previous: NONE, next: NONE, queue, linked: false };
            self.links.resize(index + 1, unlinked);
        }
        let tail = self.tails[list];
        self.links[index] =
            Link { previous: tail.unwrap_or(NONE), next: NONE, queue, linked: true };
        match tail {
            Some(tail) => self.links[tail as usize].next = slot,
            None => self.heads[list] = Some(slot),
        }
        self.tails[list] = Some(slot);
        self.lengths[list] += 1;
    }

    /// Takes `slot` out of its list, where it is in one.
    pub(crate) fn remove(&mut self, slot: u32) {
        let Some(link) = self.links.get_mut(slot as usize) else { return };
        if !link.linked {
            return;
        }
        link.linked = false;
        let Link { previous, next, queue, .. } = *link;
        let list = queue.index();
        self.lengths[list] -= 1;
        if previous == NONE {
            self.heads[list] = (next != NONE).then_some(next);
        } else {
            self.links[previous as usize].next = next;
        }
        if next == NONE {
            self.tails[list] = (previous != NONE).then_some(previous);
        } else {
            self.links[next as usize].previous = previous;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    #[test]
    fn the_lists_do_as_plain_queues_do() {
        bolero::check!().with_iterations(500).with_type::<Vec<(u8, u8)>>().for_each(|steps| {
            let mut lists = Lists::default();
            let mut plain: [VecDeque<u32>; 8] = Default::default();
            for (slot, what) in steps {
                let slot = u32::from(*slot % 16);
                plain.iter_mut().for_each(|q| q.retain(|s| *s != slot));
                match what % 9 {
                    8 => lists.remove(slot),
                    c => {
                        lists.touch(slot, Queue::ALL[usize::from(c)]);
                        plain[usize::from(c)].push_back(slot);
                    }
                }
                let lengths: usize = plain.iter().map(VecDeque::len).sum();
                assert_eq!(lists.answered() + lists.unanswered(), lengths);
                for queue in Queue::ALL {
                    assert_eq!(lists.front(queue), plain[queue.index()].front().copied());
                }
            }
            for queue in Queue::ALL {
                while let Some(slot) = lists.front(queue) {
                    assert_eq!(plain[queue.index()].pop_front(), Some(slot));
                    lists.remove(slot);
                }
                assert!(plain[queue.index()].is_empty());
            }
        });
    }
}
