//! The filter language: `key:value`, in what it may say and what it asks of the index.
//!
//! `app:ssh` must hold, `-app:ssh` must not, `~app:ssh` is preferred and `~-app:ssh` avoided, with a
//! weight behind `^`. Values are separated by commas (any of them), quoted where they hold a space,
//! a comma or a quotation mark. What [`Filter`] prints, it reads back equal.

use std::fmt;
use std::net::IpAddr;

use ghost_event::{Behaviours, Role, ShapeId, Timestamp, Zone};
use ghost_index::{Clause, Kind, Measure, Term};
use jiff::Zoned;

use crate::error::QueryError;
use crate::lexicon::{APP_ALIASES, BEHAVIOUR_ALIASES};
use crate::tags::Tags;
use crate::{limits, time, units};

macro_rules! keys {
    ($($key:ident $name:literal [$($alias:literal)*] $weight:literal $what:literal;)*) => {
        /// What a filter is about.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Key { $(#[doc = $what] $key,)*
            /// Any other fact of the event, by its path (`tls.version`).
            Fact(String),
        }

        /// Every key with its other names and what it takes.
        pub const KEYS: &[(&str, &[&str], &str)] = &[$(($name, &[$($alias),*], $what),)*];

        impl Key {
            fn known(name: &str) -> Option<Key> {
                match name { $($name $(| $alias)* => Some(Key::$key),)* _ => None }
            }
            /// The name that is printed.
            #[must_use]
            pub fn name(&self) -> &str {
                match self { $(Key::$key => $name,)* Key::Fact(path) => path }
            }
            fn weight(&self) -> f32 {
                match self { $(Key::$key => $weight,)* Key::Fact(_) => 0.8 }
            }
        }
    };
}

keys! {
    App "app" ["app_proto" "application" "service"] 1.0 "an application: `app:ssh`, `app:postgres`";
    Behaviour "behaviour" ["behavior" "is_doing"] 1.5 "what it looked like: `behaviour:brute_force`, `behaviour:scan`";
    Category "category" ["cat"] 0.9 "the kind of application or brand: `category:database`";
    Brand "brand" [] 1.0 "a known service: `brand:netflix`";
    Proto "proto" ["protocol" "transport"] 0.8 "the transport: `proto:tcp`";
    Src "src" ["source" "src_ip" "from"] 0.8 "where it came from: address, CIDR, name or `tag:NAME`";
    Dst "dst" ["dest" "dest_ip" "destination" "dst_ip" "to"] 0.8 "where it went: address, CIDR, name or `tag:NAME`";
    Host "host" ["ip" "addr" "address" "net" "tag"] 0.8 "either side: address, CIDR, name or `tag:NAME`";
    Port "port" [] 0.8 "either side's port or range: `port:443`, `port:8000-8999`";
    SrcPort "sport" ["src_port"] 0.8 "the opener's port";
    DstPort "dport" ["dst_port" "dest_port"] 0.8 "the other side's port";
    Name "name" ["domain" "sni" "dns" "hostname"] 0.9 "a host name or what is below it: `name:example.com`, `name:*cdn*`";
    Mac "mac" ["ether"] 0.8 "either side's hardware address";
    Vlan "vlan" [] 0.8 "a VLAN id";
    Interface "iface" ["interface" "in_iface"] 0.8 "the interface it was seen on";
    Zone "zone" [] 0.4 "where either side stands: `internal`, `internet`, …";
    SrcZone "szone" ["src_zone"] 0.5 "where the opener stands";
    DstZone "dzone" ["dst_zone" "dest_zone"] 0.5 "where the other side stands";
    Role "role" [] 0.4 "what either side is: `printer`, `camera`, …";
    Tunnel "tunnel" [] 0.9 "what it encapsulates by: `tunnel:vxlan`, `tunnel:*`";
    Is "is" [] 1.0 "`vlan`, `fragmented`, `malformed`, `tunnelled`, `ipv4`, `ipv6`";
    Word "word" [] 0.35 "a word of its names";
    Event "kind" ["event_type" "granularity"] 1.0 "what the event is of: `flow`, `packet` (the packets of a flow's minute), `flood`, `change` (of an interface, a bridge, a port)";
    Bytes "bytes" ["size"] 0.5 "both sides' bytes: `bytes:>1MB`, `bytes:1kB..5kB`";
    BytesOut "bytes_out" ["bytes_toserver" "up"] 0.5 "bytes sent by the opener";
    BytesIn "bytes_in" ["bytes_toclient" "down"] 0.5 "bytes sent back";
    Packets "packets" ["pkts"] 0.5 "both sides' packets";
    Duration "duration" ["age" "lasted"] 0.5 "how long it lasted: `duration:>1h`";
    Since "since" ["after"] 0.5 "not ended before: `since:2h`, `since:2026-11-20T14:00`";
    Until "until" ["before"] 0.5 "not begun at or after";
    Shape "shape" [] 0.8 "a shape's id";
    Seq "seq" [] 0.8 "the line's number or a range of them";
    CommunityId "community_id" ["cid" "communityid"] 0.8 "a Community ID";
}

