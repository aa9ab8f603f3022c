use crate::Sink;

pub(crate) fn name_service(_bytes: &[u8], _sink: &mut dyn Sink) -> bool {
    false
}
