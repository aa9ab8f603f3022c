//! Moments and spans as people say them; now is an argument.
//!
//! Only what was said becomes a filter: captures that were imported lie in the past, so no question
//! is about today by itself.

use ghost_event::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::{Span, ToSpan, Zoned};

use crate::units;

pub(crate) const EXPECTED: &str =
    "a time as 2026-11-20T14:00, 2026-11-20, 14:00, 2h (ago), yesterday or now";

/// From a moment up to before another; either may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Range {
    pub(crate) from: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
}

fn stamp(at: &Zoned) -> Option<Timestamp> {
    i64::try_from(at.timestamp().as_nanosecond()).ok().map(Timestamp)
}

fn zoned(at: DateTime, now: &Zoned) -> Option<Zoned> {
    at.to_zoned(now.time_zone().clone()).ok()
}

fn at(date: Date, time: Time, now: &Zoned) -> Option<Timestamp> {
    zoned(date.to_datetime(time), now).as_ref().and_then(stamp)
}

/// The text of a moment, in UTC, that [`read`] takes.
pub(crate) fn text(at: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(at.0.into())
        .map_or_else(|_| at.0.to_string(), |t| t.to_string())
}

/// A moment that stands by itself: what [`text`] wrote.
pub(crate) fn read(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(at.as_nanosecond()).ok().map(Timestamp)
}

/// A moment as a filter's value says it.
pub(crate) fn moment(text: &str, now: &Zoned) -> Option<Timestamp> {
    let text = text.trim();
    if let Some(at) = read(text) {
        return Some(at);
    }
    if text.eq_ignore_ascii_case("now") {
        return stamp(now);
    }
    if let Some(day) = day(&text.to_ascii_lowercase(), now) {
        return at(day, Time::midnight(), now);
    }
    if let Ok(civil) = text.replace(' ', "T").parse::<DateTime>() {
        return zoned(civil, now).as_ref().and_then(stamp);
    }
    if let Some(time) = clock(text) {
        return at(now.date(), time, now);
    }
    let us = units::duration_us(text.trim_start_matches('-').trim_end_matches(" ago"))?;
    ago(us, now)
}

fn ago(us: u64, now: &Zoned) -> Option<Timestamp> {
    let ns = i64::try_from(us).ok()?.checked_mul(1000)?;
    Some(Timestamp(stamp(now)?.0.checked_sub(ns)?))
}

/// `14:00`, `9:30`, `14:00:05`, `3pm`, `11:15am`.
fn clock(text: &str) -> Option<Time> {
    let text = text.to_ascii_lowercase();
    let (digits, shift) = match text.strip_suffix("am") {
        Some(rest) => (rest, Some(0)),
        None => match text.strip_suffix("pm") {
            Some(rest) => (rest, Some(12)),
            None => (text.as_str(), None),
        },
    };
    let mut parts = digits.split(':');
    let hour: i8 = parts.next()?.parse().ok()?;
    let minute: Option<i8> = parts.next().map(str::parse).transpose().ok()?;
    let second: Option<i8> = parts.next().map(str::parse).transpose().ok()?;
    if parts.next().is_some() || (minute.is_none() && shift.is_none()) {
        return None;
    }
    let hour = match shift {
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(shift) => hour % 12 + shift,
        None => hour,
    };
    Time::new(hour, minute.unwrap_or(0), second.unwrap_or(0), 0).ok()
}

fn day(word: &str, now: &Zoned) -> Option<Date> {
    let today = now.date();
    match word {
        "today" => Some(today),
        "yesterday" => today.yesterday().ok(),
        _ => match weekday(word) {
            // The last such day before today.
            Some(day) => today.nth_weekday(-1, day).ok(),
            None if word.len() == 10 => word.parse().ok(),
            None => None,
        },
    }
}

fn weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

fn number(word: &str) -> Option<u32> {
    Some(match word {
        "a" | "an" | "one" => 1,
        "two" | "couple" => 2,
        "three" | "few" => 3,
        "four" => 4,
        "five" => 5,
        "six" => 6,
        "ten" => 10,
        "twelve" => 12,
        _ => word.parse().ok()?,
    })
}

/// `2h`, `30min`: a number with its unit in one word.
fn compact(word: &str) -> Option<u64> {
    let digits = word.chars().take_while(char::is_ascii_digit).count();
    let unit = word.get(digits..)?;
    (digits > 0 && !unit.is_empty() && units::unit_us(unit).is_some())
        .then(|| units::duration_us(word))
        .flatten()
}

