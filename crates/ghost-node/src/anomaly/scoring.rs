//! The scorer beside the flow table: what it is shown, what flows are told, what incidents become.
//!
//! A flow is looked at while it is open and when it ends. Its event tells the highest of those
//! looks, and when it was first worth an alert; of flows that stay low nothing is remembered while
//! they are open. An incident is stated when it opens, when it has four times the flows that were
//! told last, when detectors gave a name to what had none, and when nothing came for ten minutes.
//!
//! **Invariant:** packet time alone; the same frames give the same scores and statements.

use std::collections::BTreeMap;

use ghost_detect::anomaly::{IncidentId, QUIET_NS, Scored, Scorer, Settings};
use ghost_event::line::{IncidentNote, IncidentState, flow_id};
use ghost_event::{EndReason, Features, Reasons, Score, ShapeId, Timestamp};
use hashbrown::HashMap;

use super::rule_in_words;
use super::state;
use super::vectors::Vectors;
use super::wish::{AnomaliesStatus, Wish, Words};
use crate::limits::{INCIDENT_NOTES_BURST, INCIDENT_NOTES_NS, INCIDENTS_TOLD_MAX, SCORES_OPEN_MAX};

/// From this score on an open flow's look is remembered until it ends.
const REMEMBERED: f32 = 0.3;
/// An incident is told again when it has so many times the flows.
const GROWN: u64 = 4;
/// How often the open incidents are gone through.
const CLOSING_NS: i64 = 1_000_000_000;

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) looks: u64,
    pub(crate) flows: u64,
    /// Flows that ended with an alert.
    pub(crate) alerts: u64,
    /// Looks that would have been alerts.
    pub(crate) muted: u64,
    pub(crate) incidents: u64,
    /// Statements about incidents that were too many at once.
    pub(crate) untold: u64,
}

/// An incident that is not over.
#[derive(Debug)]
struct Going {
    note: IncidentNote<'static>,
    /// Flows when it was told last; 0: not told yet.
    told: u64,
    /// As what it was told last.
    kind: &'static str,
    /// Alerted flows that ended.
    ended: u64,
}

/// Kinds that are no behaviour's name.
const NAMELESS: [&str; 2] = ["tries", "unlike"];

/// Scores one stream of flows.
#[derive(Debug)]
pub(crate) struct Scoring {
    scorer: Scorer,
    vectors: Vectors,
    /// Of open flows that were seen high, by flow id.
    open: HashMap<u64, Score>,
    incidents: BTreeMap<u64, Going>,
    due: Vec<IncidentNote<'static>>,
    /// When the statements made so far would be used up, at one in [`INCIDENT_NOTES_NS`].
    paced: i64,
    closing: i64,
    counts: Counts,
}

impl Scoring {
    pub(crate) fn new(settings: Settings) -> Scoring {
        Scoring::of(Scorer::new(settings), Vectors::default())
    }

    pub(crate) fn of(scorer: Scorer, vectors: Vectors) -> Scoring {
        Scoring {
            scorer,
            vectors,
            open: HashMap::new(),
            incidents: BTreeMap::new(),
            due: Vec::new(),
            paced: i64::MIN,
            closing: i64::MIN,
            counts: Counts::default(),
        }
    }

    /// Does what an operator wishes.
    ///
    /// # Errors
    /// In words for who asked.
    pub(crate) fn obey(&mut self, wish: Wish) -> Result<(), String> {
        match wish {
            Wish::Look => Ok(()),
            Wish::Reset => {
                self.scorer.reset();
                Ok(())
            }
            Wish::Freeze(frozen) => {
                self.scorer.freeze(frozen);
                Ok(())
            }
            Wish::Mute(mute) => self.scorer.mute(mute).map_err(|error| error.to_string()),
            Wish::Unmute(what) => match self.scorer.unmute(&what) {
                true => Ok(()),
                false => Err(format!("{} was not muted", Words(&what))),
            },
        }
    }

