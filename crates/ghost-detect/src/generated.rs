//! Names that a program made up: how unlike words their letters follow each other.
//!
//! Malware that must find its master tries many made-up domains, most of which nobody registered.
//! A label's cost is the mean number of tenths of bits that its letter pairs take in a table of
//! English words and names; letters by chance take 60 to 70, words and brands 40 to 50. One name
//! says little, so that many missing ones are judged together.
//!
//! Not promised: made-up names that are put together from words, or from the digits of hex.

/// A pair with a digit on one side; two digits, as all ten are alike.
const MIXED: u32 = 60;
const DIGITS: u32 = 33;

/// What a label's letter pairs cost on average; `None` where it is too short to say.
pub(crate) fn cost(label: &[u8]) -> Option<u32> {
    if label.len() < LABEL_MIN {
        return None;
    }
    let (mut sum, mut pairs) = (0_u32, 0_u32);
    for pair in label.windows(2) {
        let [a, b] = [pair[0].to_ascii_lowercase(), pair[1].to_ascii_lowercase()];
        let letter = |c: u8| c.is_ascii_lowercase().then(|| usize::from(c - b'a'));
        let of = match (letter(a), letter(b)) {
            (Some(a), Some(b)) => {
                TENTHS.get(a).and_then(|row| row.get(b)).copied().map_or(MIXED, u32::from)
            }
            (None, None) if a.is_ascii_digit() && b.is_ascii_digit() => DIGITS,
            _ if a == b'-' || b == b'-' => continue,
            _ => MIXED,
        };
        (sum, pairs) = (sum.saturating_add(of), pairs + 1);
    }
    (pairs > 0).then(|| sum / pairs)
}

/// Shorter labels are made up by everybody.
pub(crate) const LABEL_MIN: usize = 7;

