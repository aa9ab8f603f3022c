//! A super-frame as the frames of the wire that it stands for.
//!
//! Segmentation offload (GSO, GRO) hands a run of segments over as one frame: one header, many
//! payloads. What is counted is what the wire carries: the headers once a segment, every segment
//! but the last equally long. Packets, octets and payload are exact. How long one segment is does
//! not stand in the frame; of all lengths that give that many segments the one is taken that the
//! flow showed before, or that fills a usual link, or the shortest.

use ghost_wire::Packet;

use crate::at::FrameAt;

/// What fits a link, link header not counted.
const MTUS: [u32; 4] = [1500, 9000, 1450, 65_535];
/// An Ethernet header, and a VLAN tag.
const ETHERNET: u32 = 14;
const TAG: u32 = 4;

/// What a frame is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Measure {
    pub(crate) packets: u32,
    /// Link headers included.
    pub(crate) bytes: u64,
    /// Above the transport header.
    pub(crate) payload: u32,
    /// Headers of one segment.
    head: u32,
    /// Of them, below IP.
    link: u32,
}

/// How a frame falls into segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Payload of every segment but the last.
    pub(crate) step: u32,
    /// Length on the wire of every segment but the last, and of the last.
    pub(crate) full: u32,
    pub(crate) last: u32,
}

impl Measure {
    pub(crate) fn of(at: &FrameAt, p: &Packet<'_>) -> Measure {
        let wire = u64::from(at.wire_len);
        let link = ETHERNET + TAG * u32::from(p.vlan_count);
        let captured = u32::try_from(p.payload.len()).unwrap_or(u32::MAX);
        // No header may tell of more than the wire carried.
        let room = at.wire_len.saturating_sub(p.head_len).max(captured);
        let one = if p.open_end { room } else { p.payload_len().min(room) };
        let one = Measure { packets: 1, bytes: wire, payload: one, head: 0, link };
        let packets = u32::from(at.segments.max(1));
        let payload = at.wire_len.saturating_sub(p.head_len);
        if packets == 1 || p.ip.is_none() || payload < packets {
            return Measure { packets, ..one };
        }
        let head = p.head_len;
        let bytes = u64::from(head) * u64::from(packets) + u64::from(payload);
        Measure { packets, bytes, payload, head, link }
    }

    /// Octets of the payload that the wire carried and the tap did not keep.
    pub(crate) fn missing(&self, p: &Packet<'_>) -> u32 {
        self.payload.saturating_sub(u32::try_from(p.payload.len()).unwrap_or(u32::MAX))
    }

    /// How it falls into segments; `known` is the payload of a full one, as this flow showed it.
    pub(crate) fn cut(&self, known: u32) -> Cut {
        let (n, payload) = (self.packets, self.payload);
        if n <= 1 || self.head == 0 {
            let each = u32::try_from(self.bytes / u64::from(n.max(1))).unwrap_or(u32::MAX);
            let rest = u64::from(each) * u64::from(n.saturating_sub(1));
            let last = u32::try_from(self.bytes - rest).unwrap_or(u32::MAX);
            return Cut { step: payload, full: each, last };
        }
        let least = payload.div_ceil(n);
        let most = (payload - 1) / (n - 1);
        let above_link = self.head.saturating_sub(self.link);
        let usual = MTUS.iter().filter_map(|mtu| mtu.checked_sub(above_link));
        let fits = |step: &u32| (least..=most).contains(step);
        let step = std::iter::once(known).chain(usual).find(fits).unwrap_or(least.min(most));
        let last = payload.saturating_sub(step.saturating_mul(n - 1));
        Cut { step, full: self.head + step, last: self.head + last }
    }
}

#[cfg(test)]
mod tests {
    use ghost_event::{Port, Timestamp};
    use ghost_wire::{LinkType, parse};

    use super::*;

    /// TCP over IPv4 with 12 octets of options, as much of it as a tap keeps.
    fn measure(payload: u32, segments: u16) -> Measure {
        let mut frame = vec![0; 66];
        frame[12..14].copy_from_slice(&[8, 0]);
        frame[14] = 0x45;
        let total = u16::try_from(52 + payload).unwrap_or(0);
        frame[16..18].copy_from_slice(&total.to_be_bytes());
        frame[23] = 6;
        frame[46] = 8 << 4;
        frame.resize(232, 7);
        let at =
            FrameAt { ts: Timestamp(0), wire_len: 66 + payload, segments, port: Port::default() };
        let p = parse(LinkType::Ethernet, &frame);
        assert!(!p.malformed);
        Measure::of(&at, &p)
    }

    #[test]
    fn a_super_frame_is_as_long_as_its_segments_together() {
        let m = measure(3 * 1448 + 100, 4);
        assert_eq!((m.packets, m.bytes, m.payload), (4, 4 * 66 + 3 * 1448 + 100, 3 * 1448 + 100));
        assert_eq!(m.cut(0), Cut { step: 1448, full: 1514, last: 166 });
    }

    #[test]
    fn a_frame_of_more_than_64_kib_has_a_length_of_zero_and_is_measured_on_the_wire() {
        let m = measure(100 * 1448, 100);
        assert_eq!((m.packets, m.payload), (100, 144_800));
        assert_eq!(m.cut(0), Cut { step: 1448, full: 1514, last: 1514 });
    }

    #[test]
    fn a_segment_is_as_long_as_the_flow_showed_it_before() {
        assert_eq!(measure(4000, 4).cut(1200).step, 1200);
        assert_eq!(measure(4000, 4).cut(536).step, 1000, "536 would not make four");
    }

    #[test]
    fn one_frame_is_itself() {
        let m = measure(1000, 1);
        assert_eq!((m.packets, m.bytes, m.payload), (1, 1066, 1000));
        assert_eq!(m.cut(0), Cut { step: 1000, full: 1066, last: 1066 });
    }

    #[test]
    fn the_parts_of_any_frame_are_the_whole() {
        bolero::check!().with_type::<(u16, u32, u16)>().with_iterations(2000).cloned().for_each(
            |(segments, payload, known)| {
                let m = measure(payload % 300_000, segments);
                let cut = m.cut(u32::from(known));
                let whole = u64::from(cut.full) * u64::from(m.packets - 1) + u64::from(cut.last);
                assert_eq!(whole, m.bytes);
            },
        );
    }
}
