//! What an index holds, in one number that does not depend on order or layout.
//!
//! An event counts as the sum of its terms' hashes and its numbers, the index as the sum of its
//! events: two indexes of equal digest hold the same events with the same terms, numbers and
//! positions, and the same shapes with the same vectors. A check against mishaps, not forgers.

use std::fmt;

use xxhash_rust::xxh3::xxh3_128;

use crate::entry::Numbers;
use crate::shapes::{ShapeRow, ShapeStore};

/// The content of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContentDigest {
    pub events: u64,
    pub events_sum: u128,
    pub shapes: u64,
    pub shapes_sum: u128,
}

impl ContentDigest {
    /// Takes in an event, by the sum of [`term`] over its distinct terms.
    pub(crate) fn event(&mut self, terms: u128, n: &Numbers) {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&terms.to_le_bytes());
        for number in [
            n.seq,
            n.start.cast_unsigned(),
            n.end.cast_unsigned(),
            n.to_server,
            n.to_client,
            n.packets,
            n.pair,
            n.source,
            n.shape,
            n.at.segment,
            n.at.offset,
            u64::from(n.at.len),
        ] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        self.events += 1;
        self.events_sum = self.events_sum.wrapping_add(xxh3_128(&bytes));
    }

    pub(crate) fn shapes_of(&mut self, store: &ShapeStore) {
        for row in store.iter() {
            self.shapes += 1;
            self.shapes_sum = self.shapes_sum.wrapping_add(xxh3_128(&shape_bytes(row)));
        }
    }
}

/// One term's share of its event.
pub(crate) fn term(bytes: &[u8]) -> u128 {
    xxh3_128(bytes)
}

fn shape_bytes(row: &ShapeRow) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(768);
    crate::store::put(&mut bytes, 0, row);
    bytes
}

impl fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} events {:032x}, {} shapes {:032x}",
            self.events, self.events_sum, self.shapes, self.shapes_sum
        )
    }
}
