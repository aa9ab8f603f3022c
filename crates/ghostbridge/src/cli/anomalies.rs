//! The command line of anomalies.

use clap::{Args, Subcommand};

use super::{Output, Span, VerdictFormat};

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  ghostbridge anomalies --last 24h\n  \
    ghostbridge anomalies explain 12.3\n  ghostbridge anomalies mute add host:10.0.0.7 --for 7d\n  \
    ghostbridge anomalies --all -o jsonl > scored.jsonl"
)]
pub(crate) struct Anomalies {
    #[command(subcommand)]
    pub(crate) command: Option<AnomaliesCommand>,
    #[command(flatten)]
    pub(crate) span: Span,
    /// Every scored flow, as it was logged, instead of the incidents
    #[arg(long)]
    pub(crate) all: bool,
    /// Score what is logged anew by another rule: cosine:0.7 is the customary one
    #[arg(long, value_name = "RULE")]
    pub(crate) rule: Option<String>,
    /// At most so many, the newest; 0 for all
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) limit: usize,
    /// How to print
    #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AnomaliesCommand {
    /// Tell why an incident was one: reasons, the nearest that is usual, its flows
    Explain {
        /// As `anomalies` prints it: 12.3, or i41.3 of an import
        id: String,
        /// How to print
        #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
        output: VerdictFormat,
    },
    /// Say what you do not want to hear of
    #[command(subcommand)]
    Mute(MuteCommand),
    /// Tell how learning stands, stop it, begin anew
    Learn {
        #[arg(value_enum, default_value = "status")]
        what: Learn,
        /// How to print
        #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
        output: VerdictFormat,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum MuteCommand {
    /// Mute a host, a hardware address, a domain and all below it, or kinds of behaviour
    Add {
        /// host:10.0.0.7, mac:02:00:00:00:00:01, domain:example.com, kind:beacon,odd_port
        what: String,
        /// For so long: 8h, 7d; without it until it is taken back
        #[arg(long = "for", value_name = "DURATION")]
        during: Option<String>,
    },
    /// List what is muted
    List {
        /// How to print
        #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
        output: VerdictFormat,
    },
    /// Take a mute back
    Remove {
        /// As `mute list` prints it
        what: String,
    },
}

/// What is done with what was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Learn {
    /// How far learning has come
    Status,
    /// Forget all that was learned; mutes stay
    Reset,
    /// Learn nothing more
    Freeze,
    /// Go on learning
    Thaw,
}
