//! What reading one packet's headers costs, beside `etherparse` over the same frames.
//!
//! `cargo bench -p ghost-wire --bench headers -- [CAPTURE…]`; without a capture the frames are those
//! of the shipped fixtures. Rounds of both take turns, so that a busy machine disturbs them alike;
//! the figures are medians of rounds. One JSON line a row.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark reads the clock")]

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ghost_tap::CaptureFile;
use ghost_wire::{LinkType, parse};

/// Frames in memory: enough to mix, few enough to stay in a cache, since reading is not measured.
const FRAMES_MAX: usize = 4_000;
/// Many short rounds: most of them fit between two interruptions of a busy machine.
const ROUNDS: usize = 401;
const PACKETS_A_ROUND: usize = 12_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut captures: Vec<PathBuf> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).map(PathBuf::from).collect();
    if captures.is_empty() {
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/pcap");
        for entry in std::fs::read_dir(fixtures)? {
            captures.push(entry?.path());
        }
        captures.sort();
    }
    let mut frames = Vec::new();
    for capture in &captures {
        read(capture, &mut frames)?;
    }
    // Evenly spread over what there is.
    let step = frames.len().div_ceil(FRAMES_MAX).max(1);
    let frames: Vec<Vec<u8>> = frames.into_iter().step_by(step).collect();
    if frames.is_empty() {
        return Err("no Ethernet frames to measure with".into());
    }
    let repeats = (PACKETS_A_ROUND / frames.len()).max(1);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(round(&frames, repeats, |frame| {
            black_box(&parse(LinkType::Ethernet, black_box(frame)));
        }));
        theirs.push(round(&frames, repeats, |frame| {
            black_box(&etherparse::SlicedPacket::from_ethernet(black_box(frame)).ok());
        }));
    }
    let (value, peer) = (median(ours), median(theirs));
    println!(
        "{{\"name\":\"headers\",\"value\":{value:.2},\"unit\":\"ns/packet\",\
         \"peer\":\"etherparse\",\"peer_value\":{peer:.2},\"frames\":{}}}",
        frames.len()
    );
    Ok(())
}

fn read(capture: &Path, frames: &mut Vec<Vec<u8>>) -> Result<(), Box<dyn Error>> {
    let mut file = CaptureFile::open(Box::new(File::open(capture)?))?;
    while let Some(frame) = file.next()? {
        if LinkType::from_dlt(frame.link) == LinkType::Ethernet && frames.len() < 1_000_000 {
            frames.push(frame.data.to_vec());
        }
    }
    Ok(())
}

/// Nanoseconds a frame.
fn round(frames: &[Vec<u8>], repeats: usize, read: impl Fn(&[u8])) -> f64 {
    let start = Instant::now();
    for _ in 0..repeats {
        for frame in frames {
            read(frame);
        }
    }
    start.elapsed().as_nanos() as f64 / (repeats * frames.len()) as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
