//! The one place that joins the stages.
//!
//! In the order of the data: [`lane`] turns one capture into features; [`import`] runs lanes beside
//! each other and hands their features, in the order of the files, to [`writer`], which gives each
//! its shape, its vector and its line in the log, and the line to the index; [`store`] opens what
//! was remembered and answers.
//!
//! **Invariant:** every queue here is bounded by [`limits`]; full queues make an import wait, and
//! nothing is lost.

pub mod adopt;
pub mod anomaly;
pub mod api;
mod as_of;
mod ask;
pub mod blocks;
mod compare;
pub mod config;
pub mod daemon;
pub mod elements;
mod follow;
pub mod import;
mod lane;
mod latency;
pub mod limits;
pub mod metrics;
mod models;
mod paths;
mod patterns;
mod pen;
pub mod proofs;
pub mod replicas;
pub mod store;
mod tags;
mod timed;
mod writer;

pub use ghost_embed::{Profile, default_model_dirs};
pub use ghost_event::Timestamp;
pub use ghost_world::{Clock, RealClock};
pub use latency::Latency;
pub use models::Models;
pub use paths::DataDir;
pub use tags::{TagError, Tags};

/// The program's name and version, as epochs tell it.
pub const PROGRAM: &str = concat!("ghostbridge ", env!("CARGO_PKG_VERSION"));
