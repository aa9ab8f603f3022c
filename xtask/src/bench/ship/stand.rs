//! Two file systems and the SSH server between them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ghost_lab::{LoopFs, Relay, Sshd, SshdSetup};

use crate::sh::{self, Outcome, command, have};

const OPTIONS: &str = "compress=zstd:3,noatime";

/// Why nothing can be measured here, or `None`.
pub(super) fn missing() -> Option<String> {
    let tools = ["btrfs", "zstd", "rsync", "ssh", "sshd"];
    LoopFs::missing_needs(&["btrfs"])
        .or_else(Sshd::missing_needs)
        .or_else(|| tools.iter().find(|t| !have(t)).map(|t| format!("not installed: {t}")))
}

/// What all designs stand on. The server goes before the file systems.
#[derive(Debug)]
pub(super) struct Stand {
    /// Counts what our own connection carries.
    pub(super) relay: Relay,
    /// The same for the peers'.
    pub(super) peers: Relay,
    pub(super) sshd: Sshd,
    /// Root's key, without any restriction: the peers'.
    key: PathBuf,
    pub(super) primary: LoopFs,
    pub(super) replica: LoopFs,
}

impl Stand {
    pub(super) fn new(image_bytes: u64) -> Outcome<Stand> {
        let program = program()?;
        let fs = || LoopFs::btrfs(image_bytes, OPTIONS).map_err(|e| e.to_string());
        let (primary, replica) = (fs()?, fs()?);
        let data = replica.path().join("data");
        let setup = SshdSetup {
            env: &[
                ("GHOSTBRIDGE_DATA_DIR", data.into()),
                ("GHOSTBRIDGE_CONFIG", replica.path().join("ghostbridge.toml").into()),
            ],
            programs: &[("ghostbridge", &program)],
            ..SshdSetup::default()
        };
        let sshd = Sshd::start(&setup).map_err(|e| e.to_string())?;
        let (key, line) = sshd.client_key("peers").map_err(|e| e.to_string())?;
        sshd.authorize("root", &line).map_err(|e| e.to_string())?;
        let relay = || Relay::to(sshd.address()).map_err(|e| e.to_string());
        let (relay, peers) = (relay()?, relay()?);
        Ok(Stand { relay, peers, sshd, key, primary, replica })
    }

    /// The words of root's `ssh`, as the peers use it; at the server itself, or past the counter.
    pub(super) fn ssh(&self, counted: bool) -> Outcome<Vec<String>> {
        let address: SocketAddr = if counted { self.peers.address() } else { self.sshd.address() };
        self.sshd.ssh("root", &self.key, address).map_err(|e| e.to_string())
    }
}

/// The program, built as it is shipped.
pub(super) fn program() -> Outcome<PathBuf> {
    sh::run(sh::cargo().args(["build", "--release", "--quiet", "--package", "ghostbridge"]))?;
    Ok(sh::target().join("release/ghostbridge"))
}

/// A subvolume of its own.
pub(super) fn subvolume(path: &Path) -> Outcome<()> {
    sh::output(command("btrfs").args(["-q", "subvolume", "create"]).arg(path)).map(drop)
}
