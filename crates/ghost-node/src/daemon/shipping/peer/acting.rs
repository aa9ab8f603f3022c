//! What goes out: lines of the tail, blocks, wishes for cosignatures.

use ghost_block::{Block, SendOptions};
use ghost_event::Seq;
use ghost_log::proof;
use ghost_ship::plan;
use ghost_ship::wire::{BlockBegin, Code, Form, Frame, Growth, Kind, Level, Refusal, Start};

use super::{Outgoing, Peer};
use crate::daemon::shipping::mine::MineError;
use crate::daemon::shipping::source::{Piece, RawLines, Source, SourceError, Stream};

/// Ends of tail frames that are remembered until they are acknowledged.
const ENDS_MAX: usize = 1024;

impl Peer {
    pub(super) fn tail(&mut self, after: Seq, upto: Seq, level: Level) -> bool {
        let Some(limits) = self.line.as_ref().map(|line| line.session.limits()) else {
            return false;
        };
        let epoch = self.around.news.state().epoch;
        self.mine.in_epoch(epoch);
        let lines = match self.mine.lines(after, upto, limits) {
            Ok(lines) => lines,
            Err(error) => return self.tail_failed(&error),
        };
        let last = lines.last();
        self.status.tail_lines += last.saturating_sub(after);
        if let Some(line) = lines.iter().last() {
            self.ends.push_back((last, proof::leaf(line)));
            if self.ends.len() > ENDS_MAX {
                self.ends.pop_front();
            }
        }
        self.put(&Frame::Tail { epoch, lines }, level);
        self.plan.sent_tail(last);
        true
    }

    /// The lines can't be read now: another time, and told.
    fn tail_failed(&mut self, error: &MineError) -> bool {
        self.trouble(&error.to_string());
        let later = Refusal::new(Code::Later, error.to_string()).about(Kind::Tail);
        let now_ns = self.now();
        self.plan.refused(&later, now_ns);
        false
    }

    pub(super) fn begin_block(&mut self, number: u64, parent: Option<u64>, level: Level) -> bool {
        let (epoch, block, parent) = {
            let state = self.around.news.state();
            let find = |n: u64| state.blocks.iter().find(|b| b.name.number == n).copied();
            (state.epoch, find(number), parent.and_then(find))
        };
        // The writer gave it up a moment ago: the plan is asked again with what is there.
        let Some(block) = block else { return false };
        self.mine.in_epoch(epoch);
        match self.outgoing(&block, parent.as_ref(), epoch, level) {
            Ok(Some(outgoing)) => {
                let now_ns = self.now();
                let Block { name, size, root, .. } = block;
                let sealed = plan::Sealed { number: name.number, size, root };
                self.plan.block_begun(&sealed, parent.map(|p| p.name.number), now_ns);
                self.outgoing = Some(outgoing);
                self.repin();
                true
            }
            Ok(None) => self.no_block("this side makes blocks as none that the other takes"),
            Err(error) => self.no_block(&error.to_string()),
        }
    }

    /// The block can't be sent now: it is tried again later.
    fn no_block(&mut self, why: &str) -> bool {
        self.trouble(why);
        let later = Refusal::new(Code::Later, why).about(Kind::BlockBegin);
        let now_ns = self.now();
        self.plan.refused(&later, now_ns);
        self.outgoing = None;
        self.repin();
        false
    }

    fn outgoing(
        &mut self,
        block: &Block,
        parent: Option<&Block>,
        epoch: u64,
        level: Level,
    ) -> Result<Option<Outgoing>, MineError> {
        if self.made.is_empty() {
            self.made = match (self.around.volume)() {
                true => vec![Form::BtrfsPacked, Form::Btrfs, Form::Lines],
                false => vec![Form::Lines],
            };
        }
        let Some(form) = plan::form(&self.made, &self.forms) else { return Ok(None) };
        // Lines that were retired since are in neither: then only what is left can be said.
        let holds = |p: &&Block| form != Form::Lines || p.size.saturating_add(1) >= block.first_seq;
        let base = parent.filter(holds);
        let (start, after) = match base {
            Some(p) => (Start::Parent { number: p.name.number, root: p.root }, p.size),
            None => (self.mine.base(block.first_seq)?, block.first_seq.saturating_sub(1)),
        };
        let source = if form == Form::Lines {
            let lines = self.mine.raw_of(block, after);
            Source::Lines(RawLines::new(lines, after.saturating_add(1), block.size))
        } else {
            let data = self.around.data.root().to_owned();
            let names = (block.name, base.map(|p| p.name));
            let options = SendOptions { compressed: form == Form::BtrfsPacked };
            match Stream::begin(&self.around.host, data, &self.sender, names, options) {
                Ok(stream) => Source::Stream(stream),
                Err(error) => {
                    self.trouble(&error.to_string());
                    self.made.retain(|f| *f != form);
                    return match self.made.is_empty() {
                        true => Ok(None),
                        false => self.outgoing(block, parent, epoch, level),
                    };
                }
            }
        };
        let begin = BlockBegin {
            number: block.name.number,
            size: block.size,
            root: block.root,
            epoch,
            form,
            start,
            note: self.mine.signed_of(block)?.note,
            growth: self.growth_to(block.size)?,
        };
        Ok(Some(Outgoing {
            number: block.name.number,
            root: block.root,
            size: block.size,
            begin: Some(Box::new(begin)),
            source,
            form,
            level,
            offset: 0,
            percent: if form == Form::BtrfsPacked { 100 } else { 400 },
            hungry: true,
        }))
    }

