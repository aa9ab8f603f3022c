//! The inner loops: sums of int8 rows, and unit vectors from sums.
//!
//! Rows are added in 16-bit integers, which the compiler turns into vector instructions on every
//! machine without `unsafe`; one scale a column is applied at the end. The sum of
//! [`ROWS_PER_SUM_MAX`] rows cannot overflow.

use ghost_event::{Tier, VECTOR_DIMENSIONS, Vector};

/// The widest rows that a sum takes.
pub(crate) const DIMS_MAX: usize = 768;

/// Rows that one sum takes; later ones are left out.
pub(crate) const ROWS_PER_SUM_MAX: usize = 256;

const _: () = assert!(VECTOR_DIMENSIONS <= DIMS_MAX);
const _: () = assert!(ROWS_PER_SUM_MAX * 127 <= i16::MAX as usize);

/// Int8 rows of one width, with one scale a column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    /// One a column; their number is the width.
    scales: Box<[f32]>,
    cells: Vec<i8>,
}

impl Table {
    /// `cells` row by row; `None` where they do not fill whole rows, or rows are too wide.
    pub(crate) fn new(scales: Box<[f32]>, cells: Vec<i8>) -> Option<Table> {
        let width = scales.len();
        let whole = width > 0 && width <= DIMS_MAX && cells.len().is_multiple_of(width);
        whole.then_some(Table { scales, cells })
    }

    /// Columns.
    pub(crate) fn width(&self) -> usize {
        self.scales.len()
    }

    /// Rows.
    pub(crate) fn len(&self) -> usize {
        self.cells.len().checked_div(self.width()).unwrap_or(0)
    }

    #[inline]
    fn row(&self, n: usize) -> &[i8] {
        let begin = n * self.width();
        self.cells.get(begin..begin + self.width()).unwrap_or(&[])
    }

    /// Mean length of some rows.
    pub(crate) fn strength(&self, rows: impl Iterator<Item = usize>) -> f32 {
        let (mut sum, mut count) = (0.0, 0.0);
        for n in rows {
            let real = self.row(n).iter().zip(&self.scales).map(|(v, s)| f32::from(*v) * s);
            sum += real.map(|v| v * v).sum::<f32>().sqrt();
            count += 1.0;
        }
        if count > 0.0 { sum / count } else { 0.0 }
    }

    /// Adds a row; `None` where it is not as wide as the others, or says nothing.
    pub(crate) fn push(&mut self, values: &[f32]) -> Option<usize> {
        if values.len() != self.width() || values.iter().all(|v| *v == 0.0) {
            return None;
        }
        self.cells.extend(values.iter().zip(&self.scales).map(|(value, scale)| {
            #[expect(clippy::cast_possible_truncation, reason = "clamped to a byte")]
            let step = (value / scale).round().clamp(-127.0, 127.0) as i8;
            step
        }));
        Some(self.len() - 1)
    }

    /// An empty sum over this table's rows.
    pub(crate) fn sum(&self) -> Sum<'_> {
        Sum { table: self, columns: [0; DIMS_MAX], rows: 0 }
    }
}

/// A sum of rows.
#[derive(Debug, Clone)]
pub(crate) struct Sum<'a> {
    table: &'a Table,
    columns: [i16; DIMS_MAX],
    rows: usize,
}

impl Sum<'_> {
    /// Rows added so far.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Adds row `n`; a row that is not there adds nothing.
    #[inline]
    pub(crate) fn add(&mut self, n: usize) {
        if self.rows < ROWS_PER_SUM_MAX {
            self.rows += 1;
            for (sum, value) in self.columns.iter_mut().zip(self.table.row(n)) {
                *sum = sum.wrapping_add(i16::from(*value));
            }
        }
    }

    /// The sum in real numbers; what stands beyond the table's width is 0.
    pub(crate) fn values(&self) -> [f32; DIMS_MAX] {
        let mut values = [0.0; DIMS_MAX];
        for ((value, sum), scale) in values.iter_mut().zip(&self.columns).zip(&self.table.scales) {
            *value = f32::from(*sum) * scale;
        }
        values
    }

    /// The unit vector along the sum's first `dims` columns; the zero vector where nothing was
    /// added.
    pub(crate) fn unit(&self, dims: usize, tier: Tier) -> Vector {
        quantise(&self.values()[..dims.min(self.table.width())], tier)
    }
}

/// As [`Vector::quantise`], without a call a component: adding 1.5 * 2^23 leaves the rounded
/// integer in the low bits. Differs from it by at most one step, at ties.
pub(crate) fn quantise(values: &[f32], tier: Tier) -> Vector {
    const MAGIC: f32 = 12_582_912.0;
    const LANES: usize = 16;
    let mut squares = [0.0_f32; LANES];
    let mut peaks = [0.0_f32; LANES];
    let chunks = values.chunks_exact(LANES);
    for (n, v) in chunks.remainder().iter().enumerate() {
        squares[n] += v * v;
        peaks[n] = peaks[n].max(v.abs());
    }
    for chunk in chunks {
        for ((square, peak), v) in squares.iter_mut().zip(&mut peaks).zip(chunk) {
            *square += v * v;
            let size = v.abs();
            *peak = if size > *peak { size } else { *peak };
        }
    }
    let norm = squares.iter().sum::<f32>().sqrt();
    let peak = peaks.iter().fold(0.0_f32, |a, b| a.max(*b));
    if !norm.is_normal() || !peak.is_normal() {
        return Vector { components: vec![0; values.len()].into(), scale: 0.0, tier };
    }
    let per_step = 127.0 / peak;
    #[expect(clippy::cast_possible_truncation, reason = "the low byte is the rounded value")]
    let components = values.iter().map(|v| (v * per_step + MAGIC).to_bits() as i8).collect();
    Vector { components, scale: peak / 127.0 / norm, tier }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_quantiser_is_the_obvious_one_within_one_step() {
        bolero::check!().with_type::<Vec<i16>>().with_iterations(2000).for_each(|numbers| {
            let values: Vec<f32> = numbers.iter().map(|n| f32::from(*n) / 100.0).collect();
            let (quick, obvious) =
                (quantise(&values, Tier::Fast), Vector::quantise(&values, Tier::Fast));
            assert!((quick.scale - obvious.scale).abs() <= obvious.scale * 1e-4);
            for (a, b) in quick.components.iter().zip(&obvious.components) {
                assert!((i32::from(*a) - i32::from(*b)).abs() <= 1, "{a} {b}");
            }
        });
    }

    #[test]
    fn a_sum_takes_no_more_rows_than_fit() {
        let table = Table::new([1.0; 384].into(), vec![127; 384]).expect("one row");
        let mut sum = table.sum();
        (0..1000).for_each(|_| sum.add(0));
        assert_eq!(sum.rows(), ROWS_PER_SUM_MAX);
        assert!(sum.values()[..384].iter().all(|v| *v == 127.0 * 256.0));
    }

    #[test]
    fn a_table_with_half_a_row_is_none() {
        assert!(Table::new([1.0; 384].into(), vec![0; 400]).is_none());
        assert!(Table::new([].into(), Vec::new()).is_none());
    }
}
