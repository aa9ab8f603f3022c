//! How the daemon stands, as Prometheus and OpenMetrics read it.
//!
//! Every metric begins with `ghostbridge_` and is in base units; totals are since the daemon's
//! start. Labels come from closed words and from names of bridges and ports, which are escaped, cut
//! and bounded in number: no address, name or text of the traffic is ever a label. What each metric
//! means stands in `docs/interfaces/metrics.md`.

mod anomalies;
mod replicas;

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::Latency;
use crate::api::Standing;
use crate::daemon::{PortStatus, Status};

/// What the exposition is.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Ports that have labels of their own; the others are summed under [`OTHERS`].
const PORTS_MAX: usize = 256;

/// Bytes of a name that stand in a label.
const NAME_BYTES_MAX: usize = 64;

/// The label of ports beyond the bound. No interface can have this name: it has a blank.
const OTHERS: &str = "the others";

/// The text that a scraper gets.
#[must_use]
pub fn exposition(standing: &Standing) -> String {
    let mut registry = Registry::with_prefix("ghostbridge");
    program(&mut registry, standing);
    traffic(&mut registry, &standing.status);
    ports(&mut registry, &standing.status);
    losses(&mut registry, &standing.status);
    flows(&mut registry, &standing.status);
    queues(&mut registry, &standing.status);
    log(&mut registry, &standing.status);
    blocks(&mut registry, &standing.status);
    index(&mut registry, &standing.status);
    model(&mut registry, &standing.status);
    replicas::replicas(&mut registry, &standing.status);
    anomalies::anomalies(&mut registry, &standing.status);
    api(&mut registry, standing);
    let mut text = String::new();
    // Writing into a String fails for nobody.
    if encode(&mut text, &registry).is_err() {
        text.clear();
    }
    text
}

type Labels = Vec<(&'static str, String)>;
type Totals = Family<Labels, Counter<u64, AtomicU64>>;
type Levels = Family<Labels, Gauge<f64, AtomicU64>>;

fn total(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstCounter::new(value));
}

fn level(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstGauge::new(value));
}

fn program(registry: &mut Registry, standing: &Standing) {
    let status = &standing.status;
    let version = standing.program.rsplit(' ').next().unwrap_or_default();
    let built = vec![
        ("version", version.to_owned()),
        ("mode", word(&status.mode)),
        ("granularity", word(&status.granularity)),
        ("profile", word(&status.profile)),
    ];
    registry.register("build", "The program, and how it runs", Info::new(built));
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
    let started = status.started_ns as f64 / 1e9;
    let start: ConstGauge<f64> = ConstGauge::new(started);
    registry.register_with_unit("start_time", "When it started", Unit::Seconds, start);
    let resident = ConstGauge::new(standing.memory_bytes);
    registry.register_with_unit("resident_memory", "Memory in use", Unit::Bytes, resident);
}

fn traffic(registry: &mut Registry, status: &Status) {
    let traffic = &status.traffic;
    total(registry, "packets", "Packets of the wire that were taken in", traffic.packets);
    let bytes = ConstCounter::new(traffic.bytes);
    registry.register_with_unit("packet", "Their bytes on the wire", Unit::Bytes, bytes);
    total(registry, "frames", "Frames as the kernel handed them over", traffic.frames);
    let left: Totals = Family::default();
    let parts = [
        ("unparsed", traffic.unparsed),
        ("malformed", traffic.malformed),
        ("filtered", traffic.filtered),
    ];
    for (reason, count) in parts {
        left.get_or_create(&vec![("reason", reason.to_owned())]).inc_by(count);
    }
    registry.register("packets_set_aside", "Packets that were not read to their end", left);
}

/// The labels of a port, of which there is a bounded number.
fn port_labels(at: usize, port: &PortStatus, status: &Status) -> Labels {
    if at >= PORTS_MAX {
        return vec![("bridge", OTHERS.to_owned()), ("port", OTHERS.to_owned())];
    }
    let bridge = status.bridges.get(usize::from(port.bridge)).map_or("", String::as_str);
    vec![("bridge", word(bridge)), ("port", word(&port.name))]
}

fn ports(registry: &mut Registry, status: &Status) {
    let (frames, bytes) = (Totals::default(), Totals::default());
    let (lost, lost_bytes) = (Totals::default(), Totals::default());
    let attached = Levels::default();
    for (at, port) in status.ports.iter().enumerate() {
        let labels = port_labels(at, port, status);
        frames.get_or_create(&labels).inc_by(port.seen);
        bytes.get_or_create(&labels).inc_by(port.seen_bytes);
        attached.get_or_create(&labels).inc_by(f64::from(u8::from(port.attached)));
        let mut why = labels;
        why.push(("reason", "ring_full".to_owned()));
        lost.get_or_create(&why).inc_by(port.lost);
        lost_bytes.get_or_create(&why).inc_by(port.lost_bytes);
    }
    registry.register("port_frames", "Frames seen at a port", frames);
    registry.register_with_unit("port", "Bytes seen at a port", Unit::Bytes, bytes);
    registry.register("port_lost_frames", "Frames that passed a port unseen", lost);
    let help = "Bytes that passed a port unseen";
    registry.register_with_unit("port_lost", help, Unit::Bytes, lost_bytes);
    registry.register("port_attached", "1 where the port is tapped now", attached);
}

