//! `attach-helper`: the process that may load and attach, and does nothing else.
//!
//! Standard input is a socket: the engine's control connection, over which it hands in ends of new
//! connections; or one that systemd listens on; or, in a worker, the connection to be served. A
//! worker is this program started again, so that whatever becomes of one connection ends with its
//! process.
//!
//! **Invariant:** no byte that came off the wire is ever read here, and no capability is kept but
//! those that attaching takes.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::net::sockopt;

use crate::cli::AttachHelper;
use crate::outcome::{Done, Failed, say};
use crate::{keeper, privileges};

/// Connections served at the same time: one engine, and one that takes over from it.
const WORKERS_MAX: usize = 4;

/// Runs the command.
pub(crate) fn run(asked: &AttachHelper) -> Result<Done, Failed> {
    let failed = |e: io::Error| Failed::new(format!("standard input: {e}"));
    let socket = io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
    let listening = sockopt::socket_acceptconn(&socket).map_err(|_| {
        Failed::usage(
            "attach-helper serves a socket on its standard input; `ghostbridge run` starts it",
        )
    })?;
    if !asked.serve {
        // While it still may: ghost-fast keeps its links in bpffs. Where it can't be had, the tap
        // that needs it says so.
        drop(ghost_tap::live::ensure_bpffs());
    }
    let keep = if asked.raw { privileges::ATTACH | privileges::RAW } else { privileges::ATTACH };
    privileges::keep_only(keep)?;
    if asked.serve {
        return match ghost_tap::live::serve(socket) {
            Ok(()) => Ok(Done::Well),
            Err(error) => Err(Failed::new(format!("attach helper: {error}"))),
        };
    }
    let workers = Arc::new(AtomicUsize::new(0));
    loop {
        match keeper::next(&socket, listening) {
            Ok(Some(connection)) => work(connection, asked.raw, &workers),
            // The engine is gone, and with it what this is for.
            Ok(None) => return Ok(Done::Well),
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Serves `connection` in a process of its own; its end is told, if it was not a good one.
#[expect(clippy::disallowed_methods, reason = "the program starts its own helper")]
fn work(connection: OwnedFd, raw: bool, workers: &Arc<AtomicUsize>) {
    if workers.fetch_add(1, Ordering::AcqRel) >= WORKERS_MAX {
        workers.fetch_sub(1, Ordering::AcqRel);
        say("attach helper: too many connections; one was closed");
        return;
    }
    let mut command = Command::new("/proc/self/exe");
    command.arg0("ghostbridge").args(["attach-helper", "--serve"]);
    if raw {
        command.arg("--raw");
    }
    let started = command.stdin(connection).stdout(Stdio::null()).spawn();
    // The command holds our copy of the connection; the worker's end alone must keep it open.
    drop(command);
    let done = Arc::clone(workers);
    let waiting = std::thread::Builder::new().name("wait".to_owned()).spawn(move || {
        match started.and_then(|mut child| child.wait()) {
            Ok(status) if status.success() => {}
            Ok(status) => say(format_args!("attach helper: a worker ended with {status}")),
            Err(error) => say(format_args!("attach helper: no worker could be started: {error}")),
        }
        done.fetch_sub(1, Ordering::AcqRel);
    });
    if let Err(error) = waiting {
        workers.fetch_sub(1, Ordering::AcqRel);
        say(format_args!("attach helper: no thread could be started: {error}"));
    }
}
