//! The service manager's protocol: ready, reloading, stopping, a line of status, signs of life.
//!
//! Written on the socket that NOTIFY_SOCKET names (a path, or `@` and an abstract name), in the
//! words of sd_notify(3). Without a manager every message is nothing. A message is never waited
//! for: one that the manager has no room for is dropped, and the next one is tried again.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The way to the service manager.
#[derive(Debug, Default)]
pub(crate) struct Notify {
    socket: Option<UnixDatagram>,
    /// How often it wants to hear that all is well.
    watchdog: Option<Duration>,
}

impl Notify {
    /// As the environment says; an address that can't be reached is no manager.
    pub(crate) fn from_environment() -> Notify {
        let address = env::var_os("NOTIFY_SOCKET");
        let socket = address.and_then(|name| connect(name.as_bytes()).ok());
        let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|usec| *usec > 0 && for_us);
        Notify { socket, watchdog: watchdog.map(Duration::from_micros) }
    }

    /// Half of the time after which the manager takes silence for death.
    pub(crate) fn interval(&self) -> Option<Duration> {
        self.watchdog.map(|watchdog| watchdog / 2)
    }

    /// Started, or done with a reload.
    pub(crate) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// A reload begins; `monotonic_ns` is the moment by CLOCK_MONOTONIC.
    pub(crate) fn reloading(&self, monotonic_ns: u64) {
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_ns / 1000));
    }

    /// The end begins.
    pub(crate) fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=draining");
    }

    /// A line for `systemctl status`.
    pub(crate) fn status(&self, status: &str) {
        self.send(&format!("STATUS={}", one_line(status)));
    }

    /// A sign of life; to be given only where every thread gave one.
    pub(crate) fn alive(&self) {
        if self.watchdog.is_some() {
            self.send("WATCHDOG=1");
        }
    }

    fn send(&self, message: &str) {
        if let Some(socket) = &self.socket {
            drop(socket.send(message.as_bytes()));
        }
    }
}

fn connect(name: &[u8]) -> io::Result<UnixDatagram> {
    let address = match name {
        [b'@', rest @ ..] if !rest.is_empty() => SocketAddr::from_abstract_name(rest)?,
        [b'/', ..] => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A line break would begin another word of the protocol.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let n = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(buffer.get(..n).unwrap()).into_owned()
    }

    #[test]
    fn a_path_and_an_abstract_name_are_both_reached() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        let name = format!("ghostbridge-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let by_name = UnixDatagram::bind_addr(&address).unwrap();
        for (manager, spelled) in [
            (by_path, path.as_os_str().as_bytes().to_vec()),
            (by_name, format!("@{name}").into_bytes()),
        ] {
            let watchdog = Some(Duration::from_secs(2));
            let notify = Notify { socket: connect(&spelled).ok(), watchdog };
            notify.ready("taps br0\nREADY=0");
            assert_eq!(heard(&manager), "READY=1\nSTATUS=taps br0 READY=0");
            notify.reloading(7_000_999);
            assert_eq!(heard(&manager), "RELOADING=1\nMONOTONIC_USEC=7000");
            notify.alive();
            assert_eq!(heard(&manager), "WATCHDOG=1");
            assert_eq!(notify.interval(), Some(Duration::from_secs(1)));
        }
        assert!(connect(b"relative").is_err() && connect(b"@").is_err() && connect(b"").is_err());
    }

    #[test]
    fn without_a_manager_nothing_is_said_and_a_full_one_is_not_waited_for() {
        Notify::default().ready("x");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let _deaf = UnixDatagram::bind(&path).unwrap();
        let socket = connect(path.as_os_str().as_bytes()).ok();
        let notify = Notify { socket, watchdog: None };
        for _ in 0..10_000 {
            notify.status("again");
        }
    }
}
