//! `block-helper`: the process that may delete, send and receive snapshots, and does nothing else.
//!
//! Standard input is the engine's control connection, over which it hands in ends of new
//! connections, or a socket that systemd listens on.
//!
//! **Invariant:** no byte that came off the wire is ever read here (a stream that is received is
//! vetted before, and read by `btrfs receive`), no path is ever told to it, and no capability is kept
//! but the one that snapshots take.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::net::sockopt;

use crate::btrfs_receive::BtrfsReceive;
use crate::cli::Place;
use crate::outcome::{Done, Failed, say};
use crate::{keeper, privileges};

/// Connections served at the same time: one engine and one that takes over from it, and blocks that
/// are sent or received meanwhile.
const SERVED_MAX: usize = 32;

/// Runs the command.
pub(crate) fn run(place: &Place) -> Result<Done, Failed> {
    let failed = |e: io::Error| Failed::new(format!("standard input: {e}"));
    let socket = io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
    let listening = sockopt::socket_acceptconn(&socket).map_err(|_| {
        Failed::usage(
            "block-helper serves a socket on its standard input; `ghostbridge run` starts it",
        )
    })?;
    privileges::keep_only(privileges::SNAPSHOT)?;
    let data: Arc<Path> = place.data().root().into();
    let served = Arc::new(AtomicUsize::new(0));
    loop {
        match keeper::next(&socket, listening) {
            Ok(Some(connection)) => serve(connection, &data, &served),
            // The engine is gone, and with it what this is for.
            Ok(None) => return Ok(Done::Well),
            Err(error) => return Err(failed(error)),
        }
    }
}

fn serve(connection: OwnedFd, data: &Arc<Path>, served: &Arc<AtomicUsize>) {
    if served.fetch_add(1, Ordering::AcqRel) >= SERVED_MAX {
        served.fetch_sub(1, Ordering::AcqRel);
        say("block helper: too many connections; one was closed");
        return;
    }
    let (data, done) = (Arc::clone(data), Arc::clone(served));
    let serving = std::thread::Builder::new().name("serve".to_owned()).spawn(move || {
        if let Err(error) = ghost_block::helper::serve(connection, &data, &BtrfsReceive) {
            say(format_args!("block helper: {error}"));
        }
        done.fetch_sub(1, Ordering::AcqRel);
    });
    if let Err(error) = serving {
        served.fetch_sub(1, Ordering::AcqRel);
        say(format_args!("block helper: can't start a thread: {error}"));
    }
}
