//! Two stretches of time or two hosts compared, for opened data and for the running daemon.

use ghost_query::{Answer, Sources};

use crate::ask::Asking;
use crate::store::StoreError;

impl Asking<'_> {
    /// What is new, gone, more and less: `A vs B`.
    pub(crate) fn compare(&self, text: &str, sources: &Sources<'_>) -> Result<Answer, StoreError> {
        Ok(ghost_query::compare(text, &self.ask()?, sources)?)
    }
}
