//! What a block says of itself: `manifest.json`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use ghost_event::{Digest, Priority, Seq, Timestamp};
use ghost_world::Disk;

use crate::BlockError;

/// The file's name.
pub(crate) const MANIFEST: &str = "manifest.json";

/// Why a block was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    Critical,
    High,
    Medium,
    Low,
    Realtime,
    Batch,
    Asked,
    Stop,
    /// Old segments were given up, and the block before keeps them on the disk.
    Retired,
}

impl Reason {
    pub(crate) const ALL: [Reason; 9] = [
        Reason::Critical,
        Reason::High,
        Reason::Medium,
        Reason::Low,
        Reason::Realtime,
        Reason::Batch,
        Reason::Asked,
        Reason::Stop,
        Reason::Retired,
    ];

    /// The name that stands in manifests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Reason::Critical => "critical",
            Reason::High => "high",
            Reason::Medium => "medium",
            Reason::Low => "low",
            Reason::Realtime => "realtime",
            Reason::Batch => "batch",
            Reason::Asked => "asked",
            Reason::Stop => "stop",
            Reason::Retired => "retired",
        }
    }

    #[must_use]
    pub fn parse(name: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

impl From<Priority> for Reason {
    fn from(prio: Priority) -> Reason {
        match prio {
            Priority::Critical => Reason::Critical,
            Priority::High => Reason::High,
            Priority::Medium => Reason::Medium,
            Priority::Low => Reason::Low,
        }
    }
}

/// What never came into the log, since the block before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lost {
    pub packets: u64,
    pub bytes: u64,
    pub events: u64,
}

/// The block before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    pub block: u64,
    pub size: u64,
    pub root: Digest,
}

/// What stands in a block's `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    pub block: u64,
    /// The log's random name.
    pub log: String,
    pub epoch: u64,
    /// The first line that is still in the log.
    pub first_seq: Seq,
    /// Lines of the log, which is the size of its tree.
    pub sealed_size: u64,
    /// Up to this line every shape had its vector of the full model.
    pub t2_ready_size: u64,
    pub root: Digest,
    pub parent: Option<Parent>,
    pub time: Timestamp,
    pub reason: Reason,
    /// How long the barrier waited for vectors.
    pub waited_ms: u64,
    /// Lines since the parent, by kind.
    pub events: BTreeMap<String, u64>,
    pub lost: Lost,
}

/// A manifest is no longer than this: it has some dozens of kinds in it, and no text from outside.
const MANIFEST_BYTES_MAX: usize = 64 << 10;

/// Kinds that it names at most; the rest is counted together.
const KINDS_MAX: usize = 256;
const KIND_BYTES_MAX: usize = 64;
const OTHER_KINDS: &str = "other";

/// As it stands in the file. Numbers are integers below 2^63, which every JSON reader takes.
#[derive(serde::Serialize, serde::Deserialize)]
struct Written<'a> {
    v: u32,
    block: u64,
    #[serde(borrow)]
    log: Cow<'a, str>,
    epoch: u64,
    first_seq: Seq,
    sealed_size: u64,
    t2_ready_size: u64,
    root: Cow<'a, str>,
    parent: Option<WrittenParent<'a>>,
    time: Cow<'a, str>,
    reason: Cow<'a, str>,
    waited_ms: u64,
    events: BTreeMap<Cow<'a, str>, u64>,
    lost: WrittenLost,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct WrittenParent<'a> {
    block: u64,
    size: u64,
    #[serde(borrow)]
    root: Cow<'a, str>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct WrittenLost {
    packets: u64,
    bytes: u64,
    events: u64,
}

/// The version that is written; every version up to it is read.
const VERSION: u32 = 1;

