//! `index`: made anew from the log, or told how it is.

use std::path::PathBuf;

use ghost_node::adopt::{adopt, data_folder_of};
use ghost_node::replicas::held_index;
use ghost_node::store;
use serde_json::json;

use crate::cli::{Place, VerdictFormat};
use crate::commands::log::print_json;
use crate::commands::memory;
use crate::outcome::{Done, Failed, printed, say};
use crate::render::safe_text;

/// `index rebuild`.
pub(crate) fn rebuild(place: &Place, from: Option<PathBuf>) -> Result<Done, Failed> {
    let mut data = place.data();
    match from {
        None => data = place.data_with_log()?,
        Some(from) => match data_folder_of(&from) {
            // The log of a data folder: its index is made anew where it is.
            Some(folder) if place.chosen().is_none() => data = folder,
            Some(folder) if same(&folder, &data) => {}
            _ => adopt(&from, &data).map_err(Failed::caused)?,
        },
    }
    let status = store::rebuild(&data).map_err(memory::failed)?;
    say(format_args!(
        "indexed {} events and {} shapes up to line {} of {}; no vector was made anew",
        status.events,
        status.shapes,
        status.indexed_to,
        data.root().display()
    ));
    Ok(Done::Well)
}

fn same(a: &ghost_node::DataDir, b: &ghost_node::DataDir) -> bool {
    let real = |d: &ghost_node::DataDir| d.root().canonicalize().ok();
    real(a).is_some() && real(a) == real(b)
}

/// `index status`.
pub(crate) fn status(
    place: &Place,
    log: Option<&str>,
    output: VerdictFormat,
) -> Result<Done, Failed> {
    let (status, tail_events, digest) = match log {
        None => {
            let store = memory::open_files(place)?;
            let digest = store.content_digest().map_err(memory::failed)?;
            (store.index_status(), store.tail_events(), digest)
        }
        Some(name) => {
            let held = held_index(&place.data_with_log()?, name).map_err(memory::failed)?;
            held.notes.iter().for_each(|note| say(format_args!("note: {}", safe_text(note))));
            (held.status, held.tail_events, held.digest)
        }
    };
    match output {
        VerdictFormat::Json => print_json(&json!({
            "events": status.events,
            "shapes": status.shapes,
            "shapes_refined": status.shapes_refined,
            "indexed_to": status.indexed_to,
            "not_indexed_events": tail_events,
            "partitions": status.partitions,
            "damaged": status.damaged,
            "content_digest": digest,
        }))?,
        VerdictFormat::Table => printed(print_table(&status, tail_events, &digest))?,
    }
    Ok(if status.damaged.is_empty() { Done::Well } else { Done::Nothing })
}

fn print_table(status: &store::Status, tail_events: u64, digest: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "events          {}", status.events)?;
    writeln!(
        out,
        "shapes          {} ({} refined by the full model)",
        status.shapes, status.shapes_refined
    )?;
    writeln!(out, "up to line      {} ({tail_events} events behind it)", status.indexed_to)?;
    writeln!(out, "partitions      {}", status.partitions)?;
    writeln!(out, "content digest  {digest}")?;
    for damage in &status.damaged {
        writeln!(out, "damaged         {damage}")?;
    }
    Ok(())
}
