//! A log with blocks on a real disk, as tests need it.
#![allow(dead_code, reason = "each test file needs another part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghost_block::{
    Block, BlockError, Cap, Keep, Lost, Reason, SealFacts, SealRecovery, Sealer, Tended,
    VolumeKind, make_subvolumes, open_volume,
};
use ghost_event::{Priority, Timestamp};
use ghost_lab::LoopFs;
use ghost_log::{Layout, Log, LogConfig, LogError, LogReader, VerifyOptions, verify_at};
use ghost_world::{Clock as _, Disk, RealClock, RealDisk};

pub(crate) const OPTIONS: &str = "compress=zstd:3,noatime";

/// An open log and its blocks.
pub(crate) struct House {
    pub(crate) data: PathBuf,
    pub(crate) log: Log,
    pub(crate) sealer: Sealer,
    pub(crate) recovery: SealRecovery,
    /// Events so far, and since the last block.
    pub(crate) number: u64,
    pub(crate) since: BTreeMap<String, u64>,
}

pub(crate) fn disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

pub(crate) fn config(segment_bytes: u64) -> LogConfig {
    LogConfig {
        segment_bytes,
        log_id: [0xab; 16],
        identity: "test".to_owned(),
        key_seed: [7; 32],
        ..LogConfig::default()
    }
}

/// A line's body of about `bytes`, which hardly compresses.
pub(crate) fn body(number: u64, bytes: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut noise = String::new();
    while noise.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise += &format!("{state:x}");
    }
    let time = "2026-11-20T05:56:41.000000+0000";
    format!(
        "{{\"timestamp\":\"{time}\",\"event_type\":\"flow\",\"noise\":\"{noise}\",\
         \"ghost\":{{\"v\":1,\"event\":{number}"
    )
    .into_bytes()
}

impl House {
    pub(crate) fn open(data: &Path, segment_bytes: u64) -> House {
        let open = || Log::open(data, config(segment_bytes), Arc::new(RealClock));
        let (log, _) = unlocked(open).unwrap();
        let (sealer, recovery) =
            Sealer::open(disk(), open_volume(data), Layout::new(data)).unwrap();
        let (data, since) = (data.to_owned(), BTreeMap::new());
        House { data, log, sealer, recovery, number: 0, since }
    }

    pub(crate) fn again(self, segment_bytes: u64) -> House {
        let (data, number, since) = (self.data.clone(), self.number, self.since.clone());
        drop(self);
        House { number, since, ..House::open(&data, segment_bytes) }
    }

    pub(crate) fn append(&mut self, bytes: usize) -> Result<(), LogError> {
        self.number += 1;
        self.log.append(Priority::Low, None, &body(self.number, bytes))?;
        *self.since.entry("flow".to_owned()).or_default() += 1;
        Ok(())
    }

    pub(crate) fn events(&mut self, count: u64) {
        for _ in 0..count {
            self.append(200).unwrap();
        }
    }

    pub(crate) fn seal(&mut self) -> Result<Option<Block>, BlockError> {
        let facts = SealFacts {
            t2_ready_size: self.log.size(),
            events: &self.since,
            lost: Lost::default(),
            reason: Reason::Asked,
            waited_ms: 0,
            time: now(),
        };
        let sealed = self.sealer.seal(&mut self.log, &facts)?;
        if sealed.is_some() {
            self.since.clear();
        }
        Ok(sealed)
    }

    pub(crate) fn tend(&mut self, cap: u64) -> Result<Tended, BlockError> {
        self.sealer.tend(&mut self.log, &Cap { bytes: cap }, &Keep::default(), now())
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.data.join("blocks"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    pub(crate) fn path(&self, block: &Block) -> PathBuf {
        ghost_block::path_of(&self.data, &block.name)
    }
}

/// What `f` gives once the log's lock is free: a program that another test starts holds what this one
/// has open for a moment, until it is that program.
pub(crate) fn unlocked<T, E: std::fmt::Display>(
    mut f: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let mut tries = 0;
    loop {
        match f() {
            Err(error) if tries < 200 && error.to_string().contains("another writer") => {
                tries += 1;
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            other => return other,
        }
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp(RealClock.wall_ns())
}

/// A file system of each kind, with a data folder on it.
pub(crate) fn volumes(bytes: u64) -> Vec<(LoopFs, PathBuf, VolumeKind)> {
    let mut all = Vec::new();
    for kind in [VolumeKind::Btrfs, VolumeKind::Folder] {
        let fs = match kind {
            VolumeKind::Btrfs => LoopFs::btrfs(bytes, OPTIONS),
            _ => LoopFs::ext4(bytes),
        };
        let fs = fs.unwrap();
        let data = fs.path().join("data");
        make_subvolumes(&data).unwrap();
        assert_eq!(open_volume(&data).kind(), kind);
        all.push((fs, data, kind));
    }
    // A plain folder on a file system with reflinks.
    let fs = LoopFs::btrfs(bytes, OPTIONS).unwrap();
    let data = fs.path().join("data");
    std::fs::create_dir_all(data.join("log")).unwrap();
    assert_eq!(open_volume(&data).kind(), VolumeKind::Folder);
    all.push((fs, data, VolumeKind::Folder));
    all
}

/// The whole lines of a log, wherever it lies.
pub(crate) fn lines(layout: Layout) -> Vec<Vec<u8>> {
    let reader = LogReader::at(disk(), layout);
    let mut lines = reader.lines(0);
    let mut all = Vec::new();
    while let Some(line) = lines.next().unwrap() {
        all.push(line.bytes.to_vec());
    }
    all
}

/// That a block holds the log as it was: exactly its lines, chained, signed, under its root.
pub(crate) fn check_block(house: &House, block: &Block) {
    let layout = Layout::of_block(&house.path(block));
    let verdict = verify_at(&disk(), &layout, &VerifyOptions::default()).unwrap();
    assert!(verdict.ok(), "{:?}", verdict.wrong());
    assert_eq!((verdict.head.seq, verdict.root), (block.size, Some(block.root)));
    let manifest = ghost_block::manifest_of(&disk(), &house.path(block)).unwrap();
    assert_eq!((manifest.sealed_size, manifest.root), (block.size, block.root));
    assert_eq!(manifest.first_seq, verdict.first_seq);
}
