//! What the log does not hold, gathered until there is room to tell it; and the time in which
//! nobody looked.
//!
//! A loss is counted where it happens, summed here by its reason and place, and told by one `gap`
//! line a second at most: many small notes would make an overload worse. The counters of the tapped
//! ports are kept in `state/`, so that the next start can tell what passed without us. They are
//! hints, not accounts: a machine that was started anew begins to count at zero.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ghost_event::Timestamp;
use ghost_event::line::GapNote;
use serde::{Deserialize, Serialize};

use super::hint;

/// Why the log has a gap.
pub(crate) mod reason {
    /// The tap's ring was full.
    pub(crate) const RING_FULL: &str = "ring_full";
    /// The writer's queue was full.
    pub(crate) const QUEUE_FULL: &str = "queue_full";
    /// The disk was full, or a write failed.
    pub(crate) const LOG_FAILED: &str = "log_failed";
    /// No daemon ran.
    pub(crate) const STOPPED: &str = "stopped";
    /// Flows that were open when a daemon was killed.
    pub(crate) const UNFINISHED: &str = "unfinished";
    /// A port was there before it was tapped.
    pub(crate) const PORT_UNSEEN: &str = "port_unseen";
    /// The wall clock was set: from and to are before and after.
    pub(crate) const CLOCK_SET: &str = "clock_set";
}

/// How much is missing, and between when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) events: u64,
}

impl Lost {
    /// Nothing yet, at a moment.
    pub(crate) fn at(moment: Timestamp) -> Lost {
        Lost { from: moment, to: moment, packets: 0, bytes: 0, events: 0 }
    }

    fn join(&mut self, other: &Lost) {
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.events += other.events;
    }

    pub(crate) fn note(&self, reason: &'static str) -> GapNote<'static> {
        GapNote {
            reason: reason.into(),
            from: self.from,
            to: self.to,
            packets: self.packets,
            bytes: self.bytes,
            events: self.events,
        }
    }
}

/// Losses that wait to be told. There are few reasons, so it is bounded by them.
#[derive(Debug, Default)]
pub(crate) struct Losses(BTreeMap<&'static str, Lost>);

impl Losses {
    pub(crate) fn add(&mut self, reason: &'static str, lost: Lost) {
        self.0.entry(reason).and_modify(|known| known.join(&lost)).or_insert(lost);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives one out to be told; what can't be told is to be added again.
    pub(crate) fn take(&mut self) -> Option<(&'static str, Lost)> {
        self.0.pop_first()
    }
}

/// What the tapped ports had counted when somebody last looked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastSeen {
    pub(crate) at_ns: i64,
    pub(crate) boot: String,
    pub(crate) ports: Vec<PortSeen>,
    /// Flows that were open, and what no line tells of them; none after an orderly end.
    #[serde(default)]
    pub(crate) open: Open,
}

/// Flows that live in memory alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Open {
    pub(crate) flows: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

/// Frames and bytes that one port had counted, in the directions in which it was tapped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PortSeen {
    pub(crate) name: String,
    pub(crate) ifindex: u32,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Lost there for want of room since the tap was made, which may outlive a daemon.
    #[serde(default)]
    pub(crate) lost_packets: u64,
    #[serde(default)]
    pub(crate) lost_bytes: u64,
}

impl LastSeen {
    pub(crate) fn path(state: &Path) -> PathBuf {
        state.join("last-seen.json")
    }

    /// What a daemon before left; `None` where there was none, or its words make no sense.
    pub(crate) fn read(path: &Path) -> Option<LastSeen> {
        hint::read(path, 1 << 20)
    }

    /// Replaces what was kept.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        hint::write(path, self)
    }

    /// Every open flow was ended and logged: the next start has none to miss.
    pub(crate) fn forget_open(path: &Path) {
        if let Some(mut kept) = LastSeen::read(path) {
            kept.open = Open::default();
            // A hint: without it the next start tells of flows that are in the log.
            drop(kept.write(path));
        }
    }

    /// Flows that were open when a daemon ended without a word, as it last counted them.
    pub(crate) fn unfinished(&self) -> Option<Lost> {
        let Open { flows, packets, bytes } = self.open;
        let lost = Lost { packets, bytes, events: flows, ..Lost::at(Timestamp(self.at_ns)) };
        (flows > 0).then_some(lost)
    }

    /// The gap between `self` and `now`: frames that the ports counted meanwhile. Of a port that is
    /// new, or counts from zero again, all that it counted.
    pub(crate) fn gap_until(&self, now: &LastSeen) -> Lost {
        self.until(now, |port| (port.packets, port.bytes))
    }

