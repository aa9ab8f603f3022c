//! How far a TCP connection came, how long its handshake took, and what was sent twice.
//!
//! Works on what was captured: a connection picked up in its middle counts as established from
//! its first acknowledged segment. Retransmissions are segments whose bytes were all seen before;
//! a keep-alive (one old byte) is not one.

use ghost_event::{Tcp, TcpState, Timestamp};
use ghost_wire::Direction;

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const ACK: u8 = 0x10;

/// What must be remembered between segments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Track {
    next: [u32; 2],
    known: [bool; 2],
    /// When a SYN, or a SYN-ACK, was sent that is not answered yet, or [`NEVER`].
    syn: Timestamp,
    syn_ack: Timestamp,
}

/// No time at all.
const NEVER: Timestamp = Timestamp(i64::MIN);

impl Default for Track {
    fn default() -> Track {
        Track { next: [0; 2], known: [false; 2], syn: NEVER, syn_ack: NEVER }
    }
}

impl Track {
    /// Takes in one segment.
    pub(crate) fn segment(
        &mut self,
        tcp: &mut Tcp,
        direction: Direction,
        (seq, flags): (u32, u8),
        (length, step): (u32, u32),
        ts: Timestamp,
    ) {
        let side = usize::from(direction == Direction::ToClient);
        match direction {
            Direction::ToServer => tcp.flags_to_server |= flags,
            Direction::ToClient => tcp.flags_to_client |= flags,
        }
        self.handshake(tcp, direction, flags, ts);
        tcp.state = next_state(tcp, flags);

        let end = seq.wrapping_add(length).wrapping_add(u32::from(flags & SYN != 0));
        let ahead = end.wrapping_sub(self.next[side]).cast_signed() > 0;
        // Of a super-frame that goes on where the last one ended, what it repeats.
        let repeated = self.next[side].wrapping_sub(seq);
        if self.known[side] && ahead && step > 1 && flags & SYN == 0 && repeated < length {
            tcp.retransmissions = tcp.retransmissions.saturating_add(repeated / step);
        }
        if !self.known[side] || ahead || flags & SYN != 0 {
            self.next[side] = end;
            self.known[side] = flags & RST == 0;
        } else if length > 1 {
            let segments = length.div_ceil(step.max(1)).max(1);
            tcp.retransmissions = tcp.retransmissions.saturating_add(segments);
        }
    }

    fn handshake(&mut self, tcp: &mut Tcp, direction: Direction, flags: u8, ts: Timestamp) {
        let since = |then: &mut Timestamp| match std::mem::replace(then, NEVER) {
            NEVER => 0,
            then => u32::try_from(ts.ns_since(then) / 1000).unwrap_or(u32::MAX),
        };
        match (direction, flags & (SYN | ACK | RST)) {
            (Direction::ToServer, SYN) => self.syn = ts,
            (Direction::ToClient, f) if f == SYN | ACK => {
                if tcp.rtt_server_us == 0 {
                    tcp.rtt_server_us = since(&mut self.syn);
                }
                self.syn_ack = ts;
            }
            (Direction::ToServer, ACK) if tcp.rtt_client_us == 0 => {
                tcp.rtt_client_us = since(&mut self.syn_ack);
            }
            _ => {}
        }
    }
}

/// The state after a segment whose flags are already in `tcp`.
fn next_state(tcp: &Tcp, flags: u8) -> TcpState {
    let now = tcp.state;
    if flags & RST != 0 {
        return if now == TcpState::Closed { now } else { TcpState::Reset };
    }
    if now == TcpState::Reset {
        return now;
    }
    if tcp.flags_to_server & tcp.flags_to_client & FIN != 0 {
        return TcpState::Closed;
    }
    match flags & (SYN | ACK | FIN) {
        f if f & FIN != 0 => TcpState::FinWait,
        SYN => now.max(TcpState::SynSent),
        f if f == SYN | ACK => now.max(TcpState::SynRecv),
        // Both sides must have been heard, or there was no handshake to wait for.
        ACK if now == TcpState::SynRecv || now == TcpState::None => TcpState::Established,
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{ToClient, ToServer};

    fn run(segments: &[(Direction, u32, u8, u32)]) -> Tcp {
        let (mut track, mut tcp) = (Track::default(), Tcp::default());
        for (i, (direction, seq, flags, length)) in segments.iter().enumerate() {
            let ts = Timestamp(i64::try_from(i).unwrap() * 1_000_000);
            track.segment(&mut tcp, *direction, (*seq, *flags), (*length, *length), ts);
        }
        tcp
    }

    const OPENED: [(Direction, u32, u8, u32); 3] =
        [(ToServer, 100, SYN, 0), (ToClient, 900, SYN | ACK, 0), (ToServer, 101, ACK, 0)];

    #[test]
    fn a_handshake_tells_the_way_to_both_sides() {
        let tcp = run(&OPENED);
        assert_eq!(tcp.state, TcpState::Established);
        assert_eq!((tcp.rtt_server_us, tcp.rtt_client_us), (1000, 1000));
    }

    #[test]
    fn both_fins_close_and_a_reset_resets() {
        let mut segments = OPENED.to_vec();
        segments.push((ToServer, 101, FIN | ACK, 0));
        assert_eq!(run(&segments).state, TcpState::FinWait);
        segments.push((ToClient, 901, FIN | ACK, 0));
        assert_eq!(run(&segments).state, TcpState::Closed);
        segments.push((ToClient, 902, RST, 0));
        assert_eq!(run(&segments).state, TcpState::Closed);
        assert_eq!(
            run(&[(ToServer, 1, SYN, 0), (ToClient, 0, RST | ACK, 0)]).state,
            TcpState::Reset
        );
    }

    #[test]
    fn bytes_sent_twice_are_a_retransmission_and_a_keep_alive_is_not() {
        let mut segments = OPENED.to_vec();
        segments.push((ToServer, 101, ACK, 100));
        segments.push((ToServer, 201, ACK, 100));
        assert_eq!(run(&segments).retransmissions, 0);
        segments.push((ToServer, 101, ACK, 100));
        segments.push((ToServer, 300, ACK, 1));
        assert_eq!(run(&segments).retransmissions, 1);
    }

    #[test]
    fn sequence_numbers_may_wrap() {
        let tcp = run(&[(ToServer, u32::MAX - 49, ACK, 100), (ToServer, 50, ACK, 100)]);
        assert_eq!(tcp.retransmissions, 0);
    }

    #[test]
    fn a_connection_seen_from_its_middle_is_established() {
        assert_eq!(run(&[(ToServer, 5, ACK, 10)]).state, TcpState::Established);
    }
}
