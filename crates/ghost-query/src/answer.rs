//! An understanding to an answer: one request, hits in order, each with its reasons.
//!
//! The score of an event is what its shape means to the question, scaled so that the nearest shape
//! counts [`MEANING_WEIGHT`] and an ordinary one nothing, plus the weight of each preference that
//! holds. Behaviours weigh more than applications, applications more than words: someone who asks
//! for guessed ssh passwords wants those before any other ssh.

use std::collections::HashMap;

use ghost_event::{Seq, ShapeId, Timestamp, Vector};
use ghost_index::{
    Clause, Hit as Found, Index, Kind, Order, Point, Position, Request, Response, Tally, Term,
};
use jiff::Zoned;

use crate::error::QueryError;
use crate::explain::{self, Nearness, ScorePart, why};
use crate::filter::{Key, Mode, Part, below_ip as below_ip_clause, no_flows};
use crate::group;
use crate::limits;
use crate::table::Table;
use crate::tags::Tags;
use crate::understand::{Understanding, understand};
use crate::units;

/// The note of an answer whose words were placed by the token table alone.
pub const WITHOUT_MODEL: &str = "matched without the model";

/// What the nearest shape's meaning adds to a score, where words were understood otherwise too.
pub const MEANING_WEIGHT: f32 = 0.8;

/// What it adds where meaning is all there is.
pub const MEANING_WEIGHT_ALONE: f32 = 1.0;

/// What a record below IP loses that nobody asked for.
const BELOW_IP: f32 = 1.0;

/// An application that was asked for with this weight or more was asked for by itself.
const ASKED_WEIGHT: f32 = 0.9;

/// Hits that met no preference are left out where their score is below this part of the best.
const CUT: f32 = 0.3;

/// The words' place in meaning.
#[derive(Debug, Clone, PartialEq)]
pub struct Meant {
    pub vector: Vector,
    /// False where they were matched without the model.
    pub by_model: bool,
    pub trouble: Option<String>,
}

/// Turns the words that are left into a vector.
pub trait Encode {
    fn encode(&mut self, words: &str) -> Meant;
}

impl Encode for ghost_embed::QueryEncoder {
    fn encode(&mut self, words: &str) -> Meant {
        let encoded = ghost_embed::QueryEncoder::encode(self, words);
        Meant { vector: encoded.vector, by_model: encoded.by_model, trouble: encoded.trouble }
    }
}

/// What an answer is made from.
pub struct Sources<'a> {
    pub index: &'a dyn Index,
    /// What is logged but not yet committed to the index, and open flows.
    pub tail: Option<&'a dyn Index>,
}

impl std::fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sources(tail: {})", self.tail.is_some())
    }
}

/// What is asked besides the words.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    pub now: &'a Zoned,
    pub tags: &'a Tags,
    /// Conditions from elsewhere (`--since`), joined to those of the words.
    pub also: Vec<Part>,
    /// How many hits; 0 is [`limits::LIMIT_DEFAULT`].
    pub limit: usize,
    /// At most one hit a flow.
    pub by_flow: bool,
    pub order: Order,
    pub as_of: Option<Seq>,
    /// Of hits that say the same again only the best, with their number.
    pub grouped: bool,
    /// Every hit tells what its score is the sum of.
    pub explained: bool,
}

impl<'a> Ask<'a> {
    /// The usual: one hit a flow, best first.
    #[must_use]
    pub fn new(now: &'a Zoned, tags: &'a Tags) -> Ask<'a> {
        Ask {
            now,
            tags,
            also: Vec::new(),
            limit: limits::LIMIT_DEFAULT,
            by_flow: true,
            order: Order::Score,
            as_of: None,
            grouped: false,
            explained: false,
        }
    }
}

/// One hit.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    pub seq: Seq,
    pub position: Position,
    pub shape: ShapeId,
    pub score: f32,
    /// Of a point of packets: how many they are in that minute, and their bytes.
    pub tally: Option<Tally>,
    /// Short reasons, the weightiest first; conditions that all hits meet are not among them.
    pub why: Vec<String>,
    /// Where asked for: what the score is the sum of.
    pub parts: Vec<ScorePart>,
    /// Where grouped: events that say the same again and are left out.
    pub also: u64,
    /// Equal for hits that say the same: of one shape, for the same reasons, from one source.
    pub group_key: u64,
}

