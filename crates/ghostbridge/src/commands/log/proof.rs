//! `log prove`, `log check-proof`, `log consistency`, `log tiles`.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use ghost_node::Timestamp;
use ghost_node::proofs::{
    self, Bundle, Digest, PROOF_BYTES_MAX, Signing, VerifyingKey, check_consistency,
};
use serde_json::{Value, json};

use super::trust;
use super::verify::log_of;
use crate::cli::{CheckProof, Consistency, Place, Prove, VerdictFormat};
use crate::commands::log::print_json;
use crate::commands::memory::{moment, stamp};
use crate::outcome::{Done, Failed, printed, say};
use crate::render::safe_text;

pub(super) fn prove(place: &Place, asked: &Prove) -> Result<Done, Failed> {
    let log = log_of(place, asked.place.as_deref())?;
    let bundle = log.prove(asked.seq).map_err(Failed::caused)?;
    let text = bundle.to_string();
    match &asked.out {
        None => printed(io::stdout().write_all(text.as_bytes()))?,
        Some(path) => {
            write(path, text.as_bytes())?;
            let told = &bundle.checkpoint.checkpoint;
            say(format_args!(
                "{}: line {} under the checkpoint of {} lines of {}",
                path.display(),
                asked.seq,
                told.size,
                safe_text(&told.origin)
            ));
        }
    }
    Ok(Done::Well)
}

pub(super) fn check(asked: &CheckProof) -> Result<Done, Failed> {
    let keys = trust::keys(&asked.keys)?;
    let witnesses = trust::witnesses(&asked.witnesses)?;
    let bytes = trust::read(&asked.file, PROOF_BYTES_MAX as u64 + 1)?;
    let name = asked.file.display();
    let bundle = Bundle::parse(&bytes).map_err(|e| Failed::new(format!("{name}: {e}")))?;
    let checked = checked(&bundle, &keys, &witnesses);
    let told = &bundle.checkpoint.checkpoint;
    let line = bundle.extra.as_deref().map(String::from_utf8_lossy);
    match asked.output {
        VerdictFormat::Json => print_json(&json!({
            "ok": checked.is_ok(),
            "error": checked.as_ref().err().map(Wrong::object),
            "seq": bundle.index.saturating_add(1),
            "size": told.size,
            "root": told.root.to_string(),
            "origin": told.origin,
            "key": checked.as_ref().ok().map(|right| right.key.id.to_string()),
            "witnessed": checked.as_ref().ok().map(|right| {
                right.witnessed.iter().map(|(key, at)| {
                    json!({"key": key.id.to_string(), "name": key.name, "at": stamp(*at)})
                }).collect::<Vec<Value>>()
            }),
            "line": line,
        }))?,
        VerdictFormat::Table => {
            let text = match &checked {
                Ok(right) => {
                    let mut text = format!(
                        "ok: line {} is one of the {} lines of {} that key {} signed\n",
                        bundle.index + 1,
                        told.size,
                        safe_text(&told.origin),
                        right.key.id
                    );
                    for (key, at) in &right.witnessed {
                        text += &format!(
                            "witnessed: by {} (key {}), who saw it at {}\n",
                            safe_text(&key.name),
                            key.id,
                            moment(*at)
                        );
                    }
                    text
                }
                Err(wrong) => format!("NOT PROVEN: {}\n", safe_text(&wrong.message)),
            };
            let line = line.filter(|_| checked.is_ok()).map_or(String::new(), |line| {
                format!("{}\n", safe_text(line.trim_end_matches('\n')))
            });
            printed(io::stdout().write_all((text + &line).as_bytes()))?;
        }
    }
    Ok(if checked.is_ok() { Done::Well } else { Done::Nothing })
}

/// Who vouches for a proof that holds.
struct Right<'a> {
    key: &'a VerifyingKey,
    witnessed: Vec<(&'a VerifyingKey, Timestamp)>,
}

/// Why one does not.
struct Wrong {
    kind: &'static str,
    message: String,
}

impl Wrong {
    fn new(kind: &'static str, message: impl Into<String>) -> Wrong {
        Wrong { kind, message: message.into() }
    }

    fn object(&self) -> Value {
        json!({"kind": self.kind, "message": self.message})
    }
}

