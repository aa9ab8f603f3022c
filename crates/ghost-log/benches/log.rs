//! What a line costs, beside plain SHA-256 over the same bytes in the same run.
//!
//! One JSON row a line: `{"name","value","unit","peer","peer_value"}`. Each figure is the least of
//! several passes in time on the processor: the machine may be busy with other things.
#![expect(clippy::print_stdout, reason = "rows go to stdout")]

mod common;

use std::hint::black_box;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use common::flow;
use ghost_event::line::{self, Source, View};
use ghost_event::{Features, Priority, ShapeId};
use ghost_log::proof::{self, Tree};
use ghost_log::{Log, LogConfig, LogReader, VerifyOptions, verify_on};
use ghost_world::{Disk, RealClock, RealDisk};
use sha2::{Digest as _, Sha256};

const LINES: u32 = 100_000;

/// Nanoseconds that this thread was on a processor.
fn on_cpu_ns() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|n| n.parse().ok()).expect("a number")
}

/// The least time of some passes, in nanoseconds for each of `n`.
fn ns_each(n: usize, mut pass: impl FnMut()) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..7 {
        let start = on_cpu_ns();
        pass();
        least = least.min(on_cpu_ns() - start);
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of lines")]
    let n = n as f64;
    least / n
}

fn row(name: &str, value: f64, unit: &str, peer: &str, peer_value: Option<f64>) {
    let peer_value = peer_value.map_or("null".to_owned(), |v| format!("{v:.3}"));
    println!(
        "{{\"name\":\"{name}\",\"value\":{value:.3},\"unit\":\"{unit}\",\"peer\":\"{peer}\",\"peer_value\":{peer_value}}}"
    );
}

fn main() {
    // `cargo test --benches` only asks whether it runs.
    let lines = if std::env::args().any(|a| a == "--bench") { LINES } else { 500 };
    let flows: Vec<Features> = (0..lines.min(1000)).map(flow).collect();
    let source = Source { pcap_filename: Some("capture.pcap"), ..Source::default() };
    let body = |out: &mut Vec<u8>, i: u32| {
        let f = &flows[i as usize % flows.len()];
        line::flow_body(out, f, &source, ShapeId(7), Priority::Low);
    };
    let n = lines as usize;

    let mut out = Vec::with_capacity(2048);
    let body_ns = ns_each(n, || {
        for i in 0..lines {
            out.clear();
            body(&mut out, i);
            black_box(&out);
        }
    });

    let bodies: Vec<Vec<u8>> = (0..lines)
        .map(|i| {
            let mut out = Vec::new();
            body(&mut out, i);
            out
        })
        .collect();
    // The whole lines of a log, in memory.
    let mut whole: Vec<u8> = Vec::new();
    let mut ends = Vec::new();
    let mut prev = ghost_event::Digest::ZERO;
    for (i, body) in bodies.iter().enumerate() {
        let at = whole.len();
        whole.extend_from_slice(body);
        line::close(&mut whole, i as u64 + 1, &prev);
        prev = proof::leaf(&whole[at..]);
        ends.push(whole.len());
    }
    let each_line = |f: &mut dyn FnMut(&[u8])| {
        let mut at = 0;
        for end in &ends {
            f(&whole[at..*end]);
            at = *end;
        }
    };
    let sha_ns = ns_each(n, || each_line(&mut |line| _ = black_box(Sha256::digest(line))));
    let leaf_ns = ns_each(n, || each_line(&mut |line| _ = black_box(proof::leaf(line))));
    let tree_ns = ns_each(n, || {
        let mut tree = Tree::new();
        each_line(&mut |line| tree.push(proof::leaf(line)));
        black_box(tree.root());
    });
    let mut buffer = Vec::with_capacity(whole.len());
    let append_ns = ns_each(n, || {
        buffer.clear();
        let mut prev = ghost_event::Digest::ZERO;
        for (i, body) in bodies.iter().enumerate() {
            let at = buffer.len();
            buffer.extend_from_slice(body);
            line::close(&mut buffer, i as u64 + 1, &prev);
            prev = proof::leaf(&buffer[at..]);
        }
        black_box(prev);
    });
    let view_ns = ns_each(n, || each_line(&mut |line| drop(black_box(View::parse(line)))));

    // A real log in a folder, in bulk.
    let dir = tempfile::tempdir().expect("a folder");
    let config = LogConfig { bulk: true, ..LogConfig::default() };
    let (mut log, _) = Log::open(dir.path(), config, Arc::new(RealClock)).expect("a log");
    let log_ns = ns_each(n, || {
        for body in &bodies {
            log.append(Priority::Low, None, body).expect("room");
        }
        log.write().expect("room");
    });
    drop(log);
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let mut bytes = 0;
    let verify_ns = ns_each(1, || {
        let verdict = verify_on(&disk, dir.path(), &VerifyOptions::default()).expect("a log");
        assert!(verdict.ok(), "{verdict}");
        bytes = verdict.bytes;
    });
    // The same bytes, read and hashed without looking at them.
    let plain_ns = ns_each(1, || {
        for file in log_files(dir.path()) {
            let mut hash = Sha256::new();
            let mut file = std::fs::File::open(file).expect("a segment");
            let mut block = vec![0; 2 << 20];
            loop {
                let n = file.read(&mut block).expect("readable");
                if n == 0 {
                    break;
                }
                hash.update(&block[..n]);
            }
            black_box(hash.finalize());
        }
    });
    let read_ns = ns_each(1, || {
        let mut all = LogReader::open(dir.path()).lines(0);
        while let Some(line) = all.next().expect("whole") {
            black_box(line.bytes.len());
        }
    });
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let mb_s = |ns: f64| bytes as f64 / ns * 1e3;

    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    row("line_bytes", whole.len() as f64 / n as f64, "bytes", "", None);
    row("flow_body", body_ns, "ns/line", "", None);
    row("leaf", leaf_ns, "ns/line", "sha2, same bytes", Some(sha_ns));
    row("leaf_and_tree", tree_ns / 1e3, "us/line", "sha2, same bytes", Some(sha_ns / 1e3));
    row("append", append_ns / 1e3, "us/line", "sha2, same bytes", Some(sha_ns / 1e3));
    row("append_to_file", log_ns / 1e3, "us/line", "sha2, same bytes", Some(sha_ns / 1e3));
    row("verify", mb_s(verify_ns), "MB/s", "sha2, same files", Some(mb_s(plain_ns)));
    row("read_lines", mb_s(read_ns), "MB/s", "", None);
    row("view_parse", view_ns, "ns/line", "", None);
}

fn log_files(data: &Path) -> Vec<std::path::PathBuf> {
    let mut files = vec![data.join("log/events.jsonl")];
    if let Ok(dir) = std::fs::read_dir(data.join("log/segments")) {
        files.extend(dir.flatten().map(|e| e.path()));
    }
    files
}
