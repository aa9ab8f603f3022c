//! The command line of blocks and elements, and of making a place for them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Output, VerdictFormat};

#[derive(Debug, Args)]
#[command(
    after_help = "On btrfs the log's folder becomes a subvolume, which can be frozen into blocks in \
    milliseconds and is\ncompressed. Elsewhere --loop puts a btrfs into a file of its own. Without \
    either everything works; what is\nlost is said. Run again, it does what is left to do.\nExamples:\n  \
    ghostbridge init\n  ghostbridge init --loop 20GiB"
)]
pub(crate) struct Init {
    /// Keep log and blocks in a btrfs image of this size, beside the data folder
    #[arg(long = "loop", value_name = "SIZE")]
    pub(crate) image: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BlockCommand {
    /// List blocks, oldest first, with those of which only the signed checkpoint is left
    List {
        /// At most so many, the newest; 0 for all
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
        /// How to print
        #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
        output: ListFormat,
    },
    /// Tell what a block says of itself
    Show {
        /// A block's name or number; the newest where none is given
        block: Option<String>,
        /// How to print
        #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
        output: VerdictFormat,
    },
    /// Seal the log into a block now
    Seal {
        /// How to print
        #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
        output: VerdictFormat,
    },
    /// Tell what a later block has that an earlier one had not
    Diff {
        /// Names or numbers of two blocks that are there
        older: String,
        newer: String,
        /// How to print
        #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
        output: VerdictFormat,
    },
    /// Print where a block lies
    Path {
        /// A block's name or number; the newest where none is given
        block: Option<String>,
    },
    /// Make a block the log again: in its place, or in a data folder of its own
    ///
    /// In its place the log that is there is moved aside and kept, and the daemon must be stopped.
    /// The next start begins a new epoch.
    Restore {
        /// A block's name or number
        block: String,
        /// A new data folder, instead of the place of the log
        #[arg(long, value_name = "DIR", required_unless_present = "in_place")]
        to: Option<PathBuf>,
        /// Replace the log of the data folder
        #[arg(long, conflicts_with = "to")]
        in_place: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ElementCommand {
    /// List every element with the newest line of its chain
    List {
        /// How to print
        #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
        output: ListFormat,
    },
    /// Print the events of one element, oldest first
    History {
        /// As `element list` prints it: bridge:br0, interface:eth0, port:br0/lan1
        element: String,
        /// How to print
        #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
        output: Output,
    },
    /// Check that an element's events continue each other
    Verify {
        /// As `element list` prints it; all where none is given
        element: Option<String>,
        /// How to print
        #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
        output: VerdictFormat,
    },
}

/// The forms of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ListFormat {
    /// For people
    Table,
    /// One JSON array
    Json,
    /// One JSON object a line
    Jsonl,
}
