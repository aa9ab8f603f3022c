//! Things that are meant to the letter: addresses, ports, names, interfaces, times, sizes, tags.

use crate::amount::amount;
use crate::direction::{direction, port_side};
use crate::error::QueryError;
use crate::filter::{Key, Mode, Part};
use crate::lexicon::{STOP_WORDS, usual_apps};
use crate::negation::negation;
use crate::understand::Reader;
use crate::words::{self, trimmed};
use crate::{limits, time};

impl Reader<'_> {
    /// Takes what stands literally at `at`; how many words it took.
    pub(crate) fn literal(&mut self, all: &[&str], at: usize) -> Result<usize, QueryError> {
        let rest = all.get(at..).unwrap_or_default();
        let Some(&word) = rest.first() else { return Ok(0) };
        let raw = self.said.get(at).map(|said| trimmed(said).to_owned()).unwrap_or_default();
        if let Some((range, used)) = time::expression(rest, self.now) {
            if let Some(from) = range.from {
                self.add(Mode::Must, Key::Since, time::text(from));
            }
            if let Some(until) = range.until {
                self.add(Mode::Must, Key::Until, time::text(until));
            }
            return Ok(used);
        }
        if let Some((part, used)) = amount(all, at) {
            self.out.parts.push(part);
            return Ok(used);
        }
        if let Some(used) = self.numbered(all, at, &raw)? {
            return Ok(used);
        }
        if let Some(used) = self.named(all, at) {
            return Ok(used);
        }
        let tag = if word == "tag" { rest.get(1).copied().unwrap_or_default() } else { word };
        if self.tags.get(tag).is_some() {
            let key = direction(all, at);
            self.add(turned(all, at), key, format!("tag:{tag}"));
            return Ok(1 + usize::from(word == "tag"));
        }
        Ok(0)
    }

    /// Ports, VLANs, addresses, interfaces, ids: what is known by its form.
    fn numbered(
        &mut self,
        all: &[&str],
        at: usize,
        raw: &str,
    ) -> Result<Option<usize>, QueryError> {
        let rest = all.get(at..).unwrap_or_default();
        let Some(&word) = rest.first() else { return Ok(None) };
        if matches!(word, "port" | "ports" | "tcp" | "udp" | "sctp") {
            let used = self.ports(all, at);
            if used > 0 {
                return Ok(Some(used));
            }
        }
        if let Some((a, b)) = word.split_once('/')
            && let Some((proto, port)) = [(a, b), (b, a)]
                .into_iter()
                .find(|(p, n)| is_transport(p) && n.parse::<u16>().is_ok())
        {
            let mode = turned(all, at);
            self.add(mode, Key::Port, port.to_owned());
            self.add(mode, Key::Proto, proto.to_owned());
            self.usual(port, proto, mode);
            return Ok(Some(1));
        }
        if matches!(word, "vlan" | "vlans")
            && let skip = 1 + usize::from(matches!(rest.get(1), Some(&"id" | &"number" | &"tag")))
            && let Some(id) = rest.get(skip)
            && id.parse::<u16>().is_ok_and(|id| id < 4096)
        {
            self.add(turned(all, at), Key::Vlan, (*id).to_owned());
            return Ok(Some(skip + 1));
        }
        if let Some(name) = rest.get(1)
            && matches!(word, "interface" | "iface" | "nic" | "bridge")
            && (words::interface(name) || is_label(name))
        {
            self.add(turned(all, at), Key::Interface, (*name).to_owned());
            return Ok(Some(2));
        }
        if words::interface(word) {
            self.add(turned(all, at), Key::Interface, word.to_owned());
            return Ok(Some(1));
        }
        if words::community_id(raw) {
            self.add(turned(all, at), Key::CommunityId, raw.to_owned());
            return Ok(Some(1));
        }
        if words::mac_range(word).is_some() {
            self.add(turned(all, at), Key::Mac, word.to_owned());
            return Ok(Some(1));
        }
        if words::network(word).is_some() {
            self.add_joined(all, at, direction(all, at), word.to_owned());
            return Ok(Some(1));
        }
        // `10.0.0.1:443`
        if let Some((host, port)) = word.rsplit_once(':')
            && port.parse::<u16>().is_ok()
            && (words::network(host).is_some() || words::host_name(host).is_some())
        {
            let mode = turned(all, at);
            self.add(mode, direction(all, at), host.to_owned());
            self.add(mode, Key::Port, port.to_owned());
            return Ok(Some(1));
        }
        Ok(None)
    }

    /// Host names, patterns of them, and words that say which names are meant.
    fn named(&mut self, all: &[&str], at: usize) -> Option<usize> {
        let rest = all.get(at..).unwrap_or_default();
        let word = *rest.first()?;
        if let Some(name) = words::host_name(word) {
            self.add_joined(all, at, Key::Name, name);
            return Some(1);
        }
        if words::pattern(word) {
            self.add_joined(all, at, Key::Name, word.to_owned());
            return Some(1);
        }
        // `.ru`
        if let Some(end) = word.strip_prefix('.')
            && end.len() >= 2
            && end.chars().all(|c| c.is_ascii_alphabetic())
            && !words::is_file_end(end)
        {
            self.add_joined(all, at, Key::Name, format!("*{word}"));
            return Some(1);
        }
        // `names containing cdn`, `domains ending in .ru`, `names starting with wpad`.
        let about_names = |word: &&str| {
            matches!(
                *word,
                "name"
                    | "names"
                    | "domain"
                    | "domains"
                    | "hostname"
                    | "hostnames"
                    | "sni"
                    | "host"
                    | "hosts"
                    | "site"
                    | "sites"
                    | "lookup"
                    | "lookups"
                    | "query"
                    | "queries"
            )
        };
        let before = all.get(at.saturating_sub(3)..at).unwrap_or_default();
        if before.iter().any(about_names) {
            let (used, open, close) = match rest {
                ["containing" | "contains" | "contain" | "like" | "matching", ..] => (1, "*", "*"),
                ["with", _, "in", "it" | "them", ..] => (1, "*", "*"),
                ["ending" | "ends" | "end", "in" | "with", ..] => (2, "*", ""),
                ["starting" | "starts" | "beginning" | "begins", "with", ..] => (2, "", "*"),
                ["under" | "below", ..] => (1, "", ""),
                _ => (0, "", ""),
            };
            let of = rest.get(used).map(|w| w.trim_matches('*')).unwrap_or_default();
            let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
            if used > 0 && of.chars().filter(|c| c.is_alphanumeric()).count() >= 2 {
                let fits = of.chars().all(plain) && !STOP_WORDS.contains(&of);
                if fits && !(open.is_empty() && close.is_empty() && !of.contains('.')) {
                    self.add(turned(all, at), Key::Name, format!("{open}{of}{close}"));
                    let tail = usize::from(rest.first() == Some(&"with")) * 2;
                    return Some(used + 1 + tail);
                }
            }
        }
        // `host nas01`, `machine called db-3`, `server named mail2`.
        if matches!(word, "host" | "machine" | "hostname" | "server" | "client" | "device" | "box")
        {
            let skip = usize::from(matches!(rest.get(1), Some(&"called" | &"named")));
            let name = rest.get(1 + skip)?;
            if is_label(name) && (skip > 0 || name.chars().any(|c| c.is_ascii_digit())) {
                self.add(turned(all, at), direction(all, at), (*name).to_owned());
                return Some(2 + skip);
            }
        }
        None
    }

    /// `port 80`, `ports 80 and 443`, `udp port 53`, `tcp 8000-8999`; how many words.
    fn ports(&mut self, all: &[&str], at: usize) -> usize {
        let rest = all.get(at..).unwrap_or_default();
        let Some(&first) = rest.first() else { return 0 };
        let proto = is_transport(first).then_some(first);
        let mut used = 1;
        let mut named = proto.is_none();
        if proto.is_some() && matches!(rest.get(1), Some(&"port" | &"ports")) {
            (used, named) = (2, true);
        }
        if matches!(rest.get(used), Some(&"number" | &"numbers" | &"no" | &"range")) && named {
            used += 1;
        }
        let is_port = |text: &str| {
            let (a, b) = text.split_once('-').unwrap_or((text, text));
            a.parse::<u16>().is_ok_and(|a| b.parse::<u16>().is_ok_and(|b| a <= b))
        };
        let mut values: Vec<String> = Vec::new();
        while let Some(word) = rest.get(used) {
            if word.split(',').all(is_port) {
                values.extend(word.split(',').map(str::to_owned));
                used += 1;
            } else if matches!(*word, "and" | "or" | "to")
                && !values.is_empty()
                && rest.get(used + 1).is_some_and(|w| is_port(w))
            {
                if *word == "to"
                    && let (Some(low), Some(high)) = (values.pop(), rest.get(used + 1))
                {
                    let range = format!("{low}-{high}");
                    values.push(if is_port(&range) { range } else { low });
                    used += 1;
                }
                used += 1;
            } else {
                break;
            }
        }
        if values.is_empty() {
            return 0;
        }
        let mode = turned(all, at);
        let side = port_side(all, at);
        for value in &values {
            self.usual(value, proto.unwrap_or_default(), mode);
        }
        values.truncate(limits::VALUES_MAX);
        self.out.parts.push(Part::of(mode, side, values));
        if let Some(proto) = proto {
            self.add(mode, Key::Proto, proto.to_owned());
        }
        used
    }

    /// Who names a port means, most of all, what usually answers there.
    fn usual(&mut self, port: &str, proto: &str, mode: Mode) {
        if mode == Mode::Must
            && let Some(apps) = usual_apps(port, proto)
        {
            let mut part = Part::of(Mode::Prefer, Key::App, apps.split(',').map(str::to_owned));
            part.weight = USUAL_WEIGHT;
            self.prefer(part);
        }
    }

    pub(crate) fn add(&mut self, mode: Mode, key: Key, value: String) {
        self.out.parts.push(Part::of(mode, key, [value]));
    }

    /// As `add`, but `A or B` is one condition.
    fn add_joined(&mut self, all: &[&str], at: usize, key: Key, value: String) {
        let mode = turned(all, at);
        let or = at > 0 && matches!(all.get(at - 1), Some(&"or" | &"nor"));
        let side = |k: &Key| matches!(k, Key::Src | Key::Dst | Key::Host);
        if or
            && let Some(last) = self.out.parts.last_mut()
            && last.mode == mode
            && (last.filter.key == key || (key == Key::Host && side(&last.filter.key)))
            && last.filter.values.len() < limits::VALUES_MAX
        {
            last.filter.values.push(value);
            return;
        }
        self.add(mode, key, value);
    }
}

/// What an application gains whose usual port was named.
const USUAL_WEIGHT: f32 = 0.3;

/// What the words before `at` make of what stands there.
pub(crate) fn turned(all: &[&str], at: usize) -> Mode {
    match negation(all, at) {
        None => Mode::Must,
        Some(true) => Mode::Avoid,
        Some(false) => Mode::MustNot,
    }
}

fn is_transport(word: &str) -> bool {
    matches!(word, "tcp" | "udp" | "sctp")
}

/// A name of one label that is no ordinary word: it holds a digit or a hyphen.
fn is_label(word: &str) -> bool {
    word.len() >= 2
        && word.len() <= 63
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        && word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.chars().any(|c| c.is_ascii_digit() || c == '-')
}
