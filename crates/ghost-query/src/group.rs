//! Hits that say the same again: one of them stands for all, with their number.
//!
//! They are of one shape, met the same preferences and were opened by the same host: a scan of a
//! thousand ports is one line, two scanners are two. What has no shape, as a change of an element,
//! stands for itself. The numbers are exact: they are counted over everything that meets the
//! conditions, not over what was fetched.

use std::collections::{HashMap, HashSet};

use ghost_index::{Alike, Clause, Hit, Index, Request, Term, Walk};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::QueryError;

/// Hits fetched for each group that is wanted, at first and then again.
pub(crate) const FETCH_FACTOR: usize = 16;

/// Hits fetched for groups at most: where fewer groups are among so many, fewer are shown.
pub(crate) const FETCH_MAX: usize = 65_536;

/// The first of each group, in order.
pub(crate) fn firsts(hits: Vec<Hit>, limit: usize) -> Vec<Hit> {
    let mut seen: HashSet<Alike> = HashSet::new();
    let first = |hit: &Hit| is_alone(&hit.alike()) || seen.insert(hit.alike());
    hits.into_iter().filter(first).take(limit).collect()
}

/// Whether nothing is like it.
fn is_alone(alike: &Alike) -> bool {
    alike.shape.0 == 0
}

/// How many events there are of each group of `hits`, themselves counted.
pub(crate) fn sizes(
    hits: &[Hit],
    request: &Request,
    all: &[&dyn Index],
) -> Result<HashMap<Alike, u64>, QueryError> {
    let groups = hits.iter().map(Hit::alike).filter(|alike| !is_alone(alike));
    let mut sizes: HashMap<Alike, u64> = groups.map(|alike| (alike, 0)).collect();
    if sizes.is_empty() {
        return Ok(sizes);
    }
    let mut shapes: Vec<_> = sizes.keys().map(|alike| alike.shape).collect();
    shapes.sort_unstable();
    shapes.dedup();
    let mut filter = request.filter.clone();
    let of = shapes.iter().map(|shape| Clause::Has(Term::shape(*shape)));
    filter.push(Clause::Any(of.collect()));
    let also = request.should.iter().map(|(clause, _)| clause.clone()).collect();
    let walk = Walk { filter, also, as_of: request.as_of };
    for index in all {
        index.events(&walk, &mut |met| {
            let alike = Alike { shape: met.shape(), held: met.held, opener: met.opener() };
            if let Some(size) = sizes.get_mut(&alike) {
                *size += 1;
            }
        })?;
    }
    Ok(sizes)
}

/// One number for what hits of a group share.
pub(crate) fn key(hit: &Hit) -> u64 {
    let alike = hit.alike();
    if is_alone(&alike) {
        return xxh3_64(&hit.seq.to_le_bytes());
    }
    let mut bytes = [0; 20];
    let (shape, rest) = bytes.split_at_mut(8);
    let (held, opener) = rest.split_at_mut(8);
    shape.copy_from_slice(&alike.shape.0.to_le_bytes());
    held.copy_from_slice(&alike.held.to_le_bytes());
    opener.copy_from_slice(&alike.opener.to_le_bytes());
    xxh3_64(&bytes)
}
