//! One outlet: its queue, its thread, how often it tries, what it counts.
//!
//! A message is tried at once, then after one second, two, four and so on up to five minutes, each
//! pause shortened by up to a half at random, so that many hosts do not come back together; after
//! ten tries it is given up. A refusal that another try would not change (a client's error over
//! HTTP) is given up at once. While one message waits others wait behind it, and what finds no room
//! is counted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use ghost_world::{Clock, Random};
use serde::{Deserialize, Serialize};

use super::http::Target;
use super::message::Message;
use super::syslog::SyslogTo;
use crate::limits::{ALERTS_END, ALERTS_OUTLET_MAX, ALERTS_PAUSE, ALERTS_TRIES, ALERTS_WAIT};

/// By which way messages go.
#[derive(Debug)]
pub(super) enum Way {
    Webhook(Target),
    Syslog(SyslogTo),
    Ntfy(Target),
}

/// Why a message did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Undelivered {
    /// Another try may do better.
    Later(String),
    /// None will.
    Never(String),
}

impl Way {
    fn name(&self) -> &'static str {
        match self {
            Way::Webhook(_) => "webhook",
            Way::Syslog(_) => "syslog",
            Way::Ntfy(_) => "ntfy",
        }
    }

    fn send(&self, message: &Message, identity: &str, now_ns: i64) -> Result<(), Undelivered> {
        match self {
            Way::Webhook(target) => target.webhook(message, identity),
            Way::Ntfy(target) => target.ntfy(message, identity),
            Way::Syslog(to) => to.send(message, identity, now_ns),
        }
    }
}

/// What an outlet counted.
#[derive(Debug, Default)]
pub(crate) struct Outlet {
    name: &'static str,
    sent: AtomicU64,
    failed: AtomicU64,
    given_up: AtomicU64,
    dropped: AtomicU64,
    waiting: AtomicU64,
    ending: AtomicBool,
    trouble: Mutex<String>,
}

/// How an outlet stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OutletStatus {
    pub name: String,
    /// Messages that arrived.
    pub sent: u64,
    /// Tries that did not go well.
    pub failed: u64,
    /// Messages that were tried as often as may be, or refused for good.
    pub given_up: u64,
    /// Messages that found no room.
    pub dropped: u64,
    pub waiting: u64,
    /// Why the last try did not go well; empty after one that did.
    pub trouble: String,
}

impl Outlet {
    pub(super) fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn status(&self) -> OutletStatus {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        OutletStatus {
            name: self.name.to_owned(),
            sent: get(&self.sent),
            failed: get(&self.failed),
            given_up: get(&self.given_up),
            dropped: get(&self.dropped),
            waiting: get(&self.waiting),
            trouble: self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// The daemon stops: what waits gets a moment.
    pub(super) fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    fn trouble(&self, words: &str) {
        words.clone_into(&mut self.trouble.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

type Started = (Arc<Outlet>, Sender<Arc<Message>>, JoinHandle<()>);

/// Starts an outlet's thread; it ends when its queue's sender has gone.
pub(super) fn start(
    way: Way,
    identity: &str,
    clock: Arc<dyn Clock>,
    seed: u64,
) -> std::io::Result<Started> {
    let outlet = Arc::new(Outlet { name: way.name(), ..Outlet::default() });
    let (send, messages) = bounded(ALERTS_OUTLET_MAX);
    let (told, identity) = (Arc::clone(&outlet), identity.to_owned());
    let thread =
        std::thread::Builder::new().name(format!("alert-{}", way.name())).spawn(move || {
            let mut trying = Trying {
                way,
                told: &told,
                identity,
                clock,
                random: Random::new(seed),
                ended: None,
            };
            trying.serve(&messages);
        })?;
    Ok((outlet, send, thread))
}

struct Trying<'a> {
    way: Way,
    told: &'a Outlet,
    identity: String,
    clock: Arc<dyn Clock>,
    random: Random,
    /// When it was first seen that the daemon stops: from then on there is little time.
    ended: Option<u64>,
}

impl Trying<'_> {
    fn serve(&mut self, messages: &Receiver<Arc<Message>>) {
        loop {
            match messages.recv_timeout(ALERTS_WAIT) {
                Ok(message) => {
                    self.told.waiting.store(messages.len() as u64 + 1, Ordering::Relaxed);
                    self.deliver(&message);
                    self.told.waiting.store(messages.len() as u64, Ordering::Relaxed);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn deliver(&mut self, message: &Message) {
        for tried in 1..=ALERTS_TRIES {
            match self.way.send(message, &self.identity, self.clock.wall_ns()) {
                Ok(()) => {
                    self.told.sent.fetch_add(1, Ordering::Relaxed);
                    return self.told.trouble("");
                }
                Err(Undelivered::Later(why)) => {
                    self.told.failed.fetch_add(1, Ordering::Relaxed);
                    self.told.trouble(&why);
                }
                Err(Undelivered::Never(why)) => {
                    self.told.failed.fetch_add(1, Ordering::Relaxed);
                    self.told.trouble(&why);
                    break;
                }
            }
            if tried == ALERTS_TRIES || !self.pause(tried) {
                break;
            }
        }
        self.told.given_up.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until the next try; false where there is no time left for one.
    fn pause(&mut self, tried: u32) -> bool {
        let mut left = pause(tried, self.random.number());
        while !left.is_zero() {
            if self.told.ending.load(Ordering::Relaxed) {
                let now = self.clock.monotonic_ns();
                let since = *self.ended.get_or_insert(now);
                let end = u64::try_from(ALERTS_END.as_nanos()).unwrap_or(u64::MAX);
                if now.saturating_sub(since) >= end {
                    return false;
                }
            }
            let step = left.min(ALERTS_WAIT);
            std::thread::park_timeout(step);
            left = left.saturating_sub(step);
        }
        true
    }
}

/// The pause after try number `tried`: doubled each time, up to five minutes, less up to a half.
fn pause(tried: u32, chance: u64) -> Duration {
    let (first, most) = ALERTS_PAUSE;
    let whole = first.saturating_mul(1 << tried.saturating_sub(1).min(16)).min(most);
    let thousandths = u32::try_from(chance % 500).unwrap_or(0);
    whole.saturating_sub(whole / 1000 * thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_most_and_are_shortened_by_chance_up_to_a_half() {
        let (first, most) = ALERTS_PAUSE;
        let mut random = Random::new(1);
        for tried in 1..=40 {
            let whole = first.saturating_mul(1 << (tried - 1).min(16)).min(most);
            let pause = pause(tried, random.number());
            assert!(pause <= whole && pause >= whole / 2, "{tried}: {pause:?} of {whole:?}");
        }
        assert_ne!(pause(5, 1), pause(5, 400));
    }
}
