//! What is believed of one log, and made durable before it is.
//!
//! In this order, so that a power cut at any place leaves what the next start takes up: a block's
//! bytes are durable before it is remembered, it is remembered before it gets its name, and the tail
//! loses its lines after that.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghost_block::{BlockName, Subvolume, subvolume};
use ghost_event::Digest;
use ghost_log::proof::key::SigningKey;
use ghost_log::proof::leaf;
use ghost_ship::accept::{Accepted, Begun, BlockCheck};
use ghost_ship::wire::{
    BlockBegin, Code, Growth, Health, Hello, Kind, Limits, Lines, Place, Refusal, Role,
};
use ghost_world::{Disk, Lock, Locked, RealDisk};

use super::{Common, retain};
use crate::kept::{Kept, KeptBlock, Seal, put};
use crate::limits::{BLOCKS_MAX, TAIL_FILE_BYTES_MAX};
use crate::tail::{Found, Tail};
use crate::{ReplicaDir, ReplicaError};

/// How the name of a block begins that is on its way.
pub(crate) const INCOMING: &str = "incoming-";
/// And of one that somebody changed after it was verified.
const EDITED: &str = "edited-";

/// A block is not as it was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edited;

/// What was found of a block when it was verified.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verified {
    /// None of a plain folder.
    pub(crate) seal: Option<Seal>,
    /// The oldest line that the log says is kept.
    pub(crate) retired: u64,
}

/// One log.
#[derive(Debug)]
pub(crate) struct State {
    dir: ReplicaDir,
    disk: Arc<dyn Disk>,
    kept: Kept,
    /// It was met: it stands in its file.
    met: bool,
    accepted: Accepted,
    tail: Tail,
    key: SigningKey,
    broken: bool,
    _lock: Lock,
}

fn unable(error: &ReplicaError) -> Refusal {
    match error {
        ReplicaError::Io { source, .. } => cannot(source),
        _ => Refusal::new(Code::Later, "this replica can't keep it now"),
    }
}

fn cannot(error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Refusal::new(Code::Full, "there is no room on this replica's disk")
        }
        _ => Refusal::new(Code::Later, "this replica's disk failed"),
    }
}

impl State {
    /// Takes up what lies on the disk: leftovers go, what was acknowledged is read again.
    pub(super) fn load(
        dir: &ReplicaDir,
        common: &Common,
        now_ns: i64,
    ) -> Result<State, ReplicaError> {
        let disk = Arc::clone(&common.disk);
        let blocks = dir.blocks();
        disk.create_dirs(&blocks).map_err(ReplicaError::io("make the folder", &blocks))?;
        let state = dir.state();
        disk.create_secret_dirs(&state).map_err(ReplicaError::io("make the folder", &state))?;
        let path = state.join("lock");
        let lock = match disk
            .lock(&path, &format!("pid {}", std::process::id()))
            .map_err(ReplicaError::io("lock", &path))?
        {
            Locked::Mine(lock) => lock,
            Locked::Theirs(holder) => {
                return Err(ReplicaError::Refused(format!(
                    "{} is in use by {holder}",
                    path.display()
                )));
            }
        };
        let read = Kept::read(&*disk, dir)?;
        let met = read.is_some();
        let mut kept = read.unwrap_or_else(|| Kept::new(dir.log_id(), ""));
        let say = |words: &str| common.host.say(&format!("replica of {}: {words}", dir.log_id()));
        tidy(&mut kept, dir, common, &say)?;
        let key = key_of(&*disk, dir, common)?;
        let (mut tail, found) = Tail::open(&disk, &dir.tail())?;
        if let Found::Damaged(at) = found {
            say(&format!(
                "the tail is damaged from byte {at} on; what comes after is fetched again"
            ));
            aside(&*disk, dir, &tail, now_ns)?;
            tail.cut_from(tail.last() + 1).map_err(ReplicaError::io("cut", &dir.tail()))?;
        }
        let mut accepted = kept.accepted();
        replay(&mut accepted, &mut tail, dir, &disk, now_ns, &say)?;
        Ok(State {
            dir: dir.clone(),
            disk,
            kept,
            met,
            accepted,
            tail,
            key,
            broken: false,
            _lock: lock,
        })
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken || self.tail.is_broken()
    }

