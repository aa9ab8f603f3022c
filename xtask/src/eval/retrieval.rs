//! nDCG@10 over flows: how near the best ten flows for a question are to the top of its answer.
//!
//! A flow's gain is `2^grade - 1`, discounted by the logarithm of its rank; every flow counts once,
//! by its first hit. A hit whose flow the corpus does not know takes its capture's grade, at most 1,
//! and is counted as unmatched. A hit below IP stands for its capture only where that has no IP
//! flow; otherwise it is left out and counted.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::Seen;
use super::corpus::{Corpus, Key, Query, key};

const DEPTH: usize = 10;

#[derive(Debug)]
pub(super) struct Retrieval {
    pub(super) mean: f64,
    pub(super) kinds: BTreeMap<String, f64>,
    pub(super) queries: Vec<Scored>,
    pub(super) unmatched: usize,
    pub(super) dropped: usize,
}

#[derive(Debug)]
pub(super) struct Scored {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) words: String,
    pub(super) ndcg: f64,
    pub(super) relevant: usize,
}

/// One hit, as far as a score needs it.
#[derive(Debug, Clone)]
pub(super) struct Ranked {
    pub(super) query: String,
    pub(super) rank: u64,
    pub(super) file: String,
    /// `None` below IP.
    pub(super) key: Option<Key>,
}

impl Ranked {
    pub(super) fn of(hit: &Seen) -> Ranked {
        Ranked {
            query: hit.event["query_id"].as_str().unwrap_or_default().to_owned(),
            rank: hit.event["rank"].as_u64().unwrap_or(u64::MAX),
            file: hit.file.clone(),
            key: flow_key(&hit.event),
        }
    }
}

/// What a hit stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Unit {
    Relevant(usize),
    Flow(String, Key),
    File(String),
}

/// Scores answers to the corpus's questions.
pub(super) fn score(corpus: &Corpus, hits: &[Ranked]) -> Retrieval {
    let mut by_query: HashMap<&str, Vec<&Ranked>> = HashMap::new();
    for hit in hits {
        by_query.entry(&hit.query).or_default().push(hit);
    }
    let (mut unmatched, mut dropped) = (0, 0);
    let mut queries = Vec::new();
    for query in &corpus.queries {
        let relevant = relevant_grades(query);
        if relevant.is_empty() {
            continue;
        }
        let mut hits = by_query.remove(query.id.as_str()).unwrap_or_default();
        hits.sort_by_key(|h| h.rank);
        let grades = grades(corpus, query, &hits, &mut unmatched, &mut dropped);
        queries.push(Scored::of(query, ndcg(&grades, &relevant), relevant.len()));
    }
    Retrieval::of(queries, unmatched, dropped)
}

/// What an answer in random order would score.
pub(super) fn by_chance(corpus: &Corpus) -> Retrieval {
    let flows: usize = corpus.flows.values().map(BTreeSet::len).sum();
    let bare = corpus.truth.keys().filter(|file| !corpus.flows.contains_key(*file)).count();
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let units = (flows + bare).max(1) as f64;
    let ranks: f64 = gain(&[1; DEPTH]);
    let queries = corpus.queries.iter().filter_map(|query| {
        let mut relevant = relevant_grades(query);
        let all: f64 = relevant.iter().map(|g| 2_f64.powf(f64::from(*g)) - 1.0).sum();
        relevant.sort_unstable_by(|a, b| b.cmp(a));
        let count = relevant.len();
        relevant.truncate(DEPTH);
        let best = gain(&relevant);
        (count > 0 && best > 0.0).then(|| Scored::of(query, all / units * ranks / best, count))
    });
    Retrieval::of(queries.collect(), 0, 0)
}

impl Scored {
    fn of(query: &Query, ndcg: f64, relevant: usize) -> Scored {
        let (id, kind, words) = (query.id.clone(), query.kind.clone(), query.words.clone());
        Scored { id, kind, words, ndcg, relevant }
    }
}

impl Retrieval {
    fn of(queries: Vec<Scored>, unmatched: usize, dropped: usize) -> Retrieval {
        let mut kinds: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for query in &queries {
            kinds.entry(query.kind.clone()).or_default().push(query.ndcg);
        }
        let all: Vec<f64> = queries.iter().map(|q| q.ndcg).collect();
        Retrieval {
            mean: mean(&all),
            kinds: kinds.into_iter().map(|(kind, values)| (kind, mean(&values))).collect(),
            queries,
            unmatched,
            dropped,
        }
    }

