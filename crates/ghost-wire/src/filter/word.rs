//! Filter text to words, each with its place.

use super::FilterError;

/// One word or sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

/// The signs, longer ones first.
const SIGNS: [&str; 18] = [
    "&&", "||", "!=", "==", ">=", "<=", "<<", ">>", "!", "(", ")", "[", "]", "=", "<", ">", "&",
    "|",
];

/// How many words a filter may have: more is a mistake in a script.
const WORDS_MAX: usize = 65_536;

pub(super) fn split(text: &str) -> Result<Vec<Word<'_>>, FilterError> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let at = text.len() - rest.len();
        if rest.is_empty() {
            return Ok(words);
        }
        let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign)).map(|sign| sign.len());
        let plain =
            |c: char| c.is_alphanumeric() || matches!(c, '.' | ':' | '/' | '-' | '_' | '\\' | '%');
        let length = sign.unwrap_or_else(|| rest.find(|c| !plain(c)).unwrap_or(rest.len()));
        let (word, behind) = rest.split_at_checked(length).unwrap_or((rest, ""));
        if word.is_empty() || words.len() >= WORDS_MAX {
            let found = rest.chars().next().map(String::from).unwrap_or_default();
            let expected = "a word of a filter, such as `tcp`, `port 443` or `and`".to_owned();
            return Err(FilterError { at, found, expected });
        }
        words.push(Word { text: word, at });
        rest = behind;
    }
}
