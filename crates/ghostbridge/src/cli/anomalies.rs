//! The command line of anomalies.

use clap::Args;

use super::{Output, Span};

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  ghostbridge anomalies --last 24h\n  \
    ghostbridge anomalies --all -o jsonl > scored.jsonl"
)]
pub(crate) struct Anomalies {
    #[command(flatten)]
    pub(crate) span: Span,
    /// Every scored flow, as it was logged, instead of the incidents
    #[arg(long)]
    pub(crate) all: bool,
    /// At most so many, the newest; 0 for all
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) limit: usize,
    /// How to print
    #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
    pub(crate) output: Output,
}
