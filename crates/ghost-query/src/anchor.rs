//! Stretches of time by what happened: `before the failure`, `after br0 went down`.
//!
//! In the filter language `failure:before`, `failure:after@br0`, `failure:before/1h`. Which failure is meant tells the
//! log alone, so an answer replaces it by the times that it stands for and prints those.

use std::fmt;

use ghost_event::{Seq, Timestamp};
use ghost_index::{Clause, Index, Kind, Term, Walk};

use crate::answer::{Ask, Sources};
use crate::error::QueryError;
use crate::filter::{Key, Part};
use crate::understand::Understanding;
use crate::{amount, time, units};

/// Which side of what happened is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Before,
    After,
    Around,
}

/// A stretch of time by what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    pub side: Side,
    /// How long before or after, in seconds, where it is told.
    pub reach_s: Option<u64>,
    /// The element that failed, where one is named: `br0`, `eth1`.
    pub element: Option<String>,
}

/// How long before or after is meant where nothing is said.
const REACH_S: u64 = 600;

const SIDES: &[(Side, &str)] =
    &[(Side::Before, "before"), (Side::After, "after"), (Side::Around, "around")];

/// What an element's event calls it where something stopped working.
pub(crate) const FAILURES: &[&str] = &["down", "went", "detached", "lost", "failed"];

/// Nouns for it: behind an article or an element.
const NOUNS: &[&str] =
    &["failure", "failures", "crash", "outage", "breakdown", "incident", "disconnect"];

/// Verbs for it: behind an element, or a word for one.
const VERBS: &[&str] =
    &["failed", "fails", "crashed", "disconnected", "disappeared", "vanished", "died"];

/// Words for elements.
const ELEMENTS: &[&str] = &[
    "interface",
    "bridge",
    "port",
    "link",
    "network",
    "cable",
    "switch",
    "uplink",
    "nic",
    "connection",
];

/// The last two of `link went down`.
const WENT_DOWN: &[&[&str]] = &[
    &["went", "down"],
    &["goes", "down"],
    &["going", "down"],
    &["went", "away"],
    &["link", "loss"],
    &["link", "down"],
    &["was", "lost"],
    &["lost", "carrier"],
    &["fell", "over"],
];

impl Anchor {
    /// Reads a token of the filter language; `None` where it is none.
    ///
    /// # Errors
    /// It says failure, but not so.
    pub fn parse(token: &str) -> Result<Option<Anchor>, QueryError> {
        let Some(value) = token.strip_prefix("failure:") else { return Ok(None) };
        let (side, element) = match value.split_once('@') {
            Some((side, element)) => (side, Some(element)),
            None => (value, None),
        };
        let (side, reach) = match side.split_once('/') {
            Some((side, reach)) => (side, Some(reach)),
            None => (side, None),
        };
        let reach_s = reach.map(|text| units::duration_us(text).map(|us| us / 1_000_000));
        let side = SIDES
            .iter()
            .find(|(_, name)| *name == side && reach_s != Some(None) && reach_s != Some(Some(0)))
            .map(|(side, _)| *side);
        let reach_s = reach_s.flatten();
        let fits = |name: &&str| !name.is_empty() && name.chars().all(is_element);
        match (side, element) {
            (Some(side), None) => Ok(Some(Anchor { side, reach_s, element: None })),
            (Some(side), Some(name)) if fits(&name) => {
                Ok(Some(Anchor { side, reach_s, element: Some(name.to_owned()) }))
            }
            _ => Err(QueryError::Value {
                key: "failure".into(),
                value: value.into(),
                expected: "before, after or around, and what failed behind @: before@br0".into(),
            }),
        }
    }

    /// What is said at the beginning of `words`, and how many words that took.
    pub(crate) fn said(words: &[&str]) -> Option<(Anchor, usize)> {
        // `an hour before the failure`, `in the 10 minutes after br0 went down`.
        if let Some((seconds, used)) = amount::length(words) {
            let (anchor, more) = Anchor::said(words.get(used..)?)?;
            return Some((Anchor { reach_s: Some(seconds), ..anchor }, used + more));
        }
        let reach_s = None;
        let side = match *words.first()? {
            "before" | "until" | "preceding" => Side::Before,
            "after" | "since" | "following" => Side::After,
            "around" | "during" | "when" | "near" => Side::Around,
            _ => return None,
        };
        let mut element = None;
        let (mut article, mut kind) = (false, false);
        for (at, word) in words.iter().enumerate().take(6).skip(1) {
            let rest = words.get(at..).unwrap_or_default();
            let went_down = WENT_DOWN.iter().find(|w| rest.starts_with(w));
            if let Some(said) = went_down.filter(|_| element.is_some() || kind || article) {
                return Some((Anchor { side, reach_s, element }, at + said.len()));
            }
            let known = element.is_some() || kind;
            if (NOUNS.contains(word) && (article || known)) || (VERBS.contains(word) && known) {
                let of = |name: &&&str| crate::words::interface(name);
                match words.get(at + 1..) {
                    // `the failure of br0`, `the failure on eth1`.
                    Some(["of" | "on", name, ..]) if element.is_none() && of(&name) => {
                        element = Some((*name).to_owned());
                        return Some((Anchor { side, reach_s, element }, at + 3));
                    }
                    _ => return Some((Anchor { side, reach_s, element }, at + 1)),
                }
            }
            if matches!(*word, "the" | "last" | "latest" | "our" | "this" | "that") {
                article = true;
            } else if ELEMENTS.contains(word) {
                kind = true;
            } else if element.is_none() && (kind || crate::words::interface(word)) {
                if !word.chars().all(is_element) {
                    return None;
                }
                element = Some((*word).to_owned());
            } else {
                return None;
            }
        }
        None
    }