    /// What this side says first.
    pub(crate) fn hello(&self, common: &Common) -> Hello {
        let a = &self.accepted;
        let witnessed = a.witnessed().cloned();
        let mut forms = common.receive.forms();
        forms.push(ghost_ship::wire::Form::Lines);
        forms.dedup();
        Hello {
            role: Role::Replica,
            name: common.name.clone(),
            program: common.program.clone(),
            limits: Limits::OURS,
            log: self.met.then_some(self.kept.log),
            epoch: if self.met { a.epoch() } else { 0 },
            held: a.held(),
            signed_size: witnessed.as_ref().map_or(0, |w| w.size),
            signed_root: witnessed.as_ref().map_or(Digest::ZERO, |w| w.root),
            note: witnessed.map_or_else(String::new, |w| w.note),
            blocks: a.told(),
            forms,
            key: self.key.verifying_key().to_string(),
        }
    }

    /// Whether this primary's history can be ours; from then on it is.
    pub(crate) fn meet(&mut self, hello: &Hello) -> Result<(), Refusal> {
        self.accepted.meet(hello)?;
        let mut accepted = self.accepted.clone();
        accepted.keep_meeting(hello);
        let mut kept = self.kept.clone();
        kept.keys = accepted.keys().clone();
        kept.name = identity_of(hello, kept.keys.all().first().map(|key| key.name.as_str()));
        if !self.met || kept != self.kept {
            kept.write(&*self.disk, &self.dir).map_err(|e| unable(&e))?;
            (self.kept, self.met) = (kept, true);
        }
        self.accepted = accepted;
        Ok(())
    }

    pub(crate) fn held(&self) -> Place {
        self.accepted.held()
    }

    /// Lines that run ahead: durable when this returns.
    pub(crate) fn tail(
        &mut self,
        epoch: u64,
        lines: &Lines,
        theirs: &str,
    ) -> Result<Place, Refusal> {
        let step = self.accepted.tail(epoch, lines, theirs)?;
        if step.is_replay() {
            return Ok(self.accepted.held());
        }
        let new = lines.after(step.after);
        if self.tail.len() + new.len() as u64 > TAIL_FILE_BYTES_MAX {
            let words = "the tail is as long as it may be: a block must come first";
            return Err(Refusal::new(Code::Full, words).about(Kind::Tail));
        }
        self.tail.append(step.after + 1, new).map_err(|e| cannot(&e).about(Kind::Tail))?;
        self.accepted.keep_tail(step);
        Ok(self.accepted.held())
    }

    /// A checkpoint to be cosigned: size, root and the line.
    pub(crate) fn witness(
        &mut self,
        note: &str,
        growth: &Growth,
        now_ns: i64,
    ) -> Result<(u64, Digest, String), Refusal> {
        let step = self.accepted.witness(note, growth)?;
        let mut kept = self.kept.clone();
        kept.witnessed = Some(step.witnessed().clone());
        kept.keys = self.accepted.keys().clone();
        kept.write(&*self.disk, &self.dir).map_err(|e| unable(&e).about(Kind::Checkpoint))?;
        self.kept = kept;
        self.accepted.keep_witnessed(&step);
        let (size, root) = (step.witnessed().size, step.witnessed().root);
        Ok((size, root, step.cosign(&self.key, seconds(now_ns))))
    }

    /// Whether this block may come.
    pub(crate) fn begin_block(&self, begin: &BlockBegin) -> Result<Begun, Refusal> {
        self.accepted.begin_block(begin)
    }

    /// The block that an increment builds on, as it was verified.
    pub(crate) fn parent(&self, number: u64) -> Result<KeptBlock, Edited> {
        let block = self.kept.blocks.iter().find(|b| b.known.number == number).ok_or(Edited)?;
        if is_as_verified(&self.dir, block) { Ok(block.clone()) } else { Err(Edited) }
    }

