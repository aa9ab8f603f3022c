//! The way to the attach helper: one of our own, or the one that systemd keeps.
//!
//! A helper of our own is two processes. The *keeper* is started by root before the engine gives
//! up its privileges, and does nothing but start a *worker* whenever the engine hands it the end
//! of a new connection; the worker serves that connection. So a worker may die, with its taps, and
//! the engine, which may do nothing any more, gets another.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ghost_host::Mode;
use ghost_node::config::Config;
use ghost_node::daemon::Helpers;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, connect, sendmsg, socket_with, socketpair,
};

use crate::outcome::Failed;
use crate::privileges;

/// Where systemd listens for the helper.
const SYSTEM_SOCKET: &str = "/run/ghostbridge/attach.sock";

/// A helper, and how to come by its connections.
#[derive(Debug)]
pub(crate) enum Helper {
    /// The keeper's socket; its process is our child.
    Own(OwnedFd, Child),
    /// A socket that somebody listens on.
    Listening(PathBuf),
}

impl Helper {
    /// The helper that `config` names; else systemd's, where its socket is and this is not root;
    /// else one of our own, which takes root.
    pub(crate) fn find(config: &Config) -> Result<Helper, Failed> {
        if let Some(path) = &config.tap.helper {
            return Ok(Helper::Listening(path.clone()));
        }
        let raw = config.mode == Mode::Inline;
        let wanted = if raw { privileges::ATTACH | privileges::RAW } else { privileges::ATTACH };
        if privileges::has(wanted) {
            return Helper::start(raw);
        }
        let system = Path::new(SYSTEM_SOCKET);
        if system.exists() {
            return Ok(Helper::Listening(system.to_owned()));
        }
        Err(Failed::permission(
            "attaching to interfaces takes CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON: run as root, \
             start the service (systemctl start ghostbridge), or run with --no-tap",
        ))
    }

    #[expect(clippy::disallowed_methods, reason = "the program starts its own helper")]
    fn start(raw: bool) -> Result<Helper, Failed> {
        let failed = |e: io::Error| Failed::new(format!("can't start the attach helper: {e}"));
        let (ours, theirs) = pair().map_err(failed)?;
        let mut command = Command::new("/proc/self/exe");
        command.arg0("ghostbridge").arg("attach-helper");
        if raw {
            command.arg("--raw");
        }
        // A process group of its own: Ctrl-C is for the engine, which drains first.
        command.stdin(theirs).stdout(Stdio::null()).process_group(0);
        for variable in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
            command.env_remove(variable);
        }
        Ok(Helper::Own(ours, command.spawn().map_err(failed)?))
    }
}

impl Helpers for Helper {
    fn connect(&mut self) -> io::Result<OwnedFd> {
        match self {
            Helper::Own(keeper, child) => {
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
                        "the attach helper has ended ({how}), and this process may not start \
                         another: restart ghostbridge"
                    )));
                }
                Ok(ours)
            }
            Helper::Listening(path) => dial(path).map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!(
                        "the attach helper does not answer at {} ({error}): systemctl start \
                         ghostbridge-attach.socket",
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
