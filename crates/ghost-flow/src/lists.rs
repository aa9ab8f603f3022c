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

impl Class {
    pub(crate) const ALL: [Class; 4] = [Class::Tcp, Class::TcpClosed, Class::Udp, Class::Other];
}

#[derive(Debug, Clone, Copy)]
struct Link {
    previous: u32,
    next: u32,
    class: Class,
    linked: bool,
}

/// The four lists; slots are numbers below the number of slots ever grown to.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    links: Vec<Link>,
    heads: [Option<u32>; 4],
    tails: [Option<u32>; 4],
}

impl Lists {
    /// The slot that has been quiet longest in a class.
    pub(crate) fn front(&self, class: Class) -> Option<u32> {
        self.heads[class as usize]
    }

    /// Puts `slot` at the back of `class`, wherever it stood.
    pub(crate) fn touch(&mut self, slot: u32, class: Class) {
        if self.tails[class as usize] == Some(slot) {
            return;
        }
        self.remove(slot);
        let index = slot as usize;
        if self.links.len() <= index {
            let unlinked = Link { previous: NONE, next: NONE, class, linked: false };
            self.links.resize(index + 1, unlinked);
        }
        let tail = self.tails[class as usize];
        self.links[index] =
            Link { previous: tail.unwrap_or(NONE), next: NONE, class, linked: true };
        match tail {
            Some(tail) => self.links[tail as usize].next = slot,
            None => self.heads[class as usize] = Some(slot),
        }
        self.tails[class as usize] = Some(slot);
    }

    /// Takes `slot` out of its list, where it is in one.
    pub(crate) fn remove(&mut self, slot: u32) {
        let Some(link) = self.links.get_mut(slot as usize) else { return };
        if !link.linked {
            return;
        }
        link.linked = false;
        let Link { previous, next, class, .. } = *link;
        if previous == NONE {
            self.heads[class as usize] = (next != NONE).then_some(next);
        } else {
            self.links[previous as usize].next = next;
        }
        if next == NONE {
            self.tails[class as usize] = (previous != NONE).then_some(previous);
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
    fn the_lists_do_as_four_plain_queues_do() {
        bolero::check!().with_iterations(500).with_type::<Vec<(u8, u8)>>().for_each(|steps| {
            let mut lists = Lists::default();
            let mut plain: [VecDeque<u32>; 4] = Default::default();
            for (slot, what) in steps {
                let slot = u32::from(*slot % 16);
                plain.iter_mut().for_each(|q| q.retain(|s| *s != slot));
                match what % 5 {
                    4 => lists.remove(slot),
                    c => {
                        lists.touch(slot, Class::ALL[usize::from(c)]);
                        plain[usize::from(c)].push_back(slot);
                    }
                }
                for class in Class::ALL {
                    assert_eq!(lists.front(class), plain[class as usize].front().copied());
                }
            }
            for class in Class::ALL {
                while let Some(slot) = lists.front(class) {
                    assert_eq!(plain[class as usize].pop_front(), Some(slot));
                    lists.remove(slot);
                }
                assert!(plain[class as usize].is_empty());
            }
        });
    }
}
