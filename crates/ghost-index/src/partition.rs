//! One partition: a tantivy index over consecutive segments of the log.
//!
//! Its folder is named by the first log segment in it; what it spans stands in the payload of the
//! engine's commit, so that cursor and data change together. A partition is opened, and its files'
//! checksums are read once, when the first request needs it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use ghost_event::{Seq, Timestamp};
use serde::{Deserialize, Serialize};
use tantivy::columnar::ColumnValues;
use tantivy::index::InvertedIndexReader;
use tantivy::schema::document::{ReferenceValue, ReferenceValueLeaf};
use tantivy::schema::{BytesOptions, Document, Field, NumericOptions, Schema, Value};
use tantivy::{Index, IndexReader, ReloadPolicy};

use crate::IndexError;
use crate::digest::{self, ContentDigest};
use crate::entry::{Entry, Numbers, Terms};
use crate::request::Position;

/// What a partition spans; stands in its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    /// First and last log segment.
    pub(crate) segments: (u64, u64),
    /// The cursor before its first line.
    pub(crate) after: Seq,
    /// The cursor behind its last line.
    pub(crate) indexed_to: Seq,
    pub(crate) events: u64,
    /// First start and last end, in nanoseconds; meaningless without events.
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// Length of the shapes' file that this commit relies on.
    pub(crate) shape_bytes: u64,
}

impl Span {
    pub(crate) fn new(segment: u64, after: Seq) -> Span {
        Span {
            segments: (segment, segment),
            after,
            indexed_to: after,
            events: 0,
            start: i64::MAX,
            end: i64::MIN,
            shape_bytes: 0,
        }
    }

    pub(crate) fn take(&mut self, n: &Numbers) {
        self.events += 1;
        self.start = self.start.min(n.start);
        self.end = self.end.max(n.end);
    }

    pub(crate) fn times(&self) -> Option<(Timestamp, Timestamp)> {
        (self.events > 0).then_some((Timestamp(self.start), Timestamp(self.end)))
    }

    /// Whether something between `from` and `until` can be in it.
    pub(crate) fn overlaps(&self, (from, until): (Timestamp, Timestamp)) -> bool {
        self.events > 0 && self.start < until.0 && self.end >= from.0
    }

    pub(crate) fn join(&self, later: &Span) -> Span {
        Span {
            segments: (self.segments.0, later.segments.1),
            after: self.after,
            indexed_to: later.indexed_to,
            events: self.events + later.events,
            start: self.start.min(later.start),
            end: self.end.max(later.end),
            shape_bytes: later.shape_bytes,
        }
    }
}

/// The fields of the engine's documents.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    pub(crate) terms: Field,
    numbers: [Field; NUMBERS.len()],
}

/// The columns, in the order in which [`Doc`] gives them.
const NUMBERS: [&str; 14] = [
    "seq",
    "start",
    "end",
    "to_server",
    "to_client",
    "packets",
    "duration_us",
    "pair",
    "source",
    "shape",
    "opener",
    "segment",
    "offset",
    "len",
];

/// Makes a signed time an unsigned number of the same order.
pub(crate) const SIGN: u64 = 1 << 63;

pub(crate) fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let terms = builder.add_bytes_field("terms", BytesOptions::default().set_indexed());
    let numbers =
        NUMBERS.map(|name| builder.add_u64_field(name, NumericOptions::default().set_fast()));
    (builder.build(), Fields { terms, numbers })
}

/// An entry on its way into the engine.
#[derive(Debug)]
pub(crate) struct Doc {
    fields: Fields,
    terms: Box<[u8]>,
    numbers: [u64; NUMBERS.len()],
}

