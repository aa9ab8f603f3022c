//! How flows are scored, and who is told of incidents.

use std::path::PathBuf;

use crate::anomaly::alerts::{self, SyslogTo};
use crate::anomaly::{self, Rule, Settings};

/// The scorer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomalies {
    pub enabled: bool,
    /// As `anomaly::rule` reads it.
    pub rule: String,
    /// Whether new addresses and names count.
    pub novelty: bool,
    /// Flows, and time, before what was learned counts in full.
    pub learn_flows: u32,
    pub learn_ns: i64,
}

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alerts {
    pub webhook: String,
    pub webhook_token: Option<PathBuf>,
    /// As [`SyslogTo::parse`] reads it.
    pub syslog: String,
    pub ntfy: String,
    pub ntfy_token: Option<PathBuf>,
    pub ca: Option<PathBuf>,
    /// In hundredths.
    pub min_score: u8,
    /// 0: no digests.
    pub digest_ns: i64,
    pub burst: u32,
}

impl Default for Anomalies {
    fn default() -> Anomalies {
        let usual = Settings::default();
        Anomalies {
            enabled: true,
            rule: anomaly::rule_in_words(usual.rule),
            novelty: usual.novelty,
            learn_flows: usual.learn_flows,
            learn_ns: usual.learn_ns,
        }
    }
}

impl Anomalies {
    /// As the scorer takes it.
    #[must_use]
    pub fn scoring(&self) -> anomaly::Anomalies {
        anomaly::Anomalies {
            enabled: self.enabled,
            settings: Settings {
                // It was read when it was set.
                rule: anomaly::rule(&self.rule).unwrap_or(Rule::Learned),
                novelty: self.novelty,
                learn_flows: self.learn_flows,
                learn_ns: self.learn_ns,
                ..Settings::default()
            },
        }
    }
}

impl Default for Alerts {
    fn default() -> Alerts {
        let usual = alerts::Alerts::default();
        Alerts {
            webhook: usual.webhook,
            webhook_token: usual.webhook_token,
            syslog: String::new(),
            ntfy: usual.ntfy,
            ntfy_token: usual.ntfy_token,
            ca: usual.ca,
            min_score: 70,
            digest_ns: usual.digest_ns,
            burst: usual.burst,
        }
    }
}

impl Alerts {
    /// As those who tell take it.
    #[must_use]
    pub fn told(&self) -> alerts::Alerts {
        alerts::Alerts {
            webhook: self.webhook.clone(),
            webhook_token: self.webhook_token.clone(),
            syslog: SyslogTo::parse(&self.syslog).unwrap_or_default(),
            ntfy: self.ntfy.clone(),
            ntfy_token: self.ntfy_token.clone(),
            ca: self.ca.clone(),
            min_score: f32::from(self.min_score) / 100.0,
            digest_ns: self.digest_ns,
            burst: self.burst,
        }
    }
}
