//! The connection itself: bytes in, frames kept and acknowledged, bytes out.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ghost_ship::DEAD_NS;
use ghost_ship::wire::{
    Code, Frame, Health, Hello, Incoming as Heard, Kind, Level, Refusal, Role, Session,
};
use ghost_world::Clock;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::Ended;
use super::answering::{self, Asked, Cancelled};
use super::blocks::{self, Done, Job, Out};
use super::wake::Wake;
use crate::holding::{Holding, Turn, health};
use crate::limits::{
    DONE_MAX, HEALTH_NS, HELLO_NS, JOBS_MAX, OUT_BYTES_MAX, QUESTIONS_MAX, READ_BYTES,
};
use crate::{Answer, Holdings, evidence};

/// Why the conversation is over.
enum Over {
    /// The other side hung up, or said goodbye.
    Gone,
    /// We refuse it.
    Refused(Refusal),
    /// It refuses us.
    ByThem(Refusal),
    /// Something here does not work.
    Trouble(String),
    /// We were told to stop, or another connection took over.
    Stopped,
}

impl From<io::Error> for Over {
    fn from(error: io::Error) -> Over {
        match error.kind() {
            io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted => Over::Gone,
            _ => Over::Trouble(error.to_string()),
        }
    }
}

impl From<rustix::io::Errno> for Over {
    fn from(error: rustix::io::Errno) -> Over {
        Over::from(io::Error::from(error))
    }
}

/// Bytes in and out.
struct Pipe {
    input: OwnedFd,
    output: OwnedFd,
    session: Session,
    buffer: Vec<u8>,
    /// Of `buffer`, what has not been taken yet.
    waiting: std::ops::Range<usize>,
    out: Vec<u8>,
    out_at: usize,
    /// What the other side was told of what arrived.
    told: u64,
    heard_ns: u64,
}

impl Pipe {
    fn new(input: OwnedFd, output: OwnedFd, now_ns: u64) -> rustix::io::Result<Pipe> {
        for fd in [&input, &output] {
            fcntl_setfl(fd, fcntl_getfl(fd)? | OFlags::NONBLOCK)?;
        }
        let session = Session::new(Role::Replica);
        let out = session.opening();
        Ok(Pipe {
            input,
            output,
            session,
            buffer: vec![0; READ_BYTES],
            waiting: 0..0,
            out,
            out_at: 0,
            told: 0,
            heard_ns: now_ns,
        })
    }

    fn put(&mut self, frame: &Frame) {
        let bytes = self.session.frame(frame, Level::new(1));
        self.out.extend_from_slice(&bytes);
    }

    fn is_full(&self) -> bool {
        self.out.len() - self.out_at > OUT_BYTES_MAX
    }

