//! Answers of several replicas to one.
//!
//! What a replica sends is untrusted: its bytes are counted, its lines are read one by one as the
//! API's own are, and what is off ends that answer alone, with what stood before it kept. Hits are
//! passed on as they came, but for their rank and for who brought them; those of one line are one
//! hit, and of copies that differ the first is taken: who asks puts the own answer first.
//!
//! **Invariant:** no clock, no thread, no socket; the same answers in the same order give the same
//! bytes.

use std::collections::{BTreeMap, HashSet};

use ghost_event::line::{LINE_BYTES_MAX, LineKind, View};
use ghost_event::{Seq, Timestamp};
use serde_json::value::RawValue;

use super::limits::{
    HEAD_BYTES_MAX, NOTE_CHARS_MAX, NOTES_MAX, REPLICA_BYTES_MAX, REPLICA_HITS_MAX,
};
use super::log_part::LogPart;
use crate::api::AnswerHead;
use crate::api::limits::READ_LINE_BYTES_MAX;
use crate::api::wire::ReadHit;

/// Numbers from here on are of provisional lines, which no log has.
use crate::daemon::OPEN_SEQ;

/// One answer as it comes.
#[derive(Debug, Default)]
pub(crate) struct Arriving {
    buffer: Vec<u8>,
    bytes: usize,
    head: Option<AnswerHead>,
    hits: Vec<RawHit>,
    ended: bool,
    trouble: Option<String>,
}

/// An answer that was read, as far as it could be.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    pub(crate) head: AnswerHead,
    pub(crate) hits: Vec<RawHit>,
    /// Why there is no more of it.
    pub(crate) trouble: Option<String>,
}

/// A hit as it was sent.
#[derive(Debug, Clone)]
pub(crate) struct RawHit {
    /// Every key of it.
    keys: BTreeMap<String, Box<RawValue>>,
    score: f32,
    /// Its line's number; `None` of a flow that is open yet.
    pub(crate) seq: Option<Seq>,
    start: Timestamp,
}

impl Arriving {
    /// Takes in bytes as they come; false where no more of this answer is wanted.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> bool {
        if self.trouble.is_some() || self.ended {
            return false;
        }
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > REPLICA_BYTES_MAX {
            return self.give_up(format!("its answer has more than {REPLICA_BYTES_MAX} bytes"));
        }
        let mut from = self.buffer.len();
        self.buffer.extend_from_slice(bytes);
        let mut done = 0;
        while let Some(at) = memchr::memchr(b'\n', self.buffer.get(from..).unwrap_or_default()) {
            let end = from + at;
            let line = self.buffer.get(done..end).unwrap_or_default().to_vec();
            done = end + 1;
            from = done;
            if let Err(why) = self.line(&line) {
                return self.give_up(why);
            }
            if self.ended {
                return false;
            }
        }
        self.buffer.drain(..done);
        if self.buffer.len() > READ_LINE_BYTES_MAX {
            return self.give_up("a line of its answer has no end".to_owned());
        }
        true
    }

    fn give_up(&mut self, why: String) -> bool {
        self.trouble = Some(why);
        self.buffer = Vec::new();
        false
    }

    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let strange = |e: serde_json::Error| format!("its answer can't be read: {e}");
        let read: ReadHit = match serde_json::from_slice(line) {
            Ok(read) => read,
            // The head has other values under some of a hit's keys.
            Err(_) if self.head.is_none() => ReadHit::default(),
            Err(e) => return Err(strange(e)),
        };
        if let Some(error) = read.error {
            let hint =
                if read.hint.is_empty() { String::new() } else { format!("; {}", read.hint) };
            return Err(short(&format!("{error}{hint}")));
        }
        if self.head.is_none() {
            if line.len() > HEAD_BYTES_MAX {
                return Err("the head of its answer is too long".to_owned());
            }
            let mut head: AnswerHead = serde_json::from_slice(line).map_err(strange)?;
            head.notes.truncate(NOTES_MAX);
            head.notes.iter_mut().for_each(|note| *note = short(note));
            self.head = Some(head);
            return Ok(());
        }
        if read.end {
            self.ended = true;
            return Ok(());
        }
        if self.hits.len() >= REPLICA_HITS_MAX {
            return Err(format!("its answer has more than {REPLICA_HITS_MAX} hits"));
        }
        let event = read.event.as_ref().ok_or("a hit without its event")?.get();
        if event.len() > LINE_BYTES_MAX {
            return Err("a hit's event is longer than a line may be".to_owned());
        }
        let view = View::parse(event.as_bytes()).map_err(|_| "a hit that is no event")?;
        if !matches!(view.kind, LineKind::Flow | LineKind::Packet | LineKind::Change) {
            return Err("a hit that is no event".to_owned());
        }
        let seq = view.ghost.seq.filter(|seq| (1..OPEN_SEQ).contains(seq));
        let start = view.flow.start.or(view.timestamp).unwrap_or_default();
        let keys = serde_json::from_slice(line).map_err(strange)?;
        let score = if read.score.is_finite() { read.score } else { 0.0 };
        self.hits.push(RawHit { keys, score, seq, start });
        Ok(())
    }

    /// Nothing more comes, for this reason where it is not the answer's end.
    pub(crate) fn end(self, why: Option<String>) -> Arrived {
        let cut = || (!self.ended).then(|| "its answer was cut".to_owned());
        let trouble = self.trouble.or(why).or_else(cut);
        let trouble = trouble.filter(|_| !self.ended);
        Arrived { head: self.head.unwrap_or_default(), hits: self.hits, trouble }
    }
}

