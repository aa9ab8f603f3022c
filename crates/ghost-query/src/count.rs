//! Questions that count: one walk over what meets the conditions, summed up by value and time.
//!
//! An event counts once under each of its values. Only flows are counted where the conditions name
//! no other kind of event: points of packets are parts of flows. Of names the whole ones count, not
//! the domains above them.

use std::collections::HashMap;

use ghost_event::{Seq, Timestamp};
use ghost_index::{Clause, Index, Kind, Met, Visit, Walk, Walked};

use crate::aggregate::{Aggregate, Amount, Dimension};
use crate::answer::{Answer, Ask, Searched, Sources};
use crate::error::QueryError;
use crate::filter::{Key, no_flows};
use crate::rows;
use crate::table::{Cell, Column, Table, Unit};
use crate::understand::Understanding;
use crate::{limits, units};

/// What events amount to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    flows: u64,
    out: u64,
    back: u64,
    packets: u64,
    duration_us: u64,
}

impl Sum {
    fn take(&mut self, event: &Fact) {
        self.flows += 1;
        self.out = self.out.saturating_add(event.out);
        self.back = self.back.saturating_add(event.back);
        self.packets = self.packets.saturating_add(event.packets);
        self.duration_us = self.duration_us.saturating_add(event.duration_us);
    }

    fn of(&self, amount: Amount) -> u64 {
        match amount {
            Amount::Flows => self.flows,
            Amount::Bytes => self.out.saturating_add(self.back),
            Amount::BytesOut => self.out,
            Amount::BytesIn => self.back,
            Amount::Packets => self.packets,
            Amount::Duration => self.duration_us,
        }
    }
}

/// Which event: numbers of several logs may be alike, conversations under one number hardly.
type Id = (Seq, u64);

/// What is read of one event.
#[derive(Debug, Clone, Copy)]
struct Fact {
    id: Id,
    start: i64,
    out: u64,
    back: u64,
    packets: u64,
    duration_us: u64,
}

fn id(met: &Met<'_>) -> Id {
    (met.seq(), met.flow())
}

impl Fact {
    fn of(met: &Met<'_>) -> Fact {
        Fact {
            id: id(met),
            start: met.start().0,
            out: met.bytes_to_server(),
            back: met.bytes_to_client(),
            packets: met.packets(),
            duration_us: met.duration_us(),
        }
    }
}

/// The kinds of terms that a dimension is read from.
fn kinds(dimension: &Dimension) -> &'static [Kind] {
    match dimension {
        Dimension::Src => &[Kind::SrcIp],
        Dimension::Dst => &[Kind::DstIp],
        Dimension::Host => &[Kind::SrcIp, Kind::DstIp],
        Dimension::App => &[Kind::App],
        Dimension::Category => &[Kind::Category],
        Dimension::Brand => &[Kind::Brand],
        Dimension::Behaviour => &[Kind::Behaviour],
        Dimension::Proto => &[Kind::Proto],
        Dimension::Port => &[Kind::SrcPort, Kind::DstPort],
        Dimension::SrcPort => &[Kind::SrcPort],
        Dimension::DstPort => &[Kind::DstPort],
        Dimension::Name => &[Kind::Name],
        Dimension::Mac => &[Kind::SrcMac, Kind::DstMac],
        Dimension::Vlan => &[Kind::Vlan],
        Dimension::Interface => &[Kind::Interface],
        Dimension::Zone => &[Kind::SrcZone, Kind::DstZone],
        Dimension::SrcZone => &[Kind::SrcZone],
        Dimension::DstZone => &[Kind::DstZone],
        Dimension::Role => &[Kind::SrcRole, Kind::DstRole],
        Dimension::SrcRole => &[Kind::SrcRole],
        Dimension::DstRole => &[Kind::DstRole],
        Dimension::Tunnel => &[Kind::Tunnel],
        Dimension::Fact(_) => &[Kind::Fact],
    }
}

/// A term's value as a cell says it; `None` where it is not of the dimension.
fn label(dimension: &Dimension, kind: Kind, value: &[u8]) -> Option<String> {
    match (dimension, kind) {
        (Dimension::Fact(path), _) => {
            let rest = value.strip_prefix(path.as_bytes())?.strip_prefix(b"=")?;
            std::str::from_utf8(rest).ok().map(str::to_owned)
        }
        (_, Kind::SrcIp | Kind::DstIp) => rows::address(value).map(|ip| ip.to_string()),
        (_, Kind::SrcPort | Kind::DstPort | Kind::Vlan) => {
            let bytes: [u8; 2] = value.try_into().ok()?;
            Some(u16::from_be_bytes(bytes).to_string())
        }
        (_, Kind::SrcMac | Kind::DstMac) => {
            let bytes: [u8; 6] = value.try_into().ok()?;
            Some(bytes.map(|byte| format!("{byte:02x}")).join(":"))
        }
        _ => std::str::from_utf8(value).ok().map(str::to_owned),
    }
}

