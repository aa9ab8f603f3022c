//! What `top` shows: who talks most, in which applications, doing what, and which flows live.
//!
//! Talkers, applications and behaviours are summed over the flows that were logged in the last
//! minute, as far as they are kept (the newest few thousand that meet the filter), and those that
//! are open and were seen in the last seconds. One sum a filter is kept while somebody asks for it.
//! Flows that live come from a question, the longest first.
//!
//! **Invariant:** what is kept and what is answered is bounded, whatever the traffic is.

use std::collections::{HashMap, VecDeque};

use ghost_event::line::{LineKind, View};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::backend::{Backend, Followed, Question, Subject};
use super::limits::{
    TOP_FLOWS_MAX, TOP_IDLE, TOP_LIVE_MAX, TOP_LOOKS_MAX, TOP_NAME_BYTES, TOP_OPEN_MAX,
    TOP_ROWS_MAX, TOP_WINDOW, TOPS_MAX,
};
use super::rates::Series;
use super::routes::Standing;
use crate::store::StoreError;

const WINDOW_NS: u64 = TOP_WINDOW.as_secs() * 1_000_000_000;

/// The answer of `GET /v1/top`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TopAnswer {
    pub standing: Standing,
    pub series: Series,
    /// Seconds that the sums go back.
    pub window_s: f64,
    /// Flows that were summed, logged and open.
    pub flows: u64,
    /// By address that began the flow.
    pub talkers: Vec<TopRow>,
    pub applications: Vec<TopRow>,
    pub behaviours: Vec<TopRow>,
    /// Flows seen in the last seconds, as their lines would be logged now.
    pub live: Vec<Box<RawValue>>,
    /// What the reader must know.
    pub notes: Vec<String>,
}

/// One sum.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TopRow {
    pub name: String,
    pub flows: u64,
    pub packets: u64,
    pub bytes: u64,
}

/// What is kept of a flow.
pub(super) struct Kept {
    at_ns: u64,
    talker: String,
    application: String,
    behaviours: u64,
    packets: u64,
    bytes: u64,
}

/// The sums of one filter.
struct Top {
    filter: String,
    lines: Box<dyn Followed>,
    kept: VecDeque<Kept>,
    asked_ns: u64,
    begun_ns: u64,
}

/// Every filter that is asked for.
#[derive(Default)]
pub(super) struct Tops(Vec<Top>);

impl std::fmt::Debug for Tops {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tops({})", self.0.len())
    }
}

impl Tops {
    /// Sums for `filter` at `now_ns`, with the flows that are open.
    pub(super) fn sum(
        &mut self,
        backend: &dyn Backend,
        filter: &str,
        now_ns: u64,
        open: &[Kept],
        answer: &mut TopAnswer,
    ) -> Result<(), StoreError> {
        let idle_ns = u64::try_from(TOP_IDLE.as_nanos()).unwrap_or(u64::MAX);
        self.0.retain(|top| now_ns.saturating_sub(top.asked_ns) <= idle_ns);
        let at = match self.0.iter().position(|top| top.filter == filter) {
            Some(at) => at,
            None => {
                let lines = backend.follow(filter)?;
                if self.0.len() >= TOPS_MAX
                    && let Some(oldest) =
                        self.0.iter().enumerate().min_by_key(|(_, t)| t.asked_ns).map(|(at, _)| at)
                {
                    self.0.swap_remove(oldest);
                }
                self.0.push(Top {
                    filter: filter.to_owned(),
                    lines,
                    kept: VecDeque::new(),
                    asked_ns: now_ns,
                    begun_ns: now_ns,
                });
                self.0.len() - 1
            }
        };
        let Some(top) = self.0.get_mut(at) else { return Ok(()) };
        top.asked_ns = now_ns;
        top.take_in(now_ns)?;
        top.sums(now_ns, open, answer);
        Ok(())
    }
}

