//! Windows over 1,000,000 events: summed up when asked, beside sums that were kept; a JSON row a
//! figure.
//!
//! What is kept for the comparison is what decision 0011 weighs: flows by minute and shape, put in
//! as each event is indexed.
#![allow(unused_crate_dependencies, reason = "a benchmark needs fewer than the library")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use ghost_event::line::{ShapeLine, shape_body};
use ghost_event::{ShapeId, Tier, VECTOR_DIMENSIONS, Vector};
use ghost_index::{EmbeddedIndex, Index, Met, Position, Walk};
use ghost_query::{
    Ask, Encode, Like, Meant, PatternAsk, Sources, Tags, compare, patterns, similar,
};

struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }
}

const SHAPES: u64 = 600;
/// Events of one minute: a million are eight hours of a busy host.
const A_MINUTE: u64 = 2000;

struct NoModel;

impl Encode for NoModel {
    fn encode(&mut self, words: &str) -> Meant {
        let mut rng = Rng(words.len() as u64 + 1);
        Meant { vector: vector(&mut rng), by_model: true, trouble: None }
    }
}

fn vector(rng: &mut Rng) -> Vector {
    let values: Vec<f32> =
        (0..VECTOR_DIMENSIONS).map(|_| rng.below(2000) as f32 / 1000.0 - 1.0).collect();
    Vector::quantise(&values, Tier::Full)
}

fn line(rng: &mut Rng, seq: u64, out: &mut String) {
    out.clear();
    let shape = rng.below(SHAPES).min(rng.below(SHAPES)).min(rng.below(SHAPES));
    let minute = seq / A_MINUTE;
    let time = format!(
        "2026-11-{:02}T{:02}:{:02}:{:02}.000000+0000",
        1 + minute / 1440,
        minute / 60 % 24,
        minute % 60,
        seq % 60
    );
    let behaviour = match shape % 50 {
        7 => r#","behaviours":["port_scan"]"#,
        9 => r#","behaviours":["brute_force"]"#,
        _ => "",
    };
    let _ = writeln!(
        out,
        r#"{{"timestamp":"{time}","flow_id":{seq},"event_type":"flow","src_ip":"10.{}.{}.{}","src_port":{},"dest_ip":"203.{}.{}.9","dest_port":{},"proto":"TCP","app_proto":"{}","community_id":"1:{seq:016x}","tls":{{"sni":"h{}.example.com"}},"flow":{{"pkts_toserver":{},"bytes_toserver":{},"start":"{time}","end":"{time}"}},"ghost":{{"v":1,"shape":"{:016x}"{behaviour},"seq":{seq},"prev":"00"}}}}"#,
        rng.below(4),
        rng.below(16),
        rng.below(250),
        1024 + rng.below(60_000),
        rng.below(200),
        rng.below(200),
        [53, 443, 80, 22][usize::try_from(shape % 4).unwrap_or(0)],
        ["dns", "tls", "http", "ssh"][usize::try_from(shape % 4).unwrap_or(0)],
        rng.below(3000),
        1 + rng.below(100),
        rng.below(1_000_000),
        shape + 1,
    );
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn clock() -> Instant {
    Instant::now()
}

/// The median of a few runs, in milliseconds.
fn measured(name: &str, runs: usize, mut run: impl FnMut()) {
    let mut all: Vec<f64> = (0..runs)
        .map(|_| {
            let begun = clock();
            run();
            begun.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    all.sort_by(f64::total_cmp);
    println!(
        "{{\"row\":\"{name}\",\"ms_p50\":{:.1},\"ms_max\":{:.1}}}",
        all[runs / 2],
        all[runs - 1]
    );
}

fn main() {
    let events: u64 = if std::env::args().any(|a| a == "--test") { 20_000 } else { 1_000_000 };
    let dir = tempfile::tempdir().expect("a folder");
    let mut index = EmbeddedIndex::open(dir.path()).expect("an index");
    let mut rng = Rng(42);
    let mut text = String::new();
    let place = |seq: u64, len: usize| Position {
        segment: 1 + seq / 200_000 * 200_000,
        offset: seq * 700,
        len: u32::try_from(len).unwrap_or(0),
    };
    for id in 1..=SHAPES {
        let (vector, tuple) = (vector(&mut rng), format!("app=s{id}"));
        let shape = ShapeLine {
            id: ShapeId(id),
            tuple: &tuple,
            text: &tuple,
            glossary: 1,
            model: "bench",
            vector: &vector,
        };
        let mut body = Vec::new();
        shape_body(&mut body, &shape);
        body.extend_from_slice(format!(",\"seq\":{id},\"prev\":\"00\"}}}}\n").as_bytes());
        index.add(&body, place(id, body.len())).expect("a shape");
    }
    for seq in SHAPES + 1..=SHAPES + events {
        line(&mut rng, seq, &mut text);
        index.add(text.as_bytes(), place(seq, text.len())).expect("an event");
    }
    index.commit().expect("a commit");
    let now = "2026-11-02T00:00:00+00:00[UTC]".parse().expect("a moment");
    let tags = Tags::default();
    let ask = Ask { limit: 20, ..Ask::new(&now, &tags) };
    let sources = Sources { index: &index, tail: None };
    println!("{{\"row\":\"events\",\"n\":{events}}}");
    for text in ["match port scan", "match app:ssh", "now", "trend"] {
        let asked = PatternAsk::parse(text).expect("a question");
        measured(&format!("patterns {text}"), 9, || {
            black_box(patterns(&asked, &ask, &sources, &mut NoModel).expect("an answer"));
        });
    }
    for text in ["2026-11-01T01:00..01:01", "host:10.1.2.3"] {
        let (like, mut line) = (Like::parse(text), |_| None);
        measured(&format!("similar {text}"), 5, || {
            black_box(similar(&like, &ask, &sources, &mut line).map(|a| a.notes)).ok();
        });
    }
    for text in
        ["2026-11-01T01:00..01:30 vs 2026-11-01T02:00..02:05", "host:10.1.2.3 vs host:10.2.3.4"]
    {
        measured(&format!("compare {text}"), 5, || {
            black_box(compare(text, &ask, &sources).map(|a| a.notes)).ok();
        });
    }
    // What would be kept: flows by minute and shape.
    let mut kept: HashMap<(i64, ShapeId), u64> = HashMap::new();
    let walk = Walk::default();
    measured("a walk that only looks", 9, || {
        let mut shapes = 0;
        index.events(&walk, &mut |met: &Met<'_>| shapes ^= met.shape().0).expect("a walk");
        black_box(shapes);
    });
    let begun = clock();
    index
        .events(&walk, &mut |met: &Met<'_>| {
            *kept.entry((met.start().0 / 60_000_000_000, met.shape())).or_default() += 1;
        })
        .expect("a walk");
    let keeping = begun.elapsed().as_secs_f64() * 1e9 / events as f64;
    let bytes = kept.capacity() * (size_of::<((i64, ShapeId), u64)>() + 1);
    println!(
        "{{\"row\":\"kept: putting in\",\"ns_an_event\":{keeping:.0},\"cells\":{},\"bytes\":{bytes}}}",
        kept.len()
    );
    measured("kept: summing up", 9, || {
        let mut minutes: HashMap<i64, u64> = HashMap::new();
        for ((minute, shape), flows) in &kept {
            if shape.0 % 50 == 8 {
                *minutes.entry(*minute).or_default() += flows;
            }
        }
        black_box(minutes.len());
    });
}
