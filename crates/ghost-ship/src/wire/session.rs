//! One connection, from one side: versions first, then hellos, then whatever that side may say.

use super::reader::Piece;
use super::{Frame, Hello, Kind, Level, Limits, Preamble, Reader, Role, WireError};

/// What came of the other side's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// It speaks this version with us: our hello goes out now.
    Version(u16),
    Hello(Box<Hello>),
    Frame(Frame),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Preamble,
    Hello,
    Open,
    Over,
}

/// The conversation as this side hears it.
#[derive(Debug)]
pub struct Session {
    role: Role,
    ours: Preamble,
    reader: Reader,
    phase: Phase,
    limits: Limits,
}

impl Session {
    #[must_use]
    pub fn new(role: Role) -> Session {
        Session::speaking(role, Preamble::OURS)
    }

    /// Of a program that speaks other versions.
    #[must_use]
    pub fn speaking(role: Role, ours: Preamble) -> Session {
        let reader = Reader::new();
        Session { role, ours, reader, phase: Phase::Preamble, limits: Limits::OURS }
    }

    /// What is sent first of all.
    #[must_use]
    pub fn opening(&self) -> Vec<u8> {
        self.ours.bytes().to_vec()
    }

    /// Takes in what finds room of what arrived.
    #[must_use]
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        self.reader.push(bytes)
    }

    /// Bytes of the other side that were taken in.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.reader.taken()
    }

    /// What both sides take in one frame; ours until the other's hello is here.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether the hellos are exchanged.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// The next thing that the other side said. An error ends the conversation: it is told to the
    /// other side as a refusal, and nothing more is read.
    pub fn read(&mut self) -> Result<Option<Incoming>, WireError> {
        if self.phase == Phase::Over {
            return Ok(None);
        }
        let result = self.step();
        if result.is_err() {
            self.phase = Phase::Over;
        }
        result
    }

    fn step(&mut self) -> Result<Option<Incoming>, WireError> {
        let Some(piece) = self.reader.next()? else { return Ok(None) };
        let frame = match piece {
            Piece::Preamble(theirs) => {
                let version = self.ours.agree(theirs)?;
                self.phase = Phase::Hello;
                return Ok(Some(Incoming::Version(version)));
            }
            Piece::Frame(frame) => frame,
        };
        let kind = frame.kind();
        let place = |what| Err(WireError::Place { kind: kind as u8, what });
        match (frame, self.phase) {
            (frame @ (Frame::Refusal(_) | Frame::Bye), _) => Ok(Some(Incoming::Frame(frame))),
            (Frame::Hello(hello), Phase::Hello) => {
                if hello.role == self.role {
                    return place("both sides are the same");
                }
                self.limits = Limits::OURS.common(hello.limits);
                self.phase = Phase::Open;
                Ok(Some(Incoming::Hello(hello)))
            }
            (Frame::Hello(_), _) => place("it comes once"),
            (_, Phase::Hello) => place("a hello comes first"),
            (frame, _) if may_say(self.role.other(), kind) => Ok(Some(Incoming::Frame(frame))),
            _ => place("it is the other side's to say"),
        }
    }

    /// The bytes of a frame of ours. Debug builds check that it is ours to say.
    #[must_use]
    pub fn frame(&self, frame: &Frame, level: Level) -> Vec<u8> {
        debug_assert!(may_say(self.role, frame.kind()), "{:?} is not ours to say", frame.kind());
        frame.bytes(level)
    }
}

/// Which side says what.
fn may_say(role: Role, kind: Kind) -> bool {
    match kind {
        Kind::Refusal | Kind::Hello | Kind::Ping | Kind::Pong | Kind::Bye => true,
        Kind::Tail
        | Kind::BlockBegin
        | Kind::BlockChunk
        | Kind::BlockEnd
        | Kind::Checkpoint
        | Kind::Question
        | Kind::Cancel => role == Role::Primary,
        Kind::Health
        | Kind::TailHeld
        | Kind::Received
        | Kind::BlockVerified
        | Kind::Cosignature
        | Kind::AnswerPart => role == Role::Replica,
    }
}
