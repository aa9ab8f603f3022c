//! What the daemon tells of itself: one plain snapshot, made from counters whenever it is asked for.
//!
//! Every number is a total since the start unless its name says otherwise; rates are the API's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::shipping::ReplicaStatus;
use crate::Latency;
use crate::anomaly::alerts::AlertsStatus;
use crate::anomaly::wish::AnomaliesStatus;

/// How the daemon stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Nanoseconds since 1970-01-01 UTC.
    pub now_ns: i64,
    pub started_ns: i64,
    pub log_id: String,
    pub epoch: u64,
    pub pid: u32,
    pub mode: String,
    pub granularity: String,
    pub profile: String,
    /// BPF filter words; empty: everything.
    pub filter: String,
    pub traffic: Traffic,
    pub flows: Flows,
    pub loss: Loss,
    pub log: LogStatus,
    pub blocks: BlocksStatus,
    pub index: IndexStatus,
    pub model: ModelStatus,
    pub queues: Vec<QueueStatus>,
    pub bridges: Vec<String>,
    pub ports: Vec<PortStatus>,
    pub anomalies: AnomaliesStatus,
    pub alerts: AlertsStatus,
    /// Imports that run now.
    pub imports_running: u64,
    pub questions: u64,
    /// The log's replicas, by name.
    pub replicas: Vec<ReplicaStatus>,
    /// What the operator should know; each stands as long as it holds.
    pub warnings: Vec<String>,
}

/// What came in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traffic {
    /// Packets of the wire: a super-frame counts as its segments.
    pub packets: u64,
    pub bytes: u64,
    /// Frames as the kernel handed them over.
    pub frames: u64,
    pub unparsed: u64,
    pub malformed: u64,
    /// Left out by the filter words.
    pub filtered: u64,
}

/// The flow table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Flows {
    pub open: u64,
    pub open_max: u64,
    pub started: u64,
    pub ended: u64,
    pub evicted: u64,
    /// Unanswered one-packet flows that were counted into folded records.
    pub folded: u64,
    pub names_dropped: u64,
}

/// What is in no event, by the place where it was lost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Loss {
    /// Frames that found their ring full.
    pub ring_frames: u64,
    pub ring_bytes: u64,
    /// Of events that found the writer's queue full.
    pub queue_events: u64,
    pub queue_packets: u64,
    pub queue_bytes: u64,
    /// Of events that the log would not take.
    pub log_events: u64,
    pub log_packets: u64,
    pub log_bytes: u64,
    /// Gap notes in the log.
    pub gaps: u64,
}

/// The log.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogStatus {
    /// The last line taken in, and the last that is durable.
    pub head: u64,
    pub durable: u64,
    /// The active segment's first line.
    pub segment: u64,
    /// Bytes that wait because the disk is full.
    pub waiting_bytes: u64,
    pub events: u64,
    pub bytes: u64,
    /// Events and notes since the start, by `event_type`.
    pub kinds: BTreeMap<String, u64>,
    /// How long syncs took.
    pub sync: Latency,
    /// Why nothing more is taken in; empty where it is.
    pub trouble: String,
}

/// The log's blocks, and the room that both take.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlocksStatus {
    /// `priority`, `batch`, `realtime`, `off`.
    pub strategy: String,
    /// `btrfs` or `folder`.
    pub volume: String,
    /// The newest block: its number, name, lines, when, why, and how long it waited for vectors.
    pub last: u64,
    pub last_name: String,
    pub last_size: u64,
    pub last_time_ns: i64,
    pub last_reason: String,
    pub last_waited_ms: u64,
    /// Sealed since the start, and how often that failed.
    pub sealed: u64,
    pub failed: u64,
    /// Blocks that are there.
    pub kept: u64,
    /// How long sealing took, of the writer's time.
    pub seal: Latency,
    /// On the disk: the log, what blocks keep beyond it, the cap on both, what is above it.
    pub log_bytes: u64,
    pub pinned_bytes: u64,
    pub cap_bytes: u64,
    pub over_bytes: u64,
    /// What others may still write there.
    pub free_bytes: u64,
    /// Until the cap is reached, at today's rate; and for how many days the cap is enough.
    pub days_left: Option<f64>,
    pub days_at_cap: Option<f64>,
    /// Given up since the start.
    pub retired_segments: u64,
    pub retired_bytes: u64,
    pub deleted: u64,
    /// Why no block is sealed; empty where all is well.
    pub trouble: String,
}

/// The index.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IndexStatus {
    /// The last committed line.
    pub indexed_to: u64,
    /// Lines between that and the log's head; questions look through them in memory.
    pub behind: u64,
    pub events: u64,
    pub shapes: u64,
    pub shapes_refined: u64,
    pub partitions: u64,
    pub damaged: Vec<String>,
    pub trouble: String,
}

/// The full model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelStatus {
    /// `absent`, `waiting` (nothing was asked of it yet), `ready`.
    pub state: String,
    pub id: String,
    pub refined: u64,
    pub waiting: u64,
    pub dropped: u64,
    pub failed: u64,
    pub trouble: String,
}

/// One bounded queue.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueStatus {
    pub name: String,
    pub length: u64,
    pub capacity: u64,
    /// How often it was found full.
    pub full: u64,
}

/// One tapped port.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PortStatus {
    pub ifindex: u32,
    pub name: String,
    /// Number in [`Status::bridges`].
    pub bridge: u16,
    pub seen: u64,
    pub seen_bytes: u64,
    /// Counted where its ring was full.
    pub lost: u64,
    pub lost_bytes: u64,
    /// False where it has gone and only its counters are left.
    pub attached: bool,
}
