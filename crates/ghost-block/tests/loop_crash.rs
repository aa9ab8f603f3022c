//! The same promises on a real btrfs: a writer that is killed, and a power that is cut.
//!
//! The writer is this test program itself, started again as a child. It tells on its output what is
//! durable, signed and sealed; whatever it had told must be found afterwards. A power cut is a copy
//! of the file that holds the file system, taken by reflink while the child writes.

#![expect(clippy::print_stdout, reason = "what was tried is worth reading")]

mod sim;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ghost_block::{
    BlockName, Cap, Keep, Lost, Reason, SealFacts, Sealer, Whole, make_subvolumes, open_volume,
};
use ghost_event::{ShapeId, Tier, Timestamp};
use ghost_lab::LoopFs;
use ghost_log::proof::checkpoint::SignedCheckpoint;
use ghost_log::proof::key::VerifyingKey;
use ghost_log::{Element, Head, Layout, Log, LogConfig, VerifyOptions, verify_at, verify_on};
use ghost_world::{Clock as _, Disk, Random, RealClock, RealDisk, SimDisk};
use sim::known::{Known, read_lines};
use sim::lines;

const KILLS: u64 = 60;
const POWER_CUTS: u64 = 60;
const OPTIONS: &str = "compress=zstd:3,noatime";
const CHILD: &str = "the_writer_that_is_killed";
const CAP: Cap = Cap { bytes: 3 << 20 };
const KEEP: Keep = Keep { last: 2, hourly: 0, daily: 0 };

fn config(seed: u64) -> LogConfig {
    let mut key_seed = [7; 32];
    key_seed[..8].copy_from_slice(&seed.to_le_bytes());
    LogConfig {
        segment_bytes: 96 << 10,
        log_id: [0xcd; 16],
        identity: "loop".to_owned(),
        key_seed,
        ..LogConfig::default()
    }
}

fn disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

/// Not a test: what the others start as their child. It writes until it is killed.
#[test]
fn the_writer_that_is_killed() {
    let Some(data) = std::env::var_os("GHOST_CHILD_DATA").map(PathBuf::from) else { return };
    let seed = std::env::var("GHOST_CHILD_SEED").unwrap().parse().unwrap();
    let mut random = Random::new(seed);
    let (mut log, _) = Log::open_on(disk(), &data, config(seed), Arc::new(RealClock)).unwrap();
    let (mut sealer, _) = Sealer::open(disk(), open_volume(&data), Layout::new(&data)).unwrap();
    tell(&format!("epoch {}", log.epoch()));
    let mut told = 0;
    for n in 0.. {
        if let Some(key) = log.verifying_key() {
            tell(&format!("key {key}"));
        }
        step(&mut random, &mut log, &mut sealer, n);
        let durable = log.durable();
        if durable.seq > told {
            told = durable.seq;
            tell(&format!("ack {durable}"));
        }
    }
}

/// Something a writer does.
fn step(random: &mut Random, log: &mut Log, sealer: &mut Sealer, n: u64) {
    match random.below(40) {
        0..=26 => {
            let id = random.below(lines::SHAPES);
            log.shape(ShapeId(id), &lines::shape(id, Tier::Fast)).unwrap();
            let (prio, body) = (lines::priority(random), lines::event(random, n));
            log.append(prio, Some(ShapeId(id)), &body).unwrap();
        }
        27..=29 => {
            let (kind, id) = lines::ELEMENTS[random.index(lines::ELEMENTS.len())];
            let prio = lines::priority(random);
            log.append_element(prio, None, &Element { kind, id }, &lines::change(n)).unwrap();
        }
        30..=32 => {
            for _ in 0..200 {
                log.append(ghost_event::Priority::Low, None, &lines::event(random, n)).unwrap();
            }
        }
        33 => log.sync().unwrap(),
        34 => drop(log.tick(RealClock.monotonic_ns()).unwrap()),
        35 => log.rotate().unwrap(),
        36 if random.one_in(5) => {
            let mut seed = [0; 32];
            seed.fill_with(|| random.below(256) as u8);
            tell(&format!("key {}", log.rotate_key(seed).unwrap()));
        }
        _ => {
            if let Some(name) = seal(log, sealer) {
                let note = std::fs::read(log.layout().log().join("checkpoint")).unwrap();
                let hex: String = note.iter().map(|b| format!("{b:02x}")).collect();
                tell(&format!("block {name} {hex}"));
            }
            sealer.tend(log, &CAP, &KEEP, Timestamp(RealClock.wall_ns())).unwrap();
        }
    }
}

