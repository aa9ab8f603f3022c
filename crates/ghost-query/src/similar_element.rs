//! Elements like one (`interface:eth0`, `bridge:br0`): those that carry the same, and of which the
//! same became.
//!
//! What an element carries are the flows seen on the interface or bridge of its name; what became of
//! it are its `change` events, by what was done. Each half counts as far as both elements have it.

use std::collections::{BTreeMap, HashMap};

use ghost_index::{Clause, Kind, Met, Term, Visit, Walk};

use crate::answer::{Answer, Ask, Sources};
use crate::error::QueryError;
use crate::filter::{Key, Part, no_flows};
use crate::limits::{ELEMENTS_MAX, SIMILAR_CELLS_MAX};
use crate::rows;
use crate::similar_window::weights;
use crate::space::{Space, few};
use crate::table::{Cell, Table, Unit};
use crate::window;

/// What is known of an element.
#[derive(Debug, Default)]
struct Element {
    carried: HashMap<u32, u64>,
    became: BTreeMap<String, u64>,
}

const ID: &[u8] = b"ghost.element.id=";
const ACTION: &[u8] = b"ghost.change.action=";

/// Events of elements, by their lines: whose each is, and what was done.
#[derive(Default)]
struct Changes {
    of: HashMap<u64, (String, String)>,
    now: Option<(bool, String)>,
    left_out: u64,
}

impl Visit for Changes {
    fn term(&mut self, _kind: Kind, value: &[u8]) -> bool {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        self.now = match (value.strip_prefix(ID), value.strip_prefix(ACTION)) {
            (Some(id), _) => Some((true, text(id))),
            (_, Some(action)) => Some((false, text(action))),
            _ => None,
        };
        self.now.is_some()
    }
    fn event(&mut self, event: &Met<'_>) {
        let Some((is_id, text)) = &self.now else { return };
        let seq = event.seq();
        if self.of.len() >= SIMILAR_CELLS_MAX / 8 && !self.of.contains_key(&seq) {
            self.left_out += 1;
            return;
        }
        let (id, action) = self.of.entry(seq).or_default();
        if *is_id { id.clone_from(text) } else { action.clone_from(text) }
    }
}

/// Flows by interface.
struct Carried<'s, 'a> {
    space: &'s Space<'a>,
    of: HashMap<String, HashMap<u32, u64>>,
    now: String,
}

impl Visit for Carried<'_, '_> {
    fn term(&mut self, _kind: Kind, value: &[u8]) -> bool {
        self.now = String::from_utf8_lossy(value).into_owned();
        self.of.len() < ELEMENTS_MAX || self.of.contains_key(&self.now)
    }
    fn event(&mut self, event: &Met<'_>) {
        if let Some(shape) = self.space.number(event.shape()) {
            if !self.of.contains_key(&self.now) {
                self.of.insert(self.now.clone(), HashMap::new());
            }
            if let Some(shapes) = self.of.get_mut(&self.now) {
                *shapes.entry(shape).or_default() += 1;
            }
        }
    }
}

/// The interface or bridge that an element is.
fn name(id: &str) -> &str {
    id.rsplit_once(':').map_or(id, |(_, name)| name)
}

