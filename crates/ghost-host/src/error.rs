//! Why the host could not be asked, or did not do as told.

use crate::ovsdb::OvsdbError;
use std::path::PathBuf;

/// What went wrong between us and the host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The kernel's own list of interfaces could not be read.
    #[error("can't ask the kernel for its interfaces ({what}): {source}")]
    Netlink { what: &'static str, source: std::io::Error },
    /// The database of Open vSwitch was not reached, or the talk failed.
    #[error("Open vSwitch's database at {}: {source}", path.display())]
    Ovs { path: PathBuf, source: OvsdbError },
    /// No Open vSwitch on this host.
    #[error(
        "no Open vSwitch database found (looked for {0}): name its socket, or use another mode"
    )]
    NoOvs(String),
    /// A mirror was asked of a bridge that is not there.
    #[error("Open vSwitch has no bridge {0}: ovs-vsctl list-br shows those it has")]
    NoBridge(String),
    /// A port of that name is there, and was not made by us.
    #[error("{0} is somebody else's port (no external_ids:owner={owner}): it is left alone", owner = crate::switch::OWNER)]
    NotOurs(String),
    /// A thread or its signal could not be made.
    #[error("can't watch the host: {0}")]
    Watch(std::io::Error),
}