/// A moment of one or two words, as behind `since`: the words that it took.
fn said(words: &[&str], now: &Zoned) -> Option<(Timestamp, usize)> {
    let first = words.first()?;
    if let Some(day) = day(first, now) {
        let skip = usize::from(words.get(1) == Some(&"at"));
        if let Some(time) = words.get(1 + skip).and_then(|w| clock(w)) {
            return Some((at(day, time, now)?, 2 + skip));
        }
        return Some((at(day, Time::midnight(), now)?, 1));
    }
    if words.get(2) == Some(&"ago")
        && let (Some(n), Some(unit)) = (number(first), units::unit_us(words.get(1)?))
        && !words[1].is_empty()
    {
        return Some((ago(scale(n, unit), now)?, 3));
    }
    if words.get(1) == Some(&"ago")
        && let Some(us) = compact(first)
    {
        return Some((ago(us, now)?, 2));
    }
    if matches!(*first, "this" | "last") || *first == "midnight" || *first == "noon" {
        return period(words, now).and_then(|(range, used)| Some((range.from?, used)));
    }
    if let Some(at) = read(&first.to_ascii_uppercase()) {
        return Some((at, 1));
    }
    if first.len() > 10
        && let Ok(civil) = first.to_ascii_uppercase().parse::<DateTime>()
    {
        return Some((stamp(&zoned(civil, now)?)?, 1));
    }
    clock(first).and_then(|time| Some((at(now.date(), time, now)?, 1)))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to integer cast saturates"
)]
fn scale(n: u32, unit_us: f64) -> u64 {
    (f64::from(n) * unit_us) as u64
}

/// A span that is said as one: `yesterday 14:00-15:00`, `last night`, `this week`, `last 2 hours`.
fn period(words: &[&str], now: &Zoned) -> Option<(Range, usize)> {
    let first = *words.first()?;
    let second = words.get(1).copied().unwrap_or_default();
    let today = now.date();
    let span = |from: Option<Timestamp>, until: Option<Timestamp>, used| {
        Some((Range { from, until }, used))
    };
    let clock_at = |h| Time::new(h, 0, 0, 0).ok();
    let on = |date: Date, hour| clock_at(hour).and_then(|t| at(date, t, now));
    if matches!(first, "last" | "past" | "previous") {
        if second == "night" {
            return span(on(today.yesterday().ok()?, 20), on(today, 6), 2);
        }
        if second == "evening" {
            return span(on(today.yesterday().ok()?, 18), on(today, 0), 2);
        }
        if let Some(us) = compact(second) {
            return span(ago(us, now), None, 2);
        }
        if let Some(n) = number(second)
            && let Some(unit) = words.get(2).and_then(|w| units::unit_us(w))
        {
            return span(ago(scale(n, unit), now), None, 3);
        }
        if let Some(day) = weekday(second) {
            let date = today.nth_weekday(-1, day).ok()?;
            return span(on(date, 0), on(date.tomorrow().ok()?, 0), 2);
        }
        let back: Option<Span> = match second {
            "minute" => Some(1.minute()),
            "hour" => Some(1.hour()),
            "day" => Some(1.day()),
            "week" => Some(1.week()),
            "month" => Some(1.month()),
            "year" => Some(1.year()),
            _ => None,
        };
        let from = now.checked_sub(back?).ok()?;
        return span(stamp(&from), None, 2);
    }
    if first == "this" {
        let from = match second {
            "morning" => return span(on(today, 5), on(today, 12), 2),
            "afternoon" => return span(on(today, 12), on(today, 18), 2),
            "evening" => return span(on(today, 18), on(today.tomorrow().ok()?, 0), 2),
            "hour" => now.date().to_datetime(clock_at(now.hour())?),
            "week" => {
                let back = i32::from(today.weekday().to_monday_zero_offset());
                today.checked_sub(back.days()).ok()?.to_datetime(Time::midnight())
            }
            "month" => today.first_of_month().to_datetime(Time::midnight()),
            "year" => today.first_of_year().to_datetime(Time::midnight()),
            _ => return None,
        };
        return span(stamp(&zoned(from, now)?), None, 2);
    }
    if first == "tonight" {
        return span(on(today, 18), on(today.tomorrow().ok()?, 6), 1);
    }
    let date = day(first, now)?;
    if second == "night" || second == "evening" {
        return span(on(date, 18), on(date.tomorrow().ok()?, 6), 2);
    }
    if second == "morning" {
        return span(on(date, 5), on(date, 12), 2);
    }
    if second == "afternoon" {
        return span(on(date, 12), on(date, 18), 2);
    }
    // `14:00-15:00`, `between 14:00 and 15:00`, `from 14:00 to 15:00`.
    if let Some((a, b)) = second.split_once(['-', '–'])
        && let (Some(a), Some(b)) = (clock(a), clock(b))
    {
        return span(at(date, a, now), at(date, b, now), 2);
    }
    if matches!(second, "between" | "from")
        && let (Some(a), Some("and" | "to" | "until"), Some(b)) =
            (words.get(2), words.get(3).copied(), words.get(4))
        && let (Some(a), Some(b)) = (clock(a), clock(b))
    {
        return span(at(date, a, now), at(date, b, now), 5);
    }
    span(on(date, 0), on(date.tomorrow().ok()?, 0), 1)
}

