//! The inner loops: sums of int8 rows, and unit vectors from sums.
//!
//! Rows are added in 16-bit integers, which the compiler turns into vector instructions on every
//! machine without `unsafe`; one scale a column is applied at the end. The sum of
//! [`ROWS_PER_SUM_MAX`] rows cannot overflow.

use ghost_event::{Tier, VECTOR_DIMENSIONS, Vector};

/// Width of every row that is shipped.
pub(crate) const DIMS: usize = VECTOR_DIMENSIONS;

/// Rows that one sum takes; later ones are left out.
pub(crate) const ROWS_PER_SUM_MAX: usize = 256;

const _: () = assert!(ROWS_PER_SUM_MAX * 127 <= i16::MAX as usize);

/// A sum of int8 rows.
#[derive(Debug, Clone)]
pub(crate) struct Sum {
    columns: [i16; DIMS],
    rows: usize,
}

impl Sum {
    pub(crate) fn new() -> Sum {
        Sum { columns: [0; DIMS], rows: 0 }
    }

    /// Rows added so far.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Adds one row.
    #[inline]
    pub(crate) fn add(&mut self, row: &[i8; DIMS]) {
        if self.rows < ROWS_PER_SUM_MAX {
            self.rows += 1;
            for (sum, value) in self.columns.iter_mut().zip(row) {
                *sum = sum.wrapping_add(i16::from(*value));
            }
        }
    }

    /// The sum in real numbers.
    pub(crate) fn values(&self, scales: &[f32; DIMS]) -> [f32; DIMS] {
        let mut values = [0.0; DIMS];
        for ((value, sum), scale) in values.iter_mut().zip(&self.columns).zip(scales) {
            *value = f32::from(*sum) * scale;
        }
        values
    }

    /// The unit vector along the sum's first `dims` columns; the zero vector where nothing was
    /// added.
    pub(crate) fn unit(&self, scales: &[f32; DIMS], dims: usize, tier: Tier) -> Vector {
        let values = self.values(scales);
        quantise(&values[..dims.min(DIMS)], tier)
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
        let mut sum = Sum::new();
        let row = [127_i8; DIMS];
        (0..1000).for_each(|_| sum.add(&row));
        assert_eq!(sum.rows(), ROWS_PER_SUM_MAX);
        assert!(sum.values(&[1.0; DIMS]).iter().all(|v| *v == 127.0 * 256.0));
    }
}
