//! What to do next for one replica.

use ghost_event::{Priority, Seq};

use super::deadline::{ALL, hold_ns, is_pressing};
use super::{Link, Now, Replica, Sealed, Strategy, Verdict, Waiting, common, deadline_ns, level};
use crate::limits::{
    DEAD_NS, MS, PING_NS, S, TAIL_BACKLOG_BYTES_MAX, TAIL_BYTES_WANTED, TAIL_WINDOW_BYTES,
};
use crate::wire::Level;

/// What a log has to send.
#[derive(Debug, Clone, Copy)]
pub struct Primary<'a> {
    pub strategy: Strategy,
    /// The newest durable line.
    pub durable: Seq,
    /// Bytes of an average line.
    pub line_bytes: u64,
    pub waiting: &'a Waiting,
    /// Snapshots that lie there, oldest first.
    pub blocks: &'a [Sealed],
}

/// One thing to do, in the order in which they are to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Connect,
    /// The connection says nothing any more.
    HangUp,
    Ping,
    /// Lines after `after` up to `upto` in one frame, as many of them as fit.
    Tail {
        after: Seq,
        upto: Seq,
        level: Level,
    },
    /// A block begins; what was on its way is done.
    Block {
        number: u64,
        parent: Option<u64>,
        level: Level,
    },
    /// Of a verified block of so many lines the cosignature did not come: ask for it.
    Cosign {
        size: u64,
    },
    /// So many bytes of the block on its way may go out now.
    Chunks {
        bytes: u64,
    },
}

/// Why a block that the replica lacks is not sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    Paused,
    Quiet,
    RateLimit,
    Unhealthy(Verdict),
    /// It asked for time.
    Later,
}

/// What to do now, and when to ask again unless something happens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    pub actions: Vec<Action>,
    pub wake_ns: Option<u64>,
    pub waits: Option<Why>,
}

impl Decision {
    fn wake(&mut self, at_ns: u64) {
        self.wake_ns = Some(self.wake_ns.map_or(at_ns, |w| w.min(at_ns)));
    }
}

/// The plan. It changes nothing: the same arguments give the same answer.
#[must_use]
pub fn next(primary: &Primary<'_>, replica: &Replica, now: Now) -> Decision {
    let mut decision = Decision::default();
    match replica.link {
        Link::Down { again_ns } => {
            if replica.settings.paused {
                decision.waits = Some(Why::Paused);
            } else if now.ns >= again_ns {
                decision.actions.push(Action::Connect);
            } else {
                decision.wake(again_ns);
                let verdict = replica.health(now.ns);
                let refused = matches!(verdict, Verdict::Diverged(_) | Verdict::Refused(_));
                decision.waits = refused.then_some(Why::Unhealthy(verdict));
            }
            return decision;
        }
        Link::Meeting { since_ns } => {
            let end = since_ns.max(replica.heard_ns).saturating_add(DEAD_NS);
            if now.ns >= end {
                decision.actions.push(Action::HangUp);
            } else {
                decision.wake(end);
            }
            return decision;
        }
        Link::Open => {}
    }
    if replica.settings.paused {
        decision.waits = Some(Why::Paused);
        decision.actions.push(Action::HangUp);
        return decision;
    }
    let dead = replica.heard_ns.saturating_add(DEAD_NS);
    if now.ns >= dead {
        decision.actions.push(Action::HangUp);
        return decision;
    }
    decision.wake(dead);
    // Said even where the replica talks: it watches the connection as well.
    let ping = replica.spoke_ns.saturating_add(PING_NS);
    if now.ns >= ping {
        decision.actions.push(Action::Ping);
    } else {
        decision.wake(ping);
    }
    tail(primary, replica, now, &mut decision);
    block(primary, replica, now, &mut decision);
    cosign(replica, now, &mut decision);
    decision
}

/// A verified block whose cosignature is missing.
fn cosign(replica: &Replica, now: Now, decision: &mut Decision) {
    let Some(newest) = replica.blocks.last().filter(|b| b.size > replica.cosigned) else { return };
    // A block on its way brings a newer one.
    if replica.sending.is_some() {
        return;
    }
    if now.ns >= replica.cosign_ns {
        decision.actions.push(Action::Cosign { size: newest.size });
    } else {
        decision.wake(replica.cosign_ns);
    }
}

/// The tail lane: up to the newest event that may wait no longer.
fn tail(primary: &Primary<'_>, replica: &Replica, now: Now, decision: &mut Decision) {
    let after = replica.sent.max(replica.held);
    if after >= primary.durable {
        return;
    }
    if now.ns < replica.tail_not_before_ns {
        decision.wake(replica.tail_not_before_ns);
        return;
    }
    let Some(upto) = due(primary, replica, after, now, decision) else { return };
    let upto = upto.min(primary.durable);
    let bytes = |lines: u64| lines.saturating_mul(primary.line_bytes.max(1));
    // A long tail is the block's to carry, where one is on its way or can be.
    let newest = primary.blocks.last().map_or(0, |b| b.size);
    let sending = replica.sending.map_or(0, |s| s.size);
    let backlog = bytes(upto - after);
    if backlog > TAIL_BACKLOG_BYTES_MAX && newest.max(sending) > after && !is_quiet(replica, now) {
        return;
    }
    if bytes(after - replica.held.min(after)) >= TAIL_WINDOW_BYTES {
        return;
    }
    let level = level(replica.bandwidth.rate(), backlog.min(TAIL_BYTES_WANTED as u64));
    decision.actions.push(Action::Tail { after, upto, level });
}

