//! How much was handed out, by port and direction.

use super::super::accounts::Port;
use super::super::{LiveFrame, PortCounters};

#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Sorted by port; few, and looked up for every frame.
    ports: Vec<(Port, PortCounters)>,
    last: usize,
}

impl Seen {
    pub(super) fn count(&mut self, port: Port, frame: &LiveFrame<'_>) {
        if self.ports.get(self.last).is_none_or(|(at, _)| *at != port) {
            self.last = match self.ports.binary_search_by_key(&port, |(at, _)| *at) {
                Ok(found) => found,
                Err(place) => {
                    let counters = PortCounters {
                        ifindex: port.ifindex(),
                        direction: port.direction(),
                        ..PortCounters::default()
                    };
                    self.ports.insert(place, (port, counters));
                    place
                }
            };
        }
        if let Some((_, counters)) = self.ports.get_mut(self.last) {
            counters.seen += 1;
            counters.seen_segments += u64::from(frame.segments);
            counters.seen_bytes += u64::from(frame.wire_len);
        }
    }

    /// Adds what was seen to what was lost, and sorts by port.
    pub(super) fn join(&self, counters: &mut Vec<PortCounters>) {
        for (_, seen) in &self.ports {
            let same =
                |c: &&mut PortCounters| (c.ifindex, c.direction) == (seen.ifindex, seen.direction);
            match counters.iter_mut().find(same) {
                Some(counters) => {
                    counters.seen = seen.seen;
                    counters.seen_segments = seen.seen_segments;
                    counters.seen_bytes = seen.seen_bytes;
                }
                None => counters.push(*seen),
            }
        }
        counters.sort_by_key(|c| (c.ifindex, c.direction));
    }
}
