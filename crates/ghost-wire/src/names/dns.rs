use super::Feed;
use crate::{Direction, Sink};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    Dns,
    Mdns,
    Llmnr,
}

/// One message; false where it is no DNS message.
pub(crate) fn message(_flavour: Flavour, _bytes: &[u8], _sink: &mut dyn Sink) -> bool {
    false
}

#[derive(Debug, Default)]
pub(crate) struct DnsTcpState;

impl DnsTcpState {
    pub(crate) fn feed(&mut self, _dir: Direction, _bytes: &[u8], _sink: &mut dyn Sink) -> Feed {
        Feed::NotMine
    }
}