    pub(super) fn kind(&self, kind: &str) -> f64 {
        self.kinds.get(kind).copied().unwrap_or(0.0)
    }
}

/// Grades of every unit that an ideal answer could hold.
fn relevant_grades(query: &Query) -> Vec<u32> {
    let with_flows: HashSet<&str> = query.flows.iter().map(|(file, _, _)| file.as_str()).collect();
    let files = query.files.iter().filter(|(file, _)| !with_flows.contains(file.as_str()));
    query.flows.iter().map(|(_, _, g)| *g).chain(files.map(|(_, g)| *g)).collect()
}

/// Grades of the first ten units of an answer.
fn grades(
    corpus: &Corpus,
    query: &Query,
    hits: &[&Ranked],
    unmatched: &mut usize,
    dropped: &mut usize,
) -> Vec<u32> {
    let relevant: HashMap<(&str, &Key), (usize, u32)> = query
        .flows
        .iter()
        .enumerate()
        .map(|(at, (file, key, grade))| ((file.as_str(), key), (at, *grade)))
        .collect();
    let mut seen = HashSet::new();
    let mut grades = Vec::new();
    for hit in hits {
        if grades.len() >= DEPTH {
            break;
        }
        let of_file = query.files.get(&hit.file).copied().unwrap_or(0);
        let known = corpus.flows.get(&hit.file);
        let (unit, grade) = match hit.key.clone() {
            None if known.is_some() => {
                *dropped += 1;
                continue;
            }
            None => (Unit::File(hit.file.clone()), of_file),
            Some(key) => match relevant.get(&(hit.file.as_str(), &key)) {
                Some((at, grade)) => (Unit::Relevant(*at), *grade),
                None if known.is_some_and(|k| k.contains(&key)) => {
                    (Unit::Flow(hit.file.clone(), key), 0)
                }
                None => {
                    *unmatched += 1;
                    (Unit::Flow(hit.file.clone(), key), of_file.min(1))
                }
            },
        };
        if seen.insert(unit) {
            grades.push(grade);
        }
    }
    grades
}

/// The key of an event's flow; `None` below IP.
pub(super) fn flow_key(event: &Value) -> Option<Key> {
    let proto = Value::from(protocol(event)?);
    let [src, sport] = [&event["src_ip"], &event["src_port"]];
    let [dst, dport] = [&event["dest_ip"], &event["dest_port"]];
    // The corpus gives ports to TCP, UDP and SCTP only.
    let none = Value::from(0);
    let ports = matches!(proto.as_u64(), Some(6 | 17 | 132));
    let (sport, dport) = if ports { (sport, dport) } else { (&none, &none) };
    Some(key([src, sport, dst, dport, &proto]))
}

/// The IP protocol number of an event; `None` below IP.
pub(super) fn protocol(event: &Value) -> Option<u64> {
    event["src_ip"].as_str()?;
    let name = match &event["proto"] {
        Value::String(name) => name.as_str(),
        Value::Number(number) => return number.as_u64(),
        _ => return None,
    };
    let number = match name.to_ascii_uppercase().as_str() {
        "HOPOPT" => 0,
        "ICMP" => 1,
        "IGMP" => 2,
        "IPIP" | "IPV4" | "IP-IN-IP" => 4,
        "TCP" => 6,
        "EGP" => 8,
        "UDP" => 17,
        "DCCP" => 33,
        "IPV6" | "6IN4" => 41,
        "RSVP" => 46,
        "GRE" => 47,
        "ESP" => 50,
        "AH" => 51,
        "IPV6-ICMP" | "ICMPV6" => 58,
        "IPV6-NONXT" => 59,
        "EIGRP" => 88,
        "OSPF" | "OSPFIGP" => 89,
        "ETHERIP" => 97,
        "PIM" => 103,
        "IPCOMP" => 108,
        "VRRP" | "CARP" => 112,
        "L2TP" => 115,
        "SCTP" => 132,
        "UDPLITE" | "UDP-LITE" => 136,
        "MPLS-IN-IP" => 137,
        other => return other.parse().ok(),
    };
    Some(number)
}