/// Each value of each event once, in the order of the events; the values' labels by number.
type Valued = (Vec<(Id, u32)>, Vec<String>);

/// The values of one dimension, and which events have them.
struct Values<'d> {
    dimension: &'d Dimension,
    labels: HashMap<String, u32>,
    now: Option<u32>,
    /// Event and value.
    pairs: Vec<(Id, u32)>,
}

impl Visit for Values<'_> {
    fn term(&mut self, kind: Kind, value: &[u8]) -> bool {
        let Some(label) = label(self.dimension, kind, value) else { return false };
        let next = u32::try_from(self.labels.len()).unwrap_or(u32::MAX);
        self.now = Some(*self.labels.entry(label).or_insert(next));
        true
    }

    fn event(&mut self, event: &Met<'_>) {
        if let Some(value) = self.now {
            self.pairs.push((id(event), value));
        }
    }
}

impl Values<'_> {
    /// Each value of each event once, in the order of the events; their labels by number.
    fn done(mut self) -> Valued {
        self.pairs.sort_unstable();
        self.pairs.dedup();
        let mut labels = vec![String::new(); self.labels.len()];
        for (label, at) in self.labels {
            if let Some(place) = labels.get_mut(at as usize) {
                *place = label;
            }
        }
        if *self.dimension == Dimension::Name {
            return (whole_names(&self.pairs, &labels), labels);
        }
        (self.pairs, labels)
    }
}

/// Leaves out the names of an event that only are above another of its names.
fn whole_names(pairs: &[(Id, u32)], labels: &[String]) -> Vec<(Id, u32)> {
    let name = |value: u32| labels.get(value as usize).map_or("", String::as_str);
    let above = |parent: &str, name: &str| {
        name.len() > parent.len() + 1
            && name.ends_with(parent)
            && name.as_bytes().get(name.len() - parent.len() - 1) == Some(&b'.')
    };
    let of_event = pairs.chunk_by(|a, b| a.0 == b.0);
    let whole = of_event.flat_map(|names| {
        names.iter().filter(move |(_, value)| {
            let parent = name(*value);
            !names.iter().any(|(_, other)| above(parent, name(*other)))
        })
    });
    whole.copied().collect()
}

/// Sums by values and stretch of time.
#[derive(Default)]
struct Groups {
    sums: HashMap<(i64, [u32; limits::DIMENSIONS_MAX]), Sum>,
    /// Of groups that found no room.
    rest: Sum,
    total: Sum,
}

impl Groups {
    fn take(&mut self, key: (i64, [u32; limits::DIMENSIONS_MAX]), fact: &Fact) {
        if self.sums.len() >= limits::GROUPS_MAX && !self.sums.contains_key(&key) {
            self.rest.take(fact);
            return;
        }
        self.sums.entry(key).or_default().take(fact);
    }
}

/// The stretch of time that `start` lies in.
fn bucket(start: i64, every_s: Option<u64>) -> i64 {
    let every =
        every_s.and_then(|s| i64::try_from(s).ok()).and_then(|s| s.checked_mul(1_000_000_000));
    match every {
        Some(every) if every > 0 => start.div_euclid(every).saturating_mul(every),
        _ => 0,
    }
}

/// Lengths of stretches of time that people read easily.
const STRETCHES_S: &[u64] = &[
    1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 86_400, 604_800, 2_592_000, 31_536_000,
];

/// Stretches of time of one answer where the answer chooses their length.
const STRETCHES: u64 = 48;

fn stretch(facts: &[Fact]) -> u64 {
    let first = facts.iter().map(|f| f.start).min().unwrap_or(0);
    let last = facts.iter().map(|f| f.start).max().unwrap_or(0);
    let span_s = Timestamp(last).ns_since(Timestamp(first)) / 1_000_000_000;
    let fits = STRETCHES_S.iter().find(|s| span_s / **s < STRETCHES);
    fits.or(STRETCHES_S.last()).copied().unwrap_or(3600)
}