impl Top {
    /// Keeps what was logged since the last look.
    fn take_in(&mut self, now_ns: u64) -> Result<(), StoreError> {
        for _ in 0..TOP_LOOKS_MAX {
            let lines = self.lines.next()?;
            if lines.is_empty() {
                break;
            }
            for line in lines {
                self.kept.extend(Kept::of(&line, now_ns));
            }
            while self.kept.len() > TOP_FLOWS_MAX {
                self.kept.pop_front();
            }
        }
        while self.kept.front().is_some_and(|k| now_ns.saturating_sub(k.at_ns) > WINDOW_NS) {
            self.kept.pop_front();
        }
        Ok(())
    }

    fn sums(&self, now_ns: u64, open: &[Kept], answer: &mut TopAnswer) {
        let (mut talkers, mut applications) = (HashMap::new(), HashMap::new());
        let mut behaviours = HashMap::new();
        for kept in self.kept.iter().chain(open) {
            add(&mut talkers, &kept.talker, kept);
            add(&mut applications, &kept.application, kept);
            for name in ghost_event::Behaviours(kept.behaviours).names() {
                add(&mut behaviours, name, kept);
            }
        }
        let full = self.kept.len() >= TOP_FLOWS_MAX;
        let since = match self.kept.front() {
            Some(first) if full => first.at_ns,
            _ => self.begun_ns.max(now_ns.saturating_sub(WINDOW_NS)),
        };
        #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
        let window_s = now_ns.saturating_sub(since) as f64 / 1e9;
        answer.window_s = window_s;
        answer.flows = (self.kept.len() + open.len()) as u64;
        answer.talkers = most(talkers);
        answer.applications = most(applications);
        answer.behaviours = most(behaviours);
    }
}

impl Kept {
    fn of(line: &[u8], now_ns: u64) -> Option<Kept> {
        Kept::from(&View::parse(line).ok()?, now_ns)
    }

    /// A flow that has not ended; what has is in the log, and kept from there.
    fn of_open(line: &[u8], now_ns: u64) -> Option<Kept> {
        let view = View::parse(line).ok()?;
        if view.flow.reason != "update" { None } else { Kept::from(&view, now_ns) }
    }

    fn from(view: &View<'_>, now_ns: u64) -> Option<Kept> {
        if view.kind != LineKind::Flow {
            return None;
        }
        let flow = &view.flow;
        let address = view.src_ip.map(|ip| ip.to_string());
        Some(Kept {
            at_ns: now_ns,
            talker: address.unwrap_or_else(|| "below IP".to_owned()),
            application: cut(view.app_proto.as_deref().or(view.proto.as_deref()).unwrap_or("")),
            behaviours: view.ghost.behaviours.0,
            packets: flow.pkts_toserver.saturating_add(flow.pkts_toclient),
            bytes: flow.bytes_toserver.saturating_add(flow.bytes_toclient),
        })
    }
}

fn cut(text: &str) -> String {
    text.chars().take(TOP_NAME_BYTES).collect()
}

fn add<'k>(sums: &mut HashMap<&'k str, TopRow>, name: &'k str, kept: &Kept) {
    let row = sums.entry(name).or_default();
    row.flows += 1;
    row.packets = row.packets.saturating_add(kept.packets);
    row.bytes = row.bytes.saturating_add(kept.bytes);
}

/// The largest, by bytes and then by name.
fn most(sums: HashMap<&str, TopRow>) -> Vec<TopRow> {
    let mut rows: Vec<TopRow> =
        sums.into_iter().map(|(name, row)| TopRow { name: name.to_owned(), ..row }).collect();
    rows.sort_unstable_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    rows.truncate(TOP_ROWS_MAX);
    rows
}