/// A condition in words.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    pub key: Key,
    /// Any of them.
    pub values: Vec<String>,
}

/// What a condition does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Must,
    MustNot,
    Prefer,
    Avoid,
}

/// One part of an understanding.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    pub mode: Mode,
    pub filter: Filter,
    /// Of `Prefer` and `Avoid`: what it adds to or takes from a score.
    pub weight: f32,
}

impl Key {
    /// The key of that name; any dotted path is a fact.
    ///
    /// # Errors
    /// Nothing is called so.
    pub fn parse(name: &str) -> Result<Key, QueryError> {
        let name = name.to_ascii_lowercase();
        if let Some(key) = Key::known(&name) {
            return Ok(key);
        }
        if name == "incident" {
            return Ok(Key::Fact("ghost.incident.id".to_owned()));
        }
        let path = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
        if name.contains('.') && name.chars().all(path) {
            return Ok(Key::Fact(name));
        }
        let all = KEYS.iter().flat_map(|(name, also, _)| also.iter().chain([name]));
        let near = all.min_by_key(|k| distance(k, &name)).filter(|k| distance(k, &name) <= 2);
        Err(QueryError::Key { key: name, hint: near.map_or(String::new(), |k| format!("{k}:")) })
    }
}

/// Edits that make one short word of another.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(40).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(40).enumerate() {
        let mut last = i;
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let cost = last + usize::from(ca != *cb);
            last = row[j + 1];
            row[j + 1] = cost.min(last + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

impl Part {
    /// Reads one token: `key:value` with what stands before and behind it. `None` where the token
    /// is not a filter but a word.
    ///
    /// # Errors
    /// It is a filter, but no such key or value.
    pub fn parse(token: &str, now: &Zoned, tags: &Tags) -> Result<Option<Part>, QueryError> {
        let (mode, rest) = match token.as_bytes() {
            [b'~', b'-', ..] => (Mode::Avoid, &token[2..]),
            [b'~', ..] => (Mode::Prefer, &token[1..]),
            [b'-' | b'!', ..] => (Mode::MustNot, &token[1..]),
            _ => (Mode::Must, token),
        };
        let Some((name, value)) = rest.split_once(':') else { return Ok(None) };
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        if name.is_empty()
            || !name.starts_with(|c: char| c.is_ascii_alphabetic())
            || !name.chars().all(word)
            || value.is_empty()
            || value.starts_with("//")
            || is_literal(rest)
        {
            return Ok(None);
        }
        let key = Key::parse(name)?;
        let (value, weight) = match value.rsplit_once('^') {
            Some((value, weight)) if matches!(mode, Mode::Prefer | Mode::Avoid) => {
                match weight.parse::<f32>() {
                    Ok(w) if (0.0..=10.0).contains(&w) => (value, Some(w)),
                    _ => {
                        return Err(QueryError::Value {
                            key: key.name().into(),
                            value: value.into(),
                            expected: "a weight from 0 to 10 behind ^".into(),
                        });
                    }
                }
            }
            _ => (value, None),
        };
        let mut values = split_values(value)?;
        if values.is_empty() || values.len() > limits::VALUES_MAX {
            return Err(QueryError::Value {
                key: key.name().into(),
                value: value.into(),
                expected: "one value, or up to 256 separated by commas".into(),
            });
        }
        if name.eq_ignore_ascii_case("tag") {
            for value in &mut values {
                *value = format!("tag:{value}");
            }
        }
        for value in &mut values {
            if matches!(key, Key::Since | Key::Until)
                && let Some(at) = time::moment(value, now)
            {
                *value = time::text(at);
            }
        }
        let filter = Filter { key, values };
        filter.clause(tags)?;
        let weight = weight.unwrap_or_else(|| filter.key.weight());
        Ok(Some(Part { mode, filter, weight }))
    }

    /// A filter that must hold.
    #[must_use]
    pub fn must(key: Key, values: impl IntoIterator<Item = String>) -> Part {
        Part::of(Mode::Must, key, values)
    }

    pub(crate) fn of(mode: Mode, key: Key, values: impl IntoIterator<Item = String>) -> Part {
        let weight = key.weight();
        Part { mode, filter: Filter { key, values: values.into_iter().collect() }, weight }
    }
}

/// IPv6 literals and hardware addresses hold colons but are no filters.
fn is_literal(token: &str) -> bool {
    let bare = token.split('/').next().unwrap_or(token);
    bare.parse::<IpAddr>().is_ok() || crate::words::mac_range(token).is_some()
}

/// Comma-separated values, quoted or not.
fn split_values(text: &str) -> Result<Vec<String>, QueryError> {
    let mut out = Vec::new();
    let mut value = String::new();
    let (mut quoted, mut was_quoted) = (false, false);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => value.extend(chars.next()),
            '"' => {
                quoted = !quoted;
                was_quoted = true;
            }
            ',' if !quoted => {
                if was_quoted || !value.is_empty() {
                    out.push(std::mem::take(&mut value));
                }
                was_quoted = false;
            }
            c => value.push(c),
        }
    }
    if quoted {
        return Err(QueryError::Quote);
    }
    if was_quoted || !value.is_empty() {
        out.push(value);
    }
    Ok(out)
}