/// Counts what meets the conditions of `understanding`.
///
/// # Errors
/// A filter names no tag, or the index refuses.
pub(crate) fn count(
    mut understanding: Understanding,
    mut aggregate: Aggregate,
    ask: &Ask<'_>,
    sources: &Sources<'_>,
) -> Result<Answer, QueryError> {
    let mut filter = rows::clauses(&understanding.parts, ask.tags)?;
    if understanding.on(&Key::Event).next().is_none() {
        filter.push(Clause::Not(Box::new(no_flows())));
    }
    let walk = Walk { filter, as_of: ask.as_of, ..Walk::default() };
    let all: Vec<&dyn Index> = [Some(sources.index), sources.tail].into_iter().flatten().collect();
    let mut walked = Walked::default();
    let mut facts: Vec<Fact> = Vec::new();
    for index in &all {
        walked = walked.join(index.events(&walk, &mut |met| facts.push(Fact::of(met)))?);
    }
    facts.sort_unstable_by_key(|fact| fact.id);
    if aggregate.every_s == Some(0) {
        aggregate.every_s = Some(stretch(&facts));
    }
    let mut values = Vec::with_capacity(aggregate.by.len());
    for dimension in &aggregate.by {
        let mut visit = Values { dimension, labels: HashMap::new(), now: None, pairs: Vec::new() };
        for index in &all {
            index.terms(&walk, kinds(dimension), &mut visit)?;
        }
        values.push(visit.done());
    }
    let groups = grouped(&facts, &values, aggregate.every_s);
    let labels: Vec<&[String]> = values.iter().map(|(_, labels)| labels.as_slice()).collect();
    let table = table(&aggregate, groups, &labels, ask);
    let mut notes: Vec<String> =
        walked.damaged.iter().map(|d| format!("not searched: {d}")).collect();
    if walked.matched == 0 {
        notes.push("nothing meets the conditions".to_owned());
    }
    if !understanding.ignored.is_empty() {
        notes.push(format!(
            "counted without regard to: {}; put it as key:value where it matters",
            understanding.ignored.join(" ")
        ));
    }
    understanding.aggregate = Some(aggregate);
    understanding.ignored.clear();
    Ok(Answer {
        understood: understanding.to_string(),
        searched: Searched {
            events: walked.searched,
            matched: walked.matched,
            span: walked.span,
            shapes: sources.index.shapes().len() as u64,
            ..Searched::default()
        },
        notes,
        hits: Vec::new(),
        table: Some(table),
        understanding,
    })
}

fn grouped(facts: &[Fact], values: &[Valued], every_s: Option<u64>) -> Groups {
    let mut groups = Groups::default();
    let mut at = vec![0; values.len()];
    for fact in facts {
        groups.total.take(fact);
        let time = bucket(fact.start, every_s);
        let mut keys = vec![[0; limits::DIMENSIONS_MAX]];
        for (which, ((pairs, _), at)) in values.iter().zip(&mut at).enumerate() {
            // Both are in the order of the events.
            while pairs.get(*at).is_some_and(|pair| pair.0 < fact.id) {
                *at += 1;
            }
            let own: Vec<u32> = pairs
                .get(*at..)
                .unwrap_or_default()
                .iter()
                .take_while(|pair| pair.0 == fact.id)
                .map(|pair| pair.1)
                .collect();
            let each = keys.iter().flat_map(|key| {
                own.iter().map(move |value| {
                    let mut key = *key;
                    if let Some(place) = key.get_mut(which) {
                        *place = *value;
                    }
                    key
                })
            });
            keys = each.collect();
        }
        for key in keys {
            groups.take((time, key), fact);
        }
    }
    groups
}

fn unit(amount: Amount) -> Unit {
    match amount {
        Amount::Flows | Amount::Packets => Unit::Count,
        Amount::Bytes | Amount::BytesOut | Amount::BytesIn => Unit::Bytes,
        Amount::Duration => Unit::Duration,
    }
}

/// The amounts of a row: what was asked for first, then what is always of use.
fn amounts(aggregate: &Aggregate) -> Vec<Amount> {
    let mut amounts = vec![aggregate.of];
    for also in [Amount::Flows, Amount::Bytes, Amount::Packets] {
        if !amounts.contains(&also) {
            amounts.push(also);
        }
    }
    amounts
}

