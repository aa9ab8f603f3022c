//! The command line of what is like one thing.

use clap::Args;

use super::{Span, Whom};
use crate::render::Output;

#[derive(Debug, Args)]
#[command(
    after_help = "Flows are answered as `query` answers; hosts, stretches of time and elements \
by a table, whose last column\nlists what is in each.\nExamples:\n  ghostbridge similar 4711\n  \
ghostbridge similar '1:LQU9qZlK+B5F3KDmev6m5PMibrg='\n  ghostbridge similar host:10.0.0.7\n  \
ghostbridge similar 2026-11-20T10:00..10:05 --since 2026-11-01\n  \
ghostbridge similar --around 'yesterday 14:00' --window 5m\n  ghostbridge similar element:bridge:br0"
)]
pub(crate) struct Similar {
    /// An event's number (ghost.seq in `-o jsonl`) or Community ID, host:ADDRESS|NAME, FROM..TO or
    /// element:ID
    #[arg(value_name = "EVENT|COMMUNITY-ID|host:…|FROM..TO|element:…")]
    #[arg(required_unless_present = "around", conflicts_with = "around")]
    pub(crate) to: Option<String>,
    /// Stretches of time like the one around this time
    #[arg(long, value_name = "TIME")]
    pub(crate) around: Option<String>,
    /// How long that is
    #[arg(long, value_name = "DURATION", requires = "around", default_value = "1m")]
    pub(crate) window: String,
    #[command(flatten)]
    pub(crate) whom: Whom,
    #[command(flatten)]
    pub(crate) span: Span,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) limit: usize,
    /// How to print
    #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
    pub(crate) output: Output,
}

impl Similar {
    /// What is asked, as one text.
    pub(crate) fn text(&self) -> String {
        match (&self.to, &self.around) {
            (Some(to), _) => to.clone(),
            (None, Some(around)) => format!("around {around} window {}", self.window),
            (None, None) => String::new(),
        }
    }
}
