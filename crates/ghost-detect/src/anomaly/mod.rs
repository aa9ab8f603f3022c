//! Anomalies: how unlike everything before each flow is, and which of it is worth an alert.
//!
//! A [`Scorer`] hears of a flow when it starts and of each packet, looks at it while it is open
//! (after 1, 4, 16, … packets) and when it ends, and gives each look a score between 0 and 1 with
//! its reasons. Five things are weighed against what this very stream was like so far: the
//! flow's numbers together (half-space trees), its shape (distance to shapes met), its magnitudes
//! against its service, how much its hosts try in a short time, and what is new about it. Each
//! becomes "how seldom is this": a quantile that is learned, no constant. To these come the
//! behaviours that detectors told, as evidence, and the heat around hosts that were just part of
//! something. Alerted flows that belong together are one [`Incident`].
//!
//! What it does not do: it never says that traffic is good, it has no memory of single flows, and
//! an attack that was there while it learned is part of what it takes for usual, unless a
//! behaviour gives it away. How it scores, with figures, is in `docs/detectors.md`.
//!
//! **Invariant:** no I/O and no clock: the flows bring their time. The same calls give the same
//! scores. Every table is bounded; alerted flows are not learned.

mod evidence;
mod familiar;
mod forest;
mod heat;
mod incident;
mod mute;
mod numbers;
mod rates;
mod reason;
mod services;
mod sketch;
mod state;

use ghost_event::{Behaviours, EndReason, Features, ShapeId, Timestamp};

pub use familiar::New;
pub use incident::{Incident, IncidentId, QUIET_NS, Witness};
pub use mute::{MUTES_MAX, Mute, Muted, TooManyMutes};
pub use rates::Rate;
pub use reason::Reason;
pub use state::{STATE_BYTES_MAX, StateError};

use evidence::Evidence;
use familiar::Familiar;
use forest::Forest;
use heat::Heat;
use incident::Incidents;
use mute::Mutes;
use numbers::NUMBERS;
use rates::{Rates, Reached};
use services::{Odd, Services};
use sketch::Sketch;
use state::{Reader, Writer};

/// Vectors of shapes, by whoever holds them.
pub trait Shapes {
    /// The cosine of two shapes' vectors; `None` where one has none.
    fn cosine(&self, a: ShapeId, b: ShapeId) -> Option<f32>;
}

/// No vectors: shapes are then told apart by how often they were met alone.
impl Shapes for () {
    fn cosine(&self, _: ShapeId, _: ShapeId) -> Option<f32> {
        None
    }
}

/// By which rule flows are scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// All that this module knows.
    Learned,
    /// One number: the cosine of the flow's shape with the most similar shape met before; an alert
    /// below the threshold (0.7 is customary). Kept for comparison: it finds next to nothing.
    Cosine(f32),
}

/// Surprise of all parts together that is an alert without any evidence: what fewer than one look
/// in a hundred thousand has. It cannot be reached before some ten thousand were learned.
const ONE_OF_ITS_KIND: f32 = 5.0;

/// What an operator may set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    pub rule: Rule,
    /// Whether new addresses, hardware addresses and names count.
    pub novelty: bool,
    /// Flows, and time, before the learned parts count in full.
    pub learn_flows: u32,
    pub learn_ns: i64,
    /// Short-time counts kept at a time (about 100 bytes each), and hot hosts.
    pub tallies_max: usize,
    pub hot_max: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            rule: Rule::Learned,
            novelty: true,
            learn_flows: 300,
            learn_ns: 120_000_000_000,
            tallies_max: 65_536,
            hot_max: 16_384,
        }
    }
}

/// How far learning has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Learning {
    /// Flows learned, and the time from the first to the last of them.
    pub flows: u64,
    pub ns: u64,
    /// 1 where the learned parts count in full.
    pub progress: f32,
    /// Nothing is learned until it is thawed.
    pub frozen: bool,
    /// Shapes, and short windows, learned.
    pub shapes: usize,
    pub windows: u64,
}

/// What a look at a flow gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// 0: like everything; 1: like nothing, or like an attack.
    pub score: f32,
    pub alert: bool,
    /// It would be an alert, but an operator does not want to hear of it.
    pub muted: bool,
    /// The incident that it belongs to, or is near to.
    pub incident: Option<IncidentId>,
    /// It opened that incident.
    pub opens: bool,
    pub reasons: Reasons,
    pub parts: Parts,
}

