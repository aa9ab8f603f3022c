//! One question to the replicas of this host's log.
//!
//! Each replica is asked on a thread of its own, all with one deadline; who did not answer in time
//! is told, with why, and the others' answers stand. `any` asks one, whose turn it is, and the next
//! where that fails. What comes is compared with the own log wherever that still has the line: a
//! replica can leave hits out, but it can't bring a line of this log that is not in it.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use ghost_event::Seq;
use ghost_world::Clock;

use super::answering;
use super::limits::{FETCHES_MAX, NOTE_CHARS_MAX, REPLICA_HITS_MAX, REPLICAS_ASKED_MAX};
use super::log_part::{LogKind, LogPart};
use super::logs::OWN;
use super::merge::{Arrived, Arriving, By, Merged, Source, merge};
use super::turns::{Candidate, Turns};
use crate::api::{Code, Question, Refusal, Subject};
use crate::store::StoreError;

/// Why replicas did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FanError {
    #[error("this log has no replicas here; `ghostbridge replica add` makes one")]
    NoReplicas,
    #[error("there is no replica {name:?}; there are: {known}")]
    Unknown { name: String, known: String },
    #[error("`all` and `any` stand alone: name replicas, or one of the two")]
    Mixed,
    #[error("replicas have this host's own log: a held log is asked without them")]
    Held,
    #[error("at most {REPLICAS_ASKED_MAX} replicas are asked at once; name some")]
    TooMany,
    #[error("the question is longer than a replica takes")]
    TooLong,
    #[error("no replica answered: {0}")]
    Silent(String),
    #[error(transparent)]
    Own(#[from] StoreError),
}

impl From<FanError> for Refusal {
    fn from(error: FanError) -> Refusal {
        let code = match error {
            FanError::Own(error) => return error.into(),
            FanError::NoReplicas | FanError::Unknown { .. } => Code::NotFound,
            FanError::Mixed | FanError::Held | FanError::TooMany | FanError::TooLong => Code::Usage,
            FanError::Silent(_) => Code::Failed,
        };
        let hint = match error {
            FanError::Silent(_) => {
                "`ghostbridge replica status` tells more; ask without --replicas"
            }
            _ => "",
        };
        Refusal { error: error.to_string(), hint: hint.to_owned(), code }
    }
}

/// A replica as it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Replica {
    pub(crate) name: String,
    /// Why it can't be asked now; none where it can.
    pub(crate) away: Option<String>,
    /// The newest line of its index.
    pub(crate) indexed: Seq,
    pub(crate) load_permille: u32,
}

/// Hears of an answer's bytes; false ends it.
pub(crate) type Hears<'a> = &'a mut dyn FnMut(&[u8]) -> bool;

/// The way to the replicas.
pub(crate) trait Reach: Send + Sync {
    fn replicas(&self) -> Vec<Replica>;

    /// Asks one; comes back within `patience`.
    fn ask(
        &self,
        name: &str,
        question: &[u8],
        patience: Duration,
        out: Hears<'_>,
    ) -> Result<(), String>;
}

/// The log that replicas have copies of.
pub(crate) trait OwnLog {
    /// Its id, 32 hexadecimal digits.
    fn id(&self) -> String;
    /// Its oldest and its newest line.
    fn ends(&self) -> (Seq, Seq);
    /// Answers the question from this host alone, as the API does.
    fn ask(&self, question: &Question) -> Result<Vec<u8>, StoreError>;
    /// The lines of these numbers, as far as they are here.
    fn lines(&self, seqs: &HashSet<Seq>) -> Vec<(Seq, Vec<u8>)>;
}

/// What questions to replicas share.
#[derive(Debug, Default)]
pub(crate) struct Fans {
    turns: Mutex<Turns>,
    fetches: Arc<AtomicUsize>,
}

/// Counts a fetch for as long as it lasts.
struct Fetch(Arc<AtomicUsize>);

impl Drop for Fetch {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What is asked, of whom, until when.
pub(crate) struct Fan<'a> {
    pub(crate) fans: &'a Fans,
    pub(crate) reach: Arc<dyn Reach>,
    pub(crate) own: &'a dyn OwnLog,
    pub(crate) clock: &'a dyn Clock,
    /// How long all of them may take.
    pub(crate) patience: Duration,
}

