//! OVSDB's values: atoms, and sets and maps of them, as RFC 7047 (5.1) writes them in JSON.

use serde_json::Value;

/// A row's name.
pub type Uuid = String;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Atom {
    Text(String),
    Integer(i64),
    Real(f64),
    Boolean(bool),
    Uuid(Uuid),
}

impl Atom {
    pub(crate) fn read(json: &Value) -> Option<Atom> {
        match json {
            Value::String(text) => Some(Atom::Text(text.clone())),
            Value::Bool(truth) => Some(Atom::Boolean(*truth)),
            Value::Number(number) => {
                number.as_i64().map(Atom::Integer).or_else(|| number.as_f64().map(Atom::Real))
            }
            Value::Array(pair) => match pair.as_slice() {
                [Value::String(word), Value::String(uuid)] if word == "uuid" => {
                    Some(Atom::Uuid(uuid.clone()))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Its text, when it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Atom::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The row that it names.
    pub fn uuid(&self) -> Option<&str> {
        match self {
            Atom::Uuid(uuid) => Some(uuid),
            _ => None,
        }
    }
}

/// What stands in a column: a single value is a set of one.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    Set(Vec<Atom>),
    Map(Vec<(Atom, Atom)>),
}

impl Datum {
    pub(crate) fn read(json: &Value) -> Option<Datum> {
        if let Value::Array(pair) = json
            && let [Value::String(word), Value::Array(items)] = pair.as_slice()
        {
            match word.as_str() {
                "set" => {
                    return items.iter().map(Atom::read).collect::<Option<_>>().map(Datum::Set);
                }
                "map" => {
                    let entry = |item: &Value| match item.as_array()?.as_slice() {
                        [key, value] => Some((Atom::read(key)?, Atom::read(value)?)),
                        _ => None,
                    };
                    return items.iter().map(entry).collect::<Option<_>>().map(Datum::Map);
                }
                _ => {}
            }
        }
        Some(Datum::Set(vec![Atom::read(json)?]))
    }

    /// Applies a difference as `update2` sends it for columns that may hold several values: of two
    /// sets, the elements in only one of them; of two maps, the entries whose key is in only one of
    /// them, and the new values of those that changed.
    pub(crate) fn apply(&mut self, difference: Datum) {
        match (self, difference) {
            (Datum::Set(own), Datum::Set(others)) => {
                for other in others {
                    match own.iter().position(|atom| *atom == other) {
                        Some(at) => {
                            own.remove(at);
                        }
                        None => own.push(other),
                    }
                }
            }
            (Datum::Map(own), Datum::Map(others)) => {
                for (key, value) in others {
                    match own.iter().position(|(own, _)| *own == key) {
                        Some(at) => match own.get_mut(at) {
                            Some((_, old)) if *old != value => *old = value,
                            _ => {
                                own.remove(at);
                            }
                        },
                        None => own.push((key, value)),
                    }
                }
            }
            // An empty map is written as one always; what changed its kind is taken as it is.
            (own, other) => *own = other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(numbers: &[u8]) -> Datum {
        Datum::Set(numbers.iter().map(|number| Atom::Integer(i64::from(*number))).collect())
    }

    #[test]
    fn every_form_of_a_value_is_read() {
        let text = |text: &str| Atom::Text(text.into());
        for (json, datum) in [
            (json!("br0"), Some(Datum::Set(vec![text("br0")]))),
            (json!(7), Some(Datum::Set(vec![Atom::Integer(7)]))),
            (json!(0.5), Some(Datum::Set(vec![Atom::Real(0.5)]))),
            (json!(["uuid", "a-b"]), Some(Datum::Set(vec![Atom::Uuid("a-b".into())]))),
            (json!(["set", []]), Some(Datum::Set(vec![]))),
            (json!(["set", [1, 2]]), Some(set(&[1, 2]))),
            (json!(["map", [["k", "v"]]]), Some(Datum::Map(vec![(text("k"), text("v"))]))),
            (json!(["map", [["k"]]]), None),
            (json!(["set", [{}]]), None),
            (json!(null), None),
        ] {
            assert_eq!(Datum::read(&json), datum, "{json}");
        }
    }

    #[test]
    fn a_difference_of_maps_adds_changes_and_removes() {
        let map = |pairs: &[(&str, &str)]| {
            let text = |text: &str| Atom::Text(text.to_owned());
            Datum::Map(pairs.iter().map(|(key, value)| (text(key), text(value))).collect())
        };
        let mut own = map(&[("same", "1"), ("changed", "1"), ("gone", "1")]);
        own.apply(map(&[("changed", "2"), ("gone", "1"), ("new", "1")]));
        assert_eq!(own, map(&[("same", "1"), ("changed", "2"), ("new", "1")]));
    }

    #[test]
    fn the_difference_of_two_sets_leads_from_one_to_the_other() {
        bolero::check!().with_type::<(Vec<u8>, Vec<u8>)>().for_each(|(old, new)| {
            use std::collections::BTreeSet;
            let (old, new): (BTreeSet<u8>, BTreeSet<u8>) =
                (old.iter().copied().collect(), new.iter().copied().collect());
            let numbers = |set: &BTreeSet<u8>| set.iter().copied().collect::<Vec<u8>>();
            let mut own = set(&numbers(&old));
            own.apply(set(&old.symmetric_difference(&new).copied().collect::<Vec<u8>>()));
            let Datum::Set(own) = own else { unreachable!() };
            let own: BTreeSet<u8> = own
                .iter()
                .map(|atom| match atom {
                    Atom::Integer(number) => u8::try_from(*number).unwrap(),
                    other => unreachable!("{other:?}"),
                })
                .collect();
            assert_eq!(own, new);
        });
    }
}
