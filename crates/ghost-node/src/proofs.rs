//! What a log proves, as the program tells it: verification, proofs, the log's keys.
//!
//! Reads files only, also while a daemon writes them; a new key needs the writer's lock. Nothing
//! here decides what is trusted: keys and witnesses come from whoever asks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghost_event::line::Tail;
pub use ghost_event::{Digest, Seq};
pub use ghost_log::proof::bundle::{Bundle, BundleError, PROOF_BYTES_MAX};
pub use ghost_log::proof::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint, Signing};
pub use ghost_log::proof::key::{KeyError, KeyId, SigningKey, Use, VerifyingKey};
pub use ghost_log::proof::note::NOTE_BYTES_MAX;
pub use ghost_log::proof::{ProofError, check_consistency};
pub use ghost_log::{
    Against, Authority, Continued, Head, ProveError, Proven, Tiled, Unproven, Verdict,
    VerifyOptions,
};
use ghost_log::{Layout, Log, LogConfig, LogError, verify_at};
use ghost_world::{Clock, Disk, RealDisk};

use crate::{DataDir, PROGRAM};

/// A log that lies somewhere: the data folder's, a block's, a copy's.
#[derive(Debug, Clone)]
pub struct Place {
    layout: Layout,
}

/// Why a word names no log.
#[derive(Debug, thiserror::Error)]
pub enum NoPlace {
    #[error("{0}: neither a folder with a log nor a block of {blocks}", blocks = .1.display())]
    Unknown(String, PathBuf),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

impl Place {
    /// The log of a data folder.
    #[must_use]
    pub fn of(data: &DataDir) -> Place {
        Place { layout: Layout::new(data.root()) }
    }

    /// A block of this data folder by its number or name, or any folder that holds a log: another
    /// data folder, a block, a copy of `log/`.
    pub fn named(data: &DataDir, word: &str) -> Result<Place, NoPlace> {
        let blocks = data.root().join("blocks");
        let number = word.strip_prefix("block-").unwrap_or(word).split('-').next();
        if let Some(number) = number.and_then(|n| n.parse::<u64>().ok()) {
            let list = match std::fs::read_dir(&blocks) {
                Ok(list) => Some(list),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
                Err(source) => return Err(NoPlace::Io { path: blocks, source }),
            };
            for entry in list.into_iter().flatten().flatten() {
                let name = entry.file_name();
                let Some(name) = name.to_str() else { continue };
                let of = name.strip_prefix("block-").and_then(|rest| rest.split('-').next());
                let same = of.and_then(|n| n.parse::<u64>().ok()) == Some(number);
                if same && (!word.starts_with("block-") || name.starts_with(word)) {
                    return Ok(Place { layout: Layout::of_block(&entry.path()) });
                }
            }
        }
        let folder = Path::new(word);
        if folder.join("log").is_dir() {
            Ok(Place { layout: Layout::new(folder) })
        } else if folder.join("events.jsonl").exists() || folder.join("segments").is_dir() {
            Ok(Place { layout: Layout::of_block(folder) })
        } else {
            Err(NoPlace::Unknown(word.to_owned(), blocks))
        }
    }

    /// Where the log's files are.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.layout.log()
    }

    /// Whether it is still what was written, and who says so.
    pub fn verify(&self, options: &VerifyOptions) -> Result<Verdict, LogError> {
        verify_at(&disk(), &self.layout, options)
    }

    /// That a line stands under the newest checkpoint.
    pub fn prove(&self, seq: Seq) -> Result<Bundle, ProveError> {
        ghost_log::prove(&disk(), &self.layout, seq)
    }

    /// That one size continues another.
    pub fn continued(&self, old: u64, new: u64) -> Result<Continued, ProveError> {
        ghost_log::continued(&disk(), &self.layout, old, new)
    }

    /// The checkpoint under which a block was sealed.
    pub fn checkpoint_of(&self, block: u64) -> Result<SignedCheckpoint, ProveError> {
        ghost_log::checkpoint_of_block(&disk(), &self.layout, block)
    }

