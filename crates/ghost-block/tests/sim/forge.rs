//! The end of a history: everything verifies, and nothing verifies any more that was altered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghost_event::Digest;
use ghost_event::line::close;
use ghost_log::proof::tile::{TileAt, WIDTH};
use ghost_log::proof::{Tree, check_consistency, check_inclusion, consistency, inclusion, leaf};
use ghost_log::{
    Layout, Log, LogConfig, LogError, LogReader, TreeReader, VerifyOptions, verify_at,
    verify_element,
};
use ghost_world::{Disk, SimClock, SimDisk};

use super::history::{DATA, History};
use super::known::read_lines;
use super::{Told, hold};

pub fn end(history: &mut History, size: u64) -> Told {
    let disk: Arc<dyn Disk> = Arc::new(history.disk.clone());
    let layout = Layout::new(Path::new(DATA));
    let newest = history.known.newest().cloned().ok_or("no checkpoint was published")?;
    let options = VerifyOptions {
        against: Some(newest.clone().into()),
        keys: history.known.keys.clone(),
        ..VerifyOptions::default()
    };
    let verdict = verify_at(&disk, &layout, &options).map_err(|e| e.to_string())?;
    hold!(verdict.ok(), "the untouched log does not verify: {verdict}");
    hold!(verdict.head.seq == size, "{size} lines, and verification ends at {}", verdict.head.seq);
    tiles(history, &layout, size)?;
    proofs(history, &disk, &layout, size)?;
    elements(history, &disk, &layout)?;
    for _ in 0..2 {
        forgery(history, &layout, &options)?;
    }
    Ok(())
}

/// The chain of every element that was ever told verifies, to the height that it has.
fn elements(history: &History, disk: &Arc<dyn Disk>, layout: &Layout) -> Told {
    let reader = LogReader::at(disk.clone(), layout.clone());
    let mut newest = BTreeMap::new();
    for (seq, (id, height)) in &history.known.links {
        newest.insert(id, (*seq, *height));
    }
    for (id, (seq, height)) in newest {
        let verdict = verify_element(&reader, id).map_err(|e| e.to_string())?;
        hold!(verdict.ok(), "the chain of {id} does not verify: {:?}", verdict.damage);
        let head = verdict.head.map(|head| (head.seq, head.height));
        hold!(head == Some((seq, height)), "the chain of {id} ends at {head:?}, not {height}");
    }
    Ok(())
}

/// Every full tile is there; of each, one hash is the one of its lines.
fn tiles(history: &mut History, layout: &Layout, size: u64) -> Told {
    for level in 1u8.. {
        let lines = WIDTH.pow(u32::from(level) + 1);
        if size < lines {
            break;
        }
        for index in 0..size / lines {
            let at = TileAt { level, index };
            let bytes = history.disk.bytes(&layout.tile(at)).unwrap_or_default();
            hold!(bytes.len() == 8192, "{at:?} of {size} lines has {} bytes", bytes.len());
            let (n, under) = (history.below(WIDTH), lines / WIDTH);
            let first = usize::try_from(index * lines + n * under).unwrap_or(usize::MAX);
            let mut tree = Tree::new();
            for leaf in history.known.leaves.iter().skip(first).take(under as usize) {
                tree.push(*leaf);
            }
            let n = n as usize;
            hold!(bytes[n * 32..][..32] == tree.root().0, "hash {n} of {at:?} is not of its lines");
        }
    }
    Ok(())
}

/// Every checkpoint ever published is continued by the newest; some lines belong to it.
fn proofs(history: &mut History, disk: &Arc<dyn Disk>, layout: &Layout, size: u64) -> Told {
    let mut tree = TreeReader::open(disk.clone(), layout.clone()).map_err(|e| e.to_string())?;
    let found = tree.size().map_err(|e| e.to_string())?;
    hold!(found == size, "the tree on the disk has {found} lines, the log {size}");
    let first = tree.first();
    let root = history.known.root(size);
    let current = history.known.published.iter().filter(|p| !p.fenced);
    for old in current.map(|p| &p.signed.checkpoint) {
        match consistency(&mut tree, old.size, size) {
            Ok(path) => check_consistency(old.size, &old.root, size, &root, &path)
                .map_err(|e| format!("the log does not continue size {}: {e}", old.size))?,
            Err(e) => hold!(may_be_gone(&e, first, old.size), "size {}: {e}", old.size),
        }
    }
    for _ in 0..3 {
        let index = history.random().below(size);
        let leaf = history.known.leaves[usize::try_from(index).unwrap_or(0)];
        match inclusion(&mut tree, index, size) {
            Ok(path) => check_inclusion(index, size, &leaf, &path, &root)
                .map_err(|e| format!("line {} is not proven: {e}", index + 1))?,
            Err(e) => hold!(index + 1 < first, "line {}: {e}", index + 1),
        }
    }
    Ok(())
}

/// Of lines that are retired there are hashes by 256s only.
fn may_be_gone(error: &LogError, first: u64, index: u64) -> bool {
    matches!(error, LogError::Gone { .. }) && index + 1 < first && !index.is_multiple_of(256)
}