/// Writes a value so that it reads back as itself.
pub(crate) fn quote(out: &mut impl fmt::Write, value: &str) -> fmt::Result {
    let bare = |c: char| c.is_alphanumeric() || "._-:/*+=>@#%<".contains(c);
    if !value.is_empty() && value.chars().all(bare) {
        return out.write_str(value);
    }
    out.write_char('"')?;
    for c in value.chars() {
        if c == '"' || c == '\\' {
            out.write_char('\\')?;
        }
        out.write_char(c)?;
    }
    out.write_char('"')
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.key.name())?;
        for (i, value) in self.values.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            quote(f, value)?;
        }
        Ok(())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.mode {
            Mode::Must => "",
            Mode::MustNot => "-",
            Mode::Prefer => "~",
            Mode::Avoid => "~-",
        })?;
        self.filter.fmt(f)?;
        let soft = matches!(self.mode, Mode::Prefer | Mode::Avoid);
        #[expect(clippy::float_cmp, reason = "a weight is the key's own or was written down")]
        if soft && self.weight != self.filter.key.weight() {
            write!(f, "^{}", self.weight)?;
        }
        Ok(())
    }
}

impl Filter {
    /// What the filter asks of the index.
    ///
    /// # Errors
    /// A value is not what the key takes, or names no tag.
    pub fn clause(&self, tags: &Tags) -> Result<Clause, QueryError> {
        let mut any = Vec::with_capacity(self.values.len());
        for value in &self.values {
            any.push(self.one(value, tags, 0)?);
        }
        Ok(match any.len() {
            1 => any.remove(0),
            _ => Clause::Any(any),
        })
    }

    fn bad(&self, value: &str, expected: impl Into<String>) -> QueryError {
        QueryError::Value {
            key: self.key.name().into(),
            value: value.into(),
            expected: expected.into(),
        }
    }