/// The flows of the last seconds that meet `filter`; those that are open, to be summed.
pub(super) fn live(
    backend: &dyn Backend,
    filter: &str,
    now_ns: u64,
    answer: &mut TopAnswer,
) -> Result<Vec<Kept>, StoreError> {
    let answers = backend.ask(&Question {
        subject: Subject::Flows(filter.to_owned()),
        since: Some("5s".to_owned()),
        until: None,
        limit: TOP_OPEN_MAX,
        now: None,
        tags: None,
        grouped: false,
        explained: false,
        logs: vec!["own".to_owned()],
        replicas: Vec::new(),
    })?;
    let mut open = Vec::new();
    for at in 0..answers.answer().hits.len() {
        let line = answers.line(at)?;
        open.extend(Kept::of_open(&line, now_ns));
        if at >= TOP_LIVE_MAX {
            continue;
        }
        let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
        answer.live.extend(RawValue::from_string(text).ok());
    }
    answer.notes.clone_from(&answers.answer().notes);
    Ok(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Vec<Vec<Vec<u8>>>);

    impl Followed for Fixed {
        fn next(&mut self) -> Result<Vec<Vec<u8>>, StoreError> {
            Ok(self.0.pop().unwrap_or_default())
        }
    }

    fn line(source: &str, app: &str, bytes: u64) -> Vec<u8> {
        format!(
            "{{\"timestamp\":\"2026-11-20T05:56:41.123456+0000\",\"flow_id\":1,\
             \"event_type\":\"flow\",\"src_ip\":\"{source}\",\"dest_ip\":\"10.0.0.9\",\
             \"proto\":\"TCP\",\"app_proto\":\"{app}\",\"flow\":{{\"pkts_toserver\":2,\
             \"bytes_toserver\":{bytes}}},\"ghost\":{{\"v\":1,\"behaviours\":[\"port_scan\"],\
             \"seq\":1}}}}\n"
        )
        .into_bytes()
    }

    fn top(looks: Vec<Vec<Vec<u8>>>) -> Top {
        Top {
            filter: String::new(),
            lines: Box::new(Fixed(looks)),
            kept: VecDeque::new(),
            asked_ns: 0,
            begun_ns: 0,
        }
    }

    #[test]
    fn sums_are_by_bytes_and_forget_what_is_older_than_the_window() {
        let second = vec![line("10.0.0.1", "dns", 10), line("10.0.0.2", "ssh", 500)];
        let mut top = top(vec![vec![line("10.0.0.1", "dns", 7)], Vec::new(), second]);
        top.take_in(1).unwrap();
        let mut answer = TopAnswer::default();
        top.sums(2, &[], &mut answer);
        let names = |rows: &[TopRow]| rows.iter().map(|r| r.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&answer.talkers), ["10.0.0.2", "10.0.0.1"]);
        assert_eq!(names(&answer.applications), ["ssh", "dns"]);
        assert_eq!(answer.behaviours[0].flows, 2);
        let later = u64::try_from(TOP_WINDOW.as_nanos()).unwrap() + 2;
        top.take_in(later).unwrap();
        top.sums(later, &[], &mut answer);
        assert_eq!((answer.flows, answer.talkers[0].bytes), (1, 7));
    }

    #[test]
    fn flows_that_are_open_count_in_the_sums_and_ended_ones_only_from_the_log() {
        let ended = line("10.0.0.1", "dns", 10);
        assert!(Kept::of_open(&ended, 1).is_none());
        let text = String::from_utf8(ended).unwrap();
        let open = text.replace("\"pkts_toserver\"", "\"reason\":\"update\",\"pkts_toserver\"");
        let open: Vec<Kept> = Kept::of_open(open.as_bytes(), 1).into_iter().collect();
        let mut answer = TopAnswer::default();
        top(Vec::new()).sums(2, &open, &mut answer);
        assert_eq!((answer.flows, answer.talkers[0].bytes), (1, 10));
    }

    #[test]
    fn what_is_kept_and_answered_has_a_bound() {
        let many: Vec<_> =
            (0..5000_u32).map(|n| line(&format!("10.0.{}.{}", n / 250, n % 250), "x", 1)).collect();
        let mut top = top(vec![many.clone(), many.clone(), many.clone(), many]);
        top.take_in(1).unwrap();
        assert_eq!(top.kept.len(), TOP_FLOWS_MAX);
        let mut answer = TopAnswer::default();
        top.sums(1, &[], &mut answer);
        assert_eq!(answer.talkers.len(), TOP_ROWS_MAX);
    }
}
