//! The way to the helpers: one of our own, or the one that systemd keeps.
//!
//! A helper of our own is started by root before the engine gives up its privileges, and is handed
//! the ends of new connections. The attach helper is two processes: a *keeper* does nothing but
//! start a *worker* whenever it is handed a connection, so that a worker may die, with its taps,
//! and the engine, which may do nothing any more, gets another. The block helper serves by itself:
//! between two requests it holds nothing.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ghost_block::{VolumeKind, open_volume};
use ghost_host::Mode;
use ghost_node::config::Config;
use ghost_node::daemon::Helpers;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, connect, sendmsg, socket_with, socketpair,
};

use crate::outcome::Failed;
use crate::privileges;

/// Where systemd listens for the helpers.
const ATTACH_SOCKET: &str = "/run/ghostbridge/attach.sock";
const BLOCK_SOCKET: &str = "/run/ghostbridge/block.sock";

/// A helper, and how to come by its connections.
#[derive(Debug)]
pub(crate) struct Helper {
    /// `attach` or `block`.
    what: &'static str,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// The keeper's socket; its process is our child.
    Own(OwnedFd, Child),
    /// A socket that somebody listens on.
    Listening(PathBuf),
}

impl Helper {
    /// The attach helper that `config` names; else systemd's, where its socket is and this is not
    /// root; else one of our own, which takes root.
    pub(crate) fn attach(config: &Config) -> Result<Helper, Failed> {
        let listening = |path: &Path| Helper { what: "attach", way: Way::Listening(path.into()) };
        if let Some(path) = &config.tap.helper {
            return Ok(listening(path));
        }
        let raw = config.mode == Mode::Inline;
        let wanted = if raw { privileges::ATTACH | privileges::RAW } else { privileges::ATTACH };
        if privileges::has(wanted) {
            let raw = raw.then(|| OsStr::new("--raw"));
            return Helper::start("attach", raw.as_slice());
        }
        let system = Path::new(ATTACH_SOCKET);
        if system.exists() {
            return Ok(listening(system));
        }
        Err(Failed::permission(
            "attaching to interfaces takes CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON: run as root, \
             start the service (systemctl start ghostbridge), or run with --no-tap",
        ))
    }

    /// The block helper for `data`, found in the same way; none where nothing takes one: a plain
    /// folder, or a btrfs on which this process does what its owner may.
    pub(crate) fn block(config: &Config, data: &Path) -> Result<Option<Helper>, Failed> {
        if open_volume(data).kind() != VolumeKind::Btrfs {
            return Ok(None);
        }
        let listening = |path: &Path| Helper { what: "block", way: Way::Listening(path.into()) };
        if let Some(path) = &config.blocks.helper {
            return Ok(Some(listening(path)));
        }
        if privileges::has(privileges::SNAPSHOT) {
            let place = [OsStr::new("--data-dir"), data.as_os_str()];
            return Helper::start("block", &place).map(Some);
        }
        let system = Path::new(BLOCK_SOCKET);
        Ok(system.exists().then(|| listening(system)))
    }

    #[expect(clippy::disallowed_methods, reason = "the program starts its own helper")]
    fn start(what: &'static str, arguments: &[&OsStr]) -> Result<Helper, Failed> {
        let failed = |e: io::Error| Failed::new(format!("can't start the {what} helper: {e}"));
        let (ours, theirs) = pair().map_err(failed)?;
        let mut command = Command::new("/proc/self/exe");
        command.arg0("ghostbridge").arg(format!("{what}-helper")).args(arguments);
        // A process group of its own: Ctrl-C is for the engine, which drains first.
        command.stdin(theirs).stdout(Stdio::null()).process_group(0);
        for variable in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
            command.env_remove(variable);
        }
        let child = command.spawn().map_err(failed)?;
        Ok(Helper { what, way: Way::Own(ours, child) })
    }
}

impl Helpers for Helper {
    fn connect(&mut self) -> io::Result<OwnedFd> {
        let what = self.what;
        match &mut self.way {
            Way::Own(keeper, child) => {
                let (ours, theirs) = pair()?;
                let mut space =
                    [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
                let mut messages = SendAncillaryBuffer::new(&mut space);
                let fds = [std::os::fd::AsFd::as_fd(&theirs)];
                messages.push(SendAncillaryMessage::ScmRights(&fds));
                let sent = sendmsg(
                    &*keeper,
                    &[io::IoSlice::new(b"c")],
                    &mut messages,
                    SendFlags::NOSIGNAL,
                );
                if let Err(error) = sent {
                    let ended = child.try_wait().ok().flatten();
                    let how = ended.map_or_else(|| error.to_string(), |status| status.to_string());
                    return Err(io::Error::other(format!(
                        "the {what} helper has ended ({how}), and this process may not start \
                         another: restart ghostbridge"
                    )));
                }
                Ok(ours)
            }
            Way::Listening(path) => dial(path).map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!(
                        "the {what} helper does not answer at {} ({error}): systemctl start \
                         ghostbridge-{what}.socket",
                        path.display()
                    ),
                )
            }),
        }
    }
}

/// Two ends of a connection that keeps messages apart.
fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

fn dial(path: &Path) -> io::Result<OwnedFd> {
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}
