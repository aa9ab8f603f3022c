//! The lexicon made ready, and what of it a question says.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use ghost_embed::WordPiece;
use jiff::tz::TimeZone;

use crate::filter::{Key, Mode, Part};
use crate::lexicon::ENTRIES;
use crate::tags::Tags;
use crate::words::{stem, tokens};

/// What one entry asks for.
struct Meaning {
    want: Vec<Part>,
}

#[derive(Default)]
struct Lexicon {
    meanings: Vec<Meaning>,
    /// Sayings of adjacent stems, longest first, with their meaning.
    runs: Vec<(Vec<String>, usize)>,
    /// Sayings whose parts may stand anywhere.
    scattered: Vec<(Vec<Vec<String>>, usize)>,
    /// Every stem of a saying.
    known: BTreeSet<String>,
}

/// One thing that was said.
pub(crate) struct Said {
    pub(crate) want: &'static [Part],
    /// First word and number of words; `None` where they stand far apart.
    pub(crate) at: Option<(usize, usize)>,
}

/// A stem this long may be a slip of the pen for another.
const SLIP_MIN: usize = 6;

/// A stem this long may be the beginning of a longer word where words stand apart.
const PREFIX_MIN: usize = 5;

impl Lexicon {
    /// The stem of a word, or of the word of the lexicon that it is a slip of the pen for.
    fn stem_of(&self, word: &str) -> String {
        let own = stem(word);
        if own.len() < SLIP_MIN || self.known.contains(&own) || is_word(word) {
            return own;
        }
        let mut near = self.known.iter().filter(|k| k.len() + 1 >= SLIP_MIN && one_edit(k, &own));
        match (near.next(), near.next()) {
            (Some(only), None) => only.clone(),
            _ => own,
        }
    }
}

/// A word that the model's vocabulary has whole is meant as it stands.
fn is_word(word: &str) -> bool {
    WordPiece::embedded().encode(word).len() == 1
}

/// Whether one letter more, less, other, or two swapped make one of the other.
fn one_edit(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let front = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[front..], &b[front..]);
    let back = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[..a.len() - back], &b[..b.len() - back]);
    match (a, b) {
        ([_] | [], [_] | []) => true,
        ([p, q], [r, s]) => p == s && q == r,
        _ => false,
    }
}

fn stems(saying: &str) -> Vec<String> {
    saying.split_whitespace().map(stem).collect()
}

fn lexicon() -> &'static Lexicon {
    static LEXICON: OnceLock<Lexicon> = OnceLock::new();
    LEXICON.get_or_init(|| {
        let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
        let tags = Tags::default();
        let mut lexicon = Lexicon::default();
        for (at, entry) in ENTRIES.iter().enumerate() {
            let want = tokens(entry.want)
                .unwrap_or_default()
                .iter()
                .filter_map(|token| Part::parse(&format!("~{token}"), &now, &tags).ok().flatten())
                .collect();
            lexicon.meanings.push(Meaning { want });
            for saying in entry.say.split('|') {
                if saying.contains('+') {
                    lexicon.scattered.push((saying.split('+').map(stems).collect(), at));
                } else {
                    lexicon.runs.push((stems(saying), at));
                }
            }
        }
        let runs = lexicon.runs.iter().flat_map(|(run, _)| run);
        let scattered = lexicon.scattered.iter().flat_map(|(parts, _)| parts.iter().flatten());
        lexicon.known = runs.chain(scattered).cloned().collect();
        lexicon.runs.sort_by_key(|(run, at)| (std::cmp::Reverse(run.len()), *at));
        lexicon
    })
}

/// What `words` say; a word that `taken` marks is out of it, and words of sayings are marked.
pub(crate) fn said(words: &[String], taken: &mut [bool]) -> Vec<Said> {
    let lexicon = lexicon();
    let stemmed: Vec<String> = words.iter().map(|w| lexicon.stem_of(w)).collect();
    let mut out = Vec::new();
    let mut found = vec![false; lexicon.meanings.len()];
    let open: Vec<bool> = taken.iter().map(|t| !t).collect();
    for (parts, at) in &lexicon.scattered {
        let place = |part: &Vec<String>| {
            (0..stemmed.len()).find(|i| {
                part.iter().enumerate().all(|(k, p)| {
                    open.get(i + k) == Some(&true)
                        && stemmed.get(i + k).is_some_and(|w| {
                            w == p || (p.len() >= PREFIX_MIN && w.starts_with(p.as_str()))
                        })
                })
            })
        };
        if found[*at] {
            continue;
        }
        if let Some(places) = parts.iter().map(place).collect::<Option<Vec<usize>>>() {
            found[*at] = true;
            let (first, last) = (places.iter().min(), places.iter().max());
            let (first, last) = (first.map_or(0, |p| *p), last.map_or(0, |p| *p));
            // Side by side they are as good as one saying, and can be negated as one.
            let near = last - first < parts.len();
            let at_words = near.then_some((first, last - first + 1));
            out.push(Said { want: &lexicon.meanings[*at].want, at: at_words });
        }
    }
    for (run, at) in &lexicon.runs {
        if run.is_empty() || run.len() > stemmed.len() {
            continue;
        }
        for i in 0..=stemmed.len() - run.len() {
            let span = i..i + run.len();
            if stemmed[span.clone()] == run[..] && !taken[span.clone()].contains(&true) {
                taken[span].fill(true);
                if !found[*at] {
                    found[*at] = true;
                    out.push(Said { want: &lexicon.meanings[*at].want, at: Some((i, run.len())) });
                }
            }
        }
    }
    out
}

/// Applications of the kinds of `named`: of each the smallest group of the lexicon that has a kind.
pub(crate) fn kin(named: &[String]) -> Vec<&'static Part> {
    let mut out: Vec<&'static Part> = Vec::new();
    for name in named {
        let has = |p: &&Part| {
            p.filter.key == Key::App && p.filter.values.len() > 2 && p.filter.values.contains(name)
        };
        let groups = lexicon().meanings.iter().filter(|m| {
            m.want.iter().any(|p| p.filter.key == Key::Category) && m.want.iter().any(|p| has(&p))
        });
        let size = |m: &&Meaning| m.want.iter().map(|p| p.filter.values.len()).sum::<usize>();
        for part in groups.min_by_key(size).map(|m| m.want.as_slice()).unwrap_or_default() {
            if part.mode == Mode::Prefer && !out.contains(&part) {
                out.push(part);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_of_the_lexicon_parses_and_asks_for_something() {
        for (entry, meaning) in ENTRIES.iter().zip(&lexicon().meanings) {
            let want = tokens(entry.want).unwrap();
            assert_eq!(want.len(), meaning.want.len(), "{}", entry.want);
            assert!(!want.is_empty() && !entry.say.is_empty());
        }
    }

    #[test]
    fn a_longer_saying_takes_its_words_from_the_shorter() {
        let words: Vec<String> = "microsoft sql server".split(' ').map(str::to_owned).collect();
        let said = said(&words, &mut [false; 3]);
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].want[0].to_string(), "~app:mssql,mssql-browser");
    }
}
