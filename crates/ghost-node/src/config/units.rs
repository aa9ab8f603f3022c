//! Durations and sizes as people write them: "5m", "250 ms", "64 MiB".
//!
//! Whole numbers with a unit; a number without one is refused, since nobody remembers which unit
//! was meant. What is printed is read back as the same value.

const TIMES: &[(&str, i64)] = &[
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1000),
    ("ns", 1),
];

const SIZES: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];

/// Nanoseconds of a duration in words; the error says what was expected.
pub fn nanoseconds(words: &str) -> Result<i64, String> {
    let expected =
        || format!("{words:?} is no duration: write \"250ms\", \"30s\", \"5m\" or \"2h\"");
    let (number, unit) = parts(words).ok_or_else(expected)?;
    let number = i64::try_from(number).map_err(|_| expected())?;
    let (_, factor) = TIMES
        .iter()
        .find(|(name, _)| *name == unit || long(unit) == Some(*name))
        .ok_or_else(expected)?;
    number.checked_mul(*factor).ok_or_else(|| format!("{words:?} is too long a time"))
}

/// Bytes of a size in words; the error says what was expected.
pub fn bytes(words: &str) -> Result<u64, String> {
    let expected = || format!("{words:?} is no size: write \"64 MiB\", \"2 GiB\" or \"500 MB\"");
    let (number, unit) = parts(words).ok_or_else(expected)?;
    let (_, factor) =
        SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(expected)?;
    number.checked_mul(*factor).ok_or_else(|| format!("{words:?} is more than any machine has"))
}

/// The duration in the largest unit that leaves no rest.
#[must_use]
pub fn nanoseconds_in_words(ns: i64) -> String {
    let fits = TIMES.iter().find(|(_, factor)| ns >= *factor && ns % factor == 0);
    fits.map_or_else(|| format!("{ns}ns"), |(unit, factor)| format!("{}{unit}", ns / factor))
}

/// The size in the largest unit that leaves no rest.
#[must_use]
pub fn bytes_in_words(bytes: u64) -> String {
    let fits = SIZES.iter().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    fits.map_or_else(|| format!("{bytes} B"), |(unit, factor)| format!("{} {unit}", bytes / factor))
}

/// The number and the unit behind it.
fn parts(words: &str) -> Option<(u64, &str)> {
    let words = words.trim();
    let end = words.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = words.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.trim()))
}

/// The short form of a unit that was written out.
fn long(unit: &str) -> Option<&'static str> {
    Some(match unit.strip_suffix('s').unwrap_or(unit) {
        "day" => "d",
        "hour" => "h",
        "min" | "minute" => "m",
        "sec" | "second" => "s",
        "millisecond" => "ms",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit_and_not_without() {
        for (words, ns) in [
            ("250ms", 250_000_000),
            ("5m", 300_000_000_000),
            ("2 hours", 7_200_000_000_000),
            ("0s", 0),
            (" 1 day ", 86_400_000_000_000),
        ] {
            assert_eq!(nanoseconds(words), Ok(ns), "{words}");
        }
        for words in ["5", "", "m", "-5m", "5 parsecs", "1.5h", "9999999999999h", "5m5s"] {
            assert!(nanoseconds(words).is_err(), "{words}");
        }
    }

    #[test]
    fn sizes_are_read_with_their_unit_and_not_without() {
        for (words, size) in [("64 MiB", 64 << 20), ("500mb", 500_000_000), ("0 B", 0)] {
            assert_eq!(bytes(words), Ok(size), "{words}");
        }
        for words in ["64", "", "MiB", "64 MiX", "99999999999 TiB"] {
            assert!(bytes(words).is_err(), "{words}");
        }
    }

    #[test]
    fn what_is_printed_is_read_back_as_the_same() {
        bolero::check!().with_type::<(u64, i64)>().for_each(|(size, ns)| {
            assert_eq!(bytes(&bytes_in_words(*size)), Ok(*size));
            let ns = ns.saturating_abs();
            assert_eq!(nanoseconds(&nanoseconds_in_words(ns)), Ok(ns));
        });
    }

    #[test]
    fn no_words_make_it_panic() {
        bolero::check!().with_type::<String>().for_each(|words| {
            let _ = nanoseconds(words);
            let _ = bytes(words);
        });
    }
}
