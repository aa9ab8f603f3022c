//! Who writes down what was learned: a thread of its own, so that the one that scores never waits.
//!
//! It is handed the whole state now and then, after each change by an operator, and at the end.
//! While one is being written the next finds no room and is left out; the last one, at the end,
//! waits for it.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use super::scoring::Scoring;
use super::state;
use crate::DataDir;
use crate::limits::LEARNED_NS;

/// How long the end waits for the disk.
const LAST: Duration = Duration::from_secs(5);

/// The side of the thread that scores.
#[derive(Debug)]
pub(crate) struct Keeper {
    store: Sender<Vec<u8>>,
    next_ns: u64,
    /// Flows that were learned when it was stored last.
    stored: u64,
}

impl Keeper {
    /// Starts the thread; `told` hears why something could not be written.
    ///
    /// # Errors
    /// No thread could be started.
    pub(crate) fn start(
        data: &DataDir,
        now_ns: u64,
        told: impl Fn(String) + Send + 'static,
    ) -> std::io::Result<(Keeper, JoinHandle<()>)> {
        let (store, states) = bounded::<Vec<u8>>(1);
        let data = Arc::new(data.clone());
        let thread = std::thread::Builder::new().name("learned".to_owned()).spawn(move || {
            for bytes in states {
                if let Err(error) = state::store(&data, &bytes) {
                    told(format!("what was learned could not be written: {error}"));
                }
            }
        })?;
        let next_ns = now_ns.saturating_add(LEARNED_NS);
        Ok((Keeper { store, next_ns, stored: 0 }, thread))
    }

    /// Hands the state over where it is due and there is something new.
    pub(crate) fn tend(&mut self, scoring: &Scoring, now_ns: u64) {
        if now_ns < self.next_ns {
            return;
        }
        self.next_ns = now_ns.saturating_add(LEARNED_NS);
        if scoring.learned() != self.stored && self.store.is_empty() {
            self.put(scoring);
        }
    }

    /// Hands it over now: an operator changed it.
    pub(crate) fn put(&mut self, scoring: &Scoring) {
        if self.store.try_send(scoring.saved()).is_ok() {
            self.stored = scoring.learned();
        } else {
            // Soon again.
            self.next_ns = 0;
            self.stored = u64::MAX;
        }
    }

    /// The last one.
    pub(crate) fn end(self, scoring: &Scoring) {
        // A disk that takes longer keeps what was stored before.
        let _ = self.store.send_timeout(scoring.saved(), LAST);
    }
}
