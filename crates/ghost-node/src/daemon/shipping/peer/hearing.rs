//! What comes in. Everything that a replica says of this log is compared with the log.

use ghost_event::Digest;
use ghost_log::proof::checkpoint::SignedCheckpoint;
use ghost_log::proof::key::VerifyingKey;
use ghost_ship::accept::{self, compare};
use ghost_ship::wire::{
    BlockTold, Code, Form, Frame, Hello, Incoming, Kind, Level, Limits, Place, Refusal, Role,
};

use super::Peer;
use crate::PROGRAM;
use crate::daemon::shipping::record::{BlockHeld, Refused};

/// Bytes of one turn: news and what goes out come in between.
const TAKEN_MAX: usize = 2 << 20;

impl Peer {
    pub(super) fn hear(&mut self, now_ns: u64) {
        let mut taken = 0;
        while taken < TAKEN_MAX {
            let Some(line) = &mut self.line else { return };
            let got = match line.take() {
                Ok(0) => return,
                Ok(got) => got,
                Err(error) => {
                    let why = match error.kind() {
                        std::io::ErrorKind::UnexpectedEof => "the other side hung up".to_owned(),
                        _ => format!("the connection broke: {error}"),
                    };
                    return self.hang_up(&why);
                }
            };
            taken += got;
            self.status.received_bytes += got as u64;
            self.plan.heard(now_ns);
            let mut at = 0;
            while at < got {
                let Some(line) = &mut self.line else { return };
                at = line.push(at, got);
                self.listen(now_ns);
            }
        }
    }

    fn listen(&mut self, now_ns: u64) {
        loop {
            let Some(line) = &mut self.line else { return };
            match line.session.read() {
                Ok(None) => return,
                Ok(Some(Incoming::Version(_))) => {
                    let hello = self.hello();
                    self.put(&Frame::Hello(Box::new(hello)), Level::NONE);
                }
                Ok(Some(Incoming::Hello(hello))) => self.meet(&hello, now_ns),
                Ok(Some(Incoming::Frame(frame))) => self.take(frame, now_ns),
                Err(error) => return self.refuse(error.into()),
            }
        }
    }

    fn hello(&mut self) -> Hello {
        let (durable, epoch) = {
            let state = self.around.news.state();
            (state.durable, state.epoch)
        };
        self.mine.in_epoch(epoch);
        let signed = self.mine.signed();
        Hello {
            role: Role::Primary,
            name: self.mine.identity(),
            program: PROGRAM.to_owned(),
            limits: Limits::OURS,
            log: Some(self.mine.log()),
            epoch,
            held: Place { size: durable.seq, leaf: durable.leaf },
            signed_size: signed.size,
            signed_root: signed.root,
            note: signed.note,
            blocks: Vec::new(),
            forms: vec![Form::BtrfsPacked, Form::Btrfs, Form::Lines],
            key: self.mine.key(),
        }
    }

    fn meet(&mut self, hello: &Hello, now_ns: u64) {
        self.status.identity.clone_from(&hello.name);
        self.status.program.clone_from(&hello.program);
        let (durable, epoch) = {
            let state = self.around.news.state();
            (state.durable, state.epoch)
        };
        let note = self.mine.signed().note;
        let held = Place { size: durable.seq, leaf: durable.leaf };
        let ours = accept::Primary { log: self.mine.log(), epoch, held, note: &note };
        let (of, size) = (hello.held, hello.signed_size);
        let within = |n: u64| n > 0 && n <= durable.seq && hello.log == Some(self.mine.log());
        let (ask_leaf, ask_root) = (within(of.size), within(size));
        let leaf = if ask_leaf { self.mine.leaf(of.size) } else { None };
        let root = if ask_root { self.mine.root(size) } else { None };
        if let Err(refusal) = compare(&ours, hello, |_| leaf, |_| root) {
            return self.refuse(refusal);
        }
        if let Some(refusal) = self.other_key(&hello.key) {
            return self.refuse(refusal);
        }
        self.forms.clone_from(&hello.forms);
        self.made.clear();
        self.witnessed = hello.signed_size;
        self.plan.met(hello, now_ns);
        {
            let mut record = self.shown.record();
            record.identity.clone_from(&hello.name);
            record.program.clone_from(&hello.program);
            record.refused = None;
            record.blocks = hello.blocks.iter().map(BlockHeld::from).collect();
            if record.cosigning_key.is_empty() {
                record.cosigning_key.clone_from(&hello.key);
            }
        }
        self.unsaved = true;
        self.repin();
    }

    /// A replica signs with the key that it had at first: another one is another replica.
    fn other_key(&self, key: &str) -> Option<Refusal> {
        let known = self.shown.record().cosigning_key.clone();
        let other = !key.is_empty() && !known.is_empty() && known != key;
        other.then(|| {
            let words = "it cosigns with another key than before: was it made anew? Remove it here \
                         and add it again";
            Refusal::new(Code::Unsigned, words).about(Kind::Hello)
        })
    }

    /// Somebody refused something: the plan is told, and a person.
    pub(super) fn refused(&mut self, refusal: Refusal, by: &str) {
        let now_ns = self.now();
        self.plan.refused(&refusal, now_ns);
        let ends = !refusal.code.is_of_one_thing();
        if refusal.is_of_block() || ends {
            self.outgoing = None;
        }
        let words: String = refusal.words.chars().filter(|c| !c.is_control()).take(400).collect();
        let told = format!("{}: {words}", refusal.code.name());
        if ends {
            let refused = Refused {
                code: refusal.code.name().to_owned(),
                words: words.clone(),
                at_ns: self.around.clock.wall_ns(),
                by: by.to_owned(),
                ours: refusal.ours,
                theirs: refusal.theirs,
            };
            self.shown.record().refused = Some(refused.cut());
            self.unsaved = true;
            self.noting.refused = words;
            self.hang_up(&told);
        } else {
            self.trouble(&told);
            self.repin();
        }
    }