    /// How it stands.
    pub(crate) fn standing(&self) -> AnomaliesStatus {
        let mut standing = AnomaliesStatus {
            rule: rule_in_words(self.scorer.settings().rule),
            looks: self.counts.looks,
            flows: self.counts.flows,
            alerts: self.counts.alerts,
            muted: self.counts.muted,
            incidents: self.counts.incidents,
            open: self.incidents.len() as u64,
            untold: self.counts.untold,
            uncompared: self.scorer.uncompared(),
            ..AnomaliesStatus::default()
        };
        standing.learned(&self.scorer.learning(), self.scorer.mutes());
        standing
    }

    /// What was learned, as the file has it.
    pub(crate) fn saved(&self) -> Vec<u8> {
        state::bytes(&self.scorer, &self.vectors)
    }

    /// Flows learned so far: whether there is anything to save.
    pub(crate) fn learned(&self) -> u64 {
        self.scorer.learning().flows
    }

    /// A flow began.
    pub(crate) fn started(&mut self, f: &Features) {
        self.scorer.started(f);
    }

    /// A packet was counted to `f`; whether the open flow is to be looked at.
    pub(crate) fn packet(&mut self, f: &Features, to_server: bool) -> bool {
        self.scorer.packet(f, to_server)
    }

    /// Looks at a flow that is still open, as detectors judge it so far.
    pub(crate) fn look(&mut self, f: &Features) {
        let (scored, shape) = self.scored(f);
        if scored.score < REMEMBERED && !scored.alert {
            return;
        }
        let id = flow_id(f);
        let room = self.open.len() < SCORES_OPEN_MAX;
        if let Some(score) = self.open.get_mut(&id) {
            *score = higher(*score, f, &scored);
        } else if room || scored.alert {
            if !room && let Some(other) = self.open.keys().next().copied() {
                self.open.remove(&other);
            }
            self.open.insert(id, higher(Score::default(), f, &scored));
        }
        self.incident(f, &scored, shape, 0);
    }

    /// What is known of a flow that is open.
    pub(crate) fn open_score(&self, f: &Features) -> Option<Box<Score>> {
        self.open.get(&flow_id(f)).copied().map(Box::new)
    }

    /// Scores a flow that ended, or is told while open; its record carries it from here on.
    pub(crate) fn ended(&mut self, f: &mut Features) {
        let (scored, shape) = self.scored(f);
        let before = if self.open.is_empty() {
            Score::default()
        } else if f.end == EndReason::Update {
            self.open.get(&flow_id(f)).copied().unwrap_or_default()
        } else {
            self.open.remove(&flow_id(f)).unwrap_or_default()
        };
        let score = higher(before, f, &scored);
        let whole = f.end != EndReason::Update;
        self.counts.flows += u64::from(whole);
        if score.alert && whole {
            self.counts.alerts += 1;
        }
        let flows = f.folded.as_ref().map_or(1, |folded| folded.flows.max(1));
        if scored.alert {
            self.incident(f, &scored, shape, if whole { flows } else { 0 });
        } else if let Some(of) = score.incident.filter(|_| score.alert && whole)
            && let Some(standing) = self.incidents.get_mut(&of)
        {
            standing.ended += flows;
        }
        f.score = Some(Box::new(score));
    }

    fn scored(&mut self, f: &Features) -> (Scored, ShapeId) {
        let shape = self.vectors.see(f);
        let scored = self.scorer.look(f, Some(shape), &self.vectors);
        self.counts.looks += 1;
        self.counts.muted += u64::from(scored.muted);
        (scored, shape)
    }

