//! What a million flow events take on disk.
//!
//! Captures are imported by the real program onto a btrfs of its own, again and again, each time as
//! of another network on another day (`again`), until there are a million flow events. Divided by
//! them is all that the folder holds: shapes with their vectors, notes and what else the log tells
//! of itself. The naive log beside it is the same events as plain JSON, each with its vector as a
//! list of floats.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use ghost_lab::LoopFs;
use serde_json::Value;

use super::again::again;
use crate::bench::Row;
use crate::sh::{self, Outcome, cargo, command};
use crate::{fixtures, setup};

const EVENTS: u64 = 1_000_000;
/// Events of which the naive log is written.
const SAMPLE: usize = 20_000;
const IMAGE_BYTES: u64 = 6 << 30;

pub(super) fn rows(file: Option<&str>) -> Outcome<Vec<Row>> {
    if !sh::have("compsize") {
        setup::install(&["btrfs-compsize"])?;
    }
    if let Some(why) = LoopFs::missing_needs(&["compsize"]) {
        return Err(format!("bench log: {why}"));
    }
    let captures = match file {
        Some(file) => std::path::absolute(file).map_err(|e| format!("{file}: {e}"))?,
        None => {
            eprintln!("no --file: the shipped captures stand in; part of them is made here");
            fixtures::folder()
        }
    };
    sh::run(cargo().args(["build", "--quiet", "--release", "--package", "ghostbridge"]))?;
    let fs = LoopFs::btrfs(IMAGE_BYTES, super::groups::OPTIONS).map_err(|e| e.to_string())?;
    let data = fs.path().join("data");
    let events = import(&captures, &data)?;
    sh::run(command("sync").arg("--file-system").arg(fs.path()))?;
    let naive = naive(&data.join("log"), &fs.path().join("naive.jsonl"))?;
    sh::run(command("sync").arg("--file-system").arg(fs.path()))?;
    let naive_packed = on_disk(&fs.path().join("naive.jsonl"))?.packed / SAMPLE as f64;
    let each = |bytes: f64| bytes / events as f64;
    let log = on_disk(&data.join("log"))?;
    let index = on_disk(&data.join("index"))?;
    let tiles = on_disk(&data.join("log/tile"))?;
    let saved = |ours: f64, theirs: f64| (1.0 - ours / theirs) * 100.0;
    let ours = each(log.packed);
    // A level-0 tile holds 32 bytes a line, which nothing compresses.
    let lines = count_lines(&data.join("log"))? as f64;
    Ok(vec![
        Row::new("size_events", events as f64, "events", Some(("lines", lines))),
        Row::new("size_raw", each(log.raw), "B/event", Some(("naive JSON with floats", naive))),
        Row::new("size_btrfs", ours, "B/event", Some(("naive, same btrfs", naive_packed))),
        Row::new("size_saved", saved(ours, naive), "%", Some(("naive, as written", naive))),
        Row::new(
            "size_saved_btrfs",
            saved(ours, naive_packed),
            "%",
            Some(("naive, same btrfs", naive_packed)),
        ),
        Row::new("size_index", each(index.packed), "B/event", Some(("raw", each(index.raw)))),
        Row::new(
            "size_tiles",
            each(tiles.packed),
            "B/event",
            Some(("level 0 would add", each(lines * 32.0))),
        ),
    ])
}

/// Imports copy after copy; the number of flow events in the log.
fn import(captures: &Path, data: &Path) -> Outcome<u64> {
    let binary = sh::target().join("release/ghostbridge");
    let work = sh::target().join("bench/again");
    let folder = work.join("captures");
    let mut events = 0;
    for number in 0.. {
        sh::fresh_folder(&folder)?;
        for capture in sh::files_in(captures)? {
            let bytes = fs::read(&capture).map_err(|e| format!("{}: {e}", capture.display()))?;
            let name = capture.file_name().unwrap_or_default();
            sh::write(&folder.join(name), again(&bytes, number))?;
        }
        let mut import = command(&binary);
        import.current_dir(&work).arg("--data-dir").arg(data);
        // A capture that ends in damage is told by exit code 1.
        let ran = sh::capture(import.args(["import", "-o", "jsonl", "captures"]))?;
        let told = ran.stdout.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
        let more: u64 = told.filter_map(|v| v["events"].as_u64()).sum();
        if more == 0 {
            return Err(format!("copy {number} brought no events:\n{}", ran.stderr));
        }
        events += more;
        if number % 10 == 0 {
            eprintln!("copy {number}: {events} events");
        }
        if events >= EVENTS {
            break;
        }
    }
    fs::remove_dir_all(&work).map_err(|e| format!("{}: {e}", work.display()))?;
    Ok(events)
}

/// Bytes of files, and what they take of the disk.
#[derive(Debug, Clone, Copy, Default)]
struct OnDisk {
    raw: f64,
    packed: f64,
}

