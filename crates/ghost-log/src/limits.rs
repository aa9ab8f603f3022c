//! Every limit of the log, with its reason.

use ghost_event::Priority;
use ghost_event::line::LINE_BYTES_MAX;

/// A segment is sealed before it would grow beyond this: small enough to fetch again in one go,
/// large enough that restated shapes cost little.
pub(crate) const SEGMENT_BYTES: u64 = 64 << 20;

/// Lines wait in memory until there are this many bytes, a tick or a sync.
pub(crate) const WRITE_BYTES: usize = 256 << 10;

/// With no room on the disk, this much may wait in memory before events are turned away.
pub(crate) const WAITING_BYTES_MAX: usize = 8 << 20;

/// A sync comes after this many events, however low.
pub(crate) const SYNC_EVENTS: u32 = 256;

/// But that many events sync no sooner than this after the last sync: a hundred thousand events a
/// second would else be four hundred syncs, and the disk would set the pace.
pub(crate) const SYNC_PAUSE_NS: u64 = 100_000_000;

/// Readers take this much at a time.
pub(crate) const READ_BYTES: usize = 2 << 20;

/// Of a torn tail, this much is kept for whoever wants to look.
pub(crate) const TORN_BYTES_KEPT: u64 = 16 << 20;

/// Sealed segments are searched for shapes at a start up to this many bytes, newest first.
pub(crate) const SHAPE_SEARCH_BYTES: u64 = 64 << 20;

/// Full tiles that wait for room on the disk; as many are 33 million lines, which wait for the same
/// room. What is beyond is made again at the next start.
pub(crate) const TILES_WAITING_MAX: usize = 512;

/// Tiles that a reader of the tree keeps in memory: 512 KiB.
pub(crate) const TILES_READ: usize = 64;

/// Groups of 256 leaves that it keeps: 256 KiB.
pub(crate) const GROUPS_READ: usize = 32;

/// Roots of such groups that it keeps: those of 65,536 lines and some more.
pub(crate) const GROUP_ROOTS_READ: usize = 1024;

/// Segments of which it knows where each group's lines begin.
pub(crate) const SEGMENTS_READ: usize = 8;

/// The edge has at most 255 roots of groups and 255 leaves, of at most 90 bytes each.
pub(crate) const EDGE_BYTES_MAX: usize = 64 << 10;

/// Elements of one log: as many as shapes. What is beyond is turned away and counted.
pub const ELEMENTS_MAX: usize = 65_536;

/// Bytes of an element's id, which stands in each of its lines.
pub const ELEMENT_ID_BYTES_MAX: usize = 256;

/// Bytes of an element's kind.
pub const ELEMENT_KIND_BYTES_MAX: usize = 32;

/// The heads of all elements, escaped.
pub(crate) const ELEMENTS_BYTES_MAX: usize = ELEMENTS_MAX * 2048;

/// Keys and their like are one line.
pub(crate) const SMALL_BYTES_MAX: usize = 4096;

/// Open files that a reader keeps.
pub(crate) const OPEN_FILES: usize = 16;

const _: () = assert!(READ_BYTES >= 2 * LINE_BYTES_MAX, "a block holds a whole line");
const _: () = assert!(SEGMENT_BYTES as usize >= 4 * LINE_BYTES_MAX, "a segment holds some lines");
const _: () = assert!(WAITING_BYTES_MAX >= WRITE_BYTES + 2 * LINE_BYTES_MAX);

/// What an operator may set.
#[derive(Clone)]
pub struct LogConfig {
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// The name that a new log gets; one that exists keeps its own.
    pub log_id: [u8; 16],
    /// Whose log it is, as its key's name begins: small letters, digits, dots and dashes; what else it
    /// holds is left out. A log keeps the one of its first key.
    pub identity: String,
    /// Of which a key is made where the log has none: 32 bytes that nobody can guess. All zeros make
    /// none, and the log stays without checkpoints.
    pub key_seed: [u8; 32],
    /// The program and its version, as epoch lines tell it.
    pub program: String,
    /// Who holds the lock; `pid N`.
    pub holder: String,
    /// Begins in bulk: syncs at the end of segments and on demand only.
    pub bulk: bool,
    /// Starts although lines that were acknowledged are gone; the `recovered` note says so.
    pub accept_loss: bool,
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes: SEGMENT_BYTES,
            log_id: [0; 16],
            identity: "localhost".to_owned(),
            key_seed: [0; 32],
            program: concat!("ghostbridge ", env!("CARGO_PKG_VERSION")).to_owned(),
            holder: format!("pid {}", std::process::id()),
            bulk: false,
            accept_loss: false,
        }
    }
}

/// How long an event may wait for its sync, in nanoseconds.
pub(crate) fn sync_delay_ns(prio: Priority) -> u64 {
    match prio {
        Priority::Critical => 0,
        Priority::High => 100_000_000,
        Priority::Medium => 1_000_000_000,
        Priority::Low => 5_000_000_000,
    }
}

impl std::fmt::Debug for LogConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The seed is a secret.
        f.debug_struct("LogConfig")
            .field("segment_bytes", &self.segment_bytes)
            .field("identity", &self.identity)
            .field("program", &self.program)
            .field("holder", &self.holder)
            .field("bulk", &self.bulk)
            .field("accept_loss", &self.accept_loss)
            .finish_non_exhaustive()
    }
}
