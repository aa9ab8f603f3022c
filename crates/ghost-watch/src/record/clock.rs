//! Times as logs write them.

use ghost_event::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// How far a line may lie behind the end: clocks differ, and zones are guessed.
const AHEAD_NS: i64 = 26 * 3600 * Timestamp::NS_PER_S;

/// Gives times without a year the newest that can be.
#[derive(Debug)]
pub(super) struct Years {
    end: Timestamp,
    zone: TimeZone,
}

impl Years {
    pub(super) fn new(now: Timestamp, zone: TimeZone) -> Years {
        Years { end: now, zone }
    }

    /// Whether the line is journalctl's own header or a boot's mark; its end bounds the years.
    pub(super) fn header(&mut self, line: &str) -> bool {
        let Some(inner) = line.strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --")) else {
            return false;
        };
        if let Some((_, end)) = inner.split_once(", end at ")
            && let Some(at) = self.weekday_form(end.trim_end_matches('.'))
        {
            self.end = at;
        }
        inner.starts_with("Logs begin")
            || inner.starts_with("Journal begins")
            || inner.starts_with("Boot ")
            || inner.starts_with("Reboot")
            || inner == "No entries"
    }

    /// `Thu 2022-02-10 16:19:19 UTC`.
    fn weekday_form(&self, text: &str) -> Option<Timestamp> {
        let mut words = text.split(' ');
        let (_, date, time) = (words.next()?, words.next()?, words.next()?);
        let utc = matches!(words.next(), Some("UTC" | "GMT"));
        let local = format!("{date}T{time}");
        if utc { Timestamp::parse(&format!("{local}Z")) } else { self.local(&local) }
    }

    /// A date and time in the log's own zone.
    pub(super) fn local(&self, text: &str) -> Option<Timestamp> {
        let at: jiff::civil::DateTime = text.parse().ok()?;
        timestamp(at.to_zoned(self.zone.clone()).ok()?.timestamp())
    }

    /// `Feb 04 09:34:04` or `Feb  4 09:34:04`, perhaps with decimals, and what follows it.
    pub(super) fn without_year<'a>(&self, line: &'a str) -> Option<(Timestamp, &'a str)> {
        let month = line.get(..3)?;
        let month = MONTHS.iter().position(|m| *m == month)?;
        let rest = line.get(3..)?.strip_prefix(' ')?;
        let (day, rest) = rest.trim_start_matches(' ').split_once(' ')?;
        let (clock, rest) = rest.split_once(' ')?;
        let day: i8 = day.parse().ok()?;
        let time: jiff::civil::Time = clock.parse().ok().filter(|_| clock.contains(':'))?;
        let month = i8::try_from(month + 1).ok()?;
        let end = jiff::Timestamp::from_nanosecond(self.end.0.into()).ok()?;
        let newest = end.to_zoned(self.zone.clone()).year().saturating_add(1);
        // A 29th of February is up to eight years back.
        for year in (newest.saturating_sub(9)..=newest).rev() {
            let Ok(date) = Date::new(year, month, day) else { continue };
            let Ok(at) = date.to_datetime(time).to_zoned(self.zone.clone()) else { continue };
            let Some(at) = timestamp(at.timestamp()) else { continue };
            if at.0 <= self.end.0.saturating_add(AHEAD_NS) {
                return Some((at, rest));
            }
        }
        None
    }
}

/// Seconds since 1970 with decimals, as `dbus-monitor` and NetworkManager write them.
pub(super) fn epoch(text: &str) -> Option<Timestamp> {
    let (s, decimals) = text.split_once('.').unwrap_or((text, ""));
    if s.is_empty() || s.len() > 10 || decimals.len() > 9 {
        return None;
    }
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if !digits(s) || !digits(decimals) {
        return None;
    }
    let ns: i64 = format!("{decimals:0<9}").parse().ok()?;
    Some(Timestamp(s.parse::<i64>().ok()?.checked_mul(Timestamp::NS_PER_S)?.checked_add(ns)?))
}

fn timestamp(at: jiff::Timestamp) -> Option<Timestamp> {
    i64::try_from(at.as_nanosecond()).ok().map(Timestamp)
}
