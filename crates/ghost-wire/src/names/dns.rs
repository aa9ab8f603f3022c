//! DNS messages and their multicast cousins: the names asked for, and the addresses told.
//!
//! Promises: every question's name, in the case it has on the wire, labels joined by dots, the root
//! as `<Root>`; each address of an answer under the name that was first asked, through its aliases;
//! no allocation, and work bounded whatever the counts and pointers claim. A message that breaks
//! off after a good question is still a DNS message: what stood before was told.
//!
//! Not promised: a label that itself holds a dot reads like two labels. Keys, signatures and the
//! rest of the record zoo are stepped over.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Feed;
use super::limits::{
    DNS_ALIASES_MAX, DNS_NAME_OCTETS_MAX, DNS_POINTERS_MAX, DNS_RECORDS_MAX, MESSAGE_OCTETS_MAX,
};
use super::read::Reader;
use crate::{Direction, LearnedFrom, Sink, fields};

/// Whose rules a message follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    Dns,
    /// Answers are told without a question, and name their owner.
    Mdns,
    Llmnr,
}

/// Where the first question's name stands.
const QUESTION_AT: u32 = 12;

const TYPE_A: u16 = 1;
const TYPE_NS: u16 = 2;
const TYPE_CNAME: u16 = 5;
const TYPE_PTR: u16 = 12;
const TYPE_AAAA: u16 = 28;
const TYPE_SRV: u16 = 33;

/// One message; false where it is no DNS message.
pub(crate) fn message(flavour: Flavour, bytes: &[u8], sink: &mut dyn Sink) -> bool {
    match plausible(flavour, bytes) {
        Some(header) => {
            tell(flavour, bytes, header, sink);
            true
        }
        None => false,
    }
}

#[derive(Debug, Clone, Copy)]
struct Header {
    id: u16,
    response: bool,
    rcode: u8,
    questions: u16,
    answers: u16,
    others: u32,
}

fn plausible(flavour: Flavour, bytes: &[u8]) -> Option<Header> {
    let mut reader = Reader::new(bytes);
    reader.u16()?;
    let flags = reader.u16()?;
    let (questions, answers) = (reader.u16()?, reader.u16()?);
    let id = bytes.first_chunk::<2>().map_or(0, |id| u16::from_be_bytes(*id));
    let others = u32::from(reader.u16()?) + u32::from(reader.u16()?);
    let response = flags & 0x8000 != 0;
    let opcode = flags >> 11 & 0xf;
    if !matches!(opcode, 0..=2 | 4..=6) || (flavour == Flavour::Mdns && opcode != 0) {
        return None;
    }
    let header = Header { id, response, rcode: (flags & 0xf) as u8, questions, answers, others };
    // The first record decides; nothing else separates DNS from twelve octets of chance.
    let mut scratch = Name::new();
    if questions > 0 {
        if questions > 64 {
            return None;
        }
        scratch.read(bytes, &mut reader)?;
        reader.u16()?;
        let class = reader.u16()? & 0x7fff;
        matches!(class, 0..=4 | 254 | 255).then_some(header)
    } else if u32::from(answers) + others > 0 {
        scratch.read(bytes, &mut reader)?;
        reader.skip(8)?;
        let len = usize::from(reader.u16()?);
        // A record that runs over the end may have been cut by the capture or be a fragment.
        (len <= reader.len() || bytes.len() >= 500).then_some(header)
    } else {
        (reader.is_empty() && response).then_some(header)
    }
}

fn tell(flavour: Flavour, bytes: &[u8], header: Header, sink: &mut dyn Sink) {
    let _ = walk(flavour, bytes, header, sink);
    if header.response && flavour == Flavour::Dns {
        sink.field(fields::DNS_RCODE, rcode_text(header.rcode));
    }
}

