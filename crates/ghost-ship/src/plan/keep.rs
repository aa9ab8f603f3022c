//! Which snapshots the primary must keep, and for whom.

use std::collections::BTreeSet;

use super::{Replica, Sealed, common};

/// What the keeping is about.
#[derive(Debug, Clone)]
pub struct Held<'a> {
    /// Snapshots that lie there, oldest first.
    pub blocks: &'a [Sealed],
    /// More are never kept, the newest included; at least 1.
    pub cap: usize,
}

/// What is to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kept {
    /// Numbers of blocks; all others may be deleted, one for each that is made.
    pub blocks: BTreeSet<u64>,
    /// Replicas, by their place in the list, that lose their parent and will be sent everything.
    pub full: Vec<usize>,
}

/// The newest, and for each replica that lags the newest that it has. A block that is on its way keeps
/// its parent and itself. Where that is more than the cap, those who lag most lose theirs.
#[must_use]
pub fn keep(held: &Held<'_>, replicas: &[Replica]) -> Kept {
    let mut kept = Kept::default();
    let Some(newest) = held.blocks.last() else { return kept };
    kept.blocks.insert(newest.number);
    // What each replica needs, the most recent first, so that the cap is felt by who lags most; what
    // is on its way comes before what only waits.
    let mut needs: Vec<(bool, u64, usize)> = Vec::new();
    for (i, replica) in replicas.iter().enumerate() {
        if let Some(sending) = replica.sending {
            needs.push((true, sending.number, i));
            needs.extend(sending.parent.map(|parent| (true, parent, i)));
        }
        if let Some(parent) = common(held.blocks, &replica.blocks) {
            needs.push((false, parent.number, i));
        }
    }
    needs.sort_unstable_by(|a, b| b.cmp(a));
    let mut left_out = BTreeSet::new();
    for (_, number, replica) in needs {
        if !held.blocks.iter().any(|b| b.number == number) {
            continue;
        }
        if kept.blocks.contains(&number) || kept.blocks.len() < held.cap.max(1) {
            kept.blocks.insert(number);
        } else {
            left_out.insert(replica);
        }
    }
    kept.full = left_out.into_iter().collect();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Settings;
    use crate::wire::BlockTold;
    use ghost_event::Digest;

    fn sealed(n: u64) -> Sealed {
        Sealed { number: n, size: n * 10, root: Digest([n as u8; 32]) }
    }

    fn replica(has: &[u64], sending: Option<(u64, Option<u64>)>) -> Replica {
        let mut replica = Replica::new(Settings::default(), 0);
        for n in has {
            let b = sealed(*n);
            replica.verified(BlockTold { number: b.number, size: b.size, root: b.root }, 0);
        }
        if let Some((number, parent)) = sending {
            replica.block_begun(&sealed(number), parent, 0);
        }
        replica
    }

    fn check(blocks: &[u64], cap: usize, replicas: &[Replica], expected: &[u64], full: &[usize]) {
        let blocks: Vec<_> = blocks.iter().map(|n| sealed(*n)).collect();
        let kept = keep(&Held { blocks: &blocks, cap }, replicas);
        assert_eq!(kept.blocks, expected.iter().copied().collect());
        assert_eq!(kept.full, full);
    }

    #[test]
    fn all_in_step_need_one_block_and_each_that_lags_one_more() {
        let in_step = replica(&[8, 9], None);
        check(&[7, 8, 9], 16, &[], &[9], &[]);
        check(&[7, 8, 9], 16, &[in_step.clone(), in_step.clone()], &[9], &[]);
        let lags = replica(&[3, 7], None);
        check(&[3, 7, 8, 9], 16, &[in_step.clone(), lags.clone(), lags.clone()], &[7, 9], &[]);
        let on_its_way = replica(&[7], Some((8, Some(7))));
        check(&[3, 7, 8, 9], 16, &[in_step, on_its_way], &[7, 8, 9], &[]);
        check(&[], 16, &[lags], &[], &[]);
    }

    #[test]
    fn above_the_cap_those_who_lag_most_lose_their_parent() {
        let replicas: Vec<_> = (1..=5).map(|n| replica(&[n], None)).collect();
        check(&[1, 2, 3, 4, 5, 9], 3, &replicas, &[4, 5, 9], &[0, 1, 2]);
        check(&[1, 2, 3, 4, 5, 9], 1, &replicas, &[9], &[0, 1, 2, 3, 4]);
        // What is on its way is not the first to go.
        let mut replicas = replicas;
        replicas[0] = replica(&[1], Some((9, Some(1))));
        check(&[1, 2, 3, 4, 5, 9], 3, &replicas, &[1, 5, 9], &[1, 2, 3]);
    }

    #[test]
    fn never_more_than_the_cap_and_never_without_the_newest() {
        bolero::check!()
            .with_iterations(2_000)
            .with_type::<(u8, u8, Vec<(u8, bool, u8)>)>()
            .for_each(|(count, cap, replicas)| {
                let blocks: Vec<_> = (1..=u64::from(*count)).map(sealed).collect();
                let replicas: Vec<_> = replicas
                    .iter()
                    .take(20)
                    .map(|(has, sends, what)| {
                        replica(
                            &[u64::from(*has)],
                            sends.then(|| ((*what).into(), Some((*has).into()))),
                        )
                    })
                    .collect();
                let kept = keep(&Held { blocks: &blocks, cap: usize::from(*cap) }, &replicas);
                assert!(kept.blocks.len() <= usize::from(*cap).max(1));
                assert!(kept.blocks.iter().all(|n| (1..=u64::from(*count)).contains(n)));
                assert_eq!(blocks.last().map(|b| b.number), kept.blocks.last().copied());
            });
    }
}
