//! Times, hardware addresses and numbers in the text forms of a logged line.

use ghost_event::MacAddr;

/// `2026-11-20T05:56:41.123456+0000` (or `Z`, `+00:00`, any number of decimals) to nanoseconds.
pub(crate) fn time(text: &str) -> Option<i64> {
    let b = text.as_bytes();
    let number = |from: usize, len: usize| -> Option<i64> {
        b.get(from..from + len)?
            .iter()
            .try_fold(0_i64, |n, c| c.is_ascii_digit().then(|| n * 10 + i64::from(c - b'0')))
    };
    let seps = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if seps.iter().any(|(at, c)| b.get(*at) != Some(c)) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    if !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let mut at = 19;
    let mut nanos = 0;
    if b.get(at) == Some(&b'.') {
        at += 1;
        let mut unit = 100_000_000;
        while let Some(c) = b.get(at).filter(|c| c.is_ascii_digit()) {
            nanos += i64::from(c - b'0') * unit;
            unit /= 10;
            at += 1;
        }
    }
    let offset_s = match b.get(at..)? {
        b"" | b"Z" | b"+0000" | b"+00:00" => 0,
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let digits: Vec<i64> =
                rest.iter().filter(|c| c.is_ascii_digit()).map(|c| i64::from(c - b'0')).collect();
            let [a, b, c, d] = digits.as_slice() else { return None };
            let seconds = (a * 10 + b) * 3600 + (c * 10 + d) * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset_s;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// Days from 1970-01-01, proleptic Gregorian.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// `aa:bb:cc:dd:ee:ff` or with hyphens.
pub(crate) fn mac(text: &str) -> Option<MacAddr> {
    let mut out = [0; 6];
    let mut parts = text.split([':', '-']);
    for byte in &mut out {
        let part = parts.next().filter(|p| (1..=2).contains(&p.len()))?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(MacAddr(out))
}

/// `value` in decimal digits.
pub(crate) fn decimal(mut value: u64, out: &mut [u8; 20]) -> &str {
    let mut at = out.len();
    loop {
        at -= 1;
        out[at] = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    std::str::from_utf8(&out[at..]).unwrap_or("0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_to_the_nanosecond_with_its_offset() {
        let check = |text: &str, want: Option<i64>| assert_eq!(time(text), want, "{text}");
        check("1970-01-01T00:00:00.000000+0000", Some(0));
        check("2023-11-14T22:13:20.123456+0000", Some(1_700_000_000_123_456_000));
        check("2023-11-14T23:13:20.5+01:00", Some(1_700_000_000_500_000_000));
        check("1969-12-31T23:59:59Z", Some(-1_000_000_000));
        check("2024-02-29T12:00:00Z", Some(1_709_208_000_000_000_000));
        check("2024-13-01T00:00:00Z", None);
        check("yesterday", None);
        check("9999-12-31T00:00:00Z", None);
    }

    #[test]
    fn a_decimal_reads_back() {
        for value in [0, 7, 404, u64::MAX] {
            assert_eq!(decimal(value, &mut [0; 20]), value.to_string());
        }
    }
}
