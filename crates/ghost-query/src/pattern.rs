//! Patterns: what stretches of time look like, by name.
//!
//! An event is of a pattern as far as it meets one of the pattern's marks. A window looks like a
//! pattern by how many of its events do (half certain at `enough`), and a little by what all of them
//! mean beside the pattern's text. Everything is summed up from the index when it is asked
//! (decision 0011); what is kept of a window is a few numbers a pattern.

use std::collections::{BTreeMap, HashMap};

use ghost_event::Timestamp;
use ghost_index::{Clause, Walked};
use jiff::Zoned;

use crate::answer::{Answer, Ask, Encode, Sources, WITHOUT_MODEL};
use crate::error::QueryError;
use crate::filter::{Mode, Part};
use crate::library::{LIBRARY, Pattern, named};
use crate::limits::{PREFERENCES_MAX, SHOULD_PATTERNS_MAX, WINDOWS_MAX};
use crate::rows;
use crate::similar_window::{self, Windows, listing};
use crate::space::{Space, few};
use crate::table::{Cell, Table, Unit};
use crate::tags::Tags;
use crate::understand::understand;
use crate::window::{self, Grid, WINDOW_DEFAULT_NS, Window, length_ns, moment};

/// What is asked about patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatternAsk {
    /// `list`: what the library knows.
    List,
    /// `now [at TIME] [window LENGTH]`: what the newest window looks like.
    Now { at: Option<String>, window: Option<String> },
    /// `match WORDS [window LENGTH]`: when it looked like these words.
    Match { words: String, window: Option<String> },
    /// `trend [WORDS] [window LENGTH]`: how often, over time.
    Trend { words: String, window: Option<String> },
}

impl PatternAsk {
    /// Reads what [`Display`](std::fmt::Display) writes.
    ///
    /// # Errors
    /// It is none of them.
    pub fn parse(text: &str) -> Result<PatternAsk, QueryError> {
        let text = text.trim();
        let (verb, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let (rest, window) = match format!(" {rest}").rsplit_once(" window ") {
            Some((rest, length)) if !length.trim().contains(' ') => {
                (rest.trim().to_owned(), Some(length.trim().to_owned()))
            }
            _ => (rest.trim().to_owned(), None),
        };
        match verb {
            "list" if rest.is_empty() => Ok(PatternAsk::List),
            "now" => {
                let at = rest.strip_prefix("at ").map(str::to_owned);
                if at.is_none() && !rest.is_empty() {
                    return Err(bad(text));
                }
                Ok(PatternAsk::Now { at, window })
            }
            "match" if !rest.is_empty() => Ok(PatternAsk::Match { words: rest, window }),
            "trend" => Ok(PatternAsk::Trend { words: rest, window }),
            _ => Err(bad(text)),
        }
    }

    /// What of it is turned into vectors: to be encoded before an index is held.
    #[must_use]
    pub fn meanings(&self) -> Vec<String> {
        match self {
            PatternAsk::List | PatternAsk::Trend { .. } => Vec::new(),
            PatternAsk::Now { .. } => LIBRARY.iter().map(|p| p.text.to_owned()).collect(),
            PatternAsk::Match { words, .. } => {
                let (found, left) = named(words);
                let mut texts: Vec<String> = found
                    .iter()
                    .filter_map(|at| LIBRARY.get(*at))
                    .map(|p| p.text.to_owned())
                    .collect();
                texts.extend((!left.is_empty()).then_some(left));
                texts
            }
        }
    }
}

impl std::fmt::Display for PatternAsk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let window = match self {
            PatternAsk::List => return f.write_str("list"),
            PatternAsk::Now { at, window } => {
                f.write_str("now")?;
                if let Some(at) = at {
                    write!(f, " at {at}")?;
                }
                window
            }
            PatternAsk::Match { words, window } => {
                write!(f, "match {words}")?;
                window
            }
            PatternAsk::Trend { words, window } => {
                f.write_str("trend")?;
                if !words.is_empty() {
                    write!(f, " {words}")?;
                }
                window
            }
        };
        window.as_ref().map_or(Ok(()), |length| write!(f, " window {length}"))
    }
}

fn bad(text: &str) -> QueryError {
    QueryError::Value {
        key: "patterns".into(),
        value: text.into(),
        expected: "now, list, match WORDS or trend [WORDS]".into(),
    }
}

