//! From JSON to a [`View`], in one pass and without a tree.
//!
//! Each object is a [`Section`]; each value is handed to that section with its key. Lists hand over
//! their items one by one under the list's key, which is why a single value reads like a list of one.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::anomaly::{EVIDENCE_MAX, IncidentState};
use super::change::Fact;
use super::names;
use super::note::{
    BlockNote, ElementNote, EpochNote, GapNote, ImportNote, ImportState, KeyNote, Note,
    RecoveredNote, RetiredNote, SegmentNote,
};
use super::view::{GHOST_KEYS, LineKind, Name, Spread, TunnelPart, View};
use crate::{
    Behaviours, Digest, Folded, MacAddr, Priority, Reasons, Role, ShapeId, Timestamp, Zone,
};

/// Paths that need no allocation; any other is read as well.
const KNOWN_PATHS: &[&str] = &[
    "dns.queries.rrname",
    "dns.rrtypes",
    "dns.rcodes",
    "tls.sni",
    "tls.alpn",
    "tls.version",
    "tls.ja3.hash",
    "tls.ja4",
    "tls.subject",
    "tls.issuerdn",
    "tls.notafter",
    "quic.version",
    "http.hostname",
    "http.http_method",
    "http.path_shape",
    "http.http_user_agent",
    "http.status",
    "http.http_content_type",
    "ssh.client.software_version",
    "ssh.server.software_version",
    "ssh.client.hassh",
    "ssh.server.hassh",
    "dhcp.hostname",
    "dhcp.vendor_class",
    "dhcp.types",
    "netbios.names",
    "ssdp.server",
    "ssdp.targets",
    "ghost.commands",
    "ghost.software",
    "ghost.objects",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Top,
    Flow,
    Tcp,
    Ether,
    Tunnel,
    Ghost,
    Sizes,
    Gaps,
    Folded,
    Note,
    Element,
    Incident,
    Nearest,
    Change,
    Before,
    After,
    Names,
    Ignored,
}

enum Scalar<'de> {
    Text(Cow<'de, str>),
    Whole(u64),
    Number(f64),
    Bool(bool),
}

struct Reading<'de> {
    view: View<'de>,
    /// Path of the names' object that is open.
    path: String,
    start_ns: u16,
    end_ns: u16,
}

pub(super) fn read(line: &[u8]) -> Result<View<'_>, serde_json::Error> {
    let mut reading =
        Reading { view: View::default(), path: String::new(), start_ns: 0, end_ns: 0 };
    let mut json = serde_json::Deserializer::from_slice(line);
    (&mut json).deserialize_map(Object { reading: &mut reading, section: Section::Top })?;
    json.end()?;
    let Reading { mut view, start_ns, end_ns, .. } = reading;
    if view.kind != LineKind::Packet {
        // Keys of a packet's line say nothing in another.
        view.packet = None;
    }
    let add = |t: &mut Option<Timestamp>, ns: u16| *t = t.map(|t| t.plus_ns(ns.into()));
    add(&mut view.timestamp, end_ns);
    add(&mut view.flow.end, end_ns);
    add(&mut view.flow.start, start_ns);
    Ok(view)
}

struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(v))
    }
    fn visit_str<E>(self, v: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(v.to_owned()))
    }
}

struct Object<'r, 'de> {
    reading: &'r mut Reading<'de>,
    section: Section,
}

impl<'de> Visitor<'de> for Object<'_, 'de> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Key)? {
            map.next_value_seed(Value {
                reading: &mut *self.reading,
                section: self.section,
                key: &key,
            })?;
        }
        Ok(())
    }
}

struct Value<'r, 'de> {
    reading: &'r mut Reading<'de>,
    section: Section,
    key: &'r str,
}

