//! Counted answers and the parts of a score, as JSON: the serialisable twins of `ghost-query`'s.

use ghost_query::{Cell, Column, ScorePart, Table, Unit};
use serde::{Deserialize, Serialize};

/// What was counted, instead of hits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TableHead {
    pub columns: Vec<ColumnHead>,
    /// Cells in the order of the columns.
    pub rows: Vec<Vec<CellValue>>,
    /// What the rows leave out, and what all together amount to, in a sentence.
    pub told: String,
}

/// A column of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ColumnHead {
    pub name: String,
    /// `text`, `count`, `bytes`, `us`, `time` or `decimal`.
    pub unit: String,
}

/// One cell: a number, or a text (a time is a text as RFC 3339 has it).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CellValue {
    Number(u64),
    Decimal(f64),
    Text(String),
}

/// One part of a score.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartLine {
    pub name: String,
    pub value: f32,
    pub weight: f32,
    /// `value` times `weight`; all parts of a hit sum to its score.
    pub adds: f32,
    pub why: String,
}

impl From<&ScorePart> for PartLine {
    fn from(part: &ScorePart) -> PartLine {
        PartLine {
            name: part.name.clone(),
            value: part.value,
            weight: part.weight,
            adds: part.adds(),
            why: part.why.clone(),
        }
    }
}

impl From<&Column> for ColumnHead {
    fn from(column: &Column) -> ColumnHead {
        let unit = match column.unit {
            Unit::Text => "text",
            Unit::Count => "count",
            Unit::Bytes => "bytes",
            Unit::Duration => "us",
            Unit::Time => "time",
            Unit::Decimal => "decimal",
        };
        ColumnHead { name: column.name.clone(), unit: unit.to_owned() }
    }
}

impl From<&Cell> for CellValue {
    fn from(cell: &Cell) -> CellValue {
        match cell {
            Cell::Text(text) => CellValue::Text(text.clone()),
            Cell::Number(number) => CellValue::Number(*number),
            #[expect(clippy::cast_precision_loss, reason = "three decimals are told")]
            Cell::Thousandths(of) => CellValue::Decimal(*of as f64 / 1000.0),
            Cell::Time(ns) => CellValue::Text(
                jiff::Timestamp::from_nanosecond((*ns).into())
                    .map_or_else(|_| ns.to_string(), |time| time.to_string()),
            ),
        }
    }
}

impl From<&Table> for TableHead {
    fn from(table: &Table) -> TableHead {
        TableHead {
            columns: table.columns.iter().map(ColumnHead::from).collect(),
            rows: table.rows.iter().map(|row| row.iter().map(CellValue::from).collect()).collect(),
            told: table.told.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_goes_over_the_wire_and_comes_back_as_it_was() {
        let table = Table {
            columns: vec![
                Column { name: "src".into(), unit: Unit::Text },
                Column { name: "bytes".into(), unit: Unit::Bytes },
                Column { name: "from".into(), unit: Unit::Time },
            ],
            rows: vec![vec![
                Cell::Text("10.0.0.1".into()),
                Cell::Number(u64::MAX),
                Cell::Time(1_500_000_000),
            ]],
            told: "one source".into(),
        };
        let head = TableHead::from(&table);
        let text = serde_json::to_string(&head).unwrap();
        assert!(text.contains("1970-01-01T00:00:01.5Z"), "{text}");
        assert_eq!(serde_json::from_str::<TableHead>(&text).unwrap(), head);
    }
}
