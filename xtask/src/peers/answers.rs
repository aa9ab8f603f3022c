//! The peers of `eval`: the same captures and questions, answered with a part of ours left out.
//!
//! `WAY FOLDER QUESTIONS`: every capture of FOLDER is read as `import --no-idle-timeout` does; each
//! line `id<TAB>words` of QUESTIONS is answered by WAY; hits come out as JSON lines. The ways:
//! `ours`; `no-detectors`, where no flow has a behaviour; `no-model`, where shapes and words are
//! placed by the fitted rows alone; `glossary`, nearest texts by the full model and nothing else;
//! `raw`, the same over `src:… dst:… proto:… size:…`.
#![expect(clippy::print_stdout, reason = "the answers go to stdout")]

use std::collections::HashMap;
use std::error::Error;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ghost_detect::{Detector, Limits};
use ghost_embed::{
    Embed, FieldRows, GLOSSARY_VERSION, Glossary, Model, Profile, QueryEncoder, Shape,
    default_model_dirs, find_model_dir,
};
use ghost_event::line::{self, ShapeLine, Source};
use ghost_event::{
    Behaviours, Digest, EndReason, Features, Priority, Proto, Seq, ShapeId, Tier, Timestamp, Vector,
};
use ghost_flow::{FlowConfig, FlowSink, FlowTable};
use ghost_index::{Index, OracleIndex, Position};
use ghost_query::{Ask, Sources, Tags};
use ghost_tap::CaptureFile;
use ghost_wire::{LearnedFrom, LinkType};

/// More than are scored, since a flow counts once.
const HITS: usize = 30;

type Answers<T> = Result<T, Box<dyn Error>>;

/// A flow, and the name of its capture.
struct Flow {
    capture: String,
    features: Features,
}

fn main() -> Answers<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [way, folder, questions] = &args[..] else { return Err("WAY FOLDER QUESTIONS".into()) };
    let mut flows = read(Path::new(folder))?;
    if way == "no-detectors" {
        flows.iter_mut().for_each(|f| f.features.behaviours = Behaviours::NONE);
    }
    let text = std::fs::read_to_string(questions)?;
    let questions: Vec<(&str, &str)> = text.lines().filter_map(|l| l.split_once('\t')).collect();
    match way.as_str() {
        "ours" | "no-detectors" => indexed(&flows, &questions, Some(model()?)),
        "no-model" => indexed(&flows, &questions, None),
        "glossary" => nearest(&flows, &questions, |f| Glossary.text(&Shape::of(f))),
        "raw" => nearest(&flows, &questions, raw),
        other => Err(format!("no way is called {other:?}").into()),
    }
}

fn model() -> Answers<Model> {
    let named = std::env::var_os("GHOSTBRIDGE_MODEL_DIR").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    let xdg = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).or(home);
    let dirs = default_model_dirs(named.as_deref(), None, xdg.as_deref());
    let dir = find_model_dir(&dirs).ok_or("no model: run `cargo xtask model`")?;
    Ok(Model::load_for(&dir, Profile::default())?)
}

/// Every flow of every capture, in the order of names.
fn read(folder: &Path) -> Answers<Vec<Flow>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.filter_map(Result::ok).map(|e| e.path()).collect();
    files.sort();
    let mut flows = Vec::new();
    for file in files {
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let detector = Detector::new(Limits::default());
        let mut sink = Collector { detector, ended: Vec::new() };
        let config = FlowConfig { no_idle_timeout: true, ..FlowConfig::default() };
        let mut table = FlowTable::new(config);
        // Captures that end in damage are part of a corpus.
        if let Ok(mut capture) = CaptureFile::open(Box::new(std::fs::File::open(&file)?)) {
            while let Ok(Some(frame)) = capture.next() {
                let packet = ghost_wire::parse(LinkType::from_dlt(frame.link), frame.data);
                table.packet(Timestamp(frame.ts), frame.wire_len, &packet, &mut sink);
            }
        }
        table.finish(EndReason::Shutdown, &mut sink);
        let of = |features| Flow { capture: name.clone(), features };
        flows.extend(sink.ended.into_iter().map(of));
    }
    Ok(flows)
}

struct Collector {
    detector: Detector,
    ended: Vec<Features>,
}

impl FlowSink for Collector {
    fn started(&mut self, flow: &Features) {
        self.detector.started(flow);
    }

    fn field(&mut self, flow: &Features, path: &'static str, value: &[u8]) -> Behaviours {
        self.detector.field(flow, path, value)
    }

    fn learned(&mut self, address: IpAddr, name: &str, from: LearnedFrom, at: Timestamp) {
        let source = match from {
            LearnedFrom::DnsAnswer => "dns",
            LearnedFrom::Dhcp => "dhcp",
            LearnedFrom::Mdns => "mdns",
            LearnedFrom::Netbios => "netbios",
        };
        self.detector.learned(address, name, source, at);
    }

    fn settling(&mut self, flow: &Features) {
        self.detector.settling(flow);
    }

    fn ended(&mut self, mut flow: Features) {
        self.detector.ended(&mut flow);
        self.ended.push(flow);
    }
}