impl<'de> DeserializeSeed<'de> for Value<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        if self.section == Section::Ignored {
            return d.deserialize_ignored_any(serde::de::IgnoredAny).map(drop);
        }
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, 'de> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_borrowed_str<E>(self, v: &'de str) -> Result<(), E> {
        self.reading.take(self.section, self.key, Scalar::Text(Cow::Borrowed(v)));
        Ok(())
    }
    fn visit_str<E>(self, v: &str) -> Result<(), E> {
        self.reading.take(self.section, self.key, Scalar::Text(Cow::Owned(v.to_owned())));
        Ok(())
    }
    fn visit_u64<E>(self, v: u64) -> Result<(), E> {
        self.reading.take(self.section, self.key, Scalar::Whole(v));
        Ok(())
    }
    fn visit_i64<E>(self, v: i64) -> Result<(), E> {
        #[expect(clippy::cast_precision_loss, reason = "no key of ours is negative")]
        self.reading.take(self.section, self.key, Scalar::Number(v as f64));
        Ok(())
    }
    fn visit_f64<E>(self, v: f64) -> Result<(), E> {
        self.reading.take(self.section, self.key, Scalar::Number(v));
        Ok(())
    }
    fn visit_bool<E>(self, v: bool) -> Result<(), E> {
        self.reading.take(self.section, self.key, Scalar::Bool(v));
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let key = self.reading.list(self.section, self.key);
        while seq
            .next_element_seed(Value { reading: &mut *self.reading, section: self.section, key })?
            .is_some()
        {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let before = self.reading.path.len();
        let section = self.reading.enter(self.section, self.key);
        Object { reading: &mut *self.reading, section }.visit_map(map)?;
        self.reading.path.truncate(before);
        Ok(())
    }
}

impl<'de> Reading<'de> {
    /// The section of an object under `key`.
    fn enter(&mut self, section: Section, key: &str) -> Section {
        match (section, key) {
            (Section::Top, "flow") => Section::Flow,
            (Section::Top, "tcp") => {
                self.view.tcp = Some(Default::default());
                Section::Tcp
            }
            (Section::Top, "ether") => Section::Ether,
            (Section::Top, "tunnel" | "tunnels") => {
                self.view.tunnels.push(TunnelPart::default());
                Section::Tunnel
            }
            (Section::Top, "ghost") => Section::Ghost,
            (Section::Ghost, "sizes") => {
                self.view.ghost.sizes = Some(Spread::default());
                Section::Sizes
            }
            (Section::Ghost, "gaps_us") => {
                self.view.ghost.gaps_us = Some(Spread::default());
                Section::Gaps
            }
            (Section::Ghost, "folded") => {
                self.view.ghost.folded = Some(Folded::default());
                Section::Folded
            }
            (Section::Ghost, "element") => {
                self.view.ghost.element = Some(Default::default());
                Section::Element
            }
            (Section::Ghost, "change") => {
                self.view.change = Some(Default::default());
                Section::Change
            }
            (Section::Ghost, "incident") => {
                self.view.ghost.incident = Some(Default::default());
                Section::Incident
            }
            (Section::Incident, "nearest") => {
                let incident = self.view.ghost.incident.get_or_insert_default();
                incident.nearest.push((ShapeId(0), 0.0));
                Section::Nearest
            }
            (Section::Change, "before") => Section::Before,
            (Section::Change, "after") => Section::After,
            (Section::Ghost, key) => {
                self.view.note = match key {
                    "epoch" => Some(Note::Epoch(EpochNote::default())),
                    "segment" => Some(Note::Segment(SegmentNote::default())),
                    "import" => Some(Note::Import(ImportNote::default())),
                    "recovered" => Some(Note::Recovered(RecoveredNote::default())),
                    "gap" => Some(Note::Gap(GapNote::default())),
                    "key" => Some(Note::Key(KeyNote::default())),
                    "retired" => Some(Note::Retired(RetiredNote::default())),
                    "block" => Some(Note::Block(BlockNote::default())),
                    "head" => Some(Note::Element(ElementNote::default())),
                    key if GHOST_KEYS.contains(&key) => return Section::Ignored,
                    key => {
                        self.path.push_str("ghost.");
                        self.path.push_str(key);
                        return Section::Names;
                    }
                };
                Section::Note
            }
            (Section::Top | Section::Names, key) => {
                if !self.path.is_empty() {
                    self.path.push('.');
                }
                self.path.push_str(key);
                Section::Names
            }
            _ => Section::Ignored,
        }
    }

