//! Words that ask to count instead of to find: `who talks most`, `top DNS names`, `how many`.
//!
//! Only words of number and rank do that (`most`, `top`, `how many`, `per hour`, `trend`): who asks
//! which hosts did something wants to see what they did. The words that were read are taken out of
//! the question; what is left says what is counted.

use crate::aggregate::{Aggregate, Amount, Dimension};
use crate::units;

/// Nouns for what events are told apart by.
fn noun(words: &[&str]) -> Option<(Dimension, usize)> {
    let two = match words {
        ["dns" | "domain" | "host", "name" | "names", ..] => Some(Dimension::Name),
        ["queried" | "requested" | "looked-up", "name" | "names" | "domain" | "domains", ..] => {
            Some(Dimension::Name)
        }
        ["web", "site" | "sites", ..] => Some(Dimension::Name),
        ["server", "name" | "names", ..] => Some(Dimension::Name),
        ["user", "agent" | "agents", ..] => Some(Dimension::Fact("http.http_user_agent".into())),
        ["status", "code" | "codes", ..] => Some(Dimension::Fact("http.status".into())),
        ["tls" | "ssl", "version" | "versions", ..] => Some(Dimension::Fact("tls.version".into())),
        ["source", "port" | "ports", ..] => Some(Dimension::SrcPort),
        ["destination" | "server" | "target" | "service", "port" | "ports", ..] => {
            Some(Dimension::DstPort)
        }
        [
            "source" | "src" | "client",
            "address" | "addresses" | "ip" | "ips" | "host" | "hosts",
            ..,
        ] => Some(Dimension::Src),
        [
            "destination" | "dst" | "target" | "server",
            "address" | "addresses" | "ip" | "ips" | "host" | "hosts",
            ..,
        ] => Some(Dimension::Dst),
        ["ip", "address" | "addresses", ..] => Some(Dimension::Src),
        ["mac", "address" | "addresses", ..] => Some(Dimension::Mac),
        _ => None,
    };
    if let Some(dimension) = two {
        return Some((dimension, 2));
    }
    let one = match *words.first()? {
        "talker" | "talkers" | "source" | "sources" | "client" | "clients" | "host" | "hosts"
        | "machine" | "machines" | "computer" | "computers" | "sender" | "senders" | "user"
        | "users" | "device" | "devices" | "attacker" | "attackers" | "ip" | "ips" | "address"
        | "addresses" | "people" | "scanner" | "scanners" => Dimension::Src,
        "destination" | "destinations" | "server" | "servers" | "target" | "targets"
        | "receiver" | "receivers" | "victim" | "victims" => Dimension::Dst,
        "name" | "names" | "domain" | "domains" | "hostname" | "hostnames" | "site" | "sites"
        | "website" | "websites" => Dimension::Name,
        "port" | "ports" => Dimension::DstPort,
        "app" | "apps" | "application" | "applications" | "service" | "services" | "protocol"
        | "protocols" | "program" | "programs" => Dimension::App,
        "transport" | "transports" => Dimension::Proto,
        "category" | "categories" => Dimension::Category,
        "brand" | "brands" => Dimension::Brand,
        "behaviour" | "behaviours" | "behavior" | "behaviors" => Dimension::Behaviour,
        "mac" | "macs" => Dimension::Mac,
        "vlan" | "vlans" => Dimension::Vlan,
        "interface" | "interfaces" | "bridge" | "bridges" => Dimension::Interface,
        "zone" | "zones" => Dimension::Zone,
        "role" | "roles" => Dimension::Role,
        _ => return None,
    };
    Some((one, 1))
}

/// Nouns for what is added up.
fn amount(word: &str) -> Option<Amount> {
    Some(match word {
        "bytes" | "traffic" | "data" | "bandwidth" | "volume" | "megabytes" | "gigabytes" => {
            Amount::Bytes
        }
        "packets" | "frames" => Amount::Packets,
        "upload" | "uploads" => Amount::BytesOut,
        "download" | "downloads" => Amount::BytesIn,
        "duration" => Amount::Duration,
        "flows" | "connections" | "sessions" | "events" | "times" | "conversations" | "records" => {
            Amount::Flows
        }
        _ => return None,
    })
}

