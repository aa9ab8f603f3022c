//! Small numbers for `&'static str` names, told by address first.
//!
//! Names come from closed lists, so an address is nearly always one seen before: one probe of a
//! small table. A name that stands at several addresses has one number. Nothing is freed.

use hashbrown::HashMap;

use crate::limits::INTERNED_MAX;

/// Gives the same small number to the same name, in the order of first sight.
#[derive(Debug)]
pub(crate) struct Interner {
    /// Direct-mapped by address: address, length, number.
    near: Box<[(usize, usize, u16); NEAR]>,
    by_name: HashMap<&'static str, u16>,
}

const NEAR: usize = 1024;

/// The number of a name that found no room, shared by all of them.
pub(crate) const OVERFLOW: u16 = INTERNED_MAX as u16;

impl Interner {
    pub(crate) fn new() -> Interner {
        Interner { near: Box::new([(0, 0, 0); NEAR]), by_name: HashMap::new() }
    }

    /// The number of `name`; 0 is the empty name.
    #[inline]
    pub(crate) fn id(&mut self, name: &'static str) -> u16 {
        if name.is_empty() {
            return 0;
        }
        let (at, len) = (name.as_ptr() as usize, name.len());
        // Short literals stand close together: mix low bits with some higher ones.
        let slot = (at ^ (at >> 10)).wrapping_add(len) % NEAR;
        let (known_at, known_len, id) = self.near[slot];
        if known_at == at && known_len == len {
            return id;
        }
        self.far(name, slot)
    }

    #[cold]
    fn far(&mut self, name: &'static str, slot: usize) -> u16 {
        let next = self.by_name.len() + 1;
        let id = match self.by_name.get(name) {
            Some(id) => *id,
            None if next < INTERNED_MAX => {
                let id = u16::try_from(next).unwrap_or(OVERFLOW);
                self.by_name.insert(name, id);
                id
            }
            None => return OVERFLOW,
        };
        self.near[slot] = (name.as_ptr() as usize, name.len(), id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_at_two_addresses_has_one_number() {
        let mut interner = Interner::new();
        let other: &'static str = Box::leak(String::from("ssh").into_boxed_str());
        let first = interner.id("ssh");
        assert_eq!(first, interner.id(other));
        assert_ne!(first, interner.id("dns"));
        assert_eq!(interner.id(""), 0);
        assert_eq!(first, interner.id("ssh"));
    }

    #[test]
    fn names_beyond_the_limit_share_the_overflow_number() {
        let mut interner = Interner::new();
        let names: Vec<&'static str> =
            (0..INTERNED_MAX + 10).map(|n| &*format!("name{n}").leak()).collect();
        let ids: Vec<u16> = names.iter().map(|n| interner.id(n)).collect();
        assert_eq!(ids.last(), Some(&OVERFLOW));
        assert_eq!(interner.id(names[0]), ids[0]);
    }
}
