//! `status`: what is remembered, what was lost, and how the daemon does, where one runs.

use std::io::{self, Write};

use ghost_node::Timestamp;
use ghost_node::anomaly::alerts::AlertsStatus;
use ghost_node::anomaly::wish::AnomaliesStatus;
use ghost_node::api::{Remembered, Standing};
use ghost_node::daemon::BlocksStatus;
use serde_json::{Value, json};

use crate::cli::{Place, VerdictFormat};
use crate::commands::log::print_json;
use crate::commands::memory::{self, daemon, moment, shown, unanswered};
use crate::outcome::{Done, Failed, counted, printed};
use crate::render::{safe_text, safe_text as safe};

/// Runs the command.
pub(crate) fn run(place: &Place, output: VerdictFormat) -> Result<Done, Failed> {
    let (remembered, standing) = match daemon(place)? {
        Some(mut client) => {
            let standing = client.status().map_err(unanswered)?;
            (client.remembered().map_err(unanswered)?, Some(standing))
        }
        None => {
            let data = place.data_with_log()?;
            (Remembered::count(&data, memory::now()).map_err(memory::failed)?, None)
        }
    };
    match output {
        VerdictFormat::Json => print_json(&object(&remembered, standing.as_ref()))?,
        VerdictFormat::Table => {
            let mut text = standing.as_ref().map(live).unwrap_or_default();
            text += &kept(&remembered);
            printed(io::stdout().write_all(text.as_bytes()))?;
        }
    }
    Ok(Done::Well)
}

fn object(remembered: &Remembered, standing: Option<&Standing>) -> Value {
    json!({
        "data_dir": remembered.data_dir,
        "events": remembered.events,
        "first_time": remembered.first_time.map(|t| t.to_string()),
        "last_time": remembered.last_time.map(|t| t.to_string()),
        "log_lines": remembered.log_lines,
        "log_bytes": remembered.log_bytes,
        "log_segments": remembered.log_segments,
        "indexed_to": remembered.indexed_to,
        "not_indexed_events": remembered.not_indexed_events,
        "shapes": remembered.shapes,
        "shapes_refined": remembered.shapes_refined,
        "gaps": remembered.gaps,
        "recovered": remembered.recovered,
        "daemon": standing.map_or(Value::Null, |s| serde_json::to_value(s).unwrap_or_default()),
    })
}

/// What the log and the index hold.
fn kept(remembered: &Remembered) -> String {
    let data = safe_text(&remembered.data_dir);
    let mut text = format!("data       {data}\nevents     {}", remembered.events);
    if let (Some(first), Some(last)) = (remembered.first_time, remembered.last_time) {
        text += &format!(", from {} to {}", shown(first), shown(last));
    }
    text + &format!(
        "\nlog        {} lines, {} bytes, {}\nindex      up to line {}, {} events behind it\n\
         shapes     {}, {} refined by the full model\nlost       {} gaps, {} recoveries\n",
        remembered.log_lines,
        remembered.log_bytes,
        counted(remembered.log_segments, "segment"),
        remembered.indexed_to,
        remembered.not_indexed_events,
        remembered.shapes,
        remembered.shapes_refined,
        remembered.gaps,
        remembered.recovered,
    )
}

/// How the daemon does.
fn live(standing: &Standing) -> String {
    let status = &standing.status;
    let safe = |text: &str| safe_text(text);
    let mut text = format!(
        "daemon     {}, pid {}, up {}, {} in memory\n",
        safe(&standing.program),
        status.pid,
        span(standing.uptime_s),
        bytes(standing.memory_bytes)
    );
    text += &format!(
        "tapping    {}, granularity {}{}\n",
        safe(&status.mode),
        safe(&status.granularity),
        if status.filter.is_empty() {
            String::new()
        } else {
            format!(", only {}", safe(&status.filter))
        }
    );
    for port in &status.ports {
        let bridge = status.bridges.get(usize::from(port.bridge)).map_or("", String::as_str);
        let rate = standing.rates.ports.iter().find(|rate| rate.ifindex == port.ifindex);
        let (frames, octets) = rate.map_or((0.0, 0.0), |r| (r.frames_per_s, r.bytes_per_s));
        text += &format!(
            "  {}{}{}: {frames:.0} frames/s, {}/s; {} seen, {} lost{}\n",
            safe(bridge),
            if bridge.is_empty() || bridge == port.name { "" } else { " " },
            if bridge == port.name { String::new() } else { safe(&port.name) },
            bytes(whole(octets)),
            port.seen,
            port.lost,
            if port.attached { "" } else { ", gone" }
        );
    }
    let rates = &standing.rates;
    text += &format!(
        "rates      {:.0} packets/s, {}/s, {:.0} flows/s, {:.0} events/s, {:.0} packets/s lost\n",
        rates.packets_per_s,
        bytes(whole(rates.bytes_per_s)),
        rates.flows_per_s,
        rates.events_per_s,
        rates.lost_per_s
    );
    let loss = &status.loss;
    text += &format!(
        "lost live  {} frames by full rings, {} packets by a full queue, {} by the log\n",
        loss.ring_frames, loss.queue_packets, loss.log_packets
    );
    let flows = &status.flows;
    text += &format!(
        "flows      {} open (at most {} so far), {} folded, {} evicted\n",
        flows.open, flows.open_max, flows.folded, flows.evicted
    );
    for queue in &status.queues {
        text += &format!(
            "queue      {}: {} of {}, found full {} times\n",
            safe(&queue.name),
            queue.length,
            queue.capacity,
            queue.full
        );
    }
    text += &format!(
        "head       line {}, durable to {}; index {} lines behind\n",
        status.log.head, status.log.durable, status.index.behind
    );
    text += &blocks(&status.blocks);
    let model = &status.model;
    text += &format!(
        "model      {}{}, {} waiting, {} refined\n",
        safe(&model.state),
        if model.id.is_empty() { String::new() } else { format!(" {}", safe(&model.id)) },
        model.waiting,
        model.refined
    );
    text += &anomalies(&status.anomalies, &status.alerts);
    let troubles =
        [&status.log.trouble, &status.blocks.trouble, &status.index.trouble, &status.model.trouble];
    for trouble in troubles.into_iter().chain(&status.warnings).filter(|t| !t.is_empty()) {
        text += &format!("warning    {}\n", safe(trouble));
    }
    text
}

