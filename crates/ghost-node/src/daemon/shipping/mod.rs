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
mod asking;
mod known_hosts;
mod line;
mod mine;
mod news;
mod peer;
mod pins;
mod record;
mod registry;
mod source;
mod told;
mod wake;

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

pub(crate) use address::is_name;
pub use address::{Address, NotAnAddress};
pub(crate) use news::{News, Teller};
use pins::Pins;
pub(crate) use registry::{Parts, Shipping};
pub use told::ReplicaStatus;

use super::Daemon;
use crate::DataDir;

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

/// What a data folder tells of its replicas while no daemon runs, and records that can't be read.
#[must_use]
pub fn replicas_known(data: &DataDir) -> (Vec<ReplicaStatus>, Vec<String>) {
    registry::known(data)
}

/// Where the newest checkpoint lies that a replica cosigned, and the key that says so; nothing where
/// there is none.
#[must_use]
pub fn cosigned_by(data: &DataDir, name: &str) -> Option<(std::path::PathBuf, String)> {
    let known = replicas_known(data).0.into_iter().find(|r| r.name == name)?;
    let path = record::cosigned_path(data, name);
    (path.is_file() && !known.cosigning_key.is_empty()).then_some((path, known.cosigning_key))
}

/// Where the program keeps what it needs to reach replicas: its key and the keys of their hosts.
#[must_use]
pub fn ssh_folder(data: &Path) -> std::path::PathBuf {
    data.join("state/ssh")
}

impl Daemon {
    /// How every replica stands, by name.
    #[must_use]
    pub fn replicas(&self) -> Vec<ReplicaStatus> {
        self.inner.shipping.statuses()
    }

    /// The public key with which this host's replicas know it, made where there is none; and the
    /// name of its log.
    ///
    /// # Errors
    /// It can't be made.
    pub fn replica_key(&self) -> Result<String, ReplicaError> {
        self.inner.shipping.key()
    }

    /// The keys that the host at an address shows, for a person to confirm.
    ///
    /// # Errors
    /// It is no address, or nobody answers there.
    pub fn replica_host_keys(&self, address: &str) -> Result<Vec<HostKey>, ReplicaError> {
        self.inner.shipping.host_keys(address)
    }

    /// Adds a replica and begins to send to it.
    ///
    /// # Errors
    /// Name, address or settings are none, there is one of that name, or it can't be remembered.
    pub fn replica_add(&self, ask: &ReplicaAsk) -> Result<ReplicaStatus, ReplicaError> {
        self.inner.shipping.add(ask)
    }

    /// Seals what there is, and tries at once what waits or was refused.
    ///
    /// # Errors
    /// There is no such replica.
    pub fn replica_sync(&self, name: &str) -> Result<ReplicaStatus, ReplicaError> {
        self.inner.shipping.status(name)?;
        // Without a new block there is the old one, and the tail.
        let _ = self.seal();
        self.inner.shipping.sync(name)
    }

    /// Sends nothing more to it, until it is resumed.
    ///
    /// # Errors
    /// There is no such replica, or it can't be remembered.
    pub fn replica_pause(&self, name: &str) -> Result<ReplicaStatus, ReplicaError> {
        self.inner.shipping.set(name, &|record| record.paused = true)
    }

    /// Sends again.
    ///
    /// # Errors
    /// As [`replica_pause`](Self::replica_pause).
    pub fn replica_resume(&self, name: &str) -> Result<ReplicaStatus, ReplicaError> {
        self.inner.shipping.set(name, &|record| record.paused = false)
    }

    /// How fast, and when not: bytes a second (0: as fast as it goes), hours (empty: none).
    ///
    /// # Errors
    /// There is no such replica, these are no hours, or it can't be remembered.
    pub fn replica_limit(
        &self,
        name: &str,
        rate_limit: Option<u64>,
        quiet: Option<&str>,
    ) -> Result<ReplicaStatus, ReplicaError> {
        registry::check_quiet(quiet)?;
        self.inner.shipping.set(name, &|record| {
            if let Some(rate) = rate_limit {
                record.rate_limit = (rate > 0).then_some(rate);
            }
            if let Some(quiet) = quiet {
                record.quiet = (!quiet.is_empty()).then(|| quiet.to_owned());
            }
        })
    }

    /// Sends nothing more to it, ever, and forgets it. What it holds stays there.
    ///
    /// # Errors
    /// There is no such replica, or its record can't be removed.
    pub fn replica_remove(&self, name: &str) -> Result<(), ReplicaError> {
        self.inner.shipping.remove(name)
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
        self.inner.shipping.ask(name, question, patience, out)
    }
}

#[cfg(test)]
mod tests;