    /// Sends what the line takes now.
    fn flush(&mut self) -> Result<(), Over> {
        while self.out_at < self.out.len() {
            let rest = self.out.get(self.out_at..).unwrap_or_default();
            match rustix::io::write(&self.output, rest) {
                Ok(n) => self.out_at += n,
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        self.out.clear();
        self.out_at = 0;
        Ok(())
    }

    /// Takes in what arrived; false where nothing did.
    fn fill(&mut self, now_ns: u64) -> Result<bool, Over> {
        if self.waiting.is_empty() {
            match rustix::io::read(&self.input, &mut self.buffer) {
                Ok(0) => return Err(Over::Gone),
                Ok(n) => {
                    self.waiting = 0..n;
                    self.heard_ns = now_ns;
                }
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(false),
                Err(e) => return Err(e.into()),
            }
        }
        let bytes = self.buffer.get(self.waiting.clone()).unwrap_or_default();
        self.waiting.start += self.session.push(bytes);
        Ok(true)
    }

    fn next(&mut self) -> Result<Option<Heard>, Over> {
        self.session.read().map_err(|e| Over::Refused(Refusal::from(e)))
    }

    /// Waits for something to do, at most so long.
    fn wait(&self, wake: Option<&Wake>, read: bool, most_ms: u32) -> Result<(), Over> {
        let mut fds = Vec::with_capacity(3);
        if read {
            fds.push(PollFd::from_borrowed_fd(self.input.as_fd(), PollFlags::IN));
        }
        if self.out_at < self.out.len() {
            fds.push(PollFd::from_borrowed_fd(self.output.as_fd(), PollFlags::OUT));
        }
        let woken: Option<BorrowedFd<'_>> = wake.map(AsFd::as_fd);
        fds.extend(woken.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(most_ms.min(999)) * 1_000_000 };
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        if let Some(wake) = wake {
            wake.clear();
        }
        Ok(())
    }

    /// Sends the last words, as far as they are taken in a moment.
    fn last_words(&mut self) {
        for _ in 0..20 {
            if self.flush().is_err() || self.out.is_empty() {
                return;
            }
            if self.wait(None, false, 100).is_err() {
                return;
            }
        }
    }
}

pub(super) fn serve(
    input: OwnedFd,
    output: OwnedFd,
    holdings: &Holdings,
    asks: &dyn Answer,
    clock: &dyn Clock,
    stop: &AtomicBool,
) -> Ended {
    let mut ended = Ended::default();
    let mut pipe = match Pipe::new(input, output, clock.monotonic_ns()) {
        Ok(pipe) => pipe,
        Err(error) => {
            ended.trouble = Some(format!("the connection can't be used: {error}"));
            return ended;
        }
    };
    let over = match converse(&mut pipe, holdings, asks, clock, stop, &mut ended) {
        Ok(()) => Over::Gone,
        Err(over) => over,
    };
    match over {
        Over::Gone => {}
        Over::Stopped => pipe.put(&Frame::Bye),
        Over::Refused(refusal) => {
            pipe.put(&Frame::Refusal(refusal.clone()));
            ended.refusal = Some(refusal);
        }
        Over::ByThem(refusal) => ended.refusal = Some(refusal),
        Over::Trouble(words) => {
            let refusal = Refusal::new(Code::Later, "this replica has trouble of its own");
            pipe.put(&Frame::Refusal(refusal));
            ended.trouble = Some(words);
        }
    }
    pipe.last_words();
    ended
}

fn converse(
    pipe: &mut Pipe,
    holdings: &Holdings,
    asks: &dyn Answer,
    clock: &dyn Clock,
    stop: &AtomicBool,
    ended: &mut Ended,
) -> Result<(), Over> {
    let hello = greeted(pipe, clock, stop)?;
    ended.name.clone_from(&hello.name);
    let Some(log) = hello.log else {
        let words = "a primary has a log";
        return Err(Over::Refused(Refusal::new(Code::Malformed, words).about(Kind::Hello)));
    };
    ended.log = Some(log);
    let holding = holdings.open(log).map_err(|error| {
        holdings.common().host.say(&format!("replica of {log}: {error}"));
        let words = "this host holds as many logs as it may";
        Over::Refused(Refusal::new(Code::Full, words).about(Kind::Hello))
    })?;
    let turn = holding.turn(stop).ok_or(Over::Stopped)?;
    meet(pipe, &holding, &hello, clock)?;
    asks.durable(log, held(&holding, clock)?);
    let wake = Arc::new(Wake::new()?);
    let cancelled = Cancelled::default();
    let (done, said) = sync_channel(DONE_MAX);
    let (jobs, to_do) = sync_channel(JOBS_MAX);
    let (questions, asked) = sync_channel(QUESTIONS_MAX);
    let (holding, cancelled) = (&*holding, &cancelled);
    std::thread::scope(|scope| {
        let out = Out { done: done.clone(), wake: Arc::clone(&wake) };
        let blocks = std::thread::Builder::new().name("receive".to_owned());
        let blocks = blocks
            .spawn_scoped(scope, move || blocks::run(holding, &to_do, &out, asks, clock))
            .map_err(Over::from)?;
        let out = Out { done, wake: Arc::clone(&wake) };
        let answers = std::thread::Builder::new().name("answer".to_owned());
        answers
            .spawn_scoped(scope, move || answering::run(log, &asked, cancelled, &out, asks))
            .map_err(Over::from)?;
        let mut talk = Talk {
            pipe,
            holding,
            asks,
            clock,
            turn: &turn,
            theirs: hello.note.clone(),
            jobs,
            questions,
            cancelled,
            said: &said,
            wake: &wake,
            stuck: None,
            health_ns: 0,
        };
        let over = talk.run(stop);
        let Talk { pipe, jobs, questions, .. } = talk;
        drop((jobs, questions));
        // The turn ends with the block that was on its way, and what came of it is still told.
        let over = judged(pipe, holding, clock, &said, over, || blocks.is_finished());
        // Whoever still answers is told that nobody listens.
        drop(said);
        let _ = blocks.join();
        drop(turn);
        Err(over)
    })
}

/// What the block thread says of what came before the end.
fn judged(
    pipe: &mut Pipe,
    holding: &Holding,
    clock: &dyn Clock,
    said: &Receiver<Done>,
    mut over: Over,
    is_finished: impl Fn() -> bool,
) -> Over {
    loop {
        let was_finished = is_finished();
        match said.recv_timeout(Duration::from_millis(20)) {
            Ok(Done::Say(frame)) => pipe.put(&frame),
            Ok(Done::Refused(refusal)) => {
                remember(holding, &refusal, clock);
                match over {
                    Over::Gone => over = Over::Refused(refusal),
                    _ => pipe.put(&Frame::Refusal(refusal)),
                }
            }
            Err(_) if was_finished => return over,
            Err(_) => {}
        }
        // Whoever has hung up may still read.
        let _ = pipe.flush();
        if pipe.is_full() {
            pipe.out.clear();
            pipe.out_at = 0;
        }
    }
}

fn held(holding: &Holding, clock: &dyn Clock) -> Result<u64, Over> {
    holding.with(clock.wall_ns(), |state| Ok(state.held().size)).map_err(Over::Refused)
}

/// Versions, and the primary's hello.
fn greeted(pipe: &mut Pipe, clock: &dyn Clock, stop: &AtomicBool) -> Result<Hello, Over> {
    let began_ns = clock.monotonic_ns();
    loop {
        if stop.load(Ordering::Acquire) {
            return Err(Over::Stopped);
        }
        let now_ns = clock.monotonic_ns();
        if now_ns.saturating_sub(began_ns) > HELLO_NS {
            return Err(Over::Refused(Refusal::new(Code::Later, "no hello came in time")));
        }
        while let Some(heard) = pipe.next()? {
            match heard {
                Heard::Version(_) => {}
                Heard::Hello(hello) => return Ok(*hello),
                Heard::Frame(Frame::Refusal(refusal)) => return Err(Over::ByThem(refusal)),
                Heard::Frame(_) => return Err(Over::Gone),
            }
        }
        pipe.flush()?;
        if !pipe.fill(now_ns)? {
            pipe.wait(None, true, 250)?;
        }
    }
}

/// Says what is held here, and whether the primary's history can be the same.
fn meet(pipe: &mut Pipe, holding: &Holding, hello: &Hello, clock: &dyn Clock) -> Result<(), Over> {
    let now_ns = clock.wall_ns();
    let common = holding.common();
    let ours = holding.with(now_ns, |state| {
        if let Err(number) = state.newest_is_whole() {
            state.set_aside(number, common);
        }
        Ok(())
    });
    ours.map_err(Over::Refused)?;
    let ours = holding.with(now_ns, |state| Ok(state.hello(common))).map_err(Over::Refused)?;
    pipe.put(&Frame::Hello(Box::new(ours)));
    holding.with(now_ns, |state| state.meet(hello)).map_err(|refusal| {
        remember(holding, &refusal, clock);
        Over::Refused(refusal)
    })
}

/// A refusal of history is kept, with what both sides signed, and told once.
fn remember(holding: &Holding, refusal: &Refusal, clock: &dyn Clock) {
    let common = holding.common();
    let now_s = clock.wall_ns() / 1_000_000_000;
    let log = holding.dir().log_id();
    match evidence::keep(&*common.disk, holding.dir(), refusal, now_s) {
        Ok(false) => {}
        Ok(true) => common.host.say(&format!(
            "replica of {log}: REFUSED, {}: {}; both checkpoints are in {}",
            refusal.code.name(),
            refusal.words.escape_debug(),
            holding.dir().evidence().display()
        )),
        Err(error) => common.host.say(&format!("replica of {log}: {error}")),
    }
}

/// The conversation once both have met.
struct Talk<'a> {
    pipe: &'a mut Pipe,
    holding: &'a Holding,
    asks: &'a dyn Answer,
    clock: &'a dyn Clock,
    turn: &'a Turn<'a>,
    /// The primary's newest checkpoint, for evidence.
    theirs: String,
    jobs: SyncSender<Job>,
    questions: SyncSender<Asked>,
    cancelled: &'a Cancelled,
    said: &'a Receiver<Done>,
    wake: &'a Wake,
    /// What the block thread has no room for now: nothing more is read meanwhile.
    stuck: Option<Job>,
    health_ns: u64,
}

impl Talk<'_> {
    fn run(&mut self, stop: &AtomicBool) -> Over {
        loop {
            if stop.load(Ordering::Acquire) || !self.turn.lasts() {
                return Over::Stopped;
            }
            if let Err(over) = self.turn_once() {
                return over;
            }
        }
    }