fn ndcg(grades: &[u32], relevant: &[u32]) -> f64 {
    let mut ideal = relevant.to_vec();
    ideal.sort_unstable_by(|a, b| b.cmp(a));
    ideal.truncate(DEPTH);
    let best = gain(&ideal);
    if best == 0.0 { 0.0 } else { gain(grades) / best }
}

fn gain(grades: &[u32]) -> f64 {
    let gains = grades.iter().enumerate().map(|(at, grade)| {
        #[expect(clippy::cast_precision_loss, reason = "at most ten")]
        let discount = (at as f64 + 2.0).log2();
        (2_f64.powf(f64::from(*grade)) - 1.0) / discount
    });
    gains.sum::<f64>() + 0.0
}

pub(super) fn mean(values: &[f64]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tcp(port: u64) -> Value {
        json!({"event_type": "flow", "query_id": "q", "proto": "TCP", "src_ip": "10.0.0.1",
               "src_port": port, "dest_ip": "10.0.0.2", "dest_port": 22})
    }

    fn of(port: u64) -> Key {
        flow_key(&tcp(port)).unwrap()
    }

    /// Two relevant flows of grade 2, one known flow of grade 0, a capture without IP.
    fn corpus() -> Corpus {
        let mut corpus = Corpus::default();
        corpus.flows.insert("a".into(), [of(1), of(2), of(3)].into());
        corpus.queries.push(Query {
            id: "q".into(),
            files: [("a".to_owned(), 2), ("arp".to_owned(), 1)].into(),
            flows: vec![("a".into(), of(1), 2), ("a".into(), of(2), 2)],
            ..Query::default()
        });
        corpus
    }

    fn ranked(file: &str, event: Value) -> Ranked {
        Ranked::of(&Seen { file: file.into(), event })
    }

    fn hits(ports: &[u64]) -> Vec<Ranked> {
        let with_rank = |(at, port): (usize, &u64)| {
            let mut event = tcp(*port);
            event["rank"] = (at + 1).into();
            ranked("a", event)
        };
        ports.iter().enumerate().map(with_rank).collect()
    }

    #[test]
    fn the_ideal_order_scores_one_when_the_capture_without_flows_is_there_too() {
        let mut hits = hits(&[1, 2]);
        let arp = json!({"query_id": "q", "rank": 3, "proto": "ARP", "src_ip": "10.0.0.1"});
        hits.push(ranked("arp", arp));
        let result = score(&corpus(), &hits);
        assert!((result.mean - 1.0).abs() < 1e-12, "{result:?}");
        assert_eq!((result.unmatched, result.dropped), (0, 0));
    }

    #[test]
    fn a_wrong_flow_before_the_right_ones_costs_rank() {
        let result = score(&corpus(), &hits(&[3, 1, 2]));
        let best = 3.0 + 3.0 / 3_f64.log2() + 0.5;
        let got = 3.0 / 3_f64.log2() + 3.0 / 2.0;
        assert!((result.mean - got / best).abs() < 1e-12, "{result:?}");
    }

    #[test]
    fn the_same_flow_twice_counts_once() {
        let twice = score(&corpus(), &hits(&[1, 1, 1, 2]));
        let once = score(&corpus(), &hits(&[1, 2]));
        assert!((twice.mean - once.mean).abs() < 1e-12);
    }

    #[test]
    fn an_unknown_flow_is_counted_and_graded_by_its_capture_at_most_one() {
        let result = score(&corpus(), &hits(&[9]));
        assert_eq!(result.unmatched, 1);
        let best = 3.0 + 3.0 / 3_f64.log2() + 0.5;
        assert!((result.mean - 1.0 / best).abs() < 1e-12);
    }

    #[test]
    fn an_event_below_ip_is_dropped_where_the_capture_has_flows() {
        let arp = json!({"query_id": "q", "rank": 1, "proto": "0x88cc"});
        let result = score(&corpus(), &[ranked("a", arp)]);
        assert_eq!((result.dropped, result.mean), (1, 0.0));
    }

    #[test]
    fn a_question_without_an_answer_counts_as_nothing_found() {
        assert_eq!(score(&corpus(), &[]).mean, 0.0);
    }
}
