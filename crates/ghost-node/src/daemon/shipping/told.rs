//! What is told of a replica: one plain snapshot for status, API and metrics.

use serde::{Deserialize, Serialize};

/// How one replica stands. Sizes are lines of the log; totals are since the daemon's start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplicaStatus {
    pub name: String,
    pub address: String,
    /// `connected`, `meeting`, `down`, `paused`, `refused`, `diverged`.
    pub state: String,
    /// `healthy`, `never`, `silent`, `full`, `refused`, `diverged`.
    pub health: String,
    /// The code of the refusal that stands, and its words; empty where none does.
    pub refused: String,
    pub refused_words: String,
    /// As the other side calls itself.
    pub identity: String,
    pub program: String,
    /// The newest line that it acknowledged.
    pub held: u64,
    /// What it lacks of the durable log.
    pub lag_events: u64,
    pub lag_bytes: u64,
    /// Since when the oldest event waits that it lacks.
    pub lag_s: f64,
    /// The newest block that was verified there, its lines, and when it was told of.
    pub verified_block: u64,
    pub verified_size: u64,
    pub verified_ns: i64,
    /// The newest checkpoint that it cosigned, when, and with which key.
    pub cosigned_size: u64,
    pub cosigned_ns: i64,
    pub cosigning_key: String,
    /// What it says of itself.
    pub indexed: u64,
    pub free_bytes: u64,
    pub total_bytes: u64,
    pub load_permille: u32,
    /// Measured by acknowledgements; nothing where nothing was measured.
    pub bandwidth_bytes_per_s: Option<u64>,
    pub round_trip_us: Option<u64>,
    /// The block on its way, 0 where none is; the block that it grows from, 0 for all of it; bytes
    /// that went out of it.
    pub sending_block: u64,
    pub sending_parent: u64,
    pub sending_bytes: u64,
    /// Why a block that it lacks is not sent now; empty where nothing is in the way.
    pub waits: String,
    /// Since the start: bytes out and in, lines of the tail, blocks, those without a parent.
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub tail_lines: u64,
    pub blocks_sent: u64,
    pub blocks_whole: u64,
    /// Connections that were made, and that failed or broke.
    pub connects: u64,
    pub failures: u64,
    pub last_failure: String,
    pub last_failure_ns: i64,
    /// When anything was acknowledged last.
    pub last_success_ns: i64,
    pub questions: u64,
    /// Settings.
    pub paused: bool,
    pub rate_limit: Option<u64>,
    pub quiet: String,
}

impl ReplicaStatus {
    /// Whether it may be asked now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.state == "connected"
    }
}
