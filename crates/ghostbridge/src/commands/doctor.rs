//! `doctor`: everything that the program needs, looked at one by one.

use std::fs;
use std::io::{self, Write};

use ghost_node::store;

use crate::cli::Place;
use crate::outcome::{Done, Failed, printed};
use crate::render::safe_text;

/// Runs the checks; prints `ok`, `note` or `bad` and what to do.
pub(crate) fn run(place: &Place) -> Result<Done, Failed> {
    let mut bad = false;
    let mut out = io::stdout().lock();
    let mut tell = |word: &str, what: String| {
        bad |= word == "bad";
        printed(writeln!(out, "{word:<5} {}", safe_text(&what)))
    };
    match store::check_model(&place.models()) {
        Ok((dir, id)) => tell("ok", format!("full model {id} in {}", dir.display()))?,
        Err(error) => tell(
            "note",
            format!("{error}; events get their fast vectors, and words are matched without it"),
        )?,
    }
    let data = place.data();
    let root = data.root();
    match writable(root) {
        Ok(()) => tell("ok", format!("data folder {} can be written", root.display()))?,
        Err(error) => tell(
            "bad",
            format!("data folder {}: {error}; choose another with --data-dir", root.display()),
        )?,
    }
    if root.join("log").is_dir() {
        match store::log_stats(&data) {
            Ok(stats) => tell("ok", format!("log of {} lines can be read", stats.lines))?,
            Err(error) => tell("bad", error.to_string())?,
        }
        match crate::commands::ask::open(place) {
            Ok(memory) if memory.index_status().damaged.is_empty() => {
                tell("ok", format!("index up to line {}", memory.index_status().indexed_to))?;
            }
            Ok(memory) => tell(
                "bad",
                format!(
                    "{}; run `ghostbridge index rebuild`",
                    memory.index_status().damaged.join("; ")
                ),
            )?,
            Err(error) => tell("bad", error.message().to_owned())?,
        }
    } else {
        tell("note", "nothing is remembered yet; run `ghostbridge import FILE`".to_owned())?;
    }
    match place.tags() {
        Ok(tags) => tell("ok", format!("{} tags", tags.tags.len()))?,
        Err(error) => tell("bad", error.message().to_owned())?,
    }
    Ok(if bad { Done::Nothing } else { Done::Well })
}

/// Whether files can be made in `dir`, or the folder itself in the nearest one that exists.
fn writable(dir: &std::path::Path) -> io::Result<()> {
    let mut there = dir;
    while !there.exists() {
        match there.parent() {
            Some(parent) if parent != std::path::Path::new("") => there = parent,
            _ => break,
        }
    }
    let probe = there.join(format!(".ghostbridge-doctor-{}", std::process::id()));
    fs::write(&probe, b"")?;
    fs::remove_file(probe)
}
