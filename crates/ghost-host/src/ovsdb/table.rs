//! The replica of a database that a monitor keeps: tables of typed rows.

use super::value::{Atom, Datum, Uuid};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One row, by column.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row(BTreeMap<String, Datum>);

impl Row {
    /// What stands in a column that was asked for.
    pub fn get(&self, column: &str) -> Option<&Datum> {
        self.0.get(column)
    }

    /// The elements of a column.
    pub fn set(&self, column: &str) -> &[Atom] {
        match self.0.get(column) {
            Some(Datum::Set(atoms)) => atoms,
            _ => &[],
        }
    }

    /// The one text of a column.
    pub fn text(&self, column: &str) -> Option<&str> {
        match self.set(column) {
            [atom] => atom.text(),
            _ => None,
        }
    }

    /// The one number of a column.
    pub fn integer(&self, column: &str) -> Option<i64> {
        match self.set(column) {
            [Atom::Integer(number)] => Some(*number),
            _ => None,
        }
    }

    /// The value of a key in a column of texts by texts (`external_ids`, `other_config`).
    pub fn entry(&self, column: &str, key: &str) -> Option<&str> {
        match self.0.get(column) {
            Some(Datum::Map(pairs)) => pairs
                .iter()
                .find(|(own, _)| own.text() == Some(key))
                .and_then(|(_, value)| value.text()),
            _ => None,
        }
    }
}

/// A change of a monitored database, as the server tells it (`update2`).
#[derive(Debug, Clone, PartialEq)]
pub struct Update(pub(super) Value);

#[cfg(test)]
impl Update {
    pub(crate) fn of(tables: Value) -> Update {
        Update(tables)
    }
}

/// Tables by name, rows by their uuid.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tables {
    rows: BTreeMap<String, BTreeMap<Uuid, Row>>,
    /// Columns (table, column) that may hold more than one value: they are told as differences.
    several: BTreeSet<(String, String)>,
}

impl Tables {
    /// Empty ones, of a database with this schema.
    pub(super) fn of(schema: &Value) -> Tables {
        let mut several = BTreeSet::new();
        let tables = schema.get("tables").and_then(Value::as_object).into_iter().flatten();
        for (table, columns) in tables {
            let columns = columns.get("columns").and_then(Value::as_object).into_iter().flatten();
            for (column, about) in columns {
                let max = about.get("type").and_then(|kind| kind.get("max"));
                let unlimited = max.and_then(Value::as_str) == Some("unlimited");
                if unlimited || max.and_then(Value::as_u64).is_some_and(|max| max > 1) {
                    several.insert((table.clone(), column.clone()));
                }
            }
        }
        Tables { rows: BTreeMap::new(), several }
    }

    /// Whether a row of this table would have this column.
    pub(super) fn has(schema: &Value, table: &str, column: &str) -> bool {
        let columns = schema.get("tables").and_then(|tables| tables.get(table)?.get("columns"));
        columns.is_some_and(|columns| columns.get(column).is_some())
    }

    /// All rows of a table.
    pub fn rows(&self, table: &str) -> impl Iterator<Item = (&str, &Row)> {
        self.rows.get(table).into_iter().flatten().map(|(uuid, row)| (uuid.as_str(), row))
    }

    /// One row.
    pub fn row(&self, table: &str, uuid: &str) -> Option<&Row> {
        self.rows.get(table)?.get(uuid)
    }

