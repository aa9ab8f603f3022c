//! The log to sealed blocks: read-only snapshots with a signed checkpoint and a manifest.
//!
//! In the order of a block's life: a [`Trigger`] says when one is due ([`Strategy`]); the
//! [`Sealer`] signs the log's durable end, writes the [`Manifest`], and has a [`Volume`] freeze the
//! log under its [`BlockName`]; [`retain`] decides what is given up when, so that the disk's cap
//! holds; [`list`], [`diff`] and [`restore`] read blocks. Volumes: a btrfs subvolume, alone
//! or beside the [`helper`] that keeps the one capability; a plain folder; and a simulated one for
//! tests.
//!
//! Promised: a block that has its name is whole, read-only and durable; its checkpoint is signed
//! for exactly the lines in it; a number is never given to two blocks. Not promised: that whoever
//! may write the log could not write a block: only a checkpoint kept elsewhere shows that.
//!
//! **Invariant:** a block holds only durable lines, and the log that it holds is never unchanged
//! since the block before.

mod account;
mod btrfs;
mod copy;
mod diff;
mod error;
mod folder;
pub mod helper;
mod journal;
mod list;
mod manifest;
mod name;
mod own;
mod received;
mod restore;
pub mod retain;
mod sealer;
mod setup;
mod sim_volume;
mod strategy;
mod sys;
mod tree;
mod volume;

pub use diff::{Diff, Fork, diff};
pub use error::BlockError;
pub use list::{LISTED_MAX, Listed, list, manifest_of, path_of};
pub use manifest::{Lost, Manifest, Parent, Reason};
pub use name::{BlockName, NotAName};
pub use own::is_own;
pub use received::{Subvolume, on_btrfs, subvolume};
pub use restore::{Restored, Target, restore};
pub use retain::{Cap, Keep};
pub use sealer::{Block, SealFacts, SealRecovery, Sealer, Tended};
pub use setup::{Made, is_btrfs, make_subvolumes};
pub use sim_volume::SimVolume;
pub use strategy::{Strategy, Trigger};
pub use volume::{SendOptions, Usage, Volume, VolumeKind, Whole, open_volume};
