//! `doctor`: everything that the program needs, looked at one by one.
//!
//! What stands in the way of answering is `bad`, what stands in the way of tapping is a `note`:
//! captures can be imported on any host.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use ghost_host::{BridgeKind, Inventory, Wish, plan};
use ghost_node::store;
use ghost_tap::live::{Trace, traces};

use crate::cli::Place;
use crate::commands::memory;
use crate::outcome::{Done, Failed, counted, printed};
use crate::privileges;
use crate::render::safe_text;

/// The first kernel that has tcx.
const KERNEL: (u32, u32) = (6, 6);

/// Where pins are kept.
const BPFFS: &str = "/sys/fs/bpf";

/// Runs the checks; prints `ok`, `note` or `bad` and what to do.
pub(crate) fn run(place: &Place) -> Result<Done, Failed> {
    let mut doctor = Doctor { bad: false };
    doctor.model(place)?;
    doctor.data(place)?;
    doctor.live(place)?;
    Ok(if doctor.bad { Done::Nothing } else { Done::Well })
}

struct Doctor {
    bad: bool,
}

impl Doctor {
    fn tell(&mut self, word: &str, what: impl AsRef<str>) -> Result<(), Failed> {
        self.bad |= word == "bad";
        printed(writeln!(io::stdout(), "{word:<5} {}", safe_text(what.as_ref())))
    }

    fn model(&mut self, place: &Place) -> Result<(), Failed> {
        match store::check_model(&place.models()) {
            Ok((dir, id)) => self.tell("ok", format!("full model {id} in {}", dir.display())),
            Err(error) => self.tell(
                "note",
                format!("{error}; events get their fast vectors, and words are matched without it"),
            ),
        }
    }

    fn data(&mut self, place: &Place) -> Result<(), Failed> {
        let data = place.data();
        let root = data.root();
        match writable(root) {
            Ok(()) => self.tell("ok", format!("data folder {} can be written", root.display()))?,
            Err(error) => self.tell(
                "bad",
                format!("data folder {}: {error}; choose another with --data-dir", root.display()),
            )?,
        }
        if root.join("log").is_dir() {
            match store::log_stats(&data) {
                Ok(stats) => {
                    self.tell("ok", format!("log of {} lines can be read", stats.lines))?
                }
                Err(error) => self.tell("bad", error.to_string())?,
            }
            match memory::open_files(place) {
                Ok(memory) if memory.index_status().damaged.is_empty() => {
                    let to = memory.index_status().indexed_to;
                    self.tell("ok", format!("index up to line {to}"))?;
                }
                Ok(memory) => {
                    let damaged = memory.index_status().damaged.join("; ");
                    self.tell("bad", format!("{damaged}; run `ghostbridge index rebuild`"))?;
                }
                Err(error) => self.tell("bad", error.message())?,
            }
        } else {
            self.tell("note", "nothing is remembered yet; run `ghostbridge import FILE`")?;
        }
        match place.tags() {
            Ok(tags) => self.tell("ok", format!("{} tags", tags.tags.len())),
            Err(error) => self.tell("bad", error.message()),
        }
    }

    /// What tapping needs.
    fn live(&mut self, place: &Place) -> Result<(), Failed> {
        self.daemon(place)?;
        match kernel() {
            Some((release, version)) if version >= KERNEL => {
                self.tell("ok", format!("kernel {release} can be tapped"))?;
            }
            Some((release, _)) => self.tell(
                "note",
                format!(
                    "kernel {release}: taps need {}.{} or newer (tcx); captures can be imported",
                    KERNEL.0, KERNEL.1
                ),
            )?,
            None => self.tell("note", "the kernel's version can't be told; taps need 6.6")?,
        }
        match privileges::has(privileges::ATTACH) {
            true => self.tell("ok", "this user may load and attach (CAP_BPF, CAP_NET_ADMIN)")?,
            false => self.tell(
                "note",
                "this user may not load and attach: start `ghostbridge run` as root, or by \
                 systemd's units",
            )?,
        }
        match mounted(BPFFS) {
            true => self.tell("ok", format!("bpffs is mounted at {BPFFS}"))?,
            false => self.tell(
                "note",
                format!(
                    "no bpffs at {BPFFS}: ghost-fast keeps forwarding without the daemon only \
                     where it is (mount -t bpf bpf {BPFFS})"
                ),
            )?,
        }
        self.bridges()?;
        self.traces()
    }

