//! Alerts: what is told to people elsewhere, by webhook, syslog and ntfy.
//!
//! ```text
//! writer ─▶ [queue] ─▶ desk (who was told what; digests) ─▶ [queue] ─▶ one outlet each
//! ```
//! The writer offers what it logged and never waits. The *desk* tells an incident at once, leaves
//! out what was told of the same kind between the same hosts a while ago, and gathers the rest into
//! a digest. Each *outlet* has a thread and a bounded queue of its own, tries again with growing
//! pauses, and gives up in the end: everything that was not delivered is counted, and the log has
//! it anyway. What waits when the daemon stops gets a moment, and is lost after it.

mod desk;
mod http;
mod message;
mod outlet;
mod syslog;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use ghost_world::Clock;
use serde::{Deserialize, Serialize};

pub use message::Alert;
pub use outlet::OutletStatus;
pub use syslog::SyslogTo;

use crate::limits::{ALERTS_QUEUE_MAX, ALERTS_WAIT};
use desk::Desk;
use outlet::{Outlet, Way};

/// Who is told, and when. As configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Alerts {
    /// A URL that takes a JSON object by POST; empty: none.
    pub webhook: String,
    /// A file whose first line is sent as `Authorization: Bearer …`.
    pub webhook_token: Option<PathBuf>,
    pub syslog: Option<SyslogTo>,
    /// A topic's URL; empty: none.
    pub ntfy: String,
    pub ntfy_token: Option<PathBuf>,
    /// A PEM file of certificates that are trusted instead of the system's.
    pub ca: Option<PathBuf>,
    /// Incidents below it are told nowhere.
    pub min_score: f32,
    /// How long the same is not told again, and what came meanwhile is gathered; 0: no digests.
    pub digest_ns: i64,
    /// Told at once between two digests; what is more goes into the digest.
    pub burst: u32,
}

impl Default for Alerts {
    fn default() -> Alerts {
        Alerts {
            webhook: String::new(),
            webhook_token: None,
            syslog: None,
            ntfy: String::new(),
            ntfy_token: None,
            ca: None,
            min_score: 0.7,
            digest_ns: 600_000_000_000,
            burst: 10,
        }
    }
}

/// What became of alerts since the start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AlertsStatus {
    /// Incidents that the desk heard of.
    pub heard: u64,
    /// Found its queue full.
    pub dropped: u64,
    /// Below the score that is told.
    pub low: u64,
    /// Told before, of the same kind between the same hosts.
    pub repeated: u64,
    pub digests: u64,
    pub outlets: Vec<OutletStatus>,
}

#[derive(Debug, Default)]
struct Counts {
    heard: AtomicU64,
    dropped: AtomicU64,
    low: AtomicU64,
    repeated: AtomicU64,
    digests: AtomicU64,
}

/// The way in, for the writer; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Desks {
    /// `None` where nobody is told.
    offer: Option<Sender<Alert>>,
    counts: Arc<Counts>,
    outlets: Arc<[Arc<Outlet>]>,
}

impl Desks {
    /// Starts the threads that tell; none where nothing is configured. They end when the last
    /// clone has gone, or a while after it.
    ///
    /// # Errors
    /// No thread could be started.
    pub(crate) fn start(
        config: &Alerts,
        identity: &str,
        clock: &Arc<dyn Clock>,
        seed: u64,
    ) -> std::io::Result<(Desks, Vec<JoinHandle<()>>)> {
        let mut ways: Vec<Way> = Vec::new();
        if !config.webhook.is_empty() {
            ways.push(Way::Webhook(http::Target::new(
                &config.webhook,
                config.webhook_token.clone(),
                config.ca.clone(),
            )));
        }
        if let Some(to) = &config.syslog {
            ways.push(Way::Syslog(to.clone()));
        }
        if !config.ntfy.is_empty() {
            ways.push(Way::Ntfy(http::Target::new(
                &config.ntfy,
                config.ntfy_token.clone(),
                config.ca.clone(),
            )));
        }
        let counts = Arc::<Counts>::default();
        let mut threads = Vec::new();
        let mut outlets = Vec::new();
        let mut told = Vec::new();
        for (at, way) in ways.into_iter().enumerate() {
            let (outlet, send, thread) =
                outlet::start(way, identity, Arc::clone(clock), seed.wrapping_add(at as u64))?;
            outlets.push(outlet);
            told.push(send);
            threads.push(thread);
        }
        let outlets: Arc<[Arc<Outlet>]> = outlets.into();
        if told.is_empty() {
            return Ok((Desks { offer: None, counts, outlets }, threads));
        }
        let (offer, alerts) = bounded(ALERTS_QUEUE_MAX);
        let desk = Desk::new(config);
        let (of_thread, clock) = (Arc::clone(&counts), Arc::clone(clock));
        let of_outlets = Arc::clone(&outlets);
        threads.push(std::thread::Builder::new().name("alerts".to_owned()).spawn(move || {
            serve(desk, &alerts, &told, &of_outlets, &of_thread, &*clock);
        })?);
        Ok((Desks { offer: Some(offer), counts, outlets }, threads))
    }

    /// Whether anybody is told.
    pub(crate) fn any(&self) -> bool {
        self.offer.is_some()
    }

    /// Hands an alert over, or counts that there was no room.
    pub(crate) fn offer(&self, alert: Alert) {
        if let Some(offer) = &self.offer {
            self.counts.heard.fetch_add(1, Ordering::Relaxed);
            if offer.try_send(alert).is_err() {
                self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// A way to the numbers that keeps no thread alive.
    pub(crate) fn numbers(&self) -> Numbers {
        Numbers { counts: Arc::clone(&self.counts), outlets: Arc::clone(&self.outlets) }
    }
}

/// The numbers of all of it.
#[derive(Debug, Clone)]
pub(crate) struct Numbers {
    counts: Arc<Counts>,
    outlets: Arc<[Arc<Outlet>]>,
}

impl Numbers {
    pub(crate) fn status(&self) -> AlertsStatus {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        AlertsStatus {
            heard: get(&self.counts.heard),
            dropped: get(&self.counts.dropped),
            low: get(&self.counts.low),
            repeated: get(&self.counts.repeated),
            digests: get(&self.counts.digests),
            outlets: self.outlets.iter().map(|outlet| outlet.status()).collect(),
        }
    }
}

/// The desk's thread.
fn serve(
    mut desk: Desk,
    alerts: &Receiver<Alert>,
    told: &[Sender<Arc<message::Message>>],
    outlets: &[Arc<Outlet>],
    counts: &Counts,
    clock: &dyn Clock,
) {
    let tell = |message: message::Message| {
        let message = Arc::new(message);
        for (send, outlet) in told.iter().zip(outlets) {
            if send.try_send(Arc::clone(&message)).is_err() {
                outlet.dropped();
            }
        }
    };
    loop {
        let alert = alerts.recv_timeout(ALERTS_WAIT);
        let ended = matches!(alert, Err(crossbeam_channel::RecvTimeoutError::Disconnected));
        let now = clock.wall_ns();
        if let Ok(alert) = alert
            && let Some(message) = desk.hear(alert, now)
        {
            tell(message);
        }
        if let Some(message) = desk.due(now, ended) {
            tell(message);
        }
        counts.low.store(desk.low, Ordering::Relaxed);
        counts.repeated.store(desk.repeated, Ordering::Relaxed);
        counts.digests.store(desk.digests, Ordering::Relaxed);
        if ended {
            outlets.iter().for_each(|outlet| outlet.end());
            return;
        }
    }
}