/// The newest line that has to go now; else when the next one has to.
fn due(
    primary: &Primary<'_>,
    replica: &Replica,
    after: Seq,
    now: Now,
    decision: &mut Decision,
) -> Option<Seq> {
    match primary.strategy {
        Strategy::Realtime => return Some(primary.durable),
        Strategy::Batch { max_events, max_delay_ns } => {
            if primary.durable - after >= max_events.max(1) {
                return Some(primary.durable);
            }
            let since = primary.waiting.oldest(after)?;
            let due = since.saturating_add(max_delay_ns);
            if now.ns >= due {
                return Some(primary.durable);
            }
            decision.wake(due);
            return None;
        }
        Strategy::Priority => {}
    }
    let mut newest = None;
    for prio in ALL {
        let Some(pending) = primary.waiting.after(after, prio) else { continue };
        if !is_pressing(prio) && comes_by_block(primary, replica, pending.newest, prio, now) {
            continue;
        }
        let bytes = (pending.newest - after).saturating_mul(primary.line_bytes);
        let way = replica.bandwidth.transfer_ns(bytes.min(TAIL_BACKLOG_BYTES_MAX));
        // As long as company is worth it, but not so long that the way is cut short.
        let slack = deadline_ns(prio).saturating_sub(way).saturating_sub(deadline_ns(prio) / 4);
        let due = pending.since_ns.saturating_add(hold_ns(prio).min(slack));
        if now.ns >= due {
            newest = newest.max(Some(pending.newest));
        } else {
            decision.wake(due);
        }
    }
    newest
}

/// Whether a block brings what is not pressing, now or when the quiet hours are over.
fn comes_by_block(
    primary: &Primary<'_>,
    replica: &Replica,
    newest: Seq,
    prio: Priority,
    now: Now,
) -> bool {
    if is_quiet(replica, now) && prio == Priority::Low {
        return true;
    }
    let on_its_way = replica.sending.is_some_and(|s| s.size >= newest);
    let sealed = primary.blocks.last().is_some_and(|b| b.size >= newest);
    on_its_way || (sealed && blocked(replica, now, 0).is_none())
}

fn is_quiet(replica: &Replica, now: Now) -> bool {
    replica.settings.quiet.is_some_and(|quiet| quiet.covers(now.minute))
}

/// Why no block is begun now.
fn blocked(replica: &Replica, now: Now, bytes: u64) -> Option<Why> {
    if is_quiet(replica, now) {
        return Some(Why::Quiet);
    }
    if now.ns < replica.not_before_ns {
        return Some(Why::Later);
    }
    match replica.health(now.ns) {
        // An open connection is a sign of life, and the first block the first thing to acknowledge.
        Verdict::Healthy | Verdict::Never | Verdict::Silent => {}
        verdict => return Some(Why::Unhealthy(verdict)),
    }
    if !replica.has_room(bytes) {
        return Some(Why::Unhealthy(Verdict::Full));
    }
    None
}

/// The block lane: the newest from the newest that both have, one at a time.
fn block(primary: &Primary<'_>, replica: &Replica, now: Now, decision: &mut Decision) {
    let sending = match replica.sending {
        Some(sending) => !sending.all_sent,
        None => {
            let Some(newest) = primary.blocks.last() else { return };
            let has = replica.blocks.last();
            if has.is_some_and(|b| b.number >= newest.number) {
                return;
            }
            let parent = common(primary.blocks, &replica.blocks);
            let lines = newest.size - parent.map_or(0, |b| b.size).min(newest.size);
            let bytes = lines.saturating_mul(primary.line_bytes);
            if let Some(why) = blocked(replica, now, bytes) {
                decision.waits = Some(why);
                decision
                    .wake(now.ns.saturating_add(10 * S).min(replica.not_before_ns.max(now.ns + S)));
                return;
            }
            let level = level(replica.bandwidth.rate(), bytes);
            let parent = parent.map(|b| b.number);
            decision.actions.push(Action::Block { number: newest.number, parent, level });
            true
        }
    };
    if sending {
        chunks(replica, now, decision);
    }
}

/// Bytes of the block that may go: what the window and the limit leave.
fn chunks(replica: &Replica, now: Now, decision: &mut Decision) {
    const LEAST: u64 = 4096;
    if is_quiet(replica, now) {
        decision.waits = Some(Why::Quiet);
        decision.wake(now.ns.saturating_add(10 * S));
        return;
    }
    let window = replica.bandwidth.window().saturating_sub(replica.bandwidth.in_flight());
    if window < LEAST {
        // An acknowledgement opens it.
        return;
    }
    let Some(bucket) = &replica.bucket else {
        decision.actions.push(Action::Chunks { bytes: window });
        return;
    };
    let least = LEAST.min(replica.settings.rate_limit.unwrap_or(LEAST)).max(1);
    let bytes = bucket.free(now.ns).min(window);
    if bytes >= least {
        decision.actions.push(Action::Chunks { bytes });
    } else {
        decision.waits = Some(Why::RateLimit);
        decision.wake(bucket.when_ns(least, now.ns).max(now.ns + MS));
    }
}
