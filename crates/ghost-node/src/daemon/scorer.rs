//! The scorer of the live bridge: how it begins, and what an operator asks of it.

use std::sync::Arc;
use std::sync::PoisonError;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::bounded;

use super::pipeline::Control;
use super::shared::Shared;
use super::{Daemon, DaemonError, DaemonHost, Inner};
use crate::DataDir;
use crate::anomaly::keeper::Keeper;
use crate::anomaly::scoring::Scoring;
use crate::anomaly::wish::{AnomaliesStatus, Wish};
use crate::anomaly::{Anomalies, state};
use crate::config::Config;

/// How long the tap thread may take to obey: it does so between two polls.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a wish was not obeyed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WishError {
    #[error("{0}")]
    Refused(String),
    #[error("the tap thread did not come to it in time; try again")]
    Busy,
    #[error("the daemon is stopping")]
    Stopping,
}

type Begun = (Option<Scoring>, Option<Keeper>, Option<JoinHandle<()>>);

/// The scorer, going on from what was learned before, and who writes that down.
pub(super) fn begin(
    config: &Config,
    data: &DataDir,
    shared: &Arc<Shared>,
    host: &dyn DaemonHost,
) -> Result<Begun, DaemonError> {
    let anomalies = config.anomalies.scoring();
    if !anomalies.enabled {
        return Ok((None, None, None));
    }
    let scoring = match state::load(data, anomalies.settings) {
        Ok(Some((scorer, vectors))) => Scoring::of(scorer, vectors),
        Ok(None) => Scoring::new(anomalies.settings),
        Err(error) => {
            let told = format!("{error}; learning begins anew, the old file is set aside");
            host.say(&told);
            shared.warn(told);
            state::set_aside(data);
            Scoring::new(anomalies.settings)
        }
    };
    shared.tell_standing(scoring.standing());
    let told = Arc::clone(shared);
    let now = host.clock().uptime_ns();
    let (keeper, thread) =
        Keeper::start(data, now, move |words| told.warn(words)).map_err(DaemonError::Thread)?;
    Ok((Some(scoring), Some(keeper), Some(thread)))
}

/// A seed for pauses between tries.
pub(super) fn seed(random: &[u8; 16]) -> u64 {
    let [.., a, b, c, d, e, f, g, h] = *random;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

impl Inner {
    /// How captures are scored: as configured.
    pub(super) fn anomalies(&self) -> Anomalies {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).anomalies.scoring()
    }

    /// How scoring stands, as of the last second.
    pub(super) fn anomalies_standing(&self) -> AnomaliesStatus {
        let mut standing = self.shared.standing();
        if standing.state.is_empty() {
            "off".clone_into(&mut standing.state);
        }
        standing.untold += self.shared.incidents_lost.get();
        standing
    }
}

impl Daemon {
    /// Has the scorer do what an operator wishes, and says how it stands then.
    ///
    /// # Errors
    /// It can't be, or there was no time.
    pub fn anomalies(&self, wish: Wish) -> Result<AnomaliesStatus, WishError> {
        if self.inner.shared.stopping() {
            return Err(WishError::Stopping);
        }
        let (reply, answer) = bounded(1);
        if !self.inner.tell_tap(Control::Anomalies { wish, reply }) {
            return Err(WishError::Busy);
        }
        answer.recv_timeout(PATIENCE).map_err(|_| WishError::Busy)?.map_err(WishError::Refused)
    }
}