/// Where it was looked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Searched {
    pub events: u64,
    /// Events that met the conditions.
    pub matched: u64,
    pub partitions: u32,
    /// Left closed because their time lies outside.
    pub partitions_skipped: u32,
    /// First start and last end of what was searched.
    pub span: Option<(Timestamp, Timestamp)>,
    pub shapes: u64,
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// In the filter language: asked again, it gives the same answer.
    pub understood: String,
    pub understanding: Understanding,
    pub searched: Searched,
    /// What the reader must know: what is missing, what was matched without the model.
    pub notes: Vec<String>,
    pub hits: Vec<Hit>,
    /// Where it was asked to count: what was counted, and there are no hits.
    pub table: Option<Table>,
}

/// Answers `words`.
///
/// # Errors
/// A filter in the words cannot be read, or the index refuses.
pub fn answer(
    words: &str,
    ask: &Ask<'_>,
    sources: &Sources<'_>,
    encode: &mut dyn Encode,
) -> Result<Answer, QueryError> {
    let mut understanding = understand(words, ask.now, ask.tags)?;
    for part in &ask.also {
        if !understanding.parts.contains(part) {
            understanding.parts.push(part.clone());
        }
    }
    let mut notes = Vec::new();
    if words.len() > limits::WORDS_BYTES_MAX {
        notes.push(format!("only the first {} bytes were read", limits::WORDS_BYTES_MAX));
    }
    notes.extend(crate::anchor::resolve(&mut understanding, ask, sources)?);
    if let Some(aggregate) = understanding.aggregate.take() {
        let mut answer = crate::count::count(understanding, aggregate, ask, sources)?;
        answer.notes.splice(0..0, notes);
        return Ok(answer);
    }
    let mut meant = None;
    if !understanding.meaning.is_empty() && ask.order == Order::Score {
        let m = encode.encode(&understanding.meaning);
        if !m.by_model {
            notes.push(WITHOUT_MODEL.to_owned());
        }
        notes.extend(m.trouble.iter().cloned());
        meant = Some(m.vector);
    }
    let mut answer = search(understanding, ask, sources, meant.as_ref())?;
    answer.notes.splice(0..0, notes);
    Ok(answer)
}

/// Lists what meets the conditions; words without a key are refused by saying nothing of meaning.
/// Packets are listed only where the conditions name a kind of event.
///
/// # Errors
/// A filter cannot be read, or the index refuses.
pub fn list(words: &str, ask: &Ask<'_>, sources: &Sources<'_>) -> Result<Answer, QueryError> {
    let mut understanding = understand(words, ask.now, ask.tags)?;
    understanding.parts.extend(ask.also.iter().cloned());
    let notes = crate::anchor::resolve(&mut understanding, ask, sources)?;
    if let Some(aggregate) = understanding.aggregate.take() {
        let mut answer = crate::count::count(understanding, aggregate, ask, sources)?;
        answer.notes.splice(0..0, notes);
        return Ok(answer);
    }
    let any_kind = understanding.parts.iter().any(|part| part.filter.key == Key::Event);
    let without = if any_kind { Vec::new() } else { vec![Clause::Not(Box::new(no_flows()))] };
    let mut answer = run(understanding, ask, sources, None, without)?;
    answer.notes.splice(0..0, notes);
    Ok(answer)
}

/// Answers what was understood; `meant` is the vector of its meaning.
///
/// # Errors
/// A filter names no tag, or the index refuses.
pub fn search(
    understanding: Understanding,
    ask: &Ask<'_>,
    sources: &Sources<'_>,
    meant: Option<&Vector>,
) -> Result<Answer, QueryError> {
    run(understanding, ask, sources, meant, Vec::new())
}

