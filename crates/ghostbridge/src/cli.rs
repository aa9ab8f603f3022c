//! The command line as data: help, completions and man pages are made from it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::render::Output;

mod anomalies;
mod blocks;
mod compare;
mod held;
mod log;
mod logs;
mod manner;
mod patterns;
mod replica;
mod similar;

pub(crate) use anomalies::{Anomalies, AnomaliesCommand, Learn, MuteCommand};
pub(crate) use blocks::{BlockCommand, ElementCommand, Init, ListFormat};
pub(crate) use compare::Compare;
pub(crate) use held::HeldCommand;
pub(crate) use log::{CheckProof, Consistency, KeyCommand, LogCommand, Prove, Verify};
pub(crate) use logs::Whom;
pub(crate) use manner::Manner;
pub(crate) use patterns::{How, Patterns, PatternsCommand};
pub(crate) use replica::{ReplicaAdd, ReplicaCommand};
pub(crate) use similar::Similar;

/// The network bridge that remembers: enable it, ask in plain words.
#[derive(Debug, Parser)]
#[command(
    name = "ghostbridge",
    version,
    about,
    after_help = "Exit codes: 0 done, 1 nothing found or a check failed, 2 usage, 3 daemon not \
                  reachable, 4 permission.\nData goes to standard output, talk to standard error."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Lets a filter with a minus stand among the words (`-src:10.0.0.1`) and not be taken for options:
/// `!` says the same in the filter language.
pub(crate) fn spelled(argument: OsString) -> OsString {
    let negated = argument.to_str().and_then(|text| {
        let filter = text.strip_prefix('-')?;
        let (key, value) = filter.split_once(':')?;
        let is_key = key.starts_with(|c: char| c.is_ascii_alphabetic())
            && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        (is_key && !value.is_empty()).then(|| format!("!{filter}"))
    });
    negated.map_or(argument, OsString::from)
}

/// Set them apart in the help of every command.
const GLOBAL: &str = "Global options";

/// A folder's path; an empty one (an environment variable set to nothing) stands for none.
fn folder() -> impl clap::builder::TypedValueParser<Value = PathBuf> {
    use clap::builder::{OsStringValueParser, TypedValueParser};
    OsStringValueParser::new().map(PathBuf::from)
}

/// Where the data and the model are.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// Folder of the log, the index and the state
    ///
    /// Default: /var/lib/ghostbridge as root, else the XDG data folder.
    #[arg(long, global = true, value_name = "DIR", env = "GHOSTBRIDGE_DATA_DIR")]
    #[arg(value_parser = folder(), help_heading = GLOBAL)]
    pub(crate) data_dir: Option<PathBuf>,
    /// Folder that holds the full model (model.onnx)
    #[arg(long, global = true, value_name = "DIR", env = "GHOSTBRIDGE_MODEL_DIR")]
    #[arg(value_parser = folder(), help_heading = GLOBAL)]
    pub(crate) model_dir: Option<PathBuf>,
    /// How much meaning the machine can pay for [default: balanced]
    #[arg(long, global = true, value_enum, help_heading = GLOBAL, env = "GHOSTBRIDGE_PROFILE")]
    pub(crate) profile: Option<Precision>,
    /// File that names groups of hosts, for words such as "production servers"
    ///
    /// Default: tags.toml in the data folder, then /etc/ghostbridge/tags.toml.
    #[arg(long, global = true, value_name = "FILE", help_heading = GLOBAL)]
    pub(crate) tags: Option<PathBuf>,
}

