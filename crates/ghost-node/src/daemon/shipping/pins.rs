//! What all replicas together need: snapshots that are kept for them, and events that are not
//! forgotten.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ghost_event::Seq;
use ghost_ship::SNAPSHOTS_MAX;
use ghost_ship::plan::{Held, Replica, Sending, Settings, keep};
use ghost_ship::wire::BlockTold;

use super::news::News;

/// What one replica needs.
#[derive(Debug, Clone, Default)]
struct Need {
    blocks: Vec<BlockTold>,
    sending: Option<Sending>,
    held: Seq,
}

/// The needs of all, by name.
#[derive(Debug, Default)]
pub(super) struct Pins(Mutex<BTreeMap<String, Need>>);

impl Pins {
    fn needs(&self) -> MutexGuard<'_, BTreeMap<String, Need>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A replica has these blocks, and that one is on its way to it.
    pub(super) fn need(
        &self,
        name: &str,
        blocks: Vec<BlockTold>,
        sending: Option<Sending>,
        news: &News,
    ) {
        let mut needs = self.needs();
        let need = needs.entry(name.to_owned()).or_default();
        (need.blocks, need.sending) = (blocks, sending);
        pin(&needs, news);
    }

    /// A replica has all lines up to here.
    pub(super) fn held(&self, name: &str, held: Seq, news: &News) {
        let mut needs = self.needs();
        needs.entry(name.to_owned()).or_default().held = held;
        let all = needs.values().map(|need| need.held).min().unwrap_or(0);
        news.state().waiting.forget(all);
    }

    /// A replica was removed.
    pub(super) fn forget(&self, name: &str, news: &News) {
        let mut needs = self.needs();
        needs.remove(name);
        pin(&needs, news);
    }
}

fn pin(needs: &BTreeMap<String, Need>, news: &News) {
    let replicas: Vec<Replica> = needs
        .values()
        .map(|need| {
            let mut replica = Replica::new(Settings::default(), 0);
            replica.blocks.clone_from(&need.blocks);
            replica.sending = need.sending;
            replica
        })
        .collect();
    let kept = {
        let state = news.state();
        keep(&Held { blocks: &state.sealed, cap: SNAPSHOTS_MAX }, &replicas)
    };
    news.pin(kept.blocks);
}
