//! Words to an understanding: what must hold, what is preferred, and what is left for meaning.
//!
//! Literal things (addresses, ports, names, sizes, times) become conditions. What the lexicon knows
//! becomes preferences: words are rarely meant to the letter, and a preference that is not met costs
//! rank, not the answer. The rest is embedded. An understanding prints itself in the filter
//! language, and what is printed is understood as the same.

use std::fmt;

use jiff::Zoned;

use crate::aggregate::Aggregate;
use crate::concepts;
use crate::error::QueryError;
use crate::filter::{Filter, Key, Mode, Part, quote};
use crate::lexicon::{APP_ALIASES, STOP_WORDS};
use crate::tags::Tags;
use crate::words::{self, trimmed};
use crate::{limits, time, units};

/// What was understood of a question.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Understanding {
    pub parts: Vec<Part>,
    /// Where it is asked to count instead of to find.
    pub aggregate: Option<Aggregate>,
    /// The words that are embedded; empty where nothing is left to mean.
    pub meaning: String,
}

impl fmt::Display for Understanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for part in &self.parts {
            if !std::mem::take(&mut first) {
                f.write_str(" ")?;
            }
            part.fmt(f)?;
        }
        if let Some(aggregate) = &self.aggregate {
            if !std::mem::take(&mut first) {
                f.write_str(" ")?;
            }
            aggregate.fmt(f)?;
        }
        if !self.meaning.is_empty() {
            f.write_str(if first { "meaning:" } else { " meaning:" })?;
            let mut text = String::new();
            quote(&mut text, &self.meaning)?;
            f.write_str(&text)?;
        }
        Ok(())
    }
}

/// Words that turn what follows into its opposite, longest first.
const NEGATIONS: &[&[&str]] = &[
    &["other", "than"],
    &["rather", "than"],
    &["instead", "of"],
    &["apart", "from"],
    &["but", "not"],
    &["except", "for"],
    &["except"],
    &["excluding"],
    &["exclude"],
    &["without"],
    &["not"],
    &["no"],
    &["never"],
    &["minus"],
    &["ignoring"],
];

const MORE: &[&[&str]] = &[
    &["more", "than"],
    &["larger", "than"],
    &["bigger", "than"],
    &["greater", "than"],
    &["longer", "than"],
    &["higher", "than"],
    &["at", "least"],
    &["over"],
    &["above"],
    &["exceeding"],
];

const LESS: &[&[&str]] = &[
    &["less", "than"],
    &["smaller", "than"],
    &["fewer", "than"],
    &["shorter", "than"],
    &["lower", "than"],
    &["at", "most"],
    &["under"],
    &["below"],
];

/// Understands `text`.
///
/// # Errors
/// A filter in it has no such key or value, or a quotation mark stands alone.
pub fn understand(text: &str, now: &Zoned, tags: &Tags) -> Result<Understanding, QueryError> {
    let mut end = text.len().min(limits::WORDS_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut out = Understanding::default();
    let mut said: Vec<String> = Vec::new();
    for token in words::tokens(&text[..end])?.into_iter().take(limits::TOKENS_MAX) {
        if let Some(value) = token.strip_prefix("meaning:") {
            push_word(&mut out.meaning, &unquote(value));
        } else if Aggregate::read(&token, &mut out.aggregate)? {
            // Taken.
        } else if let Some(part) = Part::parse(&token, now, tags)? {
            out.parts.push(part);
        } else if token.len() > 1 && token.starts_with('"') && token.ends_with('"') {
            said.extend(unquote(&token).split_whitespace().map(str::to_owned));
        } else {
            said.push(token);
        }
    }
    Reader { now, tags, said, taken: Vec::new(), out: &mut out }.read()?;
    Ok(out)
}

fn unquote(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    let Some(inner) = inner else { return value.to_owned() };
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c == '\\' { out.extend(chars.next()) } else { out.push(c) }
    }
    out
}

fn push_word(text: &mut String, word: &str) {
    if !text.is_empty() && !word.is_empty() {
        text.push(' ');
    }
    text.push_str(word);
}

struct Reader<'a> {
    now: &'a Zoned,
    tags: &'a Tags,
    /// As they were said.
    said: Vec<String>,
    /// Words that became something literal.
    taken: Vec<bool>,
    out: &'a mut Understanding,
}

