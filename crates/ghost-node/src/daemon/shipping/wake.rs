//! Wakes a thread that waits for its connection: a descriptor beside the connection's.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};

/// One sleeper's.
#[derive(Debug)]
pub(super) struct Wake {
    fd: OwnedFd,
    /// It was woken and has not looked yet: no need to do it again.
    awake: AtomicBool,
}

impl Wake {
    pub(super) fn new() -> io::Result<Wake> {
        let fd = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Wake { fd, awake: AtomicBool::new(false) })
    }

    /// Never waits.
    pub(super) fn wake(&self) {
        if !self.awake.swap(true, Ordering::AcqRel) {
            // A counter that is full wakes as well.
            let _ = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
        }
    }

    /// What happens from now on wakes again. To be called before looking at what there is.
    pub(super) fn looked(&self) {
        if self.awake.swap(false, Ordering::AcqRel) {
            let _ = rustix::io::read(&self.fd, &mut [0; 8]);
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
