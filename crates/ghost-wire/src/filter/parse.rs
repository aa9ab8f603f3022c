//! Words to a tree.
//!
//! ```text
//! or     = and { (or | "||") and }
//! and    = not { (and | "&&" | nothing) not }       `a b` is `a and b`
//! not    = { not | "!" } ( "(" or ")" | test )
//! test   = [qualifiers] value                       a bare value takes the qualifiers before it
//! ```
//! As in the programs this language comes from, `and` and `or` bind alike, from left to right.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use super::value::{hardware, net, number, port, protocol};
use super::word::{Word, split};
use super::{End, Family, FilterError, Node, Test};

/// How deep parentheses and negations may stand: the tree is walked by recursion.
const DEPTH_MAX: usize = 64;

pub(super) fn filter(text: &str) -> Result<Node, FilterError> {
    let words = split(text)?;
    if words.is_empty() {
        return Ok(Node::Everything);
    }
    let mut parser = Parser { words, next: 0, before: None, depth: 0 };
    let root = parser.chain()?;
    match parser.word() {
        None => Ok(root),
        Some(_) => Err(parser.error("`and`, `or` or the end")),
    }
}

/// What stands before a value.
#[derive(Debug, Clone, Copy)]
struct Qualifiers {
    family: Family,
    end: End,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Host,
    Net,
    Port,
    PortRange,
    Protocol,
    Ethertype,
    Hardware,
}

