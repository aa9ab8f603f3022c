//! The command line of a host that holds logs of others.

use std::path::PathBuf;

use clap::Subcommand;

use super::ListFormat;

#[derive(Debug, Subcommand)]
pub(crate) enum HeldCommand {
    /// Receive a log of another host; the forced command of its ssh key, not for people
    Serve,
    /// List the logs of other hosts that are held here
    Held {
        /// How to print
        #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
        output: ListFormat,
    },
    /// Make a log that is held here this host's own, in a new epoch: the old host is fenced
    #[command(
        after_help = "The daemon must be stopped. Without --as-data the log becomes the one of this \
        host's data folder, which\nmust have no events yet. What the old host writes from then on is \
        refused by every replica that has seen\nthe new epoch.\nExamples:\n  ghostbridge replica \
        promote web-1\n  ghostbridge replica promote web-1 --as-data /srv/web-1"
    )]
    Promote {
        /// A host's name, or how a log's id begins, as `replica held` prints them
        log: String,
        /// Make it the log of this data folder, which must not be there or be empty
        #[arg(long, value_name = "DIR")]
        as_data: Option<PathBuf>,
    },
}
