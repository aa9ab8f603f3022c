//! Two sides meet: whether their histories can be one.

use ghost_event::Digest;

use super::Accepted;
use crate::wire::{Code, Hello, Kind, LogId, Place, Refusal, Role};

impl Accepted {
    /// What a replica says to a primary's hello. `Ok`: it may go on. A first log is taken, with its
    /// key, by [`keep_meeting`](Self::keep_meeting).
    pub fn meet(&self, hello: &Hello) -> Result<(), Refusal> {
        let Some(log) = hello.log.filter(|_| hello.role == Role::Primary) else {
            return Err(Refusal::new(Code::Malformed, "a primary has a log"));
        };
        let refuse = |code, words| Err(self.refuse(code, words, &hello.note).about(Kind::Hello));
        if self.held.log.is_some_and(|ours| ours != log) {
            let words = format!("this replica holds another log than {log}");
            return refuse(Code::OtherLog, words);
        }
        let (ours, theirs) = (self.held(), hello.held);
        if hello.epoch < self.held.epoch {
            let words =
                format!("epoch {} is over: epoch {} was seen here", hello.epoch, self.held.epoch);
            return refuse(Code::StaleEpoch, words);
        }
        if theirs.size < ours.size {
            let words = format!(
                "the log has {} lines, and {} of it were acknowledged here: bring them back from this replica",
                theirs.size, ours.size
            );
            return refuse(Code::Shrunk, words);
        }
        if theirs.size == ours.size && theirs.leaf != ours.leaf {
            return refuse(Code::Fork, format!("line {} is another one here", ours.size));
        }
        if let Some(w) = &self.witnessed
            && hello.signed_size == w.size
            && hello.signed_root != w.root
        {
            return refuse(Code::Fork, format!("two checkpoints of {} lines differ", w.size));
        }
        Ok(())
    }

    /// Remembers the log of a first meeting and its key.
    pub fn keep_meeting(&mut self, hello: &Hello) {
        if let Some(log) = hello.log {
            self.held.log.get_or_insert(log);
            self.keys.first(log, &hello.key);
        }
    }
}

/// What a primary knows of its own log.
#[derive(Debug, Clone, Copy)]
pub struct Primary<'a> {
    pub log: LogId,
    pub epoch: u64,
    /// The newest durable line.
    pub held: Place,
    /// Its newest signed checkpoint.
    pub note: &'a str,
}

/// What a primary says to a replica's hello. `leaf_at` and `root_at` answer of its own log: the leaf
/// of a line, the root over so many lines, `None` where it has them no more.
pub fn compare(
    ours: &Primary<'_>,
    hello: &Hello,
    leaf_at: impl FnOnce(u64) -> Option<Digest>,
    root_at: impl FnOnce(u64) -> Option<Digest>,
) -> Result<(), Refusal> {
    if hello.role != Role::Replica {
        return Err(Refusal::new(Code::Malformed, "a primary speaks with replicas"));
    }
    let Some(log) = hello.log else { return Ok(()) };
    let refuse = |code, words| Err(Refusal::new(code, words).with_evidence(ours.note, &hello.note));
    if log != ours.log {
        return refuse(Code::OtherLog, format!("the replica holds the log {log}"));
    }
    if hello.epoch > ours.epoch {
        let words = format!(
            "the replica has seen epoch {}, and this log is in {}: another one leads since",
            hello.epoch, ours.epoch
        );
        return refuse(Code::StaleEpoch, words);
    }
    let theirs = hello.held;
    if theirs.size > ours.held.size {
        let words = format!(
            "the replica holds {} lines of this log, and here are {}: bring them back from there",
            theirs.size, ours.held.size
        );
        return refuse(Code::Shrunk, words);
    }
    if theirs.size > 0 && leaf_at(theirs.size).is_some_and(|leaf| leaf != theirs.leaf) {
        return refuse(Code::Fork, format!("line {} of the replica is another one", theirs.size));
    }
    let signed = hello.signed_size;
    if signed > 0
        && (signed > ours.held.size || root_at(signed).is_some_and(|r| r != hello.signed_root))
    {
        let words = format!("what the replica cosigned at {signed} lines is not of this log");
        return refuse(Code::Fork, words);
    }
    Ok(())
}