/// Verbs of `who … most`.
fn verb(word: &str) -> Option<Amount> {
    Some(match word {
        "talk" | "talks" | "talked" | "talking" | "transfer" | "transfers" | "transferred"
        | "communicates" | "communicate" | "consumes" | "consume" | "exchange" | "exchanges" => {
            Amount::Bytes
        }
        "send" | "sends" | "sent" | "sending" | "upload" | "uploads" | "uploaded" => {
            Amount::BytesOut
        }
        "download" | "downloads" | "downloaded" | "receive" | "receives" | "received" => {
            Amount::BytesIn
        }
        "use" | "uses" | "used" | "make" | "makes" | "made" | "generate" | "generates" | "has"
        | "have" | "had" | "open" | "opens" | "opened" | "query" | "queries" | "queried"
        | "ask" | "asks" | "asked" | "connect" | "connects" | "connected" | "visit" | "visits"
        | "visited" | "contact" | "contacts" | "contacted" | "look" | "looks" | "scan"
        | "scans" | "scanned" | "fail" | "fails" | "failed" | "get" | "gets" | "got"
        | "resolve" | "resolves" | "hit" | "hits" | "login" | "log" | "logs" | "probe"
        | "probes" | "attacked" | "targeted" | "attacks" | "produce" | "produces" | "cause"
        | "causes" | "browse" | "browses" | "print" | "prints" | "call" | "calls" | "called" => {
            Amount::Flows
        }
        _ => return None,
    })
}

/// Adjectives between a rank and its noun.
const RANKED: &[&str] = &[
    "common",
    "frequent",
    "active",
    "popular",
    "used",
    "busy",
    "visited",
    "contacted",
    "queried",
    "requested",
    "seen",
    "frequently",
    "often",
    "commonly",
    "talkative",
    "scanned",
    "probed",
    "attacked",
    "targeted",
    "asked",
    "wanted",
    "chatty",
    "noisy",
    "accessed",
    "resolved",
];

/// Ranks that need no adjective.
const RANKS: &[&str] = &["busiest", "chattiest", "noisiest", "heaviest", "commonest"];

/// What was read of the words.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) aggregate: Option<Aggregate>,
    /// Words that were about counting.
    pub(crate) taken: Vec<bool>,
}

struct Counter<'w> {
    words: &'w [&'w str],
    taken: Vec<bool>,
    by: Vec<Dimension>,
    of: Option<Amount>,
    every_s: Option<u64>,
    rows: usize,
    least: bool,
    asked: bool,
}

/// Reads what of `words` asks to count.
pub(crate) fn counted(words: &[&str]) -> Counted {
    let mut counter = Counter {
        words,
        taken: vec![false; words.len()],
        by: Vec::new(),
        of: None,
        every_s: None,
        rows: 0,
        least: false,
        asked: false,
    };
    counter.top();
    counter.ranked();
    counter.most();
    counter.how_many();
    counter.in_time();
    if counter.asked {
        counter.grouped();
    }
    let Counter { taken, by, of, every_s, rows, least, asked, .. } = counter;
    if !asked {
        return Counted { aggregate: None, taken: vec![false; words.len()] };
    }
    let of = of.unwrap_or_default();
    Counted { aggregate: Some(Aggregate { by, of, every_s, rows, least }), taken }
}