fn walk(flavour: Flavour, bytes: &[u8], header: Header, sink: &mut dyn Sink) -> Option<()> {
    let mut reader = Reader::new(bytes);
    reader.skip(12)?;
    let mut name = Name::new();
    let mut asked = Name::new();
    let mut lookup = Lookup::new(header);
    for nth in 0..header.questions {
        name.read(bytes, &mut reader)?;
        let kind = reader.u16()?;
        reader.u16()?;
        sink.field(fields::DNS_QUERY, name.text());
        let mut digits = [0; 8];
        sink.field(fields::DNS_TYPE, type_text(kind, &mut digits));
        if nth == 0 {
            asked = name;
            lookup.named(&name, kind);
        }
    }
    let one = header.questions == 1 && flavour == Flavour::Dns;
    if !header.response {
        if one {
            sink.field(fields::DNS_TRANSACTION, lookup.octets());
        }
        return Some(());
    }
    let records =
        u32::from(header.answers) + if flavour == Flavour::Mdns { header.others } else { 0 };
    let mut aliases = Aliases::default();
    let mut target = Name::new();
    let mut line = Line::new();
    // Most records have the owner of the one before, by the same pointer: read it once.
    let mut before = None;
    let mut is_asked = false;
    for _ in 0..records.min(DNS_RECORDS_MAX as u32) {
        let owner = pointer(bytes, bytes.len() - reader.len());
        if owner.is_some() && owner == before {
            reader.skip(2)?;
        } else {
            name.read(bytes, &mut reader)?;
            is_asked = header.questions > 0
                && (owner == Some(QUESTION_AT)
                    || name.same(&asked)
                    || aliases.leads_to(bytes, &name, owner, &mut target));
            line.owner(&name);
            before = owner;
        }
        let kind = reader.u16()?;
        reader.skip(6)?; // class, time to live
        let data_at = bytes.len() - reader.len() + 2;
        let data = reader.vector16()?;
        let mut inside = Reader::new(data);
        let address = match (kind, data.len()) {
            (TYPE_A, 4) => inside.array::<4>().map(|a| IpAddr::V4(Ipv4Addr::from(a))),
            (TYPE_AAAA, 16) => inside.array::<16>().map(|a| IpAddr::V6(Ipv6Addr::from(a))),
            _ => None,
        };
        if let Some(address) = address {
            match flavour {
                Flavour::Mdns => sink.learned(address, name.text(), LearnedFrom::Mdns),
                Flavour::Dns | Flavour::Llmnr => {
                    let called = if is_asked { &asked } else { &name };
                    sink.learned(address, called.text(), LearnedFrom::DnsAnswer);
                }
            }
            sink.field(fields::DNS_ANSWER, line.address(address));
            lookup.answered(address);
        } else if matches!(kind, TYPE_CNAME | TYPE_PTR | TYPE_NS | TYPE_SRV) {
            let mut inside = Reader::new(bytes);
            inside.skip(data_at + if kind == TYPE_SRV { 6 } else { 0 })?;
            if target.read(bytes, &mut inside).is_some() {
                if kind == TYPE_CNAME && is_asked {
                    aliases.add(data_at);
                    before = None;
                }
                sink.field(fields::DNS_ANSWER, line.target(&target));
            }
        }
    }
    if one && header.rcode == 0 && lookup.len > LOOKUP_OCTETS {
        sink.field(fields::DNS_TRANSACTION, lookup.octets());
    }
    Some(())
}

/// Which lookup a message belongs to, and what it answers: see [`fields::DNS_TRANSACTION`].
struct Lookup {
    octets: [u8; LOOKUP_OCTETS + 4 * LOOKUP_ADDRESSES_MAX],
    len: usize,
}

const LOOKUP_OCTETS: usize = 11;
const LOOKUP_ADDRESSES_MAX: usize = 8;

impl Lookup {
    fn new(header: Header) -> Lookup {
        let mut octets = [0; LOOKUP_OCTETS + 4 * LOOKUP_ADDRESSES_MAX];
        octets[0] = u8::from(header.response);
        octets[1..3].copy_from_slice(&header.id.to_be_bytes());
        Lookup { octets, len: LOOKUP_OCTETS }
    }

