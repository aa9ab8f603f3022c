//! Half-space trees: how thinly the space around a flow's numbers is settled.
//!
//! Each tree cuts the unit cube in halves along features drawn from a fixed seed, and counts how
//! many flows fell into each part; a flow in parts where few others fell is rare. Memory is fixed,
//! a flow costs one walk down each tree, and counts are halved from time to time.
//!
//! After Tan, Ting and Liu, "Fast anomaly detection for streaming data" (2011), with one decaying
//! profile instead of two that take turns.

use super::state::{Reader, StateError, Writer};

const TREES: usize = 16;
const DEPTH: usize = 8;
const NODES: usize = (1 << (DEPTH + 1)) - 1;
/// Flows after which all counts are halved.
const MEMORY: f32 = 16_384.0;
/// A part with fewer flows is not looked into further.
const FEW: f32 = 12.0;

/// The trees, over points of `N` numbers between 0 and 1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Forest<const N: usize> {
    nodes: Vec<Node>,
    total: f32,
}

/// The feature that a node cuts, where, and how many flows fell into it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Node {
    cut: f32,
    mass: f32,
    feature: u8,
}

impl<const N: usize> Default for Forest<N> {
    fn default() -> Self {
        let mut chance = 0x5eed_u64;
        let mut nodes = Vec::with_capacity(TREES * NODES);
        for _ in 0..TREES {
            grow::<N>(&mut nodes, &mut chance);
        }
        Forest { nodes, total: 0.0 }
    }
}

/// One tree: each feature has a work range around a random point, halved along the way down.
fn grow<const N: usize>(nodes: &mut Vec<Node>, chance: &mut u64) {
    let mut ranges = [(0.0_f32, 1.0_f32); N];
    for range in &mut ranges {
        let point = uniform(chance);
        let reach = 2.0 * point.max(1.0 - point);
        *range = (point - reach, point + reach);
    }
    let start = nodes.len();
    let mut boxes = vec![ranges];
    for node in 0..NODES {
        let range = boxes.get(node).copied().unwrap_or([(0.0, 1.0); N]);
        let feature = (split_mix(chance) % (N as u64).max(1)) as usize;
        let (low, high) = range.get(feature).copied().unwrap_or((0.0, 1.0));
        let middle = (low + high) / 2.0;
        nodes.push(Node { cut: middle, mass: 0.0, feature: u8::try_from(feature).unwrap_or(0) });
        if 2 * node + 2 < NODES {
            let (mut left, mut right) = (range, range);
            if let Some(side) = left.get_mut(feature) {
                side.1 = middle;
            }
            if let Some(side) = right.get_mut(feature) {
                side.0 = middle;
            }
            boxes.push(left);
            boxes.push(right);
        }
    }
    debug_assert_eq!(nodes.len() - start, NODES);
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn uniform(state: &mut u64) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "24 bits")]
    let value = (split_mix(state) >> 40) as f32;
    value / 16_777_216.0
}

impl<const N: usize> Forest<N> {
    /// How rare the point is: bits by which the settlement around it is thinner than everywhere.
    pub(crate) fn rarity(&self, point: &[f32; N]) -> f32 {
        if self.total <= 0.0 {
            return 0.0;
        }
        let mut product = 1.0_f64;
        for tree in self.nodes.chunks_exact(NODES) {
            let (mut at, mut scale) = (0, 1.0);
            let mut mass = self.total;
            for _ in 0..DEPTH {
                if mass < FEW {
                    break;
                }
                at = below(tree, at, point);
                scale *= 2.0;
                mass = tree.get(at).map_or(0.0, |node| node.mass);
            }
            product *= f64::from((mass + 0.5) * scale / (self.total + 1.0));
        }
        // The mean of the densities' logarithms: one thin tree counts as much as one thick one. A
        // point in the thickest corner has DEPTH bits more than an even settlement.
        #[expect(clippy::cast_precision_loss, reason = "sixteen, and eight")]
        let (trees, most) = (TREES as f64, DEPTH as f64);
        #[expect(clippy::cast_possible_truncation, reason = "some bits")]
        let rarity = (most - product.log2() / trees) as f32;
        rarity.max(0.0)
    }

    /// Takes in one point.
    pub(crate) fn add(&mut self, point: &[f32; N]) {
        for tree in self.nodes.chunks_exact_mut(NODES) {
            let mut at = 0;
            for _ in 0..DEPTH {
                at = below(tree, at, point);
                if let Some(node) = tree.get_mut(at) {
                    node.mass += 1.0;
                }
            }
        }
        self.total += 1.0;
        if self.total >= MEMORY {
            self.nodes.iter_mut().for_each(|node| node.mass *= 0.5);
            self.total *= 0.5;
        }
    }

    pub(crate) fn save(&self, out: &mut Writer) {
        out.f32(self.total);
        out.count(self.nodes.iter().filter(|node| node.mass > 0.0).count());
        for (at, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.mass > 0.0) {
            out.count(at);
            out.f32(node.mass);
        }
    }

    pub(crate) fn load(from: &mut Reader<'_>) -> Result<Self, StateError> {
        let mut forest = Self { total: from.positive()?, ..Self::default() };
        for _ in 0..from.count(TREES * NODES)? {
            let at = from.count(TREES * NODES - 1)?;
            forest.nodes.get_mut(at).ok_or(StateError::Damaged)?.mass = from.positive()?;
        }
        Ok(forest)
    }
}

/// The child of node `at` in which the point lies.
fn below<const N: usize>(tree: &[Node], at: usize, point: &[f32; N]) -> usize {
    let Some(node) = tree.get(at) else { return 0 };
    let value = point.get(usize::from(node.feature)).copied().unwrap_or(0.0);
    2 * at + 1 + usize::from(value >= node.cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_apart_is_rarer_than_those_of_the_crowd() {
        let mut forest = Forest::<4>::default();
        let mut chance = 7;
        for _ in 0..2000 {
            let near = |c: &mut u64| 0.2 + 0.1 * uniform(c);
            forest.add(&[near(&mut chance), near(&mut chance), near(&mut chance), 0.5]);
        }
        let crowd = forest.rarity(&[0.25, 0.25, 0.25, 0.5]);
        let apart = forest.rarity(&[0.9, 0.25, 0.8, 0.5]);
        assert!(apart > crowd + 1.0, "{apart} {crowd}");
    }

    #[test]
    fn the_same_points_give_the_same_trees() {
        let mut forests = [Forest::<3>::default(), Forest::<3>::default()];
        for forest in &mut forests {
            forest.add(&[0.1, 0.9, f32::NAN]);
        }
        assert_eq!(forests[0], forests[1]);
    }
}
