//! `replica list` and `replica status`: who keeps this host's log, and how far they are.
//!
//! From the daemon where one runs; else what was remembered when it ended.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use ghost_node::Timestamp;
use ghost_node::api::ReplicasAsk;
use ghost_node::daemon::{ReplicaStatus, replicas_known};
use serde_json::Value;

use crate::cli::{ListFormat, Place};
use crate::commands::memory::{daemon, moment, unanswered};
use crate::commands::status::bytes;
use crate::outcome::{Done, Failed, printed, say};
use crate::render::{safe_json, safe_text as safe};

/// How replicas are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A row each.
    Rows,
    /// All that is known.
    Whole,
    Json,
    Jsonl,
}

/// Lists all, or tells everything of some.
pub(super) fn run(
    place: &Place,
    name: Option<&str>,
    output: ListFormat,
    whole: bool,
) -> Result<Done, Failed> {
    let mut all = known(place)?;
    if let Some(name) = name {
        all.retain(|replica| replica.name == name);
        if all.is_empty() {
            return Err(Failed::new(format!(
                "there is no replica {name}; `ghostbridge replica list` shows them"
            )));
        }
    }
    let form = match output {
        ListFormat::Json => Form::Json,
        ListFormat::Jsonl => Form::Jsonl,
        ListFormat::Table if whole => Form::Whole,
        ListFormat::Table => Form::Rows,
    };
    print(&all, form)?;
    Ok(if all.is_empty() { Done::Nothing } else { Done::Well })
}

fn known(place: &Place) -> Result<Vec<ReplicaStatus>, Failed> {
    if let Some(mut client) = daemon(place)? {
        let told = client.replicas(&ReplicasAsk::List).map_err(unanswered)?;
        return Ok(told.replicas.unwrap_or_default());
    }
    let (all, unread) = replicas_known(&place.asked());
    unread.iter().for_each(|told| say(safe(told)));
    if !all.is_empty() {
        say("no daemon runs: this is what was remembered");
    }
    Ok(all)
}

/// Prints them.
pub(super) fn print(all: &[ReplicaStatus], form: Form) -> Result<(), Failed> {
    let mut out = io::stdout().lock();
    let value = |r: &ReplicaStatus| serde_json::to_value(r).unwrap_or_default();
    let written = match form {
        Form::Json => {
            let all: Vec<Value> = all.iter().map(value).collect();
            writeln!(out, "{}", safe_json(&Value::from(all)))
        }
        Form::Jsonl => all.iter().try_for_each(|r| writeln!(out, "{}", safe_json(&value(r)))),
        Form::Rows => out.write_all(rows(all).as_bytes()),
        Form::Whole => {
            let texts: Vec<String> = all.iter().map(whole).collect();
            out.write_all(texts.join("\n").as_bytes())
        }
    };
    printed(written.and_then(|()| out.flush()))
}

fn rows(all: &[ReplicaStatus]) -> String {
    let mut text = String::new();
    if !all.is_empty() {
        let _ = writeln!(
            text,
            "{:<16} {:<10} {:<9} {:>12} {:>10} {:>9}  address",
            "replica", "state", "health", "lines", "lacks", "behind"
        );
    }
    for r in all {
        let _ = writeln!(
            text,
            "{:<16} {:<10} {:<9} {:>12} {:>10} {:>9}  {}",
            r.name,
            safe(&r.state),
            safe(&r.health),
            r.held,
            r.lag_events,
            format!("{:.1} s", r.lag_s),
            safe(&r.address)
        );
    }
    text
}

fn when(ns: i64) -> String {
    if ns > 0 { moment(Timestamp(ns)) } else { "never".to_owned() }
}

fn whole(r: &ReplicaStatus) -> String {
    let mut text = String::new();
    let mut put = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(text, "{name:<10} {value}");
        }
    };
    put("replica", format!("{} ({})", r.name, safe(&r.address)));
    let both = r.health.is_empty() || r.health == r.state;
    put(
        "state",
        if both {
            safe(&r.state).to_string()
        } else {
            format!("{}, {}", safe(&r.state), safe(&r.health))
        },
    );
    if !r.identity.is_empty() {
        put("host", format!("{} ({})", safe(&r.identity), safe(&r.program)));
    }
    if !r.refused.is_empty() {
        put("refused", format!("{}: {}", safe(&r.refused), safe(&r.refused_words)));
    }
    let known = r.state != "unknown";
    let lacks = match r.lag_events {
        _ if !known => "what it lacks is not known now".to_owned(),
        0 => "everything that is durable".to_owned(),
        n => format!("lacks {n} lines, about {}, {:.1} s", bytes(r.lag_bytes), r.lag_s),
    };
    put("holds", format!("{} lines; {lacks}", r.held));
    put(
        "verified",
        match r.verified_block {
            0 => "no block yet".to_owned(),
            n => format!("block {n}, {} lines, {}", r.verified_size, when(r.verified_ns)),
        },
    );
    if r.cosigned_size > 0 {
        put("cosigned", format!("{} lines, {}", r.cosigned_size, when(r.cosigned_ns)));
    }
    put("key", safe(&r.cosigning_key).to_string());
    if r.sending_block > 0 {
        let from = match r.sending_parent {
            0 => "all of it".to_owned(),
            parent => format!("from block {parent}"),
        };
        let sent = bytes(r.sending_bytes);
        put("sending", format!("block {} ({from}), {sent} so far", r.sending_block));
    }
    if !r.waits.is_empty() {
        put("waits", safe(&r.waits).to_string());
    }
    if let Some(rate) = r.bandwidth_bytes_per_s {
        let trip = r.round_trip_us.unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds for people")]
        let trip_ms = trip as f64 / 1000.0;
        put("link", format!("{}/s, {trip_ms:.1} ms there and back", bytes(rate)));
    }
    if r.total_bytes > 0 {
        put("room", format!("{} of {} free", bytes(r.free_bytes), bytes(r.total_bytes)));
    }
    put(
        "sent",
        format!(
            "{}, {} lines ahead of blocks, {} blocks ({} whole)",
            bytes(r.sent_bytes),
            r.tail_lines,
            r.blocks_sent,
            r.blocks_whole
        ),
    );
    if r.failures > 0 || !r.last_failure.is_empty() {
        let (n, at) = (r.failures, when(r.last_failure_ns));
        put("failures", format!("{n}; {at}: {}", safe(&r.last_failure)));
    }
    put("success", when(r.last_success_ns));
    let limit = r.rate_limit.map(|rate| format!("{}/s", bytes(rate)));
    let quiet = (!r.quiet.is_empty()).then(|| format!("quiet {}", safe(&r.quiet)));
    put("limits", limit.into_iter().chain(quiet).collect::<Vec<_>>().join(", "));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_host_says_of_itself_can_steer_no_terminal() {
        let hostile = "\u{1b}]0;x\u{7}\u{202e}".to_owned();
        let replica = ReplicaStatus {
            name: "cellar".into(),
            identity: hostile.clone(),
            program: hostile.clone(),
            refused: "fork".into(),
            refused_words: hostile.clone(),
            last_failure: hostile,
            cosigning_key: "w+1+2".into(),
            verified_block: 3,
            cosigned_size: 9,
            ..ReplicaStatus::default()
        };
        for text in [whole(&replica), rows(&[replica])] {
            assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
            assert!(text.contains("cellar"));
        }
    }
}