impl RawHit {
    /// The event's line as it was sent.
    pub(crate) fn event(&self) -> &str {
        self.keys.get("event").map_or("", |event| event.get())
    }
}

/// Words of others, short enough to be told; they are escaped where they are printed.
fn short(words: &str) -> String {
    if words.chars().nth(NOTE_CHARS_MAX).is_none() {
        return words.to_owned();
    }
    words.chars().take(NOTE_CHARS_MAX).chain("…".chars()).collect()
}

/// What hits are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The best first.
    Score,
    /// The oldest start first.
    Start,
}

/// One answer among those that are merged.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) part: LogPart,
    pub(crate) arrived: Arrived,
}

/// The answers as one.
#[derive(Debug, Default)]
pub struct Merged {
    pub head: AnswerHead,
    hits: Vec<(RawHit, String)>,
}

/// Merges answers to one question about one log. The head is that of the freshest; `limit` is 0 for
/// all.
pub(crate) fn merge(mut sources: Vec<Source>, by: By, limit: usize) -> Merged {
    let mut all: Vec<(usize, usize, RawHit)> = Vec::new();
    for (which, source) in sources.iter_mut().enumerate() {
        let hits = std::mem::take(&mut source.arrived.hits);
        all.extend(hits.into_iter().enumerate().map(|(rank, hit)| (which, rank, hit)));
    }
    // Stable, and who stands first goes first where all else is equal.
    match by {
        By::Score => all.sort_by(|a, b| {
            b.2.score.total_cmp(&a.2.score).then(a.1.cmp(&b.1)).then(a.0.cmp(&b.0))
        }),
        By::Start => all.sort_by_key(|(which, rank, hit)| (hit.start, hit.seq, *which, *rank)),
    }
    // Of copies the one of who stands first counts, wherever it ranks.
    let mut first: BTreeMap<Seq, usize> = BTreeMap::new();
    for (which, _, hit) in &all {
        if let Some(seq) = hit.seq {
            first.entry(seq).and_modify(|w| *w = (*w).min(*which)).or_insert(*which);
        }
    }
    let mut seen = HashSet::new();
    let mut hits = Vec::new();
    let limit = if limit == 0 { usize::MAX } else { limit };
    for (which, _, hit) in all {
        let Some(source) = sources.get_mut(which) else { continue };
        let doubled =
            hit.seq.is_some_and(|seq| first.get(&seq) != Some(&which) || !seen.insert(seq));
        if doubled {
            source.part.doubled += 1;
        } else if hits.len() < limit {
            source.part.hits += 1;
            hits.push((hit, source.part.name.clone()));
        }
    }
    let answered = sources.iter().enumerate().filter(|(_, s)| s.part.trouble.is_empty());
    // The first of the freshest.
    let freshest = answered.max_by_key(|(at, s)| (s.part.newest, std::cmp::Reverse(*at)));
    let freshest = freshest.map(|(at, _)| at);
    let mut head = match freshest.and_then(|at| sources.get_mut(at)) {
        Some(source) => std::mem::take(&mut source.arrived.head),
        None => AnswerHead::default(),
    };
    for (at, source) in sources.iter_mut().enumerate() {
        if Some(at) != freshest {
            source.part.notes = std::mem::take(&mut source.arrived.head.notes);
        }
    }
    head.hits = hits.len() as u64;
    head.logs = sources.into_iter().map(|source| source.part).collect();
    Merged { head, hits }
}

