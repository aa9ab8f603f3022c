//! `replica serve`: the forced command by which another host's log arrives.
//!
//! It hands its standard input and output to the daemon, which speaks with the primary itself, and
//! waits until that is done. It reads nothing of what comes, needs no privilege but the socket's
//! group, and obeys no word of the other side.

use std::io;
use std::path::{Path, PathBuf};

use ghost_node::api;
use ghost_node::daemon::{hand_over, socket_beside};

use crate::cli::Place;
use crate::outcome::{Done, Failed};

/// What ssh was asked to run, where a forced command stands in its place.
const ASKED: &str = "SSH_ORIGINAL_COMMAND";
/// What it may have been asked to: nothing else is ever run, and asking for it is a mistake at least.
const OURS: &str = "ghostbridge replica serve";

/// Runs the command.
pub(crate) fn run(place: &Place) -> Result<Done, Failed> {
    if let Some(asked) = std::env::var_os(ASKED)
        && !asked.is_empty()
        && asked != OURS
    {
        let asked: String = asked.to_string_lossy().escape_debug().take(200).collect();
        return Err(Failed::usage(format!(
            "this key may run `{OURS}` and nothing else; {asked:?} was not run"
        )));
    }
    let socket = socket_of(place);
    let ended = hand_over(&socket, io::stdin(), io::stdout()).map_err(|e| failed(&socket, &e))?;
    ended.map(|()| Done::Well).map_err(Failed::new)
}

/// The folder that was named has a daemon of its own; else the system's.
fn socket_of(place: &Place) -> PathBuf {
    let system = socket_beside(Path::new(api::SYSTEM_SOCKET));
    match place.chosen() {
        Some(_) => socket_beside(&api::socket_for(&place.data())),
        None if system.exists() => system,
        None => socket_beside(&api::socket_for(&place.data())),
    }
}

fn failed(socket: &Path, error: &io::Error) -> Failed {
    let socket = socket.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied => Failed::permission(format!(
            "{socket}: this user may not bring logs; add it to the group ghostbridge"
        )),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Failed::unreachable(format!(
            "no daemon receives at {socket}: start it (systemctl start ghostbridge), with [replica] \
             accept = true"
        )),
        _ => Failed::unreachable(format!("{socket}: {error}: the daemon has gone")),
    }
}