/// Answers that are on their way.
struct Fetching {
    arriving: Receiver<(usize, Arrived)>,
    /// Raised when nobody waits any more.
    over: Arc<AtomicBool>,
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
    }
}

enum Wanted {
    Any,
    /// With the own answer, and these replicas.
    Named(bool, Vec<String>),
}

impl Fan<'_> {
    /// Asks, and makes one answer.
    pub(crate) fn ask(&self, question: &Question) -> Result<Merged, FanError> {
        if question.logs.iter().any(|log| log != OWN) {
            return Err(FanError::Held);
        }
        let replicas = self.reach.replicas();
        let wanted = wanted(&question.replicas, &replicas)?;
        let question = &Question {
            logs: vec![OWN.to_owned()],
            replicas: Vec::new(),
            limit: match question.limit {
                0 => REPLICA_HITS_MAX,
                limit => limit.min(REPLICA_HITS_MAX),
            },
            ..question.clone()
        };
        let body = answering::body(question).ok_or(FanError::TooLong)?;
        let sources = match wanted {
            Wanted::Any => self.any(&replicas, &body)?,
            Wanted::Named(own, names) => self.named(question, own, &names, &replicas, &body)?,
        };
        if sources.iter().all(|s| !s.part.trouble.is_empty() && s.arrived.hits.is_empty()) {
            return Err(FanError::Silent(silence(&sources)));
        }
        let by = match question.subject {
            Subject::Flows(_) => By::Start,
            // Patterns and comparisons have rows and no hits: those of the first that answers.
            Subject::Query(_)
            | Subject::Similar(_)
            | Subject::Patterns(_)
            | Subject::Compare(_) => By::Score,
        };
        let mut merged = merge(sources, by, question.limit);
        self.check(&mut merged);
        Ok(merged)
    }

    /// Asks one replica, whose turn it is, and the next where it does not answer.
    fn any(&self, replicas: &[Replica], body: &[u8]) -> Result<Vec<Source>, FanError> {
        let (_, head) = self.own.ends();
        let candidates: Vec<Candidate> = replicas
            .iter()
            .filter(|replica| replica.away.is_none())
            .map(|replica| Candidate {
                name: replica.name.clone(),
                behind: head.saturating_sub(replica.indexed),
                load_permille: replica.load_permille,
            })
            .collect();
        let order =
            self.fans.turns.lock().unwrap_or_else(PoisonError::into_inner).next(&candidates);
        let mut tried: Vec<Source> = replicas
            .iter()
            .filter_map(|replica| Some(self.silent(&replica.name, replica.away.clone()?)))
            .collect();
        let deadline = self.deadline();
        let mut left = order.len();
        for name in &order {
            let patience = self.left(deadline);
            // The next one is left as much.
            let patience = if left > 1 { patience / 2 } else { patience };
            left -= 1;
            let fetching = self.fetch(&[name], body, patience)?;
            let mut sources = self.gather(&[name], fetching, self.until(patience));
            let answered = sources.iter().all(|source| source.part.trouble.is_empty());
            tried.append(&mut sources);
            if answered {
                // Those before it did not answer: what they began is not part of the answer.
                let last = tried.len() - 1;
                tried.iter_mut().take(last).for_each(|source| source.arrived.hits.clear());
                return Ok(tried);
            }
        }
        Err(FanError::Silent(silence(&tried)))
    }

    /// Asks all of these at once, and meanwhile this host, where that is wanted.
    fn named(
        &self,
        question: &Question,
        own: bool,
        names: &[String],
        replicas: &[Replica],
        body: &[u8],
    ) -> Result<Vec<Source>, FanError> {
        let away =
            |name: &str| replicas.iter().find(|r| r.name == name).and_then(|r| r.away.clone());
        let (here, gone): (Vec<&String>, Vec<&String>) =
            names.iter().partition(|name| away(name).is_none());
        let deadline = self.deadline();
        let fetching = self.fetch(&here, body, self.left(deadline))?;
        let mut sources = Vec::new();
        if own {
            let began = self.clock.monotonic_ns();
            let mut arriving = Arriving::default();
            arriving.take(&self.own.ask(question)?);
            let arrived = arriving.end(None);
            let (_, newest) = self.own.ends();
            let part = LogPart {
                name: OWN.to_owned(),
                kind: LogKind::Own,
                log: self.own.id(),
                newest,
                newest_ns: arrived.head.searched.until.map(nanoseconds),
                events: arrived.head.searched.events,
                trouble: arrived.trouble.clone().unwrap_or_default(),
                took_ms: Some(self.since_ms(began)),
                ..LogPart::default()
            };
            sources.push(Source { part, arrived });
        }
        sources.extend(self.gather(&here, fetching, deadline));
        for name in gone {
            sources.push(self.silent(name, away(name).unwrap_or_default()));
        }
        Ok(sources)
    }

    /// Begins to ask these.
    fn fetch(
        &self,
        names: &[&String],
        body: &[u8],
        patience: Duration,
    ) -> Result<Fetching, FanError> {
        let (tell, arriving) = bounded(names.len().max(1));
        let over = Arc::new(AtomicBool::new(false));
        for (which, name) in names.iter().enumerate() {
            let room = |n: usize| (n < FETCHES_MAX).then_some(n + 1);
            let begun =
                self.fans.fetches.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).is_ok();
            if !begun {
                let busy = "too many questions go to replicas at once; try again".to_owned();
                let _ = tell.try_send((which, Arriving::default().end(Some(busy))));
                continue;
            }
            let fetch = Fetch(Arc::clone(&self.fans.fetches));
            let (reach, over, tell) = (Arc::clone(&self.reach), Arc::clone(&over), tell.clone());
            let (name, body) = ((*name).clone(), body.to_vec());
            let work = move || {
                let _fetch = fetch;
                let mut arriving = Arriving::default();
                let mut out = |bytes: &[u8]| !over.load(Ordering::Acquire) && arriving.take(bytes);
                let asked = reach.ask(&name, &body, patience, &mut out);
                let _ = tell.try_send((which, arriving.end(asked.err())));
            };
            let thread = std::thread::Builder::new().name("ask-replica".to_owned()).spawn(work);
            if let Err(error) = thread {
                return Err(FanError::Silent(format!("can't start a thread: {error}")));
            }
        }
        Ok(Fetching { arriving, over })
    }

    /// Takes in what arrives until the deadline, in the order in which they were asked.
    fn gather(&self, names: &[&String], fetching: Fetching, deadline: u64) -> Vec<Source> {
        let began = self.clock.monotonic_ns();
        let mut arrived: Vec<Option<(Arrived, u64)>> = names.iter().map(|_| None).collect();
        while arrived.iter().any(Option::is_none) {
            let Ok((which, answer)) = fetching.arriving.recv_timeout(self.left(deadline)) else {
                break;
            };
            if let Some(slot) = arrived.get_mut(which) {
                *slot = Some((answer, self.since_ms(began)));
            }
        }
        let names = names.iter().zip(arrived);
        names
            .map(|(name, arrived)| match arrived {
                Some((answer, took_ms)) => self.source(name, answer, took_ms),
                None => self.silent(name, "it did not answer in time".to_owned()),
            })
            .collect()
    }

    /// What one replica answered, and what is told of it.
    fn source(&self, name: &str, mut arrived: Arrived, took_ms: u64) -> Source {
        let (_, head) = self.own.ends();
        let told = std::mem::take(&mut arrived.head.logs).into_iter().next().unwrap_or_default();
        // What it says of itself is believed no further than it can be.
        let newest = told.newest.min(head);
        let mut trouble = arrived.trouble.clone().unwrap_or_default();
        if trouble.is_empty() && told.log != self.own.id() {
            trouble = "it answered for another log".to_owned();
            arrived.hits.clear();
        }
        let part = LogPart {
            name: name.to_owned(),
            kind: LogKind::Replica,
            log: self.own.id(),
            behind: Some(head.saturating_sub(newest)),
            newest,
            newest_ns: told.newest_ns,
            events: arrived.head.searched.events,
            trouble: trouble.chars().take(NOTE_CHARS_MAX).collect(),
            took_ms: Some(took_ms),
            ..LogPart::default()
        };
        Source { part, arrived }
    }

    fn silent(&self, name: &str, trouble: String) -> Source {
        let part = LogPart {
            name: name.to_owned(),
            kind: LogKind::Replica,
            log: self.own.id(),
            trouble: trouble.chars().take(NOTE_CHARS_MAX).collect(),
            ..LogPart::default()
        };
        Source { part, arrived: Arrived::default() }
    }

    /// Leaves out lines that are not those of the own log, and says how many could not be compared.
    fn check(&self, merged: &mut Merged) {
        let of_others = |from: &str| from != OWN;
        let seqs: HashSet<Seq> = merged
            .numbered()
            .filter(|(_, _, from)| of_others(from))
            .map(|(seq, _, _)| seq)
            .collect();
        if seqs.is_empty() {
            return;
        }
        let (first, head) = self.own.ends();
        let own = self.own.lines(&seqs);
        let own: std::collections::HashMap<Seq, Vec<u8>> = own.into_iter().collect();
        let mut forged = HashSet::new();
        let mut gone = 0_u64;
        let mut open = 0_u64;
        for (seq, event, _) in merged.numbered().filter(|(_, _, from)| of_others(from)) {
            match own.get(&seq) {
                Some(line) if line.trim_ascii_end() == event.as_bytes() => {}
                Some(_) => drop(forged.insert(seq)),
                None if seq > head => drop(forged.insert(seq)),
                None if seq < first => gone += 1,
                None => open += 1,
            }
        }
        if !forged.is_empty() {
            merged.without(
                &forged,
                "it brought lines that are not those of this log; they are left out",
            );
        }
        for (count, why) in [
            (gone, "are older than this host's log"),
            (open, "could not be compared with this host's log"),
        ] {
            if count > 0 {
                merged.head.notes.push(format!("{count} hits {why}: they are the replicas' word"));
            }
        }
    }

    fn deadline(&self) -> u64 {
        self.until(self.patience)
    }

    fn until(&self, patience: Duration) -> u64 {
        let ns = u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
        self.clock.monotonic_ns().saturating_add(ns)
    }

    fn left(&self, deadline: u64) -> Duration {
        Duration::from_nanos(deadline.saturating_sub(self.clock.monotonic_ns()))
    }

    fn since_ms(&self, began: u64) -> u64 {
        self.clock.monotonic_ns().saturating_sub(began) / 1_000_000
    }
}

