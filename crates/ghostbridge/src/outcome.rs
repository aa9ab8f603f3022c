//! How a command ended, as people and scripts are told: a line on standard error and a code.

use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::render::safe_text;

/// Nothing found, or a check failed.
pub(crate) const NOTHING: u8 = 1;
/// The command line or its words are off.
pub(crate) const USAGE: u8 = 2;
/// The daemon can't be reached.
pub(crate) const UNREACHABLE: u8 = 3;
/// The operating system does not allow it.
pub(crate) const PERMISSION: u8 = 4;

/// The end of a command that did what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// There was something to tell.
    Well,
    /// Nothing was found, or a check failed; what there is to say was printed.
    Nothing,
}

/// The end of a command that could not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failed {
    code: u8,
    message: String,
}

impl Failed {
    pub(crate) fn new(message: impl fmt::Display) -> Failed {
        Failed { code: NOTHING, message: message.to_string() }
    }

    pub(crate) fn usage(message: impl fmt::Display) -> Failed {
        Failed { code: USAGE, message: message.to_string() }
    }

    pub(crate) fn permission(message: impl fmt::Display) -> Failed {
        Failed { code: PERMISSION, message: message.to_string() }
    }

    pub(crate) fn unreachable(message: impl fmt::Display) -> Failed {
        Failed { code: UNREACHABLE, message: message.to_string() }
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// A failure whose cause may be an I/O error somewhere down the chain of sources.
    pub(crate) fn caused(error: impl std::error::Error + 'static) -> Failed {
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(cause) = source {
            if let Some(io) = cause.downcast_ref::<io::Error>()
                && io.kind() == io::ErrorKind::PermissionDenied
            {
                return Failed::permission(format!("{error}; run as root or choose --data-dir"));
            }
            source = cause.source();
        }
        Failed::new(error)
    }
}

/// A reader that went away (`| head`) is no failure; everything else on standard output is.
pub(crate) fn printed(result: io::Result<()>) -> Result<(), Failed> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(e) => Err(Failed::new(format!("standard output: {e}"))),
        Ok(()) => Ok(()),
    }
}

/// Prints what is to be said and gives the process its code.
pub(crate) fn report(end: Result<Done, Failed>) -> ExitCode {
    match end {
        Ok(Done::Well) => ExitCode::SUCCESS,
        Ok(Done::Nothing) => ExitCode::from(NOTHING),
        Err(failed) => {
            // What is quoted in it may come from a file; its line breaks are ours.
            let lines: Vec<_> = failed.message.lines().map(safe_text).collect();
            say(format_args!("ghostbridge: {}", lines.join("\n")));
            ExitCode::from(failed.code)
        }
    }
}

/// Talk goes to standard error; a closed one is nobody's loss.
pub(crate) fn say(words: impl fmt::Display) {
    use std::io::Write;
    drop(writeln!(io::stderr().lock(), "{words}"));
}

/// `1 capture`, `2 captures`.
pub(crate) fn counted(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}
