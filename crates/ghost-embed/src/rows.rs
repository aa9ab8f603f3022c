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
use crate::kernel::{DIMS, Sum};
use crate::profile::Profile;
use crate::shape::Shape;

const MAGIC: &[u8; 8] = b"GBROWS01";

/// Fitted rows in the space of a model.
#[derive(Debug)]
pub struct FieldRows {
    digest: u64,
    scales: Box<[f32; DIMS]>,
    rows: Vec<[i8; DIMS]>,
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
        let columns = at.u32()? as usize;
        let count = at.u32()? as usize;
        if columns != DIMS {
            return None;
        }
        let mut fitted = FieldRows::none();
        fitted.digest = digest;
        fitted.scales = at.scales()?;
        for n in 0..count {
            let len = usize::from(*at.take(1)?.first()?);
            let name = std::str::from_utf8(at.take(len)?).ok()?.to_owned();
            fitted.rows.push(at.row()?);
            fitted.names.insert(name, n);
        }
        if !at.bytes.is_empty() {
            return None;
        }
        let row = |name: String| fitted.names.get(&name).copied();
        fitted.apps = APPS.iter().map(|w| row(format!("app:{}", w.name))).collect();
        for (behaviour, name) in Behaviours::ALL {
            fitted.behaviours[behaviour.0.trailing_zeros() as usize % 64] =
                row(format!("behaviour:{name}"));
        }
        let known = |kind: &str, names: &'static [&'static str]| {
            names.iter().filter_map(|n| Some((*n, row(format!("{kind}:{n}"))?))).collect()
        };
        fitted.brands = known("brand", glossary::BRANDS);
        fitted.categories = known("category", glossary::CATEGORIES);
        Some(fitted)
    }

    fn none() -> FieldRows {
        FieldRows {
            digest: 0,
            scales: Box::new([0.0; DIMS]),
            rows: Vec::new(),
            names: HashMap::new(),
            apps: Vec::new(),
            behaviours: [None; 64],
            brands: HashMap::new(),
            categories: HashMap::new(),
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
        self.rows.len()
    }

    /// Whether there is nothing to sum.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The vector of `shape` in 384 dimensions.
    #[must_use]
    pub fn embed(&self, shape: &Shape) -> Vector {
        self.embed_in(shape, Profile::Balanced)
    }

    /// The vector of `shape` in the dimensions of `profile` (at most 384: these rows are in
    /// MiniLM's space).
    #[must_use]
    pub fn embed_in(&self, shape: &Shape, profile: Profile) -> Vector {
        let mut sum = Sum::new();
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
            return sum.unit(&self.scales, profile.dimensions(), Tier::Fast);
        }
        // A name with no row: its words by the token table, as strong as one row.
        let mut values = sum.values(&self.scales);
        let free = FreeText::embedded().embed(unknown.as_deref().unwrap_or("network traffic"));
        let norm = values.iter().map(|v| v * v).sum::<f32>().sqrt();
        #[expect(clippy::cast_precision_loss, reason = "a few rows")]
        let strength = if norm > 0.0 { norm / sum.rows() as f32 } else { 1.0 };
        for (value, c) in values.iter_mut().zip(&free.components) {
            *value += f32::from(*c) * free.scale * strength;
        }
        crate::kernel::quantise(&values[..profile.dimensions().min(DIMS)], Tier::Fast)
    }

    fn row(&self, phrase: Phrase) -> Option<&[i8; DIMS]> {
        let place = match phrase {
            Phrase::App(n) => self.apps.get(usize::from(n)).copied().flatten(),
            Phrase::Behaviour(b) => self.behaviours[b.0.trailing_zeros() as usize % 64],
            Phrase::Brand(name) => self.brands.get(name).copied(),
            Phrase::Category(name) => self.categories.get(name).copied(),
            Phrase::OtherApp(_) => None,
            other => self.names.get(&other.row_name()).copied(),
        };
        self.rows.get(place?)
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

    pub(crate) fn scales(&mut self) -> Option<Box<[f32; DIMS]>> {
        let mut scales = Box::new([0.0; DIMS]);
        for scale in scales.iter_mut() {
            *scale = f32::from_le_bytes(self.take(4)?.try_into().ok()?);
        }
        Some(scales)
    }

    pub(crate) fn row(&mut self) -> Option<[i8; DIMS]> {
        let mut row = [0_i8; DIMS];
        for (value, byte) in row.iter_mut().zip(self.take(DIMS)?) {
            *value = byte.cast_signed();
        }
        Some(row)
    }
}