    fn one(&self, value: &str, tags: &Tags, depth: u32) -> Result<Clause, QueryError> {
        let has = |kind| Ok(Clause::Has(Term::text(kind, value)));
        let both = |a, b| Ok(Clause::either(Term::text(a, value), Term::text(b, value)));
        match &self.key {
            Key::App => Ok(app(value)),
            Key::Behaviour => behaviour(value).ok_or_else(|| {
                let names: Vec<&str> = Behaviours::ALL.iter().map(|(_, n)| *n).collect();
                self.bad(value, format!("one of {}", names.join(", ")))
            }),
            Key::Category => has(Kind::Category),
            Key::Brand => has(Kind::Brand),
            Key::Interface => has(Kind::Interface),
            Key::Word => has(Kind::Word),
            Key::Proto => Ok(proto(value)),
            Key::Zone | Key::SrcZone | Key::DstZone => {
                if !Zone::ALL.iter().any(|z| z.name().eq_ignore_ascii_case(value)) {
                    let names: Vec<&str> = Zone::ALL.iter().map(|z| z.name()).collect();
                    return Err(self.bad(value, format!("one of {}", names.join(", "))));
                }
                match self.key {
                    Key::SrcZone => has(Kind::SrcZone),
                    Key::DstZone => has(Kind::DstZone),
                    _ => both(Kind::SrcZone, Kind::DstZone),
                }
            }
            Key::Role => {
                if !Role::ALL.iter().any(|r| r.name().eq_ignore_ascii_case(value)) {
                    let names: Vec<&str> = Role::ALL.iter().map(|r| r.name()).collect();
                    return Err(self.bad(value, format!("one of {}", names.join(", "))));
                }
                both(Kind::SrcRole, Kind::DstRole)
            }
            Key::Src => self.side(value, &[Kind::SrcIp], tags, depth),
            Key::Dst => self.side(value, &[Kind::DstIp], tags, depth),
            Key::Host => self.side(value, &[Kind::SrcIp, Kind::DstIp], tags, depth),
            Key::Port => self.ports(value, &[Kind::SrcPort, Kind::DstPort]),
            Key::SrcPort => self.ports(value, &[Kind::SrcPort]),
            Key::DstPort => self.ports(value, &[Kind::DstPort]),
            Key::Name => Ok(Clause::Name(value.to_owned())),
            Key::Mac => {
                let (first, last) = crate::words::mac_range(value).ok_or_else(|| {
                    self.bad(value, "a hardware address as 02:00:00:00:00:01, or 02:00:5e:*")
                })?;
                let range = |kind| Clause::Between(Term::mac(kind, first), Term::mac(kind, last));
                Ok(if first == last {
                    Clause::either(Term::mac(Kind::SrcMac, first), Term::mac(Kind::DstMac, first))
                } else {
                    Clause::Any(vec![range(Kind::SrcMac), range(Kind::DstMac)])
                })
            }
            Key::Vlan => {
                let id = value
                    .parse::<u16>()
                    .ok()
                    .filter(|id| *id < 4096)
                    .ok_or_else(|| self.bad(value, "a VLAN id from 0 to 4095"))?;
                Ok(Clause::Has(Term::number(Kind::Vlan, id)))
            }
            Key::Tunnel if value == "*" => Ok(every(Kind::Tunnel)),
            Key::Tunnel => has(Kind::Tunnel),
            Key::Is => is(value).ok_or_else(|| {
                self.bad(value, "vlan, fragmented, malformed, tunnelled, ipv4 or ipv6")
            }),
            Key::Event => {
                event(value).ok_or_else(|| self.bad(value, "flow, packet, flood or change"))
            }
            Key::Bytes => self.number(value, Measure::Bytes, units::bytes),
            Key::BytesOut => self.number(value, Measure::BytesToServer, units::bytes),
            Key::BytesIn => self.number(value, Measure::BytesToClient, units::bytes),
            Key::Packets => self.number(value, Measure::Packets, units::count),
            Key::Duration => self.number(value, Measure::DurationUs, units::duration_us),
            Key::Seq => self.number(value, Measure::Seq, units::plain),
            Key::Since => {
                let from = time::read(value).ok_or_else(|| self.bad(value, time::EXPECTED))?;
                Ok(Clause::Time { from, until: Timestamp(i64::MAX) })
            }
            Key::Until => {
                let until = time::read(value).ok_or_else(|| self.bad(value, time::EXPECTED))?;
                Ok(Clause::Time { from: Timestamp(i64::MIN), until })
            }
            Key::Shape => {
                let id = u64::from_str_radix(value, 16)
                    .ok()
                    .filter(|_| value.len() == 16)
                    .ok_or_else(|| self.bad(value, "16 hexadecimal digits"))?;
                Ok(Clause::Has(Term::shape(ShapeId(id))))
            }
            Key::CommunityId => Ok(Clause::Has(Term::community_id(value))),
            Key::Fact(path) => Ok(Clause::Has(Term::fact(path, value))),
        }
    }

