//! Meaning as a space to add in: shapes are its points, and what happened in a stretch of time or
//! around a host is their weighted mean.
//!
//! Means are taken around the mean of all ordinary shapes: any two texts about traffic are alike in being
//! about traffic, and what is left is what tells them apart. Nothing here outlives a question.

use std::collections::HashMap;

use ghost_event::{ShapeId, Vector};
use ghost_index::{Index, ShapeRow};

use crate::answer::Sources;

/// Every shape that the sources know, by number.
pub(crate) struct Space<'a> {
    by_id: HashMap<ShapeId, u32>,
    rows: Vec<&'a ShapeRow>,
    mean: Vec<f32>,
}

/// A direction of length one, or nothing at all.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Place(Vec<f32>);

impl Place {
    /// How alike, from -1 to 1; what lies nowhere is like nothing.
    pub(crate) fn cosine(&self, other: &Place) -> f32 {
        self.0.iter().zip(&other.0).map(|(a, b)| a * b).sum()
    }

    pub(crate) fn is_nowhere(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Space<'a> {
    pub(crate) fn of(sources: &Sources<'a>) -> Space<'a> {
        let mut space = Space { by_id: HashMap::new(), rows: Vec::new(), mean: Vec::new() };
        let all: [Option<&'a dyn Index>; 2] = [sources.tail, Some(sources.index)];
        let mut widths: HashMap<usize, usize> = HashMap::new();
        for index in all.into_iter().flatten() {
            for row in index.shapes().iter() {
                // What the tail says is newer.
                if !space.by_id.contains_key(&row.id) {
                    let at = u32::try_from(space.rows.len()).unwrap_or(u32::MAX);
                    space.by_id.insert(row.id, at);
                    space.rows.push(row);
                    *widths.entry(row.vector.components.len()).or_default() += 1;
                }
            }
        }
        // Vectors of another model are of another space: those of most shapes count.
        let width = widths.into_iter().max_by_key(|(width, n)| (*n, *width)).map_or(0, |w| w.0);
        // The centre is what is ordinary: one scan has hundreds of shapes, and must not be the
        // middle that it is told from.
        let fits = |row: &&&ShapeRow| row.vector.components.len() == width;
        let ordinary = |row: &&&ShapeRow| !row.tuple.contains("behaviours=");
        let any = space.rows.iter().filter(fits).any(|row| ordinary(&row));
        let mut mean = vec![0.0; width];
        let mut of = 0.0_f32;
        for row in space.rows.iter().filter(fits).filter(|row| !any || ordinary(row)) {
            add(&mut mean, &row.vector, 1.0);
            of += 1.0;
        }
        mean.iter_mut().for_each(|m| *m /= of.max(1.0));
        space.mean = mean;
        space
    }

    /// The shape's number.
    pub(crate) fn number(&self, id: ShapeId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    fn row(&self, number: u32) -> Option<&'a ShapeRow> {
        self.rows.get(number as usize).copied()
    }

    /// Where the weighted mean of shapes lies.
    pub(crate) fn place(&self, weights: impl IntoIterator<Item = (u32, f32)>) -> Place {
        let mut sum = vec![0.0; self.mean.len()];
        let mut whole = 0.0;
        for (number, weight) in weights {
            if let Some(row) = self.row(number)
                && row.vector.components.len() == sum.len()
            {
                add(&mut sum, &row.vector, weight);
                whole += weight;
            }
        }
        sum.iter_mut().zip(&self.mean).for_each(|(s, m)| *s -= whole * m);
        let length = sum.iter().map(|s| s * s).sum::<f32>().sqrt();
        if length <= f32::EPSILON * whole.max(1.0) {
            return Place::default();
        }
        sum.iter_mut().for_each(|s| *s /= length);
        Place(sum)
    }

    /// The cosine of every shape with `meant`, by number; 0 where they are of two spaces.
    pub(crate) fn cosines(&self, meant: &Vector) -> Vec<f32> {
        let near = |row: &&ShapeRow| {
            let same = row.vector.components.len() == meant.components.len();
            if same { row.vector.cosine(meant) } else { 0.0 }
        };
        self.rows.iter().map(near).collect()
    }

    /// What the shape is, in a few words of a closed language: `ssh brute_force`.
    pub(crate) fn called(&self, number: u32) -> String {
        let tuple = self.row(number).map(|row| row.tuple.as_str()).unwrap_or_default();
        let part = |key: &str| {
            tuple.split('|').filter_map(|p| p.split_once('=')).find(|p| p.0 == key).map(|p| p.1)
        };
        let mut words: Vec<&str> = Vec::new();
        words.extend(part("app").or_else(|| part("transport")));
        words.extend(part("behaviours").map(|b| b.split(',').next().unwrap_or(b)));
        words.extend(part("brand"));
        words.join(" ")
    }
}

fn add(sum: &mut [f32], vector: &Vector, weight: f32) {
    let scale = vector.scale * weight;
    for (s, component) in sum.iter_mut().zip(&vector.components) {
        *s += f32::from(*component) * scale;
    }
}

/// The first few different texts of `all`, with what stands behind them left out.
pub(crate) fn few(all: impl IntoIterator<Item = String>, most: usize) -> String {
    let mut told: Vec<String> = Vec::new();
    for text in all {
        if told.len() == most {
            break;
        }
        if !text.is_empty() && !told.contains(&text) {
            told.push(text);
        }
    }
    told.join(", ")
}
