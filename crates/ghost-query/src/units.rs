//! Numbers with their units.

fn split(text: &str) -> Option<(f64, String)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if number.is_empty() || number.len() > 20 {
        return None;
    }
    Some((number.parse().ok()?, unit.trim().to_ascii_lowercase()))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to integer cast saturates, and the number is not negative"
)]
fn scaled(number: f64, by: f64) -> u64 {
    (number * by).round() as u64
}

/// The whole number next to it.
pub(crate) fn whole(number: f64) -> u64 {
    scaled(number, 1.0)
}

/// `1500`, `10kB`, `1.5 GB`, `2MiB`, in bytes.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let by = match unit.as_str() {
        "" | "b" | "byte" | "bytes" => 1.0,
        "k" | "kb" | "kilobyte" | "kilobytes" => 1e3,
        "m" | "mb" | "meg" | "megs" | "megabyte" | "megabytes" => 1e6,
        "g" | "gb" | "gig" | "gigs" | "gigabyte" | "gigabytes" => 1e9,
        "t" | "tb" | "terabyte" | "terabytes" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(scaled(number, by))
}

/// `20`, `5k`, `1M`.
pub(crate) fn count(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let by = match unit.as_str() {
        "" => 1.0,
        "k" => 1e3,
        "m" => 1e6,
        _ => return None,
    };
    Some(scaled(number, by))
}

/// Digits alone.
pub(crate) fn plain(text: &str) -> Option<u64> {
    text.parse().ok()
}

/// `90s`, `10 minutes`, `1h`, `250ms`, in microseconds.
pub(crate) fn duration_us(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    Some(scaled(number, unit_us(&unit)?))
}

/// A unit of time in microseconds.
pub(crate) fn unit_us(unit: &str) -> Option<f64> {
    Some(match unit {
        "us" | "µs" | "microsecond" | "microseconds" => 1.0,
        "ms" | "millisecond" | "milliseconds" => 1e3,
        "" | "s" | "sec" | "secs" | "second" | "seconds" => 1e6,
        "m" | "min" | "mins" | "minute" | "minutes" => 60e6,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600e6,
        "d" | "day" | "days" => 86_400e6,
        "w" | "week" | "weeks" => 7.0 * 86_400e6,
        _ => return None,
    })
}

/// `1,204`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1,204 packets in this minute`.
pub(crate) fn packets(count: u64) -> String {
    let mut out = grouped(count);
    out.push_str(if count == 1 { " packet in this minute" } else { " packets in this minute" });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_a_minute_are_counted_in_words() {
        assert_eq!(packets(1), "1 packet in this minute");
        assert_eq!(packets(1204), "1,204 packets in this minute");
        assert_eq!(packets(6_000_000), "6,000,000 packets in this minute");
    }

    #[test]
    fn numbers_read_with_their_units_and_nothing_else() {
        assert_eq!(bytes("1.5 GB"), Some(1_500_000_000));
        assert_eq!(bytes("10kB"), Some(10_000));
        assert_eq!(bytes("2MiB"), Some(2_097_152));
        assert_eq!(bytes("5 parsecs"), None);
        assert_eq!(duration_us("90s"), Some(90_000_000));
        assert_eq!(duration_us("1h"), Some(3_600_000_000));
        assert_eq!(count("5k"), Some(5000));
        assert_eq!(bytes(""), None);
        assert_eq!(bytes("-1"), None);
        assert_eq!(bytes("99999999999999999999GB"), Some(u64::MAX));
    }
}