/// Something that a window may look like.
struct Sought {
    name: String,
    title: String,
    /// Marks by their bit, with their weights.
    marks: Vec<(usize, f32)>,
    /// Where any are here, an event that meets none of them is less of it: words beside the name.
    exact: Vec<usize>,
    /// The marks count together, and not the best of them.
    together: bool,
    enough: f64,
    text: String,
    lists: Vec<Part>,
}

/// What is sought, and the clauses whose bits tell.
#[derive(Default)]
struct Search {
    sought: Vec<Sought>,
    also: Vec<Clause>,
    bits: HashMap<String, usize>,
    /// What must hold.
    filter: Vec<Part>,
}

impl Search {
    fn bit(&mut self, part: &Part, tags: &Tags) -> Result<Option<usize>, QueryError> {
        let text = part.filter.to_string();
        if let Some(bit) = self.bits.get(&text) {
            return Ok(Some(*bit));
        }
        if self.also.len() >= SHOULD_PATTERNS_MAX {
            return Ok(None);
        }
        self.also.push(part.filter.clause(tags)?);
        self.bits.insert(text, self.also.len() - 1);
        Ok(Some(self.also.len() - 1))
    }

    fn pattern(&mut self, pattern: &Pattern, tags: &Tags) -> Result<(), QueryError> {
        let mut marks = Vec::new();
        for mark in &pattern.marks {
            marks.extend(self.bit(mark, tags)?.map(|bit| (bit, mark.weight)));
        }
        self.sought.push(Sought {
            name: pattern.name.to_owned(),
            title: pattern.title.to_owned(),
            marks,
            exact: Vec::new(),
            together: false,
            enough: pattern.enough,
            text: pattern.text.to_owned(),
            lists: listed(&pattern.marks),
        });
        Ok(())
    }

    /// Every pattern of the library.
    fn library(tags: &Tags) -> Result<Search, QueryError> {
        let mut search = Search::default();
        for pattern in LIBRARY.iter() {
            search.pattern(pattern, tags)?;
        }
        Ok(search)
    }

    /// What `words` call by name, else what they mean.
    fn words(words: &str, now: &Zoned, tags: &Tags) -> Result<Search, QueryError> {
        let mut search = Search::default();
        let (found, left) = named(words);
        let understood = understand(&left, now, tags)?;
        let hard = |part: &&Part| matches!(part.mode, Mode::Must | Mode::MustNot);
        search.filter = understood.parts.iter().filter(hard).cloned().collect();
        let soft = understood.parts.iter().filter(|part| part.mode == Mode::Prefer);
        let soft: Vec<&Part> = soft.take(PREFERENCES_MAX / 2).collect();
        if found.is_empty() {
            // No name: the words as a question would take them, all of them at once counting most.
            let all: f32 = soft.iter().map(|part| part.weight).sum();
            let mut marks = Vec::new();
            for part in &soft {
                marks.extend(search.bit(part, tags)?.map(|bit| (bit, part.weight / all.max(0.1))));
            }
            let told: Vec<Part> = soft.iter().map(|part| (*part).clone()).collect();
            search.sought.push(Sought {
                name: words.to_owned(),
                title: understood.to_string(),
                exact: Vec::new(),
                together: true,
                marks,
                enough: 5.0,
                text: understood.meaning,
                lists: listed(&told),
            });
            return Ok(search);
        }
        let mut exact = Vec::new();
        for part in soft {
            exact.extend(search.bit(part, tags)?);
        }
        for at in found {
            if let Some(pattern) = LIBRARY.get(at) {
                search.pattern(pattern, tags)?;
            }
        }
        for sought in &mut search.sought {
            sought.exact.clone_from(&exact);
        }
        Ok(search)
    }
}

/// One filter for all marks of the heaviest key: what lists the pattern's events.
fn listed(marks: &[Part]) -> Vec<Part> {
    let mut marks: Vec<&Part> = marks.iter().collect();
    marks.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let Some(first) = marks.first() else { return Vec::new() };
    let same = marks.iter().filter(|part| part.filter.key == first.filter.key);
    let values = same.flat_map(|part| part.filter.values.iter().cloned());
    vec![Part::must(first.filter.key.clone(), values)]
}

