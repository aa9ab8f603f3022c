//! Stretches of time: read from words, laid over the log as a grid, and summed up.
//!
//! A grid's windows are all of one length and do not overlap; an event counts in each that its time
//! touches, a folded flood by its packets in equal parts. A flow of days counts in the first
//! [`TOUCHED_MAX`] of its windows only.

use ghost_event::Timestamp;
use ghost_index::{Clause, Kind, Met, Term, Walk, Walked};
use jiff::Zoned;

use crate::answer::Sources;
use crate::error::QueryError;
use crate::filter::{Key, Part};
use crate::{time, units};

/// Windows that one event counts in.
const TOUCHED_MAX: i64 = 240;

/// Length of a window where nothing else is said.
pub(crate) const WINDOW_DEFAULT_NS: i64 = 60_000_000_000;

const EXPECTED: &str = "FROM..TO, `around TIME`, or words as `yesterday 14:00-15:00`; times as \
                        2026-11-20T14:00, 14:00, 2h (ago), yesterday or now";

/// From a moment up to before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

impl Window {
    /// Reads `FROM..TO`, `around TIME [window LENGTH]`, or words that say both ends.
    ///
    /// # Errors
    /// It says no stretch of time.
    pub(crate) fn read(text: &str, now: &Zoned) -> Result<Window, QueryError> {
        let text = text.trim();
        let bad = || QueryError::Value {
            key: "window".into(),
            value: text.into(),
            expected: EXPECTED.into(),
        };
        let window = if let Some((from, until)) = text.split_once("..") {
            let from = moment(from, now).ok_or_else(bad)?;
            // `10:00..10:15` of another day means that day.
            let until = on_the_day_of(from, until, now).or_else(|| moment(until, now));
            Window { from, until: until.ok_or_else(bad)? }
        } else if let Some(rest) = text.strip_prefix("around ") {
            let (at, length) = rest.rsplit_once(" window ").unwrap_or((rest, "1m"));
            let at = moment(at, now).ok_or_else(bad)?;
            let length = length_ns(length)?;
            let from = Timestamp(at.0.saturating_sub(length / 2));
            Window { from, until: Timestamp(from.0.saturating_add(length)) }
        } else {
            let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let all = words.len();
            let (range, used) = time::expression(&words, now).ok_or_else(bad)?;
            let from = range.from.filter(|_| used == all).ok_or_else(bad)?;
            Window {
                from,
                until: range.until.or_else(|| time::moment("now", now)).ok_or_else(bad)?,
            }
        };
        if window.until <= window.from { Err(bad()) } else { Ok(window) }
    }

    pub(crate) fn length_ns(&self) -> i64 {
        self.until.0.saturating_sub(self.from.0)
    }

    pub(crate) fn clause(&self) -> Clause {
        Clause::Time { from: self.from, until: self.until }
    }

    /// The conditions that list what is in it.
    pub(crate) fn parts(&self) -> [Part; 2] {
        [
            Part::must(Key::Since, [time::text(self.from)]),
            Part::must(Key::Until, [time::text(self.until)]),
        ]
    }

    /// The same, in words.
    pub(crate) fn told(&self) -> String {
        let [since, until] = self.parts();
        format!("{since} {until}")
    }
}

/// Reads a length: `5m`, `90s`, `1h`.
///
/// # Errors
/// It is none, or shorter than a second.
pub(crate) fn length_ns(text: &str) -> Result<i64, QueryError> {
    let us = units::duration_us(text).filter(|us| *us >= 1_000_000);
    us.and_then(|us| i64::try_from(us).ok()).and_then(|us| us.checked_mul(1000)).ok_or_else(|| {
        QueryError::Value {
            key: "window".into(),
            value: text.into(),
            expected: "a length of a second or more, as 1m, 90s or 1h".into(),
        }
    })
}

/// A moment, by itself or as it stands behind `since`.
pub(crate) fn moment(text: &str, now: &Zoned) -> Option<Timestamp> {
    let text = text.trim();
    time::moment(text, now).or_else(|| {
        let lower = format!("since {}", text.to_lowercase());
        let words: Vec<&str> = lower.split_whitespace().collect();
        let (range, used) = time::expression(&words, now)?;
        range.from.filter(|_| used == words.len())
    })
}

/// `10:15` on the day of `from`, where that is not the day of `now`.
fn on_the_day_of(from: Timestamp, text: &str, now: &Zoned) -> Option<Timestamp> {
    let clock = text.trim();
    if !clock.contains(':') || clock.contains(['-', 'T', ' ']) {
        return None;
    }
    let day = jiff::Timestamp::from_nanosecond(from.0.into()).ok()?;
    let day = day.to_zoned(now.time_zone().clone());
    time::moment(clock, &day)
}

/// Windows laid over all time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) origin: Timestamp,
    pub(crate) length_ns: i64,
}

impl Grid {
    /// One whose window 0 is `window`.
    pub(crate) fn of(window: Window) -> Grid {
        Grid { origin: window.from, length_ns: window.length_ns().max(1) }
    }

    pub(crate) fn at(&self, time: Timestamp) -> i64 {
        time.0.saturating_sub(self.origin.0).div_euclid(self.length_ns)
    }