fn losses(registry: &mut Registry, status: &Status) {
    let loss = &status.loss;
    let (packets, bytes, events) = (Totals::default(), Totals::default(), Totals::default());
    let reasons = [
        ("ring_full", loss.ring_frames, loss.ring_bytes, 0),
        ("queue_full", loss.queue_packets, loss.queue_bytes, loss.queue_events),
        ("log_refused", loss.log_packets, loss.log_bytes, loss.log_events),
    ];
    for (reason, p, b, e) in reasons {
        let labels = vec![("reason", reason.to_owned())];
        packets.get_or_create(&labels).inc_by(p);
        bytes.get_or_create(&labels).inc_by(b);
        events.get_or_create(&labels).inc_by(e);
    }
    registry.register("lost_packets", "Packets that are in no event", packets);
    registry.register_with_unit("lost", "Bytes that are in no event", Unit::Bytes, bytes);
    registry.register("lost_events", "Events that are not in the log", events);
    total(registry, "gaps", "Gap notes written to the log", loss.gaps);
}

fn flows(registry: &mut Registry, status: &Status) {
    let flows = &status.flows;
    level(registry, "flows_open", "Flows in the table", flows.open);
    level(registry, "flows_open_max", "Flows for which there is room", flows.open_max);
    total(registry, "flows_started", "Flows that began", flows.started);
    total(registry, "flows_ended", "Flows that ended", flows.ended);
    total(registry, "flows_evicted", "Flows ended early for lack of room", flows.evicted);
    total(registry, "flows_folded", "Flows counted into folded records", flows.folded);
    total(registry, "names_dropped", "Names that found no room in their flow", flows.names_dropped);
}

fn queues(registry: &mut Registry, status: &Status) {
    let (depth, capacity, full) = (Levels::default(), Levels::default(), Totals::default());
    for queue in &status.queues {
        let labels = vec![("queue", word(&queue.name))];
        #[expect(clippy::cast_precision_loss, reason = "queues are short")]
        let (length, room) = (queue.length as f64, queue.capacity as f64);
        depth.get_or_create(&labels).set(length);
        capacity.get_or_create(&labels).set(room);
        full.get_or_create(&labels).inc_by(queue.full);
    }
    registry.register("queue_entries", "Entries that wait", depth);
    registry.register("queue_entries_max", "Entries for which there is room", capacity);
    registry.register("queue_full", "How often the queue was found full", full);
}

fn log(registry: &mut Registry, status: &Status) {
    let log = &status.log;
    total(registry, "log_events", "Events appended to the log", log.events);
    let bytes = ConstCounter::new(log.bytes);
    registry.register_with_unit("log", "Bytes appended to the log", Unit::Bytes, bytes);
    level(registry, "log_head_seq", "Number of the last line taken in", log.head);
    level(registry, "log_durable_seq", "Number of the last durable line", log.durable);
    level(registry, "log_segment_seq", "First line of the segment that grows", log.segment);
    level(registry, "log_epoch", "Starts of the writer", status.epoch);
    let waiting = ConstGauge::new(log.waiting_bytes);
    let help = "Bytes that wait because the disk is full";
    registry.register_with_unit("log_waiting", help, Unit::Bytes, waiting);
    let healthy = u64::from(log.trouble.is_empty());
    level(registry, "log_writable", "1 where the log takes lines in", healthy);
    let kinds = Totals::default();
    for (kind, count) in &log.kinds {
        kinds.get_or_create(&vec![("kind", word(kind))]).inc_by(*count);
    }
    registry.register("log_lines", "Events and notes appended, by kind", kinds);
    let help = "How long the log's syncs took";
    registry.register_with_unit("log_sync", help, Unit::Seconds, Steps(log.sync.clone()));
}

