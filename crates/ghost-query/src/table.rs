//! Counted answers: rows of a few columns instead of events.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Text,
    Count,
    Bytes,
    /// Microseconds.
    Duration,
    /// Nanoseconds since 1970: the beginning of a stretch of time.
    Time,
    /// A number with a fraction.
    Decimal,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub unit: Unit,
}

/// One cell; what it means says its column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    Text(String),
    Number(u64),
    Time(i64),
    /// So many thousandths.
    Thousandths(i64),
}

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
    /// What the rows leave out, and what all together amount to, in a sentence.
    pub told: String,
}
