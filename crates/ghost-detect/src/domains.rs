//! Lookups unlike a person's: data carried in names, and names made by a program.
//!
//! Lookups are counted by source and registered domain. A tunnel needs ever new names below one
//! domain, since a repeated name is answered from a cache: many distinct long ones, or fewer where
//! their types are those that carry the most. Content networks also have long names, but few.

use std::net::IpAddr;

use ghost_event::{Behaviours, Features, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

use crate::bounded::{Bounded, Distinct, Span, Window, entropy};
use crate::generated;

const WINDOW_NS: i64 = 600_000_000_000;
/// Distinct names below one domain, and their mean length below it, that make a tunnel.
const NAMES: u32 = 20;
const MEAN_LENGTH: u32 = 28;
/// With types that carry much.
const CARRYING_NAMES: u32 = 10;
const CARRYING_LENGTH: u32 = 16;
/// Mean bits a character below the domain: data in base32 or hex has more than words.
const ENTROPY: f64 = 3.0;
/// One name that is odd by itself: its length below the domain and its bits a character.
const LONG_NAME: usize = 100;
/// Distinct names that do not exist, asked by one source within the window.
const MISSING: u32 = 15;
/// Distinct missing domains of one source within the window, and the mean cost of their letters,
/// that only a program makes up.
const MADE_UP: u32 = 10;
const MADE_UP_COST: u32 = 52;

#[derive(Debug, Clone, Copy)]
struct Domain {
    distinct: Distinct<8>,
    count: u32,
    length_sum: u32,
    entropy_sum: f64,
    carrying: u32,
    span: Option<Span>,
}

/// Missing domains of one source.
#[derive(Debug, Clone, Copy)]
struct MadeUp {
    names: Window<2>,
    since: i64,
    cost: u32,
    count: u32,
    span: Option<Span>,
}

impl MadeUp {
    fn new(ts: i64) -> MadeUp {
        MadeUp { names: Window::new(ts), since: ts, cost: 0, count: 0, span: None }
    }

    fn add(&mut self, ts: i64, domain: &[u8], cost: u32) {
        if ts.saturating_sub(self.since) > 2 * WINDOW_NS {
            *self = MadeUp { span: self.span, ..MadeUp::new(ts) };
        }
        let before = self.names.distinct();
        self.names.add(ts, WINDOW_NS, domain, MADE_UP);
        if self.names.distinct() == before {
            return;
        }
        self.cost = self.cost.saturating_add(cost);
        self.count = self.count.saturating_add(1);
        let many = self.names.verdict.is_some_and(|span| span.covers(ts, WINDOW_NS));
        if many && self.cost / self.count >= MADE_UP_COST {
            let from = self.span.map_or(self.since, |span| span.from);
            self.span = Some(Span { from, to: ts });
        }
    }
}

/// The lookups, by source and domain.
#[derive(Debug)]
pub(crate) struct Domains {
    domains: Bounded<(IpAddr, u64), Domain>,
    missing: Bounded<IpAddr, Window<2>>,
    made_up: Bounded<IpAddr, MadeUp>,
}

impl Domains {
    pub(crate) fn new(max: usize) -> Domains {
        Domains {
            domains: Bounded::new(max),
            missing: Bounded::new(max / 4),
            made_up: Bounded::new(max / 4),
        }
    }

    /// A name was asked for.
    pub(crate) fn asked(&mut self, f: &Features, name: &[u8]) -> Behaviours {
        let (Some(src), Some((below, domain))) = (f.src_ip, split(name)) else {
            return Behaviours::NONE;
        };
        let Timestamp(ts) = f.last;
        if below.is_empty() {
            return Behaviours::NONE;
        }
        let entry = self.domains.entry((src, key(domain)), || Domain {
            distinct: Distinct::default(),
            count: 0,
            length_sum: 0,
            entropy_sum: 0.0,
            carrying: 0,
            span: None,
        });
        let before = entry.distinct.estimate();
        entry.distinct.add(below);
        if entry.distinct.estimate() > before || entry.count == 0 {
            let letters = f64::from(u32::try_from(below.len()).unwrap_or(u32::MAX));
            entry.count = entry.count.saturating_add(1);
            entry.length_sum =
                entry.length_sum.saturating_add(u32::try_from(below.len()).unwrap_or(u32::MAX));
            entry.entropy_sum += entropy(below).min(letters);
            let carries = f.names.all("dns.rrtypes").any(carries_much);
            entry.carrying = entry.carrying.saturating_add(u32::from(carries));
        }
        let mut found = Behaviours::NONE;
        if entry.is_tunnel() {
            let from = entry.span.map_or(ts, |span| span.from);
            entry.span = Some(Span { from, to: ts });
            found.insert(Behaviours::DNS_TUNNEL);
        }
        if below.len() >= LONG_NAME && entropy(below) > ENTROPY {
            found.insert(Behaviours::UNUSUAL_DNS);
        }
        found
    }

    /// An answer said that there is no such name.
    pub(crate) fn answered(&mut self, f: &Features, rcode: &[u8]) {
        if !rcode.eq_ignore_ascii_case(b"NXDOMAIN") {
            return;
        }
        let Some(src) = f.src_ip else { return };
        // A list of bad addresses answers so for every good one.
        if f.names.get("dns.queries.rrname").is_none_or(asks_about_address) {
            return;
        }
        let Timestamp(ts) = f.last;
        let asked =
            f.names.all("dns.queries.rrname").last().and_then(|name| split(name.as_bytes()));
        if let Some((_, domain)) = asked
            && let Some(cost) = domain.split(|b| *b == b'.').next().and_then(generated::cost)
        {
            self.made_up.entry(src, || MadeUp::new(ts)).add(ts, domain, cost);
        }
        let window = self.missing.entry(src, || Window::new(ts));
        window.add(
            ts,
            WINDOW_NS,
            &[f.src_port.to_be_bytes(), f.dst_port.to_be_bytes()].concat(),
            MISSING,
        );
    }

    /// What the flow was part of.
    pub(crate) fn judge(&self, f: &Features) -> Behaviours {
        let mut found = Behaviours::NONE;
        let Some(src) = f.src_ip else { return found };
        if !matches!(f.app, "dns" | "doh" | "dot") {
            return found;
        }
        let tunnels = f.names.all("dns.queries.rrname").take(32).any(|name| {
            split(name.as_bytes())
                .and_then(|(_, domain)| self.domains.get(&(src, key(domain))))
                .is_some_and(|domain| domain.span.is_some())
        });
        if tunnels {
            found.insert(Behaviours::DNS_TUNNEL);
        }
        let named = f.names.all("dns.queries.rrname").any(|name| !asks_about_address(name));
        let missed =
            named && f.names.all("dns.rcodes").any(|code| code.eq_ignore_ascii_case("NXDOMAIN"));
        let many = self.missing.get(&src).and_then(|w| w.verdict);
        if missed && many.is_some_and(|span| span.covers(f.first.0, WINDOW_NS)) {
            found.insert(Behaviours::UNUSUAL_DNS);
        }
        let made_up = self.made_up.get(&src).and_then(|m| m.span);
        if missed && made_up.is_some_and(|span| span.covers(f.first.0, WINDOW_NS)) {
            found.insert(Behaviours::GENERATED_NAMES);
        }
        if f.names.all("dns.rrtypes").any(|kind| matches!(kind, "NULL" | "AXFR" | "PRIVATE")) {
            found.insert(Behaviours::UNUSUAL_DNS);
        }
        found
    }
}

impl Domain {
    fn is_tunnel(&self) -> bool {
        let names = self.distinct.estimate();
        if self.count == 0 {
            return false;
        }
        let mean = self.length_sum / self.count;
        let bits = self.entropy_sum / f64::from(self.count);
        let carrying = self.carrying * 2 >= self.count;
        bits > ENTROPY
            && ((names >= NAMES && mean >= MEAN_LENGTH)
                || (carrying && names >= CARRYING_NAMES && mean >= CARRYING_LENGTH))
    }
}

/// Types whose answers carry much, or that no program asks for in numbers.
fn carries_much(kind: &str) -> bool {
    matches!(kind, "TXT" | "NULL" | "CNAME" | "MX" | "SRV" | "KEY" | "PRIVATE")
}

/// A name that spells an address: a reverse name, or one in a list of addresses.
fn asks_about_address(name: &str) -> bool {
    let numbers = name.split('.').take_while(|label| label.parse::<u8>().is_ok()).count();
    let nibbles = name.split('.').take_while(|label| label.len() == 1).count();
    numbers >= 4 || nibbles >= 16 || name.trim_end_matches('.').ends_with(".arpa")
}

fn key(domain: &[u8]) -> u64 {
    xxh3_64(&domain.to_ascii_lowercase())
}

/// Endings under which names are registered at the third level.
const SECOND_LEVELS: &[&[u8]] =
    &[b"co", b"com", b"net", b"org", b"ac", b"gov", b"edu", b"ne", b"or", b"go"];

/// What stands below the registered domain, and the domain; reverse names belong to nobody.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    if name.len() > 255 {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    if lower.ends_with(b".arpa") || lower.ends_with(b".local") {
        return None;
    }
    let mut dots = name.iter().enumerate().rev().filter(|(_, b)| **b == b'.').map(|(i, _)| i);
    let last = dots.next()?;
    let second = dots.next();
    let start = match second {
        Some(second) => {
            let middle = name.get(second + 1..last)?;
            let deep = name.len() - last == 3 && SECOND_LEVELS.contains(&middle);
            if deep { dots.next().map_or(0, |third| third + 1) } else { second + 1 }
        }
        None => 0,
    };
    let below = name.get(..start.saturating_sub(1)).unwrap_or(&[]);
    Some((below, name.get(start..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_split_at_its_registered_domain() {
        let text = |name: &str| {
            split(name.as_bytes()).map(|(below, domain)| {
                (
                    String::from_utf8_lossy(below).into_owned(),
                    String::from_utf8_lossy(domain).into_owned(),
                )
            })
        };
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(text("a.b.example.com"), pair("a.b", "example.com"));
        assert_eq!(text("www.example.co.uk."), pair("www", "example.co.uk"));
        assert_eq!(text("example.com"), pair("", "example.com"));
        assert_eq!(text("localhost"), None);
        assert_eq!(text("4.3.2.1.in-addr.arpa"), None);
    }

    #[test]
    fn names_that_spell_addresses_are_told() {
        for name in ["4.3.2.1.in-addr.arpa", "2.0.0.192.zen.example.org", "b.a.ip6.arpa."] {
            assert!(asks_about_address(name), "{name}");
        }
        for name in ["www.example.com", "1.2.example.com", "qx7.example.org", ""] {
            assert!(!asks_about_address(name), "{name}");
        }
    }

    #[test]
    fn any_name_is_split_without_loss() {
        bolero::check!().with_iterations(2000).for_each(|name: &[u8]| {
            if let Some((below, domain)) = split(name) {
                assert!(below.len() + domain.len() <= name.len());
            }
        });
    }
}