fn seal(log: &mut Log, sealer: &mut Sealer) -> Option<BlockName> {
    // Whoever writes counts; here it is enough that there is something new.
    let events = BTreeMap::from([("flow".to_owned(), 1)]);
    let facts = SealFacts {
        t2_ready_size: 0,
        events: &events,
        lost: Lost::default(),
        reason: Reason::Asked,
        waited_ms: 0,
        time: Timestamp(RealClock.wall_ns()),
    };
    sealer.seal(log, &facts).unwrap().map(|block| block.name)
}

/// One line to the parent, past the test harness.
fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// What a child has told.
#[derive(Debug, Default, Clone)]
struct Heard {
    lines: u64,
    acked: Head,
    epochs: Vec<u64>,
    keys: Vec<VerifyingKey>,
    notes: Vec<String>,
    block: Option<BlockName>,
}

impl Heard {
    fn line(&mut self, line: &str) {
        let Some((word, rest)) = line.split_once(' ') else { return };
        match word {
            "ack" => self.acked = Head::parse(rest).unwrap(),
            "epoch" => self.epochs.push(rest.parse().unwrap()),
            "key" => {
                let key = VerifyingKey::parse(rest).unwrap();
                if !self.keys.contains(&key) {
                    self.keys.push(key);
                }
            }
            "block" => {
                let (name, hex) = rest.split_once(' ').unwrap();
                let bytes =
                    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16));
                let bytes: Vec<u8> = bytes.map(Result::unwrap).collect();
                self.notes.push(String::from_utf8(bytes).unwrap());
                self.block = BlockName::parse(name);
            }
            _ => return,
        }
        self.lines += 1;
    }
}

struct Writer {
    child: Child,
    heard: Arc<Mutex<Heard>>,
    reader: Option<JoinHandle<()>>,
}

