//! Replicas as metrics: one series of each a replica, of which there are at most 64.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::{Labels, Levels, Totals, word};
use crate::daemon::{REPLICAS_MAX, ReplicaStatus, Status};

type Whole = Family<Labels, Gauge<u64, AtomicU64>>;

const STATES: [&str; 6] = ["connected", "meeting", "down", "paused", "refused", "diverged"];

pub(super) fn replicas(registry: &mut Registry, status: &Status) {
    if status.replicas.is_empty() {
        return;
    }
    let all: Vec<(&ReplicaStatus, Labels)> = status
        .replicas
        .iter()
        .take(REPLICAS_MAX)
        .map(|r| (r, vec![("replica", word(&r.name))]))
        .collect();
    let whole = |of: fn(&ReplicaStatus) -> u64| {
        let family = Whole::default();
        for (replica, labels) in &all {
            family.get_or_create(labels).set(of(replica));
        }
        family
    };
    let totals = |of: fn(&ReplicaStatus) -> u64| {
        let family = Totals::default();
        for (replica, labels) in &all {
            family.get_or_create(labels).inc_by(of(replica));
        }
        family
    };
    let seconds = |of: fn(&ReplicaStatus) -> f64| {
        let family = Levels::default();
        for (replica, labels) in &all {
            family.get_or_create(labels).set(of(replica));
        }
        family
    };
    let states = Levels::default();
    for (replica, labels) in &all {
        for state in STATES {
            let mut labels = labels.clone();
            labels.push(("state", state.to_owned()));
            states.get_or_create(&labels).set(f64::from(u8::from(replica.state == state)));
        }
    }
    registry.register("replica_state", "1 for the state of the connection", states);
    let help = "1 where it acknowledged something lately, has room, and refused nothing";
    registry.register("replica_healthy", help, whole(|r| u64::from(r.health == "healthy")));
    let help = "Lines of the durable log that it did not acknowledge";
    registry.register("replica_lag_lines", help, whole(|r| r.lag_events));
    let help = "The same in bytes, about";
    registry.register_with_unit("replica_lag", help, Unit::Bytes, whole(|r| r.lag_bytes));
    let help = "How long the oldest event waits that it lacks";
    registry.register_with_unit("replica_lag_time", help, Unit::Seconds, seconds(|r| r.lag_s));
    let help = "The newest line that it acknowledged";
    registry.register("replica_held_seq", help, whole(|r| r.held));
    let help = "The newest block that is verified there";
    registry.register("replica_verified_block", help, whole(|r| r.verified_block));
    let help = "When it was told to be";
    let at = seconds(|r| since_1970(r.verified_ns));
    registry.register_with_unit("replica_verified_time", help, Unit::Seconds, at);
    let help = "Lines under the newest checkpoint that it cosigned";
    registry.register("replica_cosigned_lines", help, whole(|r| r.cosigned_size));
    let help = "When anything was acknowledged last";
    let at = seconds(|r| since_1970(r.last_success_ns));
    registry.register_with_unit("replica_success_time", help, Unit::Seconds, at);
    let help = "Bytes a second, measured by acknowledgements";
    let rate = whole(|r| r.bandwidth_bytes_per_s.unwrap_or(0));
    registry.register("replica_bandwidth_bytes_per_second", help, rate);
    let help = "Free on its disk, as it says";
    registry.register_with_unit("replica_free", help, Unit::Bytes, whole(|r| r.free_bytes));
    let help = "Bytes sent to it";
    registry.register_with_unit("replica_sent", help, Unit::Bytes, totals(|r| r.sent_bytes));
    let help = "Bytes that came from it";
    registry.register_with_unit(
        "replica_received",
        help,
        Unit::Bytes,
        totals(|r| r.received_bytes),
    );
    registry.register(
        "replica_tail_lines",
        "Lines that went ahead of their block",
        totals(|r| r.tail_lines),
    );
    registry.register("replica_blocks_sent", "Blocks sent to it", totals(|r| r.blocks_sent));
    let help = "Blocks that were sent to it without a parent";
    registry.register("replica_blocks_sent_whole", help, totals(|r| r.blocks_whole));
    registry.register("replica_connects", "Connections begun", totals(|r| r.connects));
    let help = "Connections that failed or broke, or were refused";
    registry.register("replica_failures", help, totals(|r| r.failures));
    let count = ConstCounter::new(status.replicas.iter().map(|r| r.questions).sum::<u64>());
    registry.register("replica_questions", "Questions asked of replicas", count);
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
fn since_1970(ns: i64) -> f64 {
    ns as f64 / 1e9
}