/// Tenths of bits that the second letter takes after the first, over 25,000 English words and
/// names (the public word list of BERT's uncased vocabulary).
#[rustfmt::skip]
const TENTHS: [[u8; 26]; 26] = [
    [95, 52, 42, 46, 78, 68, 52, 74, 46, 92, 62, 30, 45, 26, 89, 51, 98, 29, 40, 29, 57, 58, 68, 79, 56, 76],
    [26, 53, 81, 76, 26, 99, 99, 87, 33, 76, 99, 29, 80, 89, 30, 99, 99, 31, 47, 74, 34, 99, 92, 99, 58, 99],
    [29, 99, 55, 95, 30, 99, 99, 30, 39, 99, 40, 45, 99, 99, 23, 99, 88, 43, 68, 34, 46, 99, 99, 99, 61, 99],
    [34, 85, 81, 54, 17, 78, 60, 74, 23, 82, 99, 54, 64, 71, 36, 94, 99, 44, 41, 85, 43, 66, 67, 99, 55, 99],
    [42, 75, 47, 27, 52, 64, 61, 84, 63, 99, 84, 40, 49, 30, 69, 58, 82, 25, 29, 46, 77, 59, 67, 57, 63, 87],
    [31, 92, 83, 99, 29, 36, 92, 99, 24, 99, 99, 35, 92, 99, 28, 99, 99, 35, 66, 46, 37, 99, 99, 99, 67, 99],
    [31, 97, 99, 82, 22, 97, 51, 34, 34, 99, 99, 45, 71, 46, 39, 99, 99, 30, 46, 65, 37, 99, 88, 99, 58, 99],
    [23, 72, 95, 78, 20, 86, 99, 99, 26, 99, 99, 63, 63, 67, 27, 92, 99, 49, 64, 43, 43, 99, 74, 99, 54, 99],
    [43, 62, 36, 50, 42, 59, 49, 99, 97, 99, 75, 42, 50, 19, 34, 57, 90, 49, 35, 37, 80, 51, 99, 82, 99, 66],
    [21, 99, 99, 99, 22, 99, 99, 99, 38, 99, 99, 99, 99, 99, 21, 83, 99, 99, 83, 99, 21, 99, 99, 99, 99, 99],
    [34, 75, 99, 78, 15, 78, 85, 61, 23, 98, 90, 48, 85, 46, 48, 75, 99, 62, 32, 78, 59, 99, 67, 99, 50, 99],
    [28, 75, 78, 52, 23, 71, 78, 99, 26, 99, 71, 31, 69, 91, 34, 78, 99, 95, 49, 51, 48, 68, 99, 99, 36, 99],
    [22, 45, 67, 99, 22, 84, 99, 99, 27, 99, 99, 77, 44, 71, 31, 34, 99, 93, 52, 99, 46, 99, 99, 99, 64, 99],
    [36, 88, 41, 35, 32, 63, 24, 80, 38, 84, 64, 76, 83, 52, 47, 92, 98, 83, 34, 28, 64, 65, 88, 99, 67, 87],
    [59, 59, 51, 51, 74, 68, 56, 79, 60, 98, 64, 39, 40, 20, 48, 49, 99, 27, 46, 46, 38, 54, 48, 79, 67, 94],
    [29, 89, 93, 95, 25, 99, 91, 43, 36, 99, 99, 35, 84, 99, 31, 41, 99, 27, 49, 44, 46, 99, 99, 99, 72, 99],
    [67, 75, 97, 97, 97, 97, 97, 97, 62, 97, 97, 75, 97, 97, 97, 97, 97, 97, 97, 97, 1, 97, 97, 97, 97, 97],
    [28, 68, 56, 50, 22, 74, 57, 81, 29, 99, 64, 62, 54, 54, 33, 69, 99, 50, 38, 43, 52, 65, 81, 99, 50, 99],
    [42, 78, 45, 92, 28, 81, 94, 37, 32, 99, 64, 54, 58, 73, 42, 43, 78, 88, 36, 22, 41, 99, 65, 99, 63, 99],
    [33, 90, 65, 99, 22, 84, 99, 39, 21, 99, 99, 56, 78, 83, 37, 94, 99, 35, 41, 49, 47, 99, 77, 99, 52, 90],
    [45, 49, 44, 50, 43, 65, 49, 99, 46, 99, 80, 35, 41, 29, 79, 49, 99, 27, 29, 35, 99, 85, 99, 82, 89, 79],
    [27, 99, 99, 96, 10, 99, 99, 96, 20, 99, 99, 90, 99, 99, 36, 99, 99, 90, 99, 99, 77, 99, 99, 99, 74, 99],
    [21, 80, 73, 77, 23, 72, 99, 41, 25, 99, 70, 51, 80, 39, 35, 92, 99, 48, 45, 73, 92, 99, 80, 99, 70, 99],
    [37, 82, 32, 99, 31, 68, 99, 50, 26, 99, 99, 82, 82, 99, 49, 21, 82, 99, 99, 28, 52, 73, 82, 99, 59, 99],
    [34, 59, 45, 53, 30, 72, 72, 79, 37, 92, 75, 38, 38, 38, 40, 47, 99, 44, 29, 46, 54, 84, 66, 92, 99, 70],
    [22, 67, 99, 80, 14, 99, 80, 52, 31, 99, 99, 57, 80, 80, 36, 80, 99, 72, 72, 72, 52, 80, 99, 99, 49, 43],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_by_chance_cost_more_than_words() {
        for word in ["wikipedia", "facebook", "akamaiedge", "googleapis", "windowsupdate"] {
            assert!(cost(word.as_bytes()).unwrap() < 52, "{word}");
        }
        for made in ["xjwqkvhzpb", "qwvbnxkzrt", "kq3vz9xw1j", "gfuqhbxpfp"] {
            assert!(cost(made.as_bytes()).unwrap() > 60, "{made}");
        }
        assert_eq!(cost(b"short"), None);
    }

    #[test]
    fn any_label_has_a_cost_or_none() {
        bolero::check!().with_iterations(2000).for_each(|label: &[u8]| {
            assert!(cost(label).is_none_or(|cost| cost <= 100));
        });
    }
}