    /// A block is not what was verified: it is set aside, and what it alone held is fetched again.
    pub(crate) fn set_aside(&mut self, number: u64, common: &Common) {
        common.host.say(&format!(
            "replica of {}: block {number} was changed after it was verified: it is set aside as \
             {EDITED}*, and its lines are fetched again",
            self.dir.log_id()
        ));
        // Read anew: then what is held is what is left.
        self.broken = true;
    }

    /// Whether the newest block is as it was verified.
    pub(crate) fn newest_is_whole(&self) -> Result<(), u64> {
        match self.kept.blocks.last() {
            Some(block) if !is_as_verified(&self.dir, block) => Err(block.known.number),
            _ => Ok(()),
        }
    }

    /// A block's bytes are durable under `incoming`: it is remembered, gets its name, and may be
    /// acknowledged. The cosignature, where one is due.
    pub(crate) fn keep_block(
        &mut self,
        check: BlockCheck,
        incoming: &Path,
        found: Verified,
        block_leaf: impl FnOnce(u64) -> Option<Digest>,
        now_ns: i64,
    ) -> Result<Option<String>, Refusal> {
        let about = Kind::BlockEnd;
        let number = check.begin().number;
        let of_tail = |seq| self.tail.line(seq).map(|line| leaf(&line));
        let step = self.accepted.end_block(check, of_tail, block_leaf)?;
        let line = step.cosign(&self.key, seconds(now_ns));
        let mut accepted = self.accepted.clone();
        let settled = accepted.keep_block(step);
        let known = accepted.newest().filter(|known| known.number == number).cloned();
        let Some(known) = known else {
            let words = "a newer block came before it";
            return Err(Refusal::new(Code::Later, words).about(about));
        };
        let mut kept = self.kept.clone();
        let Verified { seal, retired } = found;
        kept.blocks.push(KeptBlock { known, seal, verified_ns: now_ns, retired });
        kept.witnessed = accepted.witnessed().cloned();
        kept.keys = accepted.keys().clone();
        let name =
            BlockName::new(number, &kept.blocks.last().map_or(Digest::ZERO, |b| b.known.root));
        kept.write(&*self.disk, &self.dir).map_err(|e| unable(&e).about(about))?;
        let blocks = self.dir.blocks();
        let named = fs::rename(incoming, blocks.join(name.to_string()))
            .and_then(|()| self.disk.sync_dir(&blocks));
        if let Err(error) = named {
            self.broken = true;
            return Err(cannot(&error).about(about));
        }
        (self.kept, self.accepted) = (kept, accepted);
        if self.tail.drop_to(settled.drop_tail).is_err() {
            // The lines are in the block: what is left of the tail is passed over by the next start.
            self.broken = true;
        }
        Ok(line)
    }

    /// Forgets a block that goes by age or by room, and says which: its deletion is the caller's.
    pub(crate) fn retire(&mut self, common: &Common) -> Result<Vec<BlockName>, Refusal> {
        let settings = common.settings();
        let times: Vec<_> =
            self.kept.blocks.iter().map(|b| (b.known.number, b.verified_ns)).collect();
        let free = room(self.dir.path()).map_or(u64::MAX, |(free, _)| free);
        let scarce = free < settings.spare_bytes.saturating_mul(4) || times.len() >= BLOCKS_MAX;
        let mut gone = retain::gone(&times, settings, scarce);
        // As many as come, and one more: a mass deletion stalls whoever writes there.
        gone.truncate(2);
        if gone.is_empty() {
            return Ok(Vec::new());
        }
        let mut kept = self.kept.clone();
        kept.blocks.retain(|b| !gone.contains(&b.known.number));
        kept.write(&*self.disk, &self.dir).map_err(|e| unable(&e))?;
        let of = |b: &&KeptBlock| gone.contains(&b.known.number);
        let names = self.kept.blocks.iter().filter(of).map(KeptBlock::name).collect();
        self.kept = kept;
        gone.iter().for_each(|number| self.accepted.forget_block(*number));
        Ok(names)
    }
}

