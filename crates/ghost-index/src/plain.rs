//! The quick walk over a line in the plain form, which is the form in which lines are written.
//!
//! Plain are: no spaces between tokens, no escapes in strings, whole numbers up to 19 digits, short
//! decimals. Whatever else JSON allows is not refused here but left to the full reader, which
//! alone says what is an error. **Invariant:** a line that is plain gives the leaves that the full
//! reader gives.

use crate::walk::Leaves;

/// Deeper lines are left to the full reader, which has a bound of its own.
const DEPTH_MAX: u32 = 16;

/// Digits that fit a `u64` whatever they are.
const DIGITS_MAX: usize = 19;

/// Walks `text`; `None` where it is not plain, some leaves having been given.
pub(crate) fn walk(text: &str, path: &mut String, to: &mut impl Leaves) -> Option<()> {
    let mut plain = Plain { text, at: 0, path, to, quiet: false };
    plain.object(0)?;
    let rest = text.get(plain.at..)?;
    matches!(rest, "" | "\n").then_some(())
}

struct Plain<'t, 'p, L> {
    text: &'t str,
    at: usize,
    path: &'p mut String,
    to: &'p mut L,
    /// Within an object or list that is not wanted.
    quiet: bool,
}

impl<'t, L: Leaves> Plain<'t, '_, L> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    fn object(&mut self, depth: u32) -> Option<()> {
        self.eat(b'{')?;
        if self.eat(b'}').is_some() {
            return Some(());
        }
        let parent = self.path.len();
        loop {
            let key = self.string()?;
            self.eat(b':')?;
            if !self.quiet {
                if parent != 0 {
                    self.path.push('.');
                }
                self.path.push_str(key);
            }
            self.value(depth)?;
            self.path.truncate(parent);
            if self.eat(b',').is_none() {
                return self.eat(b'}');
            }
        }
    }

    fn list(&mut self, depth: u32) -> Option<()> {
        self.eat(b'[')?;
        if self.eat(b']').is_some() {
            return Some(());
        }
        loop {
            self.value(depth)?;
            if self.eat(b',').is_none() {
                return self.eat(b']');
            }
        }
    }

    fn value(&mut self, depth: u32) -> Option<()> {
        match self.peek()? {
            b'"' => {
                let value = self.string()?;
                if !self.quiet {
                    self.to.text(self.path, value);
                }
            }
            b'0'..=b'9' => self.number()?,
            open @ (b'{' | b'[') => {
                if depth == DEPTH_MAX {
                    return None;
                }
                let unwanted = !self.quiet
                    && (open == b'[' || !self.path.is_empty())
                    && !self.to.wants(self.path);
                self.quiet |= unwanted;
                if open == b'{' {
                    self.object(depth + 1)?
                } else {
                    self.list(depth + 1)?
                }
                self.quiet &= !unwanted;
            }
            b't' => {
                self.word("true")?;
                if !self.quiet {
                    self.to.text(self.path, "true");
                }
            }
            b'f' => self.word("false")?,
            b'n' => self.word("null")?,
            _ => return None,
        }
        Some(())
    }

    /// A string without escapes or control characters, which the cursor moves behind.
    fn string(&mut self) -> Option<&'t str> {
        self.eat(b'"')?;
        let rest = self.text.as_bytes().get(self.at..)?;
        let len = rest.iter().position(|b| *b == b'"' || *b == b'\\' || *b < 0x20)?;
        if rest.get(len) != Some(&b'"') {
            return None;
        }
        let value = self.text.get(self.at..self.at + len)?;
        self.at += len + 1;
        Some(value)
    }

    fn number(&mut self) -> Option<()> {
        let from = self.at;
        let mut value = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            if self.at - from == DIGITS_MAX {
                return None;
            }
            value = value * 10 + u64::from(digit - b'0');
            self.at += 1;
        }
        let zero_first = self.text.as_bytes().get(from) == Some(&b'0');
        if zero_first && self.at - from > 1 {
            return None;
        }
        if self.eat(b'.').is_some() {
            // A decimal: nobody asks for those.
            let from = self.at;
            while self.at - from < DIGITS_MAX && matches!(self.peek(), Some(b'0'..=b'9')) {
                self.at += 1;
            }
            if self.at == from {
                return None;
            }
        } else if !self.quiet {
            self.to.number(self.path, value);
        }
        matches!(self.peek()?, b',' | b'}' | b']').then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every leaf, as it came.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Heard(Vec<(String, String)>);

    impl Leaves for Heard {
        fn text(&mut self, path: &str, value: &str) {
            self.0.push((path.to_owned(), format!("{value:?}")));
        }
        fn number(&mut self, path: &str, value: u64) {
            self.0.push((path.to_owned(), value.to_string()));
        }
        fn again(&mut self) {
            self.0.clear();
        }
        fn wants(&mut self, path: &str) -> bool {
            !path.ends_with('x')
        }
    }

    fn plain(text: &str) -> Option<Heard> {
        let mut heard = Heard::default();
        walk(text, &mut String::new(), &mut heard)?;
        Some(heard)
    }

    fn full(text: &str) -> Option<Heard> {
        let mut heard = Heard::default();
        crate::walk::full(text, &mut String::new(), &mut heard).ok()?;
        Some(heard)
    }

    const LINE: &str = "{\"a\":\"b\",\"n\":0,\"o\":{\"p\":18446744073709551,\"q\":[1,\"ż\",{\"r\":\
                        true}],\"x\":{\"y\":[70.5]}},\"e\":{},\"l\":[],\"f\":false,\"z\":null}\n";

    #[test]
    fn a_line_as_it_is_written_is_plain_and_heard_alike() {
        let heard = plain(LINE).expect("plain");
        assert_eq!(heard.0.len(), 6);
        assert_eq!(Some(heard), full(LINE));
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_full_reader() {
        for text in [
            "{\"a\": 1}",
            "{\"a\":\"\\n\"}",
            "{\"a\":-1}",
            "{\"a\":1e3}",
            "{\"a\":01}",
            "{\"a\":18446744073709551615}",
            "{\"a\":1}}",
            "[1]",
            "",
            "{\"a\":1",
            "{\"a\":1,}",
            "{\"a\":tru}",
        ] {
            assert_eq!(plain(text), None, "{text}");
        }
    }

    #[test]
    fn whatever_is_plain_is_heard_as_the_full_reader_hears_it() {
        let parts = [
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"a\"",
            "\"x\"",
            "\"\"",
            "1",
            "0",
            "00",
            "7.5",
            "-1",
            "true",
            "null",
            "\"\\u0041\"",
            " ",
            "{\"a\":",
            "\"b\":{",
            "\"c\":[",
            "99999999999999999999",
        ];
        bolero::check!().with_iterations(20_000).with_type::<Vec<u8>>().for_each(|picks| {
            // Tokens by chance, and the good line with some bytes of it replaced by tokens.
            let mut text: String =
                picks.iter().map(|p| parts[usize::from(*p) % parts.len()]).collect();
            check(&text);
            text = LINE.to_owned();
            for pair in picks.as_chunks::<2>().0.iter().take(3) {
                let at = usize::from(pair[0]) % text.len();
                if text.is_char_boundary(at) && text.is_char_boundary(at + 1) {
                    text.replace_range(at..=at, parts[usize::from(pair[1]) % parts.len()]);
                }
            }
            check(&text);
        });
    }

    fn check(text: &str) {
        if let Some(heard) = plain(text) {
            assert_eq!(Some(heard), full(text), "{text}");
        }
    }
}
