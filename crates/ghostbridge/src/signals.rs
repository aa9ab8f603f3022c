//! What the operator wants of a running daemon: to reload, to stop; waited for without a spin.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::host;
use crate::outcome::Failed;

/// What came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Nothing,
    Reload,
    Stop,
}

/// The signals of a daemon, caught.
#[derive(Debug)]
pub(crate) struct Signals {
    bell: UnixStream,
    stop: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
}

impl Signals {
    /// Catches SIGHUP, SIGTERM and SIGINT from here on; a second SIGTERM or SIGINT ends at once.
    pub(crate) fn catch() -> Result<Signals, Failed> {
        let failed = |e: std::io::Error| Failed::new(format!("can't catch signals: {e}"));
        let (bell, rung) = UnixStream::pair().map_err(failed)?;
        bell.set_nonblocking(true).map_err(failed)?;
        let stop = host::stop_flag()?;
        let reload = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGHUP, Arc::clone(&reload)).map_err(failed)?;
        for signal in [SIGHUP, SIGTERM, SIGINT] {
            let rung = rung.try_clone().map_err(failed)?;
            signal_hook::low_level::pipe::register(signal, rung).map_err(failed)?;
        }
        Ok(Signals { bell, stop, reload })
    }

    /// Waits for a signal, at most so long. To stop goes before to reload.
    pub(crate) fn wait(&self, at_most: Duration) -> Wanted {
        if let Some(wanted) = self.wanted() {
            return wanted;
        }
        let mut fds = [PollFd::new(&self.bell, PollFlags::IN)];
        let timeout = Timespec {
            tv_sec: i64::try_from(at_most.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: at_most.subsec_nanos().into(),
        };
        // An interrupted wait is the signal itself; its flag is up.
        let _ = poll(&mut fds, Some(&timeout));
        let mut bytes = [0; 64];
        while rustix::io::read(self.bell.as_fd(), &mut bytes).is_ok_and(|n| n == bytes.len()) {}
        self.wanted().unwrap_or(Wanted::Nothing)
    }

    fn wanted(&self) -> Option<Wanted> {
        if host::raised(&self.stop) {
            return Some(Wanted::Stop);
        }
        self.reload.swap(false, Ordering::AcqRel).then_some(Wanted::Reload)
    }
}
