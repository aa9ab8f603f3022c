//! Packets on their way to points: one point a shape, flow and minute.
//!
//! A packet's line adds to a point where one is open for its shape, flow and minute: a glance at the
//! line and a look-up, no walk over its JSON. The first line of a point is read in full; its terms
//! and its place are the point's. Points are open within one *window* of the log: from the first
//! packet's line to the end of the log segment, to the next start of the program (its `epoch` line),
//! or to [`limits::WINDOW_PACKETS_MAX`] packets, whichever comes first. All three are read from the
//! log, so that the same lines always make the same points, and a window never straddles the border
//! of a partition or of what retention keeps.
//!
//! While a window is open everything behind its first line waits in memory with it: a point that was
//! committed could not grow. The committed cursor stays before it, so whoever asks meanwhile reads
//! those lines from the log, as any line that is not committed yet.

use std::collections::HashMap;

use ghost_event::Seq;
use ghost_event::line::PacketGlance;

use crate::entry::{self, Entry, Reader, Record};
use crate::limits;
use crate::request::{Point, Position};
use crate::term;

/// What a line is, seen through the window.
#[derive(Debug)]
pub(crate) enum Taken {
    /// It added to an open point, or waits in the window.
    Held,
    /// It is to be taken in at once.
    Now(Record),
}

/// The open window; empty where no packet's line came since it closed.
#[derive(Debug, Default)]
pub(crate) struct Window {
    points: HashMap<Point, usize>,
    held: Vec<Entry>,
    packets: u64,
    segment: u64,
    /// The line before the window's first.
    before: Option<Seq>,
}

impl Window {
    /// The last line that the window does not wait for; `None` where it is closed.
    pub(crate) fn before(&self) -> Option<Seq> {
        self.before
    }

    /// What waits, in the order of first lines.
    pub(crate) fn held(&self) -> &[Entry] {
        &self.held
    }

    /// Whether a line of `segment`, or any line now, finds the window at its end: then
    /// [`close`](Self::close) is due before the line is read.
    pub(crate) fn is_over(&self, segment: u64) -> bool {
        self.before.is_some()
            && (self.segment != segment || self.packets >= limits::WINDOW_PACKETS_MAX)
    }

    /// Ends the window; gives what waited in it.
    pub(crate) fn close(&mut self) -> Vec<Entry> {
        self.points.clear();
        (self.packets, self.before) = (0, None);
        std::mem::take(&mut self.held)
    }

    /// Adds the line to the open point it belongs to.
    pub(crate) fn glance(&mut self, glance: &PacketGlance<'_>) -> bool {
        if self.before.is_none() {
            return false;
        }
        let source = entry::source(glance.in_iface, glance.bridge, glance.import);
        let point = Point {
            flow: entry::flow(glance.conversation, source),
            shape: glance.shape,
            minute: Point::minute(glance.ts.0),
        };
        let open = self.points.get(&point).and_then(|at| self.held.get_mut(*at));
        let Some(open) = open else { return false };
        let n = &mut open.numbers;
        (n.start, n.end) = (n.start.min(glance.ts.0), n.end.max(glance.ts.0));
        let side = if glance.to_server { &mut n.to_server } else { &mut n.to_client };
        *side = side.saturating_add(glance.bytes);
        n.packets = n.packets.saturating_add(glance.packets);
        self.packets += 1;
        true
    }

    /// Takes in a line that was read in full.
    pub(crate) fn take(&mut self, record: Record) -> Taken {
        match record {
            Record::Packet(entry) => {
                let n = &entry.numbers;
                if self.before.is_none() {
                    self.before = Some(n.seq.saturating_sub(1));
                    self.segment = n.at.segment;
                }
                self.packets += 1;
                let at = *self.points.entry(n.point()).or_insert(self.held.len());
                match self.held.get_mut(at) {
                    Some(open) => open.numbers.join(n),
                    None => self.held.push(entry),
                }
                Taken::Held
            }
            Record::Flow(entry) if self.before.is_some() => {
                self.held.push(entry);
                Taken::Held
            }
            record => Taken::Now(record),
        }
    }
}

/// Reads a line and passes it through `window`; `ready` gets what waited in a window that ended.
///
/// `known` says up to which line all is taken in already.
pub(crate) fn read(
    window: &mut Window,
    reader: &mut Reader,
    line: &[u8],
    at: Position,
    known: Seq,
    ready: &mut dyn FnMut(Vec<Entry>) -> Result<(), crate::IndexError>,
) -> Result<Option<(Seq, Taken)>, crate::IndexError> {
    if window.is_over(at.segment) {
        ready(window.close())?;
    }
    if let Some(glance) = PacketGlance::of(line) {
        if glance.seq <= known {
            return Ok(None);
        }
        if window.glance(&glance) {
            return Ok(Some((glance.seq, Taken::Held)));
        }
    }
    let record = reader.read(line, at).map_err(|reason| crate::IndexError::Line {
        segment: at.segment,
        offset: at.offset,
        reason,
    })?;
    let seq = record.seq();
    if seq <= known {
        return Ok(None);
    }
    if matches!(record, Record::Epoch(_)) {
        ready(window.close())?;
    }
    Ok(Some((seq, window.take(record))))
}

/// The term that every point of packets has.
pub(crate) fn packets_term() -> term::Term {
    term::Term::text(term::Kind::Event, "packet")
}
