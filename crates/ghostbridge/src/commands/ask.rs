//! `query`, `flows` and what answers like them: one answer, printed in the form that was asked for.
//!
//! What was understood, what was searched and what is missing go to standard error, so that the
//! hits alone can be piped on.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use ghost_node::api::{AnswerHead, CellValue, ColumnHead, Subject, TableHead};

use crate::cli::{Flows, Place, Query};
use crate::commands::memory::{Memory, NoAnswer, Reply, question, shown};
use crate::commands::{follow, replicas};
use crate::outcome::{Done, Failed, printed, say};
use crate::render::{self, Hit, Layout, Output, Renderer, safe_text};

/// `query`.
pub(crate) fn query(place: &Place, asked: Query) -> Result<Done, Failed> {
    let mut memory = match &asked.as_of {
        None => Memory::open(place)?,
        Some(block) => Memory::as_of(place, block)?,
    };
    let layout = Layout::of_stdout(asked.output, true);
    if let Some(file) = &asked.batch {
        return batch(&mut memory, place, file, &asked, layout);
    }
    let subject = Subject::Query(asked.words.join(" "));
    let question = asked.whom.asked(question(place, subject, &asked.span, asked.limit)?);
    let question = asked.manner.asked(question, asked.output);
    let mut reply = memory.ask(&question)?;
    tell(&reply.head, asked.output == Output::Table);
    print(&mut reply, layout, None)
}

/// `flows`.
pub(crate) fn flows(place: &Place, asked: Flows) -> Result<Done, Failed> {
    if asked.follow {
        return follow::run(place, &asked);
    }
    let mut memory = Memory::open(place)?;
    let subject = Subject::Flows(asked.filters.join(" "));
    let question = asked.whom.asked(question(place, subject, &asked.span, asked.limit)?);
    let mut reply = memory.ask(&question)?;
    notes(&reply.head);
    print(&mut reply, Layout::of_stdout(asked.output, false), None)
}

/// Tells and prints an answer to any other question.
pub(crate) fn answered(reply: &mut Reply<'_>, layout: Layout) -> Result<Done, Failed> {
    tell(&reply.head, layout.output == Output::Table);
    print(reply, layout, None)
}

/// Asks every `id<TAB>words` line of `file`.
fn batch(
    memory: &mut Memory,
    place: &Place,
    file: &Path,
    asked: &Query,
    layout: Layout,
) -> Result<Done, Failed> {
    let text =
        fs::read_to_string(file).map_err(|e| Failed::new(format!("{}: {e}", file.display())))?;
    // What columns there are says the first answer.
    let mut renderer = None;
    let begin = |layout| Renderer::new(BufWriter::new(io::stdout().lock()), layout);
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
        let subject = Subject::Query(words.to_owned());
        let question = asked.whom.asked(question(place, subject, &asked.span, asked.limit)?);
        let question = asked.manner.asked(question, asked.output);
        let mut reply = match memory.ask(&question) {
            Ok(reply) => reply,
            Err(NoAnswer::Memory(failed)) => return Err(failed),
            // One question that can't be asked must not take the others with it.
            Err(NoAnswer::Question(failed)) => {
                let place = format!("{}:{}", file.display(), number + 1);
                say(format_args!(
                    "ghostbridge: {}: {}",
                    safe_text(&place),
                    safe_text(failed.message())
                ));
                failures += 1;
                continue;
            }
        };
        if std::mem::take(&mut first) {
            notes(&reply.head);
        }
        any |= reply.head.hits > 0;
        if let Some(table) = &reply.head.table {
            any |= !table.rows.is_empty();
            counted(table, layout, Some(id))?;
            continue;
        }
        let renderer = renderer.get_or_insert_with(|| begin(replicas::layout(layout, &reply.head)));
        rows(renderer, &mut reply, Some(id), true)?;
    }
    let renderer = renderer.unwrap_or_else(|| begin(layout));
    printed(renderer.finish().and_then(|mut out| out.flush()))?;
    if failures > 0 {
        return Err(Failed::usage(format!("{failures} questions could not be asked")));
    }
    Ok(if any { Done::Well } else { Done::Nothing })
}

fn print(reply: &mut Reply<'_>, layout: Layout, id: Option<&str>) -> Result<Done, Failed> {
    if let Some(table) = &reply.head.table {
        counted(table, layout, id)?;
        return Ok(if table.rows.is_empty() { Done::Nothing } else { Done::Well });
    }
    let layout = replicas::layout(layout, &reply.head);
    let mut renderer = Renderer::new(BufWriter::new(io::stdout().lock()), layout);
    rows(&mut renderer, reply, id, layout.hits)?;
    printed(renderer.finish().and_then(|mut out| out.flush()))?;
    Ok(if reply.head.hits == 0 { Done::Nothing } else { Done::Well })
}

/// Prints what was counted.
fn counted(table: &TableHead, layout: Layout, id: Option<&str>) -> Result<(), Failed> {
    let mut table = table.clone();
    if let Some(id) = id {
        let (name, unit) = ("query_id".to_owned(), "text".to_owned());
        table.columns.push(ColumnHead { name, unit });
        table.rows.iter_mut().for_each(|row| row.push(CellValue::Text(id.to_owned())));
    }
    if !table.told.is_empty() {
        say(format_args!("counted: {}", safe_text(&table.told)));
    }
    match render::counted(&mut BufWriter::new(io::stdout().lock()), &table, layout) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Ok(false) => Err(Failed::usage(
            "eve and zeek are forms of events: what is counted is printed by -o table, json, \
             jsonl or csv",
        )),
        result => printed(result.map(drop)),
    }
}

/// Renders every hit; a reader that went away ends it.
fn rows<W: Write>(
    renderer: &mut Renderer<W>,
    reply: &mut Reply<'_>,
    id: Option<&str>,
    scored: bool,
) -> Result<(), Failed> {
    let mut rank = 0;
    while let Some(found) = reply.next()? {
        rank += 1;
        let (score, why, also, parts) = (found.score, &found.why, found.also, &found.parts);
        let hit = Hit { score, why, rank, query_id: id, also, parts };
        match renderer.row(&replicas::line(&found), scored.then_some(hit)) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            result => printed(result)?,
        }
    }
    Ok(())
}

/// Says what was understood, where it was looked, and what is missing.
fn tell(head: &AnswerHead, in_full: bool) {
    say(format_args!("understood: {}", safe_text(&head.understood)));
    if in_full {
        let searched = &head.searched;
        let span = match (searched.from, searched.until) {
            (Some(from), Some(until)) => format!(", from {} to {}", shown(from), shown(until)),
            _ => String::new(),
        };
        say(format_args!(
            "searched: {} events of {} shapes{span}; {} meet the conditions",
            searched.events, searched.shapes, searched.matched
        ));
    }
    notes(head);
}

/// Says what the reader of an answer must know.
pub(crate) fn notes(head: &AnswerHead) {
    replicas::tell(head);
    for note in &head.notes {
        say(format_args!("note: {}", safe_text(note)));
    }
}
