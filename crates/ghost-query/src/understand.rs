//! Words to an understanding: what must hold, what is preferred, and what is left for meaning.
//!
//! Literal things (addresses, ports, names, sizes, times) become conditions. What the lexicon knows
//! becomes preferences: words are rarely meant to the letter, and a preference that is not met costs
//! rank, not the answer. The rest is embedded. An understanding prints itself in the filter
//! language, and what is printed is understood as the same.

use std::fmt;

use jiff::Zoned;

use crate::aggregate::Aggregate;
use crate::anchor::Anchor;
use crate::counting::counted;
use crate::error::QueryError;
use crate::filter::{Filter, Key, Mode, Part, quote};
use crate::lexicon::STOP_WORDS;
use crate::limits;
use crate::tags::Tags;
use crate::words::{self, trimmed};

/// What was understood of a question.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Understanding {
    pub parts: Vec<Part>,
    /// Where it is asked to count instead of to find.
    pub aggregate: Option<Aggregate>,
    /// A stretch of time by what happened in it.
    pub anchor: Option<Anchor>,
    /// Words that say nothing to what is counted; they are told, and are not printed.
    pub ignored: Vec<String>,
    /// The words that are embedded; empty where nothing is left to mean.
    pub meaning: String,
}

impl fmt::Display for Understanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for part in &self.parts {
            if !std::mem::take(&mut first) {
                f.write_str(" ")?;
            }
            part.fmt(f)?;
        }
        if let Some(anchor) = &self.anchor {
            if !std::mem::take(&mut first) {
                f.write_str(" ")?;
            }
            anchor.fmt(f)?;
        }
        if let Some(aggregate) = &self.aggregate {
            if !std::mem::take(&mut first) {
                f.write_str(" ")?;
            }
            aggregate.fmt(f)?;
        }
        if !self.meaning.is_empty() {
            f.write_str(if first { "meaning:" } else { " meaning:" })?;
            let mut text = String::new();
            quote(&mut text, &self.meaning)?;
            f.write_str(&text)?;
        }
        Ok(())
    }
}

/// Understands `text`.
///
/// # Errors
/// A filter in it has no such key or value, or a quotation mark stands alone.
pub fn understand(text: &str, now: &Zoned, tags: &Tags) -> Result<Understanding, QueryError> {
    let mut end = text.len().min(limits::WORDS_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut out = Understanding::default();
    let mut said: Vec<String> = Vec::new();
    for token in words::tokens(&text[..end])?.into_iter().take(limits::TOKENS_MAX) {
        if let Some(value) = token.strip_prefix("meaning:") {
            push_word(&mut out.meaning, &unquote(value));
        } else if Aggregate::read(&token, &mut out.aggregate)? {
            // Taken.
        } else if let Some(anchor) = Anchor::parse(&token)? {
            out.anchor = Some(anchor);
        } else if let Some(part) = Part::parse(&token, now, tags)? {
            out.parts.push(part);
        } else if token.len() > 1 && token.starts_with('"') && token.ends_with('"') {
            said.extend(unquote(&token).split_whitespace().map(str::to_owned));
        } else {
            said.push(token);
        }
    }
    Reader { now, tags, said, taken: Vec::new(), out: &mut out }.read()?;
    Ok(out)
}

fn unquote(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    let Some(inner) = inner else { return value.to_owned() };
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c == '\\' { out.extend(chars.next()) } else { out.push(c) }
    }
    out
}

fn push_word(text: &mut String, word: &str) {
    if !text.is_empty() && !word.is_empty() {
        text.push(' ');
    }
    text.push_str(word);
}

/// The words of a question on their way to an understanding.
pub(crate) struct Reader<'a> {
    pub(crate) now: &'a Zoned,
    pub(crate) tags: &'a Tags,
    /// As they were said.
    pub(crate) said: Vec<String>,
    /// Words that became something literal, or were about counting.
    pub(crate) taken: Vec<bool>,
    pub(crate) out: &'a mut Understanding,
}

impl Reader<'_> {
    fn read(mut self) -> Result<(), QueryError> {
        let words: Vec<String> = self.said.iter().map(|w| trimmed(w).to_lowercase()).collect();
        let all: Vec<&str> = words.iter().map(String::as_str).collect();
        self.taken = vec![false; words.len()];
        if self.out.aggregate.is_none() {
            let counted = counted(&all);
            self.out.aggregate = counted.aggregate;
            self.taken = counted.taken;
        }
        let mut at = 0;
        while at < words.len() {
            let mut used = 0;
            if self.taken.get(at) == Some(&false) {
                used = match Anchor::said(all.get(at..).unwrap_or_default()) {
                    Some((anchor, used)) if self.out.anchor.is_none() => {
                        self.out.anchor = Some(anchor);
                        used
                    }
                    _ => self.literal(&all, at)?,
                };
            }
            self.taken.iter_mut().skip(at).take(used).for_each(|taken| *taken = true);
            at += used.max(1);
        }
        self.lexical(&words);
        if self.out.aggregate.is_some() {
            // What is counted meets conditions; nothing is ranked by meaning.
            return Ok(());
        }
        let left = self.said.iter().zip(&self.taken).filter(|(_, taken)| !**taken);
        let left = left.map(|(word, _)| trimmed(word)).filter(|word| !word.is_empty());
        let meaning: Vec<&str> = left.collect();
        // Words that say nothing have no meaning to look for, unless they are all there is.
        let empty = |w: &&str| STOP_WORDS.contains(&w.to_lowercase().as_str());
        let nothing_else = self.out.parts.is_empty() && self.out.anchor.is_none();
        if nothing_else || !meaning.iter().all(empty) {
            push_word(&mut self.out.meaning, &meaning.join(" "));
        }
        Ok(())
    }
}

impl Understanding {
    /// Whether applications are asked for, and no behaviour is spoken of.
    pub(crate) fn is_about_applications(&self) -> bool {
        let wanted = |p: &&Part| matches!(p.mode, Mode::Must | Mode::Prefer);
        self.parts.iter().filter(wanted).any(|p| p.filter.key == Key::App)
            && self.on(&Key::Behaviour).next().is_none()
    }

    /// The conditions and preferences on one key.
    pub fn on(&self, key: &Key) -> impl Iterator<Item = &Filter> {
        self.parts.iter().map(|p| &p.filter).filter(move |f| f.key == *key)
    }
}