impl Writer {
    #[expect(clippy::disallowed_methods, reason = "a test that starts itself")]
    fn start(data: &Path, seed: u64) -> Writer {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([CHILD, "--exact", "--nocapture", "--test-threads=1"])
            .env("GHOST_CHILD_DATA", data)
            .env("GHOST_CHILD_SEED", seed.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (out, mine) = (child.stdout.take().unwrap(), heard.clone());
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(out).lines() {
                // A killed child may leave half a line; it said nothing by that.
                let Ok(line) = line else { break };
                mine.lock().unwrap_or_else(PoisonError::into_inner).line(&line);
            }
        });
        Writer { child, heard, reader: Some(reader) }
    }

    fn heard(&self) -> Heard {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has told so many things.
    fn wait_for(&mut self, lines: u64) {
        for _ in 0..4000 {
            if self.heard().lines >= lines {
                return;
            }
            if let Some(end) = self.child.try_wait().unwrap() {
                panic!("the writer ended by itself: {end}");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("the writer told {} things in 4 s, not {lines}", self.heard().lines);
    }

    /// Kills it at once; everything that it had told.
    fn kill(mut self) -> Heard {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        self.heard()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The log's files in memory, where they can be looked at as a simulated disk's.
fn mirror(folder: &Path) -> SimDisk {
    fn copy(disk: &SimDisk, folder: &Path) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                copy(disk, &path);
            } else {
                disk.put(&path, &std::fs::read(&path).unwrap());
            }
        }
    }
    let disk = SimDisk::new();
    copy(&disk, folder);
    disk
}

/// Opens what is found, and compares it with everything that was heard.
fn examine(data: &Path, known: &mut Known, heard: &Heard, seed: u64) -> Result<Found, String> {
    heard.keys.iter().for_each(|key| known.key(key));
    known.epochs.extend(&heard.epochs);
    if heard.acked.seq > 0 {
        known.ack(heard.acked)?;
    }
    for note in &heard.notes {
        known.publish(note)?;
    }
    known.retired = u64::MAX - 1;
    let opened = Log::open_on(disk(), data, config(seed ^ 0xffff), Arc::new(RealClock));
    let (mut log, recovery) = opened.map_err(|e| format!("it does not open: {e}"))?;
    if !known.epochs.insert(recovery.epoch) {
        return Err(format!("epoch {} was used before", recovery.epoch));
    }
    if let Some(key) = log.verifying_key() {
        known.key(key);
    }
    let lost = recovery.cut.as_ref().map_or(0, |cut| cut.acknowledged_lost);
    if lost > 0 {
        return Err(format!("{lost} acknowledged lines are lost"));
    }
    let sealed = Sealer::open(disk(), open_volume(data), Layout::new(data));
    let (mut sealer, leftovers) = sealed.map_err(|e| format!("the blocks do not open: {e}"))?;
    known.check(&mirror(&data.join("log")), data)?;
    let blocks = examine_blocks(data, known, heard)?;
    // It goes on: an event, a block, and all of it verifies.
    let body = lines::change(seed);
    let element = Element { kind: "bridge", id: "bridge:br0" };
    log.append_element(ghost_event::Priority::Critical, None, &element, &body)
        .map_err(|e| format!("it does not go on: {e}"))?;
    seal(&mut log, &mut sealer).ok_or("it seals nothing")?;
    known.ack(log.durable())?;
    drop(log);
    known.check(&mirror(&data.join("log")), data)?;
    let newest = known.newest().cloned().map(Into::into);
    let options =
        VerifyOptions { against: newest, keys: known.keys.clone(), ..VerifyOptions::default() };
    let verdict = verify_on(&disk(), data, &options).map_err(|e| e.to_string())?;
    if !verdict.ok() {
        return Err(format!("what was found does not verify: {verdict}"));
    }
    Ok(Found {
        cut: recovery.cut.is_some(),
        leftovers: leftovers.removed.len(),
        blocks,
        lines: recovery.head.seq,
    })
}

#[derive(Debug)]
struct Found {
    cut: bool,
    leftovers: usize,
    blocks: usize,
    lines: u64,
}

/// Every block is whole and a prefix of the log; the newest that was told, or a newer one, is there.
fn examine_blocks(data: &Path, known: &mut Known, heard: &Heard) -> Result<usize, String> {
    let mut newest = 0;
    let names = open_volume(data).names().map_err(|e| e.to_string())?;
    for (name, whole) in &names {
        if *whole != Whole::Yes {
            return Err(format!("{name} is left over and was not removed"));
        }
        let path = data.join("blocks").join(name);
        let layout = Layout::of_block(&path);
        let note = std::fs::read(path.join("checkpoint")).map_err(|e| format!("{name}: {e}"))?;
        let signed = SignedCheckpoint::parse(&note).map_err(|e| format!("{name}: {e}"))?;
        let options = VerifyOptions {
            against: Some(signed.clone().into()),
            keys: known.keys.clone(),
            ..VerifyOptions::default()
        };
        let verdict = verify_at(&disk(), &layout, &options).map_err(|e| format!("{name}: {e}"))?;
        if !verdict.ok() {
            return Err(format!("{name} does not verify: {verdict}"));
        }
        if !known.keys.iter().any(|key| signed.signed_by(key)) {
            return Err(format!("{name} is signed by no key of this log"));
        }
        for line in read_lines(&mirror(&path), &layout) {
            let at = usize::try_from(line.seq - 1).unwrap();
            if line.seq <= signed.checkpoint.size && known.leaves.get(at) != Some(&line.leaf) {
                let lost = known.leaves.get(at).is_some_and(|l| *l == ghost_event::Digest::ZERO);
                if !lost {
                    return Err(format!("line {} of {name} is not the log's", line.seq));
                }
            }
        }
        let number = BlockName::parse(name).map_or(0, |name| name.number);
        newest = newest.max(number);
    }
    let told = heard.block.map_or(0, |block| block.number);
    if newest < told {
        return Err(format!("block {told} was sealed; the newest there is {newest}"));
    }
    Ok(names.len())
}

#[test]
fn loop_what_was_promised_outlives_a_killed_writer() {
    if LoopFs::skipped(&[]) {
        return;
    }
    let fs = LoopFs::btrfs(256 << 20, OPTIONS).unwrap();
    let data = fs.path().join("data");
    make_subvolumes(&data).unwrap();
    let mut known = Known::blind();
    let mut random = Random::new(1);
    let (mut cuts, mut leftovers, mut blocks) = (0, 0, 0);
    for seed in 0..KILLS {
        let mut writer = Writer::start(&data, seed);
        writer.wait_for(3 + random.below(60));
        let heard = writer.kill();
        let found = examine(&data, &mut known, &heard, seed)
            .unwrap_or_else(|why| panic!("kill {seed}: {why}"));
        cuts += u64::from(found.cut);
        leftovers += found.leaves_behind();
        blocks += found.blocks;
    }
    println!(
        "{KILLS} kills: {cuts} torn tails, {leftovers} leftovers, {blocks} blocks, {} lines",
        known.leaves.len()
    );
    assert!(known.leaves.len() > 5_000 && blocks > 20, "the writers wrote too little");
}

impl Found {
    fn leaves_behind(&self) -> u64 {
        self.leftovers as u64
    }
}

#[test]
fn loop_what_was_promised_outlives_a_power_cut() {
    if LoopFs::skipped(&[]) {
        return;
    }
    let outer = LoopFs::btrfs(4 << 30, "noatime").unwrap();
    let mut inner = LoopFs::btrfs_in(outer.path(), 160 << 20, OPTIONS).unwrap();
    let data = inner.path().join("data");
    make_subvolumes(&data).unwrap();
    let mut writer = Writer::start(&data, 77);
    let mut random = Random::new(2);
    let mut copies = Vec::new();
    for n in 0..POWER_CUTS {
        let more = writer.heard().lines + 1 + random.below(25);
        writer.wait_for(more);
        std::thread::sleep(Duration::from_micros(random.below(3_000)));
        // What was heard before the copy began is in the copy.
        let heard = writer.heard();
        let copy = outer.path().join(format!("copy-{n}"));
        let (from, to) = (
            std::fs::File::open(inner.image()).unwrap(),
            std::fs::File::create_new(&copy).unwrap(),
        );
        rustix::fs::ioctl_ficlone(&to, &from).unwrap();
        copies.push((copy, heard));
    }
    writer.kill();
    // One after another: their file systems have one name.
    inner.unmount().unwrap();
    let (mut cuts, mut leftovers, mut blocks, mut most) = (0, 0, 0, 0);
    for (n, (copy, heard)) in copies.iter().enumerate() {
        let fs = LoopFs::of_image(copy, OPTIONS).unwrap();
        let mut known = Known::blind();
        let found = examine(&fs.path().join("data"), &mut known, heard, n as u64)
            .unwrap_or_else(|why| panic!("power cut {n}: {why}"));
        cuts += u64::from(found.cut);
        leftovers += found.leaves_behind();
        blocks += found.blocks;
        most = most.max(found.lines);
        drop(fs);
        std::fs::remove_file(copy).unwrap();
    }
    println!(
        "{POWER_CUTS} power cuts: {cuts} torn tails, {leftovers} leftovers, {blocks} blocks, up to {most} lines"
    );
    assert!(most > 2_000 && blocks > 20, "the writer wrote too little");
}
