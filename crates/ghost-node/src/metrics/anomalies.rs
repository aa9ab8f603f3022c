//! Scoring, incidents, and what became of alerts.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::{Totals, level, total};
use crate::daemon::Status;

pub(super) fn anomalies(registry: &mut Registry, status: &Status) {
    let a = &status.anomalies;
    let progress: ConstGauge<f64> = ConstGauge::new(f64::from(a.progress));
    registry.register(
        "anomaly_learning",
        "How far learning is, 1 where it counts in full",
        progress,
    );
    let frozen = u64::from(a.state == "frozen");
    level(registry, "anomaly_frozen", "Whether learning is stopped", frozen);
    level(registry, "anomaly_mutes", "What is muted", a.mutes.len() as u64);
    total(registry, "anomaly_looks", "Looks at flows", a.looks);
    total(registry, "anomaly_alerts", "Flows that ended with an alert", a.alerts);
    total(registry, "anomaly_muted", "Looks that would have been alerts", a.muted);
    total(registry, "anomaly_incidents", "Incidents", a.incidents);
    level(registry, "anomaly_incidents_open", "Incidents that are not over", a.open);
    let untold = "Statements about incidents that found no room";
    total(registry, "anomaly_untold", untold, a.untold);
    let uncompared = "New shapes too many at once to be compared with those met before";
    total(registry, "anomaly_uncompared", uncompared, a.uncompared);
    let alerts = &status.alerts;
    total(registry, "alerts_heard", "Incidents that were to be told", alerts.heard);
    let left: Totals = Family::default();
    let why = [("queue_full", alerts.dropped), ("low", alerts.low), ("repeated", alerts.repeated)];
    for (reason, count) in why {
        left.get_or_create(&vec![("reason", reason.to_owned())]).inc_by(count);
    }
    registry.register("alerts_left_out", "Incidents that were told nowhere, or in a digest", left);
    let messages: Totals = Family::default();
    for outlet in &alerts.outlets {
        let counts = [
            ("sent", outlet.sent),
            ("failed", outlet.failed),
            ("given_up", outlet.given_up),
            ("dropped", outlet.dropped),
        ];
        for (result, count) in counts {
            let labels = vec![("outlet", outlet.name.clone()), ("result", result.to_owned())];
            messages.get_or_create(&labels).inc_by(count);
        }
    }
    registry.register("alert_messages", "Messages by outlet; failed counts tries", messages);
}
