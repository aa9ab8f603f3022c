//! The load of `bench import`: the shipped Ethernet captures, copied until a million packets.
//!
//! Copies differ in the last-but-one octet of their IPv4 sources, so that each brings flows of its
//! own; time goes on by half a millisecond a packet. The same file comes out at every run.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::fixtures;
use crate::sh::{self, Outcome};

const PACKETS: u64 = 1_000_000;

/// Where the load is; made where it is not there yet.
pub(super) fn file() -> Outcome<PathBuf> {
    let path = sh::target().join("bench/load.pcap");
    if path.exists() {
        return Ok(path);
    }
    let mut frames = Vec::new();
    for capture in sh::files_in(&fixtures::folder())? {
        let bytes = std::fs::read(&capture).map_err(|e| format!("{}: {e}", capture.display()))?;
        frames.extend(ethernet_frames(&bytes));
    }
    if frames.is_empty() {
        return Err("no Ethernet frames among the fixtures".into());
    }
    let part = path.with_extension("part");
    sh::fresh_folder(path.parent().unwrap_or(Path::new(".")))?;
    write(&part, &frames).map_err(|e| format!("{}: {e}", part.display()))?;
    std::fs::rename(&part, &path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

fn write(path: &Path, frames: &[Vec<u8>]) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    out.write_all(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
    out.write_all(&[0, 0, 4, 0, 1, 0, 0, 0])?;
    let each = frames.len() as u64;
    for number in 0..PACKETS {
        let (copy, at) = (number / each, number % each);
        let mut frame = frames.get(at as usize).cloned().unwrap_or_default();
        if frame.len() > 34 && frame.get(12..14) == Some(&[8, 0]) {
            if let Some(octet) = frame.get_mut(27) {
                *octet = octet.wrapping_add(copy as u8);
            }
            if let Some(octet) = frame.get_mut(26) {
                *octet = octet.wrapping_add((copy >> 8) as u8);
            }
        }
        let micros = 1_700_000_000_000_000 + number * 500;
        let length = u32::try_from(frame.len()).unwrap_or_default().to_le_bytes();
        out.write_all(&((micros / 1_000_000) as u32).to_le_bytes())?;
        out.write_all(&((micros % 1_000_000) as u32).to_le_bytes())?;
        out.write_all(&length)?;
        out.write_all(&length)?;
        out.write_all(&frame)?;
    }
    out.flush()
}

/// Frames of a little-endian classic capture of Ethernet; nothing of any other file.
fn ethernet_frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    let word = |at: usize| {
        let four = bytes.get(at..at + 4)?;
        Some(u32::from_le_bytes(four.try_into().ok()?) as usize)
    };
    let mut frames = Vec::new();
    if word(0) != Some(0xa1b2_c3d4) || word(20) != Some(1) {
        return frames;
    }
    let mut at = 24;
    while let Some(length) = word(at + 8) {
        let Some(frame) = bytes.get(at + 16..at + 16 + length) else { break };
        frames.push(frame.to_vec());
        at += 16 + length;
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_and_other_files_are_passed_over() {
        let capture = std::fs::read(fixtures::folder().join("made__quic.pcap")).unwrap();
        assert_eq!(ethernet_frames(&capture).len(), 7);
        assert!(ethernet_frames(b"not a capture").is_empty());
        assert_eq!(ethernet_frames(&capture[..capture.len() - 1]).len(), 6);
    }
}
