//! What a message means, without what only names: the text that has a vector.
//!
//! Addresses, numbers, identifiers, paths and quoted names give way to a word for their kind, so
//! that a thousand messages of one sentence are one text. Names that were taken out are for filters
//! and lexical search (decision 0003).

use crate::limits::MESSAGE_BYTES_MAX;

/// Words of one text.
const WORDS_MAX: usize = 48;

/// The text of a message.
#[must_use]
pub fn meaning(message: &str) -> String {
    let mut out = String::with_capacity(message.len().min(256));
    let mut last = "";
    let mut words = 0;
    for token in message.get(..MESSAGE_BYTES_MAX).unwrap_or(message).split_whitespace() {
        for part in parts(token) {
            let word = kind(part);
            if word.is_empty() || (word == last && word.starts_with('<')) {
                continue;
            }
            if !out.is_empty() {
                out.push(' ');
            }
            match word.strip_prefix('<').and_then(|w| w.strip_suffix('>')) {
                Some(name) => out.push_str(name),
                None => out.extend(word.chars().flat_map(char::to_lowercase)),
            }
            last = word;
            words += 1;
            if words == WORDS_MAX {
                return out;
            }
        }
    }
    out
}

/// The parts of a token: `name=value`, `a/b` that is no path, brackets and quotes left away.
fn parts(token: &str) -> impl Iterator<Item = &str> {
    let trimmed = token.trim_matches(|c: char| {
        matches!(
            c,
            '"' | '\'' | '`' | '(' | ')' | '[' | ']' | '{' | '}' | ',' | ';' | '.' | '!' | '?'
        )
    });
    let trimmed = trimmed.trim_end_matches(':');
    let whole = trimmed.starts_with('/') || trimmed.contains("://") || is_address(trimmed);
    let seps: &[char] = if whole { &[] } else { &['=', '<', '>', '|', ','] };
    trimmed.split(seps).filter(|part| !part.is_empty())
}

/// A word, or the word for its kind in angle brackets.
fn kind(part: &str) -> &str {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    let letters = part.bytes().filter(u8::is_ascii_alphabetic).count();
    if part.starts_with('/') || part.contains("://") {
        return "<path>";
    }
    if is_address(part) {
        return "<address>";
    }
    if digits + letters == 0 {
        // Other scripts are words too.
        return if part.chars().any(char::is_alphanumeric) { part } else { "" };
    }
    if letters == 0 || is_quantity(part) {
        return "<number>";
    }
    let hex = part.trim_start_matches("0x");
    if part.starts_with("0x") && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return "<number>";
    }
    if is_uuid(part) || part.len() >= 16 && hex.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
    {
        return "<id>";
    }
    // `ens3`, `br-ex2`, `qvo1b2c3d4e-5f`, `req-…`: a name with a number in it.
    if digits > 0 && part.len() > 2 {
        return "<name>";
    }
    part.trim_matches(|c: char| c.is_ascii_punctuation())
}

fn is_address(part: &str) -> bool {
    let bare = part.trim_matches(|c: char| matches!(c, '[' | ']'));
    let host = bare.split('/').next().unwrap_or_default();
    if host.parse::<std::net::IpAddr>().is_ok() || bare.parse::<std::net::SocketAddr>().is_ok() {
        return true;
    }
    let pairs: Vec<&str> = host.split(':').collect();
    matches!(pairs.len(), 6 | 8 | 14 | 20)
        && pairs.iter().all(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// `23ms`, `4.2s`, `100%`, `1500B`.
fn is_quantity(part: &str) -> bool {
    let unit =
        part.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | ','));
    part.len() > unit.len()
        && matches!(
            unit,
            "" | "%"
                | "s"
                | "ms"
                | "us"
                | "ns"
                | "B"
                | "K"
                | "M"
                | "G"
                | "T"
                | "KB"
                | "MB"
                | "GB"
                | "KiB"
                | "MiB"
                | "GiB"
                | "k"
                | "Hz"
                | "MHz"
                | "GHz"
                | "Mbps"
                | "Gbps"
                | "min"
                | "h"
                | "d"
                | "x"
        )
}

fn is_uuid(part: &str) -> bool {
    let bytes = part.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_one_sentence_are_one_text() {
        let a = meaning("Connection closed by 173.234.31.186 port 38926 [preauth]");
        let b = meaning("Connection closed by 2001:db8::7 port 9 [preauth]");
        assert_eq!(a, "connection closed by address port number preauth");
        assert_eq!(a, b);
        assert_eq!(
            meaning("bridge br-int: deleted interface qvo1b2c3d4e-5f on port 12"),
            "bridge br-int deleted interface name on port number"
        );
    }

    #[test]
    fn no_address_number_or_identifier_is_left() {
        let text = meaning(
            "device (eth0) 52:54:00:e2:28:a3 got 10.0.0.7/24 after 23ms, uuid \
             b38c394a-50b4-45f0-86c5-d36963d6d64f in /etc/x.conf id=0x93479ccd",
        );
        assert_eq!(text, "device name address got address after number uuid id in path id number");
    }

    #[test]
    fn any_text_gives_a_bounded_one_without_digits_of_addresses() {
        bolero::check!().for_each(|bytes: &[u8]| {
            let text = meaning(&String::from_utf8_lossy(bytes));
            assert!(text.split(' ').count() <= WORDS_MAX);
        });
    }
}
