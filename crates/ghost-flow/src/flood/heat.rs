//! How many flows that nobody answered began lately, by what they have in common.
//!
//! Two rows of counters, each of the second that goes on and of the one before; a thing has the
//! lesser of its two counters, so that it is never counted too low, and too high only where both
//! are shared with a hotter one. Who is found too hot by mistake pays with a second of patience:
//! only what stays unanswered is folded.

const CELLS: usize = 1 << 16;
const SECOND_NS: i64 = 1_000_000_000;

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    second: u32,
    now: u32,
    before: u32,
}

/// The counters; 1.5 MiB.
#[derive(Debug)]
pub(crate) struct Heat {
    cells: Box<[Cell]>,
}

impl Heat {
    pub(crate) fn new() -> Heat {
        Heat { cells: vec![Cell::default(); 2 * CELLS].into_boxed_slice() }
    }

    fn cells(&mut self, hash: u64, now: i64) -> [Option<&mut Cell>; 2] {
        // As far as seconds in 32 bits go, and only told apart.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "told apart")]
        let second = now.div_euclid(SECOND_NS) as u32;
        let [a, b] = [hash, hash >> 32].map(|part| part as usize & (CELLS - 1));
        let (first, other) = self.cells.split_at_mut(CELLS);
        let mut pair = [first.get_mut(a), other.get_mut(b)];
        for cell in pair.iter_mut().flatten() {
            if cell.second != second {
                let next = cell.second.wrapping_add(1) == second;
                **cell = Cell { second, now: 0, before: if next { cell.now } else { 0 } };
            }
        }
        pair
    }

    /// A flow of this thing began; gives how many did, in this second or the one before.
    pub(crate) fn add(&mut self, hash: u64, now: i64) -> u32 {
        let mut least = u32::MAX;
        for cell in self.cells(hash, now).into_iter().flatten() {
            cell.now = cell.now.saturating_add(1);
            least = least.min(cell.now.max(cell.before));
        }
        least
    }

    /// As [`Heat::add`] says, without one more.
    pub(crate) fn of(&mut self, hash: u64, now: i64) -> u32 {
        let cells = self.cells(hash, now).into_iter().flatten();
        cells.map(|cell| cell.now.max(cell.before)).min().unwrap_or(0)
    }

    /// A flow of this thing was answered.
    pub(crate) fn cool(&mut self, hash: u64, now: i64) {
        for cell in self.cells(hash, now).into_iter().flatten() {
            cell.now = cell.now.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_began_in_this_second_or_the_last_is_hot() {
        let mut heat = Heat::new();
        for n in 1..=50 {
            assert_eq!(heat.add(7, 10 * SECOND_NS), n);
        }
        assert_eq!(heat.of(7, 11 * SECOND_NS), 50, "the second before counts");
        assert_eq!(heat.add(7, 11 * SECOND_NS), 50);
        assert_eq!(heat.of(7, 12 * SECOND_NS), 1);
        assert_eq!(heat.of(7, 20 * SECOND_NS), 0, "long ago");
        assert_eq!(heat.of(8 << 32 | 7, 10 * SECOND_NS), 0, "one counter alone is not enough");
    }

    #[test]
    fn an_answer_cools() {
        let mut heat = Heat::new();
        for _ in 0..1000 {
            heat.add(9, 0);
            heat.cool(9, 0);
        }
        assert_eq!(heat.of(9, 0), 0);
    }
}