/// Which vectors events and questions get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Precision {
    /// 256 dimensions of MiniLM's space
    Fast,
    /// MiniLM's 384
    Balanced,
    /// A 768-dimensional model that you put into the model folder
    High,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Remember what passes the bridges of this host, until told to stop
    Run(Run),
    /// Make a place for log and blocks: subvolumes on btrfs, or a btrfs image
    Init(Init),
    /// Remove every trace of ours from the kernel and from Open vSwitch
    Detach(Detach),
    /// Show the configuration, or an example of one
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Load and attach for the daemon; it starts this by itself
    #[command(name = "attach-helper", hide = true)]
    AttachHelper(AttachHelper),
    /// Make and delete snapshots for the daemon; it starts this by itself
    #[command(name = "block-helper", hide = true)]
    BlockHelper,
    /// Read captures (pcap, pcapng; plain, gz or zst) into the log and the index
    Import(Import),
    /// Ask in plain words
    Query(Query),
    /// List flows by filters, newest last
    Flows(Flows),
    /// Find what is like a flow, a host, a stretch of time or an element
    Similar(Similar),
    /// Tell what the last minute looks like, and when it looked like something you name
    Patterns(Patterns),
    /// Tell what two stretches of time or two hosts differ in
    Compare(Compare),
    /// List what was unlike everything before, explain it, mute it
    Anomalies(Anomalies),
    /// Verify, prove, count or export the log
    #[command(subcommand)]
    Log(LogCommand),
    /// Show, replace or back up the key that signs the log
    #[command(subcommand)]
    Key(KeyCommand),
    /// Seal the log into blocks, list them, compare them, make one the log again
    #[command(subcommand)]
    Block(BlockCommand),
    /// Keep this host's log on others, and the logs of others here
    #[command(subcommand)]
    Replica(ReplicaCommand),
    /// Show what became of interfaces, bridges and ports
    #[command(subcommand)]
    Element(ElementCommand),
    /// Rebuild the index from the log, or tell how it is
    #[command(subcommand)]
    Index(IndexCommand),
    /// Rebuild the index from a log file (the same as `index rebuild --from FILE`)
    #[command(name = "rebuild_vector_index", hide = true)]
    RebuildVectorIndex {
        /// The log
        file: PathBuf,
    },
    /// Tell what is remembered, from when to when, and what was lost
    Status(Status),
    /// Watch what passes: flows, talkers, applications, behaviours, rates, losses
    Top(Top),
    /// Print the running daemon's metrics, as Prometheus reads them
    Metrics,
    /// Check that everything the program needs is in place
    Doctor,
    /// Print completions for a shell
    Completions { shell: clap_complete::Shell },
    /// Print the manual page, or write one a command into a folder
    Man {
        /// Write every page into this folder instead
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

impl Command {
    /// Whether files that it makes are of the data folder, and not somebody's own.
    pub(crate) fn keeps_data(&self) -> bool {
        !matches!(
            self,
            Command::Man { .. }
                | Command::Completions { .. }
                | Command::Config(_)
                | Command::Detach(_)
                | Command::AttachHelper(_)
                | Command::BlockHelper
        )
    }
}

#[derive(Debug, Default, Args)]
#[command(
    after_help = "With no argument at all every Open vSwitch and Linux bridge is found and tapped, \
    else the interface of\nthe default route. The kernel goes on forwarding; when this ends, nothing \
    else does.\nExamples:\n  ghostbridge run\n  ghostbridge run -i br0 -- not port 22\n  \
    ghostbridge run --mode ghost-fast -i eth1 -i eth2"
)]
pub(crate) struct Run {
    /// Bridge or interface to tap; may be given several times
    #[arg(short = 'i', long = "interface", value_name = "NAME")]
    pub(crate) interfaces: Vec<String>,
    /// How frames are come by [default: ghost]
    #[arg(long, value_enum)]
    pub(crate) mode: Option<TapMode>,
    /// Tap nothing: log, index and API alone
    #[arg(long, conflicts_with_all = ["interfaces", "mode"])]
    pub(crate) no_tap: bool,
    /// What becomes an event [default: flow]
    #[arg(long, value_enum)]
    pub(crate) granularity: Option<Grain>,
    /// Configuration [default: /etc/ghostbridge/ghostbridge.toml where it is]
    #[arg(short = 'c', long = "config", value_name = "FILE", env = "GHOSTBRIDGE_CONFIG")]
    #[arg(value_parser = folder())]
    pub(crate) config: Option<PathBuf>,
    /// Check the configuration, and end
    #[arg(short = 'T', long = "test")]
    pub(crate) check: bool,
    /// Only packets that match these BPF filter words
    #[arg(last = true, value_name = "FILTER")]
    pub(crate) filter: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Detach {
    /// Configuration [default: /etc/ghostbridge/ghostbridge.toml where it is]
    #[arg(short = 'c', long = "config", value_name = "FILE", env = "GHOSTBRIDGE_CONFIG")]
    #[arg(value_parser = folder())]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct AttachHelper {
    /// Serve the connection on standard input
    #[arg(long)]
    pub(crate) serve: bool,
    /// Keep what packet sockets take
    #[arg(long)]
    pub(crate) raw: bool,
}

/// How frames are come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TapMode {
    /// The kernel forwards; a copy comes up
    Ghost,
    /// One program forwards between two ports and copies
    GhostFast,
    /// User space forwards between two ports
    Inline,
    /// Open vSwitch copies, for ports that tc can't see
    Mirror,
}

