//! `log verify`: what was proven, by whom, and what was not.

use std::io::{self, Write};

use ghost_node::proofs::{self, Authority, Proven, Unproven, Verdict, VerifyOptions};
use serde_json::{Value, json};

use super::trust;
use crate::cli::{Place, VerdictFormat, Verify};
use crate::commands::log::print_json;
use crate::commands::memory::stamp;
use crate::outcome::{Done, Failed, printed};
use crate::render::safe_text;

pub(super) fn run(place: &Place, asked: &Verify) -> Result<Done, Failed> {
    let (against, witnesses) = match &asked.replica {
        Some(name) => {
            let (note, key) = cosigned(place, name)?;
            (Some(note), vec![key])
        }
        None => (asked.against.clone(), asked.witnesses.clone()),
    };
    let options = VerifyOptions {
        against: against.as_deref().map(trust::against).transpose()?,
        keys: trust::keys(&asked.keys)?,
        witnesses: trust::witnesses(&witnesses)?,
        without_state: false,
    };
    let log = log_of(place, asked.place.as_deref())?;
    let verdict = log.verify(&options).map_err(Failed::caused)?;
    match asked.output {
        VerdictFormat::Table => printed(io::stdout().write_all(table(&verdict).as_bytes()))?,
        VerdictFormat::Json => print_json(&object(&verdict))?,
    }
    Ok(if verdict.ok() { Done::Well } else { Done::Nothing })
}

/// Where the checkpoint lies that a replica cosigned last, and its key.
fn cosigned(place: &Place, name: &str) -> Result<(String, String), Failed> {
    let found = ghost_node::daemon::cosigned_by(&place.data_with_log()?, name);
    let (path, key) = found.ok_or_else(|| {
        Failed::new(format!(
            "replica {name} has cosigned nothing yet; `ghostbridge replica status` tells how it stands"
        ))
    })?;
    Ok((path.display().to_string(), key))
}

/// The log that a word names, or the data folder's.
pub(super) fn log_of(place: &Place, word: Option<&str>) -> Result<proofs::Place, Failed> {
    match word {
        None => Ok(proofs::Place::of(&place.data_with_log()?)),
        Some(word) => proofs::Place::named(&place.asked(), word).map_err(Failed::caused),
    }
}

fn table(verdict: &Verdict) -> String {
    let mut text = String::new();
    let mut line = |label: &str, words: &str| {
        text += &format!("{label}: {}\n", safe_text(words));
    };
    if verdict.ok() {
        line("ok", &verdict.to_string());
    }
    for wrong in verdict.wrong() {
        line("DAMAGED", &wrong);
    }
    if verdict.findings_left_out > 0 {
        line("DAMAGED", &format!("and {} findings more", verdict.findings_left_out));
    }
    if verdict.lines > 0 {
        line("head", &verdict.head.to_string());
    }
    if let Some(signed) = &verdict.signed {
        line("signed", &signed.to_string());
    }
    for witnessed in &verdict.witnessed {
        line("witnessed", &witnessed.to_string());
    }
    if verdict.checkpoints > 0 {
        let words = format!(
            "{} checkpoints and {} tiles agree with the lines",
            verdict.checkpoints, verdict.tiles
        );
        line("checked", &words);
    }
    for open in verdict.unproven() {
        line("not proven", &open.to_string());
    }
    text
}

fn object(verdict: &Verdict) -> Value {
    let damage = verdict.damage.as_ref().map(|damage| {
        json!({
            "kind": damage.kind.name(),
            "message": damage.to_string(),
            "seq": damage.seq,
            "segment": damage.segment,
            "line": damage.line,
            "byte": damage.byte,
            "event_type": verdict.altered,
        })
    });
    let findings: Vec<Value> = verdict
        .findings
        .iter()
        .map(|finding| json!({"kind": finding.name(), "message": finding.to_string()}))
        .collect();
    let signed = verdict.signed.as_ref().map(|signed| {
        json!({
            "key": signed.key.to_string(),
            "name": signed.name,
            "authority": authority(signed.authority),
            "vouched": signed.vouched,
            "seq": signed.seq,
            "time": signed.time.map(stamp),
        })
    });
    let witnessed: Vec<Value> = verdict
        .witnessed
        .iter()
        .map(|w| {
            json!({
                "key": w.key.to_string(),
                "name": w.name,
                "seq": w.seq,
                "at": stamp(w.at),
                "time": w.time.map(stamp),
            })
        })
        .collect();
    let unproven: Vec<Value> = verdict.unproven().iter().map(open).collect();
    json!({
        "ok": verdict.ok(),
        "verdict": verdict.to_string(),
        "damage": damage,
        "findings": findings,
        "findings_left_out": verdict.findings_left_out,
        "lines": verdict.lines,
        "bytes": verdict.bytes,
        "segments": verdict.segments,
        "first_seq": verdict.first_seq,
        "last_seq": verdict.head.seq,
        "head": verdict.head.to_string(),
        "root": verdict.root.map(|root| root.to_string()),
        "log_id": verdict.log_id,
        "epoch": verdict.epoch,
        "checkpoints": verdict.checkpoints,
        "tiles": verdict.tiles,
        "signed": signed,
        "witnessed": witnessed,
        "unproven": unproven,
        "proven": match verdict.proven {
            Proven::Nothing => "nothing",
            Proven::ButLast => "all but the last line",
            Proven::ByState => "all lines, by the writer's own head",
            Proven::ByCheckpoint => "all lines, by the log's own checkpoint",
            Proven::ByGivenHead => "all lines, by the given head",
        },
    })
}

fn open(open: &Unproven) -> Value {
    let (from, to) = match open {
        Unproven::Tail { from, to } | Unproven::NotWitnessed { from, to } => {
            (Some(*from), Some(*to))
        }
        Unproven::Retired { to } => (Some(1), Some(*to)),
        _ => (None, None),
    };
    json!({"kind": open.name(), "from": from, "to": to, "message": open.to_string()})
}

fn authority(authority: Authority) -> Value {
    match authority {
        Authority::Given => json!({"kind": "given"}),
        Authority::First { seq } => json!({"kind": "first", "seq": seq}),
        Authority::Successor { of, seq } => {
            json!({"kind": "successor", "of": of.to_string(), "seq": seq})
        }
        Authority::Nobody { seq } => json!({"kind": "nobody", "seq": seq}),
    }
}
