//! Two stretches of time, or two hosts: what is new, gone, more and less between them.
//!
//! Values (applications, peers, ports, names, behaviours, …) are counted on both sides and ranked by
//! how surprising the difference is, given how long both sides are: the log-likelihood ratio of two
//! rates, by flows or by bytes, whichever is larger. A behaviour counts more than an application,
//! an application more than a peer. What differs less than chance explains is left out.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use ghost_index::{Clause, Kind, Met, Term, Visit, Walk, Walked};

use crate::answer::{Answer, Ask, Sources};
use crate::error::QueryError;
use crate::filter::{Key, Part, no_flows};
use crate::limits::COMPARED_MAX;
use crate::rows;
use crate::similar_host::{is_host, resolve};
use crate::table::{Cell, Table, Unit};
use crate::window::{self, Window};

/// Rows of one kind at most, so that a hundred new names hide no new behaviour.
const ROWS_PER_KIND: usize = 8;

/// What chance explains once in a hundred times: the likelihood ratio of it.
const CHANCE: f64 = 6.63;

/// One side of a comparison.
#[derive(Debug, Clone)]
enum Side {
    Window(Window),
    Host(IpAddr),
}

impl Side {
    fn parts(&self) -> Vec<Part> {
        match self {
            Side::Window(window) => window.parts().into(),
            Side::Host(ip) => vec![Part::must(Key::Host, [ip.to_string()])],
        }
    }
}

/// What a value is to a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum What {
    Behaviour,
    Application,
    Category,
    Brand,
    Name,
    Interface,
    Tunnel,
    Role,
    Source,
    Target,
    Port,
    /// Of a host: whom it asks.
    Asks,
    /// Of a host: who asks it.
    AskedBy,
    /// Of a host: at which port it is asked.
    Serves,
    /// Of a host: which port it asks at.
    Uses,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            What::Behaviour => "behaviour",
            What::Application => "application",
            What::Category => "category",
            What::Brand => "brand",
            What::Name => "name",
            What::Interface => "interface",
            What::Tunnel => "tunnel",
            What::Role => "role",
            What::Source => "source",
            What::Target => "target",
            What::Port => "port",
            What::Asks => "asks",
            What::AskedBy => "asked by",
            What::Serves => "serves port",
            What::Uses => "uses port",
        }
    }

    /// How much a difference in it is worth telling.
    fn weight(self, value: &str) -> f64 {
        match self {
            What::Behaviour if matches!(value, "unanswered" | "refused" | "fragmented") => 1.0,
            What::Behaviour => 3.0,
            What::Application | What::Serves => 1.4,
            What::Category | What::Brand | What::Tunnel | What::Interface => 1.0,
            What::Role => 0.8,
            What::Name => 1.0,
            What::Source | What::Target | What::Asks | What::AskedBy => 0.9,
            What::Port | What::Uses => 0.7,
        }
    }
}

/// What one side has of a value.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    flows: u64,
    packets: u64,
    bytes: u64,
    /// The largest flow, as evidence.
    most: u64,
    seq: u64,
}

impl Sum {
    fn add(&mut self, event: &Met<'_>) {
        let bytes = event.bytes();
        self.flows += 1;
        self.packets = self.packets.saturating_add(event.packets());
        self.bytes = self.bytes.saturating_add(bytes);
        if self.seq == 0
            || (bytes, std::cmp::Reverse(event.seq())) > (self.most, std::cmp::Reverse(self.seq))
        {
            (self.most, self.seq) = (bytes, event.seq());
        }
    }
}

/// Both sides of every value.
struct Values {
    hosts: bool,
    /// Addresses of the sides themselves.
    own: Vec<IpAddr>,
    all: HashMap<(What, Box<[u8]>), [Sum; 2]>,
    now: Option<(Kind, Box<[u8]>)>,
    /// What has come for the term.
    sums: HashMap<What, [Sum; 2]>,
    left_out: u64,
}

/// Bits of a walk: in the first, in the second; and of hosts which side of the flow they are.
const A: u64 = 1;
const B: u64 = 2;
const OPENED: [u64; 2] = [4, 16];
const ASKED: [u64; 2] = [8, 32];