/// What becomes an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Grain {
    /// Each flow
    Flow,
    /// Each packet as well
    Packet,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print what was configured
    Show {
        /// Print every key, with who said its value
        #[arg(long)]
        effective: bool,
        /// Configuration [default: /etc/ghostbridge/ghostbridge.toml where it is]
        #[arg(short = 'c', long = "config", value_name = "FILE", env = "GHOSTBRIDGE_CONFIG")]
        #[arg(value_parser = folder())]
        config: Option<PathBuf>,
    },
    /// Print a file that holds every key with its default, commented out
    Example,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ghostbridge import capture.pcap other.pcapng.gz captures/\n  \
    ghostbridge import capture.pcap -- 'tcp port 443 and not host 10.0.0.1'\n  \
    tcpdump -r old.pcap -w - | ghostbridge import -\n\
    An import that was interrupted is completed by the same command; one from standard input\n\
    or a pipe can't be, as it is not known before it was read: it is logged anew."
)]
pub(crate) struct Import {
    /// Captures, folders of captures, or - for standard input
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub(crate) paths: Vec<PathBuf>,
    /// Only packets that match these BPF filter words
    #[arg(last = true, value_name = "FILTER")]
    pub(crate) filter: Vec<String>,
    /// Captures read at the same time; the events are the same for every number
    #[arg(short = 'j', long, value_name = "N", default_value_t = 1)]
    pub(crate) jobs: u16,
    /// Import also what was imported before; its events are then in the log twice
    #[arg(long)]
    pub(crate) again: bool,
    /// One flow a key and file: no end by idle time, FIN, RST or age
    #[arg(long)]
    pub(crate) no_idle_timeout: bool,
    /// Also log flows that are still open, every so many seconds of packet time
    #[arg(long, value_name = "SECONDS")]
    pub(crate) updates: Option<u64>,
    /// Leave new shapes with their fast vectors; a later import refines them
    #[arg(long)]
    pub(crate) no_model: bool,
    /// Seal a segment of the log before it exceeds so many bytes, instead of 64 MiB: for small
    /// disks and tests
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(65_536..))]
    pub(crate) segment_bytes: Option<u64>,
    /// What to print for each file
    #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
    pub(crate) output: ImportFormat,
}

/// How an import's files are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportFormat {
    /// For people
    Table,
    /// One JSON object a file
    Jsonl,
}

const EXAMPLES_QUERY: &str = "Examples:
  ghostbridge query unusual DNS queries --last 24h
  ghostbridge query 'large uploads from 10.0.0.7 yesterday' --limit 50
  ghostbridge query app:ssh failed logins -dst:10.0.0.0/8 -o jsonl";

const EXAMPLES_FLOWS: &str = "Examples:
  ghostbridge flows app:dns,mdns --since 2026-11-20
  ghostbridge flows host:10.0.0.0/8 -port:443 'bytes:>1MB' -o csv
  ghostbridge flows behaviour:port_scan -o jsonl
  ghostbridge flows -f app:dns --last 5m";

