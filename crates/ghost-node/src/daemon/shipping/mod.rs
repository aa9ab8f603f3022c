//! The log to its replicas: the primary's side.
//!
//! ```text
//! writer ── news (never waits) ─▶ [marks, durable, blocks] ─▶ one thread a replica ─▶ ssh
//!    ▲                                                             │
//!    └────── pinned blocks ◀── state/replicas/NAME.json ◀──────────┘
//! ```
//! What goes next is decided by `ghost_ship::plan`; here it is done. A replica that is away costs
//! the others and the writer nothing.
//!
//! **Invariant:** no line that is not durable leaves this host; without replicas nothing here costs
//! anything.

mod address;
mod told;

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

pub use address::{Address, NotAnAddress};
pub use told::ReplicaStatus;

use super::Daemon;

/// Replicas of one log: names stand as labels of metrics.
pub const REPLICAS_MAX: usize = 64;

/// A replica, as it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaConfig {
    pub name: String,
    pub address: Address,
}

/// A connection to `ghostbridge replica serve` on another host.
pub struct Connection {
    pub read: OwnedFd,
    pub write: OwnedFd,
    /// What carries it, where that is a program.
    pub child: Option<Box<dyn Carrier>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

/// A program that carries a connection. Dropped, it is ended.
pub trait Carrier: Send {
    /// Ends it; its last words, for the operator.
    fn end(&mut self) -> String;
}

/// A key of another host, to be confirmed by a person.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HostKey {
    /// As it stands in a file of known hosts.
    pub line: String,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// `ssh-ed25519`, ….
    pub kind: String,
}

/// A replica to be added.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReplicaAsk {
    pub name: String,
    pub address: String,
    /// Lines of known hosts that a person confirmed.
    pub host_keys: Vec<String>,
    /// Bytes a second.
    pub rate_limit: Option<u64>,
    /// `22:00-06:30`.
    pub quiet: Option<String>,
}

/// Why something about a replica was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicaError {
    #[error("a replica's name is 1 to 32 of a-z, 0-9 and '-', and neither all, any nor own")]
    Name,
    #[error(transparent)]
    Address(#[from] NotAnAddress),
    #[error("quiet hours are written as 22:00-06:30")]
    Quiet,
    #[error("there is no replica {0}; `ghostbridge replica list` shows them")]
    Unknown(String),
    #[error("there is a replica {0} already; remove it first")]
    Exists(String),
    #[error("a log has at most {REPLICAS_MAX} replicas")]
    TooMany,
    #[error("the key of {0} is not known; look at it and confirm it")]
    HostKey(String),
    #[error("{0}")]
    Io(String),
    #[error("replica {name} is not connected: {why}")]
    NotConnected { name: String, why: String },
    #[error("replica {0} has as many questions as it takes; try again")]
    Busy(String),
    #[error("replica {0} did not answer in time")]
    Late(String),
    #[error("the daemon is stopping")]
    Stopping,
}

impl From<io::Error> for ReplicaError {
    fn from(error: io::Error) -> ReplicaError {
        ReplicaError::Io(error.to_string())
    }
}

impl Daemon {
    /// How every replica stands, by name.
    #[must_use]
    pub fn replicas(&self) -> Vec<ReplicaStatus> {
        Vec::new()
    }

    /// Asks one replica. `question` is a body of the API with its kind; `out` is handed the answer's
    /// bytes as they come, and ends it by answering false.
    ///
    /// # Errors
    /// It is not connected, has too many questions, or did not answer within `patience`.
    pub fn ask_replica(
        &self,
        name: &str,
        question: &[u8],
        patience: Duration,
        out: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), ReplicaError> {
        let _ = (question, patience, out);
        Err(ReplicaError::Unknown(name.to_owned()))
    }
}
