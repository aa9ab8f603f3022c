//! Logs of other hosts, held here: received, verified, read.
//!
//! In the order of a line's way: [`serve`] speaks with one primary over a connection that somebody
//! accepted; what comes is checked by `ghost_ship::accept` and kept by a [`Holding`]: lines of the
//! tail in a file, blocks as folders or received subvolumes; a [`Reader`] reads block and tail as
//! the one log that they are, for index and questions. [`ReplicaDir`] finds what is held.
//!
//! Promised: what was acknowledged is durable and continues all that was acknowledged before; a
//! block bears its name only when its bytes were found to be what its signed checkpoint says. Not
//! promised: that whoever is root here left it so: what was changed is found where it is read again.
//!
//! **Invariant:** no program is started here, no clock is read, and no thread outlives the call that
//! made it.

mod answer;
mod block;
mod dir;
mod error;
mod evidence;
mod holding;
mod kept;
mod limits;
mod promote;
mod reader;
mod receive;
mod serve;
mod stream;
mod tail;

pub use answer::{Answer, Silent};
pub use dir::{Facts, ReplicaDir};
pub use error::ReplicaError;
pub use holding::{Holding, Holdings, ReplicaHost, Settings};
pub use promote::{Promoted, promote};
pub use reader::Reader;
pub use receive::{LinesOnly, ReceiveError, ReceiveStream};
pub use serve::{Ended, serve};

pub use ghost_ship::wire::{Form, LogId};