/// A time expression at the beginning of `words` (in lower case), and how many it took.
pub(crate) fn expression(words: &[&str], now: &Zoned) -> Option<(Range, usize)> {
    let (first, rest) = words.split_first()?;
    match *first {
        "since" | "after" => {
            let (at, used) = said(rest, now)?;
            Some((Range { from: Some(at), until: None }, used + 1))
        }
        "until" | "till" | "before" => {
            let (at, used) = said(rest, now)?;
            Some((Range { from: None, until: Some(at) }, used + 1))
        }
        "between" | "from" => {
            let (a, used) = said(rest, now)?;
            let word = rest.get(used)?;
            if !matches!(*word, "and" | "to" | "until") {
                return None;
            }
            let (b, more) = said(rest.get(used + 1..)?, now)?;
            Some((Range { from: Some(a), until: Some(b) }, used + more + 2))
        }
        "in" | "during" | "within" | "on" | "over" | "from the" => {
            let skip = usize::from(rest.first() == Some(&"the"));
            let (range, used) = period(rest.get(skip..)?, now)?;
            Some((range, used + 1 + skip))
        }
        "the" => {
            let (range, used) = period(rest, now)
                .filter(|_| matches!(rest.first(), Some(&"last" | &"past" | &"previous")))?;
            Some((range, used + 1))
        }
        _ => period(words, now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        "2026-11-20T10:30:00+00:00[UTC]".parse().unwrap()
    }

    fn check(words: &str, from: &str, until: &str, used: usize) {
        let words: Vec<&str> = words.split(' ').collect();
        let (range, got) = expression(&words, &now()).unwrap_or_else(|| panic!("{words:?}"));
        let show = |t: Option<Timestamp>| t.map_or(String::new(), text);
        assert_eq!(
            (show(range.from).as_str(), show(range.until).as_str(), got),
            (from, until, used),
            "{words:?}"
        );
    }

    #[test]
    fn spans_are_read_as_people_say_them() {
        check("last night", "2026-11-19T20:00:00Z", "2026-11-20T06:00:00Z", 2);
        check("yesterday", "2026-11-19T00:00:00Z", "2026-11-20T00:00:00Z", 1);
        check("yesterday 14:00-15:00", "2026-11-19T14:00:00Z", "2026-11-19T15:00:00Z", 2);
        check(
            "yesterday between 14:00 and 15:30 x",
            "2026-11-19T14:00:00Z",
            "2026-11-19T15:30:00Z",
            5,
        );
        check("in the last 2 hours", "2026-11-20T08:30:00Z", "", 5);
        check("last 24h", "2026-11-19T10:30:00Z", "", 2);
        check("since monday", "2026-11-16T00:00:00Z", "", 2);
        check("since yesterday 9am", "2026-11-19T09:00:00Z", "", 3);
        check("since 3 hours ago", "2026-11-20T07:30:00Z", "", 4);
        check("before 2026-01-02", "", "2026-01-02T00:00:00Z", 2);
        check("on 2026-11-01", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", 2);
        check("this morning", "2026-11-20T05:00:00Z", "2026-11-20T12:00:00Z", 2);
        check("from 2026-11-01 to 2026-11-03", "2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z", 4);
    }

    #[test]
    fn ordinary_words_are_no_times() {
        for words in [
            "time synchronisation",
            "last resort",
            "from 10.0.0.1 to 10.0.0.2",
            "before the",
            "between hosts and",
        ] {
            let words: Vec<&str> = words.split(' ').collect();
            assert_eq!(expression(&words, &now()), None, "{words:?}");
        }
    }

    #[test]
    fn a_filter_value_is_absolute_or_an_age() {
        let check = |value: &str, want: &str| {
            assert_eq!(moment(value, &now()).map(text).unwrap_or_default(), want, "{value}");
        };
        check("2h", "2026-11-20T08:30:00Z");
        check("2026-11-19T14:00", "2026-11-19T14:00:00Z");
        check("2026-11-19T14:00:00.5Z", "2026-11-19T14:00:00.5Z");
        check("yesterday", "2026-11-19T00:00:00Z");
        check("14:00", "2026-11-20T14:00:00Z");
        check("soon", "");
    }
}
