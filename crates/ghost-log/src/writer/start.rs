//! A start: the log is opened or made, what a power cut left is put right, an epoch begins.
//!
//! In this order, so that a power cut at any place leaves a log that the next start opens: the
//! epoch is durable beside the log, then the key; then the lines that tell of both; then leftovers
//! go, and a checkpoint that was torn is signed anew.

use std::path::Path;
use std::sync::Arc;

use ghost_event::line::{EpochNote, KeyNote, Note, RecoveredNote, RetiredNote};
use ghost_world::{Clock, Disk, File, Locked, RealDisk};

use super::{Chain, Log, create_active};
use crate::edge::Edge;
use crate::epoch;
use crate::error::{LogError, no_space};
use crate::head::HeadFile;
use crate::keys::{self, KeyFound, Keys};
use crate::layout::Layout;
use crate::limits::{LogConfig, WRITE_BYTES};
use crate::proof::key::{KeyId, SigningKey};
use crate::recover::ledger::{self, Witness};
use crate::recover::{self, Names, Recovery};

impl Log {
    /// Opens the log under the data folder `data`, makes it where there is none, and begins an epoch.
    pub fn open(
        data: &Path,
        config: LogConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<(Log, Recovery), LogError> {
        Log::open_on(Arc::new(RealDisk), data, config, clock)
    }

    /// The same on any disk.
    pub fn open_on(
        disk: Arc<dyn Disk>,
        data: &Path,
        config: LogConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<(Log, Recovery), LogError> {
        let layout = Layout::new(data);
        for dir in [layout.segments(), layout.state()] {
            disk.create_dirs(&dir).map_err(LogError::io("make the folder", &dir))?;
        }
        let path = layout.lock();
        let lock = match disk.lock(&path, &config.holder).map_err(LogError::io("lock", &path))? {
            Locked::Mine(lock) => lock,
            Locked::Theirs(holder) => return Err(LogError::Locked { path, holder }),
        };
        let link = layout.link();
        disk.link(Path::new("log/events.jsonl"), &link).map_err(LogError::io("link", &link))?;

        // Of a rotation that was cut off.
        let _ = disk.remove(&layout.next_active());

        let keys = Keys::new(Arc::clone(&disk), layout.clone());
        let witness = Witness::read(&*disk, &layout)?;
        let signed = |log_id: &str| witness.of(log_id, &keys).1.map_or(0, |c| c.size);
        let mut found = recover::find(&disk, &layout, &config, signed)?;
        let hex = |id: [u8; 16]| id.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let log_id = found.names.log_id.clone().unwrap_or_else(|| hex(config.log_id));
        let claim = witness.of(&log_id, &keys);
        let ledger = ledger::find(&disk, &layout, &config, &mut found, claim)?;

        let epoch = found.names.epoch.max(epoch::read(&*disk, &layout)) + 1;
        epoch::keep(&*disk, &layout, epoch)?;
        let origin = origin_of(&found.names, &claim, &keys, &config, &log_id);
        let (key, key_found) = key_of(&found.names, &keys, &origin, &config, &log_id)?;
        let mut recovery = Recovery {
            log_id,
            epoch,
            head: found.head,
            cut: found.cut,
            checkpoint: ledger.checkpoint,
            key: key_found,
            tiles_made: ledger.tiles_made,
            retired: ledger.leftovers.len() as u64,
        };
        if matches!(witness, Witness::Missing) && found.names.key.is_some() {
            recovery.checkpoint = recover::CheckpointFound::Missing;
        }
        // Without it a torn end cannot be told from damage, so a disk without room for it is too full.
        let head_file = match open_or_create(&*disk, &layout.head()) {
            Err(e) if no_space(&e) => return Err(LogError::NoSpace { path: layout.head() }),
            other => other.ok(),
        };
        let file = match found.active {
            Some(file) => file,
            None => create_active(&*disk, &layout)?,
        };
        let import_file = open_or_create(&*disk, &layout.imports())
            .and_then(|f| f.len().map(|len| (f, len)))
            .ok();
        let mut log = Log {
            head_file: head_file.map(HeadFile::new),
            // What a start finds it has written anew, and durable.
            import_synced: import_file.as_ref().map_or(0, |(_, len)| *len),
            import_file,
            file,
            chain: Chain {
                head: found.head,
                segment: found.segment,
                bytes: found.active_bytes,
                lines: found.active_lines,
            },
            buffer: Vec::with_capacity(2 * WRITE_BYTES),
            written: found.active_bytes,
            durable: found.head,
            pending: 0,
            pending_prio: None,
            deadline_ns: None,
            synced_ns: 0,
            bulk: config.bulk,
            refused: None,
            full_at: None,
            cut: false,
            shapes: found.shapes,
            imports: found.imports,
            sealed: found.sealed,
            elements: found.elements,
            elements_turned_away: 0,
            element_stated: 0,
            tree: ledger.tree,
            keys,
            key,
            told_key: found.names.key,
            origin,
            signed: None,
            log_id: recovery.log_id.clone(),
            epoch,
            note: Vec::new(),
            disk,
            clock,
            layout,
            config,
            _lock: lock,
        };
        let noted = log.begin(&recovery, found.names.epoch, ledger.edge.as_ref())?;
        if let Some(heads) = &mut log.head_file {
            // Both slots: a head of lines that are gone must not outlive them. From here on they
            // need no more room.
            match heads.write(&log.durable) {
                Err(e) if no_space(&e) => {
                    return Err(LogError::NoSpace { path: log.layout.head() });
                }
                _ => {}
            }
        }
        log.keep_head();
        if let (Some(mut edge), true) = (ledger.edge, noted) {
            edge.noted = log.durable.seq;
            edge.keep(&*log.disk, &log.layout)?;
        }
        log.remove_segments(&ledger.leftovers)?;
        if recovery.checkpoint.wants_another() {
            match log.checkpoint() {
                // Told with the next one.
                Ok(_)
                | Err(LogError::NoKey { .. } | LogError::NoTree | LogError::NoSpace { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        Ok((log, recovery))
    }

    /// Writes the lines of a start, and makes them durable. True where a retirement is among them.
    fn begin(
        &mut self,
        recovery: &Recovery,
        epoch_before: u64,
        edge: Option<&Edge>,
    ) -> Result<bool, LogError> {
        if self.chain.lines == 0 && self.chain.head.seq > 0 {
            // A segment's first line names log and epoch, whatever follows it.
            self.segment_note(epoch_before);
        }
        let head = self.chain.head;
        let (log, program) = (self.log_id.clone(), self.config.program.clone());
        let boot = self.clock.boot_id();
        self.put_note(&Note::Epoch(EpochNote {
            log: log.into(),
            epoch: self.epoch,
            parent_seq: head.seq,
            parent_leaf: head.leaf,
            program: program.into(),
            boot: boot.into(),
            key: self.told_key.map(|id| id.to_string()).unwrap_or_default().into(),
        }));
        if let Ok(key) = &self.key
            && self.told_key != Some(key.id())
        {
            let (id, key) = (key.id(), key.verifying_key().to_string());
            self.put_note(&Note::Key(KeyNote { key: key.into(), ..KeyNote::default() }));
            self.told_key = Some(id);
        }
        // The line that told of the newest retirement was lost with the tail.
        let noted = edge.filter(|edge| edge.noted > recovery.head.seq);
        if let Some(edge) = noted {
            let first_seq = edge.first;
            let old = self.sealed.iter().filter(|(first, _)| *first < first_seq);
            let (segments, bytes) = old.fold((0, 0), |(n, sum), (_, bytes)| (n + 1, sum + bytes));
            self.put_note(&Note::Retired(RetiredNote { first_seq, segments, bytes }));
        }
        if let Some(cut) = &recovery.cut {
            let kept = cut.kept.as_ref().and_then(|p| p.file_name()).and_then(|n| n.to_str());
            self.put_note(&Note::Recovered(RecoveredNote {
                after_seq: cut.after_seq,
                bytes: cut.bytes,
                lines: cut.lines,
                acknowledged_lost: cut.acknowledged_lost,
                kept: kept.unwrap_or_default().to_owned().into(),
            }));
        }
        self.sync()?;
        if let Ok(key) = &self.key {
            // What it says the log says as well.
            let _ = self.keys.set_current(key.id());
            self.config.key_seed = [0; 32];
        }
        Ok(noted.is_some())
    }
}

/// A log keeps the origin of its first key.
fn origin_of(
    names: &Names,
    claim: &(recover::CheckpointFound, Option<&crate::proof::checkpoint::Checkpoint>),
    keys: &Keys,
    config: &LogConfig,
    log_id: &str,
) -> String {
    let of_key = |id: Option<KeyId>| {
        id.and_then(|id| keys.load(id, log_id)).map(|key| key.verifying_key().name.clone())
    };
    let told = names.origin.clone().filter(|origin| keys::is_origin_of(origin, log_id));
    told.or_else(|| of_key(names.key))
        .or_else(|| claim.1.map(|checkpoint| checkpoint.origin.clone()))
        .or_else(|| of_key(keys.current()))
        .unwrap_or_else(|| keys::origin(&config.identity, log_id))
}

/// The key that signs: the log's own, else a new one.
fn key_of(
    names: &Names,
    keys: &Keys,
    origin: &str,
    config: &LogConfig,
    log_id: &str,
) -> Result<(Result<SigningKey, String>, KeyFound), LogError> {
    // Where the log names none, one may have been made and its line lost.
    let theirs = names.key.or_else(|| keys.current()).or_else(|| keys.only(log_id));
    if let Some(key) = theirs.and_then(|id| keys.load(id, log_id)) {
        let id = key.id();
        return Ok((Ok(key), KeyFound::Known(id)));
    }
    let made = keys::make(origin, config.key_seed).and_then(|key| keys.keep(&key).map(|()| key));
    match made {
        Ok(key) => {
            let new = key.id();
            let found = match names.key {
                Some(lost) => KeyFound::Replaced { lost, new },
                None => KeyFound::Made(new),
            };
            Ok((Ok(key), found))
        }
        Err(e @ (LogError::NoSeed | LogError::NoSpace { .. } | LogError::Key { .. })) => {
            let cause = e.to_string();
            Ok((Err(cause.clone()), KeyFound::None { cause }))
        }
        Err(e) => Err(e),
    }
}

/// State may be missing: it is made anew, and where even that fails, gone without.
fn open_or_create(disk: &dyn Disk, path: &Path) -> std::io::Result<Box<dyn File>> {
    disk.open(path).or_else(|_| disk.create(path))
}
