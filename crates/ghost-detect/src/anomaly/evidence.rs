//! What behaviours weigh as evidence, and how much of it is left where they are usual.
//!
//! A weight is how seldom the behaviour is innocent, by its meaning and by the false alarms that
//! its detector had on real captures (`docs/detectors.md`). Strong ones speak for themselves; weak
//! ones (a password in clear, a certificate over) are a network's habit as often as not, so that
//! they count by how seldom flows of this stream have them.

use ghost_event::{Behaviours, Features};

use super::rates::{hash, number};
use super::state::{Reader, StateError, Writer};
use crate::bounded::Bounded;

/// From this weight on a behaviour is an alert by itself.
pub(crate) const STRONG: f32 = 0.7;
/// Behaviours of devices that are remembered as habits.
const HABITS_MAX: usize = 16_384;
/// A habit is what a device did in this many quarters of an hour that were alerted, or learned.
const HABIT_TIMES: f32 = 24.0;
const QUARTER_NS: i64 = 900_000_000_000;
/// What is left of the weight of a habit.
const HABIT_LEAVES: f32 = 0.4;
const MEMORY: f32 = 16_384.0;
const BITS: usize = 64;

const WEIGHTS: &[(Behaviours, f32)] = &[
    (Behaviours::DNS_TUNNEL, 0.95),
    (Behaviours::SQL_INJECTION, 0.95),
    (Behaviours::REMOTE_CODE, 0.95),
    (Behaviours::CREDENTIAL_THEFT, 0.95),
    (Behaviours::STEALTH_SCAN, 0.93),
    (Behaviours::PORT_SCAN, 0.9),
    (Behaviours::AMPLIFICATION, 0.9),
    (Behaviours::FLOOD, 0.9),
    (Behaviours::ICMP_TUNNEL, 0.9),
    (Behaviours::CROSS_SITE_SCRIPTING, 0.9),
    (Behaviours::PATH_TRAVERSAL, 0.9),
    (Behaviours::WEB_SCAN, 0.9),
    (Behaviours::COMMAND_AND_CONTROL, 0.88),
    (Behaviours::SWEEP, 0.85),
    (Behaviours::ARP_SCAN, 0.85),
    (Behaviours::BRUTE_FORCE, 0.85),
    (Behaviours::ARP_SPOOFING, 0.85),
    (Behaviours::DNS_SPOOFING, 0.85),
    (Behaviours::GENERATED_NAMES, 0.85),
    (Behaviours::ROGUE_DHCP, 0.75),
    (Behaviours::ROGUE_ROUTER, 0.75),
    (Behaviours::LATERAL_MOVEMENT, 0.75),
    (Behaviours::REVERSE_SHELL, 0.6),
    (Behaviours::BEACON, 0.6),
    (Behaviours::UNUSUAL_DNS, 0.6),
    (Behaviours::MINING, 0.5),
    (Behaviours::BIG_UPLOAD, 0.45),
    (Behaviours::PROGRAM_DOWNLOAD, 0.4),
    (Behaviours::INDUSTRIAL_WRITE, 0.35),
    (Behaviours::ODD_CERTIFICATE, 0.35),
    (Behaviours::ODD_PORT, 0.3),
    (Behaviours::CLEARTEXT_CREDENTIALS, 0.25),
    (Behaviours::MALFORMED, 0.25),
    (Behaviours::REFUSED, 0.15),
    (Behaviours::FRAGMENTED, 0.15),
    (Behaviours::UNANSWERED, 0.12),
    (Behaviours::LONG_LIVED, 0.05),
];

/// How usual behaviours are, and whose habits.
#[derive(Debug)]
pub(crate) struct Evidence {
    flows: f32,
    having: [f32; BITS],
    habits: Bounded<u64, (f32, i64)>,
}

impl Evidence {
    pub(crate) fn new() -> Evidence {
        Evidence { flows: 0.0, having: [0.0; BITS], habits: Bounded::new(HABITS_MAX) }
    }

    /// The flow's behaviours as one number below 1, and the one that weighs most.
    pub(crate) fn judge(&self, f: &Features, behaviours: Behaviours) -> (f32, Behaviours) {
        let mut left = 1.0;
        let mut most = (0.0, Behaviours::NONE);
        for (behaviour, weight) in WEIGHTS.iter().filter(|(b, _)| behaviours.contains(*b)) {
            let weight = self.tempered(f, *behaviour, *weight);
            if weight > most.0 {
                left *= 1.0 - most.0 * 0.3;
                most = (weight, *behaviour);
            } else {
                left *= 1.0 - weight * 0.3;
            }
        }
        (1.0 - (1.0 - most.0) * left, most.1)
    }

    fn tempered(&self, f: &Features, behaviour: Behaviours, weight: f32) -> f32 {
        let habit = habit(f, behaviour).and_then(|key| self.habits.get(&key));
        let own = if habit.is_some_and(|(n, _)| *n >= HABIT_TIMES) { HABIT_LEAVES } else { 1.0 };
        if weight >= STRONG {
            return weight * own;
        }
        let having = self.having.get(bit(behaviour)).copied().unwrap_or(0.0);
        let share = ((having + 0.5) / (self.flows + 1.0)).min(1.0);
        weight * own * (-share.log10() / 3.0).clamp(0.1, 1.0)
    }

    /// Counts what a flow that ended had; habits are learned also of what was alerted.
    pub(crate) fn learn(&mut self, f: &Features, alerted: bool) {
        if !alerted {
            self.flows += 1.0;
            if self.flows >= MEMORY {
                self.flows *= 0.5;
                self.having.iter_mut().for_each(|n| *n *= 0.5);
            }
        }
        for (behaviour, _) in WEIGHTS.iter().filter(|(b, _)| f.behaviours.contains(*b)) {
            if let Some(n) = self.having.get_mut(bit(*behaviour)).filter(|_| !alerted) {
                *n += 1.0;
            }
            if let Some(key) = habit(f, *behaviour) {
                let quarter = f.first.0.div_euclid(QUARTER_NS);
                let (n, last) = self.habits.entry(key, || (0.0, i64::MIN));
                if *last != quarter {
                    (*n, *last) = (*n + 1.0, quarter);
                }
            }
        }
    }

    pub(crate) fn save(&self, out: &mut Writer) {
        out.f32(self.flows);
        self.having.iter().for_each(|n| out.f32(*n));
        out.count(self.habits.len());
        for (key, (n, last)) in self.habits.iter() {
            out.u64(*key);
            out.f32(*n);
            out.i64(*last);
        }
    }

    pub(crate) fn load(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.flows = from.positive()?;
        for n in &mut self.having {
            *n = from.positive()?;
        }
        for _ in 0..from.count(HABITS_MAX)? {
            let key = from.u64()?;
            let habit = (from.positive()?, from.i64()?);
            self.habits.entry(key, || habit);
        }
        Ok(())
    }
}

fn bit(behaviour: Behaviours) -> usize {
    behaviour.0.trailing_zeros() as usize % BITS
}

fn habit(f: &Features, behaviour: Behaviours) -> Option<u64> {
    Some(hash(&[number(f.src_ip?), behaviour.0]))
}
