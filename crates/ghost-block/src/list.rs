//! The blocks of a data folder, for whoever looks at them from outside: those that are there, and
//! those of which only the checkpoint is left.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghost_event::{Digest, Seq, Timestamp};
use ghost_world::Disk;

use crate::volume::{BLOCKS, LOG};
use crate::{BlockError, BlockName, Manifest, journal};

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub name: BlockName,
    pub time: Timestamp,
    pub first_seq: Seq,
    /// Lines of the log, which is the size of its tree.
    pub size: u64,
    pub root: Digest,
    /// The checkpoint, as it was signed.
    pub checkpoint: String,
    /// Where it lies, where it does.
    pub path: Option<PathBuf>,
}

/// So many seals are listed at most: the newest.
pub const LISTED_MAX: usize = 10_000;

/// A checkpoint's note has no more bytes: one signature is ours, witnesses' are kept elsewhere.
const NOTE_BYTES_MAX: usize = 16 << 10;

/// The seals, oldest first; of more than [`LISTED_MAX`] the newest, and all whose blocks are there.
pub fn list(disk: &Arc<dyn Disk>, data: &Path) -> Result<Vec<Listed>, BlockError> {
    let folder = data.join(BLOCKS);
    let names = match disk.list(&folder) {
        Ok(names) => names,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(BlockError::io("list", &folder)(e)),
    };
    let mut there: BTreeSet<BlockName> =
        names.iter().filter_map(|name| BlockName::parse(name)).collect();
    let mut listed = Vec::new();
    for entry in journal::newest(&**disk, &data.join(LOG), LISTED_MAX)? {
        let name = entry.name();
        listed.push(Listed {
            name,
            time: entry.time,
            first_seq: entry.first_seq,
            size: entry.size,
            root: entry.root,
            checkpoint: entry.checkpoint,
            path: there.remove(&name).then(|| path_of(data, &name)),
        });
    }
    // Older ones, and those of a log that was restored since.
    for name in there {
        let path = path_of(data, &name);
        let manifest = manifest_of(disk, &path)?;
        listed.push(Listed {
            name,
            time: manifest.time,
            first_seq: manifest.first_seq,
            size: manifest.sealed_size,
            root: manifest.root,
            checkpoint: checkpoint_of(&**disk, &path)?,
            path: Some(path),
        });
    }
    listed.sort_unstable_by_key(|block| block.name);
    Ok(listed)
}

/// The folder of a block, where it is there.
#[must_use]
pub fn path_of(data: &Path, name: &BlockName) -> PathBuf {
    data.join(BLOCKS).join(name.to_string())
}

/// What a block says of itself; that its name is the one of its manifest, too.
pub fn manifest_of(disk: &Arc<dyn Disk>, block: &Path) -> Result<Manifest, BlockError> {
    let manifest = Manifest::read(&**disk, block)?;
    let name = block.file_name().and_then(|name| name.to_str()).and_then(BlockName::parse);
    if let Some(name) = name
        && (name.number != manifest.block || !name.is_of(&manifest.root))
    {
        let of = manifest.block;
        let what = format!("its manifest is of block {of}; fetch the block from a replica");
        return Err(BlockError::Damaged { path: block.to_owned(), what });
    }
    Ok(manifest)
}

fn checkpoint_of(disk: &dyn Disk, block: &Path) -> Result<String, BlockError> {
    let path = block.join("checkpoint");
    let file = disk.open_read(&path).map_err(BlockError::io("open", &path))?;
    let mut bytes = vec![0; NOTE_BYTES_MAX];
    let n = file.read_full_at(&mut bytes, 0).map_err(BlockError::io("read", &path))?;
    bytes.truncate(n);
    String::from_utf8(bytes).map_err(|_| BlockError::Damaged {
        path,
        what: "it is no text; fetch the block from a replica".to_owned(),
    })
}