fn nanoseconds(at: jiff::Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(0)
}

/// Who is meant.
fn wanted(names: &[String], replicas: &[Replica]) -> Result<Wanted, FanError> {
    if replicas.is_empty() {
        return Err(FanError::NoReplicas);
    }
    match names {
        [one] if one == "any" => return Ok(Wanted::Any),
        [one] if one == "all" => {
            let names: Vec<String> = replicas.iter().map(|r| r.name.clone()).collect();
            let fits = names.len() <= REPLICAS_ASKED_MAX;
            return if fits { Ok(Wanted::Named(true, names)) } else { Err(FanError::TooMany) };
        }
        _ => {}
    }
    let mut wanted: Vec<String> = Vec::new();
    let mut own = false;
    for name in names {
        match name.as_str() {
            OWN => own = true,
            "any" | "all" => return Err(FanError::Mixed),
            _ if wanted.contains(name) => {}
            _ if replicas.iter().any(|replica| replica.name == *name) => wanted.push(name.clone()),
            _ => {
                let known: Vec<&str> = replicas.iter().map(|r| r.name.as_str()).collect();
                return Err(FanError::Unknown { name: name.clone(), known: known.join(", ") });
            }
        }
    }
    if wanted.len() > REPLICAS_ASKED_MAX {
        return Err(FanError::TooMany);
    }
    Ok(Wanted::Named(own, wanted))
}

