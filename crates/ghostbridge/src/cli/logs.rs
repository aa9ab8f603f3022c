//! Whom a question is for: logs that are held here, or replicas of this host's own.

use clap::Args;

/// Whom a question is for; nobody named: this host's own log and those that it holds.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Whom {
    /// Ask only these of the logs that are here: own, the host whose log it is, or how its id begins
    #[arg(long = "log", value_name = "NAME", num_args = 1, value_delimiter = ',')]
    pub(crate) logs: Vec<String>,
    /// Ask replicas of this host's log: all (and this host), any (one of them), or these names
    #[arg(long, value_name = "all|any|NAME", num_args = 1, value_delimiter = ',')]
    #[arg(conflicts_with = "logs")]
    pub(crate) replicas: Vec<String>,
}