impl Sought {
    /// How far an event that meets `held` is of it.
    fn of(&self, held: u64) -> f32 {
        let holds = |bit: &usize| held >> bit & 1 == 1;
        let marked = self.marks.iter().filter(|(bit, _)| holds(bit));
        if self.together {
            return marked.map(|(_, weight)| weight).sum::<f32>().powi(2);
        }
        let marked = marked.fold(0.0_f32, |most, (_, weight)| most.max(*weight));
        if self.exact.is_empty() || self.exact.iter().any(holds) { marked } else { 0.3 * marked }
    }
}

/// What a window has of one pattern.
#[derive(Debug, Clone, Copy, Default)]
struct Amount {
    /// Events, each as far as it is of the pattern.
    of: f64,
    /// The most that one was.
    best: f32,
    events: u64,
    /// The first of the best.
    seq: u64,
    /// How near what happened is to what the pattern means, summed up.
    meaning: f64,
}

/// Windows by what they have of each pattern.
#[derive(Debug, Default)]
struct Found {
    /// By window and pattern.
    amounts: HashMap<(i64, usize), Amount>,
    /// Flows of each window.
    flows: BTreeMap<i64, u64>,
    left_out: u64,
}

impl Found {
    /// How much window `at` looks like what is sought, from 0 to 1.
    fn score(&self, at: i64, number: usize, sought: &Sought) -> f64 {
        let Some(amount) = self.amounts.get(&(at, number)) else { return 0.0 };
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let flows = self.flows.get(&at).copied().unwrap_or(0).max(1) as f64;
        let meaning = (amount.meaning / flows).clamp(0.0, 1.0);
        if sought.marks.is_empty() {
            let many = amount.meaning / (amount.meaning + sought.enough);
            return 0.5 * many + 0.5 * meaning;
        }
        let many = amount.of / (amount.of + sought.enough);
        f64::from(amount.best).min(1.0) * (0.9 * many + 0.1 * meaning)
    }
}

/// How near a shape is to what a pattern means, from 0 to 1: texts about the same are nearer than
/// this.
const NEAR: f32 = 0.45;

/// The meaning of what is sought beside every shape.
fn meanings(
    search: &Search,
    space: &Space<'_>,
    encode: &mut dyn Encode,
    notes: &mut Vec<String>,
) -> Vec<Vec<f32>> {
    let mut all = Vec::new();
    for sought in &search.sought {
        if sought.text.is_empty() {
            all.push(Vec::new());
            continue;
        }
        let meant = encode.encode(&sought.text);
        if !meant.by_model && !notes.iter().any(|note| note == WITHOUT_MODEL) {
            notes.push(WITHOUT_MODEL.to_owned());
            notes.extend(meant.trouble);
        }
        let mut near = space.cosines(&meant.vector);
        near.iter_mut().for_each(|c| *c = ((*c - NEAR) / (1.0 - NEAR)).clamp(0.0, 1.0));
        all.push(near);
    }
    all
}

/// Sums up what every window has of what is sought.
fn find(
    search: &Search,
    near: &[Vec<f32>],
    grid: Grid,
    space: &Space<'_>,
    ask: &Ask<'_>,
    sources: &Sources<'_>,
) -> Result<(Found, Walked), QueryError> {
    let mut found = Found::default();
    let mut known: HashMap<u64, Vec<(usize, f32)>> = HashMap::new();
    let mut filter = rows::clauses(&search.filter, ask.tags)?;
    filter.extend(rows::clauses(&ask.also, ask.tags)?);
    let means = near.iter().any(|of| !of.is_empty());
    let walked =
        window::walk(sources, filter, search.also.clone(), ask.as_of, grid, &mut |at, piece| {
            if found.flows.len() >= WINDOWS_MAX && !found.flows.contains_key(&at) {
                found.left_out += piece.flows;
                return;
            }
            let flows = found.flows.entry(at).or_default();
            *flows = flows.saturating_add(piece.flows);
            #[expect(clippy::cast_precision_loss, reason = "a sum for people")]
            let flows = piece.flows as f64;
            let of = known.entry(piece.held).or_insert_with(|| {
                let each = search.sought.iter().enumerate();
                each.map(|(n, s)| (n, s.of(piece.held))).filter(|(_, r)| *r > 0.0).collect()
            });
            for (number, of) in of.iter() {
                let amount = found.amounts.entry((at, *number)).or_default();
                amount.of += f64::from(*of) * flows;
                amount.events += piece.flows;
                let seq = piece.event.seq();
                if *of > amount.best || (*of >= amount.best && seq < amount.seq) {
                    (amount.best, amount.seq) = (*of, seq);
                }
            }
            if means && let Some(shape) = space.number(piece.event.shape()) {
                for (number, near) in near.iter().enumerate() {
                    let near = near.get(shape as usize).copied().unwrap_or(0.0);
                    if near > 0.0 {
                        let amount = found.amounts.entry((at, number)).or_default();
                        amount.meaning += f64::from(near) * flows;
                        if amount.events == 0 && near > amount.best - 1.0 {
                            amount.seq = piece.event.seq();
                        }
                    }
                }
            }
        })?;
    Ok((found, walked))
}