/// How far learning is, what was found, and who was told.
fn anomalies(told: &AnomaliesStatus, alerts: &AlertsStatus) -> String {
    let mut text = format!(
        "anomalies  {}, {:.0} %; {} incidents, {} flows alerted, {} muted\n",
        safe(&told.state),
        told.progress * 100.0,
        told.incidents,
        told.alerts,
        told.muted
    );
    for outlet in &alerts.outlets {
        let lost = outlet.given_up + outlet.dropped;
        text += &format!(
            "alerts     {}: {} sent, {} waiting, {lost} lost{}\n",
            safe(&outlet.name),
            outlet.sent,
            outlet.waiting,
            if outlet.trouble.is_empty() {
                String::new()
            } else {
                format!("; {}", safe(&outlet.trouble))
            }
        );
    }
    text
}

/// The newest block, and the room that log and blocks take.
fn blocks(told: &BlocksStatus) -> String {
    let mut text = if told.last_name.is_empty() {
        "blocks     none yet".to_owned()
    } else {
        let at = moment(Timestamp(told.last_time_ns));
        format!(
            "blocks     {} up to line {}, sealed {at}; {} kept",
            safe_text(&told.last_name),
            told.last_size,
            told.kept
        )
    };
    if let Some(half) = told.seal.half_within_s() {
        text += &format!(
            "; half of {} took at most {:.0} ms, the longest {:.0} ms",
            counted(told.seal.count, "seal"),
            half * 1e3,
            told.seal.max_s * 1e3
        );
    }
    text += &format!(
        "\ndisk       log {}, {} more kept by blocks, of at most {} ({})",
        bytes(told.log_bytes),
        bytes(told.pinned_bytes),
        bytes(told.cap_bytes),
        safe_text(&told.volume)
    );
    if let (Some(left), Some(all)) = (told.days_left, told.days_at_cap) {
        text +=
            &format!("; at today's rate full in {left:.1} days, and then {all:.1} days are kept");
    }
    if told.over_bytes > 0 {
        text += &format!("; {} ABOVE THE CAP can't be given up", bytes(told.over_bytes));
    }
    text + "\n"
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate, not negative")]
fn whole(rate: f64) -> u64 {
    rate.max(0.0) as u64
}

/// Seconds for people.
pub(crate) fn span(seconds: f64) -> String {
    let s = whole(seconds);
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m {}s", s / 60, s % 60),
        3600..86_400 => format!("{}h {}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d {}h", s / 86_400, s % 86_400 / 3600),
    }
}

/// Bytes for people.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_are_told_in_the_unit_that_fits() {
        assert_eq!([bytes(0), bytes(1023), bytes(1536)], ["0 B", "1023 B", "1.5 KiB"]);
        assert_eq!(bytes(u64::MAX), "16384.0 PiB");
        assert_eq!([span(0.4), span(61.0), span(90_000.0)], ["0s", "1m 1s", "1d 1h"]);
    }

    #[test]
    fn a_ports_name_can_not_steer_the_terminal() {
        let mut standing = Standing::default();
        standing.status.bridges = vec!["br\u{1b}[2J".to_owned()];
        standing.status.ports.push(ghost_node::daemon::PortStatus {
            name: "eth\u{202e}0".to_owned(),
            ..Default::default()
        });
        standing.status.warnings.push("a\nb".to_owned());
        let text = live(&standing);
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        assert!(text.contains("a\\nb"), "{text}");
    }
}