    /// Writes the tree as C2SP tlog-tiles has it.
    pub fn write_tiles(&self, out: &Path) -> Result<Tiled, ProveError> {
        ghost_log::write_tiles(&disk(), &self.layout, out)
    }
}

/// The number that a logged line gives itself.
#[must_use]
pub fn seq_of(line: &[u8]) -> Option<Seq> {
    Tail::of(line).map(|tail| tail.seq)
}

/// The key that signs this data folder's log, and the file in which it lies.
pub fn signing_key(data: &DataDir) -> Result<(SigningKey, PathBuf), NoKey> {
    let layout = Layout::new(data.root());
    let path = layout.current_key();
    let id = read_text(&path)?;
    let bad = |path: &Path, cause: &str| NoKey::Bad { path: path.to_owned(), cause: cause.into() };
    let id = KeyId::parse(id.trim_end()).ok_or_else(|| bad(&path, "it names no key"))?;
    let path = layout.key(id);
    let text = read_text(&path)?;
    let key = SigningKey::parse(text.trim_end()).map_err(|e| bad(&path, &e.to_string()))?;
    if key.id() == id { Ok((key, path)) } else { Err(bad(&path, "it holds another key")) }
}

fn read_text(path: &Path) -> Result<String, NoKey> {
    std::fs::read_to_string(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => NoKey::None { path: path.to_owned() },
        _ => NoKey::Io { path: path.to_owned(), source },
    })
}

/// Why there is no key to show.
#[derive(Debug, thiserror::Error)]
pub enum NoKey {
    #[error(
        "{}: no key is here; one is made when the log is next written to. Where there was one, put \
         its backup back, or the log goes on with a key that the old one did not authorise",
        path.display()
    )]
    None { path: PathBuf },
    #[error("{}: {cause}; put its backup back", path.display())]
    Bad { path: PathBuf, cause: String },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

/// Whether another writer holds the log.
#[must_use]
pub fn is_locked(error: &LogError) -> bool {
    matches!(error, LogError::Locked { .. })
}

/// The name of this host, for the key of a log that has none yet; one that has keeps its own.
#[must_use]
pub fn host_identity() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// What a rotation did.
#[derive(Debug, Clone)]
pub struct Rotated {
    /// The key before; `None` where the log had none.
    pub old: Option<VerifyingKey>,
    pub new: VerifyingKey,
    /// Lines under the first checkpoint that the new key signed.
    pub size: u64,
}

/// Gives the log a new key, which the old one names; signs a checkpoint with it. Takes the writer's
/// lock.
pub fn rotate_key(
    data: &DataDir,
    identity: String,
    seeds: [[u8; 32]; 2],
    log_id: [u8; 16],
    clock: Arc<dyn Clock>,
) -> Result<Rotated, LogError> {
    let config = LogConfig {
        log_id,
        identity,
        key_seed: seeds[0],
        program: PROGRAM.to_owned(),
        holder: format!("ghostbridge key rotate, pid {}", std::process::id()),
        ..LogConfig::default()
    };
    let had = signing_key(data).is_ok();
    let (mut log, _) = Log::open(data.root(), config, clock)?;
    let old = log.verifying_key().cloned();
    let new = match &old {
        // The key that was made just now for a log that had none is new enough.
        Some(key) if !had => key.clone(),
        _ => log.rotate_key(seeds[1])?,
    };
    let size = log.checkpoint()?.size;
    Ok(Rotated { old: old.filter(|key| *key != new), new, size })
}

/// The fingerprint of an ssh key's base64, as `ssh` shows it to a person: `SHA256:…`.
#[must_use]
pub fn ssh_fingerprint(key: &str) -> Option<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
    use sha2::Digest as _;
    let bytes = STANDARD.decode(key).ok()?;
    Some(format!("SHA256:{}", STANDARD_NO_PAD.encode(sha2::Sha256::digest(bytes))))
}

fn disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}
