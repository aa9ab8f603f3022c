//! What words alone find: BM25 over what other tools read in each flow.
//!
//! It is given the truth's own names, and where asked what nDPI and tshark call the application, its
//! kind and its risks, which the corpus's labels were made with: it stands for a search by words over
//! a perfect reader.

use std::collections::HashMap;

use super::corpus::{Corpus, Doc};
use super::retrieval::Ranked;

const K1: f64 = 1.2;
const B: f64 = 0.75;
/// Hits a question, more than are scored.
const HITS: usize = 30;

/// The best flows of every question.
pub(super) fn bm25(corpus: &Corpus, with_dpi: bool) -> Vec<Ranked> {
    let text = |doc: &Doc| match with_dpi {
        true => format!("{} {}", doc.names, doc.dpi),
        false => doc.names.clone(),
    };
    let index = Index::new(corpus.docs.iter().map(|doc| words(&text(doc))));
    let mut out = Vec::new();
    for query in &corpus.queries {
        for (rank, doc) in (1..).zip(index.best(&words(&query.words))) {
            let Some(doc) = corpus.docs.get(doc) else { continue };
            let key = Some(doc.key.clone());
            out.push(Ranked { query: query.id.clone(), rank, file: doc.file.clone(), key });
        }
    }
    out
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
    words.map(str::to_ascii_lowercase).collect()
}

/// Where each word stands, how often.
struct Index {
    postings: HashMap<String, Vec<(usize, f64)>>,
    lengths: Vec<f64>,
    mean: f64,
}

impl Index {
    fn new(docs: impl Iterator<Item = Vec<String>>) -> Index {
        let mut postings: HashMap<String, Vec<(usize, f64)>> = HashMap::new();
        let mut lengths = Vec::new();
        for (at, words) in docs.enumerate() {
            let mut counts: HashMap<String, f64> = HashMap::new();
            lengths.push(number(words.len()));
            words.into_iter().for_each(|w| *counts.entry(w).or_default() += 1.0);
            for (word, count) in counts {
                postings.entry(word).or_default().push((at, count));
            }
        }
        let mean = lengths.iter().sum::<f64>() / number(lengths.len().max(1));
        Index { postings, lengths, mean: mean.max(1.0) }
    }

    /// The documents with the highest score, the first of equal ones first.
    fn best(&self, words: &[String]) -> Vec<usize> {
        let mut scores: HashMap<usize, f64> = HashMap::new();
        let all = number(self.lengths.len());
        for found in words.iter().filter_map(|w| self.postings.get(w)) {
            let having = number(found.len());
            let weight = ((all - having + 0.5) / (having + 0.5) + 1.0).ln();
            for (doc, count) in found {
                let length = self.lengths.get(*doc).copied().unwrap_or(self.mean);
                let saturated =
                    count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length / self.mean));
                *scores.entry(*doc).or_default() += weight * saturated;
            }
        }
        let mut ranked: Vec<(usize, f64)> = scores.into_iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked.truncate(HITS);
        ranked.into_iter().map(|(doc, _)| doc).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn number(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seldom_word_in_a_short_text_ranks_first() {
        let docs = ["the quick ssh", "the the the", "ssh and a long tail of other words", "the"];
        let index = Index::new(docs.iter().map(|d| words(d)));
        assert_eq!(index.best(&words("SSH")), [0, 2], "a short text before a long one");
        assert_eq!(index.best(&words("the ssh"))[0], 0, "both words before one");
        assert!(index.best(&words("nothing")).is_empty());
    }
}