    /// One side or both by address, CIDR, tag or name.
    fn side(
        &self,
        value: &str,
        kinds: &[Kind],
        tags: &Tags,
        depth: u32,
    ) -> Result<Clause, QueryError> {
        if let Some(tag) = value.strip_prefix("tag:") {
            // A tag of tags would be a loop.
            let of = tags.get(tag).filter(|_| depth == 0);
            let of = of.ok_or_else(|| QueryError::Tag(tag.to_owned()))?;
            let any: Result<Vec<Clause>, QueryError> =
                of.iter().map(|v| self.side(v, kinds, tags, depth + 1)).collect();
            return any.map(Clause::Any);
        }
        if let Some((first, last)) = crate::words::network(value) {
            let range = |kind: &Kind| {
                let (a, b) = (Term::ip(*kind, first), Term::ip(*kind, last));
                if first == last { Clause::Has(a) } else { Clause::Between(a, b) }
            };
            return Ok(match kinds {
                [one] => range(one),
                _ => Clause::Any(kinds.iter().map(range).collect()),
            });
        }
        if value.contains('/') || value.contains(':') {
            return Err(self.bad(value, "an address, a CIDR as 10.0.0.0/8, a name or tag:NAME"));
        }
        Ok(Clause::Name(value.to_owned()))
    }

    fn ports(&self, value: &str, kinds: &[Kind]) -> Result<Clause, QueryError> {
        let bad = || self.bad(value, "a port from 0 to 65535, or a range as 8000-8999");
        let (low, high) = value.split_once('-').unwrap_or((value, value));
        let low: u16 = low.parse().map_err(|_| bad())?;
        let high: u16 = high.parse().map_err(|_| bad())?;
        if low > high {
            return Err(bad());
        }
        let one = |kind: &Kind| {
            let (a, b) = (Term::number(*kind, low), Term::number(*kind, high));
            if low == high { Clause::Has(a) } else { Clause::Between(a, b) }
        };
        Ok(match kinds {
            [kind] => one(kind),
            _ => Clause::Any(kinds.iter().map(one).collect()),
        })
    }

    /// `>1MB`, `>=5`, `<2h`, `10..20`, `7`.
    fn number(
        &self,
        value: &str,
        of: Measure,
        read: fn(&str) -> Option<u64>,
    ) -> Result<Clause, QueryError> {
        let bad = || self.bad(value, "a number with its unit, as >1MB, <=20, 1kB..5kB or >90s");
        let get = |text: &str| read(text).ok_or_else(bad);
        let (min, max) = if let Some(n) = value.strip_prefix(">=") {
            (get(n)?, u64::MAX)
        } else if let Some(n) = value.strip_prefix('>') {
            (get(n)?.saturating_add(1), u64::MAX)
        } else if let Some(n) = value.strip_prefix("<=") {
            (0, get(n)?)
        } else if let Some(n) = value.strip_prefix('<') {
            match get(n)? {
                0 => (1, 0),
                n => (0, n - 1),
            }
        } else if let Some((a, b)) = value.split_once("..") {
            (get(a)?, if b.is_empty() { u64::MAX } else { get(b)? })
        } else {
            let n = get(value)?;
            (n, n)
        };
        Ok(Clause::Number { of, min, max })
    }
}

/// Every event that has a term of the kind.
fn every(kind: Kind) -> Clause {
    Clause::Between(Term::text(kind, ""), Term::text(kind, "\u{10ffff}\u{10ffff}"))
}

