//! Questions to vectors: the full model where there is one, the token table where not.

use std::collections::HashMap;

use ghost_event::{Tier, Vector};

use crate::freetext::FreeText;
use crate::kernel;
use crate::limits::QUERY_CACHE_MAX;
use crate::model::{Embed, ModelError};
use crate::profile::Profile;

/// A question's place in meaning.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    pub vector: Vector,
    /// `vector` before it was quantised.
    pub values: Vec<f32>,
    /// False where the words were matched without the model: the answer must say so.
    pub by_model: bool,
    /// Why the model was not used, where it should have been.
    pub trouble: Option<String>,
}

/// Turns questions into vectors and remembers the latest.
pub struct QueryEncoder {
    model: Option<Box<dyn Embed + Send>>,
    profile: Profile,
    cache: HashMap<String, (u64, Encoded)>,
    tick: u64,
}

impl std::fmt::Debug for QueryEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryEncoder")
            .field("model", &self.model_id())
            .field("profile", &self.profile)
            .field("cached", &self.cache.len())
            .finish_non_exhaustive()
    }
}

impl QueryEncoder {
    /// An encoder; without a model it goes by the token table and says so.
    #[must_use]
    pub fn new(model: Option<Box<dyn Embed + Send>>, profile: Profile) -> QueryEncoder {
        QueryEncoder { model, profile, cache: HashMap::new(), tick: 0 }
    }

    /// The name of the weights, where there are any.
    #[must_use]
    pub fn model_id(&self) -> Option<&str> {
        self.model.as_ref().map(|m| m.id())
    }

    /// The vector of `words`; white space and case do not matter.
    pub fn encode(&mut self, words: &str) -> Encoded {
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        self.tick += 1;
        if let Some((used, known)) = self.cache.get_mut(&words) {
            *used = self.tick;
            return known.clone();
        }
        let encoded = self.fresh(&words);
        // A failure may pass; only good answers are kept.
        if encoded.trouble.is_none() {
            if self.cache.len() >= QUERY_CACHE_MAX {
                let oldest =
                    self.cache.iter().min_by_key(|(_, (used, _))| *used).map(|(w, _)| w.clone());
                oldest.map(|w| self.cache.remove(&w));
            }
            self.cache.insert(words, (self.tick, encoded.clone()));
        }
        encoded
    }

    fn fresh(&mut self, words: &str) -> Encoded {
        let dims = self.profile.dimensions();
        let mut trouble = None;
        if let Some(model) = &mut self.model {
            match model.embed(&[words]).map(|mut v| v.pop()) {
                Ok(Some(mut values)) => {
                    values.truncate(dims);
                    let vector = kernel::quantise(&values, Tier::Full);
                    return Encoded { vector, values, by_model: true, trouble: None };
                }
                Ok(None) => trouble = Some("the model gave no vector".to_owned()),
                Err(e) => trouble = Some(ModelError::to_string(&e)),
            }
        }
        let vector = FreeText::embedded().embed_in(words, dims);
        let values = vector.components.iter().map(|c| f32::from(*c) * vector.scale).collect();
        Encoded { vector, values, by_model: false, trouble }
    }
}