    fn named(&mut self, name: &Name, kind: u16) {
        // Some askers mix the case of letters; forgers who guess it copy it.
        let start = 0xcbf2_9ce4_8422_2325_u64 ^ u64::from(kind);
        let hash = name.text().iter().fold(start, |h, c| {
            (h ^ u64::from(c.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
        });
        self.octets[3..LOOKUP_OCTETS].copy_from_slice(&hash.to_be_bytes());
    }

    fn answered(&mut self, address: IpAddr) {
        let four = match address {
            IpAddr::V4(a) => a.octets(),
            IpAddr::V6(a) => {
                let [_, _, _, _, _, _, _, _, e, f, g, h, i, j, k, l] = a.octets();
                [e ^ i, f ^ j, g ^ k, h ^ l]
            }
        };
        if let Some(slot) = self.octets.get_mut(self.len..self.len + 4) {
            slot.copy_from_slice(&four);
            self.len += 4;
        }
    }

    fn octets(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or(&self.octets)
    }
}

/// Where the names stand that the question turned out to be an alias of.
#[derive(Debug, Default)]
struct Aliases {
    at: [u32; DNS_ALIASES_MAX],
    count: usize,
}

impl Aliases {
    fn add(&mut self, at: usize) {
        if let (Some(slot), Ok(at)) = (self.at.get_mut(self.count), u32::try_from(at)) {
            *slot = at;
            self.count += 1;
        }
    }

    /// Is `name`, which was read through the pointer `owner` if through any, one of them?
    fn leads_to(&self, bytes: &[u8], name: &Name, owner: Option<u32>, scratch: &mut Name) -> bool {
        let known = self.at.get(..self.count).unwrap_or(&self.at);
        // An owner is most often a bare pointer to the alias' own octets.
        if owner.is_some_and(|to| known.contains(&to)) {
            return true;
        }
        known.iter().any(|&at| {
            let mut reader = Reader::new(bytes);
            reader.skip(at as usize).is_some()
                && scratch.read(bytes, &mut reader).is_some()
                && scratch.same(name)
        })
    }
}

/// Where the pointer at `at` leads, if there is one.
fn pointer(bytes: &[u8], at: usize) -> Option<u32> {
    match bytes.get(at..)? {
        &[high, low, ..] if high >= 0xc0 => Some(u32::from(high & 0x3f) << 8 | u32::from(low)),
        _ => None,
    }
}

/// A name as text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    text: [u8; DNS_NAME_OCTETS_MAX],
    len: u8,
}

impl Name {
    pub(super) fn new() -> Name {
        Name { text: [0; DNS_NAME_OCTETS_MAX], len: 0 }
    }

    pub(super) fn text(&self) -> &[u8] {
        match self.text.get(..usize::from(self.len)) {
            Some(text) if !text.is_empty() => text,
            _ => b"<Root>",
        }
    }

    fn same(&self, other: &Name) -> bool {
        self.len == other.len && self.text().eq_ignore_ascii_case(other.text())
    }

    /// Reads the name at `reader`, which ends behind it; pointers lead into `message`.
    pub(super) fn read<'a>(&mut self, message: &'a [u8], reader: &mut Reader<'a>) -> Option<()> {
        self.len = 0;
        let mut at = *reader;
        let mut jumps = 0;
        let mut lowest = usize::MAX;
        loop {
            let len = at.u8()?;
            match len {
                0 => break,
                1..=63 => self.push(at.take(usize::from(len))?)?,
                0xc0.. => {
                    let to = usize::from(len & 0x3f) << 8 | usize::from(at.u8()?);
                    if jumps == 0 {
                        *reader = at;
                    }
                    jumps += 1;
                    // Only backwards, so that no chain of pointers can go round.
                    if jumps > DNS_POINTERS_MAX || to >= lowest {
                        return None;
                    }
                    lowest = to;
                    at = Reader::new(message.get(to..)?);
                }
                _ => return None,
            }
        }
        if jumps == 0 {
            *reader = at;
        }
        Some(())
    }

    fn push(&mut self, label: &[u8]) -> Option<()> {
        let mut len = usize::from(self.len);
        if len > 0 {
            *self.text.get_mut(len)? = b'.';
            len += 1;
        }
        self.text.get_mut(len..len + label.len())?.copy_from_slice(label);
        self.len = u8::try_from(len + label.len()).ok()?;
        Some(())
    }
}

