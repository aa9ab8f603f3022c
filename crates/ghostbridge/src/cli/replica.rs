//! The command line of replicas.

use clap::{Args, Subcommand};

use super::ListFormat;
use super::held::HeldCommand;

#[derive(Debug, Subcommand)]
pub(crate) enum ReplicaCommand {
    /// Keep this host's log on another host from now on
    Add(ReplicaAdd),
    /// List the hosts that keep this host's log, and how far they are
    List {
        /// How to print
        #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
        output: ListFormat,
    },
    /// Tell everything about one of them, or all
    Status {
        /// A replica's name; all where none is given
        name: Option<String>,
        /// How to print
        #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
        output: ListFormat,
    },
    /// Seal what there is and send it now; try again what was refused
    Sync { name: String },
    /// Send nothing more, until it is resumed
    Pause { name: String },
    /// Send again
    Resume { name: String },
    /// Set how fast it is sent to, and when blocks wait
    Limit {
        name: String,
        /// Bytes a second, as 1MiB; 0 for as fast as it goes
        #[arg(long, value_name = "SIZE", required_unless_present = "quiet")]
        rate: Option<String>,
        /// Hours of the day in which only what presses is sent, as 22:00-06:30; "" for none
        #[arg(long, value_name = "HOURS")]
        quiet: Option<String>,
    },
    /// Send nothing more, and forget it; what it holds stays there
    Remove { name: String },
    /// Print the line that lets this host bring its log to another
    Key,
    #[command(flatten)]
    Held(HeldCommand),
}

#[derive(Debug, Args)]
#[command(
    after_help = "The other host runs ghostbridge too. Put the line that is printed into the \
    authorized_keys of a user there\nwho is in the group ghostbridge and needs nothing else; run this \
    again to see how it stands.\nExamples:\n  ghostbridge replica add cellar \
    ssh://ghost@cellar.example\n  ghostbridge replica add attic ssh://ghost@10.0.0.7:2222 --rate \
    1MiB --quiet 08:00-18:00"
)]
pub(crate) struct ReplicaAdd {
    /// What it is called here: small letters, digits and dashes
    pub(crate) name: String,
    /// Where it is: ssh://[USER@]HOST[:PORT]
    pub(crate) address: String,
    /// The fingerprint that its host key must have, as `ssh-keygen -lf` prints it there
    #[arg(long, value_name = "SHA256:…", conflicts_with = "accept_new")]
    pub(crate) host_key: Option<String>,
    /// Believe the host keys that it shows now
    #[arg(long)]
    pub(crate) accept_new: bool,
    /// Bytes a second, as 1MiB
    #[arg(long, value_name = "SIZE")]
    pub(crate) rate: Option<String>,
    /// Hours of the day in which only what presses is sent, as 22:00-06:30
    #[arg(long, value_name = "HOURS")]
    pub(crate) quiet: Option<String>,
    /// Do not wait for the first connection
    #[arg(long)]
    pub(crate) no_wait: bool,
}
