//! `bench embed`: what a shape, a new shape, a free text and the model cost, on one thread.
//!
//! Prints one JSON row a line. Each figure is the median of rounds that run in turns. The model's
//! row is left out, and said on stderr, where no model is installed.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark measures time and prints"
)]

use std::collections::HashMap;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use ghost_embed::fit::Random;
use ghost_embed::{
    FieldRows, FreeText, Model, PacketFacts, Shape, ShapeCache, WordPiece, default_model_dirs,
    find_model_dir, glossary,
};
use ghost_event::line::{PacketEvent, Source, packet_body};
use ghost_event::{
    AppBy, Behaviours, EndReason, Features, Names, Party, Port, Priority, Proto, Role, ShapeId,
    Side, Stats, Subject, Tcp, TcpState, Timestamp, Vlans, Zone,
};
use tokenizers::models::wordpiece::WordPiece as Reference;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;

const ROUNDS: usize = 31;

fn main() {
    let mut random = Random(7);
    let flows: Vec<Features> = (0..4_096).map(|_| flow(&mut random)).collect();
    let shapes: Vec<Shape> = flows.iter().map(Shape::of).collect();
    let mut cache = ShapeCache::default();
    flows.iter().for_each(|f| drop(cache.see(f)));
    let rows = FieldRows::embedded();

    // The flows of a busy minute: a few hundred records, again and again.
    let near = &flows[..256];
    let known = median(|| {
        per_item(256 * 64, || {
            for f in near.iter().cycle().take(256 * 64) {
                black_box(cache.see(black_box(f)).id);
            }
        })
    });
    let mut ids: HashMap<String, u64> = HashMap::new();
    let text_keys = median(|| {
        per_item(256, || {
            for f in near {
                let next = ids.len() as u64;
                black_box(*ids.entry(Shape::of(f).tuple()).or_insert(next));
            }
        })
    });
    row("known shape", known, "ns", Some(("text key in a HashMap", text_keys)));

    let facts: Vec<PacketFacts> = (0..256_u32)
        .map(|n| PacketFacts {
            to_server: n % 2 == 0,
            tcp_flags: (n % 3 > 0).then_some([0x02, 0x10, 0x18][n as usize % 3]),
            payload_len: n % 5 * 300,
            ..PacketFacts::default()
        })
        .collect();
    let packet = median(|| {
        per_item(256 * 64, || {
            for (f, facts) in near.iter().zip(&facts).cycle().take(256 * 64) {
                black_box(cache.see_packet(black_box(f), black_box(facts)).id);
            }
        })
    });
    row("known packet", packet, "ns", None);
    let mut line = Vec::with_capacity(1024);
    let source = Source { in_iface: Some("veth0"), bridge: Some("br0"), ..Source::default() };
    let written = median(|| {
        per_item(256 * 64, || {
            for (f, facts) in near.iter().zip(&facts).cycle().take(256 * 64) {
                line.clear();
                let event = PacketEvent {
                    wire_len: 54 + facts.payload_len,
                    payload_len: facts.payload_len,
                    tcp_flags: facts.tcp_flags,
                    ..PacketEvent::of(f, Timestamp(1_795_154_201_123_456_789), facts.to_server)
                };
                packet_body(&mut line, &event, &source, ShapeId(7), Priority::Low);
                black_box(&line);
            }
        })
    }) / 1e3;
    row("packet line", written, "µs", None);

    let new = median(|| {
        per_item(shapes.len(), || {
            for s in &shapes {
                black_box(rows.embed(black_box(s)));
            }
        })
    }) / 1e3;
    row("new shape", new, "µs", None);

    let texts: Vec<String> = shapes
        .iter()
        .map(glossary::text)
        .filter(|t| (26..=34).contains(&WordPiece::embedded().encode(t).len()))
        .take(256)
        .collect();
    let free = FreeText::embedded();
    let reference = reference();
    let (mut ours, mut only, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(per_item(texts.len(), || {
            for t in &texts {
                black_box(free.embed(black_box(t)));
            }
        }));
        only.push(per_item(texts.len(), || {
            for t in &texts {
                black_box(WordPiece::embedded().encode(black_box(t)));
            }
        }));
        theirs.push(per_item(texts.len(), || {
            for t in &texts {
                black_box(reference.encode_fast(black_box(t.as_str()), false).ok());
            }
        }));
    }
    let theirs = middle(&mut theirs) / 1e3;
    let peer = "tokenizers (tokens alone)";
    row("free text", middle(&mut ours) / 1e3, "µs", Some((peer, theirs)));
    row("tokens of a text", middle(&mut only) / 1e3, "µs", Some(("tokenizers", theirs)));

    let named = std::env::var_os("GHOSTBRIDGE_MODEL_DIR").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".local/share"));
    let dirs = default_model_dirs(named.as_deref(), None, home.as_deref());
    match find_model_dir(&dirs).map(|dir| Model::load(&dir)) {
        Some(Ok(mut model)) => {
            let mut spent: Vec<f64> = texts
                .iter()
                .take(48)
                .map(|t| per_item(1, || drop(black_box(model.embed(&[t.as_str()])))) / 1e6)
                .collect();
            row("model a text", middle(&mut spent), "ms", None);
        }
        Some(Err(e)) => eprintln!("model a text: {e}"),
        None => eprintln!("model a text: not measured, no model is installed"),
    }
}

