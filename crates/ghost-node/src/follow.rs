//! The index after the log: catching up, repairing, and starting anew where the two don't fit.

use ghost_event::Seq;
use ghost_index::{EmbeddedIndex, Index, IndexError, LineSource, Position};
use ghost_log::{Line, Lines, LogError, LogReader};

use crate::writer::WriterError;

/// The log as the source from which partitions are made again.
pub(crate) struct Source<'a>(pub(crate) &'a LogReader);

impl LineSource for Source<'_> {
    fn lines(
        &self,
        after: Seq,
        to: Seq,
        each: &mut dyn FnMut(&[u8], Position) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        let mut lines = self.0.lines(after + 1);
        while let Some(line) = lines.next().map_err(|e| IndexError::Engine(e.to_string()))? {
            if line.seq > to {
                return Ok(());
            }
            each(line.bytes, place(&line))?;
        }
        Ok(())
    }
}

/// Where a line stands, in the index's words.
pub(crate) fn place(line: &Line<'_>) -> Position {
    let at = line.position;
    Position { segment: at.segment, offset: at.offset, len: at.len }
}

/// The line that stands at a place.
pub(crate) fn read(reader: &LogReader, at: Position) -> Result<Vec<u8>, LogError> {
    reader.read_at(ghost_log::Position { segment: at.segment, offset: at.offset, len: at.len })
}

/// Makes an index fit a log whose last line is `head`; says what had to be done.
pub(crate) fn prepare(
    index: &mut EmbeddedIndex,
    reader: &LogReader,
    head: Seq,
) -> Result<Vec<String>, WriterError> {
    let mut notes = Vec::new();
    if index.indexed_to() > head {
        notes.push(format!(
            "the index reached line {}, the log ends at {head}: the index is made anew",
            index.indexed_to()
        ));
        index.clear()?;
    }
    if let Some(first) = reader.first_seq()? {
        index.retain(first)?;
    }
    for name in index.repair(&Source(reader))? {
        notes.push(format!("index partition {name} was damaged and was made again from the log"));
    }
    Ok(notes)
}

/// Gives the index every line that is there; how many those were.
pub(crate) fn take_in(index: &mut EmbeddedIndex, lines: &mut Lines) -> Result<u64, WriterError> {
    let mut taken = 0;
    while let Some(line) = lines.next()? {
        index.add(line.bytes, place(&line))?;
        taken += 1;
    }
    Ok(taken)
}