fn table(aggregate: &Aggregate, groups: Groups, labels: &[&[String]], ask: &Ask<'_>) -> Table {
    let amounts = amounts(aggregate);
    let mut columns: Vec<Column> = Vec::new();
    if aggregate.every_s.is_some() {
        columns.push(Column { name: "from".to_owned(), unit: Unit::Time });
    }
    let dimensions = aggregate.by.iter().map(|d| d.name().to_owned());
    columns.extend(dimensions.map(|name| Column { name, unit: Unit::Text }));
    let told = amounts.iter().map(|a| Column { name: a.name().to_owned(), unit: unit(*a) });
    columns.extend(told);
    let told = told_of(aggregate, &groups);
    let name = |which: usize, value: u32| {
        labels.get(which).and_then(|l| l.get(value as usize)).map_or("", String::as_str)
    };
    let names = |key: &[u32; limits::DIMENSIONS_MAX]| -> Vec<String> {
        let each = aggregate.by.iter().zip(key).enumerate();
        each.map(|(which, (_, value))| name(which, *value).to_owned()).collect()
    };
    let mut sums: Vec<(i64, Vec<String>, Sum)> =
        groups.sums.iter().map(|((time, key), sum)| (*time, names(key), *sum)).collect();
    let (of, least) = (aggregate.of, aggregate.least);
    let rank = |sum: &Sum| (sum.of(of), sum.flows);
    sums.sort_unstable_by(|a, b| {
        let by_rank = rank(&b.2).cmp(&rank(&a.2));
        (if least { by_rank.reverse() } else { by_rank })
            .then_with(|| (a.0, &a.1).cmp(&(b.0, &b.1)))
    });
    if let Some(every_s) = aggregate.every_s {
        in_order_of_time(&mut sums, aggregate, every_s);
    } else {
        sums.truncate(rows_of(aggregate, ask));
    }
    let rows = sums.into_iter().map(|(time, names, sum)| {
        let mut row = Vec::with_capacity(columns.len());
        if aggregate.every_s.is_some() {
            row.push(Cell::Time(time));
        }
        row.extend(names.into_iter().map(Cell::Text));
        row.extend(amounts.iter().map(|amount| Cell::Number(sum.of(*amount))));
        row
    });
    let rows = rows.collect();
    Table { columns, rows, told }
}

fn rows_of(aggregate: &Aggregate, ask: &Ask<'_>) -> usize {
    match (aggregate.by.is_empty(), aggregate.rows, ask.limit) {
        (true, ..) => 1,
        (_, 0, 0) => limits::ROWS_MAX,
        (_, 0, limit) => limit.min(limits::ROWS_MAX),
        (_, rows, _) => rows,
    }
}

/// The earliest first, each stretch with the largest of its values, none left out in which nothing
/// was.
fn in_order_of_time(sums: &mut Vec<(i64, Vec<String>, Sum)>, aggregate: &Aggregate, every_s: u64) {
    let values = if aggregate.rows == 0 { limits::ROWS_DEFAULT } else { aggregate.rows };
    // A stable sort: within one stretch the order stays.
    sums.sort_by_key(|row| row.0);
    if !aggregate.by.is_empty() {
        let mut kept = 0;
        let mut last = None;
        sums.retain(|row| {
            kept = if last == Some(row.0) { kept + 1 } else { 1 };
            last = Some(row.0);
            kept <= values
        });
    } else if let (Some(first), Some(last)) = (sums.first().map(|r| r.0), sums.last().map(|r| r.0))
        && let Some(every) = i64::try_from(every_s).ok().and_then(|s| s.checked_mul(1_000_000_000))
        && every > 0
        && (last - first) / every < i64::try_from(limits::ROWS_MAX).unwrap_or(i64::MAX)
    {
        let known: HashMap<i64, Sum> = sums.iter().map(|row| (row.0, row.2)).collect();
        let steps = 0..=(last - first) / every;
        let row = |step: i64| {
            let time = first + step * every;
            (time, Vec::new(), known.get(&time).copied().unwrap_or_default())
        };
        *sums = steps.map(row).collect();
    }
    sums.truncate(limits::ROWS_MAX);
}

/// What all together amount to, in a sentence.
fn told_of(aggregate: &Aggregate, groups: &Groups) -> String {
    let total = &groups.total;
    let mut told = String::new();
    if !aggregate.by.is_empty() && aggregate.every_s.is_none() {
        let names: Vec<&str> = aggregate.by.iter().map(Dimension::name).collect();
        told += &format!(
            "{} different {}; ",
            units::grouped(groups.sums.len() as u64),
            names.join("-")
        );
    }
    told += &format!(
        "in all {} {}, {} bytes, {} packets",
        units::grouped(total.flows),
        if total.flows == 1 { "flow" } else { "flows" },
        units::grouped(total.of(Amount::Bytes)),
        units::grouped(total.packets),
    );
    if groups.rest.flows > 0 {
        told += &format!(
            "; {} flows of further values were not told apart",
            units::grouped(groups.rest.flows)
        );
    }
    told
}
