//! Sizes, durations and numbers of packets as people say them, to conditions.

use crate::filter::{Key, Mode, Part};
use crate::units;

const MORE: &[&[&str]] = &[
    &["more", "than"],
    &["larger", "than"],
    &["bigger", "than"],
    &["greater", "than"],
    &["longer", "than"],
    &["higher", "than"],
    &["heavier", "than"],
    &["in", "excess", "of"],
    &["at", "least"],
    &["no", "less", "than"],
    &["not", "less", "than"],
    &["minimum", "of"],
    &["over"],
    &["above"],
    &["exceeding"],
    &["exceeds"],
    &["beyond"],
    &[">"],
    &[">="],
];

const LESS: &[&[&str]] = &[
    &["less", "than"],
    &["smaller", "than"],
    &["fewer", "than"],
    &["shorter", "than"],
    &["lower", "than"],
    &["no", "more", "than"],
    &["not", "more", "than"],
    &["no", "longer", "than"],
    &["not", "longer", "than"],
    &["at", "most"],
    &["up", "to"],
    &["maximum", "of"],
    &["under"],
    &["below"],
    &["within"],
    &["<"],
    &["<="],
];

/// Sayings that take in the number itself.
const INCLUSIVE: &[&str] = &["at", "no", "not", "up", "minimum", "maximum", ">=", "<=", "within"];

/// A number as a digit string or a word: its value and the words it took.
fn number(words: &[&str]) -> Option<(f64, usize)> {
    let first = *words.first()?;
    let plain: String = first.chars().filter(|c| *c != ',' && *c != '_').collect();
    if first.starts_with(|c: char| c.is_ascii_digit())
        && let Ok(value) = plain.parse::<f64>()
    {
        let (by, used) = scale(words.get(1).copied());
        return Some((value * by, 1 + used));
    }
    let value = match first {
        "a" | "an" | "one" | "single" => 1.0,
        "half" => {
            let article = usize::from(matches!(words.get(1), Some(&"a" | &"an")));
            return Some((0.5, 1 + article));
        }
        "two" | "couple" => 2.0,
        "three" => 3.0,
        "four" => 4.0,
        "five" => 5.0,
        "six" => 6.0,
        "seven" => 7.0,
        "eight" => 8.0,
        "nine" => 9.0,
        "ten" => 10.0,
        "twelve" | "dozen" => 12.0,
        "fifteen" => 15.0,
        "twenty" => 20.0,
        "thirty" => 30.0,
        "sixty" => 60.0,
        "hundred" => 100.0,
        "thousand" => 1e3,
        "million" => 1e6,
        "billion" => 1e9,
        _ => return None,
    };
    let of = usize::from(first == "couple" && words.get(1) == Some(&"of"));
    let (by, used) = scale(words.get(1 + of).copied());
    Some((value * by, 1 + of + used))
}

fn scale(word: Option<&str>) -> (f64, usize) {
    match word {
        Some("hundred") => (100.0, 1),
        Some("thousand") => (1e3, 1),
        Some("million") => (1e6, 1),
        Some("billion") => (1e9, 1),
        _ => (1.0, 0),
    }
}

/// What an amount is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Bytes,
    Duration,
    Packets,
}

/// A quantity with its unit: as the filter language has it, and the words that it took.
fn quantity(words: &[&str]) -> Option<(Of, String, usize)> {
    let first = *words.first()?;
    // `10mb`, `90s` in one word. A lone `m` is minutes.
    let digits = first.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(first.len());
    if digits > 0 && digits < first.len() && !first.contains(',') {
        if !first.ends_with('m') && units::bytes(first).is_some() {
            return Some((Of::Bytes, first.to_owned(), 1));
        }
        if units::duration_us(first).is_some() {
            return Some((Of::Duration, first.to_owned(), 1));
        }
        if let Some(count) = units::count(first)
            && is_packets(words.get(1).copied())
        {
            return Some((Of::Packets, count.to_string(), 2));
        }
    }
    let (value, used) = number(words)?;
    let unit = *words.get(used)?;
    if unit.is_empty() {
        return None;
    }
    if is_packets(Some(unit)) {
        return Some((Of::Packets, units::whole(value).to_string(), used + 1));
    }
    let text = format!("{value}{unit}");
    if unit != "m" && units::bytes(&text).is_some() {
        return Some((Of::Bytes, text, used + 1));
    }
    units::duration_us(&text)?;
    Some((Of::Duration, text, used + 1))
}

/// A length of time at the beginning of `words`, in seconds, and the words that it took.
pub(crate) fn length(words: &[&str]) -> Option<(u64, usize)> {
    let (of, text, used) = quantity(words)?;
    let seconds = units::duration_us(&text).filter(|_| of == Of::Duration)? / 1_000_000;
    (seconds > 0).then_some((seconds, used))
}