fn blocks(registry: &mut Registry, status: &Status) {
    let blocks = &status.blocks;
    total(registry, "blocks_sealed", "Blocks sealed", blocks.sealed);
    total(registry, "block_failures", "Times that no block could be sealed", blocks.failed);
    level(registry, "blocks_kept", "Blocks that are there", blocks.kept);
    level(registry, "block_number", "Number of the newest block", blocks.last);
    level(registry, "block_lines", "Lines of the log in the newest block", blocks.last_size);
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
    let at = blocks.last_time_ns as f64 / 1e9;
    let time: ConstGauge<f64> = ConstGauge::new(at);
    let help = "When the newest block was sealed";
    registry.register_with_unit("block_time", help, Unit::Seconds, time);
    let help = "How long sealing took";
    registry.register_with_unit("block_seal", help, Unit::Seconds, Steps(blocks.seal.clone()));
    for (name, help, value) in [
        ("disk_log", "What the log takes on the disk", blocks.log_bytes),
        ("disk_pinned", "What blocks keep on the disk beyond the log", blocks.pinned_bytes),
        ("disk_cap", "The cap on both", blocks.cap_bytes),
        ("disk_over_cap", "What is above the cap and can't be given up", blocks.over_bytes),
        ("disk_free", "What others may still write there", blocks.free_bytes),
    ] {
        registry.register_with_unit(name, help, Unit::Bytes, ConstGauge::new(value));
    }
    let days = Levels::default();
    for (of, told) in [("left", blocks.days_left), ("at_cap", blocks.days_at_cap)] {
        if let Some(told) = told {
            days.get_or_create(&vec![("of", of.to_owned())]).set(told);
        }
    }
    registry.register("retention_days", "Days at today's rate: until the cap, and within it", days);
    total(registry, "segments_retired", "Segments given up", blocks.retired_segments);
    let retired = ConstCounter::new(blocks.retired_bytes);
    registry.register_with_unit("retired", "Bytes of segments given up", Unit::Bytes, retired);
    total(registry, "blocks_deleted", "Blocks given up", blocks.deleted);
    let healthy = u64::from(blocks.trouble.is_empty());
    level(registry, "blocks_sealable", "1 where blocks can be sealed", healthy);
}

/// Latencies as a histogram.
#[derive(Debug)]
struct Steps(Latency);

impl EncodeMetric for Steps {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> std::fmt::Result {
        // The encoder adds up the steps by itself.
        let mut before = 0;
        let mut steps: Vec<(f64, u64)> = Vec::with_capacity(self.0.within.len() + 1);
        for (bound, count) in &self.0.within {
            steps.push((*bound, count.saturating_sub(before)));
            before = *count;
        }
        steps.push((f64::INFINITY, self.0.count.saturating_sub(before)));
        encoder.encode_histogram::<Labels>(self.0.sum_s, self.0.count, &steps, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

fn index(registry: &mut Registry, status: &Status) {
    let index = &status.index;
    level(registry, "index_position_seq", "Number of the last findable line", index.indexed_to);
    level(registry, "index_lag_lines", "Lines between that and the log's head", index.behind);
    level(registry, "index_events", "Events in the index", index.events);
    level(registry, "index_partitions", "Partitions of the index", index.partitions);
    let damaged = index.damaged.len() as u64;
    level(registry, "index_partitions_damaged", "Partitions that can't be read", damaged);
    level(registry, "shapes", "Shapes known", index.shapes);
    level(registry, "shapes_refined", "Shapes with the full model's vector", index.shapes_refined);
}

fn model(registry: &mut Registry, status: &Status) {
    let model = &status.model;
    let state = Levels::default();
    for name in ["absent", "waiting", "ready"] {
        let now = f64::from(u8::from(name == model.state));
        state.get_or_create(&vec![("state", name.to_owned())]).set(now);
    }
    registry.register("model_state", "1 for the state of the full model", state);
    level(registry, "model_shapes_waiting", "Shapes that wait for the model", model.waiting);
    total(registry, "model_shapes_refined", "Shapes refined since the start", model.refined);
    total(registry, "model_shapes_dropped", "Shapes that found no room to wait", model.dropped);
    total(registry, "model_failures", "Shapes that the model failed on", model.failed);
}

fn api(registry: &mut Registry, standing: &Standing) {
    let api = &standing.api;
    let requests = Totals::default();
    for of in &api.requests {
        let labels = vec![("route", word(&of.route)), ("class", word(&of.class))];
        requests.get_or_create(&labels).inc_by(of.total);
    }
    registry.register("api_requests", "Requests answered", requests);
    total(registry, "api_connections", "Connections taken", api.connections);
    level(registry, "api_connections_open", "Connections now", api.connections_open);
    let refused = Totals::default();
    for (reason, count) in [("busy", api.refused_busy), ("connections", api.connections_refused)] {
        refused.get_or_create(&vec![("reason", reason.to_owned())]).inc_by(count);
    }
    registry.register("api_refused", "Requests and connections that found no room", refused);
    level(registry, "api_followers", "Programs that follow the log", api.followers);
    total(registry, "api_lines_missed", "Lines that followers were too slow for", api.lines_missed);
    total(registry, "questions", "Questions answered", standing.status.questions);
    level(registry, "imports_running", "Imports at work now", standing.status.imports_running);
}

/// A name as a label: printable ASCII, cut.
fn word(name: &str) -> String {
    let mut word = String::new();
    for c in name.escape_default() {
        if word.len() >= NAME_BYTES_MAX {
            break;
        }
        word.push(c);
    }
    word
}

#[cfg(test)]
mod tests;
