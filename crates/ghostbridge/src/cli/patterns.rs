//! The command line of patterns: what stretches of time look like.

use clap::{Args, Subcommand};

use super::{Span, Whom};
use crate::render::Output;

#[derive(Debug, Args)]
pub(crate) struct Patterns {
    #[command(subcommand)]
    pub(crate) command: PatternsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PatternsCommand {
    /// Tell what the last minute looks like, beside those before
    Now {
        /// The window that begins here, instead of the newest
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        #[command(flatten)]
        how: How,
    },
    /// List the patterns that are known, by what they are told
    List {
        #[command(flatten)]
        how: How,
    },
    /// Find when it looked like these words
    #[command(after_help = "Examples:\n  ghostbridge patterns match DDoS\n  \
        ghostbridge patterns match 'brute force' app:ssh --last 7d --window 10m")]
    Match {
        /// A pattern's name or other words, and key:value filters
        #[arg(required = true, value_name = "WORDS")]
        words: Vec<String>,
        #[command(flatten)]
        how: How,
    },
    /// Tell how often each was there, or how one goes on over time
    Trend {
        /// A pattern's name or other words, and key:value filters; all patterns where none
        #[arg(value_name = "WORDS")]
        words: Vec<String>,
        #[command(flatten)]
        how: How,
    },
}

/// What every one of them takes.
#[derive(Debug, Args)]
pub(crate) struct How {
    /// How long a window is [default: 1m]
    #[arg(long, value_name = "DURATION")]
    pub(crate) window: Option<String>,
    #[command(flatten)]
    pub(crate) whom: Whom,
    #[command(flatten)]
    pub(crate) span: Span,
    /// At most so many rows; 0 for all
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
    /// How to print
    #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
    pub(crate) output: Output,
}