/// How this host does, as the primary is told.
pub(crate) fn health(dir: &ReplicaDir, indexed: u64, load: u32) -> Health {
    let near = dir.path().ancestors().find_map(room);
    let (free_bytes, total_bytes) = near.unwrap_or((0, 0));
    Health { free_bytes, total_bytes, indexed, load }
}

pub(crate) fn room(path: &Path) -> Option<(u64, u64)> {
    let found = rustix::fs::statvfs(path).ok()?;
    let bytes = |units: u64| units.saturating_mul(found.f_frsize);
    Some((bytes(found.f_bavail), bytes(found.f_blocks)))
}

pub(crate) fn seconds(ns: i64) -> u64 {
    u64::try_from(ns / 1_000_000_000).unwrap_or(0)
}

/// The host that a log is of: as its key says, or as its primary calls itself.
fn identity_of(hello: &Hello, key: Option<&str>) -> String {
    let of_key = key.and_then(|name| name.split_once('/')).map(|(identity, _)| identity);
    let name = of_key.filter(|identity| !identity.is_empty()).unwrap_or(&hello.name);
    name.chars().filter(|c| !c.is_control()).take(128).collect()
}

/// What a subvolume is known by after it was verified.
pub(crate) fn seal_of(found: &Subvolume) -> Seal {
    Seal { uuid: found.uuid, changed: found.changed }
}

fn is_as_verified(dir: &ReplicaDir, block: &KeptBlock) -> bool {
    let path = dir.blocks().join(block.name().to_string());
    match (block.seal, subvolume(&path)) {
        // Without what it was received from, no stream builds on it.
        (Some(seal), Ok(Some(found))) => {
            found.read_only && found.received_uuid != [0; 16] && seal_of(&found) == seal
        }
        (None, Ok(None)) => true,
        _ => false,
    }
}

/// Puts the folder of blocks right: what is remembered has its name, and nothing else is there.
fn tidy(
    kept: &mut Kept,
    dir: &ReplicaDir,
    common: &Common,
    say: &dyn Fn(&str),
) -> Result<(), ReplicaError> {
    let folder = dir.blocks();
    let failed = |e| ReplicaError::io("put right", &folder)(e);
    let there = RealDisk.list(&folder).map_err(failed)?;
    let mut known = Vec::new();
    for block in &kept.blocks {
        let (name, incoming) = (block.name().to_string(), incoming_of(block.known.number));
        if !there.contains(&name) && there.contains(&incoming) {
            // The power went between remembering it and naming it.
            let found = subvolume(&folder.join(&incoming)).map_err(failed)?;
            let is_it = match (block.seal, found) {
                (Some(seal), Some(found)) => found.read_only && seal_of(&found) == seal,
                (None, None) => true,
                _ => false,
            };
            if is_it {
                fs::rename(folder.join(&incoming), folder.join(&name)).map_err(failed)?;
            }
        }
        if !folder.join(&name).exists() {
            say(&format!("block {} is gone; its lines are fetched again", block.known.number));
        } else if is_as_verified(dir, block) {
            known.push(block.clone());
        } else {
            say(&format!(
                "block {} was changed after it was verified; it is set aside as {EDITED}{name}",
                block.known.number
            ));
            fs::rename(folder.join(&name), folder.join(format!("{EDITED}{name}")))
                .map_err(failed)?;
        }
    }
    let names: Vec<String> = known.iter().map(|b: &KeptBlock| b.name().to_string()).collect();
    if names.len() != kept.blocks.len() {
        kept.blocks = known;
        kept.write(&*common.disk, dir)?;
    }
    for name in RealDisk.list(&folder).map_err(failed)? {
        let ours = name.starts_with(INCOMING) || BlockName::parse(&name).is_some();
        if ours
            && !names.contains(&name)
            && let Err(error) = delete(common, dir, &name)
        {
            say(&format!("can't remove {}: {error}", folder.join(&name).display()));
        }
    }
    Ok(())
}

pub(crate) fn incoming_of(number: u64) -> String {
    format!("{INCOMING}{number}")
}

