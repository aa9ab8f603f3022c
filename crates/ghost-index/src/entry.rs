//! A logged line to what is indexed of it: terms and numbers.
//!
//! Everything comes from the line's bytes, so that a rebuilt index is the live one. Nothing is
//! taken from `pcap_filename`: the name of a file says nothing about what is in it.

use std::net::IpAddr;

use ghost_event::{Seq, Timestamp};

use crate::limits;
use crate::request::{Measure, Point, Position};
use crate::shapes::ShapeRow;
use crate::term::{self, Kind, put_text};
use crate::walk::{Leaves, walk};
use xxhash_rust::xxh3::xxh3_64;

/// What one line is to the index.
#[derive(Debug)]
pub(crate) enum Record {
    Flow(Entry),
    /// One packet; the point it belongs to counts it.
    Packet(Entry),
    Shape(Seq, ShapeRow),
    /// A start of the program.
    Epoch(Seq),
    /// A line that only moves the cursor.
    Note(Seq),
}

impl Record {
    pub(crate) fn seq(&self) -> Seq {
        match self {
            Record::Flow(entry) | Record::Packet(entry) => entry.numbers.seq,
            Record::Shape(seq, _) | Record::Epoch(seq) | Record::Note(seq) => *seq,
        }
    }
}

/// What is indexed of one flow event, or of one point of packets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    /// Terms, each with one byte of length before it; some may stand twice.
    pub(crate) terms: Vec<u8>,
    pub(crate) numbers: Numbers,
}

/// The numbers of one event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) seq: Seq,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) to_server: u64,
    pub(crate) to_client: u64,
    pub(crate) packets: u64,
    /// The Community ID's first 64 bits; of a flow that has none, both ends. As many as flows: a
    /// column finds one as fast as a term would, and costs a fraction of it to make.
    pub(crate) pair: u64,
    /// The bridge or the interface, and the import, that the event came by.
    pub(crate) source: u64,
    pub(crate) shape: u64,
    /// A hash of who opened it: of the address, below IP of the hardware's. As short as it is, since
    /// it only tells apart what has one shape.
    pub(crate) opener: u32,
    pub(crate) at: Position,
}

impl Numbers {
    pub(crate) fn measure(&self, of: Measure) -> u64 {
        match of {
            Measure::Seq => self.seq,
            Measure::Bytes => self.to_server.saturating_add(self.to_client),
            Measure::BytesToServer => self.to_server,
            Measure::BytesToClient => self.to_client,
            Measure::Packets => self.packets,
            Measure::DurationUs => Timestamp(self.end).ns_since(Timestamp(self.start)) / 1000,
        }
    }

    /// One number a conversation and source: its records (active timeouts, updates, a port used
    /// again) share it.
    pub(crate) fn flow(&self) -> u64 {
        flow(self.pair, self.source)
    }

    /// The point that a packet belongs to.
    pub(crate) fn point(&self) -> Point {
        Point {
            flow: self.flow(),
            shape: ghost_event::ShapeId(self.shape),
            minute: Point::minute(self.start),
        }
    }

    /// Takes in a later packet of the same point: place and number stay the first one's.
    pub(crate) fn join(&mut self, later: &Numbers) {
        (self.start, self.end) = (self.start.min(later.start), self.end.max(later.end));
        self.to_server = self.to_server.saturating_add(later.to_server);
        self.to_client = self.to_client.saturating_add(later.to_client);
        self.packets = self.packets.saturating_add(later.packets);
    }
}

/// Where an event came by: the bridge where one is told, else the interface; and the import.
pub(crate) fn source(in_iface: &str, bridge: &str, import: Option<Seq>) -> u64 {
    let name = if bridge.is_empty() { in_iface } else { bridge };
    let name = if name.is_empty() { 0 } else { xxh3_64(name.as_bytes()) };
    name ^ import.unwrap_or(0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The upper half, and never 0, which stands for nobody.
fn short(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or(u32::MAX).max(1)
}

pub(crate) fn flow(pair: u64, source: u64) -> u64 {
    pair ^ source.rotate_left(32)
}

impl Entry {
    /// The terms, as they stand in the dictionary.
    pub(crate) fn terms(&self) -> Terms<'_> {
        Terms(&self.terms)
    }
}

/// Walks packed terms.
#[derive(Debug, Clone)]
pub(crate) struct Terms<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Terms<'a> {
    type Item = &'a [u8];
    fn next(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = self.0.split_first()?;
        let (term, rest) = rest.split_at_checked(usize::from(*len))?;
        self.0 = rest;
        Some(term)
    }
}