/// An application; some are told by the transport or by what is encapsulated as well.
fn app(value: &str) -> Clause {
    let value = value.to_ascii_lowercase();
    let alias = APP_ALIASES.iter().find(|(name, _)| *name == value).map(|(_, of)| *of);
    let mut any = Vec::new();
    for name in alias.unwrap_or(&value).split(',') {
        any.push(Clause::Has(Term::text(Kind::App, name)));
        let proto = match name {
            "icmp" | "esp" | "ah" | "gre" | "ospf" | "eigrp" | "pim" | "vrrp" | "igmp" | "arp"
            | "lldp" | "stp" | "sctp" | "etherip" => Some(name),
            "icmpv6" => Some("ipv6-icmp"),
            _ => None,
        };
        any.extend(proto.map(|p| Clause::Has(Term::text(Kind::Proto, p))));
        if matches!(name, "gre" | "vxlan" | "geneve" | "ipip" | "6in4" | "teredo" | "gtp") {
            any.push(Clause::Has(Term::text(Kind::Tunnel, name)));
        }
    }
    if any.len() == 1 { any.remove(0) } else { Clause::Any(any) }
}

fn behaviour(value: &str) -> Option<Clause> {
    let value = value.to_ascii_lowercase().replace([' ', '-'], "_");
    let alias = BEHAVIOUR_ALIASES.iter().find(|(name, _)| *name == value).map(|(_, of)| *of);
    let mut any = Vec::new();
    for name in alias.unwrap_or(&value).split(',') {
        Behaviours::from_name(name)?;
        any.push(Clause::Has(Term::text(Kind::Behaviour, name)));
    }
    Some(if any.len() == 1 { any.remove(0) } else { Clause::Any(any) })
}

fn proto(value: &str) -> Clause {
    let lower = value.to_ascii_lowercase();
    let also = match lower.as_str() {
        "icmpv6" | "icmp6" => Some("ipv6-icmp"),
        _ => None,
    };
    let term = |v: &str| Clause::Has(Term::text(Kind::Proto, v));
    match also {
        Some(other) => Clause::Any(vec![term(&lower), term(other)]),
        None => term(&lower),
    }
}

/// Of one flow is whatever is of nothing else.
fn event(value: &str) -> Option<Clause> {
    let has = |name| Clause::Has(Term::text(Kind::Event, name));
    Some(match value.to_ascii_lowercase().as_str() {
        "packet" => has("packet"),
        "flood" => has("flood"),
        "change" => has("change"),
        "flow" => {
            Clause::Not(Box::new(Clause::Any(vec![has("packet"), has("flood"), has("change")])))
        }
        _ => return None,
    })
}

/// Points of packets and events of elements, which a list of flows leaves out.
pub(crate) fn no_flows() -> Clause {
    let has = |name| Clause::Has(Term::text(Kind::Event, name));
    Clause::Any(vec![has("packet"), has("change")])
}

fn is(value: &str) -> Option<Clause> {
    let fact = |path: &str| Clause::Has(Term::fact(path, "some"));
    let v4 = |kind| {
        Clause::Between(
            Term::ip(kind, IpAddr::from([0, 0, 0, 0])),
            Term::ip(kind, IpAddr::from([255, 255, 255, 255])),
        )
    };
    Some(match value.to_ascii_lowercase().as_str() {
        "vlan" | "tagged" => {
            Clause::Between(Term::number(Kind::Vlan, 0), Term::number(Kind::Vlan, u16::MAX))
        }
        "fragmented" => fact("ghost.fragments"),
        "malformed" => fact("ghost.malformed"),
        "tunnelled" | "tunneled" => every(Kind::Tunnel),
        "ipv4" => v4(Kind::SrcIp),
        "ipv6" => Clause::All(vec![every_ip(), Clause::Not(Box::new(v4(Kind::SrcIp)))]),
        _ => return None,
    })
}

/// A record below IP; those of ARP name addresses, but carry none of its packets.
pub(crate) fn below_ip() -> Clause {
    let addressless = Clause::Not(Box::new(every_ip()));
    Clause::Any(vec![addressless, proto("ARP"), proto("RARP")])
}

fn every_ip() -> Clause {
    Clause::Between(
        Term::ip(Kind::SrcIp, IpAddr::from([0_u16; 8])),
        Term::ip(Kind::SrcIp, IpAddr::from([u16::MAX; 8])),
    )
}
