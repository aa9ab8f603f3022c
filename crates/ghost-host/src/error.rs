//! Why the host could not be asked, or did not do as told.

use std::path::PathBuf;

/// What went wrong between us and the host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The kernel's own list of interfaces could not be read.
    #[error("can't ask the kernel for its interfaces ({what}): {source}")]
    Netlink { what: &'static str, source: std::io::Error },
    /// The database of Open vSwitch can't be reached.
    #[error("can't reach Open vSwitch at {}: {source}; is ovsdb-server running, and may this user open its socket?", path.display())]
    OvsConnect { path: PathBuf, source: std::io::Error },
    /// It was reached, and the talk failed.
    #[error("Open vSwitch's database: {0}")]
    Ovs(String),
    /// No Open vSwitch on this host.
    #[error(
        "no Open vSwitch database found (looked for {0}): name its socket, or use another mode"
    )]
    NoOvs(String),
    /// A part that is not there yet.
    #[error("{0} is not built yet")]
    Unbuilt(&'static str),
}
