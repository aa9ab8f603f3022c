//! A question to its answer, the same for opened data and for the running daemon.
//!
//! What is searched is an argument: here nothing is opened, and no lock is taken.

use ghost_embed::{Embed, QueryEncoder};
use ghost_query::{Answer, Ask, Encode, Like, Meant, Part, Sources, Tags};
use jiff::Zoned;

use crate::Models;
use crate::store::{Limits, StoreError};

/// What every kind of question depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) now: &'a Zoned,
    pub(crate) tags: &'a Tags,
    pub(crate) limits: &'a Limits,
}

impl<'a> Asking<'a> {
    /// By the moment and the tags of who asks, else by our own.
    pub(crate) fn new(now: &'a Zoned, tags: &'a Tags, limits: &'a Limits) -> Asking<'a> {
        Asking { now: limits.now(now), tags: limits.tags(tags), limits }
    }

    pub(crate) fn ask(&self) -> Result<Ask<'a>, StoreError> {
        let mut ask = Ask::new(self.now, self.tags);
        let hits = self.limits.hits;
        ask.limit = if hits == 0 { ghost_query::limits::LIMIT_MAX } else { hits };
        ask.as_of = self.limits.as_of;
        ask.grouped = self.limits.grouped;
        ask.explained = self.limits.explained;
        ask.also = self.span()?;
        Ok(ask)
    }

    /// The span of time that stands beside the words.
    pub(crate) fn span(&self) -> Result<Vec<Part>, StoreError> {
        let mut parts = Vec::new();
        for (key, value) in [("since", &self.limits.since), ("until", &self.limits.until)] {
            if let Some(value) = value {
                parts.extend(Part::parse(&format!("{key}:{value}"), self.now, self.tags)?);
            }
        }
        Ok(parts)
    }

    /// Answers plain words.
    pub(crate) fn query(
        &self,
        words: &str,
        sources: &Sources<'_>,
        encoder: &mut Encoder,
    ) -> Result<Answer, StoreError> {
        let mut answer = ghost_query::answer(words, &self.ask()?, sources, encoder)?;
        if answer.notes.iter().any(|n| n == ghost_query::WITHOUT_MODEL) {
            answer.notes.extend(encoder.missing.clone());
        }
        Ok(answer)
    }

    /// Lists what meets the conditions, oldest first.
    pub(crate) fn flows(&self, filters: &str, sources: &Sources<'_>) -> Result<Answer, StoreError> {
        let understood = ghost_query::understand(filters, self.now, self.tags)?;
        if !understood.meaning.is_empty() {
            return Err(StoreError::NotAFilter(understood.meaning));
        }
        let mut ask = self.ask()?;
        ask.by_flow = false;
        ask.order = ghost_index::Order::Oldest;
        Ok(ghost_query::list(filters, &ask, sources)?)
    }

    /// Finds what is like one event, host, stretch of time or element; `line` reads the line at a
    /// place.
    pub(crate) fn similar(
        &self,
        to: &str,
        sources: &Sources<'_>,
        line: &mut dyn FnMut(ghost_index::Position) -> Option<Vec<u8>>,
    ) -> Result<Answer, StoreError> {
        let mut ask = Ask::new(self.now, self.tags);
        ask.limit = self.limits.hits;
        ask.as_of = self.limits.as_of;
        ask.also = self.span()?;
        Ok(ghost_query::similar(&Like::parse(to), &ask, sources, line)?)
    }
}

/// Opens the full model, or says why there is none.
pub(crate) type OpenModel = Box<dyn FnMut() -> Result<Box<dyn Embed + Send>, String> + Send>;

/// Turns words into vectors; the full model is opened by the first question that needs it.
pub(crate) struct Encoder {
    open: OpenModel,
    profile: ghost_embed::Profile,
    encoder: Option<QueryEncoder>,
    /// Why there is no full model.
    missing: Option<String>,
}

impl Encoder {
    pub(crate) fn new(profile: ghost_embed::Profile, open: OpenModel) -> Encoder {
        Encoder { open, profile, encoder: None, missing: None }
    }

    /// Why there is no full model, where there is none.
    pub(crate) fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    /// One with a model of its own.
    pub(crate) fn of(models: Models) -> Encoder {
        let profile = models.profile;
        let open = move || match models.load() {
            Ok(model) => Ok(Box::new(model) as Box<dyn Embed + Send>),
            Err(error) => Err(error.to_string()),
        };
        Encoder::new(profile, Box::new(open))
    }
}

impl Encode for Encoder {
    fn encode(&mut self, words: &str) -> Meant {
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => {
                let model = match (self.open)() {
                    Ok(model) => Some(model),
                    Err(error) => {
                        self.missing = Some(error);
                        None
                    }
                };
                none.insert(QueryEncoder::new(model, self.profile))
            }
        };
        Encode::encode(encoder, words)
    }
}
