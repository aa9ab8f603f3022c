//! What was lost at each port, as the kernel's side counts it.
//!
//! One entry a port and direction, in memory shared by the program that counts, the helper that
//! enters ports, and the engine that reads: `struct account` of `bpf/tap.bpf.c`.

use std::io;
use std::os::fd::BorrowedFd;

use super::sys::Mapping;
use super::{Direction, PortCounters};

const ENTRY_BYTES: usize = 64;
/// Ports and directions that one tap may know; entry 0 is for frames of none of them.
pub(crate) const PORTS_MAX: u32 = 1024;
const ENTRIES: usize = PORTS_MAX as usize + 1;

const STATE_ATTACHED: u64 = 1;
const STATE_DETACHED: u64 = 2;
const EGRESS: u32 = 1 << 31;

/// An interface and a direction in one word, as records hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Port(pub(crate) u32);

impl Port {
    pub(crate) fn new(ifindex: u32, direction: Direction) -> Self {
        let way = if direction == Direction::Egress { EGRESS } else { 0 };
        Self(ifindex & !EGRESS | way)
    }

    pub(crate) fn ifindex(self) -> u32 {
        self.0 & !EGRESS
    }

    pub(crate) fn direction(self) -> Direction {
        if self.0 & EGRESS == 0 { Direction::Ingress } else { Direction::Egress }
    }
}

#[derive(Debug)]
pub(crate) struct Accounts {
    memory: Mapping,
}

impl Accounts {
    pub(crate) fn read(map: BorrowedFd<'_>) -> io::Result<Self> {
        Mapping::new(map, ENTRIES * ENTRY_BYTES, false).map(|memory| Self { memory })
    }

    pub(crate) fn write(map: BorrowedFd<'_>) -> io::Result<Self> {
        Mapping::new(map, ENTRIES * ENTRY_BYTES, true).map(|memory| Self { memory })
    }

    /// Of no port at all, for tests and benchmarks.
    pub(crate) fn none() -> io::Result<Self> {
        Mapping::anonymous(ENTRIES * ENTRY_BYTES).map(|memory| Self { memory })
    }

    fn port(&self, entry: u32) -> (Port, u64) {
        let word = self.memory.load(entry as usize * ENTRY_BYTES);
        // Two halves in the machine's own order: the port, then its state.
        let bytes = word.to_ne_bytes();
        let half = |at: usize| {
            u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        (Port(half(0)), u64::from(half(4)))
    }

    fn set(&self, entry: u32, port: Port, state: u64) {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&port.0.to_ne_bytes());
        bytes[4..].copy_from_slice(&(state as u32).to_ne_bytes());
        self.memory.store(entry as usize * ENTRY_BYTES, u64::from_ne_bytes(bytes));
    }

    /// The entry for a port that is attached now: the one it had, else an unused one, else that of
    /// a port long gone.
    pub(crate) fn enter(&self, port: Port) -> Option<u32> {
        let find = |wanted: &dyn Fn(Port, u64) -> bool| {
            (1..=PORTS_MAX).find(|&entry| {
                let (port, state) = self.port(entry);
                wanted(port, state)
            })
        };
        let entry = find(&|at, state| at == port && state != 0)
            .or_else(|| find(&|_, state| state == 0))
            .or_else(|| find(&|_, state| state == STATE_DETACHED))?;
        if self.port(entry).0 != port {
            for field in [8, 16, 24] {
                self.memory.store(entry as usize * ENTRY_BYTES + field, 0);
            }
        }
        self.set(entry, port, STATE_ATTACHED);
        Some(entry)
    }

    pub(crate) fn leave(&self, port: Port) {
        for entry in 1..=PORTS_MAX {
            if self.port(entry) == (port, STATE_ATTACHED) {
                self.set(entry, port, STATE_DETACHED);
            }
        }
    }

    /// The losses of every port that was entered, and those that nobody entered, if there are any.
    pub(crate) fn losses(&self) -> impl Iterator<Item = PortCounters> + '_ {
        (0..=PORTS_MAX).filter_map(|entry| {
            let (port, state) = self.port(entry);
            let field = |at: usize| self.memory.load(entry as usize * ENTRY_BYTES + at);
            let counters = PortCounters {
                ifindex: port.ifindex(),
                direction: port.direction(),
                lost: field(8),
                lost_segments: field(16),
                lost_bytes: field(24),
                ..PortCounters::default()
            };
            (state != 0 || entry == 0 && counters.lost != 0).then_some(counters)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_comes_back_keeps_its_account_and_others_get_their_own() {
        let accounts = Accounts::none().unwrap();
        let (a, b) = (Port::new(7, Direction::Ingress), Port::new(7, Direction::Egress));
        let first = accounts.enter(a).unwrap();
        let second = accounts.enter(b).unwrap();
        assert_ne!(first, second);
        accounts.memory.store(first as usize * ENTRY_BYTES + 8, 5);
        accounts.leave(a);
        assert_eq!(accounts.enter(a), Some(first));
        let losses: Vec<_> = accounts.losses().map(|c| (c.ifindex, c.direction, c.lost)).collect();
        assert_eq!(losses, [(7, Direction::Ingress, 5), (7, Direction::Egress, 0)]);
    }

    #[test]
    fn when_all_accounts_are_taken_one_of_a_gone_port_is_cleared_and_given_again() {
        let accounts = Accounts::none().unwrap();
        for ifindex in 1..=PORTS_MAX {
            assert!(accounts.enter(Port::new(ifindex, Direction::Ingress)).is_some());
        }
        let next = Port::new(5000, Direction::Ingress);
        assert_eq!(accounts.enter(next), None);
        accounts.memory.store(9 * ENTRY_BYTES + 8, 5);
        accounts.leave(Port::new(9, Direction::Ingress));
        assert_eq!(accounts.enter(next), Some(9));
        assert_eq!(accounts.losses().find(|c| c.ifindex == 5000).unwrap().lost, 0);
    }
}