    fn take(&mut self, frame: Frame, now_ns: u64) {
        match frame {
            Frame::TailHeld(place) => self.held(place, now_ns),
            Frame::Received { bytes } => self.plan.received(bytes, now_ns),
            Frame::Health(health) => {
                self.plan.told_health(health, now_ns);
                self.status.last_success_ns = self.around.clock.wall_ns();
            }
            Frame::BlockVerified { number, size, root } => {
                self.verified(BlockTold { number, size, root }, now_ns);
            }
            Frame::Cosignature { size, root, line } => self.cosigned(size, root, &line),
            Frame::Ping { token } => self.put(&Frame::Pong { token }, Level::NONE),
            Frame::AnswerPart { id, last, bytes } => self.answered(id, last, bytes),
            Frame::Refusal(refusal) if refusal.about == Kind::Question as u8 => {
                self.asking.refused(&refusal.words);
            }
            Frame::Refusal(refusal) => self.refused(refusal, "replica"),
            Frame::Bye => self.hang_up("the other side is stopping"),
            // Pong: that it was heard is all of it. The rest is ours to say: the session let no
            // such frame in.
            _ => {}
        }
    }

    /// The leaf of a line that went out, or of the log's own.
    fn leaf_of(&mut self, size: u64) -> Option<Digest> {
        while self.ends.front().is_some_and(|(end, _)| *end < size) {
            self.ends.pop_front();
        }
        match self.ends.front() {
            Some((end, leaf)) if *end == size => Some(*leaf),
            _ => self.mine.leaf(size),
        }
    }

    fn held(&mut self, place: Place, now_ns: u64) {
        let durable = self.around.news.state().durable.seq;
        let leaf = if place.size <= durable { self.leaf_of(place.size) } else { None };
        if place.size > 0 && leaf.is_none_or(|leaf| leaf != place.leaf) {
            let words = format!("it acknowledged a line {} that is not of this log", place.size);
            return self.refuse(Refusal::new(Code::Fork, words).about(Kind::TailHeld));
        }
        self.plan.holds(place, now_ns);
        self.acknowledged();
    }

    /// Something is safe there that was not.
    fn acknowledged(&mut self) {
        let wall_ns = self.around.clock.wall_ns();
        self.status.last_success_ns = wall_ns;
        {
            let mut record = self.shown.record();
            (record.held, record.held_ns) = (self.plan.held, wall_ns);
        }
        self.unsaved = true;
        self.around.pins.held(&self.config.name, self.plan.held, &self.around.news);
    }

    fn verified(&mut self, block: BlockTold, now_ns: u64) {
        // Of the block on its way, or of one that it had already.
        let ours = match &self.outgoing {
            Some(o) if o.number == block.number => Some((o.size, o.root)),
            _ => {
                let state = self.around.news.state();
                let known = state.sealed.iter().find(|b| b.number == block.number);
                known.map(|b| (b.size, b.root))
            }
        };
        if ours != Some((block.size, block.root)) {
            let words = format!("it verified a block {} that is not of this log", block.number);
            return self.refuse(Refusal::new(Code::Fork, words).about(Kind::BlockVerified));
        }
        if self.outgoing.as_ref().is_some_and(|o| o.number == block.number) {
            self.outgoing = None;
        }
        self.plan.verified(block, now_ns);
        self.witnessed = self.witnessed.max(block.size);
        {
            let mut record = self.shown.record();
            record.blocks = self.plan.blocks.iter().map(BlockHeld::from).collect();
            record.verified_ns = self.around.clock.wall_ns();
        }
        self.acknowledged();
        self.repin();
    }

    /// A cosignature is kept where it is right, and nowhere where it is not.
    fn cosigned(&mut self, size: u64, root: Digest, line: &str) {
        let key = self.shown.record().cosigning_key.clone();
        let block = {
            let state = self.around.news.state();
            state.blocks.iter().find(|b| b.size == size && b.root == root).copied()
        };
        // Of a block that was given up meanwhile: the next one's says more.
        let Some(block) = block else { return };
        let Ok(signed) = self.mine.signed_of(&block) else { return };
        let note = format!("{}{line}\n", signed.note);
        let right =
            VerifyingKey::parse(&key).ok().zip(SignedCheckpoint::parse(note.as_bytes()).ok());
        let at_s = right.and_then(|(key, signed)| signed.cosigned_by(&key));
        let Some(at_s) = at_s else {
            let words = "its cosignature is not one of the key that it told";
            return self.refuse(Refusal::new(Code::Unsigned, words).about(Kind::Cosignature));
        };
        self.plan.cosigned(size);
        let saved = {
            let mut record = self.shown.record();
            if record.cosigned_size > size {
                return;
            }
            record.cosigned_size = size;
            record.cosigned_ns = i64::try_from(at_s).unwrap_or(0).saturating_mul(1_000_000_000);
            record.save_cosigned(&self.around.data, &note)
        };
        self.unsaved = true;
        if let Err(error) = saved {
            self.trouble(&format!("its cosignature can't be kept: {error}"));
        }
    }

    /// Something to be told, which ends nothing.
    pub(super) fn trouble(&mut self, why: &str) {
        self.status.last_failure = why.chars().take(400).collect();
        self.status.last_failure_ns = self.around.clock.wall_ns();
    }
}