/// Up to four reasons, the weightiest first.
pub type Reasons = [Option<Reason>; 4];

/// The parts of a score. Surprises are powers of ten: 3 is one in a thousand.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Parts {
    /// Of its behaviours, 0 to 1.
    pub evidence: f32,
    /// Of what its hosts were part of, 0 to 1.
    pub heat: f32,
    pub numbers: f32,
    pub shape: f32,
    pub service: f32,
    pub rates: f32,
    /// Of tries in vain.
    pub futile: f32,
    pub novelty: f32,
    /// Of the five together.
    pub unlike: f32,
}

/// The anomaly scorer of one stream of flows.
#[derive(Debug)]
pub struct Scorer {
    settings: Settings,
    frozen: bool,
    flows: u64,
    first: i64,
    last: i64,
    forest: Forest<NUMBERS>,
    services: Services,
    familiar: Familiar,
    rates: Rates,
    evidence: Evidence,
    /// How the parts, and all together, are distributed over looks.
    of_parts: [Sketch; 4],
    of_all: Sketch,
    mutes: Mutes,
    heat: Heat,
    incidents: Incidents,
}

impl Scorer {
    #[must_use]
    pub fn new(settings: Settings) -> Scorer {
        Scorer {
            settings,
            frozen: false,
            flows: 0,
            first: i64::MAX,
            last: i64::MIN,
            forest: Forest::default(),
            services: Services::new(),
            familiar: Familiar::new(),
            rates: Rates::new(settings.tallies_max),
            evidence: Evidence::new(),
            of_parts: Default::default(),
            of_all: Sketch::default(),
            mutes: Mutes::default(),
            heat: Heat::new(settings.hot_max),
            incidents: Incidents::new(),
        }
    }

    /// A flow began; its first packet is counted.
    pub fn started(&mut self, f: &Features) {
        let learn = !self.frozen;
        self.rates.started(f, f.last.0, learn);
    }

    /// A packet was counted to `f`. Says whether the open flow should be looked at now: after 1, 4,
    /// 16, 64, … packets.
    pub fn packet(&mut self, f: &Features, to_server: bool) -> bool {
        const RST: u8 = 0x04;
        let refused = f.tcp.is_some_and(|tcp| tcp.flags_to_client & RST != 0);
        if !to_server && f.to_client.packets == 1 && !refused {
            self.rates.answered(f);
        }
        let packets = f.packets();
        packets.is_power_of_two() && packets.trailing_zeros().is_multiple_of(2)
    }

    /// Scores a flow, open ([`EndReason::Update`]) or ended, as detectors judged it. What ended
    /// is learned, unless it is an alert.
    pub fn look(&mut self, f: &Features, shape: Option<ShapeId>, shapes: &dyn Shapes) -> Scored {
        if let Rule::Cosine(threshold) = self.settings.rule {
            return self.by_cosine(f, shape, shapes, threshold);
        }
        let now = f.last;
        let reached = self.rates.reached(f);
        let point = numbers::point(f, &reached);
        let rarity = self.forest.rarity(&point);
        let distance = self.familiar.distance(shape, shapes, now);
        let (odd, service) = self.services.judge(f);
        let (new, novelty) =
            if self.settings.novelty { self.familiar.judge(f) } else { (None, 0.0) };
        let rate = most(&reached, |r| r.surprise);
        let futile = most(&reached, |r| r.futile);

        let progress = self.progress();
        let values = [rarity * 16.0, distance * 100.0, service * 16.0, novelty * 16.0];
        let mut parts = Parts {
            numbers: self.surprise(0, values[0]),
            shape: self.surprise(1, values[1]),
            service: self.surprise(2, values[2]),
            novelty: if self.settings.novelty { self.surprise(3, values[3]) } else { 0.0 },
            rates: rate.map_or(0.0, |r| r.surprise),
            futile: futile.map_or(0.0, |r| r.futile),
            ..Parts::default()
        };
        let together = together(&parts);
        parts.unlike = self.of_all.above(together * 32.0) * progress;

        let behaviours = believed(f);
        let (told, most_told) = self.evidence.judge(f, behaviours);
        let (tried, trying) = tries(&reached);
        parts.evidence = told.max(tried);
        let (heat, around) = self.heat.judge(f, now.0);
        parts.heat = heat;

        let score = score(&parts);
        let wanted = parts.evidence >= evidence::STRONG || parts.unlike >= ONE_OF_ITS_KIND;
        let muted = wanted && self.mutes.cover(f, now);
        let alert = wanted && !muted;
        let (mut incident, mut opens) = (around, false);
        if alert {
            let (id, new) = self.incidents.put(f, now, score, behaviours);
            (incident, opens) = (Some(id), new);
            self.heat.add(f, parts.evidence, now.0, id);
            self.rates.alerted(f);
        }
        if !self.frozen {
            self.learn(f, shape, &point, values, together, wanted);
        }
        let futile = trying.or(futile);
        let facts = Facts { most_told, told, tried, rate, futile, odd, new, rarity, distance };
        let reasons = reasons(&parts, &facts, around.filter(|_| heat > 0.05));
        Scored { score, alert, muted, incident, opens, reasons, parts }
    }

