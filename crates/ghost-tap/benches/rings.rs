//! What reading one record out of the rings costs, frames of two sizes in two rings.
//!
//! `cargo bench -p ghost-tap --bench rings`. The rings are in this process's memory and filled
//! between the measured polls, so that what is measured is the reader alone; the figure is the
//! median of rounds. One JSON line a row.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::time::Instant;

use ghost_tap::live::synthetic::Synthetic;
use ghost_tap::live::{Direction, RingTap};

/// 512 KiB a ring: what half a millisecond brings at full load is a tenth of it.
const CHUNKS: u32 = 8;
const RECORDS: u64 = 1500;
const ROUNDS: usize = 1001;

fn main() -> std::io::Result<()> {
    for (name, bytes) in [("record_60", 60), ("record_1514", 1514)] {
        let frame = vec![0x55u8; bytes];
        let mut tap = RingTap::synthetic(2, CHUNKS, CHUNKS)?;
        let mut rounds = Vec::new();
        let mut ns = 0;
        for _ in 0..ROUNDS {
            for index in 0..RECORDS {
                ns += 1;
                let written = tap.write(&Synthetic {
                    // Runs of one CPU, as bursts of packets are.
                    cpu: (index / 16) as u32 % 2,
                    telling: false,
                    monotonic_ns: ns,
                    ifindex: 2 + (index / 16) as u32 % 2,
                    direction: Direction::Ingress,
                    segments: 1,
                    tag: None,
                    frame: &frame,
                });
                assert!(written, "no room for a round");
            }
            let start = Instant::now();
            let polled = tap.poll(u32::MAX, &mut |frame| {
                black_box(frame);
            });
            let spent = start.elapsed().as_nanos() as f64;
            assert_eq!(u64::from(polled.frames), RECORDS);
            rounds.push(spent / RECORDS as f64);
        }
        rounds.sort_by(f64::total_cmp);
        let value = rounds.get(ROUNDS / 2).copied().unwrap_or(f64::NAN);
        println!("{{\"name\":\"{name}\",\"value\":{value:.2},\"unit\":\"ns/record\"}}");
    }
    Ok(())
}