    fn turn_once(&mut self) -> Result<(), Over> {
        let now_ns = self.clock.monotonic_ns();
        while !self.pipe.is_full()
            && let Ok(done) = self.said.try_recv()
        {
            match done {
                Done::Say(frame) => self.pipe.put(&frame),
                Done::Refused(refusal) => self.refuse(refusal)?,
            }
        }
        self.unstick()?;
        let mut came = false;
        while self.stuck.is_none() && !self.pipe.is_full() {
            match self.pipe.next()? {
                Some(heard) => self.hear(heard)?,
                None if self.pipe.fill(now_ns)? => came = true,
                None => break,
            }
        }
        if self.pipe.session.taken() > self.pipe.told {
            self.pipe.told = self.pipe.session.taken();
            let bytes = self.pipe.told;
            self.pipe.put(&Frame::Received { bytes });
        }
        if now_ns >= self.health_ns {
            self.health_ns = now_ns.saturating_add(HEALTH_NS);
            let health = self.health();
            self.pipe.put(&Frame::Health(health));
        }
        self.pipe.flush()?;
        if now_ns.saturating_sub(self.pipe.heard_ns) >= DEAD_NS {
            return Err(Over::Trouble("nothing was heard for half a minute".to_owned()));
        }
        if !came {
            let reads = self.stuck.is_none() && !self.pipe.is_full();
            self.pipe.wait(Some(self.wake), reads, if reads { 250 } else { 5 })?;
        }
        Ok(())
    }

