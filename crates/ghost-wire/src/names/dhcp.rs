use crate::Sink;

pub(crate) fn v4(_bytes: &[u8], _sink: &mut dyn Sink) -> bool {
    false
}

pub(crate) fn v6(_bytes: &[u8], _sink: &mut dyn Sink) -> bool {
    false
}
