//! Why a question cannot be asked as it stands, with a hint.

/// What is wrong with a question.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// Nothing is called `key`; the nearest name is in the hint.
    #[error("there is no filter {key:?}{}", did_you_mean(.hint))]
    Key { key: String, hint: String },
    /// `value` is not what `key` takes.
    #[error("{key}:{value} cannot be read: {expected}")]
    Value { key: String, value: String, expected: String },
    /// No tag is called that.
    #[error("there is no tag {0:?}: name its addresses in tags.toml")]
    Tag(String),
    /// A quotation mark has no partner.
    #[error("a quotation mark is not closed")]
    Quote,
    /// The event to compare with was not found.
    #[error("there is no event {0}")]
    NoEvent(String),
    #[error(transparent)]
    Index(#[from] ghost_index::IndexError),
}

fn did_you_mean(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!("; did you mean {hint}?") }
}
