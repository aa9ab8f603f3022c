use crate::Sink;

pub(crate) fn message(_bytes: &[u8], _sink: &mut dyn Sink) -> bool {
    false
}