/// Reads lines; keeps its buffers between them.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    path: String,
    scratch: Scratch,
}

#[derive(Debug, Default)]
struct Scratch {
    entry: Entry,
    count: usize,
    one: Vec<u8>,
    kind: LineKind,
    seq: Option<Seq>,
    timestamp: Option<i64>,
    start: Option<i64>,
    end: Option<i64>,
    /// Of the Community ID.
    pair: Option<u64>,
    in_iface: String,
    bridge: String,
    import: Option<Seq>,
    /// Of a packet.
    to_client: bool,
    len: u64,
    segments: u64,
    /// Both ends' addresses, for flows that have no Community ID.
    ends: u64,
    bad: Option<&'static str>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum LineKind {
    #[default]
    None,
    Flow,
    Packet,
    /// What became of an element.
    Change,
    Shape,
    Epoch,
    Note,
}

impl Reader {
    /// What `line` is to the index.
    pub(crate) fn read(&mut self, line: &[u8], at: Position) -> Result<Record, String> {
        self.scratch.again();
        walk(line, &mut self.path, &mut self.scratch).map_err(|e| e.to_string())?;
        let s = &mut self.scratch;
        if let Some(bad) = s.bad {
            return Err(format!("{bad} is not readable"));
        }
        let seq = s.seq.ok_or("no ghost.seq")?;
        match s.kind {
            LineKind::None => Err("no event_type".into()),
            LineKind::Note => Ok(Record::Note(seq)),
            LineKind::Epoch => Ok(Record::Epoch(seq)),
            LineKind::Shape => Ok(Record::Shape(seq, crate::shapes::row(line)?)),
            LineKind::Flow | LineKind::Packet | LineKind::Change => {
                let end = s.end.or(s.timestamp).ok_or("no timestamp")?;
                let start = s.start.unwrap_or(end);
                let numbers = &mut s.entry.numbers;
                numbers.seq = seq;
                numbers.at = at;
                numbers.pair = s.pair.unwrap_or(s.ends);
                numbers.source = source(&s.in_iface, &s.bridge, s.import);
                (numbers.start, numbers.end) = (start.min(end), end.max(start));
                let of_packet = s.kind == LineKind::Packet;
                if of_packet {
                    numbers.packets = s.segments.max(1);
                    (numbers.to_server, numbers.to_client) =
                        if s.to_client { (0, s.len) } else { (s.len, 0) };
                }
                if s.kind == LineKind::Change {
                    // Each is one of its own, whatever else became of the same element.
                    numbers.pair ^= seq.rotate_left(32);
                }
                let numbers = *numbers;
                let entry = Entry { terms: s.entry.terms.as_slice().into(), numbers };
                Ok(if of_packet { Record::Packet(entry) } else { Record::Flow(entry) })
            }
        }
    }
}