    /// From what it cosigned last to this size.
    fn growth_to(&mut self, size: u64) -> Result<Growth, MineError> {
        match self.witnessed {
            0 => Ok(Growth::default()),
            witnessed => self.mine.growth(witnessed, size),
        }
    }

    /// The next bytes of the block on its way, about as many as the window has room for once they
    /// are packed.
    pub(super) fn chunk(&mut self, bytes: u64) -> bool {
        let Some(limits) = self.line.as_ref().map(|line| line.session.limits()) else {
            return false;
        };
        let Some(outgoing) = &mut self.outgoing else { return false };
        let most = u64::from(limits.chunk_bytes);
        let want = bytes.saturating_mul(outgoing.percent) / 100;
        let want = usize::try_from(want.clamp(4096.min(most), most)).unwrap_or(4096);
        outgoing.hungry = true;
        match outgoing.source.take(want) {
            Ok(Piece::Wait) => false,
            Ok(Piece::Bytes(piece)) => {
                outgoing.hungry = false;
                let (number, offset, level) = (outgoing.number, outgoing.offset, outgoing.level);
                let raw = piece.len() as u64;
                outgoing.offset += raw;
                if let Some(begin) = outgoing.begin.take() {
                    self.put(&Frame::BlockBegin(begin), Level::NONE);
                }
                let before = self.status.sent_bytes;
                self.put(&Frame::BlockChunk { number, offset, bytes: piece }, level);
                let wire = (self.status.sent_bytes - before).max(1);
                if let Some(outgoing) = &mut self.outgoing {
                    outgoing.percent = (raw * 100 / wire).clamp(50, 3000);
                }
                true
            }
            Ok(Piece::End) => self.end_block(),
            Err(error) => self.source_failed(&error),
        }
    }

    fn end_block(&mut self) -> bool {
        let Some(outgoing) = &mut self.outgoing else { return false };
        outgoing.hungry = false;
        if outgoing.begin.is_some() {
            return self.no_block("the block has no bytes");
        }
        let (number, bytes) = (outgoing.number, outgoing.offset);
        self.put(&Frame::BlockEnd { number, bytes }, Level::NONE);
        self.plan.block_sent();
        self.status.blocks_sent += 1;
        let whole = self.plan.sending.is_some_and(|s| s.parent.is_none());
        self.status.blocks_whole += u64::from(whole);
        true
    }

    /// Where nothing was said of the block yet, another form may do; else only a new connection
    /// tells the other side that no more will come.
    fn source_failed(&mut self, error: &SourceError) -> bool {
        let Some(outgoing) = self.outgoing.take() else { return false };
        let why = format!("block {} can't be read: {error}", outgoing.number);
        if outgoing.begin.is_none() {
            self.hang_up(&why);
            return true;
        }
        if matches!(outgoing.source, Source::Stream(_)) && self.made.len() > 1 {
            self.trouble(&why);
            self.made.retain(|f| *f != outgoing.form);
            let parent = self.plan.sending.take().and_then(|s| s.parent);
            return self.begin_block(outgoing.number, parent, outgoing.level);
        }
        self.no_block(&why)
    }

    /// Asks for the cosignature of a block that is there.
    pub(super) fn ask_cosignature(&mut self, size: u64) -> bool {
        let now_ns = self.now();
        self.plan.asked(now_ns);
        let block = self.around.news.state().blocks.iter().find(|b| b.size == size).copied();
        let Some(block) = block else { return false };
        let note = self.mine.signed_of(&block).map(|signed| signed.note);
        let asked =
            note.and_then(|note| Ok(Frame::Checkpoint { note, growth: self.growth_to(size)? }));
        // Where it can't be made, it is asked for with the next block.
        asked.map(|frame| self.put(&frame, Level::NONE)).is_ok()
    }
}
