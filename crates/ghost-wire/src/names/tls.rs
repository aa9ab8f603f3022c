use super::Feed;
use crate::{Direction, Sink};

pub(crate) fn looks_like(_bytes: &[u8]) -> bool {
    false
}

#[derive(Debug, Default)]
pub(crate) struct TlsState;

impl TlsState {
    pub(crate) fn feed(&mut self, _dir: Direction, _bytes: &[u8], _sink: &mut dyn Sink) -> Feed {
        Feed::NotMine
    }
}
