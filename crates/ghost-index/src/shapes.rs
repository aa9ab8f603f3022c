//! Shapes: what each is called, what it says, and where it lies in meaning.
//!
//! Of the statements about one shape the newest of the highest tier stands. The rows are scanned
//! whole: no graph pays for itself below a million of them.

use std::collections::HashMap;

use ghost_event::line::View;
use ghost_event::{Seq, ShapeId, Tier, VECTOR_DIMENSIONS, Vector};

use crate::limits;
use crate::scan::Row;
use crate::sys;

/// One shape as a line of the log states it.
#[derive(Debug, Clone, PartialEq)]
pub struct ShapeRow {
    pub id: ShapeId,
    /// `app=ssh|proto=tcp|…`
    pub tuple: String,
    /// What was embedded: English, no address, name or exact number.
    pub text: String,
    pub glossary: u32,
    /// The model that made the vector.
    pub model: String,
    pub vector: Vector,
}

/// Every shape, by name and by nearness.
#[derive(Default)]
pub struct ShapeStore {
    by_id: HashMap<ShapeId, usize>,
    /// In the order of their first statement.
    rows: Vec<ShapeRow>,
    stated: Vec<Seq>,
    matrix: Vec<Row>,
}

impl std::fmt::Debug for ShapeStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ShapeStore({} shapes)", self.rows.len())
    }
}