impl Counter<'_> {
    fn at(&self, at: usize) -> &str {
        self.words.get(at).copied().unwrap_or_default()
    }

    fn rest(&self, at: usize) -> &[&str] {
        self.words.get(at..).unwrap_or_default()
    }

    fn take(&mut self, from: usize, len: usize) {
        for taken in self.taken.iter_mut().skip(from).take(len) {
            *taken = true;
        }
    }

    fn by(&mut self, dimension: Dimension) {
        if !self.by.contains(&dimension) && self.by.len() < crate::limits::DIMENSIONS_MAX {
            self.by.push(dimension);
        }
    }

    /// A noun at `at` that is no part of another: of `port scans` the port is not counted.
    fn nouns(&self, at: usize) -> Option<(Dimension, usize)> {
        let (dimension, len) = noun(self.rest(at))?;
        let last = self.at(at + len - 1);
        (last.ends_with('s') || last == "people").then_some((dimension, len))
    }

    /// A noun at `at` or a few words behind it (`top 10 scanned ports`); where it stands.
    fn noun_near(&self, at: usize, within: usize) -> Option<(Dimension, usize, usize)> {
        (at..=at + within).find_map(|i| {
            // Behind a preposition something else is meant.
            let open = (at..i).all(|j| !matches!(self.at(j), "to" | "from" | "by" | "of" | "in"));
            let (dimension, len) = noun(self.rest(i)).filter(|_| open)?;
            // `top dns names`: the last noun of the phrase is what is listed.
            match noun(self.rest(i + len)) {
                Some((next, more)) if len == 1 => Some((next, i + len, more)),
                _ => Some((dimension, i, len)),
            }
        })
    }

    /// `top 10 talkers`, `bottom 5 ports`.
    fn top(&mut self) {
        for i in 0..self.words.len() {
            if !matches!(self.at(i), "top" | "bottom") {
                continue;
            }
            let rows = self.at(i + 1).parse::<usize>().ok().filter(|n| *n > 0 && *n <= 1000);
            let skip = 1 + usize::from(rows.is_some());
            let Some((dimension, place, len)) = self.noun_near(i + skip, 2) else { continue };
            let talker = self.at(place).starts_with("talker");
            // `top DNS names`: what is named stays a condition.
            self.take(i, skip);
            let dns = len == 2 && self.at(place) == "dns";
            self.take(place + usize::from(dns), len - usize::from(dns));
            self.least |= self.at(i) == "bottom";
            if self.at(i) == "bottom" && rows.is_none() {
                self.rows = crate::limits::ROWS_DEFAULT;
            }
            if let Some(rows) = rows {
                self.rows = rows;
            }
            if talker {
                self.of.get_or_insert(Amount::Bytes);
            }
            self.by(dimension);
            self.asked = true;
        }
    }

    /// `most common ports`, `busiest servers`, `least used protocols`, `rarest names`.
    fn ranked(&mut self) {
        for i in 0..self.words.len() {
            let word = self.at(i);
            let (least, len) = match word {
                "most" | "least" if RANKED.contains(&self.at(i + 1)) => (word == "least", 2),
                "rarest" => (true, 1),
                _ if RANKS.contains(&word) => (false, 1),
                _ => continue,
            };
            let Some((dimension, place, nouns)) = self.noun_near(i + len, 1) else { continue };
            if self.taken.get(i) == Some(&true) {
                continue;
            }
            let bytes = matches!(word, "busiest" | "heaviest" | "chattiest" | "noisiest")
                || matches!(self.at(i + 1), "active" | "talkative" | "chatty" | "noisy" | "busy");
            // `most scanned ports`: of scans, then.
            let said = matches!(self.at(i + 1), "scanned" | "probed" | "attacked");
            let passive = matches!(
                self.at(i + 1),
                "visited"
                    | "contacted"
                    | "queried"
                    | "requested"
                    | "scanned"
                    | "probed"
                    | "attacked"
                    | "targeted"
                    | "accessed"
                    | "resolved"
                    | "popular"
                    | "asked"
            );
            self.take(i, len - usize::from(said && len == 2));
            let dns = nouns == 2 && self.at(place) == "dns";
            self.take(place + usize::from(dns), nouns - usize::from(dns));
            if bytes {
                self.of.get_or_insert(Amount::Bytes);
            }
            if least {
                self.least = true;
                self.rows = if self.rows == 0 { crate::limits::ROWS_DEFAULT } else { self.rows };
            }
            let to =
                if passive && dimension == Dimension::Src { Dimension::Dst } else { dimension };
            self.by(to);
            self.asked = true;
        }
    }

    /// `who talks most to …`, `which host sends the most data`, `what uses most bandwidth`.
    fn most(&mut self) {
        if self.asked {
            return;
        }
        let Some(start) =
            self.words.iter().position(|w| matches!(*w, "who" | "which" | "what" | "whom"))
        else {
            return;
        };
        let Some(most) = (start..self.words.len())
            .find(|i| matches!(self.at(*i), "most" | "least") && !RANKED.contains(&self.at(i + 1)))
        else {
            return;
        };
        let subject = noun(self.rest(start + 1));
        let Some(verb_at) =
            (start + 1..self.words.len().min(most + 3)).find(|i| verb(self.at(*i)).is_some())
        else {
            return;
        };
        let mut of = verb(self.at(verb_at)).unwrap_or_default();
        let active =
            self.at(start) == "who" || subject.as_ref().is_none_or(|s| s.0 == Dimension::Src);
        let passive = (start..most)
            .any(|i| matches!(self.at(i), "is" | "are" | "was" | "were" | "gets" | "receives"))
            && !self.at(verb_at).ends_with("ing");
        let dimension = match subject {
            Some((dimension, len)) => {
                self.take(start + 1, len);
                if passive && dimension == Dimension::Src { Dimension::Dst } else { dimension }
            }
            None if self.at(start) == "whom" => Dimension::Dst,
            None if active && self.at(start) == "what" => Dimension::App,
            None => Dimension::Src,
        };
        if dimension == Dimension::Dst && of == Amount::BytesIn {
            // What a server receives, its clients send.
            of = Amount::BytesOut;
        }
        self.take(start, 1);
        let article = usize::from(self.at(most.saturating_sub(1)) == "the");
        self.take(most - article, 1 + article);
        // The verb says what is done where it says more than that.
        let plain = matches!(
            verb(self.at(verb_at)),
            Some(Amount::Bytes | Amount::BytesOut | Amount::BytesIn)
        ) || matches!(
            self.at(verb_at),
            "use"
                | "uses"
                | "used"
                | "make"
                | "makes"
                | "made"
                | "has"
                | "have"
                | "generate"
                | "generates"
                | "get"
                | "gets"
                | "open"
                | "opens"
                | "opened"
                | "produce"
                | "produces"
                | "cause"
                | "causes"
                | "contact"
                | "contacts"
                | "contacted"
                | "connect"
                | "connects"
                | "connected"
        );
        if plain {
            self.take(verb_at, 1);
        }
        if let Some(told) = amount(self.at(most + 1)) {
            of = match (of, told) {
                (Amount::BytesOut | Amount::BytesIn, Amount::Bytes) => of,
                _ => told,
            };
            self.take(most + 1, 1);
        }
        if self.at(most) == "least" {
            self.least = true;
            self.rows = crate::limits::ROWS_DEFAULT;
        }
        self.by(dimension);
        self.of = Some(of);
        self.asked = true;
    }

    /// `how many clients`, `how much data`, `number of flows`, `count …`.
    fn how_many(&mut self) {
        for i in 0..self.words.len() {
            let len = match self.rest(i) {
                ["how", "many" | "much", ..] => 2,
                ["how", "often", ..] => 2,
                ["the", "total", "number" | "amount", "of", ..] => 4,
                ["total", "number" | "amount", "of", ..] => 3,
                ["number" | "amount", "of", ..] if i == 0 || self.at(i - 1) == "the" => 2,
                ["count", "of" | "the" | "all", ..] if i == 0 => 2,
                ["count", ..] if i == 0 && self.words.len() > 1 => 1,
                ["total", word, ..] if i == 0 && amount(word).is_some() => 1,
                _ => continue,
            };
            if self.asked && self.at(i) != "how" {
                continue;
            }
            self.take(i, len);
            let mut next = i + len;
            while matches!(
                self.at(next),
                "different" | "distinct" | "unique" | "of" | "the" | "all" | "separate"
            ) {
                self.take(next, 1);
                next += 1;
            }
            self.asked = true;
            if self.at(i + 1) == "much" {
                let verb = self.words.iter().find_map(|w| match verb(w) {
                    Some(way @ (Amount::BytesOut | Amount::BytesIn)) => Some(way),
                    _ => None,
                });
                self.of = Some(verb.unwrap_or(Amount::Bytes));
                if amount(self.at(next)).is_some() {
                    self.take(next, 1);
                }
                continue;
            }
            if let Some(of) = amount(self.at(next)) {
                self.of = Some(of);
                self.take(next, 1);
            } else if let Some((dimension, len)) = self.nouns(next) {
                self.take(next, len);
                self.by(dimension);
            } else if let Some((dimension, len)) = self.nouns(next + 1)
                && !matches!(self.at(next + 1), "to" | "from")
            {
                // `how many ssh clients`.
                self.take(next + 1, len);
                self.by(dimension);
            }
        }
    }

    /// `per hour`, `every 5 minutes` where counted anyway, `over time`, `trend of …`.
    fn in_time(&mut self) {
        for i in 0..self.words.len() {
            let (unit_at, asks) = match self.rest(i) {
                ["per" | "each", ..] => (i + 1, self.at(i) == "per"),
                ["for", "each" | "every", ..] => (i + 2, false),
                ["by", "the", ..] => (i + 2, false),
                ["by" | "every", ..] => (i + 1, false),
                ["over", "time", ..] => {
                    let volume = |w: &&str| {
                        amount(w).is_some()
                            || matches!(
                                *w,
                                "rate"
                                    | "usage"
                                    | "count"
                                    | "graph"
                                    | "chart"
                                    | "plot"
                                    | "queries"
                                    | "requests"
                                    | "lookups"
                                    | "show"
                                    | "how"
                                    | "logins"
                            )
                    };
                    if self.asked || self.words.iter().any(volume) {
                        self.take(i, 2);
                        self.every_s.get_or_insert(0);
                        self.asked = true;
                    }
                    continue;
                }
                ["trend" | "trends" | "timeline" | "histogram", ..] => {
                    let of = usize::from(matches!(self.at(i + 1), "of" | "for" | "in"));
                    self.take(i, 1 + of);
                    self.every_s.get_or_insert(0);
                    self.asked = true;
                    continue;
                }
                ["hourly" | "daily", ..] if self.asked => {
                    self.every_s = Some(if self.at(i) == "daily" { 86_400 } else { 3600 });
                    self.take(i, 1);
                    continue;
                }
                _ => continue,
            };
            let (number, skip) = match self.at(unit_at).parse::<u64>() {
                Ok(n) if n > 0 && n < 10_000 => (n, 1),
                _ => (1, 0),
            };
            let unit = self.at(unit_at + skip);
            let every =
                if unit.is_empty() { None } else { units::duration_us(&format!("{number}{unit}")) };
            // A rate (`packets per second`) and a compact `5m` behind `every` are something else.
            let long = every.map(|us| us / 1_000_000).filter(|s| *s >= 60);
            if let Some(seconds) = long
                && (asks || self.asked)
            {
                self.take(i, unit_at + skip + 1 - i);
                self.every_s = Some(seconds);
                self.asked = true;
            } else if asks && let Some((dimension, len)) = noun(self.rest(unit_at)) {
                self.take(i, unit_at + len - i);
                self.by(dimension);
                self.asked = true;
            }
        }
        if self.every_s.is_some() && self.of.is_none() {
            let volume = self.words.iter().position(|w| {
                matches!(*w, "traffic" | "bytes" | "bandwidth" | "volume" | "data" | "packets")
            });
            if let Some(at) = volume {
                self.of = amount(self.at(at));
                self.take(at, 1);
            }
        }
    }

    /// `by application`, `for each source`, `by bytes`: only where it is counted anyway.
    fn grouped(&mut self) {
        for i in 0..self.words.len() {
            let from = match self.rest(i) {
                ["grouped" | "split" | "sorted" | "ordered" | "ranked", "by", ..] => 2,
                ["broken", "down", "by", ..] => 3,
                ["for", "each" | "every", ..] => 2,
                ["by" | "per", ..] => 1,
                _ => continue,
            };
            if self.taken.get(i) == Some(&true) {
                continue;
            }
            if let Some((dimension, len)) = noun(self.rest(i + from)) {
                self.take(i, from + len);
                self.by(dimension);
            } else if let Some(of) = amount(self.at(i + from)) {
                self.take(i, from + 1);
                self.of = Some(of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_number_and_rank_ask_to_count() {
        let check = |text: &str, want: &str, left: &str| {
            let words: Vec<&str> = text.split(' ').collect();
            let got = counted(&words);
            let told = got.aggregate.map(|a| a.to_string()).unwrap_or_default();
            let rest = words.iter().zip(&got.taken).filter(|(_, taken)| !**taken);
            let rest: Vec<&str> = rest.map(|(word, _)| *word).collect();
            assert_eq!((told.as_str(), rest.join(" ").as_str()), (want, left), "{text}");
        };
        check("who talks most to 10.0.0.5", "by:src sum:bytes", "to 10.0.0.5");
        check("who talks the most to 10.0.0.5", "by:src sum:bytes", "to 10.0.0.5");
        check("top dns names", "by:name sum:flows", "dns");
        check("top 5 talkers", "by:src sum:bytes top:5", "");
        check("top ssh servers by bytes", "by:dst sum:bytes", "ssh");
        check("how many ssh sessions", "sum:flows", "ssh sessions");
        check("how many hosts use telnet", "by:src sum:flows", "use telnet");
        check("how many different servers", "by:dst sum:flows", "");
        check("how many port scans", "sum:flows", "port scans");
        check("how many ssh clients", "by:src sum:flows", "ssh");
        check("how much data did 10.0.0.1 upload", "sum:bytes_out", "did 10.0.0.1 upload");
        check("number of flows per hour", "sum:flows per:1h", "");
        check("dns queries per minute", "sum:flows per:1m", "dns queries");
        check("most common user agents", "by:http.http_user_agent sum:flows", "");
        check("least used protocols", "by:app sum:flows least:10", "");
        check("busiest servers", "by:dst sum:bytes", "");
        check("which host sends the most data", "by:src sum:bytes_out", "");
        check("which application uses the most bandwidth", "by:app sum:bytes", "");
        check("trend of dns lookups", "sum:flows per:auto", "dns lookups");
        check("traffic over time", "sum:bytes per:auto", "");
        check("traffic per application", "by:app sum:flows", "traffic");
        check("count telnet sessions by source", "by:src sum:flows", "telnet sessions");
        check("which server is contacted most", "by:dst sum:flows", "is");
        check(
            "who is doing dns lookups for long names",
            "",
            "who is doing dns lookups for long names",
        );
        check("which hosts query a database", "", "which hosts query a database");
        check("more than 1000 packets per second", "", "more than 1000 packets per second");
        check("beacon every 60 seconds", "", "beacon every 60 seconds");
        check("many failed logins", "", "many failed logins");
    }
}