    /// The rows of `table` that a column of references names.
    pub fn named<'a>(
        &'a self,
        table: &'a str,
        references: &'a [Atom],
    ) -> impl Iterator<Item = (&'a str, &'a Row)> {
        references.iter().filter_map(move |atom| {
            let uuid = atom.uuid()?;
            Some((uuid, self.row(table, uuid)?))
        })
    }

    /// Takes a change in. False when it did not fit what was known (a row changed that is not
    /// there, a value of no known form): the replica must be made anew.
    pub fn apply(&mut self, update: &Update) -> bool {
        let Some(tables) = update.0.as_object() else { return false };
        let mut fits = true;
        for (table, rows) in tables {
            for (uuid, change) in rows.as_object().into_iter().flatten() {
                fits &= self.apply_row(table, uuid, change).is_some();
            }
        }
        fits
    }

    fn apply_row(&mut self, table: &str, uuid: &str, change: &Value) -> Option<()> {
        let (what, columns) = change.as_object()?.iter().next()?;
        let rows = self.rows.entry(table.to_owned()).or_default();
        match what.as_str() {
            "initial" | "insert" => {
                let mut row = Row::default();
                for (column, value) in columns.as_object()? {
                    row.0.insert(column.clone(), Datum::read(value)?);
                }
                rows.insert(uuid.to_owned(), row);
            }
            "modify" => {
                let row = rows.get_mut(uuid)?;
                for (column, value) in columns.as_object()? {
                    let value = Datum::read(value)?;
                    let by_difference = self.several.contains(&(table.to_owned(), column.clone()));
                    match row.0.get_mut(column).filter(|_| by_difference) {
                        Some(own) => own.apply(value),
                        // A column at its default is left out of the first telling.
                        None => {
                            row.0.insert(column.clone(), value);
                        }
                    }
                }
            }
            "delete" => {
                rows.remove(uuid)?;
            }
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tables() -> Tables {
        Tables::of(&json!({"tables": {
            "Bridge": {"columns": {
                "name": {"type": "string"},
                "ports": {"type": {"key": {"type": "uuid"}, "min": 0, "max": "unlimited"}},
                "flood_vlans": {"type": {"key": "integer", "min": 0, "max": 4096}},
                "tag": {"type": {"key": "integer", "min": 0, "max": 1}}}}}}))
    }

    fn apply(tables: &mut Tables, what: &str, columns: Value) -> bool {
        tables.apply(&Update(json!({"Bridge": {"u1": {what: columns}}})))
    }

    #[test]
    fn sets_are_told_by_difference_and_single_values_anew() {
        let mut tables = tables();
        let ports = |uuids: &[&str]| {
            json!(["set", uuids.iter().map(|uuid| json!(["uuid", uuid])).collect::<Vec<_>>()])
        };
        assert!(apply(
            &mut tables,
            "initial",
            json!({"name": "br0", "ports": ports(&["a", "b"]), "tag": 5})
        ));
        // A set of one stands without its brackets, also in a difference.
        assert!(apply(&mut tables, "modify", json!({"ports": ["uuid", "a"], "tag": 6})));
        let row = tables.row("Bridge", "u1").unwrap();
        assert_eq!(row.set("ports"), [Atom::Uuid("b".into())]);
        assert_eq!((row.text("name"), row.integer("tag")), (Some("br0"), Some(6)));
        assert!(apply(
            &mut tables,
            "modify",
            json!({"ports": ports(&["c", "b"]), "tag": ["set", []]})
        ));
        let row = tables.row("Bridge", "u1").unwrap();
        assert_eq!(row.set("ports"), [Atom::Uuid("c".into())]);
        assert_eq!(row.integer("tag"), None);
        assert!(apply(&mut tables, "delete", json!(null)));
        assert_eq!(tables.rows("Bridge").count(), 0);
    }

    #[test]
    fn a_change_of_what_is_not_known_is_told() {
        let mut tables = tables();
        assert!(!apply(&mut tables, "modify", json!({"name": "x"})));
        assert!(!apply(&mut tables, "delete", json!(null)));
        assert!(!apply(&mut tables, "insert", json!({"name": {}})));
        assert!(!apply(&mut tables, "rewrite", json!({})));
        assert!(!tables.apply(&Update(json!([]))));
    }

    /// Some JSON, near enough to what a server sends, out of any bytes.
    fn json_of(bytes: &mut impl Iterator<Item = u8>, depth: u32) -> Value {
        const WORDS: [&str; 12] = [
            "Bridge", "u1", "initial", "modify", "delete", "name", "ports", "set", "map", "uuid",
            "tables", "columns",
        ];
        let mut next = || bytes.next().unwrap_or(0);
        let word = |byte: u8| WORDS[usize::from(byte) % WORDS.len()];
        match next() % if depth > 6 { 4 } else { 8 } {
            0 => Value::Null,
            1 => json!(next() as i8),
            2 => json!(word(next())),
            3 => json!(["set", []]),
            4 | 5 => {
                let length = next() % 4;
                (0..length).map(|_| json_of(bytes, depth + 1)).collect()
            }
            _ => {
                let length = next() % 4;
                let entry = |_| {
                    let key = word(bytes.next().unwrap_or(0)).to_owned();
                    (key, json_of(bytes, depth + 1))
                };
                Value::Object((0..length).map(entry).collect())
            }
        }
    }

    #[test]
    fn no_update_makes_it_panic() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            let mut bytes = bytes.iter().copied();
            let mut tables = Tables::of(&json_of(&mut bytes, 0));
            for _ in 0..4 {
                tables.apply(&Update(json_of(&mut bytes, 0)));
            }
            let rows: Vec<&Row> = tables.rows("Bridge").map(|(_, row)| row).collect();
            for row in rows {
                let _ = (row.text("name"), row.integer("name"), row.entry("ports", "name"));
                assert!(tables.named("Bridge", row.set("ports")).count() <= row.set("ports").len());
            }
            let _ = crate::switch::Ovs::of(&tables);
        });
    }
}
