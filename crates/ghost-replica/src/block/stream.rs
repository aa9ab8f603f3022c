//! A block that comes as a btrfs stream.

use std::path::Path;

use ghost_ship::accept::BlockCheck;
use ghost_ship::wire::{BlockBegin, Code, Kind, Refusal};

use super::Parent;
use crate::holding::Holding;
use crate::kept::Seal;

/// The stream on its way.
#[derive(Debug)]
pub(super) struct Stream {}

impl Stream {
    pub(super) fn begin(
        _: &Holding,
        _: &BlockBegin,
        _: &BlockCheck,
        _: &Path,
        _: Option<Parent>,
    ) -> Result<Stream, Refusal> {
        Err(Refusal::new(Code::Unexpected, "streams are not taken yet").about(Kind::BlockBegin))
    }

    pub(super) fn bytes(&mut self, _: &[u8]) -> Result<(), Refusal> {
        Err(Refusal::new(Code::Unexpected, "streams are not taken yet").about(Kind::BlockChunk))
    }

    pub(super) fn finish(self, _: &mut BlockCheck) -> Result<Seal, Refusal> {
        Err(Refusal::new(Code::Unexpected, "streams are not taken yet").about(Kind::BlockEnd))
    }

    pub(super) fn abandon(self) {}
}