fn checked<'a>(
    bundle: &Bundle,
    keys: &'a [VerifyingKey],
    witnesses: &'a [VerifyingKey],
) -> Result<Right<'a>, Wrong> {
    let signed = &bundle.checkpoint;
    let false_name = |key: &VerifyingKey| {
        Wrong::new(
            "wrong_signature",
            format!("a signature in the name of key {} ({}) is not by it", key.id, key.name),
        )
    };
    let mut signer = None;
    for key in keys {
        match signed.signing_of(key) {
            Signing::Right(()) => signer = signer.or(Some(key)),
            Signing::Wrong => return Err(false_name(key)),
            Signing::Absent => {}
        }
    }
    let key = signer.ok_or_else(|| {
        let names: Vec<String> =
            signed.note.signatures.iter().map(|s| format!("{} ({})", s.id, s.name)).collect();
        Wrong::new(
            "unknown_key",
            format!("none of the given keys signed the checkpoint; it bears {}", names.join(", ")),
        )
    })?;
    let mut witnessed = Vec::new();
    for witness in witnesses {
        match signed.cosigning_of(witness) {
            Signing::Right(time_s) => {
                let ns = i64::try_from(time_s).ok().and_then(|s| s.checked_mul(1_000_000_000));
                witnessed.push((witness, Timestamp(ns.unwrap_or(i64::MAX))));
            }
            Signing::Wrong => return Err(false_name(witness)),
            Signing::Absent => {
                return Err(Wrong::new(
                    "not_witnessed",
                    format!("witness {} ({}) did not cosign it", witness.id, witness.name),
                ));
            }
        }
    }
    let Some(line) = &bundle.extra else {
        return Err(Wrong::new("no_line", "the proof holds no line, so there is nothing to prove"));
    };
    bundle.includes(line).map_err(|e| Wrong::new("not_included", e.to_string()))?;
    // A tree says where a leaf stands; that the line says the same of itself is our own promise.
    match proofs::seq_of(line) {
        Some(seq) if seq == bundle.index.saturating_add(1) => Ok(Right { key, witnessed }),
        Some(seq) => Err(Wrong::new(
            "misnumbered",
            format!("the line calls itself {seq} and stands at {}", bundle.index.saturating_add(1)),
        )),
        None => Err(Wrong::new("no_line", "what was proven is no line of a log")),
    }
}

/// One side of a comparison.
struct Side {
    what: String,
    size: u64,
    /// As the checkpoint tells it; of a bare size the log is asked.
    root: Option<Digest>,
}

fn side(log: &proofs::Place, word: &str) -> Result<Side, Failed> {
    if let Ok(size) = word.parse::<u64>() {
        return Ok(Side { what: format!("the first {size} lines"), size, root: None });
    }
    let signed = match word.strip_prefix("block:").map(str::parse::<u64>) {
        Some(Ok(block)) => log.checkpoint_of(block).map_err(Failed::caused)?,
        Some(Err(_)) => {
            return Err(Failed::usage(format!("{word}: expected block:N with the block's number")));
        }
        None if word != "-" && !Path::new(word).exists() => {
            return Err(Failed::usage(format!(
                "{word}: expected a size, block:N, or a file that holds a checkpoint"
            )));
        }
        None => trust::checkpoint(Path::new(word))?,
    };
    let told = signed.checkpoint;
    Ok(Side {
        what: format!("{word}, a checkpoint of {} lines of {}", told.size, told.origin),
        size: told.size,
        root: Some(told.root),
    })
}

pub(super) fn consistency(place: &Place, asked: &Consistency) -> Result<Done, Failed> {
    let log = log_of(place, None)?;
    let (old, new) = (side(&log, &asked.old)?, side(&log, &asked.new)?);
    let made = log.continued(old.size, new.size).map_err(Failed::caused)?;
    // What each side tells of itself counts; the log only brings the hashes between them.
    let old_root = old.root.unwrap_or(made.old_root);
    let new_root = new.root.unwrap_or(made.new_root);
    let verdict = check_consistency(old.size, &old_root, new.size, &new_root, &made.path);
    match asked.output {
        VerdictFormat::Json => print_json(&json!({
            "ok": verdict.is_ok(),
            "error": verdict.err().map(|e| e.to_string()),
            "old": {"size": old.size, "root": old_root.to_string()},
            "new": {"size": new.size, "root": new_root.to_string()},
            "proof": made.path.iter().map(Digest::to_string).collect::<Vec<String>>(),
        }))?,
        VerdictFormat::Table => {
            let (newer, older) = (safe_text(&new.what), safe_text(&old.what));
            let mut text = match verdict {
                Ok(()) => format!("ok: B ({newer}) begins with A ({older})\n"),
                Err(e) => {
                    format!("NOT CONSISTENT: B ({newer}) does not begin with A ({older}): {e}\n")
                }
            };
            for hash in &made.path {
                text += &format!("{hash}\n");
            }
            printed(io::stdout().write_all(text.as_bytes()))?;
        }
    }
    Ok(if verdict.is_ok() { Done::Well } else { Done::Nothing })
}

pub(super) fn tiles(place: &Place, out: &Path) -> Result<Done, Failed> {
    let log = log_of(place, None)?;
    let tiled = log.write_tiles(out).map_err(Failed::caused)?;
    printed(writeln!(io::stdout(), "{}: {tiled}", out.display()))?;
    Ok(Done::Well)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failed> {
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .and_then(|mut file| file.write_all(bytes));
    written.map_err(|e| match e.kind() {
        io::ErrorKind::PermissionDenied => Failed::permission(format!("{}: {e}", path.display())),
        _ => Failed::new(format!("{}: {e}", path.display())),
    })
}
