//! What others would make of the same flows: an isolation forest, and a robust z by service.
//!
//! Both are written here, small, and learn on the quiet beginning of a mix alone. They get what the
//! log has of each flow: packets and bytes each way, time, ratio, mean size, port and transport.

use std::collections::HashMap;

use serde_json::Value;

use super::super::retrieval::protocol;
use super::score::number;

const NUMBERS: usize = 10;
const TREES: usize = 100;
const SAMPLE: usize = 256;
/// Flows of a service before it has a measure of its own.
const SERVICE_MIN: usize = 30;

/// One flow in numbers.
#[derive(Debug, Clone)]
pub(super) struct Row {
    service: String,
    x: [f64; NUMBERS],
}

impl Row {
    pub(super) fn of(event: &Value) -> Row {
        let count = |side: &str| event["flow"][side].as_f64().unwrap_or(0.0);
        let (up, down) = (count("pkts_toserver"), count("pkts_toclient"));
        let (up_bytes, down_bytes) = (count("bytes_toserver"), count("bytes_toclient"));
        let log = |x: f64| (1.0 + x.max(0.0)).ln();
        let ns = |at: &str| event["ghost"][at].as_f64().unwrap_or(0.0);
        let seconds = (ns("end_ns") - ns("start_ns")).max(0.0) / 1e9;
        let age = if seconds > 0.0 { seconds } else { count("age") };
        let port = event["dest_port"].as_f64().unwrap_or(0.0);
        let proto = protocol(event).and_then(|p| u32::try_from(p).ok()).map_or(300.0, f64::from);
        let x = [
            log(up),
            log(down),
            log(up_bytes),
            log(down_bytes),
            log(age * 1000.0),
            log(up_bytes) - log(down_bytes),
            log((up_bytes + down_bytes) / (up + down).max(1.0)),
            log((up + down) / age.max(0.001)),
            log(port),
            proto,
        ];
        let app = event["app_proto"].as_str().unwrap_or_default();
        Row { service: format!("{proto}/{app}"), x }
    }
}

/// A small generator (SplitMix64): the same figures on every run.
struct Random(u64);

impl Random {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.draw() % (end.max(1) as u64)).unwrap_or(0)
    }

    fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let high = (self.draw() >> 11) as f64;
        high / 9_007_199_254_740_992.0
    }
}

enum Node {
    Leaf(f64),
    Split { at: usize, value: f64, low: Box<Node>, high: Box<Node> },
}

/// An isolation forest (Liu, Ting, Zhou 2008): how soon chance alone sets a flow apart.
pub(super) struct Forest {
    trees: Vec<Node>,
    usual: f64,
}

impl Forest {
    pub(super) fn learn(rows: &[Row]) -> Forest {
        let mut random = Random(7);
        let size = SAMPLE.min(rows.len());
        let depth = number(size.max(2)).log2().ceil();
        let trees = (0..TREES).map(|_| {
            let sample: Vec<&Row> =
                (0..size).filter_map(|_| rows.get(random.below(rows.len()))).collect();
            grow(&sample, depth, &mut random)
        });
        Forest { trees: trees.collect(), usual: path_length(size) }
    }

    pub(super) fn score(&self, row: &Row) -> f64 {
        let sum: f64 = self.trees.iter().map(|tree| depth_of(tree, row, 0.0)).sum();
        let mean = sum / number(self.trees.len().max(1));
        2_f64.powf(-mean / self.usual.max(1.0))
    }
}

fn grow(rows: &[&Row], left: f64, random: &mut Random) -> Node {
    if left <= 0.0 || rows.len() <= 1 {
        return Node::Leaf(path_length(rows.len()));
    }
    // Numbers that are all alike set nothing apart.
    let spread = |at: usize| {
        let values = rows.iter().map(|r| r.x[at]);
        (values.clone().fold(f64::INFINITY, f64::min), values.fold(f64::NEG_INFINITY, f64::max))
    };
    let open: Vec<usize> = (0..NUMBERS).filter(|at| spread(*at).0 < spread(*at).1).collect();
    let Some(&at) = open.get(random.below(open.len())) else {
        return Node::Leaf(path_length(rows.len()));
    };
    let (least, most) = spread(at);
    let value = least + random.unit() * (most - least);
    let (low, high): (Vec<&Row>, Vec<&Row>) = rows.iter().copied().partition(|r| r.x[at] < value);
    Node::Split {
        at,
        value,
        low: Box::new(grow(&low, left - 1.0, random)),
        high: Box::new(grow(&high, left - 1.0, random)),
    }
}

