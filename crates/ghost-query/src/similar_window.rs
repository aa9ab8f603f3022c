//! Stretches of time like one: windows of the same length, laid end to end with it.
//!
//! A window is the mean of its shapes, each by the logarithm of how many flows had it, and by how
//! few windows have it: what goes on in every minute tells no minute from another.

use std::collections::{BTreeMap, HashMap};

use crate::answer::{Answer, Ask, Sources};
use crate::error::QueryError;
use crate::filter::Part;
use crate::limits::{SIMILAR_CELLS_MAX, WINDOWS_MAX};
use crate::rows;
use crate::space::{Place, Space, few};
use crate::table::{Cell, Table, Unit};
use crate::window::{self, Grid, Window};

/// What happened in each window of a grid.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    /// Shapes and their flows, by window.
    pub(crate) all: BTreeMap<i64, HashMap<u32, u64>>,
    /// Flows that found no room.
    pub(crate) left_out: u64,
    cells: usize,
}

impl Windows {
    pub(crate) fn add(&mut self, at: i64, shape: u32, flows: u64) {
        if self.cells >= SIMILAR_CELLS_MAX
            || (self.all.len() >= WINDOWS_MAX && !self.all.contains_key(&at))
        {
            self.left_out += flows;
            return;
        }
        let cell = self.all.entry(at).or_default().entry(shape);
        if matches!(cell, std::collections::hash_map::Entry::Vacant(_)) {
            self.cells += 1;
        }
        let cell = cell.or_default();
        *cell = cell.saturating_add(flows);
    }

    pub(crate) fn note(&self) -> Option<String> {
        (self.left_out > 0).then(|| {
            format!(
                "{} flows found no room in {} windows: name a shorter time (since:, until:) or \
                 longer windows",
                self.left_out,
                self.all.len()
            )
        })
    }

    /// What each shape weighs for being rare, by its number.
    pub(crate) fn rarity(&self) -> HashMap<u32, f32> {
        let mut seen: HashMap<u32, f32> = HashMap::new();
        for shapes in self.all.values() {
            for shape in shapes.keys() {
                *seen.entry(*shape).or_default() += 1.0;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of windows")]
        let all = self.all.len() as f32;
        seen.values_mut().for_each(|of| *of = (1.0 + all / *of).ln());
        seen
    }
}

/// Shapes by what they weigh, heaviest first; equal ones by number.
pub(crate) fn weights(shapes: &HashMap<u32, u64>, rarity: &HashMap<u32, f32>) -> Vec<(u32, f32)> {
    let weigh = |(shape, flows): (&u32, &u64)| {
        #[expect(clippy::cast_precision_loss, reason = "a logarithm of it")]
        let amount = (*flows as f32).ln_1p();
        (*shape, amount * rarity.get(shape).copied().unwrap_or(1.0))
    };
    let mut all: Vec<(u32, f32)> = shapes.iter().map(weigh).collect();
    all.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all
}

/// Flows of a window.
pub(crate) fn flows(shapes: &HashMap<u32, u64>) -> u64 {
    shapes.values().fold(0, |sum, n| sum.saturating_add(*n))
}

/// How alike two windows are: in what happens, and a little in how much.
fn alike(a: (&Place, u64), b: (&Place, u64)) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "a logarithm of it")]
    let size = |flows: u64| (flows as f32).ln_1p();
    a.0.cosine(b.0) - 0.03 * (size(a.1) - size(b.1)).abs().min(3.0)
}

/// A window, and how alike.
pub(crate) struct Near {
    pub(crate) at: i64,
    pub(crate) score: f32,
}

/// The windows most like window `like`, best first; equal ones by time.
pub(crate) fn near(windows: &Windows, space: &Space<'_>, like: i64) -> Vec<Near> {
    let rarity = windows.rarity();
    let Some(shapes) = windows.all.get(&like) else { return Vec::new() };
    let place = |shapes: &HashMap<u32, u64>| space.place(weights(shapes, &rarity));
    let own = (place(shapes), flows(shapes));
    let mut near: Vec<Near> = windows
        .all
        .iter()
        .filter(|(at, _)| **at != like)
        .map(|(at, shapes)| {
            let score = alike((&own.0, own.1), (&place(shapes), flows(shapes)));
            Near { at: *at, score }
        })
        .collect();
    near.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.at.cmp(&b.at)));
    near
}

/// What two windows share most.
fn shared(
    windows: &Windows,
    rarity: &HashMap<u32, f32>,
    space: &Space<'_>,
    a: i64,
    b: i64,
) -> String {
    let (Some(a), Some(b)) = (windows.all.get(&a), windows.all.get(&b)) else {
        return String::new();
    };
    let both = weights(a, rarity).into_iter().filter(|(shape, _)| b.contains_key(shape));
    let told = few(both.map(|(shape, _)| space.called(shape)), 4);
    if told.is_empty() { "alike in meaning only".to_owned() } else { format!("both: {told}") }
}

/// What is like `window`.
pub(crate) fn similar_window(
    window: Window,
    ask: &Ask<'_>,
    sources: &Sources<'_>,
) -> Result<Answer, QueryError> {
    let space = Space::of(sources);
    let grid = Grid::of(window);
    let mut windows = Windows::default();
    let filter = rows::clauses(&ask.also, ask.tags)?;
    let walked = window::walk(sources, filter, Vec::new(), ask.as_of, grid, &mut |at, piece| {
        if let Some(shape) = space.number(piece.event.shape()) {
            windows.add(at, shape, piece.flows);
        }
    })?;
    if !windows.all.contains_key(&0) {
        return Err(QueryError::NoEvent(format!("in {}", window.told())));
    }
    let rarity = windows.rarity();
    let near = near(&windows, &space, 0);
    let all = near.len();
    let rows = near.into_iter().take(rows::most(ask)).map(|near| {
        let window = grid.window(near.at);
        vec![
            rows::decimal(f64::from(near.score)),
            rows::time(window.from),
            rows::time(window.until),
            Cell::Number(windows.all.get(&near.at).map_or(0, flows)),
            rows::text(shared(&windows, &rarity, &space, 0, near.at)),
            rows::text(listing(window, &ask.also)),
        ]
    });
    let table = Table {
        rows: rows.collect(),
        columns: rows::columns(&[
            ("score", Unit::Decimal),
            ("from", Unit::Time),
            ("until", Unit::Time),
            ("flows", Unit::Count),
            ("why", Unit::Text),
            ("list", Unit::Text),
        ]),
        told: format!(
            "{all} other windows of the same length have flows; this one has {}",
            windows.all.get(&0).map_or(0, flows)
        ),
    };
    let understood = format!("like: {}", listing(window, &ask.also));
    let notes = windows.note().into_iter().collect();
    Ok(rows::answer(understood, walked, space.len(), table, notes))
}

/// The conditions that list a window's flows.
pub(crate) fn listing(window: Window, also: &[Part]) -> String {
    let mut parts: Vec<Part> = window.parts().into();
    let timed = |part: &&Part| {
        !matches!(part.filter.key, crate::filter::Key::Since | crate::filter::Key::Until)
    };
    parts.extend(also.iter().filter(timed).cloned());
    rows::conditions(&parts)
}