/// `name=value` for the detectors, without allocating.
struct Line {
    text: [u8; 2 * DNS_NAME_OCTETS_MAX + 1],
    owner_len: usize,
    len: usize,
}

impl Line {
    fn new() -> Line {
        Line { text: [0; 2 * DNS_NAME_OCTETS_MAX + 1], owner_len: 0, len: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        if let Some(room) = self.text.get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }

    fn written(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or(&[])
    }

    /// Begins a line, which serves for all the values of one owner.
    fn owner(&mut self, name: &Name) {
        self.len = 0;
        self.push(name.text());
        self.owner_len = self.len;
    }

    fn address(&mut self, address: IpAddr) -> &[u8] {
        use std::io::Write as _;
        self.len = self.owner_len;
        match address {
            // By hand: the formatter of the library takes ten times as long.
            IpAddr::V4(address) => {
                for (nth, octet) in address.octets().into_iter().enumerate() {
                    self.push(if nth == 0 { b"=" } else { b"." });
                    let digits = [octet / 100, octet / 10 % 10, octet % 10].map(|d| b'0' + d);
                    let skip = usize::from(octet < 100) + usize::from(octet < 10);
                    self.push(digits.get(skip..).unwrap_or(&[]));
                }
            }
            IpAddr::V6(address) => {
                let mut room = [0; 46];
                let mut out = &mut room[..];
                let _ = write!(out, "={address}");
                let len = 46 - out.len();
                self.push(room.get(..len).unwrap_or(&[]));
            }
        }
        self.written()
    }

    fn target(&mut self, target: &Name) -> &[u8] {
        self.len = self.owner_len;
        self.push(b"=");
        self.push(target.text());
        self.written()
    }
}

fn rcode_text(rcode: u8) -> &'static [u8] {
    match rcode {
        0 => b"NOERROR",
        1 => b"FORMERR",
        2 => b"SERVFAIL",
        3 => b"NXDOMAIN",
        4 => b"NOTIMP",
        5 => b"REFUSED",
        6 => b"YXDOMAIN",
        7 => b"YXRRSET",
        8 => b"NXRRSET",
        9 => b"NOTAUTH",
        10 => b"NOTZONE",
        11 => b"DSOTYPENI",
        _ => b"UNASSIGNED",
    }
}

fn type_text(kind: u16, digits: &mut [u8; 8]) -> &[u8] {
    match kind {
        TYPE_A => b"A",
        TYPE_NS => b"NS",
        TYPE_CNAME => b"CNAME",
        6 => b"SOA",
        10 => b"NULL",
        11 => b"WKS",
        TYPE_PTR => b"PTR",
        13 => b"HINFO",
        15 => b"MX",
        16 => b"TXT",
        17 => b"RP",
        24 => b"SIG",
        25 => b"KEY",
        TYPE_AAAA => b"AAAA",
        29 => b"LOC",
        TYPE_SRV => b"SRV",
        35 => b"NAPTR",
        37 => b"CERT",
        39 => b"DNAME",
        41 => b"OPT",
        43 => b"DS",
        44 => b"SSHFP",
        46 => b"RRSIG",
        47 => b"NSEC",
        48 => b"DNSKEY",
        50 => b"NSEC3",
        52 => b"TLSA",
        64 => b"SVCB",
        65 => b"HTTPS",
        99 => b"SPF",
        249 => b"TKEY",
        250 => b"TSIG",
        251 => b"IXFR",
        252 => b"AXFR",
        255 => b"ANY",
        257 => b"CAA",
        65399 => b"PRIVATE",
        _ => {
            use std::io::Write as _;
            let mut room = &mut digits[..];
            let before = room.len();
            let _ = write!(room, "T{kind}");
            let len = before - room.len();
            &digits[..len]
        }
    }
}

/// DNS over TCP: messages behind a length of two octets, both ways.
#[derive(Debug, Default)]
pub(crate) struct DnsTcpState {
    cut: [Vec<u8>; 2],
    known: bool,
    lost: [bool; 2],
}

