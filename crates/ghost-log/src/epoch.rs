//! The highest epoch that was ever begun here, beside the log.
//!
//! Durable before the first line of its epoch, so that a log that was put back from an older copy
//! never begins an epoch a second time: the two would be told apart by nothing.

use ghost_world::Disk;

use crate::error::LogError;
use crate::layout::Layout;
use crate::limits::SMALL_BYTES_MAX;
use crate::put::{self, Readers, Until};

/// 0 where nothing whole tells.
pub(crate) fn read(disk: &dyn Disk, layout: &Layout) -> u64 {
    let bytes = put::read(disk, &layout.epoch(), SMALL_BYTES_MAX).ok().flatten();
    let text = bytes.as_deref().and_then(put::unseal).and_then(|b| std::str::from_utf8(b).ok());
    text.and_then(|t| t.trim_end().parse().ok()).unwrap_or(0)
}

/// Makes it durable.
pub(crate) fn keep(disk: &dyn Disk, layout: &Layout, epoch: u64) -> Result<(), LogError> {
    let mut text = format!("{epoch}\n").into_bytes();
    put::seal(&mut text);
    let path = layout.epoch();
    put::put(disk, &path, &text, Until::Durable, Readers::Group)
        .map_err(LogError::io("write", &path))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ghost_world::SimDisk;

    use super::*;

    #[test]
    fn an_epoch_is_read_as_it_was_kept_and_torn_ones_are_none() {
        let disk = SimDisk::new();
        let layout = Layout::new(Path::new("/d"));
        disk.create_dirs(&layout.state()).unwrap();
        assert_eq!(read(&disk, &layout), 0);
        keep(&disk, &layout, 41).unwrap();
        keep(&disk, &layout, 42).unwrap();
        assert_eq!(read(&disk.crash(1), &layout), 42);
        let whole = disk.bytes(&layout.epoch()).unwrap();
        for at in 0..whole.len() {
            disk.put(&layout.epoch(), &whole[..at]);
            assert_eq!(read(&disk, &layout), 0);
        }
    }
}
