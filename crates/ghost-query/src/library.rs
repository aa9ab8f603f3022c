//! The library of known patterns: names, other words, marks and meaning, read from `patterns.txt`.
//!
//! **Invariant:** every pattern parses, and all marks together fit one walk (tests say so).

use std::sync::LazyLock;

use jiff::tz::TimeZone;

use crate::filter::Part;
use crate::tags::Tags;
use crate::words::tokens;

/// A pattern of traffic that has a name.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// Its name and its other names, word by word.
    pub(crate) words: Vec<Vec<String>>,
    /// An event that meets one is of the pattern as far as its weight says.
    pub(crate) marks: Vec<Part>,
    /// Events that make the pattern half certain.
    pub(crate) enough: f64,
    pub(crate) text: &'static str,
}

/// Every pattern, in the order of the file.
pub(crate) static LIBRARY: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let mut all: Vec<Pattern> = Vec::new();
    for line in include_str!("patterns.txt").lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            all.push(Pattern {
                name,
                title: "",
                words: vec![stems(name)],
                marks: Vec::new(),
                enough: 1.0,
                text: "",
            });
        } else if let Some((key, value)) = line.split_once(": ")
            && let Some(pattern) = all.last_mut()
        {
            match key {
                "title" => pattern.title = value,
                "words" => pattern.words.extend(value.split('|').map(stems)),
                "marks" => pattern.marks = marks(value),
                "enough" => pattern.enough = value.parse().unwrap_or(1.0),
                "text" => pattern.text = value,
                _ => {}
            }
        }
    }
    all
});

fn marks(text: &str) -> Vec<Part> {
    let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    let mark = |token: &String| {
        let weighed = token.contains('^');
        let token = if weighed { format!("~{token}") } else { format!("~{token}^1") };
        Part::parse(&token, &now, &Tags::default()).ok().flatten()
    };
    tokens(text).unwrap_or_default().iter().filter_map(mark).collect()
}

/// Words in lower case, without the `s` of a plural.
pub(crate) fn stems(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '&');
    let stem = |word: &str| {
        let word = word.to_lowercase();
        let plural = word.len() > 3 && word.ends_with('s') && !word.ends_with("ss");
        if plural && word != "dos" && word != "ddos" {
            word.trim_end_matches('s').to_owned()
        } else {
            word
        }
    };
    words.filter(|word| !word.is_empty()).map(stem).collect()
}

/// What a question calls by name: patterns by number, and the words that are left.
pub(crate) fn named(said: &str) -> (Vec<usize>, String) {
    let words: Vec<&str> = said.split_whitespace().collect();
    let stemmed: Vec<Vec<String>> = words.iter().map(|word| stems(word)).collect();
    // A filter is no name.
    let mut taken: Vec<bool> = words.iter().map(|word| word.contains(':')).collect();
    let mut names: Vec<(usize, &Vec<String>)> = LIBRARY
        .iter()
        .enumerate()
        .flat_map(|(at, pattern)| pattern.words.iter().map(move |name| (at, name)))
        .filter(|(_, name)| !name.is_empty())
        .collect();
    names.sort_by_key(|(at, name)| (std::cmp::Reverse(name.len()), *at));
    let mut found = Vec::new();
    for (pattern, name) in names {
        for at in 0..words.len() {
            // One written word may be several (`brute-force`).
            let (mut used, mut met) = (0, 0);
            while met < name.len()
                && let Some(pieces) = stemmed.get(at + used)
                && !pieces.is_empty()
                && taken.get(at + used) == Some(&false)
                && name.get(met..met + pieces.len()) == Some(pieces.as_slice())
            {
                met += pieces.len();
                used += 1;
            }
            if met == name.len() {
                taken[at..at + used].fill(true);
                if !found.contains(&pattern) {
                    found.push(pattern);
                }
            }
        }
    }
    found.sort_unstable();
    let left = words.iter().zip(&taken).filter(|(word, taken)| !**taken || word.contains(':'));
    let left: Vec<&str> = left.map(|(word, _)| *word).collect();
    (found, left.join(" "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_pattern_is_whole_and_all_marks_fit_one_walk() {
        let mut marks = BTreeSet::new();
        let mut names = BTreeSet::new();
        for pattern in LIBRARY.iter() {
            assert!(names.insert(pattern.name), "{} stands twice", pattern.name);
            assert!(!pattern.title.is_empty() && !pattern.text.is_empty(), "{}", pattern.name);
            assert!(!pattern.marks.is_empty() && pattern.enough >= 1.0, "{}", pattern.name);
            for mark in &pattern.marks {
                assert!((0.0..=1.0).contains(&mark.weight), "{}: {mark}", pattern.name);
                marks.insert(mark.filter.to_string());
            }
        }
        let stated = include_str!("patterns.txt").lines().filter(|l| l.starts_with("marks: "));
        let tokens: usize = stated.map(|line| tokens(&line[7..]).unwrap().len()).sum();
        let read: usize = LIBRARY.iter().map(|pattern| pattern.marks.len()).sum();
        assert_eq!(read, tokens, "a mark does not parse");
        assert!(marks.len() < ghost_index::limits::SHOULD_MAX, "{}", marks.len());
        assert!(LIBRARY.len() > 30);
    }

    #[test]
    fn a_pattern_is_called_by_any_of_its_names_and_the_rest_is_left() {
        let check = |said: &str, want: &[&str], left: &str| {
            let (found, rest) = named(said);
            let found: Vec<&str> = found.iter().map(|at| LIBRARY[*at].name).collect();
            assert_eq!((found.as_slice(), rest.as_str()), (want, left), "{said}");
        };
        check("DDoS", &["ddos"], "");
        check("port scan", &["port scan"], "");
        check("Port Scans of 10.0.0.1", &["port scan"], "of 10.0.0.1");
        check("brute-force", &["brute force"], "");
        check("ssh bruteforce", &["brute force", "administration"], "");
        check("dns tunnel", &["dns tunnel"], "");
        check("app:dns beacons", &["command and control"], "app:dns");
        check("purple elephants", &[], "purple elephants");
    }
}
