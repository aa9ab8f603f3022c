//! Questions about patterns, for opened data and for the running daemon.

use ghost_query::{Answer, Encode, PatternAsk, Sources, WITHOUT_MODEL};

use crate::ask::{Asking, Encoder};
use crate::store::StoreError;

impl Asking<'_> {
    /// What stretches of time look like: `now`, `list`, `match WORDS`, `trend [WORDS]`.
    pub(crate) fn patterns(
        &self,
        text: &str,
        sources: &Sources<'_>,
        encoder: &mut Encoder,
    ) -> Result<Answer, StoreError> {
        let asked = PatternAsk::parse(text)?;
        let mut answer = ghost_query::patterns(&asked, &self.ask()?, sources, encoder)?;
        if answer.notes.iter().any(|note| note == WITHOUT_MODEL) {
            answer.notes.extend(encoder.missing().map(str::to_owned));
        }
        Ok(answer)
    }
}

/// Turns what is asked about patterns into vectors, which the encoder keeps: no index is held
/// meanwhile.
pub(crate) fn encode_ahead(text: &str, encoder: &mut Encoder) -> Result<(), StoreError> {
    for meaning in PatternAsk::parse(text)?.meanings() {
        let _ = Encode::encode(encoder, &meaning);
    }
    Ok(())
}