impl Manifest {
    /// The file's bytes, with a newline.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let time = self.time.text();
        let mut events: BTreeMap<Cow<'_, str>, u64> = BTreeMap::new();
        for (kind, count) in &self.events {
            let fits = kind.len() <= KIND_BYTES_MAX && events.len() < KINDS_MAX;
            let kind = if fits { kind.as_str() } else { OTHER_KINDS };
            let total = events.entry(kind.into()).or_default();
            *total = total.saturating_add(*count);
        }
        let written = Written {
            v: VERSION,
            block: self.block,
            log: self.log.as_str().into(),
            epoch: self.epoch,
            first_seq: self.first_seq,
            sealed_size: self.sealed_size,
            t2_ready_size: self.t2_ready_size,
            root: self.root.to_string().into(),
            parent: self.parent.map(|parent| WrittenParent {
                block: parent.block,
                size: parent.size,
                root: parent.root.to_string().into(),
            }),
            time: std::str::from_utf8(&time).unwrap_or_default().into(),
            reason: self.reason.name().into(),
            waited_ms: self.waited_ms,
            events,
            lost: WrittenLost {
                packets: self.lost.packets,
                bytes: self.lost.bytes,
                events: self.lost.events,
            },
        };
        // Of strings and numbers alone, it cannot fail.
        let mut bytes = serde_json::to_vec(&written).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads a file's bytes, whoever wrote them.
    pub fn parse(bytes: &[u8]) -> Result<Manifest, String> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(format!("a manifest has at most {MANIFEST_BYTES_MAX} bytes"));
        }
        let read: Written<'_> = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if read.v == 0 || read.v > VERSION {
            return Err(format!("it is of version {}, and this program reads {VERSION}", read.v));
        }
        let digest = |text: &str| {
            Digest::from_hex(text.as_bytes()).ok_or_else(|| "a root is no digest".to_owned())
        };
        let is_log = read.log.len() == 32 && read.log.bytes().all(|c| c.is_ascii_hexdigit());
        if !is_log {
            return Err("the log's name is not 32 hexadecimal digits".to_owned());
        }
        if read.first_seq > read.sealed_size.saturating_add(1) || read.block == 0 {
            return Err("its numbers contradict each other".to_owned());
        }
        let parent = match read.parent {
            None => None,
            Some(parent) if parent.block < read.block && parent.size <= read.sealed_size => {
                let root = digest(&parent.root)?;
                Some(Parent { block: parent.block, size: parent.size, root })
            }
            Some(_) => return Err("its parent is not before it".to_owned()),
        };
        Ok(Manifest {
            block: read.block,
            log: read.log.into_owned(),
            epoch: read.epoch,
            first_seq: read.first_seq,
            sealed_size: read.sealed_size,
            t2_ready_size: read.t2_ready_size.min(read.sealed_size),
            root: digest(&read.root)?,
            parent,
            time: Timestamp::parse(&read.time).ok_or("its time is none")?,
            reason: Reason::parse(&read.reason).ok_or("its reason is none that is known")?,
            waited_ms: read.waited_ms,
            events: read.events.into_iter().map(|(k, n)| (k.into_owned(), n)).collect(),
            lost: Lost {
                packets: read.lost.packets,
                bytes: read.lost.bytes,
                events: read.lost.events,
            },
        })
    }

    /// Reads the manifest in a log's folder, or a block's.
    pub fn read(disk: &dyn Disk, folder: &Path) -> Result<Manifest, BlockError> {
        let path = folder.join(MANIFEST);
        let file = disk.open_read(&path).map_err(BlockError::io("open", &path))?;
        // One byte more than it may have tells that it is too long.
        let mut bytes = vec![0; MANIFEST_BYTES_MAX + 1];
        let n = file.read_full_at(&mut bytes, 0).map_err(BlockError::io("read", &path))?;
        bytes.truncate(n);
        Manifest::parse(&bytes).map_err(|why| {
            let what = format!("{why}; fetch the block from a replica");
            BlockError::Damaged { path, what }
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example() -> Manifest {
        Manifest {
            block: 7,
            log: "0123456789abcdef0123456789abcdef".to_owned(),
            epoch: 3,
            first_seq: 12,
            sealed_size: 1000,
            t2_ready_size: 990,
            root: Digest([0xab; 32]),
            parent: Some(Parent { block: 6, size: 900, root: Digest([0xcd; 32]) }),
            time: Timestamp::parse("2026-11-20T05:56:41.123456+0000").unwrap(),
            reason: Reason::High,
            waited_ms: 17,
            events: BTreeMap::from([("flow".to_owned(), 98), ("shape".to_owned(), 2)]),
            lost: Lost { packets: 5, bytes: 700, events: 1 },
        }
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let first = Manifest { parent: None, ..example() };
        for manifest in [example(), first] {
            assert_eq!(Manifest::parse(&manifest.to_bytes()), Ok(manifest));
        }
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.name()), Some(reason));
        }
    }

    #[test]
    fn its_bytes_are_those_of_the_format() {
        let text = String::from_utf8(example().to_bytes()).unwrap();
        let (ab, cd) = ("ab".repeat(32), "cd".repeat(32));
        assert_eq!(
            text,
            format!(
                "{{\"v\":1,\"block\":7,\"log\":\"0123456789abcdef0123456789abcdef\",\"epoch\":3,\
                 \"first_seq\":12,\"sealed_size\":1000,\"t2_ready_size\":990,\"root\":\"{ab}\",\
                 \"parent\":{{\"block\":6,\"size\":900,\"root\":\"{cd}\"}},\
                 \"time\":\"2026-11-20T05:56:41.123456+0000\",\"reason\":\"high\",\
                 \"waited_ms\":17,\"events\":{{\"flow\":98,\"shape\":2}},\
                 \"lost\":{{\"packets\":5,\"bytes\":700,\"events\":1}}}}\n"
            )
        );
    }

    #[test]
    fn a_manifest_that_lies_is_refused_and_says_why() {
        let text = String::from_utf8(example().to_bytes()).unwrap();
        for (from, to, why) in [
            ("\"v\":1", "\"v\":2", "version"),
            ("\"v\":1", "\"v\":0", "version"),
            ("\"sealed_size\":1000", "\"sealed_size\":3", "contradict"),
            ("\"block\":6", "\"block\":7", "parent"),
            ("\"size\":900", "\"size\":1001", "parent"),
            ("0123456789abcdef\",", "../\",", "log's name"),
            ("abab", "zzzz", "digest"),
            ("\"high\"", "\"higher\"", "reason"),
            ("2026-", "20x6-", "time"),
            ("\"lost\"", "\"list\"", "lost"),
            ("}\n", "", "EOF"),
        ] {
            let lie = text.replacen(from, to, 1);
            assert_ne!(lie, text, "{from}");
            let said = Manifest::parse(lie.as_bytes()).unwrap_err();
            assert!(said.contains(why), "{to}: {said}");
        }
        let long = text.replace("\"flow\"", &format!("\"{}\"", "x".repeat(MANIFEST_BYTES_MAX)));
        assert!(Manifest::parse(long.as_bytes()).unwrap_err().contains("bytes"));
    }

    #[test]
    fn any_bytes_are_a_manifest_or_refused() {
        bolero::check!().with_type::<(Vec<u8>, u16, u8)>().for_each(|(bytes, at, with)| {
            drop(Manifest::parse(bytes));
            let mut near = example().to_bytes();
            let at = usize::from(*at) % near.len();
            near[at] = *with;
            if let Ok(read) = Manifest::parse(&near) {
                // What is accepted is written and read the same.
                assert_eq!(Manifest::parse(&read.to_bytes()), Ok(read));
            }
        });
    }

    #[test]
    fn too_many_kinds_are_counted_together() {
        let mut many = example();
        many.events = (0..1000).map(|n| (format!("kind{n:04}"), 1)).collect();
        let read = Manifest::parse(&many.to_bytes()).unwrap();
        assert_eq!(read.events.values().sum::<u64>(), 1000);
        assert!(read.events.len() <= KINDS_MAX + 1);
    }
}