/// Every filter with what it takes, from the query language's own table.
fn filters() -> String {
    let mut text = "Filters (key:value, several values by commas, - before to exclude):".to_owned();
    for (name, _, what) in ghost_node::store::KEYS {
        text += &format!("\n  {name:<13} {}", what.replace('`', ""));
    }
    text + "\n  A dotted path is any fact of the event: tls.version:1.2, http.status:404"
}

/// Which stretch of time is meant.
#[derive(Debug, Clone, Args)]
pub(crate) struct Span {
    /// From this time on: 2026-11-20, 2026-11-20T05:00, "yesterday 14:00", "3h ago"
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Up to this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// The last so many: 15m, 24h, 7d
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["since", "until"])]
    pub(crate) last: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES_QUERY,
    after_long_help = format!("{EXAMPLES_QUERY}\n\n{}", filters())
)]
pub(crate) struct Query {
    /// The question: plain words, and key:value filters where you like
    #[arg(required_unless_present = "batch", value_name = "WORDS")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) span: Span,
    #[command(flatten)]
    pub(crate) whom: Whom,
    /// At most so many hits
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) limit: usize,
    /// Ask every line of this file: id<TAB>words
    #[arg(long, value_name = "FILE", conflicts_with = "words")]
    pub(crate) batch: Option<PathBuf>,
    /// As of this block: its lines alone, meaning as it was computed then
    #[arg(long, value_name = "BLOCK", conflicts_with_all = ["logs", "replicas"])]
    pub(crate) as_of: Option<String>,
    #[command(flatten)]
    pub(crate) manner: Manner,
    /// How to print
    #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES_FLOWS,
    after_long_help = format!("{EXAMPLES_FLOWS}\n\n{}", filters())
)]
pub(crate) struct Flows {
    /// key:value filters, with - to exclude: app:dns -src:10.0.0.1 bytes:>1MB
    #[arg(value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    #[command(flatten)]
    pub(crate) span: Span,
    #[command(flatten)]
    pub(crate) whom: Whom,
    /// Go on with events as they are logged, until Ctrl-C; with --last or --since those first
    #[arg(short = 'f', long, conflicts_with_all = ["logs", "replicas"])]
    pub(crate) follow: bool,
    /// At most so many flows; 0 for all
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) limit: usize,
    /// How to print
    #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
    pub(crate) output: Output,
}

/// How a single verdict is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerdictFormat {
    /// For people
    Table,
    /// One JSON object
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IndexCommand {
    /// Make the index anew from the log; no model is needed
    Rebuild {
        /// A log file or data folder elsewhere, instead of this one's log
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
    /// Tell up to which line it reaches, its size, and the digest of its content
    Status {
        /// Of a log that is held here: the host whose log it is, or how its id begins
        #[arg(long, value_name = "NAME")]
        log: Option<String>,
        /// How to print
        #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
        output: VerdictFormat,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ghostbridge top\n  ghostbridge top app:dns -src:10.0.0.1")]
pub(crate) struct Top {
    /// key:value filters, as `flows` takes them
    #[arg(value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// How to print
    #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
    pub(crate) output: VerdictFormat,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_with_a_minus_is_no_option() {
        for (typed, read) in [
            ("-src:10.0.0.1", "!src:10.0.0.1"),
            ("-http.hostname:x", "!http.hostname:x"),
            ("-o", "-o"),
            ("-j2", "-j2"),
            ("--since", "--since"),
            ("-", "-"),
            ("-x:", "-x:"),
        ] {
            assert_eq!(spelled(typed.into()), OsString::from(read));
        }
        let words = ["ghostbridge", "query", "tls", "-src:10.0.0.1", "--limit", "3"];
        let cli = Cli::try_parse_from(words.map(|w| spelled(w.into()))).unwrap();
        let Command::Query(query) = cli.command else { panic!("not a query") };
        assert_eq!((query.words.join(" ").as_str(), query.limit), ("tls !src:10.0.0.1", 3));
    }
}
