//! What went wrong in the laboratory, said so that the reader of a failed test need not run it again.

use std::time::Duration;

/// Why something could not be set up, run or awaited.
#[derive(thiserror::Error)]
pub enum LabError {
    /// A command could not be started at all: is it installed?
    #[error("can't start `{command}`: {source}")]
    Start { command: String, source: std::io::Error },
    /// A command ended with an error; what it said stands here.
    #[error("`{command}` ended with {status}\n{output}")]
    Failed { command: String, status: String, output: String },
    /// Something did not come to pass in time.
    #[error("waited {limit:?} for {what}{detail}")]
    Late { what: String, limit: Duration, detail: String },
    /// A file or socket failed.
    #[error("{what}: {source}")]
    Io { what: String, source: std::io::Error },
    /// The bytes that came are not the bytes that were sent.
    #[error("{0}")]
    Wrong(String),
}

/// `unwrap` in a test shows the message, lines and all.
impl std::fmt::Debug for LabError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl LabError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> LabError {
        let what = what.into();
        move |source| LabError::Io { what, source }
    }
}
