//! Free text to a vector without the model: WordPiece and one fitted row a token.
//!
//! Serves texts that no glossary knows (log lines, names, remarks), and questions on a machine
//! without the model. It knows words, not sentences: "before" and "after" weigh the same whatever
//! their order. Tokens without a row (rare words of other trades, other scripts) are passed over.
//!
//! The file `data/tokens.rows`: magic `GBTOKN01`, columns (u32), rows (u32), one f32 scale a
//! column; then for each row its token id (u16) and one i8 a column. Little endian.

use std::sync::OnceLock;

use ghost_event::{Tier, Vector};

use crate::kernel::{ROWS_PER_SUM_MAX, Table};
use crate::limits::FREE_TEXT_BYTES_MAX;
use crate::rows::Cursor;
use crate::wordpiece::WordPiece;

const MAGIC: &[u8; 8] = b"GBTOKN01";
const NO_ROW: u16 = u16::MAX;

/// The token table.
#[derive(Debug)]
pub struct FreeText {
    tokenizer: &'static WordPiece,
    table: Table,
    /// Token id to its row.
    places: Vec<u16>,
}

impl FreeText {
    /// The table in the program.
    #[must_use]
    pub fn embedded() -> &'static FreeText {
        static TABLE: OnceLock<FreeText> = OnceLock::new();
        TABLE.get_or_init(|| {
            FreeText::parse(include_bytes!("../data/tokens.rows")).unwrap_or_else(FreeText::none)
        })
    }

    /// Reads a table; `None` where the bytes are not one.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<FreeText> {
        let mut at = Cursor { bytes };
        if at.take(8)? != MAGIC {
            return None;
        }
        let (columns, count) = (at.u32()? as usize, at.u32()?);
        let mut fitted = FreeText::none();
        let scales = at.floats(columns)?;
        let mut cells = Vec::new();
        for n in 0..count {
            let id = u16::from_le_bytes(at.take(2)?.try_into().ok()?);
            *fitted.places.get_mut(usize::from(id))? = u16::try_from(n).ok()?;
            cells.extend(at.take(columns)?.iter().map(|b| b.cast_signed()));
        }
        if !at.bytes.is_empty() {
            return None;
        }
        fitted.table = Table::new(scales, &cells)?;
        Some(fitted)
    }

    fn none() -> FreeText {
        let tokenizer = WordPiece::embedded();
        let places = vec![NO_ROW; tokenizer.vocabulary().len()];
        FreeText { tokenizer, table: Table::default(), places }
    }

    /// Tokens that have a row.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no token has a row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// The vector of `text` in all the dimensions of the table: 384 as shipped. The zero vector
    /// where no word of it is known.
    #[must_use]
    pub fn embed(&self, text: &str) -> Vector {
        self.embed_in(text, self.table.width())
    }

    /// The vector of `text` in the first `dims` dimensions.
    #[must_use]
    pub fn embed_in(&self, text: &str, dims: usize) -> Vector {
        let mut text = text;
        if text.len() > FREE_TEXT_BYTES_MAX {
            text = &text[..text.floor_char_boundary(FREE_TEXT_BYTES_MAX)];
        }
        let mut sum = self.table.sum();
        self.tokenizer.each(text, &mut |id| {
            let place = self.places.get(id as usize).copied().unwrap_or(NO_ROW);
            if place != NO_ROW {
                sum.add(usize::from(place));
            }
        });
        sum.unit(dims, Tier::Fast)
    }
}

const _: () = assert!(ROWS_PER_SUM_MAX >= 256, "a text of the model's length fits one sum");
