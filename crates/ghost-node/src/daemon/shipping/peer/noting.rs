//! What is told of a replica: its status at every turn, and its changes as lines of the log, seldom.

use ghost_event::Priority;
use ghost_ship::SILENCE_NS_MAX;
use ghost_ship::plan::{Link, Verdict, Why};
use serde_json::json;

use super::Peer;
use crate::daemon::changes::Changed;
use crate::daemon::shipping::ReplicaConfig;
use crate::daemon::shipping::record::Record;
use crate::daemon::shipping::told::ReplicaStatus;
use crate::daemon::writer::Command;

/// Between two lines about one replica: a link that comes and goes is no news each time.
const NOTE_NS: u64 = 30_000_000_000;

/// What was noted last.
#[derive(Debug, Default)]
pub(super) struct Noting {
    /// Words of the refusal that stands.
    pub(super) refused: String,
    told: Option<(&'static str, u64)>,
    /// It was noted that a block is verified there.
    verified: bool,
}

/// As it stands before the first connection.
pub(super) fn first_status(config: &ReplicaConfig, record: &Record) -> ReplicaStatus {
    ReplicaStatus {
        name: config.name.clone(),
        address: config.address.to_string(),
        identity: record.identity.clone(),
        program: record.program.clone(),
        last_success_ns: record.held_ns,
        state: if record.paused { "paused" } else { "down" }.to_owned(),
        held: record.held,
        verified_block: record.blocks.last().map_or(0, |b| b.block),
        verified_size: record.blocks.last().map_or(0, |b| b.size),
        verified_ns: record.verified_ns,
        cosigned_size: record.cosigned_size,
        cosigned_ns: record.cosigned_ns,
        cosigning_key: record.cosigning_key.clone(),
        refused: record.refused.as_ref().map(|r| r.code.clone()).unwrap_or_default(),
        refused_words: record.refused.as_ref().map(|r| r.words.clone()).unwrap_or_default(),
        paused: record.paused,
        rate_limit: record.rate_limit,
        quiet: record.quiet.clone().unwrap_or_default(),
        ..ReplicaStatus::default()
    }
}

impl Peer {
    /// Shows others how it stands, and notes what changed.
    pub(super) fn tell(&mut self) {
        let now_ns = self.now();
        let health = self.plan.health(now_ns);
        let state = self.state(health);
        let (durable, line_bytes, oldest) = {
            let news = self.around.news.state();
            (news.durable.seq, news.line_bytes, news.waiting.oldest(self.plan.held))
        };
        let waited_ns = oldest.map_or(0, |since| now_ns.saturating_sub(since));
        let lacks = durable.saturating_sub(self.plan.held);
        let s = &mut self.status;
        s.state = state.to_owned();
        s.health = health_word(health).to_owned();
        s.held = self.plan.held;
        s.lag_events = lacks;
        s.lag_bytes = lacks.saturating_mul(line_bytes);
        s.lag_s = if lacks > 0 { seconds(waited_ns) } else { 0.0 };
        let newest = self.plan.blocks.last();
        s.verified_block = newest.map_or(0, |b| b.number);
        s.verified_size = newest.map_or(0, |b| b.size);
        let told = self.plan.health.unwrap_or_default();
        s.indexed = told.indexed;
        (s.free_bytes, s.total_bytes, s.load_permille) =
            (told.free_bytes, told.total_bytes, told.load);
        s.bandwidth_bytes_per_s = self.plan.bandwidth.rate();
        s.round_trip_us = self.plan.bandwidth.trip_ns().map(|ns| ns / 1000);
        s.sending_block = self.plan.sending.map_or(0, |b| b.number);
        s.sending_parent = self.plan.sending.and_then(|b| b.parent).unwrap_or(0);
        s.sending_bytes = self.outgoing.as_ref().map_or(0, |o| o.offset);
        s.waits = self.why.map(why_word).unwrap_or_default().to_owned();
        {
            let record = self.shown.record();
            s.verified_ns = record.verified_ns;
            s.cosigned_size = record.cosigned_size;
            s.cosigned_ns = record.cosigned_ns;
            s.cosigning_key.clone_from(&record.cosigning_key);
            s.paused = record.paused;
            s.rate_limit = record.rate_limit;
            s.quiet = record.quiet.clone().unwrap_or_default();
            let refused = record.refused.as_ref();
            s.refused = refused.map(|r| r.code.clone()).unwrap_or_default();
            s.refused_words = refused.map(|r| r.words.clone()).unwrap_or_default();
        }
        self.shown.status().clone_from(&self.status);
        self.note(state, waited_ns, now_ns);
        self.save(false);
    }

    fn state(&self, health: Verdict) -> &'static str {
        match (health, self.plan.link) {
            (_, Link::Open) => "connected",
            _ if self.plan.settings.paused => "paused",
            (Verdict::Diverged(_), _) => "diverged",
            (Verdict::Refused(_), _) => "refused",
            (_, Link::Meeting { .. }) => "meeting",
            (_, Link::Down { .. }) => "down",
        }
    }

    /// A line in the log where it is another than was noted.
    fn note(&mut self, state: &'static str, waited_ns: u64, now_ns: u64) {
        let behind = waited_ns > SILENCE_NS_MAX;
        let state = match state {
            // On its way to something else.
            "meeting" => return,
            "down" if self.status.failures == 0 => return,
            "connected" | "down" if behind => "behind",
            "connected" if self.status.verified_block > 0 => "verified",
            other => other,
        };
        let before = self.noting.told;
        if before.is_some_and(|(told, _)| told == state) {
            return;
        }
        // What a person must look at, and the very first block, do not wait.
        let urgent = state == "diverged" || (state == "verified" && !self.noting.verified);
        if !urgent && before.is_some_and(|(_, at)| now_ns.saturating_sub(at) < NOTE_NS) {
            return;
        }
        let mut after =
            vec![("state".to_owned(), json!(state)), ("held".to_owned(), json!(self.plan.held))];
        let why = match state {
            "diverged" | "refused" => Some(&self.noting.refused),
            "down" => Some(&self.status.last_failure),
            _ => None,
        };
        after.extend(why.filter(|w| !w.is_empty()).map(|w| ("why".to_owned(), json!(w))));
        let changed = Changed {
            id: format!("replica:{}", self.config.name),
            action: state,
            fields: vec!["state".to_owned()],
            before: before.map(|(told, _)| ("state".to_owned(), json!(told))).into_iter().collect(),
            after: after.into_iter().collect(),
            priority: match state {
                "diverged" => Priority::High,
                "refused" | "down" | "behind" => Priority::Medium,
                _ => Priority::Low,
            },
        };
        // A full queue has better things to hold: it is noted at another turn.
        if self.around.writer.offer(Command::Changes(vec![changed])).is_ok() {
            self.noting.told = Some((state, now_ns));
            self.noting.verified |= state == "verified";
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds for people")]
fn seconds(ns: u64) -> f64 {
    (ns / 1_000_000) as f64 / 1000.0
}

fn health_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Diverged(_) => "diverged",
        Verdict::Refused(_) => "refused",
        Verdict::Never => "never",
        Verdict::Silent => "silent",
        Verdict::Full => "full",
        Verdict::Healthy => "healthy",
    }
}

fn why_word(why: Why) -> &'static str {
    match why {
        Why::Paused => "paused",
        Why::Quiet => "quiet hours",
        Why::RateLimit => "rate limit",
        Why::Unhealthy(verdict) => health_word(verdict),
        Why::Later => "asked to wait",
    }
}
