//! The command line of comparisons.

use clap::Args;

use super::{Span, Whom};
use crate::render::Output;

#[derive(Debug, Args)]
#[command(after_help = "A row tells what the second has more or less of than the first, most \
surprising first; new is what the first\nhas not, gone what the second has not. Its last column lists \
the flows.\nExamples:\n  ghostbridge compare 'yesterday 14:00-15:00' 'today 14:00-15:00'\n  \
ghostbridge compare 2026-11-20T10:00..10:30 2026-11-20T10:30..10:35\n  \
ghostbridge compare host:10.0.0.7 host:10.0.0.8 --last 24h")]
pub(crate) struct Compare {
    /// A stretch of time (FROM..TO, or words) or host:ADDRESS|NAME
    pub(crate) first: String,
    /// Another
    pub(crate) second: String,
    #[command(flatten)]
    pub(crate) whom: Whom,
    #[command(flatten)]
    pub(crate) span: Span,
    /// At most so many rows; 0 for all
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub(crate) limit: usize,
    /// How to print
    #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
    pub(crate) output: Output,
}