/// The shape that `line` (`event_type` "shape") states.
pub(crate) fn row(line: &[u8]) -> Result<ShapeRow, String> {
    let view = View::parse(line).map_err(|e| e.to_string())?;
    let id = view.ghost.shape.ok_or("ghost.shape is no id")?;
    let vector = view.vector().ok_or("ghost.vec is not whole")?;
    if vector.components.len() > limits::DIMENSIONS_MAX {
        return Err(format!("its vector has more than {} components", limits::DIMENSIONS_MAX));
    }
    let shape = view.shape.ok_or("it states no shape")?;
    let text = |text: &str| {
        let mut end = text.len().min(limits::SHAPE_TEXT_BYTES_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text[..end].to_owned()
    };
    Ok(ShapeRow {
        id,
        tuple: text(&shape.tuple),
        text: text(&shape.text),
        glossary: shape.glossary,
        model: text(&shape.model),
        vector,
    })
}

/// The row of the scan: a wider vector is of another space and near to nothing there.
fn scanned(vector: &Vector) -> Row {
    let wide = vector.components.len() > VECTOR_DIMENSIONS;
    Row::from_components(if wide { &[] } else { &vector.components })
}

impl ShapeStore {
    /// Takes a statement in; whether it changed what stands.
    pub(crate) fn state(&mut self, seq: Seq, row: ShapeRow) -> bool {
        match self.by_id.get(&row.id) {
            Some(&at) => {
                let (Some(old), Some(stated)) = (self.rows.get_mut(at), self.stated.get_mut(at))
                else {
                    return false;
                };
                if (row.vector.tier, seq) < (old.vector.tier, *stated) {
                    return false;
                }
                *stated = seq;
                if *old == row {
                    return false;
                }
                if let Some(slot) = self.matrix.get_mut(at) {
                    *slot = scanned(&row.vector);
                }
                *old = row;
                true
            }
            None if self.rows.len() >= limits::SHAPES_MAX => false,
            None => {
                self.by_id.insert(row.id, self.rows.len());
                self.matrix.push(scanned(&row.vector));
                self.rows.push(row);
                self.stated.push(seq);
                true
            }
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What stands about a shape.
    #[must_use]
    pub fn get(&self, id: ShapeId) -> Option<&ShapeRow> {
        self.by_id.get(&id).and_then(|at| self.rows.get(*at))
    }

    /// All shapes, in the order of their first statement.
    pub fn iter(&self) -> impl Iterator<Item = &ShapeRow> {
        self.rows.iter()
    }

    /// How many shapes have a vector of the full model.
    #[must_use]
    pub fn refined(&self) -> usize {
        self.rows.iter().filter(|r| r.vector.tier == Tier::Full).count()
    }

    /// The cosine of `query` with every shape, in the order of [`iter`](Self::iter).
    #[must_use]
    pub fn cosines(&self, query: &Vector) -> Vec<f32> {
        if query.components.len() > VECTOR_DIMENSIONS {
            // A wider model's space: only vectors as wide are of it.
            let width = query.components.len();
            let cosine = |row: &ShapeRow| {
                let same = row.vector.components.len() == width;
                if same { row.vector.cosine(query) } else { 0.0 }
            };
            return self.rows.iter().map(cosine).collect();
        }
        let mut dots = Vec::with_capacity(self.matrix.len());
        sys::dots(&Row::from_components(&query.components), &self.matrix, &mut dots);
        #[expect(clippy::cast_precision_loss, reason = "384 * 127 * 127 fits 24 bits")]
        let cosine = |(dot, row): (i32, &ShapeRow)| dot as f32 * row.vector.scale * query.scale;
        dots.into_iter().zip(&self.rows).map(cosine).collect()
    }

    /// The nearest `k` shapes, best first; equal ones by id.
    #[must_use]
    pub fn nearest(&self, query: &Vector, k: usize) -> Vec<(ShapeId, f32)> {
        let mut all: Vec<(ShapeId, f32)> =
            self.rows.iter().map(|r| r.id).zip(self.cosines(query)).collect();
        let order =
            |a: &(ShapeId, f32), b: &(ShapeId, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if k < all.len() && k > 0 {
            all.select_nth_unstable_by(k - 1, order);
        }
        all.truncate(k);
        all.sort_unstable_by(order);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(id: u64, text: &str, tier: Tier, values: &[f32]) -> ShapeRow {
        ShapeRow {
            id: ShapeId(id),
            tuple: String::new(),
            text: text.into(),
            glossary: 1,
            model: String::new(),
            vector: Vector::quantise(values, tier),
        }
    }

    #[test]
    fn the_newest_of_the_highest_tier_stands_in_whatever_order_they_come() {
        let statements = [
            (1, shape(9, "fast", Tier::Fast, &[1.0, 0.0])),
            (2, shape(9, "full, older", Tier::Full, &[0.0, 1.0])),
            (3, shape(9, "full, newer", Tier::Full, &[0.5, 1.0])),
            (4, shape(9, "fast again", Tier::Fast, &[1.0, 0.0])),
        ];
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
            let mut store = ShapeStore::default();
            for i in order {
                store.state(statements[i].0, statements[i].1.clone());
            }
            assert_eq!(store.get(ShapeId(9)).unwrap().text, "full, newer", "{order:?}");
        }
    }

    #[test]
    fn vectors_of_a_wider_model_are_compared_with_their_own_kind_only() {
        let wide = |at: usize| {
            let mut values = vec![0.0; 768];
            values[at] = 1.0;
            values
        };
        let mut store = ShapeStore::default();
        store.state(1, shape(1, "", Tier::Fast, &[1.0, 0.0]));
        store.state(2, shape(2, "", Tier::Full, &wide(0)));
        store.state(3, shape(3, "", Tier::Full, &wide(700)));
        let near = |values: &[f32]| store.nearest(&Vector::quantise(values, Tier::Full), 3);
        let found = near(&wide(700));
        assert_eq!((found[0].0, found[1].1, found[2].1), (ShapeId(3), 0.0, 0.0));
        assert!(found[0].1 > 0.99);
        let found = near(&[1.0, 0.0]);
        assert_eq!((found[0].0, found[1].1, found[2].1), (ShapeId(1), 0.0, 0.0));
    }

    #[test]
    fn the_nearest_come_first_and_equal_ones_by_id() {
        let mut store = ShapeStore::default();
        store.state(1, shape(3, "", Tier::Fast, &[1.0, 0.0]));
        store.state(2, shape(1, "", Tier::Fast, &[0.0, 1.0]));
        store.state(3, shape(2, "", Tier::Fast, &[1.0, 0.0]));
        let near = store.nearest(&Vector::quantise(&[1.0, 0.1], Tier::Full), 2);
        assert_eq!(near.iter().map(|n| n.0.0).collect::<Vec<_>>(), [2, 3]);
        assert!(near[0].1 > 0.98, "{near:?}");
    }
}