    /// What the event is that is meant; the newest of them is.
    pub(crate) fn clauses(&self) -> Vec<Clause> {
        let action = |name: &&str| Clause::Has(Term::fact("ghost.change.action", name));
        let mut all = vec![
            Clause::Has(Term::text(Kind::Event, "change")),
            Clause::Any(FAILURES.iter().map(action).collect()),
        ];
        if let Some(element) = &self.element {
            let words = element.split(|c: char| !c.is_alphanumeric()).filter(|w| w.len() >= 2);
            all.extend(words.map(|w| Clause::Has(Term::text(Kind::Word, w))));
        }
        all
    }
}

/// Puts times where what happened was said; what the reader must know of it.
///
/// # Errors
/// The index refuses.
pub(crate) fn resolve(
    understanding: &mut Understanding,
    ask: &Ask<'_>,
    sources: &Sources<'_>,
) -> Result<Option<String>, QueryError> {
    let Some(anchor) = understanding.anchor.take() else { return Ok(None) };
    let walk = Walk { filter: anchor.clauses(), as_of: ask.as_of, ..Walk::default() };
    let mut newest: Option<(Timestamp, Seq)> = None;
    for index in [Some(sources.index), sources.tail].into_iter().flatten() {
        let index: &dyn Index = index;
        index.events(&walk, &mut |met| newest = newest.max(Some((met.end(), met.seq()))))?;
    }
    let Some((at, seq)) = newest else {
        let of = anchor.element.map_or(String::new(), |element| format!(" of {element}"));
        return Ok(Some(format!("no failure{of} is in the log: no time was taken from one")));
    };
    let reach = i64::try_from(anchor.reach_s.unwrap_or(REACH_S)).unwrap_or(i64::MAX);
    let reach = reach.saturating_mul(1_000_000_000);
    let (from, until) = match anchor.side {
        Side::Before => (at.0.saturating_sub(reach), at.0),
        Side::After => (at.0, at.0.saturating_add(reach)),
        Side::Around => (at.0.saturating_sub(reach / 2), at.0.saturating_add(reach / 2)),
    };
    for (key, moment) in [(Key::Since, from), (Key::Until, until)] {
        understanding.parts.push(Part::must(key, [time::text(Timestamp(moment))]));
    }
    Ok(Some(format!("the failure that was taken is event {seq}, at {}", time::text(at))))
}

fn is_element(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.:/".contains(c)
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = SIDES.iter().find(|(side, _)| *side == self.side).map_or("", |(_, name)| name);
        write!(f, "failure:{side}")?;
        match self.reach_s {
            Some(s) if s.is_multiple_of(3600) => write!(f, "/{}h", s / 3600)?,
            Some(s) if s.is_multiple_of(60) => write!(f, "/{}m", s / 60)?,
            Some(s) => write!(f, "/{s}s")?,
            None => {}
        }
        match &self.element {
            Some(element) => write!(f, "@{element}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_read_as_people_say_it() {
        let check = |text: &str, want: &str| {
            let words: Vec<&str> = text.split(' ').collect();
            let got = Anchor::said(&words).map(|(a, used)| format!("{a} {used}"));
            assert_eq!(got.unwrap_or_default(), want, "{text}");
        };
        check("before the failure", "failure:before 3");
        check("after the last outage of br0", "failure:after@br0 6");
        check("an hour before the failure", "failure:before/1h 5");
        check("10 minutes after br0 went down", "failure:after/10m@br0 6");
        check("before the link went down", "failure:before 5");
        check("after the network failed", "failure:after 4");
        check("after failed logins", "");
        check("when a login failed", "");
        check("during a denial of service", "");
        check("before br0 went down", "failure:before@br0 4");
        check("when the interface eth1 failed", "failure:around@eth1 5");
        check("around the crash", "failure:around 3");
        check("after the link to the printer", "");
        check("before noon", "");
        check("the failure", "");
    }

    #[test]
    fn what_is_printed_reads_back_as_it_was() {
        for text in [
            "failure:before",
            "failure:after@br0",
            "failure:before/1h",
            "failure:before/90s@eth1",
            "failure:around@port:br0/lan1",
        ] {
            assert_eq!(Anchor::parse(text).unwrap().unwrap().to_string(), text);
        }
        assert!(Anchor::parse("failure:sometime").is_err());
        assert!(Anchor::parse("failure:before@").is_err());
        assert_eq!(Anchor::parse("app:ssh").unwrap(), None);
    }
}