impl Values {
    /// Puts what came for the last term where it belongs.
    fn settle(&mut self) {
        let Some((_, value)) = self.now.take() else { return };
        for (what, sums) in self.sums.drain() {
            let key = (what, value.clone());
            if self.all.len() >= COMPARED_MAX && !self.all.contains_key(&key) {
                self.left_out += 1;
                continue;
            }
            let all = self.all.entry(key).or_default();
            for (all, sum) in all.iter_mut().zip(sums) {
                all.flows += sum.flows;
                all.packets = all.packets.saturating_add(sum.packets);
                all.bytes = all.bytes.saturating_add(sum.bytes);
                if sum.seq > 0 && (all.seq == 0 || sum.most > all.most) {
                    (all.most, all.seq) = (sum.most, sum.seq);
                }
            }
        }
    }

    /// What a term of `kind` is to side `side` of an event that meets `held`.
    fn what(&self, kind: Kind, side: usize, held: u64) -> Option<What> {
        let opened = held & OPENED[side] != 0;
        let asked = held & ASKED[side] != 0;
        Some(match kind {
            Kind::Behaviour => What::Behaviour,
            Kind::App => What::Application,
            Kind::Category => What::Category,
            Kind::Brand => What::Brand,
            Kind::Name => What::Name,
            Kind::Interface => What::Interface,
            Kind::Tunnel => What::Tunnel,
            Kind::SrcRole | Kind::DstRole => What::Role,
            Kind::SrcIp if !self.hosts => What::Source,
            Kind::DstIp if !self.hosts => What::Target,
            Kind::DstPort if !self.hosts => What::Port,
            Kind::SrcIp if asked => What::AskedBy,
            Kind::DstIp if opened => What::Asks,
            Kind::DstPort if asked => What::Serves,
            Kind::DstPort if opened => What::Uses,
            _ => return None,
        })
    }
}

impl Visit for Values {
    fn term(&mut self, kind: Kind, value: &[u8]) -> bool {
        self.settle();
        let address = matches!(kind, Kind::SrcIp | Kind::DstIp).then(|| rows::address(value));
        if let Some(ip) = address
            && ip.is_none_or(|ip| self.hosts && (self.own.contains(&ip) || !is_host(&ip)))
        {
            return false;
        }
        // The last part of a name alone (`com`) is no news.
        if kind == Kind::Name && !value.contains(&b'.') {
            return false;
        }
        self.now = Some((kind, value.into()));
        true
    }

    fn event(&mut self, event: &Met<'_>) {
        let Some((kind, _)) = &self.now else { return };
        let kind = *kind;
        for (side, bit) in [A, B].into_iter().enumerate() {
            if event.held & bit != 0
                && let Some(what) = self.what(kind, side, event.held)
                && let Some(sum) = self.sums.entry(what).or_default().get_mut(side)
            {
                sum.add(event);
            }
        }
    }
}

const KINDS: [Kind; 12] = [
    Kind::App,
    Kind::Behaviour,
    Kind::Category,
    Kind::Brand,
    Kind::Name,
    Kind::Interface,
    Kind::Tunnel,
    Kind::SrcRole,
    Kind::DstRole,
    Kind::SrcIp,
    Kind::DstIp,
    Kind::DstPort,
];

/// Reads both sides: `A vs B`.
fn sides(
    text: &str,
    ask: &Ask<'_>,
    sources: &Sources<'_>,
) -> Result<([Side; 2], Vec<String>), QueryError> {
    let bad = |expected: &str| QueryError::Value {
        key: "compare".into(),
        value: text.into(),
        expected: expected.into(),
    };
    let (a, b) = text
        .split_once(" vs ")
        .ok_or_else(|| bad("two windows (FROM..TO vs FROM..TO) or two hosts (host:A vs host:B)"))?;
    let mut notes = Vec::new();
    let mut host = |text: &str| -> Result<Option<IpAddr>, QueryError> {
        let text = text.trim();
        let named = text.strip_prefix("host:");
        if named.is_none() && text.parse::<IpAddr>().is_err() {
            return Ok(None);
        }
        let (ip, note) = resolve(named.unwrap_or(text), ask, sources)?;
        notes.extend(note);
        Ok(Some(ip))
    };
    let sides = match (host(a)?, host(b)?) {
        (Some(a), Some(b)) => [Side::Host(a), Side::Host(b)],
        (None, None) => {
            [Side::Window(Window::read(a, ask.now)?), Side::Window(Window::read(b, ask.now)?)]
        }
        _ => return Err(bad("two windows or two hosts, not one of each")),
    };
    Ok((sides, notes))
}