/// Why nobody answered, in words.
fn silence(sources: &[Source]) -> String {
    let told: Vec<String> = sources.iter().map(|source| Told(&source.part).to_string()).collect();
    if told.is_empty() { "none can be asked now".to_owned() } else { told.join("; ") }
}

/// A part that did not answer, in words.
struct Told<'a>(&'a LogPart);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.name, self.0.trouble)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ghost_world::RealClock;

    use super::*;

    const LOG: &str = "0123456789abcdef0123456789abcdef";

    fn event(seq: Seq, name: &str) -> String {
        format!(
            "{{\"timestamp\":\"2026-11-20T10:00:{seq:02}.000000+0000\",\"event_type\":\"flow\",\
             \"tls\":{{\"sni\":\"{name}\"}},\"ghost\":{{\"v\":1,\"seq\":{seq},\"prev\":\"{}\"}}}}",
            "0".repeat(64)
        )
    }

    fn body(log: &str, newest: Seq, lines: &[(Seq, &str)]) -> Vec<u8> {
        let mut text = format!(
            "{{\"hits\":{},\"logs\":[{{\"name\":\"h\",\"kind\":\"held\",\"log\":\"{log}\",\
             \"newest\":{newest}}}]}}\n",
            lines.len()
        );
        for (seq, name) in lines {
            text += &format!("{{\"score\":{seq},\"why\":[],\"event\":{}}}\n", event(*seq, name));
        }
        (text + "{\"end\":true}\n").into_bytes()
    }

    /// What a replica does with a question.
    #[derive(Clone)]
    enum Does {
        Answers(Vec<u8>),
        Fails,
        /// Says nothing for as long as it may, and longer.
        Hangs,
        Away,
    }

    #[derive(Default)]
    struct Fake {
        replicas: BTreeMap<String, Does>,
        asked: Mutex<Vec<String>>,
    }

    impl Reach for Fake {
        fn replicas(&self) -> Vec<Replica> {
            let replica = |(name, does): (&String, &Does)| Replica {
                name: name.clone(),
                away: matches!(does, Does::Away).then(|| "down".to_owned()),
                ..Replica::default()
            };
            self.replicas.iter().map(replica).collect()
        }

        fn ask(
            &self,
            name: &str,
            question: &[u8],
            _patience: Duration,
            out: Hears<'_>,
        ) -> Result<(), String> {
            self.asked.lock().unwrap().push(name.to_owned());
            let asked: serde_json::Value = serde_json::from_slice(question).unwrap();
            assert_eq!(asked["kind"], "query");
            assert!(asked.get("replicas").is_none() && asked.get("logs").is_none());
            match &self.replicas[name] {
                Does::Answers(body) => {
                    body.chunks(11).all(&mut *out);
                    Ok(())
                }
                Does::Fails => Err("it went away".to_owned()),
                Does::Hangs => {
                    while out(b"\n") {
                        std::thread::park_timeout(Duration::from_millis(5));
                    }
                    Ok(())
                }
                Does::Away => unreachable!("it is not asked"),
            }
        }
    }

    struct Own;

    impl OwnLog for Own {
        fn id(&self) -> String {
            LOG.to_owned()
        }
        fn ends(&self) -> (Seq, Seq) {
            (5, 20)
        }
        fn ask(&self, question: &Question) -> Result<Vec<u8>, StoreError> {
            assert_eq!(question.logs, [OWN]);
            Ok(body(LOG, 20, &[(12, "twelve"), (11, "eleven")]))
        }
        fn lines(&self, seqs: &HashSet<Seq>) -> Vec<(Seq, Vec<u8>)> {
            let name = |seq| if seq == 11 { "eleven" } else { "twelve" };
            let here = seqs.iter().filter(|seq| (11..=12).contains(*seq));
            here.map(|seq| (*seq, (event(*seq, name(*seq)) + "\n").into_bytes())).collect()
        }
    }

    fn fake(replicas: &[(&str, Does)]) -> Arc<Fake> {
        let replicas = replicas.iter().map(|(name, does)| ((*name).to_owned(), does.clone()));
        Arc::new(Fake { replicas: replicas.collect(), asked: Mutex::default() })
    }

    fn ask_with(fans: &Fans, reach: &Arc<Fake>, replicas: &[&str]) -> Result<Merged, FanError> {
        let question = Question {
            subject: Subject::Query("app:tls".to_owned()),
            since: None,
            until: None,
            limit: 10,
            now: None,
            tags: None,
            grouped: false,
            explained: false,
            logs: Vec::new(),
            replicas: replicas.iter().map(|name| (*name).to_owned()).collect(),
        };
        let reach: Arc<dyn Reach> = Arc::clone(reach) as Arc<dyn Reach>;
        let patience = Duration::from_millis(500);
        Fan { fans, reach, own: &Own, clock: &RealClock, patience }.ask(&question)
    }

    fn ask(reach: &Arc<Fake>, replicas: &[&str]) -> Result<Merged, FanError> {
        ask_with(&Fans::default(), reach, replicas)
    }

    fn seqs(merged: &Merged) -> Vec<Seq> {
        merged.numbered().map(|(seq, _, _)| seq).collect()
    }

    fn part<'m>(merged: &'m Merged, name: &str) -> &'m LogPart {
        merged.head.logs.iter().find(|part| part.name == name).unwrap()
    }

    #[test]
    fn all_are_this_host_and_every_replica_and_each_says_how_it_went() {
        let reach = fake(&[
            ("a", Does::Answers(body(LOG, 18, &[(12, "twelve"), (3, "older")]))),
            ("b", Does::Fails),
            ("c", Does::Away),
            ("d", Does::Answers(body("fedcba9876543210fedcba9876543210", 9, &[(11, "eleven")]))),
        ]);
        let merged = ask(&reach, &["all"]).unwrap();
        assert_eq!(seqs(&merged), [12, 11, 3]);
        assert_eq!((part(&merged, "own").hits, part(&merged, "own").newest), (2, 20));
        let a = part(&merged, "a");
        assert_eq!((a.hits, a.doubled, a.newest, a.behind), (1, 1, 18, Some(2)));
        assert_eq!(part(&merged, "b").trouble, "it went away");
        assert_eq!(part(&merged, "c").trouble, "down");
        assert!(part(&merged, "d").trouble.contains("another log"));
        assert!(merged.head.notes.iter().any(|n| n.contains("1 hits are older")));
        assert_eq!(reach.asked.lock().unwrap().len(), 3);
    }

    #[test]
    fn a_line_that_is_not_the_logs_is_left_out_and_told() {
        let forged = body(LOG, 99, &[(12, "another name"), (11, "eleven"), (21, "not yet")]);
        let merged = ask(&fake(&[("a", Does::Answers(forged))]), &["a"]).unwrap();
        assert_eq!(seqs(&merged), [11]);
        let a = part(&merged, "a");
        assert!(a.trouble.contains("not those of this log"), "{}", a.trouble);
        assert_eq!((a.hits, a.newest), (1, 20), "no replica is newer than the log");
    }

    #[test]
    fn one_that_hangs_keeps_nobody_waiting_for_longer_than_the_deadline() {
        let reach =
            fake(&[("a", Does::Hangs), ("b", Does::Answers(body(LOG, 20, &[(11, "eleven")])))]);
        let fans = Fans::default();
        let merged = ask_with(&fans, &reach, &["a", "b"]).unwrap();
        assert_eq!(seqs(&merged), [11]);
        assert_eq!(part(&merged, "a").trouble, "it did not answer in time");
        // Nobody waits for it any more, so it ends.
        while fans.fetches.load(Ordering::Acquire) > 0 {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    #[test]
    fn any_is_one_in_turn_and_the_next_where_that_fails() {
        let answers = || Does::Answers(body(LOG, 20, &[(11, "eleven")]));
        let reach = fake(&[("a", answers()), ("b", answers()), ("c", Does::Away)]);
        let fans = Fans::default();
        for _ in 0..4 {
            assert_eq!(seqs(&ask_with(&fans, &reach, &["any"]).unwrap()), [11]);
        }
        assert_eq!(*reach.asked.lock().unwrap(), ["a", "b", "a", "b"]);
        let reach = fake(&[("a", Does::Fails), ("b", answers())]);
        let merged = ask(&reach, &["any"]).unwrap();
        assert_eq!(part(&merged, "a").trouble, "it went away");
        assert_eq!(part(&merged, "b").hits, 1);
        let silent = ask(&fake(&[("a", Does::Fails), ("b", Does::Away)]), &["any"]).unwrap_err();
        let words = silent.to_string();
        assert!(words.contains("a: it went away") && words.contains("b: down"), "{words}");
    }

    #[test]
    fn names_that_mean_nothing_or_too_much_are_refused() {
        let reach = fake(&[("a", Does::Fails)]);
        assert!(matches!(ask(&reach, &["b"]), Err(FanError::Unknown { .. })));
        assert!(matches!(ask(&reach, &["a", "any"]), Err(FanError::Mixed)));
        assert!(matches!(ask(&reach, &["a"]), Err(FanError::Silent(_))));
        assert!(matches!(ask(&fake(&[]), &["all"]), Err(FanError::NoReplicas)));
        let many: Vec<String> = (0..=REPLICAS_ASKED_MAX).map(|n| format!("r{n}")).collect();
        let many: Vec<(&str, Does)> = many.iter().map(|n| (n.as_str(), Does::Away)).collect();
        assert!(matches!(ask(&fake(&many), &["all"]), Err(FanError::TooMany)));
        // With the own answer among them, nobody else need answer.
        assert_eq!(seqs(&ask(&reach, &["own", "a"]).unwrap()), [12, 11]);
    }
}
