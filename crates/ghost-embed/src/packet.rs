//! What one packet looked like, in buckets: the part of a shape that a packet adds to its flow.
//!
//! A packet's shape names what the packet did (asked for a connection, carried data, reset), which
//! way it went and how full it was, beside the application, the places and the behaviours that its
//! flow has by now. It leaves out what only the whole flow tells (its size, its course) and what
//! would multiply shapes without saying more of a packet (brand, framing of VLANs and tunnels).

use ghost_event::line::PacketEvent;

use crate::shape::names;

/// What a shape needs of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PacketFacts {
    pub to_server: bool,
    /// CWR ECE URG ACK PSH RST SYN FIN, high to low; `None` where it is not TCP.
    pub tcp_flags: Option<u8>,
    pub payload_len: u32,
    pub fragment: bool,
    pub malformed: bool,
}

impl PacketFacts {
    /// The facts of an event.
    #[must_use]
    pub fn of(p: &PacketEvent) -> PacketFacts {
        PacketFacts {
            to_server: p.to_server,
            tcp_flags: p.tcp_flags,
            payload_len: p.payload_len,
            fragment: p.fragment,
            malformed: p.malformed,
        }
    }
}

/// A packet in buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Look {
    pub act: Act,
    pub to_server: bool,
    pub fill: Fill,
}

names! {
    /// What it did.
    Act {
        /// Neither TCP nor told otherwise.
        Datagram = "datagram",
        Request = "request",
        Accept = "accept",
        /// An acknowledgement and nothing else.
        Acknowledge = "acknowledge",
        Data = "data",
        Close = "close",
        Reset = "reset",
        /// Flags that no sane sender sets together, or none at all.
        Odd = "odd",
    }
}

names! {
    /// How much it carried.
    Fill {
        Empty = "empty",
        /// Below 128 bytes.
        Small = "small",
        Medium = "medium",
        /// From 1,000 bytes: as full as links let it be.
        Large = "large",
    }
}

impl Look {
    /// The buckets of `facts`.
    #[must_use]
    #[inline]
    pub fn of(facts: &PacketFacts) -> Look {
        Look {
            act: Act::of(facts),
            to_server: facts.to_server,
            fill: match facts.payload_len {
                0 => Fill::Empty,
                1..128 => Fill::Small,
                128..1000 => Fill::Medium,
                _ => Fill::Large,
            },
        }
    }
}

impl Act {
    #[inline]
    fn of(facts: &PacketFacts) -> Act {
        const FIN: u8 = 0x01;
        const SYN: u8 = 0x02;
        const RST: u8 = 0x04;
        const ACK: u8 = 0x10;
        let Some(flags) = facts.tcp_flags else { return Act::Datagram };
        match flags & (FIN | SYN | RST | ACK) {
            SYN => Act::Request,
            f if f == SYN | ACK => Act::Accept,
            f if f & SYN != 0 => Act::Odd,
            f if f & RST != 0 => Act::Reset,
            f if f == FIN | ACK => Act::Close,
            ACK if facts.payload_len > 0 => Act::Data,
            ACK => Act::Acknowledge,
            _ => Act::Odd,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_tell_what_a_packet_did() {
        let check = |flags: Option<u8>, payload_len: u32, want: Act| {
            let facts = PacketFacts { tcp_flags: flags, payload_len, ..PacketFacts::default() };
            assert_eq!(Look::of(&facts).act, want, "{flags:?} {payload_len}");
        };
        check(None, 40, Act::Datagram);
        check(Some(0x02), 0, Act::Request);
        check(Some(0xc2), 0, Act::Request);
        check(Some(0x12), 0, Act::Accept);
        check(Some(0x10), 0, Act::Acknowledge);
        check(Some(0x18), 9, Act::Data);
        check(Some(0x11), 9, Act::Close);
        check(Some(0x14), 0, Act::Reset);
        for odd in [0x00, 0x01, 0x29, 0x03, 0x06, 0x20] {
            check(Some(odd), 0, Act::Odd);
        }
    }

    #[test]
    fn how_full_it_was_is_told_in_four_steps() {
        let fill = |payload_len| Look::of(&PacketFacts { payload_len, ..Default::default() }).fill;
        let fills = [0, 1, 127, 128, 999, 1000, u32::MAX].map(fill);
        let want = [
            Fill::Empty,
            Fill::Small,
            Fill::Small,
            Fill::Medium,
            Fill::Medium,
            Fill::Large,
            Fill::Large,
        ];
        assert_eq!(fills, want);
    }
}
