//! Which flow a later fragment belongs to.
//!
//! Only the first fragment of a datagram has ports. Its flow is remembered by (source,
//! destination, protocol, identification); fragments that come before it wait, counted, until it
//! arrives, and are joined to the flow without ports of their two addresses when it does not.
//! Only accounting is done here; `datagram` puts the octets together.

use std::collections::VecDeque;
use std::net::IpAddr;

use hashbrown::HashMap;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use crate::config::limits::{FRAGMENT_NS, FRAGMENTS_MAX};
use crate::live::Live;

/// What makes two fragments of one datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FragmentKey {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) proto: u8,
    pub(crate) bridge: u16,
    pub(crate) id: u32,
}

/// What is known of a datagram.
#[derive(Debug)]
pub(crate) enum Known {
    /// The slot of its flow, and that flow's birth, by which a slot used anew is told.
    Slot(u32, u64),
    /// Its first fragment is still to come; what came is counted here.
    Waiting(Box<Live>),
}

#[derive(Debug)]
struct Entry {
    known: Known,
    turn: u64,
}

/// The datagrams of which fragments were seen, oldest forgotten first.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    map: HashMap<FragmentKey, Entry, Xxh3DefaultBuilder>,
    order: VecDeque<(FragmentKey, u64, i64)>,
    turn: u64,
}

impl Fragments {
    pub(crate) fn get_mut(&mut self, key: &FragmentKey) -> Option<&mut Known> {
        self.map.get_mut(key).map(|entry| &mut entry.known)
    }

    /// Remembers a datagram; gives back what waited for it.
    pub(crate) fn insert(&mut self, key: FragmentKey, known: Known, now: i64) -> Option<Box<Live>> {
        self.turn += 1;
        self.order.push_back((key, self.turn, now));
        let old = self.map.insert(key, Entry { known, turn: self.turn })?;
        match old.known {
            Known::Waiting(live) => Some(live),
            Known::Slot(..) => None,
        }
    }

    /// Forgets what is too old or too much, and gives back one that waited in vain.
    pub(crate) fn forget(&mut self, now: i64) -> Option<(FragmentKey, Box<Live>)> {
        while let Some((key, turn, since)) = self.order.front().copied() {
            let age = now.saturating_sub(since);
            if self.order.len() <= FRAGMENTS_MAX && (0..=FRAGMENT_NS).contains(&age) {
                return None;
            }
            self.order.pop_front();
            if self.map.get(&key).is_some_and(|entry| entry.turn == turn)
                && let Some(Entry { known: Known::Waiting(live), .. }) = self.map.remove(&key)
            {
                return Some((key, live));
            }
        }
        None
    }

    /// Gives back one that waits, oldest first, whatever its age.
    pub(crate) fn drain(&mut self) -> Option<(FragmentKey, Box<Live>)> {
        while let Some((key, turn, _)) = self.order.pop_front() {
            if self.map.get(&key).is_some_and(|entry| entry.turn == turn)
                && let Some(Entry { known: Known::Waiting(live), .. }) = self.map.remove(&key)
            {
                return Some((key, live));
            }
        }
        None
    }
}
