//! The programs, put into the kernel.

use std::error::Error;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use aya::maps::Map;
use aya::programs::{ProgramError, SchedClassifier};
use aya::{Ebpf, EbpfError, EbpfLoader};
use rustix::thread::{CapabilitySet, capabilities};

use super::super::rings::{CHUNK_BYTES, Layout, Maps};
use super::super::{RingSizes, TapError};

/// What copies, and what fails open.
static TAP: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tap.bpf.o"));
static OPEN: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/open.bpf.o"));

/// Names of all programs of ours, by which they are found again. The kernel keeps 15 letters.
pub(in super::super) const PROGRAMS: [&str; 4] =
    ["ghost_ingress", "ghost_egress", "ghost_fast", "ghost_open"];

const LOAD: &str = "load the tap's programs";

pub(super) struct Loaded {
    ebpf: Ebpf,
    pub(super) layout: Layout,
}

pub(super) fn layout(sizes: RingSizes) -> Option<Layout> {
    let sizes = sizes.checked()?;
    Layout {
        rings: sizes.rings,
        plain_chunks: sizes.ring_bytes / CHUNK_BYTES as u32,
        telling_chunks: sizes.handshake_bytes / CHUNK_BYTES as u32,
    }
    .checked()
}

/// Makes the rings, and readies the programs that fill them. The wire's ports matter to ghost-fast
/// alone.
pub(super) fn tap(sizes: RingSizes, wire: (u32, u32)) -> Result<Loaded, TapError> {
    let layout = layout(sizes).ok_or(TapError::RingSizes)?;
    check_permitted()?;
    // On other processors a store may become visible before one that was made earlier.
    let in_order =
        u32::from(cfg!(any(target_arch = "x86_64", target_arch = "x86", target_arch = "s390x")));
    let ebpf = EbpfLoader::new()
        .override_global("rings", &layout.rings, true)
        .override_global("plain_chunks", &layout.plain_chunks, true)
        .override_global("telling_chunks", &layout.telling_chunks, true)
        .override_global("stores_in_order", &in_order, true)
        .override_global("wire_a", &wire.0, true)
        .override_global("wire_b", &wire.1, true)
        .map_max_entries("ghost_heads", 2 * layout.rings)
        .map_max_entries("ghost_plain", layout.rings * layout.plain_chunks)
        .map_max_entries("ghost_telling", layout.rings * layout.telling_chunks)
        .load(TAP)
        .map_err(refused)?;
    Ok(Loaded { ebpf, layout })
}

/// The program that forwards while user space is silent, and the map of its heartbeat.
pub(super) fn fail_open(wire: (u32, u32)) -> Result<(OwnedFd, OwnedFd), TapError> {
    check_permitted()?;
    let ebpf = EbpfLoader::new()
        .override_global("wire_a", &wire.0, true)
        .override_global("wire_b", &wire.1, true)
        .load(OPEN)
        .map_err(refused)?;
    let mut loaded =
        Loaded { ebpf, layout: Layout { rings: 1, plain_chunks: 1, telling_chunks: 1 } };
    Ok((loaded.program("ghost_open")?, loaded.map("ghost_beat")?))
}

impl Loaded {
    /// Has the kernel check and take a program.
    pub(super) fn program(&mut self, name: &str) -> Result<OwnedFd, TapError> {
        let program = self.ebpf.program_mut(name).ok_or_else(|| missing(name))?;
        let program: &mut SchedClassifier = program.try_into().map_err(not_taken)?;
        program.load().map_err(not_taken)?;
        let program = program.fd().map_err(not_taken)?;
        copy_of(program.as_fd(), name)
    }

    pub(super) fn map(&self, name: &str) -> Result<OwnedFd, TapError> {
        match self.ebpf.map(name) {
            Some(Map::Array(map) | Map::HashMap(map)) => copy_of(map.fd().as_fd(), name),
            _ => Err(missing(name)),
        }
    }

    pub(super) fn maps(&self) -> Result<Maps, TapError> {
        Ok(Maps {
            heads: self.map("ghost_heads")?,
            plain: self.map("ghost_plain")?,
            telling: self.map("ghost_telling")?,
            accounts: self.map("ghost_accounts")?,
        })
    }
}

fn copy_of(descriptor: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, TapError> {
    descriptor.try_clone_to_owned().map_err(|error| TapError::of(format!("keep {name}"), error))
}

fn missing(name: &str) -> TapError {
    TapError::Rejected { log: format!("{name} is not in the object") }
}

fn refused(error: EbpfError) -> TapError {
    from_kernel(LOAD, &error)
}

fn not_taken(error: ProgramError) -> TapError {
    from_kernel(LOAD, &error)
}

/// What the kernel said is at the end of the chain of causes.
fn from_kernel(what: &str, error: &(dyn Error + 'static)) -> TapError {
    let mut cause = Some(error);
    let mut said = None;
    while let Some(error) = cause {
        said = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error).or(said);
        cause = error.source();
    }
    match said {
        Some(number @ (libc::EPERM | libc::ENOMEM)) => {
            TapError::of(what, io::Error::from_raw_os_error(number))
        }
        // The verifier says EACCES of a program it does not like.
        _ => TapError::Rejected { log: error.to_string() },
    }
}

/// Without CAP_PERFMON the kernel checks more strictly than our programs are written for, and takes
/// its time to say no.
fn check_permitted() -> Result<(), TapError> {
    let enough = CapabilitySet::PERFMON | CapabilitySet::SYS_ADMIN;
    match capabilities(None) {
        Ok(sets) if !sets.effective.intersects(enough) => {
            Err(TapError::NotPermitted { what: LOAD.into() })
        }
        _ => Ok(()),
    }
}
