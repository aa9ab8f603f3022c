//! The exact scan: the dot product of one vector with every row of a matrix of small integers.
//!
//! Rows are [`ROW`] bytes, shorter vectors filled with zeros, so that one row is six cache lines and
//! the compiler sees a constant length. The plain loop is the reference; where the processor has
//! AVX2 the same loop is compiled for it (`sys`). Both give the same integers.

use ghost_event::VECTOR_DIMENSIONS;

/// Components of a row.
pub(crate) const ROW: usize = VECTOR_DIMENSIONS;

/// One row, aligned so that none shares a cache line with its neighbour.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Row(pub(crate) [i8; ROW]);

impl Row {
    /// The components, cut or filled with zeros.
    pub(crate) fn from_components(components: &[i8]) -> Row {
        let mut row = Row([0; ROW]);
        for (to, from) in row.0.iter_mut().zip(components) {
            *to = *from;
        }
        row
    }
}

#[inline(always)]
fn dot(a: &[i8; ROW], b: &[i8; ROW]) -> i32 {
    a.iter().zip(b).map(|(a, b)| i32::from(i16::from(*a) * i16::from(*b))).sum()
}

#[inline(always)]
pub(crate) fn each(query: &Row, rows: &[Row], out: &mut Vec<i32>) {
    out.extend(rows.iter().map(|row| dot(&query.0, &row.0)));
}

/// The reference.
pub(crate) fn dots_plain(query: &Row, rows: &[Row], out: &mut Vec<i32>) {
    each(query, rows, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::dots;

    #[test]
    fn the_fast_scan_gives_the_reference_integers() {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let byte = (state >> 56) as u8;
            byte.cast_signed()
        };
        let mut row = || Row(std::array::from_fn(|_| next()));
        let query = row();
        let rows: Vec<Row> = (0..300).map(|_| row()).collect();
        let (mut fast, mut plain) = (Vec::new(), Vec::new());
        dots(&query, &rows, &mut fast);
        dots_plain(&query, &rows, &mut plain);
        assert_eq!(fast, plain);
        let extreme = Row([-128; ROW]);
        fast.clear();
        dots(&extreme, &[extreme], &mut fast);
        assert_eq!(fast, [384 * 128 * 128]);
    }
}