fn is_packets(word: Option<&str>) -> bool {
    matches!(word, Some("packet" | "packets" | "pkts" | "frame" | "frames"))
}

/// The key of bytes by the verb before: `uploaded more than 1 GB`.
fn way(all: &[&str], at: usize) -> Key {
    for word in all.get(..at).unwrap_or_default().iter().rev().take(4) {
        match *word {
            "upload" | "uploads" | "uploaded" | "uploading" | "sent" | "sends" | "send"
            | "sending" | "leaked" | "exfiltrated" => return Key::BytesOut,
            "download" | "downloads" | "downloaded" | "downloading" | "received" | "receives"
            | "receive" | "receiving" | "fetched" => return Key::BytesIn,
            _ => {}
        }
    }
    Key::Bytes
}

fn key(of: Of, all: &[&str], at: usize) -> Key {
    match of {
        Of::Bytes => way(all, at),
        Of::Duration => Key::Duration,
        Of::Packets => Key::Packets,
    }
}

/// The amount that stands at `at`: a condition, and how many words it took.
pub(crate) fn amount(all: &[&str], at: usize) -> Option<(Part, usize)> {
    let rest = all.get(at..)?;
    let part = |of, value: String| Part::of(Mode::Must, key(of, all, at), [value]);
    // `between 1 and 5 MB`, `from 1 MB to 5 MB`.
    if matches!(rest.first(), Some(&"between" | &"from"))
        && let Some(joint) = rest.iter().take(5).position(|w| matches!(*w, "and" | "to"))
        && let Some((of, high, more)) = quantity(rest.get(joint + 1..)?)
    {
        let low = rest.get(1..joint)?;
        let unit = high.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let low = match quantity(low) {
            Some((same, low, used)) if same == of && used == low_len(rest, joint) => Some(low),
            // The unit is said once.
            _ => number(low).filter(|n| n.1 == low.len()).map(|n| format!("{}{unit}", n.0)),
        };
        return Some((part(of, format!("{}..{high}", low?)), joint + 1 + more));
    }
    let (sign, said) = [(">", MORE), ("<", LESS)]
        .into_iter()
        .find_map(|(sign, all)| {
            let mut fitting: Vec<_> = all.iter().filter(|c| rest.starts_with(c)).collect();
            fitting.sort_by_key(|c| c.len());
            fitting.last().map(|c| (sign, **c))
        })
        // `1 GB or more` has its sign behind.
        .or_else(|| quantity(rest).map(|_| ("", [].as_slice())))?;
    let used = said.len();
    let (of, value, more) = quantity(rest.get(used..)?)?;
    let behind = rest.get(used + more..).unwrap_or_default();
    if sign.is_empty() {
        let sign = match behind {
            ["or", "more" | "longer" | "larger" | "bigger" | "over", ..] => ">=",
            ["and", "more" | "over" | "above", ..] => ">=",
            ["or", "less" | "fewer" | "shorter" | "smaller", ..] => "<=",
            _ => return None,
        };
        return Some((part(of, format!("{sign}{value}")), more + 2));
    }
    let equal = if said.first().is_some_and(|w| INCLUSIVE.contains(w)) { "=" } else { "" };
    Some((part(of, format!("{sign}{equal}{value}")), used + more))
}

fn low_len(rest: &[&str], joint: usize) -> usize {
    rest.get(1..joint).map_or(0, <[&str]>::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_with_their_words() {
        let check = |text: &str, want: &str| {
            let words: Vec<&str> = text.split(' ').collect();
            let found = (0..words.len()).find_map(|at| amount(&words, at));
            let got = found.map(|(part, used)| format!("{part} {used}")).unwrap_or_default();
            assert_eq!(got, want, "{text}");
        };
        check("more than 1 gb", "bytes:>1gb 4");
        check("over half an hour", "duration:>0.5hour 4");
        check("longer than an hour", "duration:>1hour 4");
        check("at least 5 minutes", "duration:>=5minutes 4");
        check("fewer than 10 packets", "packets:<10 4");
        check("more than a million packets", "packets:>1000000 5");
        check("over 1,000 packets", "packets:>1000 3");
        check("between 1 and 5 mb", "bytes:1mb..5mb 5");
        check("between 10kb and 20kb", "bytes:10kb..20kb 4");
        check("1 gb or more", "bytes:>=1gb 4");
        check("uploaded more than 2 gigabytes", "bytes_out:>2gigabytes 4");
        check("received over 500mb", "bytes_in:>500mb 2");
        check("no longer than 3 seconds", "duration:<=3seconds 5");
        check("up to 64 kb", "bytes:<=64kb 4");
        check("over ssh", "");
        check("more than usual", "");
        check("port 22", "");
        check("between 10.0.0.1 and 10.0.0.2", "");
        check("5 minutes", "");
    }
}
