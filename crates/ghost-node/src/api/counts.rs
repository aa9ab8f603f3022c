//! What the API counts of itself.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// The routes, as metrics name them; `other` is everything that is none.
pub(crate) const ROUTES: [&str; 12] = [
    "/v1/status",
    "/v1/query",
    "/v1/flows",
    "/v1/similar",
    "/v1/flows/follow",
    "/v1/import",
    "/v1/remembered",
    "/v1/seal",
    "/v1/anomalies",
    "/v1/top",
    "/metrics",
    "other",
];

/// The answers' classes, as metrics name them.
pub(crate) const CLASSES: [&str; 4] = ["2xx", "4xx", "5xx", "other"];

/// Totals since the start.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    requests: [[AtomicU64; CLASSES.len()]; ROUTES.len()],
    pub(crate) connections: AtomicU64,
    pub(crate) connections_open: AtomicU64,
    pub(crate) connections_refused: AtomicU64,
    /// Requests that found no room.
    pub(crate) busy: AtomicU64,
    pub(crate) followers: AtomicU64,
    pub(crate) lines_missed: AtomicU64,
}

/// The counts at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApiStatus {
    /// By route and class of answer, those that are not 0.
    pub requests: Vec<Requests>,
    pub connections: u64,
    pub connections_open: u64,
    pub connections_refused: u64,
    pub refused_busy: u64,
    pub followers: u64,
    pub lines_missed: u64,
    /// Questions that wait for a thread, and how many may.
    pub waiting: u64,
    pub waiting_max: u64,
}

/// Requests of one route that ended alike.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Requests {
    pub route: String,
    /// `2xx`, `4xx`, `5xx`, `other`.
    pub class: String,
    pub total: u64,
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counts {
    /// Counts an answer.
    pub(crate) fn answered(&self, path: &str, code: u16) {
        let route = ROUTES.iter().position(|r| *r == path).unwrap_or(ROUTES.len() - 1);
        let class = match code / 100 {
            2 => 0,
            4 => 1,
            5 => 2,
            _ => 3,
        };
        if let Some(counter) = self.requests.get(route).and_then(|r| r.get(class)) {
            count(counter);
        }
    }

    pub(crate) fn snapshot(&self, waiting: (usize, usize)) -> ApiStatus {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut requests = Vec::new();
        for (route, of_route) in ROUTES.iter().zip(&self.requests) {
            for (class, counter) in CLASSES.iter().zip(of_route) {
                if get(counter) > 0 {
                    requests.push(Requests {
                        route: (*route).to_owned(),
                        class: (*class).to_owned(),
                        total: get(counter),
                    });
                }
            }
        }
        ApiStatus {
            requests,
            connections: get(&self.connections),
            connections_open: get(&self.connections_open),
            connections_refused: get(&self.connections_refused),
            refused_busy: get(&self.busy),
            followers: get(&self.followers),
            lines_missed: get(&self.lines_missed),
            waiting: waiting.0 as u64,
            waiting_max: waiting.1 as u64,
        }
    }
}
