//! `log` and `key` as data.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::VerdictFormat;
use crate::render::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Check that the log is still what was written, and say who vouches for it and what stays open
    Verify(Verify),
    /// Write a proof that a line stands in the log, to be checked without the log
    Prove(Prove),
    /// Check such a proof, anywhere
    CheckProof(CheckProof),
    /// Prove that the log of size B begins with the log of size A
    Consistency(Consistency),
    /// Write the whole tree as clients of C2SP tlog-tiles read it
    Tiles {
        /// The folder, which is made where it is not there
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Count lines by kind, segments, bytes
    Stats {
        /// How to print
        #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
        output: VerdictFormat,
    },
    /// Print the log's lines as they stand on disk
    Export {
        /// From this sequence number on
        #[arg(long, value_name = "SEQ", default_value_t = 1)]
        from: u64,
        /// Up to and with this sequence number
        #[arg(long, value_name = "SEQ")]
        to: Option<u64>,
        /// How to print; jsonl is the log itself, byte for byte
        #[arg(short = 'o', long = "output", value_enum, default_value = "jsonl")]
        output: Output,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ghostbridge log verify\n  \
    ghostbridge log verify --against checkpoint.txt --witness 'backup.example/w1+1a2b3c4d+BA…'\n  \
    ghostbridge log verify --key 'host/ghostbridge/…+5e6f7a8b+AQ…' 17\n\
    A log whose every line continues the one before may have been rewritten whole: only what\n\
    somebody keeps elsewhere (a checkpoint, a key, a head) shows that.")]
pub(crate) struct Verify {
    /// What is known from elsewhere: a file with a checkpoint, or a head, SEQ:LEAF
    #[arg(long, value_name = "CHECKPOINT|SEQ:LEAF")]
    pub(crate) against: Option<String>,
    /// A key that you trust for this log, as `key show` prints it, or a file that holds one
    #[arg(long = "key", value_name = "VKEY")]
    pub(crate) keys: Vec<String>,
    /// The key of a witness whose cosignature the checkpoint must bear, or a file that holds one
    #[arg(long = "witness", value_name = "VKEY", requires = "against")]
    pub(crate) witnesses: Vec<String>,
    /// Hold it against the newest checkpoint that this replica cosigned
    #[arg(long, value_name = "NAME", conflicts_with_all = ["against", "witnesses"])]
    pub(crate) replica: Option<String>,
    /// A block by its number or name, or a folder that holds a log, instead of the log
    #[arg(value_name = "BLOCK|FOLDER")]
    pub(crate) place: Option<String>,
    /// How to print
    #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
    pub(crate) output: VerdictFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ghostbridge log prove 4711 -o 4711.tlog-proof\n\
    The file holds the line, the hashes and the log's newest checkpoint (C2SP tlog-proof).")]
pub(crate) struct Prove {
    /// The line's number: ghost.seq of an event
    #[arg(value_name = "SEQ")]
    pub(crate) seq: u64,
    /// Write it here instead of standard output
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// A block by its number or name, or a folder that holds a log, instead of the log
    #[arg(long = "in", value_name = "BLOCK|FOLDER")]
    pub(crate) place: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    ghostbridge log check-proof 4711.tlog-proof --key 'host/ghostbridge/…+5e6f7a8b+AQ…'\n\
    Needs neither the log nor a daemon; prints the line that was proven.")]
pub(crate) struct CheckProof {
    /// The proof, or - for standard input
    #[arg(value_name = "FILE|-")]
    pub(crate) file: PathBuf,
    /// The log's key, as `key show` prints it there, or a file that holds one
    #[arg(long = "key", value_name = "VKEY", required = true)]
    pub(crate) keys: Vec<String>,
    /// The key of a witness that must have cosigned it, or a file that holds one
    #[arg(long = "witness", value_name = "VKEY")]
    pub(crate) witnesses: Vec<String>,
    /// How to print
    #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
    pub(crate) output: VerdictFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ghostbridge log consistency 1000 2000\n  \
    ghostbridge log consistency kept-checkpoint.txt block:12\n\
    A number is a size (the first so many lines); block:N is the checkpoint of that block; else it\n\
    is a file that holds a checkpoint. Whether somebody signed those is not asked here.")]
pub(crate) struct Consistency {
    /// The older one
    #[arg(value_name = "A")]
    pub(crate) old: String,
    /// The newer one
    #[arg(value_name = "B")]
    pub(crate) new: String,
    /// How to print
    #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
    pub(crate) output: VerdictFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Print the public key that signs this log, for those who verify and witness it
    Show {
        /// How to print
        #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
        output: VerdictFormat,
    },
    /// Make a new key, which the old one names in the log; stop the daemon first
    Rotate {
        /// How to print
        #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
        output: VerdictFormat,
    },
    /// Write the private key into a file that only you can read
    #[command(
        after_help = "Whoever has that file can sign in this log's name. Without it a lost disk is a lost\nkey: \
        the log goes on with a new one that nobody authorised, and all who trusted the\nold one must be \
        told by other means. To restore: put the file back as\nstate/keys/<key id>.key under the data \
        folder, and the key id into state/keys/current."
    )]
    Backup {
        /// The file, which must not be there yet
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}
