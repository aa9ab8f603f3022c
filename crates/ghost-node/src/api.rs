//! The local API: what a running daemon answers to the programs of its host.
//!
//! [`serve`] listens on a Unix socket (and on a TCP loopback address for `/metrics` alone, where
//! configured) and answers from a [`Backend`], which is the daemon, or a small one in tests.
//! [`Client`] is the blocking other side, for the command line. Routes, shapes and errors are drawn
//! in `docs/interfaces/api.md`.
//!
//! Promised: one thread serves every connection and never waits for the disk; what takes time runs
//! on a bounded pool whose refusals are counted; sizes, times and connections are bounded by
//! [`limits`]; a slow reader is told how many lines it missed, and slows nobody else. Not promised:
//! anything to callers that the socket's group does not admit.

mod anomalies;
mod backend;
mod client;
mod counted;
mod counts;
mod followers;
pub mod limits;
mod pipe;
mod pool;
mod rates;
mod remembered;
mod replicas;
mod routes;
mod send;
mod server;
pub(crate) mod socket;
mod top;
pub(crate) mod wire;
pub(crate) mod written;

pub use backend::{Answers, Backend, Followed, Question, Subject};
pub use client::{Answering, Client, ClientError, ClientHit, Following, Told};
pub use counted::{CellValue, ColumnHead, PartLine, TableHead};
pub use counts::{ApiStatus, Requests};
pub use rates::{PortRate, Rates, Series};
pub use remembered::Remembered;
pub use replicas::{ReplicaLimit, ReplicasAsk, ReplicasTold};
pub use routes::Standing;
pub use send::{SendError, import};
pub use server::{ApiConfig, ApiError, ApiHost, Running, serve};
pub use socket::{SYSTEM_DATA, SYSTEM_SOCKET, link_for, socket_for};
pub use top::{TopAnswer, TopRow};
pub use wire::{AnswerHead, Code, Refusal, Sealed, Searched};

#[cfg(test)]
mod tests;
