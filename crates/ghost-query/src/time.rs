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
    match text.as_str() {
        "noon" | "midday" => return Time::new(12, 0, 0, 0).ok(),
        "midnight" => return Some(Time::midnight()),
        _ => {}
    }
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

fn month(word: &str) -> Option<i8> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let found = MONTHS.iter().position(|name| {
        *name == word
            || (word.len() >= 3 && *name != "may" && word.len() <= 4 && name.starts_with(word))
    })?;
    i8::try_from(found + 1).ok()
}

/// `20`, `1st`, `22nd`.
fn day_of_month(word: &str) -> Option<i8> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let end = word.get(digits.len()..)?;
    matches!(end, "" | "st" | "nd" | "rd" | "th").then(|| digits.parse().ok())?
}

fn year(word: Option<&&str>) -> Option<i16> {
    word.filter(|w| w.len() == 4)?.parse().ok().filter(|year| (1970..2200).contains(year))
}

/// `20 november`, `november 20 2026`, `march 2025`: first day, the day behind, and the words.
fn calendar(words: &[&str], now: &Zoned) -> Option<(Date, Date, usize)> {
    let first = words.first()?;
    let with_year = |m: i8, d: i8, at: usize| {
        let told = year(words.get(at));
        let date = Date::new(told.unwrap_or(now.year()), m, d).ok()?;
        // A date without its year is the last such one.
        let date = match told {
            None if date > now.date() => Date::new(now.year() - 1, m, d).ok()?,
            _ => date,
        };
        Some((date, date.tomorrow().ok()?, at + usize::from(told.is_some())))
    };
    if let Some(d) = day_of_month(first).filter(|d| *d > 0) {
        let of = usize::from(words.get(1) == Some(&"of"));
        let m = month(words.get(1 + of)?)?;
        return with_year(m, d, 2 + of);
    }
    let m = month(first)?;
    if let Some(d) = words.get(1).and_then(|w| day_of_month(w)).filter(|d| (1..=31).contains(d)) {
        return with_year(m, d, 2);
    }
    // `may` and `march` are words of their own.
    let told = year(words.get(1));
    if told.is_none() && matches!(*first, "may" | "march" | "mar") {
        return None;
    }
    let start = Date::new(told.unwrap_or(now.year()), m, 1).ok()?;
    let start = if told.is_none() && start > now.date() {
        Date::new(now.year() - 1, m, 1).ok()?
    } else {
        start
    };
    let end = start.checked_add(1.month()).ok()?;
    Some((start, end, 1 + usize::from(told.is_some())))
}

/// How far around a moment is meant.
const AT_NS: i64 = 5 * 60_000_000_000;
const ABOUT_NS: i64 = 15 * 60_000_000_000;

fn around(at: Timestamp, ns: i64) -> Range {
    let (from, until) = (at.0.saturating_sub(ns), at.0.saturating_add(ns));
    Range { from: Some(Timestamp(from)), until: Some(Timestamp(until)) }
}