impl Reader<'_> {
    fn read(mut self) -> Result<(), QueryError> {
        let words: Vec<String> = self.said.iter().map(|w| trimmed(w).to_lowercase()).collect();
        self.taken = vec![false; words.len()];
        let mut at = 0;
        while at < words.len() {
            let used = self.literal(&words, at)?;
            self.taken[at..(at + used).min(words.len())].fill(true);
            at += used.max(1);
        }
        self.lexical(&words);
        let meaning: Vec<&str> = self
            .said
            .iter()
            .zip(&self.taken)
            .filter(|(word, taken)| !**taken && !trimmed(word).is_empty())
            .map(|(word, _)| trimmed(word))
            .collect();
        // Words that say nothing have no meaning to look for.
        let empty = |w: &&str| STOP_WORDS.contains(&w.to_lowercase().as_str());
        if !meaning.iter().all(empty) {
            push_word(&mut self.out.meaning, &meaning.join(" "));
        }
        Ok(())
    }

    /// Takes what stands literally at `at`; how many words it took.
    fn literal(&mut self, words: &[String], at: usize) -> Result<usize, QueryError> {
        let all: Vec<&str> = words.iter().map(String::as_str).collect();
        let rest = &all[at..];
        let Some(&word) = rest.first() else { return Ok(0) };
        let raw = trimmed(&self.said[at]).to_owned();
        if let Some((range, used)) = time::expression(rest, self.now) {
            if let Some(from) = range.from {
                self.add(Mode::Must, Key::Since, time::text(from));
            }
            if let Some(until) = range.until {
                self.add(Mode::Must, Key::Until, time::text(until));
            }
            return Ok(used);
        }
        if let Some(used) = self.amount(rest) {
            return Ok(used);
        }
        if matches!(word, "port" | "ports") {
            let used = self.ports(&rest[1..], self.turned(&all, at));
            if used > 0 {
                return Ok(used + 1);
            }
        }
        if let Some((a, b)) = word.split_once('/')
            && let Some((proto, port)) = [(a, b), (b, a)]
                .into_iter()
                .find(|(p, n)| matches!(*p, "tcp" | "udp" | "sctp") && n.parse::<u16>().is_ok())
        {
            let mode = self.turned(&all, at);
            self.add(mode, Key::Port, port.to_owned());
            self.add(mode, Key::Proto, proto.to_owned());
            return Ok(1);
        }
        if word == "vlan"
            && let Some(id) = rest.get(1 + usize::from(rest.get(1) == Some(&"id")))
            && id.parse::<u16>().is_ok_and(|id| id < 4096)
        {
            self.add(self.turned(&all, at), Key::Vlan, (*id).to_owned());
            return Ok(2 + usize::from(rest.get(1) == Some(&"id")));
        }
        if matches!(word, "interface" | "iface")
            && let Some(name) = rest.get(1).filter(|n| words::interface(n))
        {
            self.add(self.turned(&all, at), Key::Interface, (*name).to_owned());
            return Ok(2);
        }
        if words::interface(word) {
            self.add(self.turned(&all, at), Key::Interface, word.to_owned());
            return Ok(1);
        }
        if words::community_id(&raw) {
            self.add(self.turned(&all, at), Key::CommunityId, raw);
            return Ok(1);
        }
        if words::mac(word).is_some() {
            self.add(self.turned(&all, at), Key::Mac, word.to_owned());
            return Ok(1);
        }
        if words::network(word).is_some() {
            let key = direction(&all, at);
            self.add_joined(&all, at, key, word.to_owned());
            return Ok(1);
        }
        // `10.0.0.1:443`
        if let Some((host, port)) = word.rsplit_once(':')
            && port.parse::<u16>().is_ok()
            && (words::network(host).is_some() || words::host_name(host).is_some())
        {
            let mode = self.turned(&all, at);
            self.add(mode, direction(&all, at), host.to_owned());
            self.add(mode, Key::Port, port.to_owned());
            return Ok(1);
        }
        if let Some(name) = words::host_name(word) {
            self.add_joined(&all, at, Key::Name, name);
            return Ok(1);
        }
        let tag = if word == "tag" { rest.get(1).copied().unwrap_or_default() } else { word };
        if self.tags.get(tag).is_some() {
            let key = direction(&all, at);
            let value = format!("tag:{tag}");
            self.add(self.turned(&all, at), key, value);
            return Ok(1 + usize::from(word == "tag"));
        }
        Ok(0)
    }

    /// `more than 1 GB`, `longer than an hour`, `fewer than 10 packets`.
    fn amount(&mut self, rest: &[&str]) -> Option<usize> {
        let (sign, used) = [(">", MORE), ("<", LESS)].into_iter().find_map(|(sign, all)| {
            all.iter().find(|c| rest.starts_with(c)).map(|c| (sign, c.len()))
        })?;
        let sign = if rest.starts_with(&["at"]) { format!("{sign}=") } else { sign.to_owned() };
        let number = *rest.get(used)?;
        let unit = rest.get(used + 1).copied().unwrap_or_default();
        let number = if matches!(number, "a" | "an" | "one") { "1" } else { number };
        if matches!(unit, "packet" | "packets" | "frames") && units::count(number).is_some() {
            self.add(Mode::Must, Key::Packets, format!("{sign}{number}"));
            return Some(used + 2);
        }
        for (text, more) in [(format!("{number}{unit}"), 2), (number.to_owned(), 1)] {
            if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
                continue;
            }
            let m_is_time = text.ends_with('m');
            if !m_is_time && units::bytes(&text).is_some() {
                self.add(Mode::Must, Key::Bytes, format!("{sign}{text}"));
                return Some(used + more);
            }
            if units::duration_us(&text).is_some() {
                self.add(Mode::Must, Key::Duration, format!("{sign}{text}"));
                return Some(used + more);
            }
        }
        None
    }

    /// `80`, `80 and 443`, `80, 443`, `8000-8999`; how many words.
    fn ports(&mut self, rest: &[&str], mode: Mode) -> usize {
        let mut values: Vec<String> = Vec::new();
        let mut used = 0;
        let is_port = |text: &str| {
            let (a, b) = text.split_once('-').unwrap_or((text, text));
            a.parse::<u16>().is_ok() && b.parse::<u16>().is_ok()
        };
        while let Some(word) = rest.get(used) {
            if word.split(',').all(is_port) {
                values.extend(word.split(',').map(str::to_owned));
                used += 1;
            } else if matches!(*word, "and" | "or")
                && !values.is_empty()
                && rest.get(used + 1).is_some_and(|w| is_port(w))
            {
                used += 1;
            } else {
                break;
            }
        }
        if !values.is_empty() {
            self.out.parts.push(Part::of(mode, Key::Port, values));
        }
        used
    }

    fn add(&mut self, mode: Mode, key: Key, value: String) {
        self.out.parts.push(Part::of(mode, key, [value]));
    }

    /// As `add`, but `A or B` is one condition.
    fn add_joined(&mut self, all: &[&str], at: usize, key: Key, value: String) {
        let mode = self.turned(all, at);
        let or = at > 0 && matches!(all[at - 1], "or" | "nor");
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

    /// What the words before `at` make of what stands there.
    fn turned(&self, all: &[&str], at: usize) -> Mode {
        match negation(all, at) {
            None => Mode::Must,
            Some(soft) => {
                if soft {
                    Mode::Avoid
                } else {
                    Mode::MustNot
                }
            }
        }
    }

    /// What the lexicon knows, then the words that may be parts of names.
    fn lexical(&mut self, words: &[String]) {
        // `self-signed` is two words here; what was taken literally stays whole.
        let mut pieces: Vec<String> = Vec::with_capacity(words.len());
        let mut of: Vec<usize> = Vec::with_capacity(words.len());
        for (at, word) in words.iter().enumerate() {
            let whole = self.taken[at];
            for piece in word.split(|c: char| !whole && matches!(c, '-' | '/' | '_' | '–')) {
                pieces.push(piece.to_owned());
                of.push(at);
            }
        }
        let all: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let mut taken: Vec<bool> = of.iter().map(|at| self.taken[*at]).collect();
        for said in concepts::said(&pieces, &mut taken) {
            let turned = said.at.and_then(|(at, _)| negation(&all, at));
            if let (None, Some((at, 1))) = (turned, said.at)
                && let Some(part) = called_by_name(all[at], said.want)
            {
                self.prefer(part);
            }
            for part in said.want {
                let mut part = part.clone();
                match (turned, part.mode) {
                    (None, _) => {}
                    // Of what is excluded only its own applications and behaviours are.
                    (Some(soft), Mode::Prefer)
                        if part.weight >= 1.0 || part.filter.key != Key::App =>
                    {
                        part.mode = if soft { Mode::Avoid } else { Mode::MustNot };
                        if !soft {
                            part = Part::of(part.mode, part.filter.key, part.filter.values);
                        }
                    }
                    (Some(_), _) => continue,
                }
                self.prefer(part);
            }
            if let (Some(_), Some((at, len))) = (turned, said.at) {
                for at in of.iter().skip(at).take(len) {
                    self.taken[*at] = true;
                }
            }
        }
        let mut named = 0;
        for (word, taken) in pieces.iter().zip(&taken) {
            if *taken {
                continue;
            }
            for piece in word.split(|c: char| !c.is_alphanumeric()) {
                let letters = piece.chars().filter(|c| c.is_alphabetic()).count();
                if letters >= 3 && named < 8 && !STOP_WORDS.contains(&piece) {
                    named += 1;
                    self.prefer(Part::of(Mode::Prefer, Key::Word, [piece.to_owned()]));
                }
            }
        }
    }

    fn prefer(&mut self, part: Part) {
        let same = |p: &&mut Part| p.mode == part.mode && p.filter == part.filter;
        if let Some(known) = self.out.parts.iter_mut().find(same) {
            known.weight = known.weight.max(part.weight);
            return;
        }
        if self.out.parts.len() < limits::PREFERENCES_MAX {
            self.out.parts.push(part);
        }
    }
}