/// As [`search`], with conditions that are not told.
fn run(
    understanding: Understanding,
    ask: &Ask<'_>,
    sources: &Sources<'_>,
    meant: Option<&Vector>,
    filter: Vec<Clause>,
) -> Result<Answer, QueryError> {
    let limit =
        if ask.limit == 0 { limits::LIMIT_DEFAULT } else { ask.limit.min(limits::LIMIT_MAX) };
    let mut request = Request {
        order: ask.order,
        limit,
        by_flow: ask.by_flow,
        as_of: ask.as_of,
        filter,
        ..Request::default()
    };
    let grouped = ask.grouped && request.order == Order::Score;
    let mut preferred: Vec<&Part> = Vec::new();
    for part in &understanding.parts {
        let clause = part.filter.clause(ask.tags)?;
        match part.mode {
            Mode::Must => request.filter.push(clause),
            Mode::MustNot => request.filter.push(Clause::Not(Box::new(clause))),
            _ if preferred.len() >= limits::PREFERENCES_MAX => {}
            Mode::Prefer => {
                request.should.push((clause, part.weight));
                preferred.push(part);
            }
            Mode::Avoid => {
                request.should.push((clause, -part.weight));
                preferred.push(part);
            }
        }
    }
    let ranked = request.order == Order::Score && (meant.is_some() || !preferred.is_empty());
    let mut unasked = 0;
    if ranked {
        if understanding.is_about_applications() {
            request.should.extend(manners());
        }
        if let Some(link) = below_ip(&understanding, ask.tags)? {
            unasked = 1 << request.should.len();
            request.should.push((link, -BELOW_IP));
        }
    }
    let all = [Some(sources.index), sources.tail];
    let all: Vec<&dyn Index> = all.into_iter().flatten().collect();
    let meant = meant.map(|v| shape_scores(&all, v, preferred.is_empty(), &mut request));
    if grouped {
        request.limit = limit.saturating_mul(group::FETCH_FACTOR).min(group::FETCH_MAX.max(limit));
    }
    let (response, hits) = loop {
        let mut response = searched(&all, &request)?;
        let full = response.hits.len() >= request.limit;
        let mut found = std::mem::take(&mut response.hits);
        if ranked {
            without_link_records(&mut found, unasked);
        }
        let mut hits: Vec<Found> = cut(&found, &preferred, ask.order).copied().collect();
        if !grouped {
            break (response, hits);
        }
        // Nothing was cut off: more of it may come.
        let more = full && hits.len() == found.len() && request.limit < group::FETCH_MAX;
        hits = group::firsts(hits, limit);
        if hits.len() >= limit || !more {
            break (response, hits);
        }
        request.limit = request.limit.saturating_mul(group::FETCH_FACTOR).min(group::FETCH_MAX);
    };
    let sizes = if grouped { group::sizes(&hits, &request, &all)? } else { HashMap::new() };
    let mut notes: Vec<String> =
        response.damaged.iter().map(|d| format!("not searched: {d}")).collect();
    if response.matched == 0 && !request.filter.is_empty() {
        notes.push("nothing meets the conditions".to_owned());
    }
    let hits: Vec<&Found> = hits.iter().collect();
    let tallies = tallies(&hits, &all)?;
    let explain = |hit: &Found| {
        let tally = hit.point().and_then(|point| tallies.get(&point).copied());
        let mut why = why(hit, &preferred, meant.as_ref(), &all);
        if let Some(tally) = tally {
            why.insert(0, format!("× {}", units::packets(tally.packets)));
        }
        let alike = hit.alike();
        let parts = if ask.explained {
            explain::parts(hit, &request, &preferred, meant.as_ref())
        } else {
            Vec::new()
        };
        Hit {
            seq: hit.seq,
            position: hit.at,
            shape: hit.shape,
            score: hit.score,
            tally,
            why,
            parts,
            also: sizes.get(&alike).map_or(0, |size| size.saturating_sub(1)),
            group_key: if grouped { group::key(hit) } else { 0 },
        }
    };
    Ok(Answer {
        understood: understanding.to_string(),
        searched: Searched {
            events: response.searched,
            matched: response.matched,
            partitions: response.partitions_searched,
            partitions_skipped: response.partitions_skipped,
            span: response.span,
            shapes: sources.index.shapes().len() as u64,
        },
        notes,
        hits: hits.into_iter().map(explain).collect(),
        table: None,
        understanding,
    })
}

/// What all of `all` answer to `request` together.
fn searched(all: &[&dyn Index], request: &Request) -> Result<Response, QueryError> {
    let mut response: Option<Response> = None;
    for index in all {
        let found = index.search(request)?;
        response = Some(match response {
            None => found,
            Some(before) => before.join(found, request),
        });
    }
    Ok(response.unwrap_or_default())
}

/// What the points among `hits` amount to, over all indexes.
fn tallies(hits: &[&Found], all: &[&dyn Index]) -> Result<HashMap<Point, Tally>, QueryError> {
    let points: Vec<Point> = hits.iter().filter_map(|hit| hit.point()).collect();
    let mut sums: HashMap<Point, Tally> = HashMap::new();
    if points.is_empty() {
        return Ok(sums);
    }
    for index in all {
        for (point, tally) in points.iter().zip(index.tally(&points)?) {
            let sum = sums.entry(*point).or_default();
            sum.packets = sum.packets.saturating_add(tally.packets);
            sum.bytes = sum.bytes.saturating_add(tally.bytes);
        }
    }
    Ok(sums)
}

