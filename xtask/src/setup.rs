//! Set-up of a bare Debian machine: what the build, the model, the tests and the demo need.
//!
//! As root missing packages are installed, and no service of theirs is started; otherwise those
//! without which nothing can be built are named, and nothing is done halfway. What only tests with
//! networks of their own need is left out without root, as those tests are: loudly.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::sh::{self, capture, command, have};
use crate::{Done, model};

/// A package, and how it is told that what it brings is there.
type Needed = (&'static str, fn() -> bool);

/// To build, and to fetch the model.
const PACKAGES: &[Needed] = &[
    ("gcc", || have("cc")),
    ("libc6-dev", || Path::new("/usr/include/stdio.h").exists()),
    ("gzip", || have("gzip")),
];

/// For networks of their own, with real programs on them: tests, demo and benchmarks.
const NETWORK: &[Needed] = &[
    ("iproute2", || have("ip") && have("tc")),
    ("iputils-ping", || have("ping")),
    ("ethtool", || have("ethtool")),
    ("util-linux", || have("nsenter") && have("unshare")),
    // File systems of a test's own, in images.
    ("mount", || have("mount") && have("umount")),
    ("btrfs-progs", || have("mkfs.btrfs") && have("btrfs")),
    ("e2fsprogs", || have("mkfs.ext4")),
    // Judges the size on disk.
    ("btrfs-compsize", || have("compsize")),
    ("openvswitch-switch", || have("ovs-vswitchd") && have("ovsdb-server")),
    ("bpftool", || have("bpftool")),
    ("tcpdump", || have("tcpdump")),
    ("iperf3", || have("iperf3")),
    ("nmap", || have("nmap")),
    ("curl", || have("curl")),
    ("python3", serves_http),
    ("procps", || have("kill") && have("ps")),
    // Presses the keys of `top`.
    ("tmux", || have("tmux")),
    ("dnsmasq-base", || have("dnsmasq")),
    ("bind9-dnsutils", || have("dig")),
    ("openssh-server", || have("sshd")),
    ("openssh-client", || have("ssh") && have("ssh-keygen")),
    // Stand beside replicas in `bench ship`.
    ("rsync", || have("rsync")),
    ("zstd", || have("zstd")),
    // Judges the units that are shipped.
    ("systemd", || have("systemd-analyze")),
];

/// The whole Python, not its smallest part.
fn serves_http() -> bool {
    capture(command("python3").args(["-c", "import http.server"])).is_ok_and(|ran| ran.ok())
}

/// Installs pip where it is missing: Python packages are fetched with it.
pub(crate) fn pip() -> Done {
    let pip = capture(command("python3").args(["-m", "pip", "--version"]));
    if pip.is_ok_and(|ran| ran.ok()) { Ok(()) } else { install(&["python3-pip"]) }
}

/// Installs what is missing to build, or says so.
pub(crate) fn packages() -> Done {
    install(&missing(PACKAGES))
}

/// Installs what networks of their own need; without root nothing is done, and it is said.
pub(crate) fn network() -> Done {
    let missing = missing(NETWORK);
    if !sh::is_root() {
        println!("SKIPPED: without root there are no networks of their own, nor what needs them");
        return Ok(());
    }
    install(&missing)
}

fn missing(needed: &[Needed]) -> Vec<&'static str> {
    needed.iter().filter(|(_, present)| !present()).map(|(name, _)| *name).collect()
}

/// Installs `packages` by apt where this is root.
pub(crate) fn install(packages: &[&str]) -> Done {
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    if !sh::is_root() {
        return Err(format!("missing: {list}; as root: apt-get install -y {list}"));
    }
    if !have("apt-get") {
        return Err(format!("missing: {list}; this is no Debian, so install them by hand"));
    }
    println!("installing {list}");
    let _quiet = NoServices::forbid()?;
    let apt = || {
        let mut apt = command("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
        apt
    };
    let mut install = apt();
    install.args(["install", "-y", "--no-install-recommends"]).args(packages);
    if capture(&mut install)?.ok() {
        return Ok(());
    }
    // A fresh image has no package lists yet.
    sh::output(apt().arg("update"))?;
    sh::output(&mut install).map(drop)
}

/// While it lives, packages that are installed start no service: the switch, the SSH server and
/// the rest are for our own namespaces alone.
struct NoServices {
    /// The policy that we made; none where the machine has its own.
    policy: Option<&'static Path>,
}

impl NoServices {
    fn forbid() -> sh::Outcome<NoServices> {
        let path = Path::new("/usr/sbin/policy-rc.d");
        if path.exists() {
            return Ok(NoServices { policy: None });
        }
        sh::write(path, "#!/bin/sh\nexit 101\n")?;
        let made = NoServices { policy: Some(path) };
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))
            .map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(made)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(path) = self.policy
            && let Err(error) = fs::remove_file(path)
        {
            println!("{}: {error}; remove it, or no service starts", path.display());
        }
    }
}

/// Everything that demo and test need before they build.
pub(crate) fn all() -> Done {
    packages()?;
    network()?;
    model::run()
}