impl Doc {
    pub(crate) fn new(fields: Fields, entry: Entry) -> Doc {
        let n = &entry.numbers;
        let numbers = [
            n.seq,
            n.start.cast_unsigned() ^ SIGN,
            n.end.cast_unsigned() ^ SIGN,
            n.to_server,
            n.to_client,
            n.packets,
            n.measure(crate::Measure::DurationUs),
            n.pair,
            n.source,
            n.shape,
            u64::from(n.opener),
            n.at.segment,
            n.at.offset,
            u64::from(n.at.len),
        ];
        Doc { fields, terms: entry.terms.into(), numbers }
    }
}

/// A term or a number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cell<'a> {
    Term(&'a [u8]),
    Number(u64),
}

impl<'a> Value<'a> for Cell<'a> {
    type ArrayIter = std::iter::Empty<Cell<'a>>;
    type ObjectIter = std::iter::Empty<(&'a str, Cell<'a>)>;

    fn as_value(&self) -> ReferenceValue<'a, Cell<'a>> {
        ReferenceValue::Leaf(match self {
            Cell::Term(bytes) => ReferenceValueLeaf::Bytes(bytes),
            Cell::Number(n) => ReferenceValueLeaf::U64(*n),
        })
    }
}

/// The cells of a document: terms, then numbers.
#[derive(Debug)]
pub(crate) struct Cells<'a> {
    doc: &'a Doc,
    terms: Terms<'a>,
    at: usize,
}

impl<'a> Iterator for Cells<'a> {
    type Item = (Field, Cell<'a>);
    fn next(&mut self) -> Option<(Field, Cell<'a>)> {
        if let Some(term) = self.terms.next() {
            return Some((self.doc.fields.terms, Cell::Term(term)));
        }
        let at = self.at;
        self.at += 1;
        let field = self.doc.fields.numbers.get(at)?;
        Some((*field, Cell::Number(*self.doc.numbers.get(at)?)))
    }
}

impl Document for Doc {
    type Value<'a> = Cell<'a>;
    type FieldsValuesIter<'a> = Cells<'a>;

    fn iter_fields_and_values(&self) -> Cells<'_> {
        Cells { doc: self, terms: Terms(&self.terms), at: 0 }
    }
}

/// One of the engine's own segments, open for reading.
pub(crate) struct Segment {
    pub(crate) docs: u32,
    pub(crate) inverted: Arc<InvertedIndexReader>,
    columns: [Arc<dyn ColumnValues<u64>>; NUMBERS.len()],
}

/// A column by its meaning.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column {
    Seq,
    Start,
    End,
    ToServer,
    ToClient,
    Packets,
    DurationUs,
    Pair,
    Source,
    Shape,
    Opener,
    Segment,
    Offset,
    Len,
}

impl Segment {
    pub(crate) fn column(&self, column: Column) -> &Arc<dyn ColumnValues<u64>> {
        &self.columns[column as usize]
    }

    pub(crate) fn value(&self, column: Column, doc: u32) -> u64 {
        self.column(column).get_val(doc)
    }

    pub(crate) fn position(&self, doc: u32) -> Position {
        Position {
            segment: self.value(Column::Segment, doc),
            offset: self.value(Column::Offset, doc),
            len: u32::try_from(self.value(Column::Len, doc)).unwrap_or(u32::MAX),
        }
    }

    fn numbers(&self, doc: u32) -> Numbers {
        Numbers {
            seq: self.value(Column::Seq, doc),
            start: (self.value(Column::Start, doc) ^ SIGN).cast_signed(),
            end: (self.value(Column::End, doc) ^ SIGN).cast_signed(),
            to_server: self.value(Column::ToServer, doc),
            to_client: self.value(Column::ToClient, doc),
            packets: self.value(Column::Packets, doc),
            pair: self.value(Column::Pair, doc),
            source: self.value(Column::Source, doc),
            shape: self.value(Column::Shape, doc),
            opener: u32::try_from(self.value(Column::Opener, doc)).unwrap_or(0),
            at: self.position(doc),
        }
    }
}