/// Who asks for an application's traffic, and says nothing of attacks, wants conversations: told by
/// their messages rather than by a port, and rather not probes and floods. Small weights: they order
/// what is equal otherwise, and are not printed.
fn manners() -> [(Clause, f32); 2] {
    let has = |name| Clause::Has(Term::text(Kind::Behaviour, name));
    let noise = [
        "flood",
        "amplification",
        "port_scan",
        "stealth_scan",
        "sweep",
        "unanswered",
        "refused",
        "brute_force",
    ];
    [
        (Clause::Has(Term::fact("ghost.app_by", "signature")), 0.1),
        (Clause::Any(noise.map(has).into()), -0.2),
    ]
}

/// Records below IP that nobody asked for: neither their application, nor a scan of theirs, nor
/// anything that only the link has.
fn below_ip(understanding: &Understanding, tags: &Tags) -> Result<Option<Clause>, QueryError> {
    let mut asked = vec![
        Clause::Has(Term::text(Kind::Behaviour, "arp_scan")),
        // No record of traffic at all: what became of a bridge has no address.
        Clause::Has(Term::text(Kind::Event, "change")),
    ];
    for part in &understanding.parts {
        match (&part.filter.key, part.mode) {
            (Key::Mac | Key::Proto, Mode::Must | Mode::Prefer) => return Ok(None),
            (Key::App, Mode::Must | Mode::Prefer) if part.weight >= ASKED_WEIGHT => {
                asked.push(part.filter.clause(tags)?);
            }
            _ => {}
        }
    }
    Ok(Some(Clause::All(vec![below_ip_clause(), Clause::Not(Box::new(Clause::Any(asked)))])))
}

/// Leaves out the records that `unasked` marks, where there are others.
fn without_link_records(hits: &mut Vec<Found>, unasked: u64) {
    if unasked != 0 && hits.iter().any(|h| h.held & unasked == 0) {
        hits.retain(|h| h.held & unasked == 0);
    }
}

/// Puts the shapes' scores into `request`; their cosines, by id.
fn shape_scores(
    all: &[&dyn Index],
    meant: &Vector,
    alone: bool,
    request: &mut Request,
) -> Nearness {
    let mut cosines: Vec<(ShapeId, f32)> = Vec::new();
    for index in all {
        let shapes = index.shapes();
        cosines.extend(shapes.iter().map(|s| s.id).zip(shapes.cosines(meant)));
    }
    // A shape of both the index and the tail is one, the better of the two; and the order is that of
    // ids, so that a copy of the log sums up to the same, wherever its tail begins.
    cosines.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    cosines.dedup_by_key(|c| c.0);
    if cosines.is_empty() {
        return Nearness { cosines, mean: 0.0, best: 0.0, weight: 0.0 };
    }
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    let mean = cosines.iter().map(|c| f64::from(c.1)).sum::<f64>() / cosines.len() as f64;
    #[expect(clippy::cast_possible_truncation, reason = "a cosine")]
    let mean = mean as f32;
    let best = cosines.iter().fold(f32::MIN, |m, c| m.max(c.1));
    let weight = if alone { MEANING_WEIGHT_ALONE } else { MEANING_WEIGHT };
    let spread = (best - mean).max(0.05);
    let mut scored: Vec<(ShapeId, f32)> = cosines
        .iter()
        .map(|(id, c)| (*id, weight * ((c - mean) / spread).clamp(0.0, 1.0)))
        .filter(|s| s.1 > 0.0)
        .collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scored.truncate(limits::SHAPES_SCORED_MAX);
    request.shapes = scored;
    Nearness { cosines, mean, best, weight }
}

/// Leaves out the hits at the end that met nothing that was asked for, where others did.
fn cut<'h>(
    hits: &'h [Found],
    preferred: &[&Part],
    order: Order,
) -> impl Iterator<Item = &'h Found> + use<'h> {
    let wanted: u64 = preferred
        .iter()
        .enumerate()
        .filter(|(_, p)| p.mode == Mode::Prefer && p.filter.key != Key::Word)
        .fold(0, |bits, (i, _)| bits | 1 << i);
    let best = hits.first().map_or(0.0, |h| h.score);
    let met = hits.iter().any(|h| h.held & wanted != 0);
    let all = order != Order::Score || !met;
    hits.iter().filter(move |h| all || h.held & wanted != 0 || h.score >= CUT * best)
}