    fn daemon(&mut self, place: &Place) -> Result<(), Failed> {
        match memory::daemon(place) {
            Ok(Some(client)) => {
                self.tell("ok", format!("a daemon answers at {}", client.socket().display()))
            }
            Ok(None) => self.tell("note", "no daemon runs; questions are answered from the files"),
            Err(error) => self.tell("bad", error.message()),
        }
    }

    /// The bridges that would be tapped, and what would hide frames on them.
    fn bridges(&mut self) -> Result<(), Failed> {
        let inventory = match Inventory::read() {
            Ok(inventory) => inventory,
            Err(error) => return self.tell("note", format!("interfaces can't be read: {error}")),
        };
        for trouble in &inventory.troubles {
            self.tell("note", trouble)?;
        }
        let plan = match plan(&inventory, &Wish::default()) {
            Ok(plan) => plan,
            Err(error) => return self.tell("note", error.to_string()),
        };
        for (number, (name, kind)) in plan.bridges.iter().enumerate() {
            let kind = match kind {
                Some(BridgeKind::Linux) => "Linux bridge",
                Some(BridgeKind::Ovs) => "Open vSwitch bridge",
                _ => "interface",
            };
            let of = |a: &&ghost_host::Attachment| usize::from(a.bridge) == number;
            let ports: Vec<_> = plan.attachments.iter().filter(of).map(|a| &*a.name).collect();
            self.tell("ok", format!("{kind} {name} would be tapped at {}", ports.join(", ")))?;
        }
        for warning in &plan.warnings {
            self.tell("note", warning)?;
        }
        Ok(())
    }

    /// What an earlier daemon left, or a running one has.
    fn traces(&mut self) -> Result<(), Failed> {
        let found = match traces() {
            Ok(found) => found,
            Err(error) => return self.tell("note", format!("our traces can't be told: {error}")),
        };
        if found.is_empty() {
            return self.tell("ok", "nothing of ours is attached");
        }
        let links = found.iter().filter(|t| matches!(t, Trace::Link { .. })).count() as u64;
        let pins = found.len() as u64 - links;
        self.tell(
            "note",
            format!(
                "{} and {} of ours are there; without a daemon `ghostbridge detach` removes them",
                counted(links, "link"),
                counted(pins, "pin")
            ),
        )
    }
}

/// The kernel's release, and the version in it.
fn kernel() -> Option<(String, (u32, u32))> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?.trim().to_owned();
    let version = version(&release)?;
    Some((release, version))
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Whether a bpffs is mounted at `path`.
fn mounted(path: &str) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| {
        let mut fields = line.split(' ').skip(1);
        fields.next() == Some(path) && fields.next() == Some("bpf")
    })
}

/// Whether files can be made in `dir`, or the folder itself in the nearest one that exists.
fn writable(dir: &Path) -> io::Result<()> {
    let mut there = dir;
    while !there.exists() {
        match there.parent() {
            Some(parent) if parent != Path::new("") => there = parent,
            _ => break,
        }
    }
    let probe = there.join(format!(".ghostbridge-doctor-{}", std::process::id()));
    fs::write(&probe, b"")?;
    fs::remove_file(probe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernels_version_is_read_from_its_release() {
        assert_eq!(version("6.6.0"), Some((6, 6)));
        assert_eq!(version("6.12.3-arch1-1"), Some((6, 12)));
        assert_eq!(version("5.15-rc1"), Some((5, 15)));
        assert_eq!(version("linux"), None);
    }
}
