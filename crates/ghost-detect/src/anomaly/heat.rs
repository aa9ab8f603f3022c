//! Hosts that were just part of something: what they do around it is likely part of it too.
//!
//! Heat alone never is an alert. It halves every minute.

use std::net::IpAddr;

use ghost_event::Features;

use super::incident::IncidentId;
use crate::bounded::Bounded;

const HALF_LIFE_NS: f32 = 60e9;
/// Colder is not told.
const COLD: f32 = 0.02;

/// What a host was part of.
#[derive(Debug, Clone, Copy)]
struct Hot {
    weight: f32,
    at: i64,
    incident: IncidentId,
}

impl Hot {
    fn now(&self, now: i64) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "a decay")]
        let age = now.saturating_sub(self.at).max(0) as f32;
        self.weight * (-age / HALF_LIFE_NS).exp2()
    }
}

/// Hot hosts, as doers and as targets, and pairs.
#[derive(Debug)]
pub(crate) struct Heat {
    doers: Bounded<IpAddr, Hot>,
    targets: Bounded<IpAddr, Hot>,
    pairs: Bounded<(IpAddr, IpAddr), Hot>,
}

impl Heat {
    pub(crate) fn new(max: usize) -> Heat {
        Heat { doers: Bounded::new(max), targets: Bounded::new(max), pairs: Bounded::new(max) }
    }

    /// The flow was part of an incident with this weight.
    pub(crate) fn add(&mut self, f: &Features, weight: f32, now: i64, incident: IncidentId) {
        let (Some(src), Some(dst)) = (f.src_ip, f.dst_ip) else { return };
        let hot = Hot { weight, at: now, incident };
        let raise = |old: &mut Hot| {
            if old.now(now) <= weight {
                *old = hot;
            }
        };
        raise(self.doers.entry(src, || hot));
        raise(self.targets.entry(dst, || hot));
        raise(self.pairs.entry((src.min(dst), src.max(dst)), || hot));
    }

    /// What the heat around the flow adds, and of which incident.
    pub(crate) fn judge(&self, f: &Features, now: i64) -> (f32, Option<IncidentId>) {
        let (Some(src), Some(dst)) = (f.src_ip, f.dst_ip) else { return (0.0, None) };
        let pair = (src.min(dst), src.max(dst));
        let around = [
            (self.pairs.get(&pair), 0.7),
            (self.doers.get(&src), 0.6),
            (self.targets.get(&dst), 0.5),
            (self.targets.get(&src), 0.45),
            (self.doers.get(&dst), 0.45),
        ];
        let mut most = (0.0, None);
        for (hot, share) in around {
            if let Some(hot) = hot {
                let weight = hot.now(now) * share;
                if weight > most.0 && weight >= COLD {
                    most = (weight, Some(hot.incident));
                }
            }
        }
        most
    }
}
