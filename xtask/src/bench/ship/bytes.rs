//! What goes over the wire for so many new events, beside what the lines weigh.
//!
//! The log begins with more than 1 GiB of lines. Our bytes are all that a counter outside of ssh saw,
//! both ways, from the import until the block was cosigned; `rsync` appends the same lines to one
//! file; `zstd -3` has the lines alone, in a file, with nobody to send them to.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ghost_lab::Relay;

use super::ours::Ours;
use super::peers::append_over;
use super::stand::Stand;
use super::watch::{lines_behind, log_bytes};
use crate::bench::{Row, load};
use crate::sh::{self, Outcome, command};

const BASE_BYTES: u64 = 1 << 30;
/// Events of a block, as rows are named, and the packets of the load that bring about so many flows.
const SIZES: [(u64, u64); 4] = [(1, 1), (10, 44), (1000, 5_000), (100_000, 500_000)];

pub(super) fn rows() -> Outcome<Vec<Row>> {
    let stand = Stand::new(6 << 30)?;
    let config = "[blocks]\nstrategy = \"off\"\n[log]\ndisk_cap = \"5 GiB\"\n";
    let ours = Ours::start(&stand, config)?;
    let log = ours.data().join("log");
    let load = load::file()?;
    while log_bytes(&log)? < BASE_BYTES {
        ours.import(&load)?;
    }
    let base = ours.seal()?;
    let ssh = stand.ssh(true)?;
    let (here, there) = (stand.primary.path().join("all"), stand.replica.path().join("all"));
    for path in [&here, &there] {
        fs::write(path, lines_behind(&log, 0)?).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    eprintln!("base: {} bytes of lines, {}", log_bytes(&log)?, base.display());
    let mut rows = Vec::new();
    for (events, packets) in SIZES {
        let capture = slice(&load, packets, stand.primary.path())?;
        let before = log_bytes(&log)?;
        let at_first = carried(&stand.relay);
        ours.import(&capture)?;
        let block = ours.seal()?;
        settle(&stand.relay);
        let sent = carried(&stand.relay) - at_first;
        let lines = lines_behind(&log, before)?;
        let count = lines.iter().filter(|b| **b == b'\n').count();
        let zstd = zstd_bytes(&lines)?;
        append(&here, &lines)?;
        let at_first = carried(&stand.peers);
        append_over(&ssh, &here, &there)?;
        let rsync = carried(&stand.peers) - at_first;
        let full = full_bytes(&block)?;
        let saved = 100.0 * (1.0 - sent as f64 / full as f64);
        eprintln!(
            "  {events}: {count} lines, {} bytes; ours {sent}, zstd -3 {zstd}, rsync {rsync}, \
             full {full}",
            lines.len()
        );
        let name = |what: &str| format!("{what}_{events}");
        rows.push(Row::new(&name("bytes"), sent as f64, "B", Some(("zstd -3", zstd as f64))));
        rows.push(Row::new(&name("bytes_rsync"), sent as f64, "B", Some(("rsync", rsync as f64))));
        let full = Some(("full snapshot, bytes", full as f64));
        rows.push(Row::new(&name("saved"), saved, "%", full));
    }
    Ok(rows)
}

fn carried(relay: &Relay) -> u64 {
    let carried = relay.carried();
    carried.up + carried.down
}

/// Waits until nothing more comes: cosignatures and health are part of the price.
fn settle(relay: &Relay) {
    let mut last = carried(relay);
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(300));
        let now = carried(relay);
        if now == last {
            return;
        }
        last = now;
    }
}

/// The first packets of a capture, as a capture.
fn slice(load: &Path, packets: u64, folder: &Path) -> Outcome<PathBuf> {
    let path = folder.join("slice.pcap");
    let bytes = fs::read(load).map_err(|e| format!("{}: {e}", load.display()))?;
    let mut end = 24;
    for _ in 0..packets {
        let length = bytes.get(end + 8..end + 12).and_then(|b| b.first_chunk::<4>());
        let Some(length) = length else { break };
        end += 16 + u32::from_le_bytes(*length) as usize;
    }
    sh::write(&path, bytes.get(..end).unwrap_or_default())?;
    Ok(path)
}

fn append(path: &Path, lines: &[u8]) -> Outcome<()> {
    let told = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut file = OpenOptions::new().append(true).open(path).map_err(told)?;
    file.write_all(lines).map_err(told)
}

fn zstd_bytes(lines: &[u8]) -> Outcome<u64> {
    let mut zstd = command("zstd");
    zstd.args(["-3", "-q", "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = zstd.spawn().map_err(|e| format!("zstd: {e}"))?;
    let mut input = child.stdin.take().ok_or("no input")?;
    let lines = lines.to_vec();
    let fed = std::thread::spawn(move || input.write_all(&lines));
    let output = child.wait_with_output().map_err(|e| format!("zstd: {e}"))?;
    fed.join().map_err(|_| "zstd was not fed")?.map_err(|e| format!("zstd: {e}"))?;
    Ok(output.stdout.len() as u64)
}

/// Bytes of a block sent whole, its data compressed as it lies on the disk.
fn full_bytes(block: &Path) -> Outcome<u64> {
    let mut send = command("btrfs");
    send.args(["-q", "send", "--proto", "2", "--compressed-data"]).arg(block);
    let mut child = send.stdout(Stdio::piped()).spawn().map_err(|e| format!("btrfs: {e}"))?;
    let mut stream = child.stdout.take().ok_or("no stream")?;
    let bytes = std::io::copy(&mut stream, &mut std::io::sink()).map_err(|e| e.to_string())?;
    let ended = child.wait().map_err(|e| e.to_string())?;
    if ended.success() { Ok(bytes) } else { Err(format!("btrfs send ended with {ended}")) }
}