/// What is like the element `id`.
pub(crate) fn similar_element(
    id: &str,
    ask: &Ask<'_>,
    sources: &Sources<'_>,
) -> Result<Answer, QueryError> {
    let id = id.trim().to_lowercase();
    let space = Space::of(sources);
    let also = rows::clauses(&ask.also, ask.tags)?;
    let walk_of = |clause: Clause| Walk {
        filter: [&[clause][..], &also].concat(),
        also: Vec::new(),
        as_of: ask.as_of,
    };
    let changes = walk_of(Clause::Has(Term::text(Kind::Event, "change")));
    let mut became = Changes::default();
    let walked = window::over(sources, |i| i.terms(&changes, &[Kind::Fact], &mut became))?;
    let flows = walk_of(Clause::Not(Box::new(no_flows())));
    let mut carried = Carried { space: &space, of: HashMap::new(), now: String::new() };
    let more = window::over(sources, |i| i.terms(&flows, &[Kind::Interface], &mut carried))?;
    let mut elements: BTreeMap<String, Element> = BTreeMap::new();
    for (id, action) in became.of.into_values() {
        if !id.is_empty() && (elements.len() < ELEMENTS_MAX || elements.contains_key(&id)) {
            *elements.entry(id).or_default().became.entry(action).or_default() += 1;
        }
    }
    for (interface, shapes) in carried.of {
        let known: Vec<String> =
            elements.keys().filter(|id| name(id) == interface).cloned().collect();
        let known = if known.is_empty() { vec![format!("interface:{interface}")] } else { known };
        for id in known {
            elements.entry(id).or_default().carried.clone_from(&shapes);
        }
    }
    let own = elements.get(&id).ok_or_else(|| QueryError::NoEvent(format!("of element {id}")))?;
    let none = HashMap::new();
    let place = |element: &Element| space.place(weights(&element.carried, &none));
    let own_place = place(own);
    let mut near: Vec<(f32, &String, &Element)> = elements
        .iter()
        .filter(|(other, _)| **other != id)
        .map(|(other, element)| {
            let mut halves = Vec::new();
            let theirs = place(element);
            if !own_place.is_nowhere() || !theirs.is_nowhere() {
                halves.push(own_place.cosine(&theirs));
            }
            if !own.became.is_empty() || !element.became.is_empty() {
                halves.push(cosine(&own.became, &element.became));
            }
            #[expect(clippy::cast_precision_loss, reason = "at most two")]
            let score = halves.iter().sum::<f32>() / halves.len().max(1) as f32;
            let kin = id.split(':').next() == other.split(':').next();
            (score + if kin { 0.05 } else { 0.0 }, other, element)
        })
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let count = near.len();
    let rows = near.into_iter().take(rows::most(ask)).map(|(score, other, element)| {
        let fact = Key::Fact("ghost.element.id".to_owned());
        let interface = Part::must(Key::Interface, [name(other).to_owned()]);
        let lists = match element.carried.is_empty() {
            true => Part::must(fact, [other.clone()]),
            false => interface,
        };
        vec![
            rows::decimal(f64::from(score)),
            rows::text(other.clone()),
            Cell::Number(element.carried.values().sum()),
            Cell::Number(element.became.values().sum()),
            rows::text(shared(own, element, &space)),
            rows::text(rows::conditions(&[&[lists][..], &ask.also].concat())),
        ]
    });
    let table = Table {
        rows: rows.collect(),
        columns: rows::columns(&[
            ("score", Unit::Decimal),
            ("element", Unit::Text),
            ("flows", Unit::Count),
            ("changes", Unit::Count),
            ("why", Unit::Text),
            ("list", Unit::Text),
        ]),
        told: format!("{count} other elements"),
    };
    let notes = (became.left_out > 0)
        .then(|| format!("{} events of elements found no room", became.left_out))
        .into_iter()
        .collect();
    let understood = format!("like: element:{id} {}", rows::conditions(&ask.also));
    Ok(rows::answer(understood.trim().to_owned(), walked.join(more), space.len(), table, notes))
}

/// How alike two counts of the same words are.
fn cosine(a: &BTreeMap<String, u64>, b: &BTreeMap<String, u64>) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "a logarithm of it")]
    let size = |n: u64| (n as f32).ln_1p();
    let length =
        |of: &BTreeMap<String, u64>| of.values().map(|n| size(*n).powi(2)).sum::<f32>().sqrt();
    let both: f32 = a.iter().filter_map(|(k, n)| Some(size(*n) * size(*b.get(k)?))).sum();
    let lengths = length(a) * length(b);
    if lengths > 0.0 { both / lengths } else { 0.0 }
}

fn shared(a: &Element, b: &Element, space: &Space<'_>) -> String {
    let both = weights(&a.carried, &HashMap::new()).into_iter();
    let both = both.filter(|(shape, _)| b.carried.contains_key(shape));
    let carried = few(both.map(|(shape, _)| space.called(shape)), 3);
    let became = few(a.became.keys().filter(|k| b.became.contains_key(*k)).cloned(), 3);
    let told: Vec<String> = [("both carry", carried), ("both were", became)]
        .into_iter()
        .filter(|(_, words)| !words.is_empty())
        .map(|(what, words)| format!("{what}: {words}"))
        .collect();
    if told.is_empty() { "alike in meaning only".to_owned() } else { told.join("; ") }
}