impl DnsTcpState {
    pub(crate) fn feed(&mut self, dir: Direction, bytes: &[u8], sink: &mut dyn Sink) -> Feed {
        let side = usize::from(dir == Direction::ToClient);
        if self.lost[side] {
            return if self.lost[1 - side] { Feed::Done } else { Feed::More };
        }
        let mut held = std::mem::take(&mut self.cut[side]);
        if !held.is_empty() {
            held.extend_from_slice(bytes);
        }
        let mut reader = Reader::new(if held.is_empty() { bytes } else { &held });
        loop {
            let mut step = reader;
            let Some(len) = step.u16().map(usize::from) else { break };
            if len < 12 || (!self.known && step.len() >= 12 && !first_looks(len, step.rest())) {
                return self.lose(side);
            }
            let Some(one) = step.take(len) else {
                // Longer than we keep: what came of it tells its questions.
                if step.len() > MESSAGE_OCTETS_MAX {
                    if !message(Flavour::Dns, step.rest(), sink) {
                        return self.lose(side);
                    }
                    self.known = true;
                    self.lost[side] = true;
                    return Feed::More;
                }
                break;
            };
            if !message(Flavour::Dns, one, sink) {
                return self.lose(side);
            }
            self.known = true;
            reader = step;
        }
        self.cut[side] = reader.rest().to_vec();
        Feed::More
    }

    fn lose(&mut self, side: usize) -> Feed {
        self.lost[side] = true;
        if !self.known {
            Feed::NotMine
        } else if self.lost[1 - side] {
            Feed::Done
        } else {
            Feed::More
        }
    }
}

/// A first message that is not yet whole: its header must at least be possible.
fn first_looks(len: usize, rest: &[u8]) -> bool {
    if rest.len() >= len {
        return true;
    }
    let mut reader = Reader::new(rest);
    let _ = reader.u16();
    let flags = reader.u16().unwrap_or(0);
    let questions = reader.u16().unwrap_or(0);
    matches!(flags >> 11 & 0xf, 0..=2 | 4..=6) && questions <= 64 && flags & 0x40 == 0
}

#[cfg(test)]
mod tests {
    use super::super::kept::Kept;
    use super::*;

    /// A response of example.com through two aliases to two addresses.
    fn aliased() -> Vec<u8> {
        let mut bytes = vec![0, 1, 0x81, 0x80, 0, 1, 0, 4, 0, 0, 0, 0];
        bytes.extend_from_slice(b"\x03WwW\x07example\x03com\x00\x00\x01\x00\x01"); // 12
        bytes.extend_from_slice(b"\xc0\x0c\x00\x05\x00\x01\0\0\0\x3c\x00\x04\x01a\xc0\x10"); // data at 45
        bytes.extend_from_slice(b"\xc0\x2d\x00\x05\x00\x01\0\0\0\x3c\x00\x05\x01b\x01c\x00"); // data at 61
        bytes.extend_from_slice(b"\xc0\x3d\x00\x01\x00\x01\0\0\0\x3c\x00\x04\x0a\x00\x00\x01");
        bytes
            .extend_from_slice(b"\x01B\x01C\x00\x00\x01\x00\x01\0\0\0\x3c\x00\x04\x0a\x00\x00\x02");
        bytes
    }

    #[test]
    fn an_address_is_learned_under_the_name_that_was_asked_through_its_aliases() {
        let mut kept = Kept::default();
        assert!(message(Flavour::Dns, &aliased(), &mut kept));
        assert_eq!(kept.values(fields::DNS_QUERY), ["WwW.example.com"]);
        assert_eq!(kept.values(fields::DNS_TYPE), ["A"]);
        assert_eq!(kept.values(fields::DNS_RCODE), ["NOERROR"]);
        assert_eq!(
            kept.values(fields::DNS_ANSWER),
            ["WwW.example.com=a.example.com", "a.example.com=b.c", "b.c=10.0.0.1", "B.C=10.0.0.2"]
        );
        let learned: Vec<_> = kept.learned.iter().map(|(a, n, _)| format!("{a} {n}")).collect();
        assert_eq!(learned, ["10.0.0.1 WwW.example.com", "10.0.0.2 WwW.example.com"]);
    }