fn note(found: &Found) -> Option<String> {
    (found.left_out > 0).then(|| {
        format!(
            "{} flows lie in windows beyond the first {WINDOWS_MAX}: name a shorter time or a \
             longer window",
            found.left_out
        )
    })
}

/// Answers what is asked about patterns.
///
/// # Errors
/// A time or a filter cannot be read, there is nothing to look at, or the index refuses.
pub fn patterns(
    asked: &PatternAsk,
    ask: &Ask<'_>,
    sources: &Sources<'_>,
    encode: &mut dyn Encode,
) -> Result<Answer, QueryError> {
    let length =
        |text: &Option<String>| text.as_ref().map_or(Ok(WINDOW_DEFAULT_NS), |text| length_ns(text));
    match asked {
        PatternAsk::List => Ok(list(ask)),
        PatternAsk::Now { at, window } => now(at.as_deref(), length(window)?, ask, sources, encode),
        PatternAsk::Match { words, window } => {
            matching(words, length(window)?, ask, sources, encode)
        }
        PatternAsk::Trend { words, window } => {
            let length = window.as_ref().map(|text| length_ns(text)).transpose()?;
            crate::trend::trend(words, length, ask, sources)
        }
    }
}

/// What the library knows.
fn list(ask: &Ask<'_>) -> Answer {
    let rows = LIBRARY.iter().take(rows::most(ask)).map(|pattern| {
        let marks: Vec<String> = pattern.marks.iter().map(|m| m.filter.to_string()).collect();
        let words: Vec<String> = pattern.words.iter().skip(1).map(|w| w.join(" ")).collect();
        vec![
            rows::text(pattern.name),
            rows::text(pattern.title),
            rows::text(marks.join(" ")),
            rows::text(words.join(", ")),
        ]
    });
    let table = Table {
        rows: rows.collect(),
        columns: rows::columns(&[
            ("pattern", Unit::Text),
            ("title", Unit::Text),
            ("marks", Unit::Text),
            ("also_called", Unit::Text),
        ]),
        told: format!("{} patterns are known", LIBRARY.len()),
    };
    let walked = Walked { matched: 1, ..Walked::default() };
    let mut answer = rows::answer("patterns list".into(), walked, 0, table, Vec::new());
    answer.searched.matched = 0;
    answer
}

/// How long ago the end of what is there may lie to be called now.
const FRESH_NS: i64 = 120_000_000_000;