/// As `compsize` counts: extents, each once, whole blocks; no metadata.
fn on_disk(path: &Path) -> Outcome<OnDisk> {
    if !path.exists() || files(path)?.is_empty() {
        return Ok(OnDisk::default());
    }
    let printed = sh::output(command("compsize").arg("--bytes").arg(path))?;
    let total = printed.lines().find_map(|l| l.strip_prefix("TOTAL")).unwrap_or_default();
    let figures: Vec<f64> = total.split_whitespace().filter_map(|w| w.parse().ok()).collect();
    // Share, disk usage, uncompressed, referenced; the share has a percent sign.
    let &[packed, ..] = figures.as_slice() else {
        return Err(format!("compsize of {}:\n{printed}", path.display()));
    };
    let mut raw = 0;
    for file in files(path)? {
        raw += fs::metadata(&file).map_err(|e| format!("{}: {e}", file.display()))?.len();
    }
    Ok(OnDisk { raw: raw as f64, packed })
}

/// All files at and below `path`.
fn files(path: &Path) -> Outcome<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    let entries = fs::read_dir(path).map_err(|e| format!("{}: {e}", path.display()))?;
    for entry in entries.filter_map(Result::ok) {
        found.extend(files(&entry.path())?);
    }
    found.sort();
    Ok(found)
}

/// Sealed segments, oldest first, and the active one.
fn segments(log: &Path) -> Outcome<Vec<PathBuf>> {
    let mut all = files(&log.join("segments"))?;
    all.push(log.join("events.jsonl"));
    Ok(all)
}

fn lines_of(log: &Path, mut each: impl FnMut(&str) -> Outcome<bool>) -> Outcome<()> {
    for segment in segments(log)? {
        let told = |e: std::io::Error| format!("{}: {e}", segment.display());
        for line in BufReader::new(File::open(&segment).map_err(told)?).lines() {
            if !each(&line.map_err(told)?)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn count_lines(log: &Path) -> Outcome<u64> {
    let mut lines = 0;
    lines_of(log, |_| {
        lines += 1;
        Ok(true)
    })?;
    Ok(lines)
}

/// Writes the naive log of the first events; bytes an event.
fn naive(log: &Path, path: &Path) -> Outcome<f64> {
    let told = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut out = BufWriter::new(File::create(path).map_err(told)?);
    let mut vectors: HashMap<String, String> = HashMap::new();
    let (mut events, mut bytes) = (0, 0);
    lines_of(log, |line| {
        let value: Value = serde_json::from_str(line).map_err(|e| format!("{e} in {line}"))?;
        let ghost = &value["ghost"];
        let shape = ghost["shape"].as_str().unwrap_or_default().to_owned();
        match value["event_type"].as_str() {
            Some("shape") => {
                vectors.insert(shape, floats(ghost)?);
            }
            Some("flow") => {
                // The chain's tail is ours: a naive log has none.
                let (body, _) = line.rsplit_once(",\"seq\":").unwrap_or((line, ""));
                let floats = vectors.get(&shape).ok_or_else(|| format!("{shape} has no vector"))?;
                let naive = format!("{body}}},\"vector\":[{floats}]}}\n");
                out.write_all(naive.as_bytes()).map_err(told)?;
                (events, bytes) = (events + 1, bytes + naive.len());
            }
            _ => {}
        }
        Ok(events < SAMPLE)
    })?;
    out.flush().map_err(told)?;
    if events < SAMPLE {
        return Err(format!("only {events} events for the naive log"));
    }
    Ok(bytes as f64 / events as f64)
}

/// A shape's vector as numbers with all digits of a 32-bit float.
fn floats(ghost: &Value) -> Outcome<String> {
    let text = ghost["vec"].as_str().unwrap_or_default();
    let scale = ghost["scale"].as_f64().unwrap_or(0.0);
    let components = unpack(text).ok_or("a vector that is not base64")?;
    #[expect(clippy::cast_possible_truncation, reason = "as an embedder hands it out")]
    let numbers: Vec<String> = components
        .iter()
        .map(|c| ((f64::from(c.cast_signed()) * scale) as f32).to_string())
        .collect();
    Ok(numbers.join(","))
}

/// Standard base64.
fn unpack(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| {
        Some(match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        })
    };
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0_u32, 0);
    for c in text.trim_end_matches('=').bytes() {
        held = held << 6 | u32::from(digit(c)?);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(((held >> bits) & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_becomes_numbers() {
        assert_eq!(unpack("/wCA").unwrap(), [255, 0, 128]);
        assert_eq!(unpack("AQ==").unwrap(), [1]);
        assert!(unpack("?").is_none());
        let ghost = serde_json::json!({"vec": "/wCA", "scale": 0.5});
        assert_eq!(floats(&ghost).unwrap(), "-0.5,0,-64");
    }
}