/// Alters a copy of the log somewhere, and asks verification.
fn forgery(history: &mut History, layout: &Layout, options: &VerifyOptions) -> Told {
    let forged = history.disk.fork();
    let Some((what, silent)) = alter(history, &forged, layout) else { return Ok(()) };
    history.tally.forgeries += 1;
    if !silent {
        start(history, &forged.fork(), layout, &what)?;
    }
    let bare = !silent && history.below(2) == 0;
    if bare {
        // Nothing but the lines is left: the chain alone must tell.
        for (path, _) in forged.tree(Path::new(DATA)) {
            if path != layout.active() && !path.starts_with(layout.segments()) {
                let _ = forged.remove(&path);
            }
        }
    }
    let nothing = VerifyOptions { without_state: true, ..VerifyOptions::default() };
    let options = if bare { &nothing } else { options };
    let disk: Arc<dyn Disk> = Arc::new(forged);
    match verify_at(&disk, layout, options) {
        Ok(verdict) => hold!(!verdict.ok(), "{what}, and verification says: {verdict}"),
        // Refusing to read it is an answer too.
        Err(LogError::Io { .. }) => return Err(format!("{what}, and verification cannot read it")),
        Err(_) => {}
    }
    Ok(())
}

/// A start reads the active segment whole: where that was altered it refuses, or says what it cut.
fn start(history: &History, forged: &SimDisk, layout: &Layout, what: &str) -> Told {
    let active = layout.active();
    if forged.bytes(&active) == history.disk.bytes(&active) {
        return Ok(());
    }
    let config = LogConfig {
        log_id: [0xab; 16],
        identity: "sim".to_owned(),
        holder: "pid 8".to_owned(),
        ..LogConfig::default()
    };
    let clock = Arc::new(SimClock::new(1_795_154_300_000_000_000));
    match Log::open_on(Arc::new(forged.clone()), Path::new(DATA), config, clock) {
        Ok((_, recovery)) => {
            hold!(recovery.cut.is_some(), "{what}, and the log starts as if nothing had happened");
        }
        // It would say the same of a log that it may not open.
        Err(e @ LogError::Io { .. }) => return Err(format!("{what}, and the start says {e}")),
        Err(_) => {}
    }
    Ok(())
}

/// What was done, and whether the lines alone cannot tell.
fn alter(history: &mut History, disk: &SimDisk, layout: &Layout) -> Option<(String, bool)> {
    let mut files: Vec<(PathBuf, Vec<u8>)> = disk.tree(&layout.segments());
    files.push((layout.active(), disk.bytes(&layout.active())?));
    let kind = history.below(5);
    let random = history.random();
    if kind == 4 {
        return rewrite(history, disk, layout, files).map(|what| (what, true));
    }
    let at = random.index(files.len());
    let (path, bytes) = files.swap_remove(at);
    let mut lines: Vec<Vec<u8>> =
        bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    if lines.len() < 2 {
        return None;
    }
    let n = random.index(lines.len() - 1);
    let what = match kind {
        0 | 1 => {
            let byte = random.index(lines[n].len() - 1);
            lines[n][byte] ^= 1 << random.index(7);
            format!("a bit of byte {byte} was flipped in line {} of {}", n + 1, path.display())
        }
        2 => {
            lines.remove(n);
            format!("line {} of {} was taken out", n + 1, path.display())
        }
        _ => {
            lines.swap(n, n + 1);
            format!("lines {} and {} of {} were swapped", n + 1, n + 2, path.display())
        }
    };
    disk.put(&path, &lines.concat());
    // A log that begins a line later may have retired what was before.
    Some((what, kind == 2 && n == 0))
}

/// Somebody alters a line, and rewrites everything after it so that the chain is right again, and
/// the writer's own notes of it with it.
fn rewrite(
    history: &mut History,
    disk: &SimDisk,
    layout: &Layout,
    files: Vec<(PathBuf, Vec<u8>)>,
) -> Option<String> {
    let all = read_lines(disk, layout);
    let published = history.known.newest()?.checkpoint.size;
    let covered = all.iter().filter(|l| l.seq <= published).count();
    if covered == 0 {
        return None;
    }
    let victim = all[history.random().index(covered)].seq;
    let mut prev: Option<Digest> = None;
    for (path, bytes) in files {
        let mut out = Vec::with_capacity(bytes.len());
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            let Some(tail) = ghost_event::line::Tail::of(line) else { continue };
            if tail.seq < victim {
                out.extend_from_slice(line);
                continue;
            }
            let mut body = line[..tail.body_bytes].to_vec();
            if tail.seq == victim {
                body.extend_from_slice(b",\"forged\":1");
            }
            close(&mut body, tail.seq, &prev.unwrap_or(tail.prev));
            prev = Some(leaf(&body));
            out.extend_from_slice(&body);
        }
        disk.put(&path, &out);
    }
    let _ = disk.remove(&layout.head());
    Some(format!("line {victim} was altered and the chain made again"))
}
