//! A moment, as captures and logs tell it.
//!
//! The text form is the one of EVE: `2026-11-20T05:56:41.123456+0000`, always UTC, always with six
//! decimals. What stands below the microsecond is not in the text; [`Timestamp::below_us`] tells it.

use std::fmt;

/// Nanoseconds since 1970-01-01T00:00:00 UTC; negative before. Reaches from 1677 to 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

/// Bytes of the text form.
pub const TIMESTAMP_TEXT_BYTES: usize = 31;

const NS_PER_DAY: i64 = 86_400 * Timestamp::NS_PER_S;

impl Timestamp {
    pub const NS_PER_S: i64 = 1_000_000_000;

    /// Nanoseconds from `earlier` to `self`, 0 where the clock went backwards.
    #[must_use]
    pub fn ns_since(self, earlier: Timestamp) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    #[must_use]
    pub fn plus_ns(self, ns: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(ns))
    }

    /// The nanoseconds that the text form leaves out: 0 to 999.
    #[must_use]
    pub fn below_us(self) -> u16 {
        u16::try_from(self.0.rem_euclid(1000)).unwrap_or(0)
    }

    /// The text form, without quotes.
    #[must_use]
    pub fn text(self) -> [u8; TIMESTAMP_TEXT_BYTES] {
        let mut out = *b"0000-00-00T00:00:00.000000+0000";
        let day = self.0.div_euclid(NS_PER_DAY);
        let in_day = self.0.rem_euclid(NS_PER_DAY);
        let (year, month, date) = civil(day);
        digits(&mut out[0..4], year);
        digits(&mut out[5..7], month);
        digits(&mut out[8..10], date);
        let us = in_day / 1000;
        let s = us / 1_000_000;
        digits(&mut out[11..13], s / 3600);
        digits(&mut out[14..16], s / 60 % 60);
        digits(&mut out[17..19], s % 60);
        digits(&mut out[20..26], us % 1_000_000);
        out
    }

    /// Reads the text form; also `Z` and `+hh:mm` zones, and zero to nine decimals.
    #[must_use]
    pub fn parse(text: &str) -> Option<Timestamp> {
        let b = text.as_bytes();
        let fixed = b.get(..19)?;
        for (at, mark) in [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')] {
            if fixed[at] != mark {
                return None;
            }
        }
        if !matches!(fixed[10], b'T' | b't' | b' ') {
            return None;
        }
        let (year, month, date) =
            (number(&fixed[0..4])?, number(&fixed[5..7])?, number(&fixed[8..10])?);
        let (h, m, s) = (number(&fixed[11..13])?, number(&fixed[14..16])?, number(&fixed[17..19])?);
        // A leap second is read as the first instant after it.
        if !(1..=12).contains(&month)
            || !(1..=month_days(year, month)).contains(&date)
            || h > 23
            || m > 59
            || s > 60
        {
            return None;
        }
        let mut rest = &b[19..];
        let mut ns = 0;
        if let Some(after) = rest.strip_prefix(b".") {
            let count = after.iter().take_while(|c| c.is_ascii_digit()).count();
            if count == 0 || count > 9 {
                return None;
            }
            ns = number(&after[..count])?;
            for _ in count..9 {
                ns *= 10;
            }
            rest = &after[count..];
        }
        let ahead_s = zone(rest)?;
        let seconds = days(year, month, date) * 86_400 + h * 3600 + m * 60 + s - ahead_s;
        seconds.checked_mul(Self::NS_PER_S)?.checked_add(ns).map(Timestamp)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().iter().try_for_each(|c| fmt::Write::write_char(f, char::from(*c)))
    }
}

/// Seconds that the zone is ahead of UTC.
fn zone(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text {
        b"Z" | b"z" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (h, m) = match rest {
        [a, b, c, d] | [a, b, b':', c, d] => (number(&[*a, *b])?, number(&[*c, *d])?),
        _ => return None,
    };
    (h < 24 && m < 60).then_some(sign * (h * 3600 + m * 60))
}

fn number(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0_i64, |n, c| c.is_ascii_digit().then(|| n * 10 + i64::from(c - b'0')))
}

fn digits(out: &mut [u8], mut value: i64) {
    for place in out.iter_mut().rev() {
        #[expect(clippy::cast_sign_loss, reason = "a digit")]
        let digit = (value % 10) as u8;
        *place = b'0' + digit;
        value /= 10;
    }
}

/// Year, month and date of a day since 1970-01-01, in the proleptic Gregorian calendar.
///
/// Years are counted from a first of March, so that the leap day is the last of its year.
fn civil(day: i64) -> (i64, i64, i64) {
    // Days from 0000-03-01 to 1970-01-01.
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months of March to February have 153 days in each five.
    let from_march = (5 * of_year + 2) / 153;
    let date = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, date)
}

fn days(year: i64, month: i64, date: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let from_march = (month + 9) % 12;
    let of_year = (153 * from_march + 2) / 5 + date - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ns: i64, text: &str) {
        assert_eq!(Timestamp(ns).to_string(), text);
        let back = Timestamp::parse(text).map(|t| t.0 + i64::from(Timestamp(ns).below_us()));
        assert_eq!(back, Some(ns), "{text}");
    }

    #[test]
    fn a_moment_is_written_as_eve_writes_it() {
        check(0, "1970-01-01T00:00:00.000000+0000");
        check(1_795_154_201_123_456_789, "2026-11-20T05:56:41.123456+0000");
        check(951_782_399_999_999_999, "2000-02-28T23:59:59.999999+0000");
        check(951_782_400_000_000_000, "2000-02-29T00:00:00.000000+0000");
        check(-1, "1969-12-31T23:59:59.999999+0000");
    }

    #[test]
    fn other_zones_and_precisions_are_read() {
        let noon = Timestamp::parse("2026-11-20T12:00:00Z");
        assert!(noon.is_some());
        for same in [
            "2026-11-20T12:00:00+00:00",
            "2026-11-20T14:00:00.0+0200",
            "2026-11-20T06:30:00.000000000-05:30",
            "2026-11-20 12:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(same), noon, "{same}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for bad in [
            "",
            "2026-11-20",
            "2026-11-20T12:00:00",
            "2026-13-20T12:00:00Z",
            "2026-02-29T12:00:00Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T12:00:00.Z",
            "2026-11-20T12:00:00.1234567890Z",
            "2026-11-20T12:00:00+2500",
            "9999-11-20T12:00:00Z",
            "2026-11-20T12:00:00Zx",
        ] {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_moment_survives_its_text() {
        bolero::check!().with_iterations(20_000).with_type::<i64>().for_each(|ns| {
            let t = Timestamp(*ns);
            let text = t.to_string();
            // The very first microseconds of the range round below what i64 holds.
            if let Some(back) = Timestamp::parse(&text) {
                assert_eq!(back.0 + i64::from(t.below_us()), *ns);
            } else {
                assert!(*ns < i64::MIN + 1_000_000_000);
            }
        });
    }

    #[test]
    fn no_text_panics() {
        bolero::check!().with_iterations(5_000).for_each(|bytes| {
            if let Ok(text) = std::str::from_utf8(bytes) {
                let _ = Timestamp::parse(text);
            }
        });
    }
}
