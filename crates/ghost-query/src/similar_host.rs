//! Hosts like one: those that do the same, and of which the same is asked.
//!
//! A host is two means of shapes: of the flows that it opened and of those that it was asked for.
//! What few hosts do weighs more than what all do. Addresses, names and ports take no part but
//! through the shapes, so that a printer is like a printer in another building.

use std::collections::HashMap;
use std::net::IpAddr;

use ghost_index::{Clause, Kind, Met, Term, Visit, Walk, Walked};

use crate::answer::{Answer, Ask, Sources};
use crate::error::QueryError;
use crate::filter::{Key, Part};
use crate::limits::{HOSTS_MAX, SIMILAR_CELLS_MAX};
use crate::rows;
use crate::similar_window::weights;
use crate::space::{Place, Space, few};
use crate::table::{Cell, Table, Unit};
use crate::window;

/// Both sides of a host: what it opened, and what it was asked for.
type Sides = [HashMap<u32, u64>; 2];

/// What every host did.
struct Hosts<'s, 'a> {
    space: &'s Space<'a>,
    all: HashMap<IpAddr, Sides>,
    now: Option<(IpAddr, usize)>,
    cells: usize,
    left_out: u64,
}

impl Visit for Hosts<'_, '_> {
    fn term(&mut self, kind: Kind, value: &[u8]) -> bool {
        let side = usize::from(kind == Kind::DstIp);
        self.now = rows::address(value).filter(is_host).map(|ip| (ip, side));
        self.now.is_some()
    }

    fn event(&mut self, event: &Met<'_>) {
        let Some((ip, side)) = self.now else { return };
        let Some(shape) = self.space.number(event.shape()) else { return };
        let full = self.cells >= SIMILAR_CELLS_MAX
            || (self.all.len() >= HOSTS_MAX && !self.all.contains_key(&ip));
        if full {
            self.left_out += 1;
            return;
        }
        if let Some(shapes) = self.all.entry(ip).or_default().get_mut(side) {
            let flows = shapes.entry(shape).or_insert_with(|| {
                self.cells += 1;
                0
            });
            *flows += 1;
        }
    }
}

/// One host's address, and no group's.
pub(crate) fn is_host(ip: &IpAddr) -> bool {
    !ip.is_multicast() && !ip.is_unspecified() && !matches!(ip, IpAddr::V4(v4) if v4.is_broadcast())
}

/// The address that `host` means: itself, or the one that most events of its name have.
///
/// # Errors
/// No event names it.
pub(crate) fn resolve(
    host: &str,
    ask: &Ask<'_>,
    sources: &Sources<'_>,
) -> Result<(IpAddr, Option<String>), QueryError> {
    let host = host.trim();
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok((ip.to_canonical(), None));
    }
    let named = Part::must(Key::Host, [host.to_owned()]).filter.clause(ask.tags)?;
    // Who asked for the name and who resolved it are not it.
    let asked = Clause::Has(Term::text(Kind::App, "dns"));
    let mut counts = Counts::default();
    for filter in [vec![named.clone(), Clause::Not(Box::new(asked))], vec![named]] {
        let walk = Walk { filter, also: Vec::new(), as_of: ask.as_of };
        window::over(sources, |index| {
            index.terms(&walk, &[Kind::SrcIp, Kind::DstIp], &mut counts)
        })?;
        if !counts.all.is_empty() {
            break;
        }
    }
    // A name is told to whom one goes; only who tells its own stands at the other side.
    let best = counts.all.iter().max_by_key(|((ip, side), n)| (**n, *side, std::cmp::Reverse(*ip)));
    let Some(((ip, _), events)) = best else {
        return Err(QueryError::NoEvent(format!("of host {host}")));
    };
    Ok((*ip, Some(format!("{host} is taken to be {ip}, by {events} events that name it"))))
}

#[derive(Default)]
struct Counts {
    all: HashMap<(IpAddr, usize), u64>,
    now: Option<(IpAddr, usize)>,
}

impl Visit for Counts {
    fn term(&mut self, kind: Kind, value: &[u8]) -> bool {
        let side = usize::from(kind == Kind::DstIp);
        self.now = rows::address(value).filter(is_host).map(|ip| (ip, side));
        self.now.is_some()
    }
    fn event(&mut self, _event: &Met<'_>) {
        if let Some(now) = self.now
            && (self.all.len() < HOSTS_MAX || self.all.contains_key(&now))
        {
            *self.all.entry(now).or_default() += 1;
        }
    }
}

/// Where a host lies: two places, and how much of it each side is.
struct Profile {
    places: [Place; 2],
    parts: [f32; 2],
}

