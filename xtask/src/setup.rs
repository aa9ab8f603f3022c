//! Set-up of a bare Debian machine: what the build, the model and the tests need.
//!
//! As root missing packages are installed; otherwise they are named, and nothing is done halfway.

use std::path::Path;

use crate::sh::{self, capture, command, have};
use crate::{Done, model};

/// A package, and how it is told that what it brings is there.
type Needed = (&'static str, fn() -> bool);

const PACKAGES: &[Needed] = &[
    ("gcc", || have("cc")),
    ("libc6-dev", || Path::new("/usr/include/stdio.h").exists()),
    ("gzip", || have("gzip")),
];

/// Installs pip where it is missing: Python packages are fetched with it.
pub(crate) fn pip() -> Done {
    let pip = capture(command("python3").args(["-m", "pip", "--version"]));
    if pip.is_ok_and(|ran| ran.ok()) { Ok(()) } else { install(&["python3-pip"]) }
}

/// Installs what is missing, or says so.
pub(crate) fn packages() -> Done {
    let missing: Vec<_> =
        PACKAGES.iter().filter(|(_, present)| !present()).map(|(name, _)| *name).collect();
    install(&missing)
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

/// Everything that demo and test need before they build.
pub(crate) fn all() -> Done {
    packages()?;
    model::run()
}