struct Parser<'a> {
    words: Vec<Word<'a>>,
    next: usize,
    /// The qualifiers of the last value, for a bare one behind it.
    before: Option<Qualifiers>,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn word(&self) -> Option<&'a str> {
        self.words.get(self.next).map(|word| word.text)
    }

    fn after(&self) -> Option<&'a str> {
        self.words.get(self.next + 1).map(|word| word.text)
    }

    fn take(&mut self, wanted: &[&str]) -> bool {
        let there = self.word().is_some_and(|word| wanted.contains(&word));
        self.next += usize::from(there);
        there
    }

    /// What is wrong is the word that stands here.
    fn error(&self, expected: &str) -> FilterError {
        let end = self.words.last().map_or(0, |word| word.at + word.text.len());
        let here = self.words.get(self.next);
        FilterError {
            at: here.map_or(end, |word| word.at),
            found: here.map(|word| word.text.to_owned()).unwrap_or_default(),
            expected: expected.to_owned(),
        }
    }

    fn chain(&mut self) -> Result<Node, FilterError> {
        let mut left = self.one()?;
        loop {
            let both = if self.take(&["and", "&&"]) {
                true
            } else if self.take(&["or", "||"]) {
                false
            } else if self.word().is_some_and(|word| word != ")") {
                true
            } else {
                return Ok(left);
            };
            let right = self.one()?;
            left = match (both, left) {
                (true, Node::And(mut nodes)) => {
                    nodes.push(right);
                    Node::And(nodes)
                }
                (false, Node::Or(mut nodes)) => {
                    nodes.push(right);
                    Node::Or(nodes)
                }
                (true, left) => Node::And(vec![left, right]),
                (false, left) => Node::Or(vec![left, right]),
            };
        }
    }

    fn one(&mut self) -> Result<Node, FilterError> {
        if self.depth >= DEPTH_MAX {
            return Err(self.error("fewer parentheses and negations within each other"));
        }
        if self.take(&["not", "!"]) {
            self.depth += 1;
            let node = self.one()?;
            self.depth -= 1;
            return Ok(Node::Not(Box::new(node)));
        }
        if self.take(&["("]) {
            self.depth += 1;
            let node = self.chain()?;
            self.depth -= 1;
            return if self.take(&[")"]) {
                Ok(node)
            } else {
                Err(self.error("`)` for the `(` before it"))
            };
        }
        self.test()
    }

    fn test(&mut self) -> Result<Node, FilterError> {
        let Some(word) = self.word() else {
            return Err(self.error("a host, a port, a protocol or another test"));
        };
        if self.after() == Some("[") {
            return self.bytes();
        }
        match word {
            "less" | "greater" => {
                self.next += 1;
                let length = self.number(u32::MAX)?;
                let less = word == "less";
                Ok(Node::Test(if less { Test::Less(length) } else { Test::Greater(length) }))
            }
            "len" => self.length(),
            "vlan" => {
                self.next += 1;
                let id = match self.word() {
                    Some(word) if word.starts_with(|c: char| c.is_ascii_digit()) => {
                        Some(self.number(4095)? as u16)
                    }
                    _ => None,
                };
                Ok(Node::Test(Test::Vlan(id)))
            }
            "mpls" => self.plain(Test::Mpls),
            "pppoes" | "pppoed" => self.plain(Test::Pppoe),
            "multicast" => self.plain(Test::HardwareMulticast),
            "broadcast" => self.plain(Test::HardwareBroadcast),
            "gateway" | "type" | "subtype" | "dir" | "inbound" | "outbound" | "ifname" => {
                Err(self
                    .error("a test over addresses, ports or protocols (this one is not supported)"))
            }
            _ => self.qualified(),
        }
    }

    fn plain(&mut self, test: Test) -> Result<Node, FilterError> {
        self.next += 1;
        Ok(Node::Test(test))
    }

    /// Qualifiers and their value; or a protocol alone.
    fn qualified(&mut self) -> Result<Node, FilterError> {
        let first = self.next;
        let family = self.family();
        if family == Some(Place::Ethernet) {
            return self.ethernet();
        }
        let family = match family {
            Some(Place::Family(family)) => Some(family),
            _ => None,
        };
        if let Some(family @ (Family::Any | Family::V4 | Family::V6)) = family {
            if self.take(&["multicast"]) {
                return Ok(Node::Test(Test::Multicast(family)));
            }
            if self.take(&["broadcast"]) {
                return Ok(Node::Test(Test::Broadcast));
            }
        }
        let end = self.end();
        let kind = match self.word() {
            Some("host") => Some(Kind::Host),
            Some("net") => Some(Kind::Net),
            Some("port") => Some(Kind::Port),
            Some("portrange") => Some(Kind::PortRange),
            Some("proto" | "protochain") => Some(Kind::Protocol),
            _ => None,
        };
        self.next += usize::from(kind.is_some());
        if self.next == first {
            // Nothing said: a bare value takes what stood before the last one.
            let Some(before) = self.before else {
                return match self.word() {
                    Some(word) if IpAddr::from_str(word).is_ok() => self.value(Qualifiers {
                        family: Family::Any,
                        end: End::Either,
                        kind: Kind::Host,
                    }),
                    Some(word) if word.contains('/') => self.value(Qualifiers {
                        family: Family::Any,
                        end: End::Either,
                        kind: Kind::Net,
                    }),
                    _ => Err(self.error(
                        "a test such as `host 10.0.0.1`, `port 443`, `net 10.0.0.0/8` or `tcp`",
                    )),
                };
            };
            return self.value(before);
        }
        match (family, end, kind) {
            (Some(family), None, None) => Ok(Node::Test(match family {
                Family::V4 => Test::V4,
                Family::V6 => Test::V6,
                Family::Arp => Test::Arp,
                Family::Rarp => Test::Rarp,
                Family::Transport(proto) => Test::Protocol(Family::Any, proto),
                Family::Any => return Err(self.error("`host`, `net`, `port` or `proto`")),
            })),
            // `src 10.0.0.1` is a host, `dst 10.0.0.0/8` a net, as people type it.
            (family, end, None) => {
                let net = self.word().is_some_and(|word| word.contains('/'));
                let kind = if net { Kind::Net } else { Kind::Host };
                self.value(Qualifiers {
                    family: family.unwrap_or(Family::Any),
                    end: end.unwrap_or(End::Either),
                    kind,
                })
            }
            (family, end, Some(kind)) => self.value(Qualifiers {
                family: family.unwrap_or(Family::Any),
                end: end.unwrap_or(End::Either),
                kind,
            }),
        }
    }

    fn family(&mut self) -> Option<Place> {
        let family = match self.word()? {
            "ip" => Family::V4,
            "ip6" => Family::V6,
            "arp" => Family::Arp,
            "rarp" => Family::Rarp,
            "ether" | "link" | "wlan" => {
                self.next += 1;
                return Some(Place::Ethernet);
            }
            name => Family::Transport(protocol(name)?),
        };
        self.next += 1;
        Some(Place::Family(family))
    }

    /// `src`, `dst`, `src or dst`, `src and dst`
    fn end(&mut self) -> Option<End> {
        let first = match self.word()? {
            "src" => End::Source,
            "dst" => End::Destination,
            _ => return None,
        };
        self.next += 1;
        let joined = match (self.word(), self.after()) {
            (Some("or" | "||"), Some("src" | "dst")) => End::Either,
            (Some("and" | "&&"), Some("src" | "dst")) => End::Both,
            _ => return Some(first),
        };
        // `src host a or dst host b` is two tests: only `src or dst` directly together is one end.
        let other = if self.after() == Some("src") { End::Source } else { End::Destination };
        if other == first {
            return Some(first);
        }
        self.next += 2;
        Some(joined)
    }

    /// `ether` …
    fn ethernet(&mut self) -> Result<Node, FilterError> {
        if self.take(&["broadcast"]) {
            return Ok(Node::Test(Test::HardwareBroadcast));
        }
        if self.take(&["multicast"]) {
            return Ok(Node::Test(Test::HardwareMulticast));
        }
        if self.take(&["proto"]) {
            let (family, end) = (Family::Any, End::Either);
            return self.value(Qualifiers { family, end, kind: Kind::Ethertype });
        }
        let end = self.end();
        let host = self.take(&["host"]);
        if end.is_none() && !host {
            return Err(self.error("`host`, `src`, `dst`, `proto`, `broadcast` or `multicast`"));
        }
        self.value(Qualifiers {
            family: Family::Any,
            end: end.unwrap_or(End::Either),
            kind: Kind::Hardware,
        })
    }

    fn value(&mut self, qualifiers: Qualifiers) -> Result<Node, FilterError> {
        let Qualifiers { family, end, kind } = qualifiers;
        // `port (80 or 443)` says the same as `port 80 or 443`.
        if self.word() == Some("(") {
            self.before = Some(qualifiers);
            return self.one();
        }
        let text = self.word().unwrap_or_default();
        let test = match kind {
            Kind::Host => {
                let address = IpAddr::from_str(text).map_err(|_| {
                    self.error("an IPv4 or IPv6 address (host names are not looked up)")
                })?;
                let prefix = if address.is_ipv4() { 32 } else { 128 };
                Test::Net { end, family, address, prefix }
            }
            Kind::Net => {
                let (address, mut prefix) = net(text).ok_or_else(|| {
                    self.error("a network such as `10.0.0.0/8`, `192.168` or `fe80::/10`")
                })?;
                if self.after() == Some("mask") {
                    self.next += 2;
                    let mask = self.word().and_then(|word| Ipv4Addr::from_str(word).ok());
                    let mask =
                        mask.map(u32::from).filter(|mask| mask.leading_ones() == mask.count_ones());
                    let Some(mask) = mask else {
                        return Err(self.error("a network mask such as `255.255.255.0`"));
                    };
                    prefix = mask.leading_ones() as u8;
                }
                Test::Net { end, family, address, prefix }
            }
            Kind::Port => {
                let port = port(text)
                    .ok_or_else(|| self.error("a port number, or a name such as `http`"))?;
                Test::Port { end, family, first: port, last: port }
            }
            Kind::PortRange => {
                let range = text.split_once('-').and_then(|(a, b)| Some((port(a)?, port(b)?)));
                let Some((a, b)) = range else {
                    return Err(self.error("a range of ports such as `6000-6008`"));
                };
                Test::Port { end, family, first: a.min(b), last: a.max(b) }
            }
            Kind::Protocol => {
                let name = text.strip_prefix('\\').unwrap_or(text);
                let proto = protocol(name).or_else(|| number(text, 255).map(|proto| proto as u8));
                let Some(proto) = proto else {
                    return Err(
                        self.error("an IP protocol: a number up to 255 or a name like `tcp`")
                    );
                };
                Test::Protocol(family, proto)
            }
            Kind::Ethertype => {
                let named = match text.strip_prefix('\\').unwrap_or(text) {
                    "ip" => Some(0x0800),
                    "ip6" => Some(0x86dd),
                    "arp" => Some(0x0806),
                    "rarp" => Some(0x8035),
                    "stp" => Some(0x0042),
                    "lldp" => Some(0x88cc),
                    _ => number(text, 0xffff).map(|kind| kind as u16),
                };
                let Some(kind) = named else {
                    return Err(self.error("an ethertype such as `0x88cc` or `arp`"));
                };
                Test::Ethertype(kind)
            }
            Kind::Hardware => {
                let Some(address) = hardware(text) else {
                    return Err(self.error("a hardware address such as `02:00:5e:10:00:01`"));
                };
                Test::Hardware { end, address }
            }
        };
        self.next += 1;
        self.before = Some(qualifiers);
        Ok(Node::Test(test))
    }

    /// `len <= 100`
    fn length(&mut self) -> Result<Node, FilterError> {
        self.next += 1;
        let Some(sign @ ("<" | "<=" | ">" | ">=" | "=" | "==" | "!=")) = self.word() else {
            return Err(self.error("a comparison such as `len <= 100`"));
        };
        self.next += 1;
        let length = self.number(u32::MAX)?;
        let exactly =
            || Node::And(vec![Node::Test(Test::Less(length)), Node::Test(Test::Greater(length))]);
        Ok(match sign {
            "<=" => Node::Test(Test::Less(length)),
            ">=" => Node::Test(Test::Greater(length)),
            "<" => Node::Not(Box::new(Node::Test(Test::Greater(length)))),
            ">" => Node::Not(Box::new(Node::Test(Test::Less(length)))),
            "!=" => Node::Not(Box::new(exactly())),
            _ => exactly(),
        })
    }

    fn number(&mut self, max: u32) -> Result<u32, FilterError> {
        let value = self.word().and_then(|word| number(word, max));
        let value = value.ok_or_else(|| self.error(&format!("a number up to {max}")))?;
        self.next += 1;
        Ok(value)
    }

    /// `tcp[tcpflags] & (tcp-syn|tcp-ack) != 0`, and no other expression over bytes.
    fn bytes(&mut self) -> Result<Node, FilterError> {
        const ONLY: &str = "no expression over byte offsets except `tcp[tcpflags]` (or `tcp[13]`); \
                            use `host`, `port`, `net`, `proto`, `len` and the like";
        let flags = matches!(
            (self.word(), self.words.get(self.next + 2).map(|word| word.text)),
            (Some("tcp"), Some("tcpflags" | "13"))
        );
        if !flags {
            return Err(self.error(ONLY));
        }
        self.next += 3;
        if !self.take(&["]"]) {
            return Err(self.error("`]`"));
        }
        let mask = if self.take(&["&"]) { self.flags()? } else { 0xff };
        let not = if self.take(&["!="]) {
            true
        } else if self.take(&["=", "=="]) {
            false
        } else {
            return Err(self.error("`=` or `!=` and a value, such as `!= 0`"));
        };
        let value = self.flags()?;
        Ok(Node::Test(Test::Flags { mask, not, value }))
    }

    /// `tcp-syn`, `2`, `(tcp-syn|tcp-ack)`
    fn flags(&mut self) -> Result<u8, FilterError> {
        let within = self.take(&["("]);
        let mut value = 0;
        loop {
            value |= match self.word() {
                Some("tcp-fin") => 1,
                Some("tcp-syn") => 2,
                Some("tcp-rst") => 4,
                Some("tcp-push") => 8,
                Some("tcp-ack") => 16,
                Some("tcp-urg") => 32,
                Some("tcp-ece") => 64,
                Some("tcp-cwr") => 128,
                other => match other.and_then(|word| number(word, 255)) {
                    Some(value) => value as u8,
                    None => return Err(self.error("a TCP flag such as `tcp-syn`, or a number")),
                },
            };
            self.next += 1;
            if !self.take(&["|"]) {
                break;
            }
        }
        if within && !self.take(&[")"]) {
            return Err(self.error("`|` or `)`"));
        }
        Ok(value)
    }
}

/// What a family word chooses.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Family(Family),
    Ethernet,
}
