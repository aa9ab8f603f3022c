//! What the threads of the daemon count, each in its own atomics, and what a status is made from.
//!
//! Writers never wait here: counters are relaxed atomics, and the few texts stand behind locks that
//! are held for a copy.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ghost_tap::live::PortCounters;

use super::status::{BlocksStatus, IndexStatus, ModelStatus, PortStatus};
use crate::anomaly::wish::AnomaliesStatus;
use crate::latency::Latencies;
use crate::limits::WARNINGS_MAX;

/// One number that only its thread changes.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is known of one port besides its counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PortName {
    pub(crate) name: String,
    pub(crate) bridge: u16,
    pub(crate) attached: bool,
}

/// Ports and bridges by number, as events are to call them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) bridges: Vec<String>,
    pub(crate) by_ifindex: BTreeMap<u32, PortName>,
}

impl Ports {
    pub(crate) fn bridge_of(&self, ifindex: u32) -> u16 {
        self.by_ifindex.get(&ifindex).map_or(0, |port| port.bridge)
    }

    pub(crate) fn name(&self, ifindex: u32) -> Option<&str> {
        self.by_ifindex.get(&ifindex).map(|port| port.name.as_str())
    }

    pub(crate) fn bridge(&self, number: u16) -> Option<&str> {
        self.bridges.get(usize::from(number)).map(String::as_str)
    }
}

/// What all threads share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    // The tap thread's.
    pub(crate) frames: Count,
    pub(crate) packets: Count,
    pub(crate) bytes: Count,
    pub(crate) unparsed: Count,
    pub(crate) malformed: Count,
    pub(crate) filtered: Count,
    pub(crate) flows_open: Count,
    /// Of the flows that are open: told by no line yet.
    pub(crate) packets_open: Count,
    pub(crate) bytes_open: Count,
    pub(crate) flows_open_max: Count,
    pub(crate) flows_started: Count,
    pub(crate) flows_ended: Count,
    pub(crate) flows_evicted: Count,
    pub(crate) flows_folded: Count,
    pub(crate) names_dropped: Count,
    pub(crate) ring_frames_lost: Count,
    pub(crate) ring_bytes_lost: Count,
    pub(crate) queue_events_lost: Count,
    pub(crate) queue_packets_lost: Count,
    pub(crate) queue_bytes_lost: Count,
    /// Statements about incidents that found the writer's queue full for too long.
    pub(crate) incidents_lost: Count,
    // The writer's.
    pub(crate) log_events_lost: Count,
    pub(crate) log_packets_lost: Count,
    pub(crate) log_bytes_lost: Count,
    pub(crate) gaps: Count,
    pub(crate) log_head: Count,
    pub(crate) log_durable: Count,
    pub(crate) log_segment: Count,
    pub(crate) log_waiting: Count,
    pub(crate) events: Count,
    pub(crate) log_bytes: Count,
    pub(crate) epoch: Count,
    /// The first line that is still there, where some were given up.
    pub(crate) log_first: Count,
    pub(crate) syncs: Arc<Latencies>,
    pub(crate) seals: Latencies,
    // Others'.
    pub(crate) imports_running: Count,
    pub(crate) questions: Count,
    /// Uptime of the last question; the index keeps itself fresh for a while after it.
    pub(crate) asked_ns: Count,
    pub(crate) stopping: AtomicBool,
    /// The writer has ended: what is in the log is all that will be.
    pub(crate) log_ended: AtomicBool,
    texts: Mutex<Texts>,
    /// The scorer's, as of the last second; empty where nothing is scored.
    standing: Mutex<AnomaliesStatus>,
    ports: RwLock<Arc<Ports>>,
    /// Goes up with each change of `ports`.
    pub(crate) ports_version: Count,
    port_counters: Mutex<Vec<PortCounters>>,
}

/// Words of the threads.
#[derive(Debug, Clone, Default)]
pub(crate) struct Texts {
    pub(crate) log_id: String,
    pub(crate) log_trouble: String,
    pub(crate) kinds: BTreeMap<String, u64>,
    pub(crate) blocks: BlocksStatus,
    pub(crate) index: IndexStatus,
    pub(crate) model: ModelStatus,
    pub(crate) warnings: Vec<String>,
}

impl Shared {
    pub(crate) fn texts(&self) -> MutexGuard<'_, Texts> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a warning for the status, once.
    pub(crate) fn warn(&self, warning: String) {
        let mut texts = self.texts();
        if !texts.warnings.contains(&warning) && texts.warnings.len() < WARNINGS_MAX {
            texts.warnings.push(warning);
        }
    }

    /// Puts down how scoring stands, unless somebody reads it just now.
    pub(crate) fn tell_standing(&self, standing: AnomaliesStatus) {
        if let Ok(mut told) = self.standing.try_lock() {
            *told = standing;
        }
    }

    pub(crate) fn standing(&self) -> AnomaliesStatus {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn log_ended(&self) -> bool {
        self.log_ended.load(Ordering::Acquire)
    }

    pub(crate) fn ports(&self) -> Arc<Ports> {
        Arc::clone(&self.ports.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_ports(&self, ports: Ports) {
        *self.ports.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ports);
        self.ports_version.add(1);
    }

    pub(crate) fn set_port_counters(&self, counters: Vec<PortCounters>) {
        *self.port_counters.lock().unwrap_or_else(PoisonError::into_inner) = counters;
    }

    /// The tap's counters, a moment old.
    pub(crate) fn port_counters(&self) -> Vec<PortCounters> {
        self.port_counters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every port that is attached or was ever counted, by number.
    pub(crate) fn port_statuses(&self) -> Vec<PortStatus> {
        let ports = self.ports();
        let status = |ifindex: u32, port: &PortName| PortStatus {
            ifindex,
            name: port.name.clone(),
            bridge: port.bridge,
            attached: port.attached,
            ..PortStatus::default()
        };
        let mut all: BTreeMap<u32, PortStatus> =
            ports.by_ifindex.iter().map(|(i, port)| (*i, status(*i, port))).collect();
        let counters = self.port_counters.lock().unwrap_or_else(PoisonError::into_inner);
        for c in counters.iter() {
            let port = all
                .entry(c.ifindex)
                .or_insert_with(|| PortStatus { ifindex: c.ifindex, ..PortStatus::default() });
            // A port that is tapped both ways has a counter for each.
            port.seen += c.seen;
            port.seen_bytes += c.seen_bytes;
            port.lost += c.lost;
            port.lost_bytes += c.lost_bytes;
        }
        all.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_tapped_both_ways_is_one_port_with_both_counters() {
        let shared = Shared::default();
        let mut ports = Ports { bridges: vec!["br0".into()], ..Ports::default() };
        let port = PortName { name: "lan1".into(), bridge: 0, attached: true };
        ports.by_ifindex.insert(7, port);
        shared.set_ports(ports);
        let one = PortCounters {
            ifindex: 7,
            seen: 3,
            seen_bytes: 30,
            lost: 1,
            lost_bytes: 9,
            ..PortCounters::default()
        };
        let gone = PortCounters { ifindex: 9, seen: 5, ..PortCounters::default() };
        shared.set_port_counters(vec![one, one, gone]);
        let told = shared.port_statuses();
        assert_eq!(told.len(), 2);
        assert_eq!((told[0].name.as_str(), told[0].seen, told[0].lost), ("lan1", 6, 2));
        assert!(told[0].attached && !told[1].attached);
    }
}
