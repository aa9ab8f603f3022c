//! Field rows: the vector of a shape at once, without the model.
//!
//! Each phrase of the glossary has one fitted row; the sum of a shape's rows points nearly where
//! the full model puts its text. The rows are shipped in `data/fields.rows`, made by
//! `cargo run --release -p ghost-embed --example fit_rows`, and name the glossary they belong to.
//!
//! The file: magic `GBROWS01`, glossary digest (u64), columns (u32), rows (u32), one f32 scale a
//! column; then for each row the length of its name (u8), its name, and one i8 a column. Little
//! endian throughout.

use std::sync::OnceLock;

use ghost_event::{Behaviours, Tier, Vector};
use hashbrown::HashMap;

use crate::freetext::FreeText;
use crate::glossary::{self, APPS, Phrase, each_phrase};
use crate::kernel::{self, Table};
use crate::shape::Shape;

const MAGIC: &[u8; 8] = b"GBROWS01";

/// Fitted rows in the space of a model.
#[derive(Debug)]
pub struct FieldRows {
    digest: u64,
    table: Table,
    names: HashMap<String, usize>,
    apps: Vec<Option<usize>>,
    behaviours: [Option<usize>; 64],
    brands: HashMap<&'static str, usize>,
    categories: HashMap<&'static str, usize>,
}

impl FieldRows {
    /// The rows in the program.
    #[must_use]
    pub fn embedded() -> &'static FieldRows {
        static ROWS: OnceLock<FieldRows> = OnceLock::new();
        ROWS.get_or_init(|| {
            FieldRows::parse(include_bytes!("../data/fields.rows")).unwrap_or_else(FieldRows::none)
        })
    }

    /// Reads rows; `None` where the bytes are not such a file.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<FieldRows> {
        let mut at = Cursor { bytes };
        if at.take(8)? != MAGIC {
            return None;
        }
        let digest = u64::from_le_bytes(at.take(8)?.try_into().ok()?);
        let (columns, count) = (at.u32()? as usize, at.u32()? as usize);
        let mut fitted = FieldRows::none();
        fitted.digest = digest;
        let scales = at.floats(columns)?;
        let mut cells = Vec::new();
        for n in 0..count {
            let len = usize::from(*at.take(1)?.first()?);
            let name = std::str::from_utf8(at.take(len)?).ok()?.to_owned();
            cells.extend(at.take(columns)?.iter().map(|b| b.cast_signed()));
            fitted.names.insert(name, n);
        }
        if !at.bytes.is_empty() {
            return None;
        }
        fitted.table = Table::new(scales, &cells)?;
        let row = |name: String| fitted.names.get(&name).copied();
        fitted.apps = APPS.iter().map(|w| row(format!("app:{}", w.name))).collect();
        for (behaviour, name) in Behaviours::ALL {
            fitted.behaviours[behaviour.0.trailing_zeros() as usize % 64] =
                row(format!("behaviour:{name}"));
        }
        let brands = glossary::BRANDS.iter();
        fitted.brands = brands.filter_map(|n| Some((*n, row(format!("brand:{n}"))?))).collect();
        let kinds = glossary::CATEGORIES.iter().map(|(name, _)| *name);
        fitted.categories =
            kinds.filter_map(|n| Some((n, row(format!("category:{n}"))?))).collect();
        fitted.add_other_brands(FreeText::embedded());
        Some(fitted)
    }

    fn none() -> FieldRows {
        FieldRows {
            digest: 0,
            table: Table::default(),
            names: HashMap::new(),
            apps: Vec::new(),
            behaviours: [None; 64],
            brands: HashMap::new(),
            categories: HashMap::new(),
        }
    }

    /// Gives brands without a fitted row one made of their words, as strong as a fitted one.
    fn add_other_brands(&mut self, words: &FreeText) {
        let strength = self.table.strength(self.brands.values().copied());
        for brand in glossary::OTHER_BRANDS {
            let word = words.embed(brand);
            let values: Vec<f32> =
                word.components.iter().map(|c| f32::from(*c) * word.scale * strength).collect();
            if let Some(row) = self.table.push(&values) {
                self.brands.insert(brand, row);
            }
        }
    }

    /// The glossary that the rows were fitted to.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Rows in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is nothing to sum.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// The vector of `shape` in all the dimensions of the rows: 384 as shipped.
    #[must_use]
    pub fn embed(&self, shape: &Shape) -> Vector {
        self.embed_in(shape, self.table.width())
    }

    /// The vector of `shape` in the first `dims` dimensions.
    #[must_use]
    pub fn embed_in(&self, shape: &Shape, dims: usize) -> Vector {
        let dims = dims.min(self.table.width());
        let mut sum = self.table.sum();
        let mut unknown: Option<String> = None;
        each_phrase(shape, &mut |phrase| match self.row(phrase) {
            Some(row) => sum.add(row),
            None => {
                let words = unknown.get_or_insert_default();
                words.push(' ');
                phrase.say(words);
            }
        });
        if unknown.is_none() && sum.rows() > 0 {
            return sum.unit(dims, Tier::Fast);
        }
        // A name with no row: its words by the token table, as strong as one row.
        let mut values = sum.values();
        let free = FreeText::embedded().embed(unknown.as_deref().unwrap_or("network traffic"));
        if free.components.len() == self.table.width() {
            let norm = values.iter().map(|v| v * v).sum::<f32>().sqrt();
            #[expect(clippy::cast_precision_loss, reason = "a few rows")]
            let strength = if norm > 0.0 { norm / sum.rows() as f32 } else { 1.0 };
            for (value, c) in values.iter_mut().zip(&free.components) {
                *value += f32::from(*c) * free.scale * strength;
            }
        }
        kernel::quantise(&values[..dims], Tier::Fast)
    }

    fn row(&self, phrase: Phrase) -> Option<usize> {
        match phrase {
            Phrase::App(n) => self.apps.get(usize::from(n)).copied().flatten(),
            Phrase::Behaviour(b) => self.behaviours[b.0.trailing_zeros() as usize % 64],
            Phrase::Brand(name) => self.brands.get(name).copied(),
            Phrase::Category(name) => self.categories.get(name).copied(),
            Phrase::OtherApp(_) => None,
            other => self.names.get(&other.row_name()).copied(),
        }
    }
}

/// Reads little-endian fields; every read says when the bytes have ended.
pub(crate) struct Cursor<'a> {
    pub(crate) bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.bytes.split_at_checked(len)?;
        self.bytes = tail;
        Some(head)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(crate) fn floats(&mut self, count: usize) -> Option<Box<[f32]>> {
        let bytes = self.take(count.checked_mul(4)?)?;
        Some(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }
}
