//! Anomalies: the scorer beside the flow table, what it says in the log, and who is told.
//!
//! In the order of the data: [`scoring`] lets the scorer hear of every flow and packet, keeps the
//! highest score of each open flow, and makes statements about incidents; [`list`] finds scored
//! flows and incidents in a log again.
//!
//! An import has a scorer of its own for each capture (`docs/decisions/0014`): what is live and
//! what was captured somewhere, some time, are different streams.
//!
//! **Invariant:** whatever scores waits for nobody: no disk, no lock, no queue that may be full.

pub mod list;
pub(crate) mod scoring;
mod vectors;

pub use ghost_detect::anomaly::{Learning, Rule, Settings};

/// How flows are scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Anomalies {
    pub enabled: bool,
    pub settings: Settings,
}

impl Default for Anomalies {
    fn default() -> Anomalies {
        Anomalies { enabled: true, settings: Settings::default() }
    }
}
