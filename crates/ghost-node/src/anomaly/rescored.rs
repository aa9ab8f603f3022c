//! What is logged, scored anew by the customary rule: no shape met before has that cosine.
//!
//! Only this rule can be: it needs no more than shapes and their vectors, which the log holds. Each
//! import is a stream of its own, what the bridge saw another one, as when they were scored first.
//! The looks at open flows are not in the log, so that a flow has one look, at its end.

use std::collections::BTreeMap;

use ghost_detect::anomaly::{Rule, Scorer, Settings, Shapes};
use ghost_event::line::{LineKind, View};
use ghost_event::{Behaviours, EndReason, Features, Port, Proto, Seq, ShapeId, Vector};
use ghost_log::{LogError, LogReader};
use hashbrown::HashMap;
use serde_json::{Value, json};

use super::list::Span;
use crate::DataDir;

/// Streams that are gone through at the same time; the one begun first is given up for one more.
const STREAMS_MAX: usize = 16;

#[derive(Default)]
struct Logged(HashMap<ShapeId, Vector>);

impl Shapes for Logged {
    fn cosine(&self, a: ShapeId, b: ShapeId) -> Option<f32> {
        let (a, b) = (self.0.get(&a)?, self.0.get(&b)?);
        (a.components.len() == b.components.len()).then(|| a.cosine(b))
    }
}

/// Hands every flow to `each`, its event with the score, the alert and the incident of this rule;
/// it ends the reading by answering false.
///
/// # Errors
/// The log can't be read.
pub fn by_cosine(
    data: &DataDir,
    span: &Span,
    threshold: f32,
    each: &mut dyn FnMut(&Value) -> bool,
) -> Result<(), LogError> {
    let settings = Settings { rule: Rule::Cosine(threshold), ..Settings::default() };
    let mut streams: BTreeMap<Seq, Scorer> = BTreeMap::new();
    let mut vectors = Logged::default();
    let reader = LogReader::open(data.root());
    let mut lines = reader.lines(0);
    while let Some(line) = lines.next()? {
        let Ok(view) = View::parse(line.bytes) else { continue };
        match view.kind {
            LineKind::Shape => {
                if let (Some(id), Some(vector)) = (view.ghost.shape, view.vector()) {
                    vectors.0.insert(id, vector);
                }
                continue;
            }
            LineKind::Flow => {}
            _ => continue,
        }
        let stream = view.ghost.import.unwrap_or(0);
        if !streams.contains_key(&stream) && streams.len() >= STREAMS_MAX {
            streams.pop_first();
        }
        let scorer = streams.entry(stream).or_insert_with(|| Scorer::new(settings));
        let scored = scorer.look(&features(&view), view.ghost.shape, &vectors);
        if !span.holds(view.flow.start, view.timestamp) {
            continue;
        }
        let Ok(mut value) = serde_json::from_slice::<Value>(line.bytes) else { continue };
        if let Some(ghost) = value.get_mut("ghost").and_then(Value::as_object_mut) {
            for key in ["alert", "alerted", "reasons", "incident"] {
                ghost.remove(key);
            }
            let score = (f64::from(scored.score) * 10_000.0).round() / 10_000.0;
            ghost.insert("score".to_owned(), json!(score));
            let reasons: Vec<&str> =
                scored.reasons.iter().flatten().flat_map(|r| r.word().names()).collect();
            if !reasons.is_empty() {
                ghost.insert("reasons".to_owned(), json!(reasons));
            }
            if let Some(id) = scored.incident.filter(|_| scored.alert) {
                ghost.insert("alert".to_owned(), json!(true));
                let stream = if stream == 0 { String::new() } else { format!("i{stream}.") };
                ghost.insert("incident".to_owned(), json!({"id": format!("{stream}{}", id.0)}));
            }
        }
        if !each(&value) {
            return Ok(());
        }
    }
    Ok(())
}

/// As much of a flow as the rule, the mutes and the grouping ask for.
fn features(view: &View<'_>) -> Features {
    let end = view.timestamp.unwrap_or_default();
    let mut flow = Features::blank(view.flow.start.unwrap_or(end), Port::default());
    flow.last = view.flow.end.unwrap_or(end);
    (flow.src_ip, flow.dst_ip) = (view.src_ip, view.dest_ip);
    flow.src_port = view.src_port.unwrap_or(0);
    flow.dst_port = view.dest_port.unwrap_or(0);
    flow.proto = Proto::Ip(0);
    (flow.src_mac, flow.dst_mac) = (view.ether.src_mac, view.ether.dest_mac);
    flow.to_server.packets = view.flow.pkts_toserver;
    flow.to_client.packets = view.flow.pkts_toclient;
    flow.end = EndReason::Closed;
    flow.behaviours = Behaviours(view.ghost.behaviours.0);
    flow
}

/// The threshold of a rule that what is logged can be scored by.
///
/// # Errors
/// In words for who asked.
pub fn threshold(words: &str) -> Result<f32, String> {
    match super::rule(words)? {
        Rule::Cosine(threshold) => Ok(threshold),
        Rule::Learned => {
            Err("by the learned rule the log is scored already: leave --rule out".to_owned())
        }
    }
}