    /// The same where a tap went on meanwhile: only what found no room is missing, the rest is read
    /// now.
    pub(crate) fn lost_until(&self, now: &LastSeen) -> Lost {
        self.until(now, |port| (port.lost_packets, port.lost_bytes))
    }

    fn until(&self, now: &LastSeen, of: impl Fn(&PortSeen) -> (u64, u64)) -> Lost {
        let mut lost = Lost::at(Timestamp(self.at_ns));
        lost.to = Timestamp(now.at_ns.max(self.at_ns));
        let same_boot = self.boot == now.boot;
        for port in &now.ports {
            let before = self
                .ports
                .iter()
                .find(|p| same_boot && p.name == port.name && p.ifindex == port.ifindex)
                .filter(|p| of(p).0 <= of(port).0);
            let (packets, bytes) = before.map_or((0, 0), &of);
            lost.packets += of(port).0.saturating_sub(packets);
            lost.bytes += of(port).1.saturating_sub(bytes);
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at_ns: i64, boot: &str, packets: u64) -> LastSeen {
        let port = PortSeen {
            name: "lan1".into(),
            ifindex: 4,
            packets,
            bytes: packets * 100,
            lost_packets: packets / 100,
            lost_bytes: packets,
        };
        let open = Open { flows: 3, packets: 40, bytes: 5000 };
        LastSeen { at_ns, boot: boot.into(), ports: vec![port], open }
    }

    #[test]
    fn what_passed_without_a_daemon_is_told_to_the_frame() {
        let gap = seen(10, "a", 1000).gap_until(&seen(50, "a", 1234));
        assert_eq!((gap.from.0, gap.to.0, gap.packets, gap.bytes), (10, 50, 234, 23_400));
    }

    #[test]
    fn after_a_boot_and_for_a_port_made_anew_all_that_was_counted_is_missing() {
        assert_eq!(seen(10, "a", 1000).gap_until(&seen(50, "b", 1234)).packets, 1234);
        let mut anew = seen(50, "a", 1234);
        anew.ports[0].ifindex = 9;
        assert_eq!(seen(10, "a", 1000).gap_until(&anew).packets, 1234);
        assert_eq!(seen(10, "a", 1000).gap_until(&seen(50, "a", 7)).packets, 7);
    }

    #[test]
    fn of_a_tap_that_went_on_without_a_daemon_only_what_it_lost_is_missing() {
        let gap = seen(10, "a", 1000).lost_until(&seen(50, "a", 1300));
        assert_eq!((gap.from.0, gap.to.0, gap.packets, gap.bytes), (10, 50, 3, 300));
        // What an older daemon kept tells nothing of losses.
        let old: LastSeen = serde_json::from_str(
            r#"{"at_ns":10,"boot":"a","ports":[{"name":"lan1","ifindex":4,"packets":7,"bytes":9}]}"#,
        )
        .unwrap();
        assert_eq!(old.lost_until(&seen(50, "a", 1300)).packets, 13);
    }

    #[test]
    fn flows_open_at_a_kill_are_missed_and_those_ended_in_order_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = LastSeen::path(dir.path());
        seen(10, "a", 1000).write(&path).unwrap();
        let lost = LastSeen::read(&path).unwrap().unfinished().unwrap();
        assert_eq!((lost.events, lost.packets, lost.bytes, lost.from.0), (3, 40, 5000, 10));
        LastSeen::forget_open(&path);
        let kept = LastSeen::read(&path).unwrap();
        assert_eq!((kept.unfinished(), kept.ports.len()), (None, 1));
    }

    #[test]
    fn losses_of_one_reason_become_one_note() {
        let mut losses = Losses::default();
        let lost = |at: i64, packets| Lost { packets, events: 1, ..Lost::at(Timestamp(at)) };
        losses.add(reason::QUEUE_FULL, lost(5, 1));
        losses.add(reason::QUEUE_FULL, lost(3, 2));
        losses.add(reason::RING_FULL, lost(4, 7));
        let mut told = Vec::new();
        while let Some((reason, lost)) = losses.take() {
            told.push((reason, lost.from.0, lost.to.0, lost.packets, lost.events));
        }
        assert_eq!(told, [("queue_full", 3, 5, 3, 2), ("ring_full", 4, 4, 7, 1)]);
        assert!(losses.is_empty());
    }

    #[test]
    fn what_was_kept_is_read_again_and_nonsense_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = LastSeen::path(dir.path());
        assert_eq!(LastSeen::read(&path), None);
        let kept = seen(10, "a", 1000);
        kept.write(&path).unwrap();
        assert_eq!(LastSeen::read(&path), Some(kept));
        std::fs::write(&path, b"{\"at_ns\":").unwrap();
        assert_eq!(LastSeen::read(&path), None);
    }
}
