//! Alerted flows that belong together: one flood is one incident, one alert.
//!
//! A flow joins the newest incident that its source did, or that its target suffered, within ten
//! minutes of it; a flow of a host that an incident hit and that now does something itself joins
//! it too. Everything else opens a new one. The oldest incidents are forgotten first.

use std::net::IpAddr;

use ghost_event::line::flow_id;
use ghost_event::{Behaviours, Features, Timestamp};

use super::rates::hash;
use crate::bounded::{Bounded, Distinct};

/// Incidents remembered.
pub(crate) const INCIDENTS_MAX: usize = 1024;
/// Quiet time after which what comes is another incident.
pub const QUIET_NS: i64 = 600_000_000_000;

/// Flows of an incident that are named.
const WITNESSES: usize = 8;

/// By what a flow is found again in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witness {
    /// Its first packet.
    pub first: Timestamp,
    pub community_id: Option<[u8; 20]>,
    /// As its line has it.
    pub flow_id: u64,
}

/// The number of an incident; rises from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId(pub u64);

/// Flows that were alerted together.
#[derive(Debug, Clone)]
pub struct Incident {
    pub id: IncidentId,
    pub first: Timestamp,
    pub last: Timestamp,
    /// All that its flows looked like.
    pub behaviours: Behaviours,
    /// The ends of its first flow.
    pub source: Option<IpAddr>,
    pub target: Option<IpAddr>,
    /// The highest score of a flow.
    pub score: f32,
    /// Its first eight flows.
    pub witnesses: Vec<Witness>,
    flows: Distinct<8>,
    sources: Distinct<2>,
    targets: Distinct<2>,
}

impl Incident {
    /// Flows alerted, about (to a tenth, up to some thousand).
    #[must_use]
    pub fn flows(&self) -> u32 {
        self.flows.estimate()
    }

    /// Different sources of its flows, about.
    #[must_use]
    pub fn sources(&self) -> u32 {
        self.sources.estimate()
    }

    /// Different targets of its flows, about.
    #[must_use]
    pub fn targets(&self) -> u32 {
        self.targets.estimate()
    }
}

/// The incidents, and who is part of which.
#[derive(Debug)]
pub(crate) struct Incidents {
    each: Bounded<u64, Incident>,
    hosts: Bounded<IpAddr, u64>,
    next: u64,
}

impl Incidents {
    pub(crate) fn new() -> Incidents {
        Incidents {
            each: Bounded::new(INCIDENTS_MAX),
            hosts: Bounded::new(4 * INCIDENTS_MAX),
            next: 1,
        }
    }

    /// Puts an alerted flow to its incident; says whether that is new.
    pub(crate) fn put(
        &mut self,
        f: &Features,
        now: Timestamp,
        score: f32,
        behaviours: Behaviours,
    ) -> (IncidentId, bool) {
        let open = |each: &Bounded<u64, Incident>, id: u64| {
            each.get(&id).is_some_and(|i| now.0.saturating_sub(i.last.0) <= QUIET_NS)
        };
        let of = |host: Option<IpAddr>| host.and_then(|host| self.hosts.get(&host)).copied();
        let found = [of(f.src_ip), of(f.dst_ip)]
            .into_iter()
            .flatten()
            .filter(|id| open(&self.each, *id))
            .max();
        let id = found.unwrap_or(self.next);
        let new = found.is_none();
        if new {
            self.next += 1;
        }
        let incident = self.each.entry(id, || Incident {
            id: IncidentId(id),
            first: now,
            last: now,
            behaviours: Behaviours::NONE,
            source: f.src_ip,
            target: f.dst_ip,
            score: 0.0,
            witnesses: Vec::new(),
            flows: Distinct::default(),
            sources: Distinct::default(),
            targets: Distinct::default(),
        });
        incident.first = incident.first.min(f.first);
        incident.last = incident.last.max(now);
        incident.behaviours.insert(behaviours);
        incident.score = incident.score.max(score);
        if incident.witnesses.len() < WITNESSES {
            let flow_id = flow_id(f);
            let witness = Witness { first: f.first, community_id: f.community_id, flow_id };
            if !incident.witnesses.contains(&witness) {
                incident.witnesses.push(witness);
            }
        }
        let (a, b) =
            (f.src_ip.map_or(0, super::rates::number), f.dst_ip.map_or(0, super::rates::number));
        let ports = u64::from(f.src_port) << 16 | u64::from(f.dst_port);
        incident.flows.add(&hash(&[a, b, ports]).to_le_bytes());
        incident.sources.add(&a.to_le_bytes());
        incident.targets.add(&b.to_le_bytes());
        // A flood's made-up sources would push out everybody else.
        let flood = incident.sources.estimate() > 16;
        let sweep = incident.targets.estimate() > 16;
        for (host, many) in [(f.src_ip, flood), (f.dst_ip, sweep)] {
            if let Some(host) = host.filter(|_| !many) {
                *self.hosts.entry(host, || id) = id;
            }
        }
        (IncidentId(id), new)
    }

    pub(crate) fn get(&self, id: IncidentId) -> Option<&Incident> {
        self.each.get(&id.0)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Incident> {
        self.each.iter().map(|(_, incident)| incident)
    }

    /// The number that the next incident will have: kept, so that numbers are never used again.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    pub(crate) fn set_next(&mut self, next: u64) {
        self.next = self.next.max(next);
    }
}
