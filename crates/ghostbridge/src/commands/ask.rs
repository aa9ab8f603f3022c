//! `query`, `flows` and `similar`: one answer, printed in the form that was asked for.
//!
//! What was understood, what was searched and what is missing go to standard error, so that the
//! hits alone can be piped on.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use ghost_node::Timestamp;
use ghost_node::store::{Answer, Limits, QueryError, Store, StoreError};
use jiff::Zoned;

use crate::cli::{Flows, Place, Query, Similar, Span};
use crate::host;
use crate::outcome::{Done, Failed, printed, say};
use crate::render::{Hit, Layout, Output, Renderer, safe_text};

/// `query`.
pub(crate) fn query(place: &Place, asked: Query) -> Result<Done, Failed> {
    let mut store = open(place)?;
    let limits = limits(&asked.span, asked.limit);
    let layout = Layout::of_stdout(asked.output, true);
    if let Some(file) = asked.batch {
        return batch(&mut store, &file, &limits, layout);
    }
    let answer = store.query(&asked.words.join(" "), &limits).map_err(failed)?;
    tell(&answer, asked.output == Output::Table);
    print(&store, &answer, layout, None)
}

/// `flows`.
pub(crate) fn flows(place: &Place, asked: Flows) -> Result<Done, Failed> {
    let store = open(place)?;
    let answer =
        store.flows(&asked.filters.join(" "), &limits(&asked.span, asked.limit)).map_err(failed)?;
    notes(&answer);
    print(&store, &answer, Layout::of_stdout(asked.output, false), None)
}

/// `similar`.
pub(crate) fn similar(place: &Place, asked: Similar) -> Result<Done, Failed> {
    let by_number = asked.to.bytes().all(|b| b.is_ascii_digit());
    if !by_number && !asked.to.starts_with("1:") {
        return Err(Failed::usage(format!(
            "{}: expected the sequence number of an event (ghost.seq) or a Community ID (1:…)",
            asked.to
        )));
    }
    let store = open(place)?;
    let limits = Limits { hits: asked.limit, ..Limits::default() };
    let answer = store.similar(&asked.to, &limits).map_err(failed)?;
    tell(&answer, asked.output == Output::Table);
    print(&store, &answer, Layout::of_stdout(asked.output, true), None)
}

/// Asks every `id<TAB>words` line of `file`.
fn batch(store: &mut Store, file: &Path, limits: &Limits, layout: Layout) -> Result<Done, Failed> {
    let text =
        fs::read_to_string(file).map_err(|e| Failed::new(format!("{}: {e}", file.display())))?;
    let mut renderer = Renderer::new(BufWriter::new(io::stdout().lock()), layout);
    let (mut any, mut first, mut failures) = (false, true, 0_u64);
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let Some((id, words)) = line.split_once('\t') else {
            return Err(Failed::usage(format!(
                "{}:{}: expected id<TAB>words",
                file.display(),
                number + 1
            )));
        };
        let answer = match store.query(words, limits) {
            Ok(answer) => answer,
            // One question that can't be asked must not take the others with it.
            Err(
                error @ (StoreError::Query(QueryError::Index(_))
                | StoreError::Log(_)
                | StoreError::Index(_)),
            ) => return Err(failed(error)),
            Err(error) => {
                let place = format!("{}:{}", file.display(), number + 1);
                say(format_args!(
                    "ghostbridge: {}: {}",
                    safe_text(&place),
                    safe_text(&error.to_string())
                ));
                failures += 1;
                continue;
            }
        };
        if std::mem::take(&mut first) {
            notes(&answer);
        }
        any |= !answer.hits.is_empty();
        rows(&mut renderer, store, &answer, Some(id), true)?;
    }
    printed(renderer.finish().and_then(|mut out| out.flush()))?;
    if failures > 0 {
        return Err(Failed::usage(format!("{failures} questions could not be asked")));
    }
    Ok(if any { Done::Well } else { Done::Nothing })
}

fn print(store: &Store, answer: &Answer, layout: Layout, id: Option<&str>) -> Result<Done, Failed> {
    let mut renderer = Renderer::new(BufWriter::new(io::stdout().lock()), layout);
    rows(&mut renderer, store, answer, id, layout.hits)?;
    printed(renderer.finish().and_then(|mut out| out.flush()))?;
    Ok(if answer.hits.is_empty() { Done::Nothing } else { Done::Well })
}

fn rows<W: Write>(
    renderer: &mut Renderer<W>,
    store: &Store,
    answer: &Answer,
    id: Option<&str>,
    scored: bool,
) -> Result<(), Failed> {
    for (at, hit) in answer.hits.iter().enumerate() {
        let line = store.read(hit.position).map_err(Failed::caused)?;
        let hit = Hit { score: hit.score, why: &hit.why, rank: at + 1, query_id: id };
        match renderer.row(&line, scored.then_some(hit)) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            result => printed(result)?,
        }
    }
    Ok(())
}

/// Says what was understood, where it was looked, and what is missing.
fn tell(answer: &Answer, in_full: bool) {
    say(format_args!("understood: {}", safe_text(&answer.understood)));
    if in_full {
        let searched = &answer.searched;
        let span = match searched.span {
            Some((from, until)) => format!(", from {} to {}", moment(from), moment(until)),
            None => String::new(),
        };
        say(format_args!(
            "searched: {} events of {} shapes{span}; {} meet the conditions",
            searched.events, searched.shapes, searched.matched
        ));
    }
    notes(answer);
}

fn notes(answer: &Answer) {
    for note in &answer.notes {
        say(format_args!("note: {}", safe_text(note)));
    }
}

/// The moment as programs read it (RFC 3339).
pub(crate) fn stamp(at: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(at.0.into())
        .map_or_else(|_| at.0.to_string(), |t| t.to_string())
}

pub(crate) fn moment(at: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(at.0.into())
        .map_or_else(|_| at.0.to_string(), |t| t.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn limits(span: &Span, hits: usize) -> Limits {
    Limits {
        since: span.last.clone().or_else(|| span.since.clone()),
        until: span.until.clone(),
        hits,
        ..Limits::default()
    }
}

pub(crate) fn open(place: &Place) -> Result<Store, Failed> {
    let data = place.data_with_log()?;
    Store::open(&data, &place.tags()?, place.models(), now()).map_err(failed)
}

fn now() -> Zoned {
    let utc = jiff::Timestamp::from_nanosecond(host::now().0.into()).unwrap_or_default();
    utc.to_zoned(jiff::tz::TimeZone::system())
}

pub(crate) fn failed(error: StoreError) -> Failed {
    match error {
        StoreError::Query(QueryError::NoEvent(_)) => Failed::new(error),
        StoreError::Query(QueryError::Index(_)) => Failed::caused(error),
        StoreError::Query(_) | StoreError::NotAFilter(_) => Failed::usage(error),
        error => Failed::caused(error),
    }
}