/// A difference.
struct Change {
    rank: f64,
    what: &'static str,
    value: String,
    sums: [Sum; 2],
    filter: Option<Part>,
}

/// The log-likelihood ratio of `a` in `of_a` beside `b` in `of_b`.
fn surprise(a: f64, b: f64, of_a: f64, of_b: f64) -> f64 {
    let expected = |of: f64| (a + b) * of / (of_a + of_b);
    let part = |n: f64, of: f64| if n > 0.0 { n * (n / expected(of)).ln() } else { 0.0 };
    (2.0 * (part(a, of_a) + part(b, of_b))).max(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts for a statistic")]
fn real(n: u64) -> f64 {
    n as f64
}

/// How much a difference counts; `None` where it is none.
fn rank(sums: &[Sum; 2], exposure: [f64; 2], weight: f64) -> Option<f64> {
    let [a, b] = sums;
    let by_flows = surprise(real(a.flows), real(b.flows), exposure[0], exposure[1]);
    // Bytes come in lumps: counted in the size of a usual flow of both.
    let lump = (real(a.bytes) + real(b.bytes)) / real(a.flows + b.flows).max(1.0);
    let scale = lump.max(10_000.0);
    let by_bytes = surprise(real(a.bytes) / scale, real(b.bytes) / scale, exposure[0], exposure[1]);
    let most = by_flows.max(by_bytes);
    let only = a.flows == 0 || b.flows == 0;
    if most < CHANCE && !(only && weight >= 3.0) && !(only && most >= 1.0) {
        return None;
    }
    let ratio = ratio(sums, exposure);
    if !only && ratio < 2.0 && by_bytes < 4.0 * CHANCE {
        return None;
    }
    Some(weight * (1.0 + most).ln() * if only { 1.5 } else { 1.0 })
}

/// How many times more the larger rate is.
fn ratio(sums: &[Sum; 2], exposure: [f64; 2]) -> f64 {
    let rate = |n: u64, of: f64| real(n) / of;
    let [a, b] = sums;
    let of = |x: u64, y: u64| {
        let (x, y) = (rate(x, exposure[0]), rate(y, exposure[1]));
        x.max(y) / x.min(y).max(f64::MIN_POSITIVE)
    };
    of(a.flows, b.flows).min(1e9)
}

/// What is new, gone, more and less in the second of `A vs B`.
///
/// # Errors
/// A side cannot be read, or names nothing; or the index refuses.
pub fn compare(text: &str, ask: &Ask<'_>, sources: &Sources<'_>) -> Result<Answer, QueryError> {
    let (sides, mut notes) = sides(text, ask, sources)?;
    let [first, second] = &sides;
    let clause = |side: &Side| match side {
        Side::Window(window) => window.clause(),
        Side::Host(ip) => Clause::either(Term::ip(Kind::SrcIp, *ip), Term::ip(Kind::DstIp, *ip)),
    };
    let mut also = vec![clause(first), clause(second)];
    let mut own = Vec::new();
    for side in &sides {
        if let Side::Host(ip) = side {
            also.push(Clause::Has(Term::ip(Kind::SrcIp, *ip)));
            also.push(Clause::Has(Term::ip(Kind::DstIp, *ip)));
            own.push(*ip);
        }
    }
    let mut filter = rows::clauses(&ask.also, ask.tags)?;
    filter.push(Clause::Not(Box::new(no_flows())));
    filter.push(Clause::Any(also[..2].to_vec()));
    if let [Side::Window(a), Side::Window(b)] = &sides {
        // Only what either touches is opened.
        filter.push(Clause::Time { from: a.from.min(b.from), until: a.until.max(b.until) });
    }
    let walk = Walk { filter, also, as_of: ask.as_of };
    let mut totals = [Sum::default(); 2];
    let walked: Walked = window::over(sources, |index| {
        index.events(&walk, &mut |event| {
            for (sum, bit) in totals.iter_mut().zip([A, B]) {
                if event.held & bit != 0 {
                    sum.add(event);
                }
            }
        })
    })?;
    let mut values = Values {
        hosts: !own.is_empty(),
        own,
        all: HashMap::new(),
        now: None,
        sums: HashMap::new(),
        left_out: 0,
    };
    window::over(sources, |index| {
        let walked = index.terms(&walk, &KINDS, &mut values);
        values.settle();
        walked
    })?;
    if let Some((side, _)) = sides.iter().zip(totals).find(|(_, sum)| sum.flows == 0) {
        notes.push(format!("nothing is known of {}", rows::conditions(&side.parts())));
    }
    let exposure = match &sides {
        [Side::Window(a), Side::Window(b)] => [minutes(a), minutes(b)],
        _ => [1.0, 1.0],
    };
    let changes = changes(&values, &totals, exposure);
    let (count, rows) = told(changes, &sides, exposure, ask);
    if values.left_out > 0 {
        notes.push(format!("{} values found no room and are not compared", values.left_out));
    }
    let windows = matches!(first, Side::Window(_));
    let per = if windows { ["a_per_min", "b_per_min"] } else { ["a_packets", "b_packets"] };
    let table = Table {
        rows,
        columns: rows::columns(&[
            ("change", Unit::Text),
            ("what", Unit::Text),
            ("value", Unit::Text),
            ("a_flows", Unit::Count),
            ("b_flows", Unit::Count),
            (per[0], if windows { Unit::Decimal } else { Unit::Count }),
            (per[1], if windows { Unit::Decimal } else { Unit::Count }),
            ("a_bytes", Unit::Bytes),
            ("b_bytes", Unit::Bytes),
            ("seq", Unit::Text),
            ("list", Unit::Text),
        ]),
        told: format!("{count} differences; {} flows beside {}", totals[0].flows, totals[1].flows),
    };
    let understood = format!(
        "compare {} vs {} {}",
        rows::conditions(&first.parts()),
        rows::conditions(&second.parts()),
        rows::conditions(&ask.also)
    );
    Ok(rows::answer(understood.trim_end().to_owned(), walked, 0, table, notes))
}

fn minutes(window: &Window) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a length for a rate")]
    let ns = window.length_ns() as f64;
    (ns / 60e9).max(1e-3)
}

/// Every difference worth telling, most surprising first; equal ones by their names.
fn changes(values: &Values, totals: &[Sum; 2], exposure: [f64; 2]) -> Vec<Change> {
    let mut all = Vec::new();
    let below = told_below(values);
    for ((what, value), sums) in &values.all {
        if *what == What::Name && below.contains(&**value) {
            continue;
        }
        let Some((value, filter)) = shown(*what, value) else { continue };
        let Some(rank) = rank(sums, exposure, what.weight(&value)) else { continue };
        all.push(Change { rank, what: what.name(), value, sums: *sums, filter: Some(filter) });
    }
    if let Some(rank) = rank(totals, exposure, 1.2) {
        let (what, value) = ("traffic", "all flows".to_owned());
        all.push(Change { rank, what, value, sums: *totals, filter: None });
    }
    all.sort_by(|a, b| {
        b.rank.total_cmp(&a.rank).then_with(|| (a.what, &a.value).cmp(&(b.what, &b.value)))
    });
    let mut of_kind: HashMap<&str, usize> = HashMap::new();
    // The first few of each kind, then the rest.
    let (mut head, mut rest) = (Vec::new(), Vec::new());
    for change in all {
        let told = of_kind.entry(change.what).or_default();
        *told += 1;
        if *told <= ROWS_PER_KIND { head.push(change) } else { rest.push(change) }
    }
    head.extend(rest);
    head
}

/// Names that were seen exactly as often as a longer one below them: that one is told.
fn told_below(values: &Values) -> HashSet<&[u8]> {
    let mut told = HashSet::new();
    for ((what, name), sums) in &values.all {
        if *what != What::Name {
            continue;
        }
        let mut rest: &[u8] = name;
        while let Some(dot) = rest.iter().position(|b| *b == b'.') {
            rest = rest.get(dot + 1..).unwrap_or_default();
            if let Some((key, above)) = values.all.get_key_value(&(What::Name, rest.into()))
                && above.iter().zip(sums).all(|(a, b)| a.flows == b.flows)
            {
                told.insert(&*key.1);
            }
        }
    }
    told
}

/// A value as people type it, and the filter that lists it.
fn shown(what: What, value: &[u8]) -> Option<(String, Part)> {
    let kind = match what {
        What::Behaviour => Kind::Behaviour,
        What::Application => Kind::App,
        What::Category => Kind::Category,
        What::Brand => Kind::Brand,
        What::Name => Kind::Name,
        What::Interface => Kind::Interface,
        What::Tunnel => Kind::Tunnel,
        What::Role => Kind::SrcRole,
        What::Source | What::AskedBy => Kind::SrcIp,
        What::Target | What::Asks => Kind::DstIp,
        What::Port | What::Serves | What::Uses => Kind::DstPort,
    };
    rows::term(kind, value)
}

/// Rows, and how many differences there are.
fn told(
    changes: Vec<Change>,
    sides: &[Side; 2],
    exposure: [f64; 2],
    ask: &Ask<'_>,
) -> (usize, Vec<Vec<Cell>>) {
    let count = changes.len();
    let windows = matches!(sides[0], Side::Window(_));
    let rows = changes.into_iter().take(rows::most(ask)).map(|change| {
        let [a, b] = change.sums;
        let rates = [real(a.flows) / exposure[0], real(b.flows) / exposure[1]];
        let more = match (a.flows, b.flows) {
            (0, _) => "new",
            (_, 0) => "gone",
            _ if ratio(&change.sums, exposure) >= 2.0 => {
                if rates[1] > rates[0] {
                    "more"
                } else {
                    "less"
                }
            }
            _ if real(b.bytes) / exposure[1] > real(a.bytes) / exposure[0] => "more bytes",
            _ => "less bytes",
        };
        let later = !matches!(more, "gone" | "less" | "less bytes");
        let (side, evidence) = if later { (&sides[1], b.seq) } else { (&sides[0], a.seq) };
        let mut list = side.parts();
        if let (Side::Host(ip), what) = (side, change.what) {
            // The direction is the host's part in it.
            if matches!(what, "asks" | "uses port") {
                list = vec![Part::must(Key::Src, [ip.to_string()])];
            } else if matches!(what, "asked by" | "serves port") {
                list = vec![Part::must(Key::Dst, [ip.to_string()])];
            }
        }
        list.extend(change.filter);
        list.extend(ask.also.iter().cloned());
        let rate = |side: usize, packets: u64| {
            if windows { rows::decimal(rates[side]) } else { Cell::Number(packets) }
        };
        vec![
            rows::text(more),
            rows::text(change.what),
            rows::text(change.value),
            Cell::Number(a.flows),
            Cell::Number(b.flows),
            rate(0, a.packets),
            rate(1, b.packets),
            Cell::Number(a.bytes),
            Cell::Number(b.bytes),
            rows::text(evidence.to_string()),
            rows::text(rows::conditions(&list)),
        ]
    });
    (count, rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rates_surprise_nobody_and_lengths_are_taken_out() {
        assert!(surprise(60.0, 10.0, 60.0, 10.0) < 1e-9);
        assert!(surprise(60.0, 60.0, 60.0, 10.0) > CHANCE);
        assert!(surprise(0.0, 3.0, 1.0, 1.0) < surprise(0.0, 30.0, 1.0, 1.0));
    }

    #[test]
    fn a_difference_never_ranks_below_nothing_and_its_order_has_no_sign() {
        bolero::check!().with_type::<([u32; 4], u8, u8)>().with_iterations(5000).for_each(
            |([fa, fb, ba, bb], ea, eb)| {
                let sum = |flows: u32, bytes: u32| Sum {
                    flows: flows.into(),
                    bytes: bytes.into(),
                    ..Sum::default()
                };
                let sums = [sum(*fa, *ba), sum(*fb, *bb)];
                let exposure = [f64::from(*ea) + 1.0, f64::from(*eb) + 1.0];
                let turned = rank(&[sums[1], sums[0]], [exposure[1], exposure[0]], 1.0);
                let rank = rank(&sums, exposure, 1.0);
                assert!(rank.is_none_or(|r| r.is_finite() && r >= 0.0), "{rank:?}");
                match (rank, turned) {
                    (Some(a), Some(b)) => assert!((a - b).abs() <= 1e-6 * a.abs().max(1.0)),
                    (a, b) => assert_eq!(a.is_some(), b.is_some()),
                }
            },
        );
    }
}
