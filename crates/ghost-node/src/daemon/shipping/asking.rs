//! Questions that wait for their answers on one connection.

use std::collections::BTreeMap;

use crossbeam_channel::Sender;
use ghost_ship::QUESTIONS_MAX;

/// Parts of one answer that wait for whoever asked: more than a frame's worth of each is two MiB.
pub(super) const PARTS_MAX: usize = 16;

/// What comes of a question.
#[derive(Debug)]
pub(super) enum Part {
    Bytes(Vec<u8>),
    End,
    Busy,
    Lost,
    Refused(String),
}

/// The questions of one connection, by their ids.
#[derive(Debug, Default)]
pub(super) struct Asking(BTreeMap<u64, Sender<Part>>);

impl Asking {
    /// Takes a question in; false where as many wait as may.
    pub(super) fn begin(&mut self, id: u64, parts: Sender<Part>) -> bool {
        if self.0.len() >= QUESTIONS_MAX {
            // Whoever asked may have gone.
            let _ = parts.try_send(Part::Busy);
            return false;
        }
        self.0.insert(id, parts);
        true
    }

    /// The next part of an answer. False where nobody takes it, so that the rest is to be cancelled:
    /// whoever asked has gone, or reads so slowly that the queue is full, and is told by its end.
    pub(super) fn part(&mut self, id: u64, last: bool, bytes: Vec<u8>) -> bool {
        let Some(parts) = self.0.get(&id) else { return true };
        let given = bytes.is_empty() || parts.try_send(Part::Bytes(bytes)).is_ok();
        let taken = given && (!last || parts.try_send(Part::End).is_ok());
        if last || !taken {
            self.0.remove(&id);
        }
        taken || last
    }

    /// Nobody waits for that answer any more; false where nobody did.
    pub(super) fn forget(&mut self, id: u64) -> bool {
        self.0.remove(&id).is_some()
    }

    /// The other side takes no more questions: the newest is the one that it means.
    pub(super) fn refused(&mut self, words: &str) {
        if let Some((_, parts)) = self.0.pop_last() {
            let words = words.chars().filter(|c| !c.is_control()).take(400).collect();
            let _ = parts.try_send(Part::Refused(words));
        }
    }

    /// The connection is gone, and all answers with it.
    pub(super) fn lost(&mut self) {
        for parts in std::mem::take(&mut self.0).into_values() {
            let _ = parts.try_send(Part::Lost);
        }
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;

    use super::*;

    #[test]
    fn an_answer_comes_in_its_parts_and_one_that_nobody_reads_is_cancelled() {
        let mut asking = Asking::default();
        let (parts, answer) = bounded(PARTS_MAX);
        assert!(asking.begin(7, parts));
        assert!(asking.part(7, false, b"a".to_vec()) && asking.part(7, true, Vec::new()));
        assert!(matches!(answer.try_recv(), Ok(Part::Bytes(b)) if b == b"a"));
        assert!(matches!(answer.try_recv(), Ok(Part::End)));
        // What comes behind its end is nobody's.
        assert!(asking.part(7, false, b"b".to_vec()) && answer.try_recv().is_err());
        let (parts, slow) = bounded(PARTS_MAX);
        asking.begin(8, parts);
        let taken = (0..=PARTS_MAX).filter(|_| asking.part(8, false, b"x".to_vec())).count();
        assert_eq!(taken, PARTS_MAX);
        assert_eq!(slow.iter().count(), PARTS_MAX, "its end is that no end came");
        let (parts, gone) = bounded(1);
        asking.begin(9, parts);
        drop(gone);
        assert!(!asking.part(9, false, b"x".to_vec()) && !asking.forget(9));
    }

    #[test]
    fn more_questions_than_may_wait_are_turned_away_and_a_lost_connection_ends_all() {
        let mut asking = Asking::default();
        let queues: Vec<_> = (0..QUESTIONS_MAX as u64)
            .map(|id| {
                let (parts, answer) = bounded(PARTS_MAX);
                assert!(asking.begin(id, parts));
                answer
            })
            .collect();
        let (parts, answer) = bounded(1);
        assert!(!asking.begin(99, parts));
        assert!(matches!(answer.try_recv(), Ok(Part::Busy)));
        asking.refused("later\u{1b}[2J");
        let newest = queues.last().unwrap().try_recv();
        assert!(matches!(newest, Ok(Part::Refused(words)) if words == "later[2J"));
        asking.lost();
        assert!(queues[..7].iter().all(|q| matches!(q.try_recv(), Ok(Part::Lost))));
    }
}