    #[test]
    fn an_answer_about_another_name_keeps_that_name() {
        let mut bytes = vec![0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
        bytes.extend_from_slice(b"\x01x\x00\x00\x01\x00\x01");
        bytes.extend_from_slice(b"\x01y\x00\x00\x01\x00\x01\0\0\0\x3c\x00\x04\x0a\x00\x00\x01");
        let mut kept = Kept::default();
        assert!(message(Flavour::Dns, &bytes, &mut kept));
        assert_eq!(kept.learned[0].1, "y");
    }

    #[test]
    fn a_pointer_to_itself_ends_the_name() {
        let mut bytes = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(b"\xc0\x0c\x00\x01\x00\x01");
        assert!(!message(Flavour::Dns, &bytes, &mut Kept::default()));
    }

    #[test]
    fn the_root_is_named_and_unprintable_octets_are_kept() {
        let mut bytes = vec![0, 1, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(b"\x00\x00\x02\x00\x01\x02\xff\x00\x00\x00\x10\x00\x01");
        let mut kept = Kept::default();
        assert!(message(Flavour::Dns, &bytes, &mut kept));
        assert_eq!(kept.raw(fields::DNS_QUERY), [b"<Root>".to_vec(), vec![0xff, 0]]);
        assert_eq!(kept.values(fields::DNS_TYPE), ["NS", "TXT"]);
    }

    #[test]
    fn mdns_answers_name_their_owner() {
        let mut bytes = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 1];
        bytes.extend_from_slice(
            b"\x04_ipp\x04_tcp\x05local\x00\x00\x0c\x80\x01\0\0\0\x3c\x00\x03\x01p\xc0",
        );
        bytes.extend_from_slice(b"");
        let last = bytes.len() - 2;
        bytes.splice(last.., [b'p', 0]);
        bytes.extend_from_slice(
            b"\x07printer\x05local\x00\x00\x01\x80\x01\0\0\0\x78\x00\x04\x0a\x00\x00\x07",
        );
        let mut kept = Kept::default();
        assert!(message(Flavour::Mdns, &bytes, &mut kept));
        assert_eq!(kept.learned.len(), 1);
        assert_eq!(kept.learned[0].1, "printer.local");
        assert!(kept.values(fields::DNS_QUERY).is_empty());
    }

    #[test]
    fn messages_over_tcp_are_found_whatever_the_cuts() {
        let one = aliased();
        let mut stream = Vec::new();
        for _ in 0..3 {
            stream.extend_from_slice(&(one.len() as u16).to_be_bytes());
            stream.extend_from_slice(&one);
        }
        for cut in 1..stream.len() {
            let (mut state, mut kept) = (DnsTcpState::default(), Kept::default());
            for chunk in stream.chunks(cut) {
                assert_eq!(state.feed(Direction::ToClient, chunk, &mut kept), Feed::More);
            }
            assert_eq!(kept.learned.len(), 6, "cut at {cut}");
        }
        let mut state = DnsTcpState::default();
        let text = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(state.feed(Direction::ToServer, text, &mut Kept::default()), Feed::NotMine);
    }

    #[test]
    fn any_octets_are_read_without_a_panic() {
        bolero::check!().with_iterations(4000).for_each(|bytes: &[u8]| {
            for flavour in [Flavour::Dns, Flavour::Mdns, Flavour::Llmnr] {
                message(flavour, bytes, &mut Kept::default());
            }
            let mut whole = aliased();
            for (at, &byte) in bytes.chunks(2).filter_map(|c| Some((c[0], c.get(1)?))) {
                let at = usize::from(at) % whole.len();
                whole[at] ^= byte;
            }
            message(Flavour::Dns, &whole, &mut Kept::default());
            let mut state = DnsTcpState::default();
            for chunk in bytes.chunks(7) {
                state.feed(Direction::ToServer, chunk, &mut Kept::default());
            }
        });
    }
}