fn profile(sides: &Sides, rarity: &[HashMap<u32, f32>; 2], space: &Space<'_>) -> Profile {
    let [opened, asked] = sides;
    let [a, b] = [weights(opened, &rarity[0]), weights(asked, &rarity[1])];
    let weight = |of: &[(u32, f32)]| of.iter().map(|w| w.1).sum::<f32>();
    let (wa, wb) = (weight(&a), weight(&b));
    let all = (wa + wb).max(f32::EPSILON);
    Profile { places: [space.place(a), space.place(b)], parts: [wa / all, wb / all] }
}

/// How alike: side by side, each by how much of both hosts it is.
fn alike(a: &Profile, b: &Profile) -> f32 {
    (0..2)
        .map(|side| (a.parts[side] * b.parts[side]).sqrt() * a.places[side].cosine(&b.places[side]))
        .sum()
}

fn rarity(hosts: &HashMap<IpAddr, Sides>, side: usize) -> HashMap<u32, f32> {
    let mut seen: HashMap<u32, f32> = HashMap::new();
    for sides in hosts.values() {
        for shape in sides[side].keys() {
            *seen.entry(*shape).or_default() += 1.0;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of hosts")]
    let all = hosts.len() as f32;
    seen.values_mut().for_each(|of| *of = (1.0 + all / *of).ln());
    seen
}

/// What is like the host.
pub(crate) fn similar_host(
    host: &str,
    ask: &Ask<'_>,
    sources: &Sources<'_>,
) -> Result<Answer, QueryError> {
    let (ip, told) = resolve(host, ask, sources)?;
    let space = Space::of(sources);
    let mut filter = rows::clauses(&ask.also, ask.tags)?;
    filter.push(Clause::Not(Box::new(crate::filter::no_flows())));
    let walk = Walk { filter, also: Vec::new(), as_of: ask.as_of };
    let mut hosts = Hosts { space: &space, all: HashMap::new(), now: None, cells: 0, left_out: 0 };
    let walked: Walked =
        window::over(sources, |index| index.terms(&walk, &[Kind::SrcIp, Kind::DstIp], &mut hosts))?;
    let Some(own) = hosts.all.get(&ip) else {
        return Err(QueryError::NoEvent(format!("of host {ip}")));
    };
    let rarity = [rarity(&hosts.all, 0), rarity(&hosts.all, 1)];
    let profiled = profile(own, &rarity, &space);
    let mut near: Vec<(f32, IpAddr, &Sides)> = hosts
        .all
        .iter()
        .filter(|(other, _)| **other != ip)
        .map(|(other, sides)| (alike(&profiled, &profile(sides, &rarity, &space)), *other, sides))
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let count = near.len();
    let flows = |sides: &Sides, side: usize| sides[side].values().sum::<u64>();
    let rows = near.into_iter().take(rows::most(ask)).map(|(score, other, sides)| {
        let part = Part::must(Key::Host, [other.to_string()]);
        vec![
            rows::decimal(f64::from(score)),
            rows::text(other.to_string()),
            Cell::Number(flows(sides, 0)),
            Cell::Number(flows(sides, 1)),
            rows::text(shared(own, sides, &rarity, &space)),
            rows::text(rows::conditions(&[&[part][..], &ask.also].concat())),
        ]
    });
    let table = Table {
        rows: rows.collect(),
        columns: rows::columns(&[
            ("score", Unit::Decimal),
            ("host", Unit::Text),
            ("opened", Unit::Count),
            ("asked", Unit::Count),
            ("why", Unit::Text),
            ("list", Unit::Text),
        ]),
        told: format!(
            "{count} other hosts; {ip} opened {} flows and was asked for {}",
            flows(own, 0),
            flows(own, 1)
        ),
    };
    let mut notes: Vec<String> = told.into_iter().collect();
    if hosts.left_out > 0 {
        let left_out = hosts.left_out;
        notes.push(format!(
            "{left_out} flows of hosts found no room: name a shorter time (since:, until:)"
        ));
    }
    let part = Part::must(Key::Host, [ip.to_string()]);
    let understood = format!("like: {}", rows::conditions(&[&[part][..], &ask.also].concat()));
    Ok(rows::answer(understood, walked, space.len(), table, notes))
}

/// What both do, or are asked for.
fn shared(a: &Sides, b: &Sides, rarity: &[HashMap<u32, f32>; 2], space: &Space<'_>) -> String {
    let mut told = Vec::new();
    for (side, what) in [(0, "open"), (1, "are asked for")] {
        let both =
            weights(&a[side], &rarity[side]).into_iter().filter(|w| b[side].contains_key(&w.0));
        let words = few(both.map(|(shape, _)| space.called(shape)), 3);
        if !words.is_empty() {
            told.push(format!("both {what}: {words}"));
        }
    }
    if told.is_empty() { "alike in meaning only".to_owned() } else { told.join("; ") }
}
