//! Fitting: rows for phrases and tokens, from what a model says of texts.
//!
//! Texts are made here, from random but plausible shapes and from word lists, so that the rows
//! serve combinations that no capture has shown yet. The model embeds them; one ridge solve finds
//! the rows whose sums point the same way. Everything follows from the model and a seed.
//!
//! It takes minutes of the model's time: it is run when the glossary changes, and once for a model
//! that a user installs.

mod samples;
mod solve;
mod texts;

use std::collections::HashMap;

use crate::glossary::{self, each_phrase};
use crate::model::{Embed, ModelError};
use crate::shape::Shape;
use crate::wordpiece::WordPiece;

pub use samples::Random;
use solve::{Problem, Solution};

/// Rows, and how near their sums come to the model on texts that were not fitted.
#[derive(Debug)]
pub struct Fitted {
    /// The file: see [`crate::FieldRows`] and [`crate::FreeText`].
    pub bytes: Vec<u8>,
    pub rows: usize,
    /// Of held-out texts.
    pub cosine_mean: f32,
    /// The cosine that one in a hundred is below.
    pub cosine_p1: f32,
}

/// One text in ten is held out.
const HELD_OUT: usize = 10;

/// Fits a row a phrase on `texts` random shapes; `told` is called with the number of texts done.
///
/// Phrases of flows come first. Those of packets are fitted behind them, on texts of their own, and
/// move none of them.
pub fn field_rows(
    model: &mut impl Embed,
    texts: usize,
    seed: u64,
    told: &mut impl FnMut(usize),
) -> Result<Fitted, ModelError> {
    let mut names: Vec<String> = Vec::new();
    let mut places: HashMap<String, u32> = HashMap::new();
    let mut features = |shape: &Shape| {
        let mut rows = Vec::new();
        each_phrase(shape, &mut |phrase| {
            let name = phrase.row_name();
            let next = u32::try_from(names.len()).unwrap_or(u32::MAX);
            rows.push(*places.entry(name).or_insert_with_key(|name| {
                names.push(name.clone());
                next
            }));
        });
        rows
    };
    let shapes = samples::shapes(texts, seed);
    let rows: Vec<Vec<u32>> = shapes.iter().map(&mut features).collect();
    let flow_rows = rows.iter().flatten().max().map_or(0, |n| *n as usize + 1);
    let packets = samples::packets(texts / 4, seed ^ 2);
    let packet_rows: Vec<Vec<u32>> = packets.iter().map(&mut features).collect();
    let said = |shapes: &[Shape]| shapes.iter().map(glossary::text).collect::<Vec<_>>();
    let vectors = embed_all(model, &said(&shapes), told)?;
    let packet_vectors = embed_all(model, &said(&packets), told)?;
    let (fitted, mut held) = split(rows.iter().zip(&vectors));
    let solution =
        Problem { rows: flow_rows, examples: fitted, ridge: 0.5, prior: None, fixed: 0 }.solve(6);
    let (fitted, held_packets) = split(packet_rows.iter().zip(&packet_vectors));
    let solution = solution.extended(names.len(), fitted, 6);
    held.extend(held_packets);
    let (cosine_mean, cosine_p1) = solution.cosines(&held);
    let mut bytes = b"GBROWS01".to_vec();
    bytes.extend(glossary::digest().to_le_bytes());
    header(&mut bytes, &solution, names.len());
    for (name, row) in names.iter().zip(solution.quantised()) {
        bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        bytes.extend(name.as_bytes().iter().take(usize::from(u8::MAX)));
        bytes.extend(row);
    }
    Ok(Fitted { bytes, rows: names.len(), cosine_mean, cosine_p1 })
}

/// Fits a row a token, for `tokens` tokens, on about `texts` texts.
pub fn token_rows(
    model: &mut impl Embed,
    tokens: usize,
    texts: usize,
    seed: u64,
    told: &mut impl FnMut(usize),
) -> Result<Fitted, ModelError> {
    let tokenizer = WordPiece::embedded();
    let chosen = texts::tokens(tokens);
    let places: HashMap<u32, u32> = chosen.iter().copied().zip(0..).collect();
    let alone: Vec<String> = chosen.iter().map(|id| texts::spelt(*id)).collect();
    let mut said = alone.clone();
    said.extend(texts::texts(&chosen, texts, seed));
    let vectors = embed_all(model, &said, told)?;
    let rows: Vec<Vec<u32>> = said
        .iter()
        .map(|t| tokenizer.encode(t).iter().filter_map(|id| places.get(id).copied()).collect())
        .collect();
    let (lone, sentences) = vectors.split_at(alone.len());
    let (mut fitted, held) = split(rows[alone.len()..].iter().zip(sentences));
    // A token alone is a text like any other, and where a rare token's row begins.
    for (row, vector) in rows.iter().zip(lone) {
        if row.len() == 1 {
            fitted.push((row, vector));
        }
    }
    let prior = Some(lone.to_vec());
    let solution =
        Problem { rows: chosen.len(), examples: fitted, ridge: 2.0, prior, fixed: 0 }.solve(4);
    let (cosine_mean, cosine_p1) = solution.cosines(&held);
    let mut bytes = b"GBTOKN01".to_vec();
    header(&mut bytes, &solution, chosen.len());
    for (id, row) in chosen.iter().zip(solution.quantised()) {
        bytes.extend(u16::try_from(*id).unwrap_or(0).to_le_bytes());
        bytes.extend(row);
    }
    Ok(Fitted { bytes, rows: chosen.len(), cosine_mean, cosine_p1 })
}

/// Columns, rows, and the scales.
fn header(bytes: &mut Vec<u8>, solution: &Solution, rows: usize) {
    for number in [solution.width(), rows] {
        bytes.extend(u32::try_from(number).unwrap_or(0).to_le_bytes());
    }
    solution.scales().iter().for_each(|s| bytes.extend(s.to_le_bytes()));
}

/// Runs the model over texts in order of length, and puts the vectors back into theirs.
fn embed_all(
    model: &mut impl Embed,
    texts: &[String],
    told: &mut impl FnMut(usize),
) -> Result<Vec<Vec<f32>>, ModelError> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|n| texts[*n].len());
    let mut vectors = vec![Vec::new(); texts.len()];
    for (done, batch) in order.chunks(8).enumerate() {
        let said: Vec<&str> = batch.iter().map(|n| texts[*n].as_str()).collect();
        for (n, vector) in batch.iter().zip(model.embed(&said)?) {
            vectors[*n] = vector;
        }
        told(done * 8 + batch.len());
    }
    Ok(vectors)
}

type Examples<'a> = Vec<(&'a Vec<u32>, &'a Vec<f32>)>;

/// Examples to fit, and those held out.
fn split<'a>(
    all: impl Iterator<Item = (&'a Vec<u32>, &'a Vec<f32>)>,
) -> (Examples<'a>, Examples<'a>) {
    let (mut fitted, mut held) = (Vec::new(), Vec::new());
    for (n, example) in all.enumerate() {
        if n % HELD_OUT == 0 { held.push(example) } else { fitted.push(example) }
    }
    (fitted, held)
}
