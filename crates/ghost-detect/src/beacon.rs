//! Contacts at a steady period: the same source calls the same service again and again.
//!
//! Starts of flows are timed, not packets within one. The middle gap and the middle distance from
//! it decide, so that a missed or doubled contact does not hide a rhythm. Services that are
//! periodic by nature (time, monitoring, names, address leases) are left out, and so are known
//! brands.

use std::net::IpAddr;

use ghost_event::{Behaviours, Features, Proto, Zone};

use crate::bounded::Bounded;
use crate::facts::TCP;
use crate::zone::zone;

/// Contacts remembered by service; the newest.
const CONTACTS: usize = 32;
/// Contacts that make a rhythm.
const CONTACTS_MIN: usize = 10;
/// Periods that count: shorter ones are a program at work, longer ones need days.
const PERIOD_MIN_NS: i64 = 900_000_000;
const PERIOD_MAX_NS: i64 = 6 * 3_600_000_000_000;
/// The middle distance from the period is at most its fifth: gaps spread evenly between half the
/// period and all of it, as tools spread them, have a sixth; chance and people have more.
const JITTER: i64 = 5;

#[derive(Debug, Clone, Copy)]
struct Rhythm {
    starts: [i64; CONTACTS],
    count: usize,
}

/// The callers of services, timed.
#[derive(Debug)]
pub(crate) struct Beacons {
    rhythms: Bounded<(IpAddr, IpAddr, u16), Rhythm>,
}

impl Beacons {
    pub(crate) fn new(max: usize) -> Beacons {
        Beacons { rhythms: Bounded::new(max) }
    }

    /// A flow began.
    pub(crate) fn started(&mut self, f: &Features) {
        let Some(key) = key(f) else { return };
        let rhythm = self.rhythms.entry(key, || Rhythm { starts: [0; CONTACTS], count: 0 });
        if let Some(slot) = rhythm.starts.get_mut(rhythm.count % CONTACTS) {
            *slot = f.first.0;
        }
        rhythm.count += 1;
    }

    /// What the flow was part of.
    pub(crate) fn judge(&self, f: &Features) -> Behaviours {
        let talks = f.to_client.payload_bytes > 0 || f.to_server.payload_bytes > 0;
        let periodic_by_nature = matches!(
            f.app,
            "ntp" | "snmp" | "dns" | "zabbix" | "check_mk" | "nrpe" | "syslog" | "ocsp" | "stun"
        );
        let Some(rhythm) = key(f).and_then(|key| self.rhythms.get(&key)) else {
            return Behaviours::NONE;
        };
        if talks && !periodic_by_nature && f.brand.is_empty() && steady(rhythm) {
            Behaviours::BEACON
        } else {
            Behaviours::NONE
        }
    }
}

fn key(f: &Features) -> Option<(IpAddr, IpAddr, u16)> {
    let (src, dst) = (f.src_ip?, f.dst_ip?);
    let outside = zone(dst) == Zone::Internet;
    (f.proto == Proto::Ip(TCP) && outside).then_some((src, dst, f.dst_port))
}

fn steady(rhythm: &Rhythm) -> bool {
    let used = rhythm.count.min(CONTACTS);
    if used < CONTACTS_MIN {
        return false;
    }
    let mut starts = rhythm.starts;
    let Some(starts) = starts.get_mut(..used) else { return false };
    starts.sort_unstable();
    let mut gaps = [0_i64; CONTACTS];
    for (gap, pair) in gaps.iter_mut().zip(starts.windows(2)) {
        *gap = pair[1].saturating_sub(pair[0]);
    }
    let Some(gaps) = gaps.get_mut(..used - 1) else { return false };
    gaps.sort_unstable();
    let period = gaps[gaps.len() / 2];
    if !(PERIOD_MIN_NS..=PERIOD_MAX_NS).contains(&period) {
        return false;
    }
    let mut far = [0_i64; CONTACTS];
    for (distance, gap) in far.iter_mut().zip(&*gaps) {
        *distance = gap.saturating_sub(period).saturating_abs();
    }
    let Some(far) = far.get_mut(..used - 1) else { return false };
    far.sort_unstable();
    // The middle distance, and eight of ten gaps neither far shorter nor with more than one missed.
    let middle = far[far.len() / 2];
    let (least, most) = (gaps[gaps.len() / 10], gaps[gaps.len() * 9 / 10]);
    middle.saturating_mul(JITTER) <= period
        && most <= period.saturating_mul(3)
        && least.saturating_mul(3) >= period
}
