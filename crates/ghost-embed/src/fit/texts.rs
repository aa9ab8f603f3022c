//! Texts that teach the token table: what operators ask, what glossaries say, and words at random.

use std::collections::BTreeSet;

use super::samples::{self, Random};
use crate::glossary::{self, APPS, BEHAVIOURS, BRANDS, CATEGORIES};
use crate::wordpiece::WordPiece;

/// Words of networks, systems and of those who ask about them.
const WORDS: &str = include_str!("../../data/words.txt");

/// Ways to ask; `{}` is what about.
const FRAMES: &[&str] = &[
    "show me {}",
    "find {}",
    "who is using {}",
    "{} traffic",
    "{} in the last hour",
    "all {} from the internet",
    "which hosts are doing {}",
    "{} to production servers",
    "unusual {}",
    "is there any {} on the network",
    "list {} sessions",
    "traffic patterns similar to {}",
    "{} or {}",
    "{} and {}",
    "devices that use {}",
    "how much {} was there today",
    "someone is running {}",
    "{}",
];

/// The ids of `count` tokens: those of the glossary and the word list, single characters, then
/// the most frequent others (the vocabulary is in order of frequency).
pub(super) fn tokens(count: usize) -> Vec<u32> {
    let tokenizer = WordPiece::embedded();
    let mut chosen = BTreeSet::new();
    let mut all = WORDS.to_owned();
    for text in APPS.iter().flat_map(|w| [w.name, w.text, w.category]) {
        all.push_str(text);
        all.push('\n');
    }
    for text in BEHAVIOURS.iter().map(|w| w.text).chain(BRANDS.iter().copied()) {
        all.push_str(text);
        all.push('\n');
    }
    for text in CATEGORIES.iter().map(|(_, w)| w).chain(FRAMES) {
        all.push_str(text);
        all.push('\n');
    }
    for shape in samples::shapes(2_000, 1) {
        all.push_str(&glossary::text(&shape));
        all.push('\n');
    }
    for line in all.lines() {
        chosen.extend(tokenizer.encode(line).into_iter().filter(|id| *id > 103));
    }
    let vocabulary = tokenizer.vocabulary();
    for id in (0..).take(vocabulary.len()) {
        if chosen.len() >= count {
            break;
        }
        if let Some((token, _)) = vocabulary.token(id)
            && id > 103
            && token.is_ascii()
            && token.len() > 1
            && token.bytes().all(|b| b.is_ascii_lowercase())
        {
            chosen.insert(id);
        }
    }
    chosen.into_iter().take(count).collect()
}

/// A token as a text of its own.
pub(super) fn spelt(id: u32) -> String {
    WordPiece::embedded().vocabulary().token(id).map_or("", |(t, _)| t).to_owned()
}

/// About `count` texts of several kinds.
pub(super) fn texts(chosen: &[u32], count: usize, seed: u64) -> Vec<String> {
    let mut random = Random(seed);
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let shapes = samples::shapes(2 * count, seed ^ 1);
    let whole: Vec<&str> = chosen
        .iter()
        .filter_map(|id| WordPiece::embedded().vocabulary().token(*id))
        .filter(|(t, piece)| !piece && t.len() > 1)
        .map(|(t, _)| t)
        .collect();
    (0..count)
        .map(|_| match random.below(100) {
            0..30 => asked(&mut random, &words),
            30..50 => glossary::text(&random.pick(&shapes)),
            50..80 => bag(&mut random, &words),
            _ => {
                // Frequent words more often: the square of an even number leans to the front.
                let mut bag = Vec::new();
                for _ in 0..3 + random.below(8) {
                    let n = random.below(1_000) * random.below(1_000) * whole.len() / 1_000_000;
                    bag.push(whole.get(n).copied().unwrap_or("network"));
                }
                bag.join(" ")
            }
        })
        .collect()
}

fn asked(random: &mut Random, words: &[&str]) -> String {
    let mut text = random.pick(FRAMES).to_owned();
    while text.contains("{}") {
        let about = match random.below(6) {
            0 => part(random, random_app),
            1 => part(random, |r| r.pick(BEHAVIOURS).text),
            2 => random.pick(BRANDS).to_owned(),
            3 => random.pick(CATEGORIES).1.to_owned(),
            _ => bag(random, words),
        };
        text = text.replacen("{}", &about, 1);
    }
    text
}

fn random_app(random: &mut Random) -> &'static str {
    random.pick(APPS).text
}

/// One to four following words of a glossary text.
fn part(random: &mut Random, of: impl Fn(&mut Random) -> &'static str) -> String {
    let words: Vec<&str> = of(random).split(' ').collect();
    let begin = random.below(words.len());
    let end = (begin + 1 + random.below(4)).min(words.len());
    words[begin..end].join(" ").trim_end_matches(',').to_owned()
}

/// One to five words of the list.
fn bag(random: &mut Random, words: &[&str]) -> String {
    let mut bag = Vec::new();
    for _ in 0..=random.below(5) {
        bag.push(random.pick(words));
    }
    bag.join(" ")
}