/// Deletes an entry of the blocks' folder: a subvolume by whoever may, a plain folder here.
pub(crate) fn delete(common: &Common, dir: &ReplicaDir, name: &str) -> Result<(), ReplicaError> {
    let path = dir.blocks().join(name);
    let failed = |e| ReplicaError::io("delete", &path)(e);
    match subvolume(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(None) => remove_folder(&path).map_err(failed),
        Err(e) => Err(failed(e)),
        Ok(Some(_)) => common
            .receive
            .delete(dir.log_id(), name)
            .map_err(|e| failed(io::Error::other(e.to_string()))),
    }
}

/// Removes a folder whose parts may not be written.
fn remove_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fn open(path: &Path) -> io::Result<()> {
        fs::set_permissions(path, fs::Permissions::from_mode(0o750))?;
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open(&entry.path())?;
            }
        }
        Ok(())
    }
    open(path)?;
    fs::remove_dir_all(path)
}

/// The key that cosigns, made where there is none.
fn key_of(disk: &dyn Disk, dir: &ReplicaDir, common: &Common) -> Result<SigningKey, ReplicaError> {
    let path = dir.cosigning_key();
    match disk.open_read(&path) {
        Ok(file) => {
            let mut bytes = vec![0; 4096];
            let n = file.read_full_at(&mut bytes, 0).map_err(ReplicaError::io("read", &path))?;
            bytes.truncate(n);
            let key = std::str::from_utf8(&bytes).ok().and_then(|t| SigningKey::parse(t).ok());
            key.ok_or_else(|| ReplicaError::Damaged {
                path,
                what: "it holds no key; remove it, and another is made, which every primary \
                       must be told of"
                    .to_owned(),
            })
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let made = SigningKey::cosigner(&common.name, common.host.seed());
            let key = made.map_err(|e| ReplicaError::Refused(e.to_string()))?;
            put(disk, &path, format!("{}\n", key.secret()).as_bytes(), true)?;
            Ok(key)
        }
        Err(e) => Err(ReplicaError::io("open", &path)(e)),
    }
}

/// Shows the tail's lines to what is believed, as if they came.
fn replay(
    accepted: &mut Accepted,
    tail: &mut Tail,
    dir: &ReplicaDir,
    disk: &Arc<dyn Disk>,
    now_ns: i64,
    say: &dyn Fn(&str),
) -> Result<(), ReplicaError> {
    let size = accepted.held().size;
    // What a block has already goes.
    tail.drop_to(size).map_err(ReplicaError::io("shorten", &dir.tail()))?;
    let mut next = tail.first();
    while next != 0 && next <= tail.last() {
        let bytes =
            tail.lines(next, 1 << 20, 4096).map_err(ReplicaError::io("read", &dir.tail()))?;
        let refused = match Lines::new(bytes) {
            None => "they are no lines in a row".to_owned(),
            Some(lines) => match accepted.tail(u64::MAX, &lines, "") {
                Ok(step) => {
                    accepted.keep_tail(step);
                    next = lines.last() + 1;
                    continue;
                }
                Err(refusal) => refusal.words,
            },
        };
        say(&format!(
            "the tail does not go on what is held from line {next} on ({}); what comes after is \
             fetched again",
            refused.escape_debug()
        ));
        aside(&**disk, dir, tail, now_ns)?;
        tail.cut_from(next).map_err(ReplicaError::io("cut", &dir.tail()))?;
        break;
    }
    Ok(())
}

/// Keeps a copy of a tail that is damaged: one, the newest.
fn aside(disk: &dyn Disk, dir: &ReplicaDir, tail: &Tail, _now_ns: i64) -> Result<(), ReplicaError> {
    let _ = (disk, tail);
    let (from, to): (PathBuf, PathBuf) = (dir.tail(), dir.path().join("tail/damaged.jsonl"));
    let copied = fs::copy(&from, &to);
    match copied {
        Ok(_) => Ok(()),
        // A copy for people to look at: without room for it, the rest goes on.
        Err(e) if e.kind() == io::ErrorKind::StorageFull => Ok(()),
        Err(e) => Err(ReplicaError::io("copy", &from)(e)),
    }
}
