//! What was not there before: devices, services, and hours at which a device is awake.
//!
//! These are facts, no alarms: a new laptop is new. Nothing is new until a stream was heard in 24
//! hours of the clock (captures of years apart that were joined are no long stream), and no hour is unusual until a device was met on five days of at least a week, so that a
//! capture of minutes never has these words. What was learned is forgotten with the program.
//!
//! A device is a hardware address where frames have one, and belongs to the own network. Hours are
//! of the packets' clock in UTC; a neighbouring hour counts as the same, which also bears a change
//! to summer time.

use std::net::IpAddr;

use ghost_event::{Behaviours, Features, Proto, Zone};
use xxhash_rust::xxh3::xxh3_64;

use crate::bounded::Bounded;
use crate::facts::{TCP, UDP};
use crate::zone::zone;

const HOUR_NS: i64 = 3_600_000_000_000;
const DAY_NS: i64 = 24 * HOUR_NS;
/// Hours of the clock in which a stream, or a server, was heard before something is new of it.
const LEARN_HOURS: u32 = 24;
/// How long a new thing is called new.
const NEW_NS: i64 = HOUR_NS;
/// Days from the first to now, and days met, before an hour can be unusual.
const HOURS_AFTER_NS: i64 = 7 * DAY_NS;
const DAYS_MET: u16 = 5;
/// From here on ports are taken by chance.
const PORT_OF_CHANCE: u16 = 32_768;

#[derive(Debug, Clone, Copy)]
struct Device {
    first: i64,
    new: bool,
    day: i64,
    days: u16,
    /// On how many days before today each hour was met.
    hours: [u8; 24],
    today: u32,
}

#[derive(Debug, Clone, Copy)]
struct Service {
    first: i64,
    new: bool,
}

/// Devices and services of one stream.
#[derive(Debug)]
pub(crate) struct Habits {
    /// The last hour of the clock that was counted, and how many were.
    hour: i64,
    hours: u32,
    devices: Bounded<u64, Device>,
    services: Bounded<(IpAddr, u8, u16), Service>,
    /// How many hours were heard when an address answered first.
    servers: Bounded<IpAddr, u32>,
}

impl Habits {
    pub(crate) fn new(max: usize) -> Habits {
        Habits {
            hour: i64::MIN,
            hours: 0,
            devices: Bounded::new(max),
            services: Bounded::new(max),
            servers: Bounded::new(max),
        }
    }

    /// A flow began.
    pub(crate) fn started(&mut self, f: &Features) {
        let ts = f.first.0;
        let now = ts.div_euclid(HOUR_NS);
        if now > self.hour {
            (self.hour, self.hours) = (now, self.hours.saturating_add(1));
        }
        let Some(key) = device(f) else { return };
        let learned = self.hours > LEARN_HOURS;
        let day = ts.div_euclid(DAY_NS);
        let device = self.devices.entry(key, || Device {
            first: ts,
            new: learned,
            day,
            days: 0,
            hours: [0; 24],
            today: 0,
        });
        if day > device.day {
            for (hour, met) in device.hours.iter_mut().enumerate() {
                *met = met.saturating_add(u8::from(device.today >> hour & 1 == 1));
            }
            device.days = device.days.saturating_add(1);
            (device.day, device.today) = (day, 0);
        }
        device.today |= 1 << hour(ts);
    }

    /// What became of a flow.
    pub(crate) fn observe(&mut self, f: &Features) {
        let Some(service) = service(f) else { return };
        let ts = f.first.0;
        let server = *self.servers.entry(service.0, || self.hours);
        let learned = self.hours.saturating_sub(server) >= LEARN_HOURS;
        self.services.entry(service, || Service { first: ts, new: learned });
    }

    /// What of the flow is new, or at an hour at which its device never was awake.
    pub(crate) fn judge(&self, f: &Features) -> Behaviours {
        let mut found = Behaviours::NONE;
        let ts = f.first.0;
        if let Some(device) = device(f).and_then(|key| self.devices.get(&key)) {
            if device.new && ts.saturating_sub(device.first) <= NEW_NS {
                found.insert(Behaviours::NEW_DEVICE);
            }
            if device.is_early_or_late(ts) {
                found.insert(Behaviours::UNUSUAL_TIME);
            }
        }
        let served = service(f).and_then(|service| self.services.get(&service));
        if served.is_some_and(|s| s.new && ts.saturating_sub(s.first) <= NEW_NS) {
            found.insert(Behaviours::NEW_SERVICE);
        }
        found
    }
}

impl Device {
    fn is_early_or_late(&self, ts: i64) -> bool {
        let known = ts.saturating_sub(self.first) >= HOURS_AFTER_NS && self.days >= DAYS_MET;
        let hour = hour(ts);
        let near = [(hour + 23) % 24, hour, (hour + 1) % 24];
        // A flow of an earlier day was judged by what was known then.
        known
            && ts.div_euclid(DAY_NS) == self.day
            && near.iter().all(|h| self.hours.get(*h).is_none_or(|met| *met == 0))
    }
}

fn hour(ts: i64) -> usize {
    usize::try_from(ts.rem_euclid(DAY_NS) / HOUR_NS).unwrap_or(0)
}

/// The device of the own network that began a flow.
fn device(f: &Features) -> Option<u64> {
    let src = f.src_ip.filter(|a| zone(*a) == Zone::Internal)?;
    if f.to_server.packets == 0 {
        return None;
    }
    let by_mac = f.src_mac.filter(|mac| mac.0[0] & 1 == 0 && mac.0 != [0; 6]);
    Some(match (by_mac, src) {
        (Some(mac), _) => xxh3_64(&mac.0),
        (None, IpAddr::V4(a)) => xxh3_64(&a.octets()),
        // Addresses of this family are made anew every day.
        (None, IpAddr::V6(_)) => return None,
    })
}

/// The service of the own network that answered a flow.
fn service(f: &Features) -> Option<(IpAddr, u8, u16)> {
    let dst = f.dst_ip.filter(|a| zone(*a) == Zone::Internal)?;
    let Proto::Ip(proto @ (TCP | UDP)) = f.proto else { return None };
    let answered = f.to_client.payload_bytes > 0 && f.to_server.packets > 0;
    let fixed = f.dst_port > 0 && f.dst_port < PORT_OF_CHANCE && f.app != "ftp-data";
    let said = proto == TCP || (!f.app.is_empty() && f.dst_port < f.src_port);
    (answered && fixed && said).then_some((dst, proto, f.dst_port))
}