/// As the program answers: an index in memory, and its questions.
fn indexed(flows: &[Flow], questions: &[(&str, &str)], mut model: Option<Model>) -> Answers<()> {
    let mut index = OracleIndex::new();
    let mut seq: Seq = 0;
    let mut shapes: HashMap<ShapeId, ()> = HashMap::new();
    let mut of_seq: HashMap<Seq, &Flow> = HashMap::new();
    let mut add = |index: &mut OracleIndex, mut body: Vec<u8>| -> Answers<Seq> {
        seq += 1;
        line::close(&mut body, seq, &Digest::ZERO);
        index.add(&body, Position { segment: 1, offset: seq, len: 0 })?;
        Ok(seq)
    };
    for flow in flows {
        let shape = Shape::of(&flow.features);
        let id = shape.id();
        if shapes.insert(id, ()).is_none() {
            let vector = place(&shape, model.as_mut())?;
            let (tuple, text) = (shape.tuple(), Glossary.text(&shape));
            let line = ShapeLine {
                id,
                tuple: &tuple,
                text: &text,
                glossary: GLOSSARY_VERSION,
                model: "eval",
                vector: &vector,
            };
            let mut body = Vec::new();
            line::shape_body(&mut body, &line);
            add(&mut index, body)?;
        }
        let mut body = Vec::new();
        let source = Source { pcap_filename: Some(&flow.capture), ..Source::default() };
        line::flow_body(&mut body, &flow.features, &source, id, Priority::Low);
        of_seq.insert(add(&mut index, body)?, flow);
    }
    index.commit()?;
    let model = model.map(|m| Box::new(m) as Box<dyn Embed + Send>);
    let mut encoder = QueryEncoder::new(model, Profile::default());
    let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let tags = Tags::default();
    for (id, words) in questions {
        let mut ask = Ask::new(&now, &tags);
        ask.limit = HITS;
        ask.grouped = false;
        let sources = Sources { index: &index, tail: None };
        let answer = ghost_query::answer(words, &ask, &sources, &mut encoder)?;
        let hits = answer.hits.iter().filter_map(|hit| of_seq.get(&hit.seq).copied());
        tell(id, hits);
    }
    Ok(())
}

fn place(shape: &Shape, model: Option<&mut Model>) -> Answers<Vector> {
    let Some(model) = model else { return Ok(FieldRows::embedded().embed(shape)) };
    let values = model.embed(&[&Glossary.text(shape)])?.pop().ok_or("the model gave no vector")?;
    Ok(Vector::quantise(&values, Tier::Full))
}

/// The nearest texts to the whole question, and nothing else; the first of equal ones first.
fn nearest(
    flows: &[Flow],
    questions: &[(&str, &str)],
    text: impl Fn(&Features) -> String,
) -> Answers<()> {
    let mut model = model()?;
    let mut known: HashMap<String, Vec<f32>> = HashMap::new();
    let mut texts = Vec::with_capacity(flows.len());
    for flow in flows {
        let text = text(&flow.features);
        if !known.contains_key(&text) {
            let vector = model.embed(&[&text])?.pop().ok_or("the model gave no vector")?;
            known.insert(text.clone(), vector);
        }
        texts.push(text);
    }
    for (id, words) in questions {
        let asked = model.embed(&[words])?.pop().ok_or("the model gave no vector")?;
        let cosine = |v: &[f32]| v.iter().zip(&asked).map(|(a, b)| a * b).sum::<f32>();
        let near: HashMap<&str, f32> =
            known.iter().map(|(text, v)| (text.as_str(), cosine(v))).collect();
        let mut ranked: Vec<(f32, usize)> = texts
            .iter()
            .enumerate()
            .map(|(at, text)| (near.get(text.as_str()).copied().unwrap_or(-1.0), at))
            .collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        tell(id, ranked.iter().take(HITS).filter_map(|(_, at)| flows.get(*at)));
    }
    Ok(())
}

/// The customary text of a packet, over a flow.
fn raw(f: &Features) -> String {
    let end = |ip: Option<IpAddr>| ip.map_or_else(String::new, |ip| ip.to_string());
    let proto = match f.proto {
        Proto::Ip(6) => "TCP".to_owned(),
        Proto::Ip(17) => "UDP".to_owned(),
        Proto::Ip(1) => "ICMP".to_owned(),
        Proto::Ip(number) => number.to_string(),
        Proto::Ether(kind) => format!("0x{kind:04x}"),
    };
    format!("src:{} dst:{} proto:{proto} size:{}", end(f.src_ip), end(f.dst_ip), f.bytes())
}

fn tell<'a>(query: &str, hits: impl Iterator<Item = &'a Flow>) {
    for (rank, flow) in (1..).zip(hits) {
        let f = &flow.features;
        let mut event = serde_json::json!({
            "event_type": "flow", "query_id": query, "rank": rank, "pcap_filename": flow.capture,
        });
        match f.proto {
            Proto::Ip(proto) => event["proto"] = u64::from(proto).into(),
            Proto::Ether(kind) => event["proto"] = format!("0x{kind:04x}").into(),
        }
        if let (Some(src), Some(dst)) = (f.src_ip, f.dst_ip) {
            event["src_ip"] = src.to_string().into();
            event["dest_ip"] = dst.to_string().into();
            event["src_port"] = f.src_port.into();
            event["dest_port"] = f.dst_port.into();
        }
        println!("{event}");
    }
}
