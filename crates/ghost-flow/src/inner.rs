//! The flows inside a tunnel: listed in the outer flow, and their applications followed.
//!
//! An inner flow is never a record of its own. Its names are kept with the outer flow's, its
//! application as `ghost.inner_apps`. Both the list and the followed ones are bounded.

use std::net::IpAddr;

use ghost_event::{Features, Tunnel};
use ghost_wire::{Direction, Dissector, Field, Inner, Segment, Sink};

use crate::config::limits::{INNER_DISSECTORS_MAX, INNER_FLOWS_MAX};

/// The application inside a tunnel.
const TUNNEL_APP: Field = Field { path: "ghost.inner_apps", transient: false, many: true };

const TCP: u8 = 6;

/// What is followed of the inner flows; its places are those of [`Features::tunnels`].
#[derive(Debug, Default)]
pub(crate) struct Inners {
    followed: Vec<Option<Dissector>>,
    named: Vec<bool>,
    last: usize,
}

impl Inners {
    /// Counts a packet to its inner flow and gives that flow's place and direction.
    pub(crate) fn count(
        &mut self,
        features: &mut Features,
        inner: &Inner,
    ) -> Option<(usize, Direction)> {
        let tunnels = &mut features.tunnels;
        let same = |t: &Tunnel| -> Option<Direction> {
            if t.kind != inner.kind || t.proto != inner.proto {
                return None;
            }
            let there = (inner.src, inner.src_port, inner.dst, inner.dst_port);
            let back = (inner.dst, inner.dst_port, inner.src, inner.src_port);
            match (t.src_ip, t.src_port, t.dst_ip, t.dst_port) {
                ends if ends == there => Some(Direction::ToServer),
                ends if ends == back => Some(Direction::ToClient),
                _ => None,
            }
        };
        let recent = tunnels.get(self.last).and_then(|t| same(t).map(|d| (self.last, d)));
        let found = recent
            .or_else(|| tunnels.iter().enumerate().find_map(|(i, t)| same(t).map(|d| (i, d))));
        let (place, direction) = match found {
            Some(found) => found,
            None if tunnels.len() < INNER_FLOWS_MAX => {
                tunnels.push(Tunnel {
                    kind: inner.kind,
                    id: inner.id,
                    src_ip: inner.src,
                    dst_ip: inner.dst,
                    src_port: inner.src_port,
                    dst_port: inner.dst_port,
                    proto: inner.proto,
                    packets: 0,
                });
                let room = self.followed.iter().flatten().count() < INNER_DISSECTORS_MAX;
                self.followed.push(room.then(Dissector::new));
                self.named.push(false);
                (tunnels.len() - 1, Direction::ToServer)
            }
            None => return None,
        };
        self.last = place;
        if let Some(tunnel) = tunnels.get_mut(place) {
            tunnel.packets += 1;
        }
        Some((place, direction))
    }

    /// Follows the application of the inner flow at `place`.
    pub(crate) fn dissect(
        &mut self,
        (place, direction): (usize, Direction),
        outer_payload: &[u8],
        inner: &Inner,
        sink: &mut dyn Sink,
    ) {
        let Some(slot) = self.followed.get_mut(place) else { return };
        let Some(dissector) = slot else { return };
        let (begin, end) = (inner.payload.0 as usize, inner.payload.1 as usize);
        let Some(payload) = outer_payload.get(begin..end.min(outer_payload.len())) else { return };
        let (client, server) = match direction {
            Direction::ToServer => (inner.src_port, inner.dst_port),
            Direction::ToClient => (inner.dst_port, inner.src_port),
        };
        let (seq, syn) = if inner.proto == TCP {
            inner_seq(outer_payload, begin, inner).unwrap_or((0, false))
        } else {
            (0, false)
        };
        if inner.proto == TCP && payload.is_empty() && !syn {
            return;
        }
        let segment = Segment {
            proto: inner.proto,
            src_port: client,
            dst_port: server,
            direction,
            seq: seq.wrapping_add(u32::from(syn)),
            payload,
            missing: 0,
            multicast: inner.dst.is_some_and(is_group),
        };
        let verdict = dissector.packet(&segment, sink);
        let app = verdict.app.name();
        if !app.is_empty() && self.named.get(place) == Some(&false) {
            sink.field(TUNNEL_APP, app.as_bytes());
            if let Some(named) = self.named.get_mut(place) {
                *named = true;
            }
        }
        if verdict.done {
            *slot = None;
        }
    }
}

/// The sequence number of an inner TCP segment, read back from the header that ends where its
/// payload begins, and whether it is a SYN.
fn inner_seq(outer: &[u8], payload_begin: usize, inner: &Inner) -> Option<(u32, bool)> {
    (5..=15).find_map(|words| {
        let header = outer.get(payload_begin.checked_sub(words * 4)?..payload_begin)?;
        let word = |at: usize| header.get(at..at + 2).map(|w| u16::from_be_bytes([w[0], w[1]]));
        let fits = word(0)? == inner.src_port
            && word(2)? == inner.dst_port
            && usize::from(header.get(12)? >> 4) == words;
        fits.then_some(())?;
        let seq = u32::from(word(4)?) << 16 | u32::from(word(6)?);
        Some((seq, header.get(13)? & crate::tcp::SYN != 0))
    })
}

/// Multicast or broadcast: an address that cannot open a flow.
pub(crate) fn is_group(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => a.is_multicast() || a.is_broadcast(),
        IpAddr::V6(a) => a.is_multicast(),
    }
}