    /// Counts an alerted flow to its incident, and states it where that is due.
    fn incident(&mut self, f: &Features, scored: &Scored, shape: ShapeId, ended: u64) {
        let Some(id) = scored.incident.filter(|_| scored.alert) else { return };
        if !self.incidents.contains_key(&id.0) {
            self.open(f, scored, shape, id);
        }
        let Some(standing) = self.incidents.get_mut(&id.0) else { return };
        standing.ended += ended;
        let estimate = self.scorer.incident(id).map_or(0, |i| u64::from(i.flows()));
        let flows = together(standing.ended, estimate);
        for reason in scored.reasons.iter().flatten() {
            standing.note.reasons.insert(reason.word());
        }
        if let Some(incident) = self.scorer.incident(id) {
            standing.note.behaviours = incident.behaviours;
        }
        let named = NAMELESS.contains(&standing.kind) && !NAMELESS.contains(&standing.note.kind());
        if standing.told == 0 || named || flows >= standing.told.saturating_mul(GROWN) {
            let state = if standing.told == 0 { IncidentState::Open } else { IncidentState::Grew };
            self.state(id, state, f.last);
        }
    }

    fn open(&mut self, f: &Features, scored: &Scored, shape: ShapeId, id: IncidentId) {
        while self.incidents.len() >= INCIDENTS_TOLD_MAX {
            let Some((oldest, _)) = self.incidents.first_key_value() else { break };
            let oldest = IncidentId(*oldest);
            self.close(oldest, f.last);
        }
        self.counts.incidents += 1;
        let nearest = self.scorer.nearest(shape, &self.vectors, f.last);
        let note = IncidentNote {
            number: id.0,
            source: f.src_ip,
            target: f.dst_ip,
            told: scored.reasons.iter().flatten().map(|r| r.to_string().into()).collect(),
            shape: Some(shape),
            nearest: nearest.into_iter().flatten().collect(),
            ..IncidentNote::default()
        };
        self.incidents.insert(id.0, Going { note, told: 0, kind: "", ended: 0 });
    }

    /// Brings what is known of an incident up to date, and states it unless that is too much.
    fn state(&mut self, id: IncidentId, state: IncidentState, at: Timestamp) {
        let Some(standing) = self.incidents.get_mut(&id.0) else { return };
        let note = &mut standing.note;
        if let Some(incident) = self.scorer.incident(id) {
            note.behaviours = incident.behaviours;
            note.score = incident.score;
            note.first = incident.first;
            note.last = incident.last;
            note.flow_ids = incident.witnesses.iter().map(|w| w.flow_id).collect();
            note.flows = together(standing.ended, incident.flows().into());
            // Estimates, too: a flow has one of each.
            note.sources = u64::from(incident.sources()).min(note.flows);
            note.targets = u64::from(incident.targets()).min(note.flows);
        }
        (note.state, note.at) = (state, at);
        if state != IncidentState::Closed {
            let from =
                self.paced.max(at.0.saturating_sub(
                    i64::from(INCIDENT_NOTES_BURST).saturating_mul(INCIDENT_NOTES_NS),
                ));
            if from.saturating_add(INCIDENT_NOTES_NS) > at.0 {
                self.counts.untold += 1;
                return;
            }
            self.paced = from.saturating_add(INCIDENT_NOTES_NS);
        }
        (standing.told, standing.kind) = (note.flows, note.kind());
        self.due.push(note.clone());
    }

    fn close(&mut self, id: IncidentId, at: Timestamp) {
        if self.incidents.get(&id.0).is_some_and(|standing| standing.told > 0) {
            self.state(id, IncidentState::Closed, at);
        }
        self.incidents.remove(&id.0);
    }

