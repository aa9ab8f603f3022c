//! The inner loops: sums of int8 rows, and unit vectors from sums.
//!
//! Rows are added in 16-bit integers, block by block of columns so that the sums stay in registers;
//! the compiler turns that into vector instructions on every machine without `unsafe`. One scale a
//! column is applied at the end. The sum of [`ROWS_PER_SUM_MAX`] rows cannot overflow.

use ghost_event::{Tier, VECTOR_DIMENSIONS, Vector};

/// The widest rows that a sum takes.
pub(crate) const DIMS_MAX: usize = 768;

/// Rows that one sum takes; later ones are left out.
pub(crate) const ROWS_PER_SUM_MAX: usize = 256;

const _: () = assert!(VECTOR_DIMENSIONS <= DIMS_MAX);
const _: () = assert!(ROWS_PER_SUM_MAX * 255 <= u16::MAX as usize);
const _: () = assert!(ROWS_PER_SUM_MAX * 127 <= i16::MAX as usize);
const _: () = assert!(DIMS_MAX.is_multiple_of(BLOCK));

/// Int8 rows of one width, with one scale a column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    /// One a column; their number is the width.
    scales: Box<[f32]>,
    /// Row by row, each value plus [`BIAS`], each row filled up to whole blocks.
    cells: Vec<u8>,
}

/// Cells are kept as unsigned bytes: widening those takes one instruction less.
const BIAS: u8 = 128;

/// Columns that are summed at once, in registers.
const BLOCK: usize = 64;

impl Table {
    /// `cells` row by row; `None` where they do not fill whole rows, or rows are too wide.
    pub(crate) fn new(scales: Box<[f32]>, cells: &[i8]) -> Option<Table> {
        let width = scales.len();
        if width == 0 || width > DIMS_MAX || !cells.len().is_multiple_of(width) {
            return None;
        }
        let mut table = Table { scales, cells: Vec::new() };
        cells.chunks(width).for_each(|row| table.put(row.iter().copied()));
        Some(table)
    }

    fn put(&mut self, row: impl Iterator<Item = i8>) {
        self.cells.extend(row.map(|v| v.cast_unsigned().wrapping_add(BIAS)));
        self.cells.resize(self.cells.len().next_multiple_of(BLOCK), BIAS);
    }

    /// Columns.
    pub(crate) fn width(&self) -> usize {
        self.scales.len()
    }

    fn stride(&self) -> usize {
        self.width().next_multiple_of(BLOCK)
    }

    /// Rows.
    pub(crate) fn len(&self) -> usize {
        self.cells.len().checked_div(self.stride()).unwrap_or(0)
    }

    /// Mean length of some rows.
    pub(crate) fn strength(&self, rows: impl Iterator<Item = usize>) -> f32 {
        let (mut sum, mut count) = (0.0, 0.0);
        for n in rows {
            let mut one = self.sum();
            one.add(n);
            sum += one.values().iter().map(|v| v * v).sum::<f32>().sqrt();
            count += 1.0;
        }
        if count > 0.0 { sum / count } else { 0.0 }
    }

    /// Adds a row; `None` where it is not as wide as the others, or says nothing.
    pub(crate) fn push(&mut self, values: &[f32]) -> Option<usize> {
        if values.len() != self.width() || values.iter().all(|v| *v == 0.0) {
            return None;
        }
        let steps: Vec<i8> = values
            .iter()
            .zip(&self.scales)
            .map(|(value, scale)| {
                #[expect(clippy::cast_possible_truncation, reason = "clamped to a byte")]
                let step = (value / scale).round().clamp(-127.0, 127.0) as i8;
                step
            })
            .collect();
        self.put(steps.into_iter());
        Some(self.len() - 1)
    }

    /// An empty sum over this table's rows.
    pub(crate) fn sum(&self) -> Sum<'_> {
        Sum { table: self, begins: [0; ROWS_PER_SUM_MAX], rows: 0 }
    }
}

/// A sum of rows: noted first, added all at once.
#[derive(Debug, Clone)]
pub(crate) struct Sum<'a> {
    table: &'a Table,
    /// Where each row's cells begin.
    begins: [u32; ROWS_PER_SUM_MAX],
    rows: usize,
}

impl Sum<'_> {
    /// Rows added so far.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Adds row `n`; a row that is not there, and one too many, adds nothing.
    #[inline]
    pub(crate) fn add(&mut self, n: usize) {
        if n < self.table.len()
            && let Some(place) = self.begins.get_mut(self.rows)
            && let Ok(begin) = u32::try_from(n * self.table.stride())
        {
            *place = begin;
            self.rows += 1;
        }
    }

    /// The sum in real numbers; what stands beyond the table's width is 0.
    pub(crate) fn values(&self) -> [f32; DIMS_MAX] {
        let mut values = [0.0; DIMS_MAX];
        let rows = self.begins.get(..self.rows).unwrap_or(&[]);
        #[expect(clippy::cast_possible_truncation, reason = "at most 256 * 128")]
        let bias = (self.rows * usize::from(BIAS)) as u16;
        for ((block, values), scales) in
            values.chunks_mut(BLOCK).enumerate().zip(self.table.scales.chunks(BLOCK))
        {
            let mut sums = [0_u16; BLOCK];
            for begin in rows {
                let begin = *begin as usize + block * BLOCK;
                let cells = self.table.cells.get(begin..begin + BLOCK);
                let Some(cells) = cells.and_then(|c| <&[u8; BLOCK]>::try_from(c).ok()) else {
                    continue;
                };
                for (sum, cell) in sums.iter_mut().zip(cells) {
                    *sum += u16::from(*cell);
                }
            }
            for ((value, sum), scale) in values.iter_mut().zip(&sums).zip(scales) {
                *value = f32::from(sum.wrapping_sub(bias).cast_signed()) * scale;
            }
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
        let table = Table::new([1.0; 384].into(), &[127; 384]).expect("one row");
        let mut sum = table.sum();
        (0..1000).for_each(|_| sum.add(0));
        assert_eq!(sum.rows(), ROWS_PER_SUM_MAX);
        assert!(sum.values()[..384].iter().all(|v| *v == 127.0 * 256.0));
    }

    #[test]
    fn a_sum_of_rows_is_the_obvious_one() {
        let cell = |row: usize, column: usize| ((row * 37 + column * 11) % 255) as i32 - 127;
        for width in [1, 63, 64, 65, 256, 384, 768] {
            #[expect(clippy::cast_possible_truncation, reason = "within a byte")]
            let cells: Vec<i8> = (0..5 * width).map(|n| cell(n / width, n % width) as i8).collect();
            let table = Table::new(vec![0.5; width].into(), &cells).expect("whole rows");
            assert_eq!((table.len(), table.width()), (5, width));
            let mut sum = table.sum();
            [0, 3, 3, 4, 99].into_iter().for_each(|n| sum.add(n));
            assert_eq!(sum.rows(), 4, "there is no row 99");
            let values = sum.values();
            for (column, value) in values.iter().enumerate() {
                let expected: i32 = match column < width {
                    true => [0, 3, 3, 4].iter().map(|row| cell(*row, column)).sum(),
                    false => 0,
                };
                assert_eq!(*value, expected as f32 * 0.5, "{width} {column}");
            }
        }
    }

    #[test]
    fn a_table_with_half_a_row_is_none() {
        assert!(Table::new([1.0; 384].into(), &[0; 400]).is_none());
        assert!(Table::new([].into(), &[]).is_none());
    }
}