fn depth_of(node: &Node, row: &Row, depth: f64) -> f64 {
    match node {
        Node::Leaf(more) => depth + more,
        Node::Split { at, value, low, high } => {
            let next = if row.x[*at] < *value { low } else { high };
            depth_of(next, row, depth + 1.0)
        }
    }
}

/// The mean depth at which one of `n` is alone in a tree of chance.
fn path_length(n: usize) -> f64 {
    if n <= 1 {
        return 0.0;
    }
    let n = number(n);
    2.0 * ((n - 1.0).ln() + 0.577_215_664_9) - 2.0 * (n - 1.0) / n
}

/// Middle and middle distance from it, of each number.
type Measure = [(f64, f64); NUMBERS];

/// How many middle distances a flow's oddest number is from the middle of its service.
pub(super) struct Deviations {
    services: HashMap<String, Measure>,
    all: Measure,
}

impl Deviations {
    pub(super) fn learn(rows: &[Row]) -> Deviations {
        let mut by: HashMap<&str, Vec<&Row>> = HashMap::new();
        rows.iter().for_each(|r| by.entry(&r.service).or_default().push(r));
        let own = by.into_iter().filter(|(_, rows)| rows.len() >= SERVICE_MIN);
        Deviations {
            services: own.map(|(name, rows)| (name.to_owned(), measure(&rows))).collect(),
            all: measure(&rows.iter().collect::<Vec<_>>()),
        }
    }

    pub(super) fn score(&self, row: &Row) -> f64 {
        let measure = self.services.get(&row.service).unwrap_or(&self.all);
        let far = row.x.iter().zip(measure).map(|(x, (middle, distance))| {
            // A number that never differed: a tenth is much.
            (x - middle).abs() / (1.4826 * distance).max(0.1)
        });
        let most = far.fold(0.0, f64::max);
        most / (1.0 + most)
    }
}

fn measure(rows: &[&Row]) -> Measure {
    let mut out = [(0.0, 0.0); NUMBERS];
    for (at, slot) in out.iter_mut().enumerate() {
        let middle = median(rows.iter().map(|r| r.x[at]).collect());
        *slot = (middle, median(rows.iter().map(|r| (r.x[at] - middle).abs()).collect()));
    }
    out
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_unlike_all_others_scores_high() {
        let flow = |n: u64, bytes: u64| {
            json!({"proto": "TCP", "src_ip": "10.0.0.1", "app_proto": "http", "dest_port": 80,
                   "flow": {"pkts_toserver": 10 + n % 3, "pkts_toclient": 12 + n % 5,
                            "bytes_toserver": bytes + n % 7 * 30, "bytes_toclient": 9000 + n % 11 * 50,
                            "age": n % 4}})
        };
        let usual: Vec<Row> = (0..300).map(|n| Row::of(&flow(n, 900))).collect();
        let mut odd = flow(1, 90_000_000);
        odd["flow"]["pkts_toserver"] = 60_000.into();
        odd["flow"]["bytes_toclient"] = 40.into();
        odd["flow"]["age"] = 4000.into();
        let odd = Row::of(&odd);
        let forest = Forest::learn(&usual);
        let deviations = Deviations::learn(&usual);
        let most = |score: &dyn Fn(&Row) -> f64| usual.iter().map(score).fold(0.0, f64::max);
        // What lies outside of all that was learned shares its leaves with the outermost.
        let mut learned: Vec<f64> = usual.iter().map(|r| forest.score(r)).collect();
        learned.sort_by(f64::total_cmp);
        assert!(forest.score(&odd) > learned[learned.len() / 2]);
        assert!(deviations.score(&odd) > most(&|r| deviations.score(r)));
    }
}
