//! `detach`: nothing of ours stays in the kernel, in bpffs or in Open vSwitch.
//!
//! What a running daemon holds is left to the daemon: it would attach anew. What fails does not
//! keep the rest from being removed, and every failure is told.

use std::io::{self, Write};

use ghost_host::Mirror;
use ghost_node::api::{Client, ClientError};
use ghost_tap::live::{Trace, detach_all};

use crate::cli::{Detach, Place};
use crate::outcome::{Done, Failed, printed, say};
use crate::render::safe_text;
use crate::settings;

/// Runs the command.
pub(crate) fn run(place: &Place, asked: &Detach) -> Result<Done, Failed> {
    if !rustix::process::geteuid().is_root() {
        return Err(Failed::permission("to look for what is attached and to remove it takes root"));
    }
    let settings = settings::of_file(place, asked.config.as_deref())?;
    let sources = settings.config.sources();
    let data = settings::place_of(&settings, place).data();
    if let Ok(Some(_)) | Err(ClientError::Unreachable { .. }) = Client::find(&data) {
        return Err(Failed::new(format!(
            "a daemon runs on {}: stop it first, or it attaches anew",
            data.root().display()
        )));
    }
    let mut removed = 0_u64;
    let mut trouble = Vec::new();
    let mut tell = |what: String| {
        removed += 1;
        printed(writeln!(io::stdout(), "removed {}", safe_text(&what)))
    };
    match detach_all() {
        Ok(traces) => {
            for trace in &traces {
                tell(named(trace))?;
            }
        }
        Err(error) => trouble.push(error.to_string()),
    }
    match Mirror::all(&sources) {
        Ok(mirrors) => {
            for mirror in mirrors {
                match mirror.remove(&sources) {
                    Ok(true) => {
                        tell(format!("mirror of {} to port {}", mirror.bridge, mirror.output))?;
                    }
                    Ok(false) => {}
                    Err(error) => trouble.push(error.to_string()),
                }
            }
        }
        Err(error) => trouble.push(error.to_string()),
    }
    if removed == 0 && trouble.is_empty() {
        say("nothing of ours was attached");
    }
    if trouble.is_empty() { Ok(Done::Well) } else { Err(Failed::new(trouble.join("\n"))) }
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