    fn surprise(&self, part: usize, value: f32) -> f32 {
        self.of_parts.get(part).map_or(0.0, |sketch| sketch.above(value))
    }

    fn learn(
        &mut self,
        f: &Features,
        shape: Option<ShapeId>,
        point: &[f32; NUMBERS],
        values: [f32; 4],
        together: f32,
        alert: bool,
    ) {
        let ended = f.end != EndReason::Update;
        if ended {
            self.evidence.learn(f, alert);
        }
        if alert {
            return;
        }
        self.forest.add(point);
        self.of_parts.iter_mut().zip(values).for_each(|(sketch, value)| sketch.add(value));
        self.of_all.add(together * 32.0);
        if ended {
            self.flows += 1;
            self.first = self.first.min(f.first.0);
            self.last = self.last.max(f.last.0);
            self.services.learn(f);
            self.familiar.learn(f);
            self.familiar.met(shape);
        }
    }

    fn progress(&self) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let of = |n: i64, all: i64| (n.max(0) as f32 / all.max(1) as f32).min(1.0);
        let flows = i64::try_from(self.flows).unwrap_or(i64::MAX);
        of(flows, self.settings.learn_flows.into())
            .min(of(self.last.saturating_sub(self.first), self.settings.learn_ns))
    }

    fn by_cosine(
        &mut self,
        f: &Features,
        shape: Option<ShapeId>,
        shapes: &dyn Shapes,
        threshold: f32,
    ) -> Scored {
        let best = shape.and_then(|shape| self.familiar.best_cosine(shape, shapes, f.last));
        let distance = (1.0 - best.unwrap_or(1.0)).clamp(0.0, 1.0);
        let wanted = best.is_some_and(|best| best < threshold);
        let muted = wanted && self.mutes.cover(f, f.last);
        let (mut incident, mut opens) = (None, false);
        if wanted && !muted {
            let (id, new) = self.incidents.put(f, f.last, distance, f.behaviours);
            (incident, opens) = (Some(id), new);
        }
        if !self.frozen {
            self.familiar.met(shape);
        }
        let reasons = [(distance > 0.0).then_some(Reason::Shape { distance }), None, None, None];
        let parts = Parts { shape: distance, ..Parts::default() };
        let alert = wanted && !muted;
        Scored { score: distance, alert, muted, incident, opens, reasons, parts }
    }

    /// The three shapes met before that are most similar, the nearest first, and their cosines:
    /// what is usual and comes closest. None where too many were compared of late.
    pub fn nearest(
        &mut self,
        shape: ShapeId,
        shapes: &dyn Shapes,
        now: Timestamp,
    ) -> [Option<(ShapeId, f32)>; 3] {
        self.familiar.nearest_now(shape, shapes, now)
    }

    /// Shapes that were judged without a comparison with others: too many were new at once.
    #[must_use]
    pub fn uncompared(&self) -> u64 {
        self.familiar.uncompared()
    }

    /// The shapes whose vectors are compared with new ones.
    pub fn shapes(&self) -> impl Iterator<Item = ShapeId> {
        self.familiar.ids()
    }

    /// An incident by its number, while it is remembered.
    #[must_use]
    pub fn incident(&self, id: IncidentId) -> Option<&Incident> {
        self.incidents.get(id)
    }

    /// The incidents that are remembered, oldest first.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.iter()
    }

    /// As it was made.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How far learning has come.
    #[must_use]
    pub fn learning(&self) -> Learning {
        Learning {
            flows: self.flows,
            ns: u64::try_from(self.last.saturating_sub(self.first)).unwrap_or(0),
            progress: self.progress(),
            frozen: self.frozen,
            shapes: self.familiar.shapes(),
            windows: self.rates.windows(),
        }
    }

    /// Stops learning, or goes on with it.
    pub fn freeze(&mut self, frozen: bool) {
        self.frozen = frozen;
    }

    /// Forgets all that was learned. Mutes stay, and numbers of incidents go on.
    pub fn reset(&mut self) {
        let mut fresh = Scorer::new(self.settings);
        fresh.frozen = self.frozen;
        fresh.mutes = std::mem::take(&mut self.mutes);
        fresh.incidents.set_next(self.incidents.next());
        *self = fresh;
    }

    /// Adds a mute, in the place of one of the same thing.
    ///
    /// # Errors
    /// When there are [`MUTES_MAX`].
    pub fn mute(&mut self, mute: Mute) -> Result<(), TooManyMutes> {
        self.mutes.add(mute)
    }

    /// Takes a mute back; says whether there was one.
    pub fn unmute(&mut self, what: &Muted) -> bool {
        self.mutes.remove(what)
    }

    /// What is muted.
    #[must_use]
    pub fn mutes(&self) -> &[Mute] {
        self.mutes.all()
    }

    /// All that was learned, with the mutes; what goes on right now (heat, windows, open
    /// incidents) is not in it.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.u8(self.frozen.into());
        out.u64(self.flows);
        out.i64(self.first);
        out.i64(self.last);
        out.u64(self.incidents.next());
        self.forest.save(&mut out);
        self.services.save(&mut out);
        self.familiar.save(&mut out);
        self.rates.save(&mut out);
        self.evidence.save(&mut out);
        self.of_parts.iter().for_each(|sketch| sketch.save(&mut out));
        self.of_all.save(&mut out);
        self.mutes.save(&mut out);
        out.finish()
    }

    /// A scorer that goes on from what [`Scorer::save`] gave.
    ///
    /// # Errors
    /// When the bytes are no such state, of another version, or damaged.
    pub fn load(settings: Settings, bytes: &[u8]) -> Result<Scorer, StateError> {
        let mut from = Reader::open(bytes)?;
        let mut scorer = Scorer::new(settings);
        scorer.frozen = from.u8()? != 0;
        scorer.flows = from.u64()?;
        scorer.first = from.i64()?;
        scorer.last = from.i64()?;
        scorer.incidents.set_next(from.u64()?);
        scorer.forest = Forest::load(&mut from)?;
        scorer.services.load(&mut from)?;
        scorer.familiar.load(&mut from)?;
        scorer.rates.load(&mut from)?;
        scorer.evidence.load(&mut from)?;
        for sketch in &mut scorer.of_parts {
            *sketch = Sketch::load(&mut from)?;
        }
        scorer.of_all = Sketch::load(&mut from)?;
        scorer.mutes = Mutes::load(&mut from)?;
        from.close()?;
        Ok(scorer)
    }
}