/// What the newest window looks like.
fn now(
    at: Option<&str>,
    length_ns: i64,
    ask: &Ask<'_>,
    sources: &Sources<'_>,
    encode: &mut dyn Encode,
) -> Result<Answer, QueryError> {
    let mut notes = Vec::new();
    let until = match at {
        Some(text) => moment(text, ask.now)
            .map(|at| Timestamp(at.0.saturating_add(length_ns)))
            .ok_or_else(|| bad(&format!("now at {text}")))?,
        None => {
            let end =
                window::end_of(sources).ok_or_else(|| QueryError::NoEvent("at all".into()))?;
            let now = moment("now", ask.now).unwrap_or(end);
            if now.0.saturating_sub(end.0) <= FRESH_NS {
                now
            } else {
                notes.push("nothing is newer than this window".to_owned());
                Timestamp(end.0.saturating_add(1))
            }
        }
    };
    let window = Window { from: Timestamp(until.0.saturating_sub(length_ns)), until };
    let grid = Grid::of(window);
    let space = Space::of(sources);
    let search = Search::library(ask.tags)?;
    let near = meanings(&search, &space, encode, &mut notes);
    let (found, walked) = find(&search, &near, grid, &space, ask, sources)?;
    let flows = found.flows.get(&0).copied().unwrap_or(0);
    if flows == 0 {
        return Err(QueryError::NoEvent(format!("in {}", window.told())));
    }
    let earlier: Vec<i64> = found.flows.keys().copied().filter(|at| *at < 0).collect();
    let mut scored: Vec<(f64, usize)> = (0..search.sought.len())
        .filter_map(|n| Some((found.score(0, n, search.sought.get(n)?), n)))
        .filter(|(score, _)| *score >= 0.02)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut rows = Vec::new();
    for (score, number) in scored.into_iter().take(rows::most(ask)) {
        let Some(sought) = search.sought.get(number) else { continue };
        let amount = found.amounts.get(&(0, number)).copied().unwrap_or_default();
        let alike = |at: &&i64| found.score(**at, number, sought) >= score / 2.0;
        let before: Vec<i64> = earlier.iter().filter(alike).copied().collect();
        let usual = match before.last() {
            None if earlier.is_empty() => "nothing is earlier".to_owned(),
            None => format!("in none of {} earlier windows", earlier.len()),
            Some(last) => format!(
                "in {} of {} earlier windows, last at {}",
                before.len(),
                earlier.len(),
                crate::time::text(grid.window(*last).from)
            ),
        };
        rows.push(vec![
            rows::decimal(score),
            rows::text(sought.name.clone()),
            rows::text(sought.title.clone()),
            Cell::Number(amount.events),
            rows::text(usual),
            rows::text(if amount.seq > 0 { amount.seq.to_string() } else { String::new() }),
            rows::text(listing(window, &[&sought.lists[..], &ask.also].concat())),
        ]);
    }
    notes.extend(note(&found));
    notes.extend(alike_earlier(grid, &space, ask, sources)?);
    let table = Table {
        rows,
        columns: rows::columns(&[
            ("score", Unit::Decimal),
            ("pattern", Unit::Text),
            ("title", Unit::Text),
            ("flows", Unit::Count),
            ("earlier", Unit::Text),
            ("seq", Unit::Text),
            ("list", Unit::Text),
        ]),
        told: format!("{flows} flows from {} on", crate::time::text(window.from)),
    };
    let understood = format!("patterns now {}", listing(window, &ask.also));
    Ok(rows::answer(understood, walked, space.len(), table, notes))
}

/// Which earlier windows are most like window 0, in a sentence.
fn alike_earlier(
    grid: Grid,
    space: &Space<'_>,
    ask: &Ask<'_>,
    sources: &Sources<'_>,
) -> Result<Option<String>, QueryError> {
    let mut windows = Windows::default();
    let filter = rows::clauses(&ask.also, ask.tags)?;
    window::walk(sources, filter, Vec::new(), ask.as_of, grid, &mut |at, piece| {
        if at <= 0
            && let Some(shape) = space.number(piece.event.shape())
        {
            windows.add(at, shape, piece.flows);
        }
    })?;
    let near = similar_window::near(&windows, space, 0);
    let told = near.iter().take(3).map(|near| {
        let from = crate::time::text(grid.window(near.at).from);
        format!("{from} ({:.2})", near.score)
    });
    let told = few(told, 3);
    Ok((!told.is_empty()).then(|| format!("most like it were {told}")))
}