impl Merged {
    /// Every hit that has a number, and who brought it.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (Seq, &str, &str)> {
        self.hits.iter().filter_map(|(hit, from)| Some((hit.seq?, hit.event(), from.as_str())))
    }

    /// Leaves out the hits of these numbers; `why` is told of who brought them.
    pub(crate) fn without(&mut self, forged: &HashSet<Seq>, why: &str) {
        let mut of: HashSet<String> = HashSet::new();
        self.hits.retain(|(hit, from)| {
            let forged = hit.seq.is_some_and(|seq| forged.contains(&seq));
            if forged {
                of.insert(from.clone());
            }
            !forged
        });
        for part in self.head.logs.iter_mut().filter(|part| of.contains(&part.name)) {
            part.trouble = why.to_owned();
            part.hits = self.hits.iter().filter(|(_, from)| *from == part.name).count() as u64;
        }
        self.head.hits = self.hits.len() as u64;
    }

    /// The lines of the hits, as the API answers them.
    ///
    /// # Errors
    /// A hit can't be written as JSON; it was read as such.
    pub fn lines(&self) -> impl Iterator<Item = serde_json::Result<Vec<u8>>> {
        self.hits.iter().zip(1_u64..).map(|((hit, from), rank)| {
            let mut keys: BTreeMap<&str, &RawValue> =
                hit.keys.iter().map(|(key, value)| (key.as_str(), &**value)).collect();
            let (rank, from) =
                (serde_json::value::to_raw_value(&rank)?, serde_json::value::to_raw_value(from)?);
            keys.insert("rank", &rank);
            keys.insert("log", &from);
            let mut line = serde_json::to_vec(&keys)?;
            line.push(b'\n');
            Ok(line)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One answer as the API gives it: hits of score, number and second of start.
    pub(crate) fn body(hits: &[(f32, u64, u32)]) -> Vec<u8> {
        let mut text = format!(
            "{{\"understood\":\"app:ssh\",\"notes\":[\"a note\"],\"hits\":{}}}\n",
            hits.len()
        );
        for (rank, (score, seq, second)) in hits.iter().enumerate() {
            text += &format!(
                "{{\"rank\":{},\"score\":{score},\"why\":[\"app:ssh\"],\"later\":7,\"event\":{}}}\n",
                rank + 1,
                event(*seq, *second)
            );
        }
        text += "{\"end\":true}\n";
        text.into_bytes()
    }

    fn event(seq: u64, second: u32) -> String {
        format!(
            "{{\"timestamp\":\"2026-11-20T10:00:{second:02}.000000+0000\",\"event_type\":\"flow\",\
             \"ghost\":{{\"v\":1,\"seq\":{seq},\"prev\":\"{}\"}}}}",
            "0".repeat(64)
        )
    }

    fn arrived(bytes: &[u8]) -> Arrived {
        let mut arriving = Arriving::default();
        for piece in bytes.chunks(7) {
            if !arriving.take(piece) {
                break;
            }
        }
        arriving.end(None)
    }

    fn source(name: &str, newest: Seq, hits: &[(f32, u64, u32)]) -> Source {
        let part = LogPart { name: name.to_owned(), newest, ..LogPart::default() };
        Source { part, arrived: arrived(&body(hits)) }
    }

    fn lines(merged: &Merged) -> Vec<serde_json::Value> {
        merged.lines().map(|l| serde_json::from_slice(&l.unwrap()).unwrap()).collect()
    }

    fn told(merged: &Merged) -> Vec<(u64, String)> {
        let told = |v: &serde_json::Value| {
            (v["event"]["ghost"]["seq"].as_u64().unwrap(), v["log"].as_str().unwrap().to_owned())
        };
        lines(merged).iter().map(told).collect()
    }

    #[test]
    fn a_line_that_two_brought_is_one_hit_of_the_first() {
        let own = source("own", 30, &[(2.0, 20, 5), (1.0, 10, 1)]);
        let nas = source("nas", 25, &[(3.0, 10, 1), (1.5, 5, 0)]);
        let merged = merge(vec![own, nas], By::Score, 10);
        let own = || "own".to_owned();
        assert_eq!(told(&merged), [(20, own()), (5, "nas".to_owned()), (10, own())]);
        assert_eq!(merged.head.hits, 3);
        let parts: Vec<_> = merged.head.logs.iter().map(|p| (p.hits, p.doubled)).collect();
        assert_eq!(parts, [(2, 0), (1, 1)]);
        let ranks: Vec<_> = lines(&merged).iter().map(|v| v["rank"].as_u64().unwrap()).collect();
        assert_eq!(ranks, [1, 2, 3]);
        assert!(lines(&merged).iter().all(|v| v["later"] == 7), "what is not known is passed on");
        // The head is the freshest's; what the others noted stands with them.
        assert_eq!(merged.head.notes, ["a note"]);
        assert!(merged.head.logs[0].notes.is_empty());
        assert_eq!(merged.head.logs[1].notes, ["a note"]);
    }

    #[test]
    fn flows_stand_in_the_order_of_their_starts_and_no_more_than_were_asked_for() {
        let a = source("a", 1, &[(0.0, 1, 1), (0.0, 3, 3)]);
        let b = source("b", 1, &[(0.0, 2, 2), (0.0, 3, 3), (0.0, 4, 4)]);
        let merged = merge(vec![a, b], By::Start, 3);
        assert_eq!(told(&merged).iter().map(|t| t.0).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(merged.head.hits, 3);
    }

    #[test]
    fn flows_that_are_open_have_no_number_and_are_never_the_same() {
        let hits = [(0.0, OPEN_SEQ, 1), (0.0, OPEN_SEQ, 1)];
        let merged = merge(vec![source("own", 1, &hits), source("b", 1, &hits)], By::Start, 0);
        assert_eq!(merged.head.hits, 4);
    }

    #[test]
    fn an_answer_that_was_cut_or_is_off_keeps_what_stood_before() {
        let whole = body(&[(2.0, 1, 1), (1.0, 2, 2)]);
        let text = String::from_utf8(whole.clone()).unwrap();
        for (bytes, hits, words) in [
            (whole.as_slice(), 2, None),
            (text.trim_end_matches("{\"end\":true}\n").as_bytes(), 2, Some("cut")),
            (text.replace("\"later\":7", "\"later\":").as_bytes(), 0, Some("can't be read")),
            (
                text.replace("\"event_type\":\"flow\"", "\"event_type\":\"epoch\"").as_bytes(),
                0,
                Some("no event"),
            ),
            (text.replacen("[\"app:ssh\"]", "5", 1).as_bytes(), 0, Some("can't be read")),
            (
                b"{\"error\":\"busy\",\"hint\":\"later\",\"code\":\"busy\"}\n",
                0,
                Some("busy; later"),
            ),
            (b"", 0, Some("cut")),
            (b"\n\n{\"hits\":0}\n{\"end\":true}\nrubbish", 0, None),
        ] {
            let arrived = arrived(bytes);
            assert_eq!(arrived.hits.len(), hits, "{words:?}");
            match words {
                None => assert_eq!(arrived.trouble, None),
                Some(words) => {
                    let trouble = arrived.trouble.unwrap_or_default();
                    assert!(trouble.contains(words), "{trouble} / {words}");
                }
            }
        }
    }

    #[test]
    fn an_answer_without_end_is_ended_by_its_bounds() {
        let mut arriving = Arriving::default();
        let piece = vec![b'x'; 1 << 20];
        let mut taken = 0_usize;
        while arriving.take(&piece) {
            taken += piece.len();
            assert!(taken <= READ_LINE_BYTES_MAX + piece.len());
        }
        assert!(arriving.end(None).trouble.unwrap().contains("no end"));
        let mut arriving = Arriving::default();
        arriving.take(b"{\"hits\":1}\n");
        let hit = format!("{{\"score\":1,\"why\":[],\"event\":{}}}\n", event(1, 1)).repeat(1000);
        let mut hits = 0;
        while arriving.take(hit.as_bytes()) {
            hits += 1000;
            assert!(hits <= REPLICA_HITS_MAX);
        }
        let arrived = arriving.end(None);
        assert_eq!(arrived.hits.len(), REPLICA_HITS_MAX);
        assert!(arrived.trouble.unwrap().contains("more than"));
    }

    #[test]
    fn notes_of_others_are_few_and_short() {
        let long = "é".repeat(2_000);
        let head = format!("{{\"notes\":{},\"hits\":0}}\n", serde_json::json!(vec![&long; 100]));
        let arrived = arrived(head.as_bytes());
        assert_eq!(arrived.head.notes.len(), NOTES_MAX);
        assert!(arrived.head.notes.iter().all(|n| n.chars().count() <= NOTE_CHARS_MAX + 1));
    }

    #[test]
    fn lines_that_are_not_of_the_log_are_left_out_and_told_of_who_brought_them() {
        let own = source("own", 9, &[(2.0, 1, 1)]);
        let nas = source("nas", 9, &[(3.0, 2, 2), (1.0, 3, 3)]);
        let mut merged = merge(vec![own, nas], By::Score, 0);
        merged.without(&HashSet::from([2]), "not ours");
        assert_eq!(told(&merged).iter().map(|t| t.0).collect::<Vec<_>>(), [1, 3]);
        assert_eq!((merged.head.hits, merged.head.logs[1].hits), (2, 1));
        assert_eq!(merged.head.logs[1].trouble, "not ours");
        assert_eq!(merged.head.logs[0].trouble, "");
    }

    #[test]
    fn no_bytes_make_the_reader_fall_over_and_what_it_takes_can_be_written() {
        let sound = body(&[(2.0, 1, 1), (1.0, 2, 2)]);
        bolero::check!()
            .with_type::<(Vec<u8>, Vec<(u16, u8)>, u8)>()
            .with_iterations(2_000)
            .for_each(|(bytes, edits, piece)| {
                let mut damaged = sound.clone();
                for (at, byte) in edits {
                    let at = usize::from(*at) % damaged.len();
                    damaged[at] = *byte;
                }
                for bytes in [bytes, &damaged] {
                    let mut arriving = Arriving::default();
                    for piece in bytes.chunks(usize::from(*piece).max(1)) {
                        if !arriving.take(piece) {
                            break;
                        }
                    }
                    let arrived = arriving.end(None);
                    let taken = arrived.hits.len();
                    let part = LogPart { name: "x".to_owned(), ..LogPart::default() };
                    let merged = merge(vec![Source { part, arrived }], By::Score, 0);
                    assert!(merged.head.hits <= taken as u64);
                    for line in merged.lines() {
                        let line = line.unwrap();
                        let hit: ReadHit = serde_json::from_slice(&line).unwrap();
                        assert!(hit.event.is_some() && hit.error.is_none());
                        assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1);
                    }
                }
            });
    }
}