impl Scratch {
    /// Adds the term that `write` makes. Names, words and facts may come by the hundred and have a
    /// limit; what the log itself bounds (behaviours, roles, addresses) always has room, so that a
    /// tunnel in a thousand names is still found as a tunnel.
    fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.one.clear();
        write(&mut self.one);
        let Ok(len) = u8::try_from(self.one.len()) else { return };
        const MANY: [u8; 3] = [Kind::Name as u8, Kind::Word as u8, Kind::Fact as u8];
        if self.one.first().is_some_and(|kind| MANY.contains(kind)) {
            if self.count >= limits::TERMS_PER_EVENT_MAX {
                return;
            }
            self.count += 1;
        }
        self.entry.terms.push(len);
        self.entry.terms.extend_from_slice(&self.one);
    }

    fn put_text(&mut self, kind: Kind, value: &str) {
        if !value.is_empty() {
            self.put(|out| put_text(out, kind, value));
        }
    }

    fn put_raw(&mut self, kind: Kind, value: &[u8]) {
        let value = value.get(..limits::TERM_BYTES_MAX).unwrap_or(value);
        self.put(|out| {
            out.push(kind as u8);
            out.extend_from_slice(value);
        });
    }

    fn put_port(&mut self, kind: Kind, value: u64) {
        if let Ok(port) = u16::try_from(value)
            && (port != 0 || kind == Kind::Vlan)
        {
            self.put_raw(kind, &port.to_be_bytes());
        }
    }

    fn put_ip(&mut self, kind: Kind, value: &str) {
        if let Ok(ip) = value.parse::<IpAddr>() {
            self.put_raw(kind, &term::mapped(ip).octets());
        }
    }

    fn put_mac(&mut self, kind: Kind, value: &str) {
        if let Some(mac) = crate::text::mac(value) {
            self.put_raw(kind, &mac.0);
        }
    }

    /// A host name: whole, its parents at the dots, its words.
    fn put_name(&mut self, value: &str) {
        let name = term::host(value);
        if name.is_empty() {
            return;
        }
        self.put_text(Kind::Name, name);
        let dots = name.bytes().filter(|b| *b == b'.').count();
        let mut skip = dots.saturating_sub(limits::PARENTS_PER_NAME_MAX);
        let mut rest = name;
        while let Some((_, parent)) = rest.split_once('.') {
            rest = parent;
            if skip > 0 {
                skip -= 1;
            } else {
                self.put_text(Kind::Name, parent);
            }
        }
        self.put_words(name);
    }

    fn put_words(&mut self, text: &str) {
        for word in term::words(text).take(limits::WORDS_PER_NAME_MAX) {
            self.put_text(Kind::Word, word);
        }
    }

    fn put_fact(&mut self, path: &str, value: &str) {
        self.put(|out| {
            put_text(out, Kind::Fact, path);
            if out.len() < limits::TERM_BYTES_MAX {
                out.push(b'=');
                let mut end = value.len().min(limits::TERM_BYTES_MAX + 1 - out.len());
                while !value.is_char_boundary(end) {
                    end -= 1;
                }
                let from = out.len();
                out.extend_from_slice(&value.as_bytes()[..end]);
                out[from..].make_ascii_lowercase();
            }
        });
    }

    /// Of an element's event: whose it is, what happened, what it was and is.
    fn change(&mut self, path: &str, value: &str) {
        match path {
            "ghost.element.id" => {
                self.ends ^= xxh3_64(value.as_bytes());
                self.put_fact(path, value);
                self.put_words(value);
            }
            "ghost.change.action" => {
                self.put_fact(path, value);
                self.put_words(value);
            }
            "ghost.change.changed" => self.put_words(value),
            _ if path.starts_with("ghost.change.") => self.put_words(value),
            _ => {}
        }
    }

    fn time(&mut self, value: &str, what: &'static str) -> Option<i64> {
        let time = crate::text::time(value);
        if time.is_none() {
            self.bad = Some(what);
        }
        time
    }
}

impl Leaves for Scratch {
    fn again(&mut self) {
        let mut terms = std::mem::take(&mut self.entry.terms);
        let one = std::mem::take(&mut self.one);
        let (mut in_iface, mut bridge) =
            (std::mem::take(&mut self.in_iface), std::mem::take(&mut self.bridge));
        terms.clear();
        in_iface.clear();
        bridge.clear();
        *self = Scratch { one, in_iface, bridge, ..Scratch::default() };
        self.entry.terms = terms;
    }

    fn wants(&mut self, path: &str) -> bool {
        // Numbers about the flow that no question asks for.
        !matches!(path, "ghost.sizes" | "ghost.gaps_us" | "ghost.fingerprint")
    }

