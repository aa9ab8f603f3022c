//! What an operator may set: plain fields, each with its default.
//!
//! [`Config`] is what the daemon runs on. Where its values come from (built in, a file, the
//! environment, the command line) is told by [`Settings`]; names, words and meanings of the keys
//! stand once, in a table, from which the shipped example and the reference in the documents are
//! made.
//!
//! **Invariant:** a configuration that was checked contradicts nothing in itself; whether the host
//! has what it asks for is found out by those who use it.

mod anomalies;
mod blocks;
mod keys;
mod replica;
mod settings;
mod show;
mod units;

use std::net::SocketAddr;
use std::path::PathBuf;

use ghost_embed::Profile;
use ghost_flow::FlowConfig;
use ghost_host::{Mode, Sources, Wish};

pub use anomalies::{Alerts, Anomalies};
pub use blocks::{Blocks, DiskCap, Sealing};
pub use keys::{Key, Reload, keys};
pub use replica::Replica;
pub use settings::{ConfigError, Origin, Settings, Value};
pub use show::{example, reference};
pub use units::{bytes, bytes_in_words, nanoseconds, nanoseconds_in_words};

/// Where the configuration is looked for when nobody names another file.
pub const DEFAULT_FILE: &str = "/etc/ghostbridge/ghostbridge.toml";

/// What becomes an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Granularity {
    /// A flow, at its end or after the active timeout; every packet is counted in one.
    #[default]
    Flow,
    /// Each packet, and each flow.
    Packet,
}

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// Interfaces or bridges by name; empty: those that are found.
    pub interfaces: Vec<String>,
    pub mode: Mode,
    pub granularity: Granularity,
    /// BPF filter words; empty: everything.
    pub filter: String,
    pub profile: Profile,
    /// Log, index and state; `None`: the default folder of whoever runs it.
    pub data_dir: Option<PathBuf>,
    /// The full model's folder; `None`: the usual ones.
    pub model_dir: Option<PathBuf>,
    /// The file of words for groups of hosts; `None`: the usual ones.
    pub tags: Option<PathBuf>,
    /// Under which the log's checkpoints are signed; `None`: the host's name. Fixed for a log by
    /// its first key.
    pub identity: Option<String>,
    pub tap: Tap,
    pub ovs: Ovs,
    pub flow: Flow,
    pub packet: Packet,
    pub log: Log,
    pub blocks: Blocks,
    pub replica: Replica,
    pub anomalies: Anomalies,
    pub alerts: Alerts,
    pub metrics: Metrics,
    pub api: Api,
}

/// How frames are come by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tap {
    /// False: nothing is tapped; log, index and API alone.
    pub enabled: bool,
    /// Bytes of all rings together; `None`: from the machine's memory.
    pub ring_bytes: Option<u64>,
    /// The attach helper's socket; `None`: systemd's where it is, else a helper of our own.
    pub helper: Option<PathBuf>,
}

/// Where Open vSwitch is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ovs {
    /// Its database's socket; `None`: the usual places.
    pub socket: Option<PathBuf>,
}

/// When flows end, and how many are kept open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    pub flows_max: usize,
    pub idle_tcp_ns: i64,
    pub idle_tcp_closed_ns: i64,
    pub idle_udp_ns: i64,
    pub idle_other_ns: i64,
    pub active_ns: i64,
    /// Unanswered one-packet flows a second above which they are folded; `None`: never.
    pub fold_above_per_s: Option<u32>,
}

/// Packets as events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Packet {
    /// Each event carries the SHA-256 of its captured bytes.
    pub digest: bool,
}

/// The log on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    pub segment_bytes: u64,
    pub disk_cap: DiskCap,
}

/// Metrics over TCP; over the API's socket they are always there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metrics {
    /// `None`: not over TCP. Loopback only.
    pub listen: Option<SocketAddr>,
}

/// The local API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// `None`: the usual place for the data folder.
    pub socket: Option<PathBuf>,
    /// Who may ask besides the owner; empty or unknown: nobody.
    pub group: String,
}

impl Default for Tap {
    fn default() -> Tap {
        Tap { enabled: true, ring_bytes: None, helper: None }
    }
}

impl Default for Flow {
    fn default() -> Flow {
        let file = FlowConfig::default();
        Flow {
            flows_max: file.flows_max,
            idle_tcp_ns: file.idle_tcp_ns,
            // Live, what is over is told soon; stragglers come within seconds.
            idle_tcp_closed_ns: 5_000_000_000,
            idle_udp_ns: file.idle_udp_ns,
            idle_other_ns: file.idle_other_ns,
            active_ns: file.active_ns,
            fold_above_per_s: Some(1000),
        }
    }
}

impl Default for Log {
    fn default() -> Log {
        Log {
            segment_bytes: ghost_log::LogConfig::default().segment_bytes,
            disk_cap: DiskCap::default(),
        }
    }
}

impl Default for Api {
    fn default() -> Api {
        Api { socket: None, group: "ghostbridge".to_owned() }
    }
}

impl Config {
    /// What is to be tapped, as far as the operator said.
    #[must_use]
    pub fn wish(&self) -> Wish {
        Wish { interfaces: self.interfaces.clone(), mode: self.mode }
    }

    /// Where the host is asked what it has.
    #[must_use]
    pub fn sources(&self) -> Sources {
        Sources { ovs_socket: self.ovs.socket.clone() }
    }

    /// The flow table's own configuration; `hash_seed` is to be one that nobody can guess.
    #[must_use]
    pub fn flow_table(&self, hash_seed: u64) -> FlowConfig {
        FlowConfig {
            flows_max: self.flow.flows_max,
            idle_tcp_ns: self.flow.idle_tcp_ns,
            idle_tcp_closed_ns: self.flow.idle_tcp_closed_ns,
            idle_udp_ns: self.flow.idle_udp_ns,
            idle_other_ns: self.flow.idle_other_ns,
            active_ns: self.flow.active_ns,
            fold_above_per_s: self.flow.fold_above_per_s,
            hash_seed,
            ..FlowConfig::default()
        }
    }
}
