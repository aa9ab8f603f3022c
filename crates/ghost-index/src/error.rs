//! What can go wrong with an index, each with what to do next.

use std::path::PathBuf;

/// Why an operation on the index failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The line is not an event of this log; verify the log.
    #[error("line at {segment}:{offset} is not an event: {reason}; run `log verify`")]
    Line { segment: u64, offset: u64, reason: String },
    /// The index folder cannot be read or written; check its disk and rights.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    /// The engine refused; where it names damage, rebuild the index.
    #[error("the index engine refused: {0}; `index rebuild` makes it anew from the log")]
    Engine(String),
    /// Another process writes this index; ask the daemon, or stop it.
    #[error("{}: another process writes this index", path.display())]
    Busy { path: PathBuf },
    /// The index was opened to be read only.
    #[error("this index was opened to be read only")]
    ReadOnly,
    /// The request nests too deep or holds too many clauses; say less at once.
    #[error("the request holds too much: {0}")]
    TooMuch(&'static str),
    /// The index was written by a newer version; rebuild it or use that version.
    #[error(
        "the index was written in format {found}; this version reads {known}: run `index rebuild`"
    )]
    Format { found: u32, known: u32 },
}

impl IndexError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> IndexError {
        let path = path.into();
        move |source| IndexError::Io { path, source }
    }
}

impl From<tantivy::TantivyError> for IndexError {
    fn from(error: tantivy::TantivyError) -> IndexError {
        IndexError::Engine(error.to_string())
    }
}