    /// Time went on: what was quiet for long is over.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        if self.incidents.is_empty() || now.0 < self.closing {
            return;
        }
        self.closing = now.0.saturating_add(CLOSING_NS);
        let quiet = |id: &u64| {
            let last = self.scorer.incident(IncidentId(*id)).map_or(i64::MIN, |i| i.last.0);
            now.0.saturating_sub(last) > QUIET_NS
        };
        let over: Vec<u64> = self.incidents.keys().copied().filter(quiet).collect();
        for id in over {
            self.close(IncidentId(id), now);
        }
    }

    /// The stream ended: every incident is over.
    pub(crate) fn finish(&mut self) {
        let all: Vec<u64> = self.incidents.keys().copied().collect();
        for id in all {
            let last = self.incidents.get(&id).map_or(Timestamp(0), |s| s.note.last);
            let last = self.scorer.incident(IncidentId(id)).map_or(last, |i| i.last);
            self.close(IncidentId(id), last);
        }
    }

    /// The statements that became due, in their order.
    pub(crate) fn take(&mut self) -> Vec<IncidentNote<'static>> {
        std::mem::take(&mut self.due)
    }

    pub(crate) fn has_due(&self) -> bool {
        !self.due.is_empty()
    }
}

/// Flows of an incident: those that ended, unless an estimate of all, which is good to a tenth, says
/// that there are more.
fn together(ended: u64, estimate: u64) -> u64 {
    if ended.saturating_mul(10) >= estimate.saturating_mul(9) { ended } else { estimate }.max(1)
}