/// Nanoseconds an item.
fn per_item(items: usize, work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64() * 1e9 / items as f64
}

fn median(mut round: impl FnMut() -> f64) -> f64 {
    middle(&mut (0..ROUNDS).map(|_| round()).collect::<Vec<_>>())
}

fn middle(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn row(name: &str, value: f64, unit: &str, peer: Option<(&str, f64)>) {
    let peer = peer.map_or(String::new(), |(name, value)| {
        format!(r#","peer":"{name}","peer_value":{value:.3}"#)
    });
    println!(r#"{{"name":"{name}","value":{value:.3},"unit":"{unit}"{peer}}}"#);
}

/// The reference tokenizer over the same vocabulary.
fn reference() -> tokenizers::Tokenizer {
    let vocabulary = concat!(env!("CARGO_MANIFEST_DIR"), "/data/vocab.txt");
    let model = Reference::from_file(vocabulary).unk_token("[UNK]".to_owned()).build();
    let mut tokenizer = tokenizers::Tokenizer::new(model.expect("the shipped vocabulary"));
    tokenizer.with_normalizer(Some(BertNormalizer::default())).expect("a normaliser");
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    let text = "SSH secure shell, 10.0.0.1";
    let theirs = tokenizer.encode_fast(text, false).expect("a text");
    assert_eq!(theirs.get_ids(), WordPiece::embedded().encode(text), "the same work is measured");
    tokenizer
}

/// A plausible flow.
fn flow(random: &mut Random) -> Features {
    let app = random.pick(glossary::APPS).name;
    let branded = random.chance(25);
    let mut behaviours = Behaviours::NONE;
    if random.chance(30) {
        behaviours.insert(random.pick(glossary::BEHAVIOURS).behaviour);
    }
    let zones = [Zone::Internal, Zone::Internet];
    let roles = [Role::Client, Role::Server, Role::Unknown];
    let party =
        |random: &mut Random| Party { role: random.pick(&roles), zone: random.pick(&zones) };
    let (src, dst) = (party(random), party(random));
    let bytes = 100 + random.draw() % 100_000;
    Features {
        subject: Subject::Flow,
        port: Port::default(),
        first: Timestamp(0),
        last: Timestamp(1),
        src_ip: None,
        dst_ip: None,
        src_port: 40_000,
        dst_port: 443,
        proto: Proto::Ip(if random.chance(70) { 6 } else { 17 }),
        icmp: None,
        src_mac: None,
        dst_mac: None,
        vlans: Vlans::default(),
        to_server: Side { packets: 5, bytes, payload_bytes: bytes / 2 },
        to_client: Side { packets: 5, bytes: 2 * bytes, payload_bytes: bytes },
        sizes: Stats::default(),
        gaps_us: Stats::default(),
        tcp: Some(Tcp { state: TcpState::Closed, ..Tcp::default() }),
        fragments: 0,
        end: EndReason::Closed,
        community_id: None,
        app,
        app_by: AppBy::Signature,
        names: Names::default(),
        tunnels: Vec::new(),
        malformed: 0,
        behaviours,
        src,
        dst,
        brand: if branded { random.pick(glossary::BRANDS) } else { "" },
        category: if branded { random.pick(glossary::CATEGORIES).0 } else { "" },
        src_name: None,
        dst_name: None,
        folded: None,
        score: None,
    }
}
