//! Why a tap could not be had, and what to do about it.

use std::io;

use super::{Direction, InlineError};

/// What went wrong at the kernel's side, at the helper's socket, or between.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TapError {
    #[error(
        "not permitted to {what}: start ghostbridge as root, or give the attach helper CAP_BPF, \
         CAP_NET_ADMIN and CAP_PERFMON (and CAP_NET_RAW for mode = \"inline\")"
    )]
    NotPermitted { what: String },
    #[error(
        "this kernel is {release}, and taps need Linux 6.6 or newer (tcx): upgrade the kernel, or \
         use mode = \"inline\" or \"mirror\""
    )]
    KernelTooOld { release: String },
    #[error("there is no interface with index {ifindex} (any more): nothing was attached")]
    NoInterface { ifindex: u32 },
    #[error("the tap is attached to interface {ifindex} ({direction:?}) already")]
    AlreadyAttached { ifindex: u32, direction: Direction },
    #[error("the tap is not attached to interface {ifindex} ({direction:?})")]
    NotAttached { ifindex: u32, direction: Direction },
    #[error(
        "interface {ifindex} has {programs} other tcx program(s), which forwarding by ghost-fast \
         would cut off: use mode = \"ghost\", or detach them (bpftool net show)"
    )]
    OtherPrograms { ifindex: u32, programs: u32 },
    #[error("interface {ifindex} is no mirror of ours: only those are set up by us")]
    NoMirror { ifindex: u32 },
    #[error("a wire needs two ports: name two interfaces")]
    SamePort,
    #[error("another ghostbridge forwards between these ports: stop it first")]
    Busy,
    #[error("more than {max} ports: tap fewer interfaces with -i")]
    TooManyPorts { max: u32 },
    #[error(
        "ring sizes must be powers of two from 64 KiB to 1 GiB: leave [tap] ring_bytes at \"auto\""
    )]
    RingSizes,
    #[error("no memory for the rings: make [tap] ring_bytes smaller")]
    NoMemory,
    #[error("no bpffs at /sys/fs/bpf: mount -t bpf bpf /sys/fs/bpf")]
    NoBpffs,
    #[error("open a tap first, and one only")]
    WrongOrder,
    #[error("the attach helper has hung up: look at its log, and start ghostbridge anew")]
    HelperGone,
    #[error("the attach helper does not answer: restart ghostbridge and its helper")]
    HelperSilent,
    #[error(
        "the attach helper speaks version {theirs} of their protocol, not {ours}: restart both \
         after an upgrade"
    )]
    OtherVersion { ours: u16, theirs: u16 },
    #[error("the attach helper sent what it must not ({what}): restart ghostbridge and its helper")]
    Malformed { what: &'static str },
    #[error("the kernel refused the tap's program; please report this: {log}")]
    Rejected { log: String },
    #[error("{what}: {source}")]
    Os { what: String, source: io::Error },
    #[error(transparent)]
    Inline(#[from] InlineError),
}

impl TapError {
    /// Tells what the kernel said to a step of ours.
    pub(crate) fn of(what: impl Into<String>, source: io::Error) -> Self {
        let what = what.into();
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Self::NotPermitted { what },
            Some(libc::ENOMEM) => Self::NoMemory,
            _ => Self::Os { what, source },
        }
    }
}
