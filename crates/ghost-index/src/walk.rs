//! A walk over one JSON object: each leaf with its dotted path, nothing kept.
//!
//! Elements of an array stand under the array's path. Nesting is bounded by the JSON reader.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Takes the leaves of an object.
pub(crate) trait Leaves {
    fn text(&mut self, path: &str, value: &str);
    fn number(&mut self, path: &str, value: u64);
    /// Forget what was given: it all comes again.
    fn again(&mut self);
    /// Whether to go into the object or array at `path`.
    fn wants(&mut self, _path: &str) -> bool {
        true
    }
}

/// Walks `line`, which must be one whole JSON value.
pub(crate) fn walk(line: &[u8], path: &mut String, to: &mut impl Leaves) -> serde_json::Result<()> {
    path.clear();
    // The reader checks only the strings that it hands out; a line that is not UTF-8 elsewhere
    // would pass or fail by what the visitor skips.
    let text = std::str::from_utf8(line).map_err(serde_json::Error::custom)?;
    if crate::plain::walk(text, path, to).is_some() {
        return Ok(());
    }
    to.again();
    full(text, path, to)
}

/// Walks whatever JSON allows.
pub(crate) fn full(text: &str, path: &mut String, to: &mut impl Leaves) -> serde_json::Result<()> {
    path.clear();
    let mut reader = serde_json::Deserializer::from_str(text);
    Step { path, to }.deserialize(&mut reader)?;
    reader.end()
}

struct Step<'p, L> {
    path: &'p mut String,
    to: &'p mut L,
}

impl<'de, L: Leaves> DeserializeSeed<'de> for Step<'_, L> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

/// Appends a key to the path it borrows.
struct Key<'p>(&'p mut String);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E>(self, key: &str) -> Result<(), E> {
        if !self.0.is_empty() {
            self.0.push('.');
        }
        self.0.push_str(key);
        Ok(())
    }
}

impl<'de, L: Leaves> Visitor<'de> for Step<'_, L> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.to.text(self.path, value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.to.number(self.path, value);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        if value {
            self.to.text(self.path, "true");
        }
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if !self.to.wants(self.path) {
            while items.next_element::<serde::de::IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        while items.next_element_seed(Step { path: &mut *self.path, to: &mut *self.to })?.is_some()
        {
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if !self.path.is_empty() && !self.to.wants(self.path) {
            while map.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        let depth = self.path.len();
        while map.next_key_seed(Key(&mut *self.path))?.is_some() {
            map.next_value_seed(Step { path: &mut *self.path, to: &mut *self.to })?;
            self.path.truncate(depth);
        }
        Ok(())
    }
}