fn most(reached: &[Option<Reached>; 5], of: impl Fn(&Reached) -> f32) -> Option<Reached> {
    reached.iter().flatten().copied().max_by(|a, b| of(a).total_cmp(&of(b)))
}

/// The five parts as one number. A magnitude and a rate say something only where they are seldom;
/// below that, busy services would hide everything else.
fn together(parts: &Parts) -> f32 {
    let beyond = |surprise: f32, usual: f32| (surprise - usual).max(0.0);
    parts.numbers
        + parts.shape
        + parts.novelty
        + beyond(parts.service, 1.5)
        + beyond(parts.rates.max(parts.futile), 2.0)
}

/// A long open flow's failure is not known before it had time to be answered.
const ANSWER_NS: u64 = 1_000_000_000;
const OF_FAILURE: Behaviours = Behaviours(
    Behaviours::PORT_SCAN.0
        | Behaviours::SWEEP.0
        | Behaviours::FLOOD.0
        | Behaviours::UNANSWERED.0
        | Behaviours::STEALTH_SCAN.0,
);

/// The behaviours that can be believed of the flow by now.
fn believed(f: &Features) -> Behaviours {
    let waiting =
        f.end == EndReason::Update && f.to_client.packets == 0 && f.duration_ns() < ANSWER_NS;
    if waiting { Behaviours(f.behaviours.0 & !OF_FAILURE.0) } else { f.behaviours }
}