/// `two days ago`, `3 hours ago`: that day, or the hour around.
fn long_ago(words: &[&str], now: &Zoned) -> Option<(Range, usize)> {
    let (n, skip) = match words {
        ["a", "couple", "of", ..] => (2, 3),
        [first, ..] => (number(first)?, 1),
        [] => return None,
    };
    let unit_word = words.get(skip)?;
    if words.get(skip + 1) != Some(&"ago") || unit_word.is_empty() {
        return None;
    }
    let unit = units::unit_us(unit_word)?;
    if matches!(*unit_word, "day" | "days") {
        let date = now.date().checked_sub(i64::from(n).days()).ok()?;
        let from = at(date, Time::midnight(), now);
        let until = at(date.tomorrow().ok()?, Time::midnight(), now);
        return Some((Range { from, until }, skip + 2));
    }
    let half = i64::try_from(scale(1, unit)).ok()?.checked_mul(500)?;
    Some((around(ago(scale(n, unit), now)?, half), skip + 2))
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
    if matches!(*first, "this" | "last") {
        return period(words, now).and_then(|(range, used)| Some((range.from?, used)));
    }
    if let Some(at) = read(&first.to_ascii_uppercase()) {
        return Some((at, 1));
    }
    if let Some((date, _, used)) = calendar(words, now) {
        let skip = usize::from(words.get(used) == Some(&"at"));
        return match words.get(used + skip).and_then(|w| clock(w)) {
            Some(time) => Some((at(date, time, now)?, used + skip + 1)),
            None => Some((at(date, Time::midnight(), now)?, used)),
        };
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
        if second == "weekend" {
            let saturday = today.nth_weekday(-1, Weekday::Saturday).ok()?;
            let monday = saturday.checked_add(2.days()).ok()?;
            return span(on(saturday, 0), on(monday, 0), 2);
        }
        if second == "half" {
            let article = usize::from(matches!(words.get(2), Some(&"a" | &"an")));
            let unit = words.get(2 + article).and_then(|w| units::unit_us(w))?;
            return span(ago(scale(1, unit / 2.0), now), None, 3 + article);
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
    if let Some(found) = long_ago(words, now) {
        return Some(found);
    }
    if words.starts_with(&["the", "day", "before", "yesterday"]) {
        let date = today.checked_sub(2.days()).ok()?;
        return span(on(date, 0), on(date.tomorrow().ok()?, 0), 4);
    }
    let Some(date) = day(first, now) else {
        let (from, until, used) = calendar(words, now)?;
        if let Some((range, more)) = within_day(from, words.get(used..)?, now)
            && from.tomorrow().ok() == Some(until)
        {
            return Some((range, used + more));
        }
        return span(on(from, 0), on(until, 0), used);
    };
    if second == "night" || second == "evening" {
        return span(on(date, 18), on(date.tomorrow().ok()?, 6), 2);
    }
    if second == "morning" {
        return span(on(date, 5), on(date, 12), 2);
    }
    if second == "afternoon" {
        return span(on(date, 12), on(date, 18), 2);
    }
    if let Some((range, used)) = within_day(date, words.get(1..)?, now) {
        return Some((range, used + 1));
    }
    span(on(date, 0), on(date.tomorrow().ok()?, 0), 1)
}

/// `14:00-15:00`, `between 14:00 and 15:00`, `14:00 to 15:00`, `at 14:00`, of a day.
fn within_day(date: Date, words: &[&str], now: &Zoned) -> Option<(Range, usize)> {
    let first = *words.first()?;
    let span = |a: Time, b: Time, used: usize| {
        // To before the beginning is over midnight.
        let end = if b <= a { date.tomorrow().ok()? } else { date };
        Some((Range { from: at(date, a, now), until: at(end, b, now) }, used))
    };
    if let Some((a, b)) = first.split_once(['-', '–'])
        && let (Some(a), Some(b)) = (clock(a), clock(b))
    {
        return span(a, b, 1);
    }
    let skip = usize::from(matches!(first, "between" | "from"));
    if let (Some(a), Some("and" | "to" | "until" | "till" | "-"), Some(b)) =
        (words.get(skip), words.get(skip + 1).copied(), words.get(skip + 2))
        && let (Some(a), Some(b)) = (clock(a), clock(b))
    {
        return span(a, b, skip + 3);
    }
    let (skip, ns) = match first {
        "at" => (1, AT_NS),
        "around" | "about" => (1, ABOUT_NS),
        _ => (0, AT_NS),
    };
    let time = words.get(skip).and_then(|w| clock(w))?;
    Some((around(at(date, time, now)?, ns), skip + 1))
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
        "at" | "around" | "about" => {
            // `at 3pm yesterday`, `around 14:00`.
            let time = rest.first().and_then(|w| clock(w))?;
            let date = rest.get(1).and_then(|w| day(w, now));
            let ns = if *first == "at" { AT_NS } else { ABOUT_NS };
            let moment = at(date.unwrap_or(now.date()), time, now)?;
            Some((around(moment, ns), 2 + usize::from(date.is_some())))
        }
        "between" | "from" if rest.first().is_some_and(|w| clock(w).is_some()) => {
            // `from 2pm to 3pm yesterday`.
            let after = rest.get(3).map(|w| if *w == "on" { 1 } else { 0 }).unwrap_or(0);
            let date = rest.get(3 + after).and_then(|w| day(w, now));
            let (range, used) = within_day(date.unwrap_or(now.date()), words, now)?;
            let day_words = if date.is_some() { 1 + after } else { 0 };
            (used == 4).then_some((range, used + day_words))
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
        "in" if year(rest.first()).is_some() => {
            let from = Date::new(year(rest.first())?, 1, 1).ok()?;
            let until = from.checked_add(1.year()).ok()?;
            let stamp = |date| at(date, Time::midnight(), now);
            Some((Range { from: stamp(from), until: stamp(until) }, 2))
        }
        "in" | "during" | "within" | "on" | "over" | "from the" => {
            let skip = usize::from(rest.first() == Some(&"the"));
            let (range, used) = period(rest.get(skip..)?, now)?;
            Some((range, used + 1 + skip))
        }
        "the" if rest.first() == Some(&"day") => period(words, now),
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
        check("the day before yesterday", "2026-11-18T00:00:00Z", "2026-11-19T00:00:00Z", 4);
        check("two days ago", "2026-11-18T00:00:00Z", "2026-11-19T00:00:00Z", 3);
        check("3 hours ago", "2026-11-20T07:00:00Z", "2026-11-20T08:00:00Z", 3);
        check("yesterday at 14:00", "2026-11-19T13:55:00Z", "2026-11-19T14:05:00Z", 3);
        check("yesterday 2pm to 3pm", "2026-11-19T14:00:00Z", "2026-11-19T15:00:00Z", 4);
        check("around 9am", "2026-11-20T08:45:00Z", "2026-11-20T09:15:00Z", 2);
        check("from 2pm to 3pm yesterday", "2026-11-19T14:00:00Z", "2026-11-19T15:00:00Z", 5);
        check(
            "between 22:00 and 02:00 yesterday",
            "2026-11-19T22:00:00Z",
            "2026-11-20T02:00:00Z",
            5,
        );
        check("on 3 november", "2026-11-03T00:00:00Z", "2026-11-04T00:00:00Z", 3);
        check("on november 3rd 2025", "2025-11-03T00:00:00Z", "2025-11-04T00:00:00Z", 4);
        check("on 24 december", "2025-12-24T00:00:00Z", "2025-12-25T00:00:00Z", 3);
        check("in march 2025", "2025-03-01T00:00:00Z", "2025-04-01T00:00:00Z", 3);
        check("in 2024", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z", 2);
        check("last weekend", "2026-11-14T00:00:00Z", "2026-11-16T00:00:00Z", 2);
        check("in the past half hour", "2026-11-20T10:00:00Z", "", 5);
        check("since noon", "2026-11-20T12:00:00Z", "", 2);
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
            "at the server",
            "may be",
            "in the dark",
            "about dns",
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
