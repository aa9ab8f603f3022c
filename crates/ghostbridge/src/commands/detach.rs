//! `detach`: nothing of ours stays in the kernel, in bpffs or in Open vSwitch.
//!
//! What a running daemon holds is the daemon's: it is told first, since it would attach anew.

use std::io::{self, Write};
use std::path::Path;

use ghost_node::config::DEFAULT_FILE;
use ghost_tap::live::{Trace, detach_all};

use crate::outcome::{Done, Failed, printed, say};
use crate::render::safe_text;

/// Runs the command.
pub(crate) fn run() -> Result<Done, Failed> {
    let mut removed = Vec::new();
    let mut trouble = Vec::new();
    match detach_all() {
        Ok(traces) => removed.extend(traces.iter().map(named)),
        Err(error) => trouble.push(error.to_string()),
    }
    for line in &removed {
        printed(writeln!(io::stdout(), "removed {}", safe_text(line)))?;
    }
    if removed.is_empty() && trouble.is_empty() {
        say("nothing of ours was attached");
    }
    let _ = Path::new(DEFAULT_FILE);
    match trouble.is_empty() {
        true => Ok(Done::Well),
        false => Err(Failed::new(trouble.join("\n"))),
    }
}

fn named(trace: &Trace) -> String {
    match trace {
        Trace::Link { id, ifindex, direction, program } => {
            format!("link {id}: program {program} at interface {ifindex} ({direction:?})")
        }
        Trace::Pin { path } => format!("pin {}", path.display()),
        other => format!("{other:?}"),
    }
}