/// Tries in vain that are always too many: as many as the scan and flood detectors' own limits.
const IN_VAIN: u32 = rates::MUCH;
const IN_VAIN_AT_ONCE: u32 = 60;
const DOWN: u32 = 100;

/// What tries beyond everything usual are worth as evidence: nearly all of them in vain, and more
/// than any window has, or so many at once that none had time to be answered.
fn tries(reached: &[Option<Reached>; 5]) -> (f32, Option<Reached>) {
    let mut most = (0.0, None);
    for r in reached.iter().flatten().filter(|r| r.rate != Rate::Flows) {
        let times =
            |n: u32, usual: f32| f32::from(u16::try_from(n).unwrap_or(u16::MAX)) / usual.max(1.0);
        // A server that is down is also called in vain, by many and again and again.
        let least = match r.rate {
            Rate::Ports | Rate::Targets => IN_VAIN,
            Rate::Sources | Rate::Calls | Rate::Flows => DOWN,
        };
        let in_vain = r.unanswered >= least
            && r.unanswered * 5 >= r.known * 4
            && times(r.unanswered, r.usual_futile) > 1.5;
        let at_once = r.pending >= least.max(IN_VAIN_AT_ONCE)
            && r.pending * 5 >= r.tried * 4
            && times(r.tried, r.usual) > 2.0;
        let weight = if in_vain || at_once { 0.85 } else { 0.0 };
        if weight > most.0 {
            most = (weight, Some(*r));
        }
    }
    most
}

/// All parts as one score.
fn score(parts: &Parts) -> f32 {
    // One in a hundred is a half.
    let unlike = parts.unlike / (parts.unlike + 2.0);
    1.0 - (1.0 - parts.evidence) * (1.0 - parts.heat * 0.8) * (1.0 - unlike * 0.6)
}

struct Facts {
    most_told: Behaviours,
    told: f32,
    tried: f32,
    rate: Option<Reached>,
    futile: Option<Reached>,
    odd: Odd,
    new: Option<New>,
    rarity: f32,
    distance: f32,
}

/// The weightiest parts, said.
fn reasons(parts: &Parts, facts: &Facts, around: Option<IncidentId>) -> Reasons {
    let mut all: [(f32, Option<Reason>); 7] = [(0.0, None); 7];
    let tried = |r: Reached| Reason::Tried {
        rate: r.rate,
        tried: r.tried,
        unanswered: r.unanswered.max(if r.known == 0 { r.pending } else { 0 }),
        usual: if f64::from(r.usual) <= f64::from(r.tried) { r.usual } else { 0.0 },
    };
    let behaviour = facts.most_told;
    let usual = [
        (facts.told * 6.0, (facts.told > 0.0).then_some(Reason::Behaves { behaviour })),
        (
            facts.tried * 5.0 + parts.futile,
            facts.futile.filter(|r| facts.tried > 0.0 || r.futile > 1.0).map(tried),
        ),
        (parts.rates, facts.rate.filter(|r| r.surprise > 1.5).map(tried)),
        (
            parts.service,
            (facts.odd.surprise > 1.0).then_some(Reason::Unlike {
                magnitude: facts.odd.magnitude,
                value: facts.odd.value,
                usual: facts.odd.usual,
                share: facts.odd.share,
                little: facts.odd.little,
                surprise: facts.odd.surprise,
            }),
        ),
        (
            parts.numbers,
            (parts.numbers > 1.0 && facts.rarity > 0.0)
                .then(|| Reason::Rare { one_in: 10_f32.powf(parts.numbers) }),
        ),
        (
            parts.shape,
            (parts.shape > 1.0 && facts.distance > 0.0)
                .then_some(Reason::Shape { distance: facts.distance }),
        ),
        (
            parts.novelty.max(parts.heat * 4.0),
            around
                .map(|incident| Reason::Around { incident })
                .or(facts.new.map(|what| Reason::New { what })),
        ),
    ];
    all.copy_from_slice(&usual);
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut said = all.into_iter().filter_map(|(_, reason)| reason);
    std::array::from_fn(|_| said.next())
}
