//! Answers as JSON lines: the head, a line a hit, and the end.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::value::RawValue;

use super::backend::Answers;
use super::counted::PartLine;
use super::wire::{AnswerHead, END, HitLine};
use crate::replicas::Merged;

/// Why an answer was not written to its end.
#[derive(Debug)]
pub(crate) enum Written {
    /// Nobody reads it any more.
    Gone,
    Failed(String),
}

impl From<io::Error> for Written {
    fn from(_: io::Error) -> Written {
        Written::Gone
    }
}

/// Writes an answer of this host.
pub(crate) fn write_answer(answers: &dyn Answers, out: &mut dyn Write) -> Result<(), Written> {
    let answer = answers.answer();
    let mut head = AnswerHead::of(answer);
    head.logs = answers.logs().to_vec();
    write_line(out, &head)?;
    for (at, hit) in answer.hits.iter().enumerate() {
        let line = answers.line(at).map_err(|e| Written::Failed(e.to_string()))?;
        let text = std::str::from_utf8(line.trim_ascii_end())
            .map_err(|e| Written::Failed(format!("line {}: {e}", hit.seq)))?;
        let event: &RawValue = serde_json::from_str(text)
            .map_err(|e| Written::Failed(format!("line {}: {e}", hit.seq)))?;
        let rank = at as u64 + 1;
        let parts = hit.parts.iter().map(PartLine::from).collect();
        let (score, why, also, from) = (hit.score, &hit.why, hit.also, answers.from(at));
        write_line(out, &HitLine { rank, score, why, also, parts, from, event })?;
    }
    out.write_all(END)?;
    Ok(out.flush()?)
}

/// Writes an answer of several replicas.
pub(crate) fn write_merged(merged: &Merged, out: &mut dyn Write) -> Result<(), Written> {
    write_line(out, &merged.head)?;
    for line in merged.lines() {
        out.write_all(&line.map_err(|e| Written::Failed(e.to_string()))?)?;
    }
    out.write_all(END)?;
    Ok(out.flush()?)
}

/// Writes a value, and a newline.
pub(crate) fn write_line(mut out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut out, value)?;
    out.write_all(b"\n")
}
