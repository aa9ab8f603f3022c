//! A line's place in the log: the last bytes of every line, at known distances from its end.
//!
//! The tail is fixed to the byte, so that a verifier finds number and predecessor without reading
//! the JSON before them: `,"seq":` number `,"prev":"` 64 hexadecimal digits `"}}` newline.

use super::text;
use crate::{Digest, Seq};

const SEQ: &[u8] = b",\"seq\":";
const PREV: &[u8] = b",\"prev\":\"";
const END: &[u8] = b"\"}}\n";

/// The longest tail: a number of 20 digits.
pub const TAIL_BYTES_MAX: usize = SEQ.len() + 20 + PREV.len() + 64 + END.len();

/// Closes a body: adds its number, the leaf of the line before it, and the newline.
pub fn close(body: &mut Vec<u8>, seq: Seq, prev: &Digest) {
    body.extend_from_slice(SEQ);
    text::number(body, seq);
    body.extend_from_slice(PREV);
    body.extend_from_slice(&prev.hex());
    body.extend_from_slice(END);
}

/// What the tail of a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    pub seq: Seq,
    pub prev: Digest,
    /// Where the tail begins: the body's length.
    pub body_bytes: usize,
}

impl Tail {
    /// Reads the end of a whole line, newline included; `None` where this is no logged line.
    #[must_use]
    pub fn of(line: &[u8]) -> Option<Tail> {
        if line.first() != Some(&b'{') {
            return None;
        }
        let (seq, body_bytes, hex) = parts(line)?;
        Some(Tail { seq, prev: digest(hex)?, body_bytes })
    }
}

/// The number alone: what stands for the predecessor is not looked at.
pub(super) fn seq_of(line: &[u8]) -> Option<Seq> {
    parts(line).map(|(seq, _, _)| seq)
}

/// Number, the body's length, and the predecessor's digits.
fn parts(line: &[u8]) -> Option<(Seq, usize, &[u8; 64])> {
    let rest = line.strip_suffix(END)?;
    let (rest, hex) = rest.split_last_chunk::<64>()?;
    let rest = rest.strip_suffix(PREV)?;
    let count = rest.iter().rev().take(20).take_while(|c| c.is_ascii_digit()).count();
    let (rest, number) = rest.split_at_checked(rest.len() - count)?;
    // Written without leading zeros: one number has one form.
    if number.first().is_none_or(|d| *d == b'0') {
        return None;
    }
    let seq = number
        .iter()
        .try_fold(0_u64, |n, c| n.checked_mul(10)?.checked_add(u64::from(c - b'0')))?;
    let body = rest.strip_suffix(SEQ)?;
    Some((seq, body.len(), hex))
}

/// Lower-case digits only: the form that was hashed is the only one.
fn digest(hex: &[u8; 64]) -> Option<Digest> {
    const BAD: u8 = 0xff;
    const VALUE: [u8; 256] = {
        let mut table = [BAD; 256];
        let mut digit = 0;
        while digit < 16 {
            table[b"0123456789abcdef"[digit] as usize] = digit as u8;
            digit += 1;
        }
        table
    };
    let mut out = [0; 32];
    let mut bad = 0;
    for (byte, pair) in out.iter_mut().zip(hex.as_chunks::<2>().0) {
        let (high, low) = (VALUE[usize::from(pair[0])], VALUE[usize::from(pair[1])]);
        bad |= high | low;
        *byte = high << 4 | low & 15;
    }
    (bad < 16).then_some(Digest(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_read_as_it_was_written() {
        for seq in [1, 9, 10, u64::MAX] {
            let mut line = b"{\"ghost\":{\"v\":1".to_vec();
            let body = line.len();
            let prev = Digest(std::array::from_fn(|i| u8::try_from(i * 7).unwrap()));
            close(&mut line, seq, &prev);
            assert!(line.len() - body <= TAIL_BYTES_MAX);
            assert_eq!(Tail::of(&line), Some(Tail { seq, prev, body_bytes: body }));
        }
    }

    #[test]
    fn another_spelling_of_the_same_tail_is_refused() {
        let mut line = b"{\"ghost\":{\"v\":1".to_vec();
        close(&mut line, 12, &Digest([0xab; 32]));
        assert!(Tail::of(&line).is_some());
        let text = String::from_utf8(line).unwrap();
        for (from, to) in
            [("ab", "AB"), (":12,", ":012,"), (":12,", ":,"), ("}}\n", "}}"), ("}}\n", "} }\n")]
        {
            assert_eq!(Tail::of(text.replace(from, to).as_bytes()), None, "{from} -> {to}");
        }
        assert_eq!(Tail::of(text.replace(":12,", ":99999999999999999999,").as_bytes()), None);
    }

    #[test]
    fn no_bytes_panic() {
        bolero::check!().with_iterations(5_000).for_each(|bytes| {
            let _ = Tail::of(bytes);
        });
    }
}