    fn health(&self) -> Health {
        let dir = self.holding.dir();
        health(dir, self.asks.indexed(dir.log_id()), self.asks.load())
    }

    fn hear(&mut self, heard: Heard) -> Result<(), Over> {
        let Heard::Frame(frame) = heard else { return Ok(()) };
        match self.take(frame) {
            Ok(()) => Ok(()),
            Err(Over::Refused(refusal)) => self.refuse(refusal),
            Err(over) => Err(over),
        }
    }

    /// Tells that something was refused; where that was all of the connection, it ends.
    fn refuse(&mut self, refusal: Refusal) -> Result<(), Over> {
        remember(self.holding, &refusal, self.clock);
        if !refusal.code.is_of_one_thing() {
            return Err(Over::Refused(refusal));
        }
        self.pipe.put(&Frame::Refusal(refusal));
        Ok(())
    }

    fn take(&mut self, frame: Frame) -> Result<(), Over> {
        let wall_ns = self.clock.wall_ns();
        match frame {
            Frame::Tail { epoch, lines } => {
                let theirs = &self.theirs;
                let place = self.holding.with(wall_ns, |state| state.tail(epoch, &lines, theirs));
                let place = place.map_err(Over::Refused)?;
                self.pipe.put(&Frame::TailHeld(place));
                self.asks.durable(self.holding.dir().log_id(), place.size);
                Ok(())
            }
            Frame::BlockBegin(begin) => {
                self.theirs.clone_from(&begin.note);
                self.job(Job::Begin(begin))
            }
            Frame::BlockChunk { number, offset, bytes } => {
                self.job(Job::Chunk { number, offset, bytes })
            }
            Frame::BlockEnd { number, bytes } => self.job(Job::End { number, bytes }),
            Frame::Checkpoint { note, growth } => {
                let cosigned =
                    self.holding.with(wall_ns, |state| state.witness(&note, &growth, wall_ns));
                let (size, root, line) = cosigned.map_err(Over::Refused)?;
                self.theirs = note;
                self.pipe.put(&Frame::Cosignature { size, root, line });
                Ok(())
            }
            Frame::Ping { token } => {
                self.pipe.put(&Frame::Pong { token });
                Ok(())
            }
            Frame::Question { id, body } => {
                if self.questions.try_send(Asked { id, body }).is_err() {
                    let bytes =
                        b"{\"error\":\"this replica answers as many as it can\"}\n".to_vec();
                    self.pipe.put(&Frame::AnswerPart { id, last: true, bytes });
                }
                Ok(())
            }
            Frame::Cancel { id } => {
                let mut all = self.cancelled.lock().unwrap_or_else(PoisonError::into_inner);
                // Those of questions that were answered already are of no use.
                if all.len() >= 2 * QUESTIONS_MAX {
                    all.remove(0);
                }
                all.push(id);
                Ok(())
            }
            Frame::Bye => Err(Over::Gone),
            Frame::Refusal(refusal) => {
                // Kept as seen from here: what they showed comes second.
                let mut kept = refusal.clone();
                std::mem::swap(&mut kept.ours, &mut kept.theirs);
                remember(self.holding, &kept, self.clock);
                if refusal.code.is_of_one_thing() { Ok(()) } else { Err(Over::ByThem(refusal)) }
            }
            // The session lets a primary say nothing else.
            _ => Ok(()),
        }
    }

    fn job(&mut self, job: Job) -> Result<(), Over> {
        self.stuck = Some(job);
        self.unstick()
    }

    fn unstick(&mut self) -> Result<(), Over> {
        let Some(job) = self.stuck.take() else { return Ok(()) };
        match self.jobs.try_send(job) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(job)) => {
                self.stuck = Some(job);
                Ok(())
            }
            Err(TrySendError::Disconnected(_)) => {
                Err(Over::Trouble("what receives blocks has ended".to_owned()))
            }
        }
    }
}
