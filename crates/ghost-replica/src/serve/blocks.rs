//! The thread that blocks come to: it writes, verifies and names them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use ghost_ship::wire::{BlockBegin, Code, Frame, Kind, Refusal};
use ghost_world::Clock;

use super::wake::Wake;
use crate::block::{Announced, Incoming, KeptNow, remove};
use crate::holding::{Holding, delete};
use crate::{Answer, ReplicaError};

/// What it is told.
#[derive(Debug)]
pub(super) enum Job {
    Begin(Box<BlockBegin>),
    Chunk { number: u64, offset: u64, bytes: Vec<u8> },
    End { number: u64, bytes: u64 },
}

/// What it says.
#[derive(Debug)]
pub(super) enum Done {
    Say(Frame),
    Refused(Refusal),
}

/// Where what it says goes.
#[derive(Debug)]
pub(super) struct Out {
    pub(super) done: SyncSender<Done>,
    pub(super) wake: Arc<Wake>,
}

impl Out {
    /// False where nobody listens any more.
    pub(super) fn say(&self, done: Done) -> bool {
        let said = self.done.send(done).is_ok();
        self.wake.wake();
        said
    }
}

/// Takes blocks until nobody brings any.
pub(super) fn run(
    holding: &Holding,
    jobs: &Receiver<Job>,
    out: &Out,
    asks: &dyn Answer,
    clock: &dyn Clock,
) {
    let mut coming: Option<Box<Incoming>> = None;
    // Chunks of a block that was refused, or lies here already, are passed over.
    let mut passing = false;
    for job in jobs {
        let result = match job {
            Job::Begin(begin) => {
                if let Some(before) = coming.take() {
                    before.abandon(holding);
                }
                passing = false;
                match Incoming::begin(holding, &begin, clock.wall_ns()) {
                    Ok(Announced::Coming(incoming)) => {
                        coming = Some(incoming);
                        Ok(())
                    }
                    Ok(Announced::Already) => {
                        passing = true;
                        let (number, size, root) = (begin.number, begin.size, begin.root);
                        out.say(Done::Say(Frame::BlockVerified { number, size, root }));
                        Ok(())
                    }
                    Err(refusal) => Err(refusal),
                }
            }
            Job::Chunk { number, offset, bytes } => match &mut coming {
                Some(incoming) => incoming.chunk(number, offset, &bytes),
                None if passing => Ok(()),
                None => Err(Refusal::new(Code::Unexpected, "no block is on its way")),
            },
            Job::End { number, bytes } => match coming.take() {
                Some(incoming) => {
                    let kept = incoming.finish(holding, number, bytes, clock.wall_ns());
                    match kept {
                        Ok(kept) => {
                            tell(holding, kept, out, asks);
                            Ok(())
                        }
                        Err(refusal) => {
                            remove(holding, number);
                            Err(refusal)
                        }
                    }
                }
                None if passing => Ok(()),
                None => Err(Refusal::new(Code::Unexpected, "no block is on its way")),
            },
        };
        if let Err(mut refusal) = result {
            if let Some(incoming) = coming.take() {
                incoming.abandon(holding);
            }
            passing = true;
            if !refusal.is_of_block() {
                refusal = refusal.about(Kind::BlockChunk);
            }
            if !out.say(Done::Refused(refusal)) {
                break;
            }
        }
    }
    if let Some(incoming) = coming.take() {
        incoming.abandon(holding);
    }
}

/// It lies under its name: acknowledged, cosigned, and what it makes superfluous goes.
fn tell(holding: &Holding, kept: KeptNow, out: &Out, asks: &dyn Answer) {
    let KeptNow { number, size, root, cosignature, gone } = kept;
    out.say(Done::Say(Frame::BlockVerified { number, size, root }));
    if let Some(line) = cosignature {
        out.say(Done::Say(Frame::Cosignature { size, root, line }));
    }
    let log = holding.dir().log_id();
    asks.durable(log, size);
    for name in gone {
        let deleted: Result<(), ReplicaError> =
            delete(holding.common(), holding.dir(), &name.to_string());
        if let Err(error) = deleted {
            holding.common().host.say(&format!("replica of {log}: {error}"));
        }
    }
}