/// The higher of what was said of a flow before and what this look says; an alert stays one.
fn higher(before: Score, f: &Features, scored: &Scored) -> Score {
    let mut score = before;
    if scored.score > before.value || (scored.alert && !before.alert) {
        score.value = before.value.max(scored.score);
        score.reasons = Reasons::default();
        for reason in scored.reasons.iter().flatten() {
            score.reasons.insert(reason.word());
        }
    }
    if scored.alert && !before.alert {
        score.alert = true;
        score.alerted = Some(f.last);
        score.incident = scored.incident.map(|id| id.0);
    }
    score
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::sample;
    use ghost_event::Behaviours;

    const S: i64 = 1_000_000_000;

    /// A flow of a scan by `source`, number `n`, that ended at `at`.
    fn probe(source: u8, n: u16, at: i64) -> Features {
        let mut flow = sample::flows(&[([10, 0, 0, source], 1000 + n)]).remove(0);
        (flow.first, flow.last) = (Timestamp(at), Timestamp(at));
        flow.behaviours = Behaviours::PORT_SCAN;
        flow
    }

    fn said(scoring: &mut Scoring) -> Vec<(IncidentState, u64)> {
        scoring.take().iter().map(|note| (note.state, note.flows)).collect()
    }

    #[test]
    fn an_incident_is_told_when_it_opens_when_it_grew_fourfold_and_when_it_is_over() {
        let mut scoring = Scoring::new(Settings::default());
        let mut told = Vec::new();
        for n in 0..20 {
            let mut flow = probe(7, n, S * i64::from(n));
            scoring.started(&flow);
            scoring.ended(&mut flow);
            let score = flow.score.unwrap();
            assert!(score.alert && score.value >= 0.9, "{score:?}");
            assert_eq!((score.incident, score.alerted), (Some(1), Some(flow.last)));
            assert!(score.reasons.contains(Reasons::BEHAVIOUR));
            told.extend(said(&mut scoring));
        }
        let states: Vec<_> = told.iter().map(|t| t.0).collect();
        use IncidentState::{Closed, Grew, Open};
        assert_eq!(states, [Open, Grew, Grew], "1, 4, 16 flows: {told:?}");
        scoring.advance(Timestamp(300 * S));
        assert!(!scoring.has_due(), "not quiet for long enough");
        scoring.advance(Timestamp(700 * S));
        assert_eq!(said(&mut scoring), [(Closed, 20)]);
        scoring.finish();
        assert!(!scoring.has_due(), "what is over is over once");
    }

    #[test]
    fn an_alert_on_an_open_flow_is_told_at_once_and_stands_in_its_record() {
        let mut scoring = Scoring::new(Settings::default());
        let mut flow = probe(7, 1, S);
        // What only failures tell is not believed of what may still be answered.
        flow.behaviours = Behaviours::WEB_SCAN;
        flow.end = EndReason::Update;
        scoring.look(&flow);
        assert_eq!(said(&mut scoring), [(IncidentState::Open, 1)]);
        assert!(scoring.open_score(&flow).unwrap().alert);
        flow.behaviours = Behaviours::NONE;
        (flow.last, flow.end) = (Timestamp(90 * S), EndReason::Idle);
        scoring.ended(&mut flow);
        let score = flow.score.clone().unwrap();
        assert!(score.alert && score.value > 0.8, "{score:?}");
        assert_eq!(score.alerted, Some(Timestamp(S)), "when it was alerted, not when it ended");
        assert!(scoring.open_score(&flow).is_none(), "nothing is kept of what ended");
    }

    #[test]
    fn what_detectors_name_later_is_told_again_by_its_name() {
        let mut scoring = Scoring::new(Settings::default());
        for n in 0..100 {
            // Nothing answers, and no detector has said a word yet.
            let mut flow = probe(7, n, S + i64::from(n));
            (flow.behaviours, flow.end) = (Behaviours::NONE, EndReason::Update);
            flow.to_client = ghost_event::Side::default();
            scoring.started(&flow);
            scoring.look(&flow);
        }
        let kinds = |scoring: &mut Scoring| {
            scoring.take().iter().map(|note| (note.state, note.kind())).collect::<Vec<_>>()
        };
        use IncidentState::{Grew, Open};
        let told = kinds(&mut scoring);
        assert_eq!(told.first(), Some(&(Open, "tries")));
        assert!(told.iter().all(|(_, kind)| *kind == "tries"), "{told:?}");
        scoring.ended(&mut probe(7, 1, 6 * S));
        assert_eq!(kinds(&mut scoring), [(Grew, "port_scan")]);
        scoring.ended(&mut probe(7, 2, 6 * S));
        assert_eq!(kinds(&mut scoring), [], "once");
    }

    #[test]
    fn a_storm_of_incidents_is_told_as_far_as_may_be_and_the_rest_is_counted() {
        let mut scoring = Scoring::new(Settings::default());
        for n in 0..2000_u16 {
            let [high, low] = n.to_be_bytes();
            let mut flow = probe(7, 1, S + i64::from(n));
            flow.src_ip = Some([172, 16, high, low].into());
            flow.dst_ip = Some([172, 17, high, low].into());
            flow.community_id = Some([low; 20]);
            scoring.ended(&mut flow);
        }
        let opened = scoring.take().iter().filter(|n| n.state == IncidentState::Open).count();
        assert_eq!(opened, INCIDENT_NOTES_BURST as usize);
        let standing = scoring.standing();
        assert_eq!((standing.incidents, standing.open), (2000, INCIDENTS_TOLD_MAX as u64));
        assert_eq!(standing.untold, 2000 - u64::from(INCIDENT_NOTES_BURST));
    }

    #[test]
    fn what_is_muted_is_scored_and_no_alert() {
        let mut scoring = Scoring::new(Settings::default());
        let mute = |what: &str| crate::anomaly::wish::muted(what).unwrap();
        let what = mute("host:10.0.0.7");
        let wish = Wish::Mute(ghost_detect::anomaly::Mute { what: what.clone(), until: None });
        scoring.obey(wish).unwrap();
        let mut flow = probe(7, 1, S);
        scoring.ended(&mut flow);
        let score = flow.score.unwrap();
        assert!(!score.alert && score.value >= 0.9);
        assert!(!scoring.has_due());
        assert_eq!(scoring.standing().mutes[0].what, "host:10.0.0.7");
        scoring.obey(Wish::Unmute(what.clone())).unwrap();
        assert!(scoring.obey(Wish::Unmute(what)).is_err(), "it is not there any more");
        let mut flow = probe(7, 2, 2 * S);
        scoring.ended(&mut flow);
        assert!(flow.score.unwrap().alert);
    }
}