/// A partition, opened when first needed.
pub(crate) struct Partition {
    pub(crate) dir: PathBuf,
    /// `None` where even the commit cannot be read.
    pub(crate) span: Option<Span>,
    opened: OnceLock<Result<Vec<Segment>, String>>,
}

impl std::fmt::Debug for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Partition({}, {:?})", self.dir.display(), self.span)
    }
}

impl Partition {
    /// The partition in `dir`, by its commit alone.
    pub(crate) fn find(dir: &Path) -> Partition {
        let span = Index::open_in_dir(dir).ok().and_then(|index| span_of(&index));
        Partition { dir: dir.into(), span, opened: OnceLock::new() }
    }

    /// The partition just committed through `index`, open.
    pub(crate) fn of(dir: &Path, span: Span, index: &Index) -> Partition {
        let opened = OnceLock::new();
        let _ = opened.set(segments(index).map_err(|e| e.to_string()));
        Partition { dir: dir.into(), span: Some(span), opened }
    }

    pub(crate) fn name(&self) -> String {
        self.dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// First log segment, as the folder's name tells.
    pub(crate) fn first(&self) -> Option<u64> {
        first_of(&self.dir)
    }

    /// The engine's segments, or why they cannot be read.
    pub(crate) fn segments(&self) -> Result<&[Segment], String> {
        let open = || {
            if self.span.is_none() {
                return Err("its commit cannot be read".to_owned());
            }
            let index = Index::open_in_dir(&self.dir).map_err(|e| e.to_string())?;
            let bad = index.validate_checksum().map_err(|e| e.to_string())?;
            if !bad.is_empty() {
                return Err(format!("{} of its files are altered", bad.len()));
            }
            segments(&index).map_err(|e| e.to_string())
        };
        self.opened.get_or_init(open).as_deref().map_err(Clone::clone)
    }

    /// Adds what the partition holds of log segments from `first` on to `digest`.
    pub(crate) fn digest(&self, first: u64, digest: &mut ContentDigest) -> Result<(), IndexError> {
        let fail = |why: String| IndexError::Engine(format!("{}: {why}", self.name()));
        for segment in self.segments().map_err(fail)? {
            let mut sums = vec![0_u128; segment.docs as usize];
            let inverted = &segment.inverted;
            let mut terms = inverted.terms().stream().map_err(|e| fail(e.to_string()))?;
            while terms.advance() {
                let share = digest::term(terms.key());
                crate::search::each_doc(inverted, terms.value(), |doc| {
                    if let Some(sum) = sums.get_mut(doc as usize) {
                        *sum = sum.wrapping_add(share);
                    }
                })
                .map_err(|e| fail(e.to_string()))?;
            }
            for (doc, sum) in (0..segment.docs).zip(sums) {
                let numbers = segment.numbers(doc);
                if numbers.at.segment >= first {
                    digest.event(sum, &numbers);
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn first_of(dir: &Path) -> Option<u64> {
    dir.file_name()?.to_str()?.strip_prefix("p-")?.parse().ok()
}

pub(crate) fn span_of(index: &Index) -> Option<Span> {
    serde_json::from_str(&index.load_metas().ok()?.payload?).ok()
}

fn segments(index: &Index) -> tantivy::Result<Vec<Segment>> {
    let (_, fields) = schema();
    let reader: IndexReader =
        index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
    let searcher = reader.searcher();
    searcher
        .segment_readers()
        .iter()
        .map(|segment| {
            let mut columns = Vec::with_capacity(NUMBERS.len());
            for name in NUMBERS {
                columns.push(segment.fast_fields().column_first_or_default::<u64>(name)?);
            }
            let columns = columns.try_into().map_err(|_| {
                tantivy::TantivyError::InternalError("columns are missing".to_owned())
            })?;
            let inverted = segment.inverted_index(fields.terms)?;
            Ok(Segment { docs: segment.max_doc(), inverted, columns })
        })
        .collect()
}
