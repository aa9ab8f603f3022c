//! Patterns over time: for each how often and when, or for one how much in every stretch of time.

use ghost_event::Timestamp;

use crate::answer::{Answer, Ask, Sources};
use crate::error::QueryError;
use crate::pattern::over_time::{Course, course};
use crate::rows;
use crate::similar_window::listing;
use crate::table::{Cell, Table, Unit};
use crate::window::{Grid, WINDOW_DEFAULT_NS};

/// Windows of which a pattern's score is this or more have it.
const HAS_IT: f64 = 0.2;

/// Lengths that a trend is told in, in seconds.
const LENGTHS_S: [i64; 9] =
    [60, 300, 900, 3600, 4 * 3600, 86_400, 7 * 86_400, 30 * 86_400, 365 * 86_400];

/// Rows that a trend of one pattern should stay below.
const STRETCHES: i64 = 48;

/// How what `words` name goes on over time; of every known pattern where there are none.
pub(crate) fn trend(
    words: &str,
    length_ns: Option<i64>,
    ask: &Ask<'_>,
    sources: &Sources<'_>,
) -> Result<Answer, QueryError> {
    let one = !words.trim().is_empty();
    let length_ns = match length_ns {
        Some(length) => length,
        None if one => fitting(sources),
        None => WINDOW_DEFAULT_NS,
    };
    let grid = Grid { origin: Timestamp(0), length_ns };
    let course = course(words.trim(), grid, ask, sources)?;
    let table = if one { of_one(&course, grid, ask) } else { of_all(&course, grid, ask) };
    let what = if one { words.trim() } else { "of every pattern" };
    let conditions = rows::conditions(&[&course.filter[..], &ask.also].concat());
    let understood = format!("patterns trend {what} {conditions}");
    let notes = course.note.into_iter().collect();
    Ok(rows::answer(understood.trim_end().to_owned(), course.walked, course.shapes, table, notes))
}

/// The shortest length that makes not too many rows of what is there.
fn fitting(sources: &Sources<'_>) -> i64 {
    let all = [Some(sources.index), sources.tail];
    let spans = all.into_iter().flatten().filter_map(|index| index.status().span);
    let ends = spans.map(|(a, b)| (a.0, b.0)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let long_ns = ends.map_or(0, |(from, until)| until.saturating_sub(from));
    let fits = |s: &&i64| long_ns / **s <= STRETCHES * 1_000_000_000;
    LENGTHS_S.iter().find(fits).unwrap_or(&(365 * 86_400)) * 1_000_000_000
}

/// One row a stretch of time; the newest where there are too many.
fn of_one(course: &Course, grid: Grid, ask: &Ask<'_>) -> Table {
    let most = rows::most(ask);
    let stretches: Vec<i64> = course.flows.keys().copied().collect();
    let skip = stretches.len().saturating_sub(most);
    let rows = stretches.iter().skip(skip).map(|at| {
        let of = course.all.iter().filter_map(|(_, windows)| windows.get(at));
        let (score, events) = of.fold((0.0_f64, 0_u64), |(s, n), (score, events)| {
            (s.max(*score), n.saturating_add(*events))
        });
        vec![
            rows::time(grid.window(*at).from),
            rows::decimal(score),
            Cell::Number(events),
            Cell::Number(course.flows.get(at).copied().unwrap_or(0)),
            rows::text(listing(grid.window(*at), &[&course.filter[..], &ask.also].concat())),
        ]
    });
    Table {
        rows: rows.collect(),
        columns: rows::columns(&[
            ("from", Unit::Time),
            ("score", Unit::Decimal),
            ("flows", Unit::Count),
            ("of", Unit::Count),
            ("list", Unit::Text),
        ]),
        told: format!(
            "{} stretches of {} s with flows; {skip} earlier ones are not shown",
            stretches.len(),
            grid.length_ns / 1_000_000_000
        ),
    }
}

/// One row a pattern that was there.
fn of_all(course: &Course, grid: Grid, ask: &Ask<'_>) -> Table {
    let mut seen: Vec<(usize, f64, Vec<_>)> = Vec::new();
    let last = course.flows.keys().next_back().copied().unwrap_or(0);
    let first = course.flows.keys().next().copied().unwrap_or(0);
    // What came in the last third of the time, beside what one third should have.
    let late = last - (last - first) / 3;
    for (name, windows) in &course.all {
        let with: Vec<i64> =
            windows.iter().filter(|(_, of)| of.0 >= HAS_IT).map(|(at, _)| *at).collect();
        let (Some(from), Some(until)) = (with.first(), with.last()) else { continue };
        let peak = windows.iter().max_by(|a, b| a.1.0.total_cmp(&b.1.0).then(b.0.cmp(a.0)));
        let Some((peak, (score, events))) = peak else { continue };
        let recent = with.iter().filter(|at| **at > late).count();
        let trend = match (recent * 3, with.len()) {
            (_, n) if n < 3 || last - first < 3 => "",
            (0, _) => "over",
            (r, n) if r >= 2 * n => "rising",
            (r, n) if 2 * r <= n => "falling",
            _ => "steady",
        };
        let row = vec![
            rows::text(name.clone()),
            Cell::Number(with.len() as u64),
            rows::time(grid.window(*from).from),
            rows::time(grid.window(*until).from),
            rows::time(grid.window(*peak).from),
            rows::decimal(*score),
            Cell::Number(*events),
            rows::text(trend),
        ];
        seen.push((with.len(), *score, row));
    }
    seen.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
    Table {
        told: format!(
            "{} patterns in {} windows of {} s",
            seen.len(),
            course.flows.len(),
            grid.length_ns / 1_000_000_000
        ),
        rows: seen.into_iter().take(rows::most(ask)).map(|(_, _, row)| row).collect(),
        columns: rows::columns(&[
            ("pattern", Unit::Text),
            ("windows", Unit::Count),
            ("first", Unit::Time),
            ("last", Unit::Time),
            ("peak", Unit::Time),
            ("score", Unit::Decimal),
            ("flows", Unit::Count),
            ("trend", Unit::Text),
        ]),
    }
}
