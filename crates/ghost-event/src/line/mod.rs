//! The one line of JSON that a log is made of: written by hand, read by serde.
//!
//! A *body* is everything of a line but its place in the log: it ends inside the open `ghost`
//! object. [`close`] adds the sequence number and the predecessor's leaf, and the newline. The
//! shape of every line is drawn in `docs/format.md`; `ghost.v` says its version.
//!
//! What came off the wire stands in JSON strings only, with every control, bidirectional and
//! invisible character escaped, so that a log can be printed as it is.
//!
//! **Invariant:** a body is a pure function of its arguments; a line can be made again byte by byte.

mod anomaly;
mod change;
mod flow;
mod names;
mod note;
mod packet;
mod proto;
mod shape;
mod tail;
mod text;
mod view;
mod walk;

pub use anomaly::{EVIDENCE_MAX, IncidentNote, IncidentPart, IncidentState, anomaly_body};
pub use change::{CHANGE_FACTS_MAX, Change, FACT_BYTES_MAX, Fact, change_body};
pub use flow::{Source, flow_body, flow_id};
pub use note::{
    BlockNote, ElementNote, EpochNote, GapNote, ImportNote, ImportState, KeyNote, Note,
    RecoveredNote, RetiredNote, SegmentNote, element_part, note_body,
};
pub use packet::{PacketEvent, PacketGlance, packet_body};
pub use proto::proto_name;
pub use shape::{ShapeLine, shape_body};
pub use tail::{TAIL_BYTES_MAX, Tail, close};
pub use text::hidden;
pub use view::{
    ChangePart, ElementLink, Ether, FlowPart, Ghost, LineKind, Name, PacketPart, ShapePart, Spread,
    TcpPart, TunnelPart, View, ViewError,
};

/// The version that this code writes; it reads this and every earlier one.
pub const FORMAT_VERSION: u32 = 1;

/// A line is never longer, newline included: readers may keep one in memory.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// Names of one line take no more than this, escapes included; what has no room is counted.
pub const NAMES_BYTES_MAX: usize = 512 << 10;

/// A name given to an address, an interface or a file is cut here.
pub const TEXT_BYTES_MAX: usize = 4096;

/// Encapsulated flows told of one flow.
pub const TUNNELS_MAX: usize = 64;

const _: () = assert!(
    NAMES_BYTES_MAX + 8 * 6 * TEXT_BYTES_MAX + TUNNELS_MAX * 512 + 8192 + TAIL_BYTES_MAX
        <= LINE_BYTES_MAX,
    "the largest flow fits a line"
);