    fn text(&mut self, path: &str, value: &str) {
        match path {
            "event_type" => {
                self.kind = match value {
                    "flow" => LineKind::Flow,
                    "packet" => {
                        self.put_text(Kind::Event, value);
                        LineKind::Packet
                    }
                    "change" => {
                        self.put_text(Kind::Event, value);
                        LineKind::Change
                    }
                    "shape" => LineKind::Shape,
                    "epoch" => LineKind::Epoch,
                    _ => LineKind::Note,
                }
            }
            "timestamp" => self.timestamp = self.time(value, "timestamp"),
            "flow.start" => self.start = self.time(value, "flow.start"),
            "flow.end" => self.end = self.time(value, "flow.end"),
            "in_iface" => {
                self.in_iface.push_str(value);
                self.put_text(Kind::Interface, value);
            }
            "ghost.bridge" => {
                self.bridge.push_str(value);
                self.put_text(Kind::Interface, value);
            }
            "ghost.flow" => self.pair = u64::from_str_radix(value, 16).ok(),
            "direction" => self.to_client = value == "to_client",
            "src_ip" => {
                let hash = xxh3_64(value.as_bytes());
                self.ends ^= hash;
                self.entry.numbers.opener = short(hash);
                self.put_ip(Kind::SrcIp, value);
            }
            "dest_ip" => {
                self.ends ^= xxh3_64(value.as_bytes());
                self.put_ip(Kind::DstIp, value);
            }
            "proto" => {
                self.ends ^= xxh3_64(value.as_bytes());
                self.put_text(Kind::Proto, value);
            }
            "app_proto" => self.put_text(Kind::App, value),
            "community_id" => self.pair = Some(term::pair(value.as_bytes())),
            "ether.src_mac" => {
                let hash = xxh3_64(value.as_bytes());
                self.ends ^= hash;
                let opener = &mut self.entry.numbers.opener;
                // An address stands before the hardware's, wherever the line tells them.
                *opener = if *opener == 0 { short(hash) } else { *opener };
                self.put_mac(Kind::SrcMac, value);
            }
            "ether.dest_mac" => {
                self.ends ^= xxh3_64(value.as_bytes());
                self.put_mac(Kind::DstMac, value);
            }
            "ghost.shape" => match u64::from_str_radix(value, 16) {
                Ok(id) => {
                    self.entry.numbers.shape = id;
                    self.put_raw(Kind::Shape, &id.to_be_bytes());
                }
                Err(_) if matches!(self.kind, LineKind::Flow | LineKind::Packet) => {
                    self.bad = Some("ghost.shape")
                }
                Err(_) => {}
            },
            "ghost.behaviours" => self.put_text(Kind::Behaviour, value),
            "ghost.brand" => {
                self.put_text(Kind::Brand, value);
                self.put_words(value);
            }
            "ghost.category" => self.put_text(Kind::Category, value),
            "ghost.src_role" => self.put_text(Kind::SrcRole, value),
            "ghost.dest_role" => self.put_text(Kind::DstRole, value),
            "ghost.src_zone" => self.put_text(Kind::SrcZone, value),
            "ghost.dest_zone" => self.put_text(Kind::DstZone, value),
            "tunnel.kind" | "tunnels.kind" => self.put_text(Kind::Tunnel, value),
            // Never indexed: where a capture lay, chains and ids.
            "pcap_filename" | "ghost.prev" | "ghost.fingerprint" | "ghost.prio"
            | "ghost.alerted" => {}
            _ if self.kind == LineKind::Change => self.change(path, value),
            // Of a packet nothing else: it would not hold for all packets of its point.
            _ if self.kind != LineKind::Flow => {}
            "ghost.src_name" | "ghost.dest_name" | "dns.rrname" | "dns.queries.rrname"
            | "tls.sni" | "tls.snis" | "http.hostname" | "http.hostnames" | "dhcp.hostname"
            | "netbios.names" | "netbios.name" => self.put_name(value),
            "flow.state" | "flow.reason" | "tcp.state" | "ghost.app_by" | "ghost.alert"
            | "ghost.reasons" | "ghost.incident.id" => {
                self.put_fact(path, value);
            }
            _ if path.starts_with("flow.") => {}
            "tunnel.src_ip" | "tunnels.src_ip" => self.put_ip(Kind::SrcIp, value),
            "tunnel.dest_ip" | "tunnels.dest_ip" => self.put_ip(Kind::DstIp, value),
            _ if path.starts_with("tunnel") => {}
            _ => {
                self.put_fact(path, value);
                if !path.starts_with("tcp.") && !path.ends_with("hash") && !path.contains("ja") {
                    self.put_words(value);
                }
            }
        }
    }