    pub(crate) fn window(&self, at: i64) -> Window {
        let from = at.saturating_mul(self.length_ns).saturating_add(self.origin.0);
        let until = from.saturating_add(self.length_ns);
        Window { from: Timestamp(from), until: Timestamp(until) }
    }
}

/// An event's part in one window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece<'e, 'm> {
    pub(crate) event: &'e Met<'m>,
    /// What of `also` it meets.
    pub(crate) held: u64,
    /// 1; of a folded flood as many as its packets in the window.
    pub(crate) flows: u64,
}

/// Walks over the flows that meet `filter`, window by window in no order. Packets are left out (the
/// flows they are of are there), and so is what became of elements.
///
/// # Errors
/// The index refuses.
pub(crate) fn walk(
    sources: &Sources<'_>,
    filter: Vec<Clause>,
    also: Vec<Clause>,
    as_of: Option<u64>,
    grid: Grid,
    each: &mut dyn FnMut(i64, &Piece<'_, '_>),
) -> Result<Walked, QueryError> {
    let mut walk = Walk { filter, also, as_of };
    walk.filter.push(Clause::Not(Box::new(crate::filter::no_flows())));
    let flood = walk.also.len();
    walk.also.push(Clause::Has(Term::text(Kind::Event, "flood")));
    let within = window_of(&walk.filter);
    let mut one = |event: &Met<'_>| {
        let (start, end) = (event.start().max(within.from), event.end());
        let end = Timestamp(end.0.min(within.until.0.saturating_sub(1)));
        let first = grid.at(start);
        let last = grid.at(end).clamp(first, first.saturating_add(TOUCHED_MAX - 1));
        let touched = u64::try_from(last - first + 1).unwrap_or(1);
        let folded = event.held >> flood & 1 == 1;
        let flows = if folded { event.packets().div_ceil(touched).max(1) } else { 1 };
        let held = event.held & !(1 << flood);
        for at in first..=last {
            each(at, &Piece { event, held, flows });
        }
    };
    Ok(over(sources, |index| index.events(&walk, &mut one))?)
}

/// The stretch that `filter` leaves.
fn window_of(filter: &[Clause]) -> Window {
    let mut window = Window { from: Timestamp(i64::MIN), until: Timestamp(i64::MAX) };
    for clause in filter {
        if let Clause::Time { from, until } = clause {
            window = Window { from: window.from.max(*from), until: window.until.min(*until) };
        }
    }
    window
}

/// Has each of the sources walked over.
pub(crate) fn over(
    sources: &Sources<'_>,
    mut one: impl FnMut(&dyn ghost_index::Index) -> Result<Walked, ghost_index::IndexError>,
) -> Result<Walked, ghost_index::IndexError> {
    let mut all = one(sources.index)?;
    if let Some(tail) = sources.tail {
        all = all.join(one(tail)?);
    }
    Ok(all)
}

/// The last moment of what is there, tail included.
pub(crate) fn end_of(sources: &Sources<'_>) -> Option<Timestamp> {
    let all = [Some(sources.index), sources.tail];
    all.into_iter().flatten().filter_map(|index| index.status().span).map(|span| span.1).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        "2026-11-20T10:30:00+01:00[Europe/Berlin]".parse().unwrap()
    }

    fn read(text: &str) -> Option<String> {
        Window::read(text, &now()).ok().map(|w| w.told())
    }

    #[test]
    fn a_window_is_read_as_people_say_it() {
        let told = |from: &str, until: &str| Some(format!("since:{from} until:{until}"));
        for text in ["2026-11-19T14:00..2026-11-19T15:00", "2026-11-19T14:00..15:00"] {
            let want = told("2026-11-19T13:00:00Z", "2026-11-19T14:00:00Z");
            assert_eq!(read(text), want, "{text}");
        }
        let want = told("2026-11-20T08:59:30Z", "2026-11-20T09:00:30Z");
        assert_eq!(read("around 10:00"), want);
        let want = told("2026-11-20T08:57:30Z", "2026-11-20T09:02:30Z");
        assert_eq!(read("around 10:00 window 5m"), want);
        let want = told("2026-11-19T13:00:00Z", "2026-11-19T14:00:00Z");
        assert_eq!(read("yesterday 14:00-15:00"), want);
        assert_eq!(read("2h..1h"), told("2026-11-20T07:30:00Z", "2026-11-20T08:30:00Z"));
    }

    #[test]
    fn what_is_no_window_is_told_with_what_one_looks_like() {
        for text in [
            "",
            "..",
            "soon",
            "15:00..14:00",
            "around noonish",
            "14:00..14:00",
            "around 10:00 window 0s",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let error = Window::read("soon", &now()).unwrap_err().to_string();
        assert!(error.contains("FROM..TO"), "{error}");
    }

    #[test]
    fn every_moment_lies_in_one_window_of_a_grid() {
        bolero::check!().with_type::<(i64, i64, u32)>().with_iterations(5000).for_each(
            |(origin, time, length)| {
                let grid = Grid {
                    origin: Timestamp(origin / 4),
                    length_ns: i64::from(*length) * 1000 + 1,
                };
                let time = Timestamp(time / 4);
                let window = grid.window(grid.at(time));
                assert!(window.from <= time && time < window.until, "{grid:?} {time:?}");
                assert_eq!(window.length_ns(), grid.length_ns);
            },
        );
    }
}
