//! One block on its way: begun, filled with chunks, finished.
//!
//! Until it is finished it lies under the name `incoming-<number>`, which the next start removes.
//! What it holds is checked against its signed checkpoint before it gets a name of its own.

mod lines;
mod stream;
mod verify;

use std::path::PathBuf;

use ghost_block::BlockName;
use ghost_event::Digest;
use ghost_log::proof::leaf;
use ghost_log::{Layout, LogReader};
use ghost_ship::accept::{Begun, BlockCheck};
use ghost_ship::wire::{BlockBegin, Code, Form, Kind, Refusal, Start};
use ghost_world::RealDisk;

use crate::holding::{Edited, Holding, State, Verified, delete, incoming_of, room};
use crate::kept::KeptBlock;
use lines::Folder;
use stream::Stream;

/// What became of an announced block.
#[derive(Debug)]
pub(crate) enum Announced {
    /// It lies here already.
    Already,
    Coming(Box<Incoming>),
}

/// A block on its way.
#[derive(Debug)]
pub(crate) struct Incoming {
    check: BlockCheck,
    path: PathBuf,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Lines(Folder),
    Stream(Box<Stream>),
}

/// A block that is kept.
#[derive(Debug)]
pub(crate) struct KeptNow {
    pub(crate) number: u64,
    pub(crate) size: u64,
    pub(crate) root: Digest,
    /// The cosignature's line, where one is due.
    pub(crate) cosignature: Option<String>,
    /// Blocks that it makes superfluous: to be deleted.
    pub(crate) gone: Vec<BlockName>,
}

/// A parent, as it lies here.
#[derive(Debug, Clone)]
pub(crate) struct Parent {
    path: PathBuf,
    block: KeptBlock,
}

impl Incoming {
    /// Begins a block.
    pub(crate) fn begin(
        holding: &Holding,
        begin: &BlockBegin,
        now_ns: i64,
    ) -> Result<Announced, Refusal> {
        let common = holding.common();
        let about = Kind::BlockBegin;
        let (begun, parent) = holding.with(now_ns, |state| {
            let begun = state.begin_block(begin)?;
            let parent = match (&begun, &begin.start) {
                (Begun::Check(_), Start::Parent { number, .. }) => match state.parent(*number) {
                    Ok(block) => Some(block),
                    Err(Edited) => {
                        state.set_aside(*number, common);
                        let words = format!("block {number} is not as it was here any more");
                        return Err(Refusal::new(Code::NoParent, words).about(about));
                    }
                },
                _ => None,
            };
            Ok((begun, parent))
        })?;
        let check = match begun {
            Begun::Already => return Ok(Announced::Already),
            Begun::Check(check) => *check,
        };
        let dir = holding.dir();
        let spare = common.settings().spare_bytes;
        if room(dir.path()).is_some_and(|(free, _)| free < spare) {
            let words = "there is no room on this replica's disk";
            return Err(Refusal::new(Code::Full, words).about(about));
        }
        let name = incoming_of(begin.number);
        let path = dir.blocks().join(&name);
        let later = |words: String| Refusal::new(Code::Later, words).about(about);
        delete(common, dir, &name).map_err(|e| {
            common.host.say(&format!("replica of {}: {e}", dir.log_id()));
            later("what is left of an earlier try can't be removed".to_owned())
        })?;
        let parent =
            parent.map(|block| Parent { path: dir.blocks().join(block.name().to_string()), block });
        let sink = match begin.form {
            Form::Lines => {
                let folder = Folder::begin(&path, parent.as_ref());
                Sink::Lines(folder.map_err(|e| lines::cannot(&e).about(about))?)
            }
            form if common.receive.forms().contains(&form) => {
                Sink::Stream(Box::new(Stream::begin(holding, begin, &check, &path, parent)?))
            }
            form => {
                let words = format!("blocks of form {} are not taken here", form as u8);
                return Err(Refusal::new(Code::Unexpected, words).about(about));
            }
        };
        Ok(Announced::Coming(Box::new(Incoming { check, path, sink })))
    }

    /// The next bytes of it.
    pub(crate) fn chunk(&mut self, number: u64, offset: u64, bytes: &[u8]) -> Result<(), Refusal> {
        self.check.chunk(number, offset, bytes)?;
        match &mut self.sink {
            Sink::Lines(folder) => {
                folder.bytes(bytes).map_err(|e| lines::cannot(&e).about(Kind::BlockChunk))
            }
            Sink::Stream(stream) => stream.bytes(bytes),
        }
    }

    /// The last bytes came: it is made durable, checked, and put under its name.
    pub(crate) fn finish(
        mut self: Box<Self>,
        holding: &Holding,
        number: u64,
        bytes: u64,
        now_ns: i64,
    ) -> Result<KeptNow, Refusal> {
        self.check.ended(number, bytes)?;
        let found = match self.sink {
            Sink::Lines(folder) => {
                let retired = folder
                    .finish(self.check.begin(), holding.dir().log_id(), now_ns)
                    .map_err(|e| lines::cannot(&e).about(Kind::BlockEnd))?;
                Verified { seal: None, retired }
            }
            Sink::Stream(stream) => stream.finish(&mut self.check)?,
        };
        let begin = self.check.begin();
        let (number, size, root) = (begin.number, begin.size, begin.root);
        let reader = LogReader::at(std::sync::Arc::new(RealDisk), Layout::of_block(&self.path));
        let block_leaf = |seq: u64| {
            let mut lines = reader.lines(seq);
            let line = lines.next().ok().flatten().filter(|line| line.seq == seq)?;
            Some(leaf(line.bytes))
        };
        let (check, path) = (self.check, self.path);
        holding.with(now_ns, |state: &mut State| {
            let cosignature = state.keep_block(check, &path, found, block_leaf, now_ns)?;
            let gone = state.retire(holding.common()).unwrap_or_default();
            Ok(KeptNow { number, size, root, cosignature, gone })
        })
    }

    /// It will not be finished: what is there of it goes.
    pub(crate) fn abandon(self: Box<Self>, holding: &Holding) {
        let number = self.check.begin().number;
        if let Sink::Stream(stream) = self.sink {
            stream.abandon();
        }
        remove(holding, number);
    }
}

/// Removes what is there of a block that was not finished.
pub(crate) fn remove(holding: &Holding, number: u64) {
    if let Err(error) = delete(holding.common(), holding.dir(), &incoming_of(number)) {
        // The next start tries again.
        holding.common().host.say(&format!("replica of {}: {error}", holding.dir().log_id()));
    }
}
