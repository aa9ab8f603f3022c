//! Why bytes are no conversation of ours.

use super::Code;

/// What was wrong with what the other side sent; the connection ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    #[error("the other side is no GhostBridge: run `ghostbridge replica serve` there")]
    NotOurs,
    #[error(
        "the other side speaks versions {oldest} to {newest} and this program {VERSION_OLDEST} to {VERSION}: update the older of the two",
        VERSION_OLDEST = super::VERSION_OLDEST, VERSION = super::VERSION
    )]
    Version { oldest: u16, newest: u16 },
    #[error("a frame of kind {kind} is not understood and must not be passed over")]
    Kind { kind: u8 },
    #[error("a frame of kind {kind} has {bytes} bytes, and may have {max}")]
    TooLong { kind: u8, bytes: u64, max: u64 },
    #[error("a frame of kind {kind} unpacks to {bytes} bytes, and may have {max}")]
    Unpacked { kind: u8, bytes: u64, max: u64 },
    #[error("a frame of kind {kind} does not unpack to what it declares")]
    Packing { kind: u8 },
    #[error("a frame of kind {kind} is not of its form: {what}")]
    Form { kind: u8, what: &'static str },
    #[error("a frame of kind {kind} has no place here: {what}")]
    Place { kind: u8, what: &'static str },
    #[error("the other side takes frames of {bytes} bytes at most, and a line would not fit")]
    SmallPeer { bytes: u64 },
}

impl WireError {
    /// The code with which this is refused.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            WireError::NotOurs | WireError::Form { .. } => Code::Malformed,
            WireError::Version { .. } => Code::Version,
            WireError::Kind { .. } => Code::Unknown,
            WireError::TooLong { .. }
            | WireError::Unpacked { .. }
            | WireError::Packing { .. }
            | WireError::SmallPeer { .. } => Code::Limit,
            WireError::Place { .. } => Code::Unexpected,
        }
    }
}