/// When it looked like `words`.
fn matching(
    words: &str,
    length_ns: i64,
    ask: &Ask<'_>,
    sources: &Sources<'_>,
    encode: &mut dyn Encode,
) -> Result<Answer, QueryError> {
    let mut notes = Vec::new();
    let space = Space::of(sources);
    let search = Search::words(words, ask.now, ask.tags)?;
    let near = meanings(&search, &space, encode, &mut notes);
    let grid = Grid { origin: Timestamp(0), length_ns };
    let (found, walked) = find(&search, &near, grid, &space, ask, sources)?;
    let mut best: Vec<(f64, i64, usize)> = Vec::new();
    for at in found.flows.keys() {
        let scores = search.sought.iter().enumerate().map(|(n, s)| (found.score(*at, n, s), n));
        let most = scores.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        best.extend(most.filter(|(score, _)| *score >= 0.01).map(|(score, n)| (score, *at, n)));
    }
    best.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let count = best.len();
    let mut rows = Vec::new();
    for (score, at, number) in best.into_iter().take(rows::most(ask)) {
        let Some(sought) = search.sought.get(number) else { continue };
        let amount = found.amounts.get(&(at, number)).copied().unwrap_or_default();
        let window = grid.window(at);
        let lists = [&sought.lists[..], &search.filter, &ask.also].concat();
        rows.push(vec![
            rows::decimal(score),
            rows::time(window.from),
            rows::text(sought.name.clone()),
            Cell::Number(amount.events),
            Cell::Number(found.flows.get(&at).copied().unwrap_or(0)),
            rows::text(if amount.seq > 0 { amount.seq.to_string() } else { String::new() }),
            rows::text(listing(window, &lists)),
        ]);
    }
    notes.extend(note(&found));
    let table = Table {
        rows,
        columns: rows::columns(&[
            ("score", Unit::Decimal),
            ("from", Unit::Time),
            ("pattern", Unit::Text),
            ("flows", Unit::Count),
            ("of", Unit::Count),
            ("seq", Unit::Text),
            ("list", Unit::Text),
        ]),
        told: format!("{count} of {} windows look like it", found.flows.len()),
    };
    let names: Vec<&str> = search.sought.iter().map(|s| s.name.as_str()).collect();
    let conditions = rows::conditions(&[&search.filter[..], &ask.also].concat());
    let understood = format!("patterns match {} {conditions}", names.join(", "));
    Ok(rows::answer(understood.trim_end().to_owned(), walked, space.len(), table, notes))
}

pub(crate) mod over_time {
    //! What [`crate::trend`] needs: windows and what they have, without meaning.
    use super::*;

    /// Score and events, by window.
    pub(crate) type ByWindow = BTreeMap<i64, (f64, u64)>;

    /// What each window has of each pattern that is sought.
    pub(crate) struct Course {
        /// By the patterns' names.
        pub(crate) all: Vec<(String, ByWindow)>,
        /// Flows by window.
        pub(crate) flows: BTreeMap<i64, u64>,
        pub(crate) walked: Walked,
        pub(crate) note: Option<String>,
        pub(crate) filter: Vec<Part>,
        pub(crate) shapes: usize,
    }

    pub(crate) fn course(
        words: &str,
        grid: Grid,
        ask: &Ask<'_>,
        sources: &Sources<'_>,
    ) -> Result<Course, QueryError> {
        let search = if words.is_empty() {
            Search::library(ask.tags)?
        } else {
            Search::words(words, ask.now, ask.tags)?
        };
        let space = Space::of(sources);
        let near = vec![Vec::new(); search.sought.len()];
        let (found, walked) = find(&search, &near, grid, &space, ask, sources)?;
        let course = |(number, sought): (usize, &Sought)| {
            let of = found.flows.keys().filter_map(|at| {
                let amount = found.amounts.get(&(*at, number))?;
                Some((*at, (found.score(*at, number, sought), amount.events)))
            });
            (sought.name.clone(), of.collect())
        };
        let all = search.sought.iter().enumerate().map(course).collect();
        let note = note(&found);
        Ok(Course {
            all,
            flows: found.flows,
            walked,
            note,
            filter: search.filter,
            shapes: space.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_reads_back_as_it_was_written() {
        for text in [
            "list",
            "now",
            "now at 2026-11-20T10:00 window 5m",
            "match DDoS",
            "match brute force window 10m",
            "trend",
            "trend port scan window 1h",
        ] {
            assert_eq!(PatternAsk::parse(text).unwrap().to_string(), text);
        }
        let words = PatternAsk::parse("match a window with a view").unwrap();
        assert_eq!(words, PatternAsk::Match { words: "a window with a view".into(), window: None });
        for off in ["", "match", "list all", "now please", "dance"] {
            assert!(PatternAsk::parse(off).is_err(), "{off}");
        }
    }
}