    fn number(&mut self, path: &str, value: u64) {
        let numbers = &mut self.entry.numbers;
        match path {
            "ghost.seq" => self.seq = Some(value),
            "ghost.import" => self.import = Some(value),
            "ghost.len" => self.len = value,
            "ghost.segments" => self.segments = value,
            "ghost.folded.flows" => self.put_text(Kind::Event, "flood"),
            "ghost.fragments" | "ghost.malformed" if value > 0 => self.put_fact(path, "some"),
            _ if self.kind == LineKind::Packet && path.starts_with("icmp_") => {}
            "src_port" => self.put_port(Kind::SrcPort, value),
            "dest_port" => self.put_port(Kind::DstPort, value),
            "vlan" => self.put_port(Kind::Vlan, value),
            "flow.pkts_toserver" | "flow.pkts_toclient" => {
                numbers.packets = numbers.packets.saturating_add(value);
            }
            "flow.bytes_toserver" => numbers.to_server = value,
            "flow.bytes_toclient" => numbers.to_client = value,
            "icmp_type" | "icmp_code" | "http.status" | "http.statuses" => {
                let mut digits = [0; 20];
                self.put_fact(path, crate::text::decimal(value, &mut digits));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_elements_event_is_found_by_its_words_and_two_of_them_are_two() {
        let line = |seq: u64, action: &str| {
            format!(
                "{{\"timestamp\":\"2026-01-05T09:00:00.000000+0000\",\"event_type\":\"change\",\
                 \"ghost\":{{\"v\":1,\"prio\":\"high\",\"bridge\":\"br0\",\"change\":{{\"action\":\
                 \"{action}\",\"changed\":[\"up\"],\"before\":{{\"up\":true}},\"after\":{{\"up\":\
                 false,\"master\":\"evil\"}}}},\"element\":{{\"id\":\"bridge:br0\",\"type\":\"bridge\",\
                 \"height\":2,\"prev\":\"00\"}},\"seq\":{seq}}}}}\n"
            )
        };
        let at = Position { segment: 1, offset: 0, len: 0 };
        let read = |text: String| match Reader::default().read(text.as_bytes(), at) {
            Ok(Record::Flow(entry)) => entry,
            other => panic!("{other:?}"),
        };
        let (down, up) = (read(line(7, "down")), read(line(8, "up")));
        for word in ["bridge", "br0", "down", "up", "evil"] {
            let mut wanted = Vec::new();
            put_text(&mut wanted, Kind::Word, word);
            assert!(down.terms().any(|term| term == wanted), "{word} is missing");
        }
        assert_ne!(down.numbers.flow(), up.numbers.flow());
        assert_eq!((down.numbers.shape, down.numbers.packets), (0, 0));
    }

    #[test]
    fn a_flow_of_a_thousand_names_is_still_found_by_its_behaviour() {
        let names: Vec<String> =
            (0..1000).map(|n| format!("{{\"rrname\":\"n{n}.example\"}}")).collect();
        let line = format!(
            "{{\"timestamp\":\"2026-01-05T09:00:00.000000+0000\",\"event_type\":\"flow\",\
             \"dns\":{{\"queries\":[{}]}},\"ghost\":{{\"behaviours\":[\"dns_tunnel\"],\
             \"dest_role\":\"name_server\",\"seq\":1}}}}\n",
            names.join(",")
        );
        let at = Position { segment: 1, offset: 0, len: 0 };
        let Ok(Record::Flow(entry)) = Reader::default().read(line.as_bytes(), at) else {
            panic!("no flow was read");
        };
        for (kind, value) in [(Kind::Behaviour, "dns_tunnel"), (Kind::DstRole, "name_server")] {
            let mut wanted = Vec::new();
            put_text(&mut wanted, kind, value);
            assert!(entry.terms().any(|term| term == wanted), "{value} is missing");
        }
        assert!(entry.terms().count() <= limits::TERMS_PER_EVENT_MAX + 2);
    }
}