    /// A list begins: says under which key its items stand, and takes back the single value that
    /// the list holds once more.
    fn list<'k>(&mut self, section: Section, key: &'k str) -> &'k str {
        match section {
            Section::Top if key == "tunnels" => self.view.tunnels.clear(),
            Section::Names => return self.whole_list(key),
            _ => {}
        }
        key
    }

    fn whole_list<'k>(&mut self, key: &'k str) -> &'k str {
        let Some(last) = self.view.names.last() else { return key };
        let Some(last_key) =
            last.path.strip_prefix(self.path.as_str()).and_then(|k| k.strip_prefix('.'))
        else {
            return key;
        };
        if self.path == "dns" && key == "queries" && last_key == "rrname" {
            self.view.names.pop();
            return key;
        }
        if key.strip_prefix(last_key).is_some_and(|rest| rest == names::plural(last_key)) {
            let single = &key[..last_key.len()];
            self.view.names.pop();
            return single;
        }
        key
    }

    fn take(&mut self, section: Section, key: &str, value: Scalar<'de>) {
        match section {
            Section::Top => self.top(key, value),
            Section::Flow => self.flow(key, value),
            Section::Tcp => self.tcp(key, value),
            Section::Ether => {
                let mac = value.text().as_deref().and_then(mac);
                match key {
                    "src_mac" => self.view.ether.src_mac = mac,
                    "dest_mac" => self.view.ether.dest_mac = mac,
                    _ => {}
                }
            }
            Section::Tunnel => self.tunnel(key, value),
            Section::Ghost => self.ghost(key, value),
            Section::Sizes => spread(self.view.ghost.sizes.as_mut(), key, &value),
            Section::Gaps => spread(self.view.ghost.gaps_us.as_mut(), key, &value),
            Section::Folded => {
                let folded = self.view.ghost.folded.get_or_insert_default();
                let count = value.whole().unwrap_or(0);
                match key {
                    "flows" => folded.flows = count,
                    "sources" => folded.sources = count,
                    "targets" => folded.targets = count,
                    "ports" => folded.ports = count,
                    _ => {}
                }
            }
            Section::Note => self.note(key, value),
            Section::Element => self.element(key, value),
            Section::Incident | Section::Nearest => self.incident(section, key, value),
            Section::Change | Section::Before | Section::After => {
                self.change(section, key, value);
            }
            Section::Names => self.name(key, value),
            Section::Ignored => {}
        }
    }

    fn top(&mut self, key: &str, value: Scalar<'de>) {
        let v = &mut self.view;
        match key {
            "timestamp" => v.timestamp = value.timestamp(),
            "flow_id" => v.flow_id = value.whole(),
            "event_type" => {
                v.event_type = value.text().unwrap_or_default();
                v.kind = LineKind::of(&v.event_type);
            }
            "in_iface" => v.in_iface = value.text(),
            "pcap_filename" => v.pcap_filename = value.text(),
            "src_ip" => v.src_ip = value.address(),
            "src_port" => v.src_port = value.small(),
            "dest_ip" => v.dest_ip = value.address(),
            "dest_port" => v.dest_port = value.small(),
            "proto" => v.proto = value.text(),
            "icmp_type" => v.icmp_type = value.small(),
            "icmp_code" => v.icmp_code = value.small(),
            "app_proto" => v.app_proto = value.text(),
            "community_id" => v.community_id = value.text(),
            "direction" => {
                let to_server = match value.text().as_deref() {
                    Some("to_server") => Some(true),
                    Some("to_client") => Some(false),
                    _ => None,
                };
                v.packet.get_or_insert_default().to_server = to_server;
            }
            "vlan" => v.vlan.extend(value.small::<u16>()),
            _ => {}
        }
    }

    fn flow(&mut self, key: &str, value: Scalar<'de>) {
        let f = &mut self.view.flow;
        match key {
            "pkts_toserver" => f.pkts_toserver = value.whole().unwrap_or(0),
            "pkts_toclient" => f.pkts_toclient = value.whole().unwrap_or(0),
            "bytes_toserver" => f.bytes_toserver = value.whole().unwrap_or(0),
            "bytes_toclient" => f.bytes_toclient = value.whole().unwrap_or(0),
            "start" => f.start = value.timestamp(),
            "end" => f.end = value.timestamp(),
            "age" => f.age_s = value.whole().unwrap_or(0),
            "state" => f.state = value.text().unwrap_or_default(),
            "reason" => f.reason = value.text().unwrap_or_default(),
            _ => {}
        }
    }

    fn tcp(&mut self, key: &str, value: Scalar<'de>) {
        let Some(t) = self.view.tcp.as_mut() else { return };
        let flags = |v: &Scalar<'_>| match v {
            Scalar::Text(text) => u8::from_str_radix(text, 16).unwrap_or(0),
            _ => 0,
        };
        match key {
            "tcp_flags" => {
                self.view.packet.get_or_insert_default().tcp_flags = Some(flags(&value));
            }
            "tcp_flags_ts" => t.flags_to_server = flags(&value),
            "tcp_flags_tc" => t.flags_to_client = flags(&value),
            "state" => t.state = value.text().unwrap_or_default(),
            "rtt_us" => t.rtt_us = value.whole().unwrap_or(0),
            "rtt_server_us" => t.rtt_server_us = value.whole().unwrap_or(0),
            "retransmissions" => t.retransmissions = value.whole().unwrap_or(0),
            _ => {}
        }
    }

    fn tunnel(&mut self, key: &str, value: Scalar<'de>) {
        let Some(t) = self.view.tunnels.last_mut() else { return };
        match key {
            "kind" => t.kind = value.text().unwrap_or_default(),
            "id" => t.id = value.small(),
            "src_ip" => t.src_ip = value.address(),
            "src_port" => t.src_port = value.small().unwrap_or(0),
            "dest_ip" => t.dest_ip = value.address(),
            "dest_port" => t.dest_port = value.small().unwrap_or(0),
            "proto" => t.proto = value.text().unwrap_or_default(),
            "packets" => t.packets = value.whole().unwrap_or(0),
            _ => {}
        }
    }

    fn ghost(&mut self, key: &str, value: Scalar<'de>) {
        let g = &mut self.view.ghost;
        match key {
            "v" => g.v = value.small().unwrap_or(0),
            "seq" => g.seq = value.whole(),
            "prev" => g.prev = value.text().and_then(|t| Digest::from_hex(t.as_bytes())),
            "prio" => g.prio = value.text().and_then(|t| priority(&t)),
            "shape" => {
                g.shape = value.text().and_then(|t| u64::from_str_radix(&t, 16).ok()).map(ShapeId);
            }
            "import" => g.import = value.whole(),
            "bridge" => g.bridge = value.text(),
            "app_by" => g.app_by = value.text().unwrap_or_default(),
            "behaviours" => {
                if let Some(b) = value.text().and_then(|t| Behaviours::from_name(&t)) {
                    g.behaviours.insert(b);
                }
            }
            "score" => g.score = value.number(),
            "alert" => g.alert = matches!(value, Scalar::Bool(true)),
            "alerted" => g.alerted = value.timestamp(),
            "reasons" => {
                if let Some(reason) = value.text().and_then(|t| Reasons::from_name(&t)) {
                    g.reasons.insert(reason);
                }
            }
            "brand" => g.brand = value.text().unwrap_or_default(),
            "category" => g.category = value.text().unwrap_or_default(),
            "src_role" => g.src.role = value.text().map_or(Role::Unknown, |t| role(&t)),
            "dest_role" => g.dest.role = value.text().map_or(Role::Unknown, |t| role(&t)),
            "src_zone" => g.src.zone = value.text().map_or(Zone::Unknown, |t| zone(&t)),
            "dest_zone" => g.dest.zone = value.text().map_or(Zone::Unknown, |t| zone(&t)),
            "src_name" => g.src_name = value.text(),
            "dest_name" => g.dest_name = value.text(),
            "payload_toserver" => g.payload_toserver = value.whole().unwrap_or(0),
            "payload_toclient" => g.payload_toclient = value.whole().unwrap_or(0),
            "fragments" => g.fragments = value.whole().unwrap_or(0),
            "malformed" => g.malformed = value.whole().unwrap_or(0),
            "start_ns" => self.start_ns = value.small().filter(|ns| *ns < 1000).unwrap_or(0),
            "end_ns" => self.end_ns = value.small().filter(|ns| *ns < 1000).unwrap_or(0),
            "flow" | "len" | "payload" | "segments" | "sha256" => self.packet(key, value),
            // Of a packet: below the microsecond of its only time.
            "ns" => self.end_ns = value.small().filter(|ns| *ns < 1000).unwrap_or(0),
            "names_dropped" => g.names_dropped = value.whole().unwrap_or(0),
            "tuple" | "text" | "glossary" | "tier" | "model" | "scale" | "vec" => {
                self.shape(key, value);
            }
            key if GHOST_KEYS.contains(&key) => {}
            key => {
                self.path.push_str("ghost");
                self.name(key, value);
                self.path.clear();
            }
        }
    }

    fn packet(&mut self, key: &str, value: Scalar<'de>) {
        let p = self.view.packet.get_or_insert_default();
        match key {
            "flow" => p.conversation = value.text().and_then(|t| u64::from_str_radix(&t, 16).ok()),
            "len" => p.len = value.whole().unwrap_or(0),
            "payload" => p.payload = value.whole().unwrap_or(0),
            "segments" => p.segments = value.whole().unwrap_or(0),
            "sha256" => p.sha256 = value.text().unwrap_or_default(),
            _ => {}
        }
    }

    fn shape(&mut self, key: &str, value: Scalar<'de>) {
        let s = self.view.shape.get_or_insert_default();
        match key {
            "tuple" => s.tuple = value.text().unwrap_or_default(),
            "text" => s.text = value.text().unwrap_or_default(),
            "glossary" => s.glossary = value.small().unwrap_or(0),
            "tier" => s.tier = value.small().unwrap_or(0),
            "model" => s.model = value.text().unwrap_or_default(),
            "scale" => s.scale = value.number().unwrap_or(0.0),
            "vec" => s.vec = value.text().unwrap_or_default(),
            _ => {}
        }
    }

    fn note(&mut self, key: &str, value: Scalar<'de>) {
        let Some(note) = self.view.note.as_mut() else { return };
        let text = |v: Scalar<'de>| v.text().unwrap_or_default();
        let whole = |v: Scalar<'de>| v.whole().unwrap_or(0);
        let digest = |v: Scalar<'de>| {
            v.text().and_then(|t| Digest::from_hex(t.as_bytes())).unwrap_or_default()
        };
        match (note, key) {
            (Note::Epoch(n), "log") => n.log = text(value),
            (Note::Epoch(n), "epoch") => n.epoch = whole(value),
            (Note::Epoch(n), "parent_seq") => n.parent_seq = whole(value),
            (Note::Epoch(n), "parent_leaf") => n.parent_leaf = digest(value),
            (Note::Epoch(n), "program") => n.program = text(value),
            (Note::Epoch(n), "boot") => n.boot = text(value),
            (Note::Epoch(n), "key") => n.key = text(value),
            (Note::Segment(n), "log") => n.log = text(value),
            (Note::Segment(n), "epoch") => n.epoch = whole(value),
            (Note::Segment(n), "parent_seq") => n.parent_seq = whole(value),
            (Note::Segment(n), "parent_leaf") => n.parent_leaf = digest(value),
            (Note::Segment(n), "key") => n.key = text(value),
            (Note::Import(n), "state") => {
                n.state = match &*text(value) {
                    "end" => ImportState::End,
                    "abandoned" => ImportState::Abandoned,
                    _ => ImportState::Begin,
                }
            }
            (Note::Import(n), "file") => n.file = text(value),
            (Note::Import(n), "sha256") => n.sha256 = text(value),
            (Note::Import(n), "options") => n.options = text(value),
            (Note::Import(n), "begin") => n.begin = whole(value),
            (Note::Import(n), "packets") => n.packets = whole(value),
            (Note::Import(n), "bytes") => n.bytes = whole(value),
            (Note::Import(n), "flows") => n.flows = whole(value),
            (Note::Import(n), "events") => n.events = whole(value),
            (Note::Import(n), "unparsed") => n.unparsed = whole(value),
            (Note::Import(n), "error") => n.error = text(value),
            (Note::Recovered(n), "after_seq") => n.after_seq = whole(value),
            (Note::Recovered(n), "bytes") => n.bytes = whole(value),
            (Note::Recovered(n), "lines") => n.lines = whole(value),
            (Note::Recovered(n), "acknowledged_lost") => n.acknowledged_lost = whole(value),
            (Note::Recovered(n), "kept") => n.kept = text(value),
            (Note::Gap(n), "reason") => n.reason = text(value),
            (Note::Gap(n), "from") => n.from = value.timestamp().unwrap_or_default(),
            (Note::Gap(n), "to") => n.to = value.timestamp().unwrap_or_default(),
            (Note::Gap(n), "packets") => n.packets = whole(value),
            (Note::Gap(n), "bytes") => n.bytes = whole(value),
            (Note::Gap(n), "events") => n.events = whole(value),
            (Note::Key(n), "key") => n.key = text(value),
            (Note::Key(n), "by") => n.by = text(value),
            (Note::Key(n), "signature") => n.signature = text(value),
            (Note::Retired(n), "first_seq") => n.first_seq = whole(value),
            (Note::Retired(n), "segments") => n.segments = whole(value),
            (Note::Retired(n), "bytes") => n.bytes = whole(value),
            (Note::Block(n), "action") => n.action = text(value),
            (Note::Block(n), "block") => n.block = whole(value),
            (Note::Block(n), "size") => n.size = whole(value),
            (Note::Block(n), "root") => n.root = digest(value),
            (Note::Block(n), "reason") => n.reason = text(value),
            (Note::Element(n), "id") => n.id = text(value),
            (Note::Element(n), "type") => n.kind = text(value),
            (Note::Element(n), "height") => n.height = whole(value),
            (Note::Element(n), "seq") => n.seq = whole(value),
            (Note::Element(n), "leaf") => n.leaf = digest(value),
            _ => {}
        }
    }

    fn element(&mut self, key: &str, value: Scalar<'de>) {
        let e = self.view.ghost.element.get_or_insert_default();
        match key {
            "id" => e.id = value.text().unwrap_or_default(),
            "type" => e.kind = value.text().unwrap_or_default(),
            "height" => e.height = value.whole().unwrap_or(0),
            "prev" => {
                let digest = value.text().and_then(|t| Digest::from_hex(t.as_bytes()));
                e.prev = digest.unwrap_or_default();
            }
            _ => {}
        }
    }

    fn incident(&mut self, section: Section, key: &str, value: Scalar<'de>) {
        let i = self.view.ghost.incident.get_or_insert_default();
        if section == Section::Nearest {
            let Some(last) = i.nearest.last_mut() else { return };
            match key {
                "shape" => {
                    let id = value.text().and_then(|t| u64::from_str_radix(&t, 16).ok());
                    last.0 = ShapeId(id.unwrap_or(0));
                }
                "cosine" => last.1 = value.number().unwrap_or(0.0),
                _ => {}
            }
            return;
        }
        match key {
            "id" => i.id = value.text().unwrap_or_default(),
            "state" => i.state = IncidentState::from_name(&value.text().unwrap_or_default()),
            "kind" => i.kind = value.text().unwrap_or_default(),
            "shape" => {
                let id = value.text().and_then(|t| u64::from_str_radix(&t, 16).ok());
                i.shape = id.map(ShapeId);
            }
            "flows" => i.flows = value.whole().unwrap_or(0),
            "sources" => i.sources = value.whole().unwrap_or(0),
            "targets" => i.targets = value.whole().unwrap_or(0),
            "first" => i.first = value.timestamp(),
            "last" => i.last = value.timestamp(),
            "told" if i.told.len() < EVIDENCE_MAX => i.told.extend(value.text()),
            "flow_ids" if i.flow_ids.len() < EVIDENCE_MAX => i.flow_ids.extend(value.whole()),
            "evidence" if i.evidence.len() < EVIDENCE_MAX => i.evidence.extend(value.whole()),
            _ => {}
        }
    }

    fn change(&mut self, section: Section, key: &str, value: Scalar<'de>) {
        let c = self.view.change.get_or_insert_default();
        let facts = match section {
            Section::Before => &mut c.before,
            Section::After => &mut c.after,
            _ => {
                match key {
                    "action" => c.action = value.text().unwrap_or_default(),
                    "changed" => c.changed.extend(value.text()),
                    _ => {}
                }
                return;
            }
        };
        let fact = match value {
            Scalar::Text(text) => Fact::Text(text),
            Scalar::Whole(n) => Fact::Whole(n),
            Scalar::Bool(b) => Fact::Flag(b),
            Scalar::Number(_) => return,
        };
        facts.push((key.to_owned(), fact));
    }

    fn name(&mut self, key: &str, value: Scalar<'de>) {
        let before = self.path.len();
        self.path.push('.');
        self.path.push_str(key);
        let path = KNOWN_PATHS
            .iter()
            .find(|known| **known == self.path)
            .map_or_else(|| Cow::Owned(self.path.clone()), |known| Cow::Borrowed(*known));
        self.path.truncate(before);
        let value = match value {
            Scalar::Text(text) => text,
            Scalar::Whole(n) => Cow::Owned(n.to_string()),
            Scalar::Number(n) => Cow::Owned(n.to_string()),
            Scalar::Bool(b) => Cow::Borrowed(if b { "true" } else { "false" }),
        };
        self.view.names.push(Name { path, value });
    }
}