/// What an application gains among those of its kind when its own name was said.
const NAMED_WEIGHT: f32 = 0.4;

/// `word` as the application of that name, where it is one of several that are wanted.
fn called_by_name(word: &str, want: &[Part]) -> Option<Part> {
    let alias = APP_ALIASES.iter().find(|(name, _)| *name == word).map_or(word, |(_, of)| of);
    let several = |p: &&Part| p.filter.key == Key::App && p.filter.values.len() > 1;
    want.iter().filter(several).find(|p| p.filter.values.iter().any(|v| v == alias)).map(|_| {
        let mut part = Part::of(Mode::Prefer, Key::App, [alias.to_owned()]);
        part.weight = NAMED_WEIGHT;
        part
    })
}

/// Whether the words before `at` negate what stands there: `Some(true)` where only less of it is
/// wanted (`instead of`).
fn negation(all: &[&str], at: usize) -> Option<bool> {
    let mut end = at;
    // Articles and the like between.
    for _ in 0..3 {
        for words in NEGATIONS {
            if end >= words.len() && all[end - words.len()..end] == **words {
                return Some(matches!(words[0], "instead" | "rather"));
            }
        }
        let filler = ["the", "any", "a", "an", "of", "plain", "to", "from", "port", "for", "all"];
        if end == 0 || !filler.contains(&all[end - 1]) {
            return None;
        }
        end -= 1;
    }
    None
}

/// Which side an address stands for, by the words before it.
fn direction(all: &[&str], at: usize) -> Key {
    for word in all[..at].iter().rev().take(3) {
        match *word {
            "from" | "by" | "source" | "src" => return Key::Src,
            "to" | "towards" | "toward" | "against" | "at" | "dst" | "destination" | "into"
            | "target" | "targeting" | "on" => return Key::Dst,
            "and" | "or" | "between" | "with" => return Key::Host,
            _ => {}
        }
    }
    Key::Host
}

impl Understanding {
    /// Whether applications are asked for, and no behaviour is spoken of.
    pub(crate) fn is_about_applications(&self) -> bool {
        let wanted = |p: &&Part| matches!(p.mode, Mode::Must | Mode::Prefer);
        self.parts.iter().filter(wanted).any(|p| p.filter.key == Key::App)
            && self.on(&Key::Behaviour).next().is_none()
    }

    /// The conditions and preferences on one key.
    pub fn on(&self, key: &Key) -> impl Iterator<Item = &Filter> {
        self.parts.iter().map(|p| &p.filter).filter(move |f| f.key == *key)
    }
}
