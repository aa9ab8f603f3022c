//! Anomalies: the scorer beside the flow table, what it says in the log, and who is told.
//!
//! In the order of the data: [`scoring`] lets the scorer hear of every flow and packet, keeps the
//! highest score of each open flow, and makes statements about incidents; [`state`] keeps what was
//! learned; [`alerts`] tells people elsewhere; [`list`] finds scored flows and incidents in a log
//! again.
//!
//! An import has a scorer of its own for each capture (`docs/decisions/0010`): what is live and
//! what was captured somewhere, some time, are different streams.
//!
//! **Invariant:** whatever scores waits for nobody: no disk, no lock, no queue that may be full.

pub mod alerts;
pub(crate) mod keeper;
pub mod list;
pub mod rescored;
pub(crate) mod scoring;
pub(crate) mod state;
mod vectors;
pub mod wish;

use wish::{AnomaliesStatus, Wish};

use crate::DataDir;

pub use ghost_detect::anomaly::{Learning, Rule, Settings};

/// How flows are scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Anomalies {
    pub enabled: bool,
    pub settings: Settings,
}

impl Default for Anomalies {
    fn default() -> Anomalies {
        Anomalies { enabled: true, settings: Settings::default() }
    }
}

/// An incident's kind, for people.
#[must_use]
pub fn kind_in_words(kind: &str) -> String {
    match kind {
        "tries" => "many tries in vain".to_owned(),
        "unlike" => "unusual traffic".to_owned(),
        behaviour => behaviour.replace('_', " "),
    }
}

/// A rule as an operator writes it: `learned`, `cosine:0.7`.
#[must_use]
pub fn rule_in_words(rule: Rule) -> String {
    match rule {
        Rule::Learned => "learned".to_owned(),
        Rule::Cosine(threshold) => format!("cosine:{threshold}"),
    }
}

/// Reads what [`rule_in_words`] writes.
///
/// # Errors
/// In words for who wrote it.
pub fn rule(words: &str) -> Result<Rule, String> {
    if words == "learned" {
        return Ok(Rule::Learned);
    }
    let threshold = words.strip_prefix("cosine:").and_then(|t| t.parse::<f32>().ok());
    match threshold.filter(|t| (0.0..=1.0).contains(t)) {
        Some(threshold) => Ok(Rule::Cosine(threshold)),
        None => Err(format!("{words:?}: expected \"learned\" or \"cosine:0.7\"")),
    }
}

/// Why what was learned could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Learned(#[from] state::LearnedError),
    #[error("what was learned could not be written: {0}")]
    Io(#[from] std::io::Error),
}

/// Does what an operator wishes where no daemon runs: the file is changed.
///
/// # Errors
/// It can't be read or written, or the wish can't be.
pub fn offline(data: &DataDir, wish: Wish) -> Result<AnomaliesStatus, OfflineError> {
    let settings = Settings::default();
    let mut scoring = match state::load(data, settings) {
        Ok(Some((scorer, vectors))) => scoring::Scoring::of(scorer, vectors),
        Ok(None) => scoring::Scoring::new(settings),
        Err(_) if wish == Wish::Reset => {
            state::set_aside(data);
            scoring::Scoring::new(settings)
        }
        Err(error) => return Err(error.into()),
    };
    let looks_only = wish == Wish::Look;
    scoring.obey(wish).map_err(OfflineError::Refused)?;
    if !looks_only {
        state::store(data, &scoring.saved())?;
    }
    Ok(scoring.standing())
}