impl<'de> Scalar<'de> {
    fn text(self) -> Option<Cow<'de, str>> {
        if let Scalar::Text(text) = self { Some(text) } else { None }
    }
    fn whole(&self) -> Option<u64> {
        if let Scalar::Whole(n) = self { Some(*n) } else { None }
    }
    fn small<T: TryFrom<u64>>(&self) -> Option<T> {
        self.whole().and_then(|n| T::try_from(n).ok())
    }
    fn number(&self) -> Option<f64> {
        match self {
            Scalar::Number(n) => Some(*n),
            #[expect(clippy::cast_precision_loss, reason = "a statistic")]
            Scalar::Whole(n) => Some(*n as f64),
            _ => None,
        }
    }
    fn timestamp(self) -> Option<Timestamp> {
        self.text().and_then(|t| Timestamp::parse(&t))
    }
    fn address(self) -> Option<IpAddr> {
        self.text().and_then(|t| t.parse().ok())
    }
}

fn spread(spread: Option<&mut Spread>, key: &str, value: &Scalar<'_>) {
    let Some(s) = spread else { return };
    match key {
        "min" => {
            s.min = value.whole().unwrap_or(0);
            s.max = s.max.max(s.min);
        }
        "max" => s.max = value.whole().unwrap_or(0),
        _ => {}
    }
}

fn mac(text: &str) -> Option<MacAddr> {
    let mut bytes = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut bytes {
        let part = parts.next().filter(|p| p.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(MacAddr(bytes))
}

fn priority(name: &str) -> Option<Priority> {
    [Priority::Low, Priority::Medium, Priority::High, Priority::Critical]
        .into_iter()
        .find(|p| p.name() == name)
}

fn role(name: &str) -> Role {
    Role::ALL.iter().copied().find(|r| r.name() == name).unwrap_or_default()
}

fn zone(name: &str) -> Zone {
    Zone::ALL.iter().copied().find(|z| z.name() == name).unwrap_or_default()
}
