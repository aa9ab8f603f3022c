use super::Feed;
use crate::{Direction, Sink};

pub(crate) fn looks_like(_bytes: &[u8]) -> bool {
    false
}

#[derive(Debug, Default)]
pub(crate) struct DtlsState;

impl DtlsState {
    pub(crate) fn datagram(
        &mut self,
        _dir: Direction,
        _bytes: &[u8],
        _sink: &mut dyn Sink,
    ) -> Feed {
        Feed::NotMine
    }
}
