//! The frames of a load, one after the other, written into a buffer that may hold the one before.

use std::io;

use super::{Load, Traffic};

/// Link and IPv4 header.
const IP: usize = 14;
const TRANSPORT: usize = IP + 20;
const SENDER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x98];
/// Flows of one source address, where they are counted up.
const PORTS: u64 = 50_000;

/// An endless row of frames.
#[derive(Debug)]
pub(super) struct Frames {
    kind: Kind,
    number: u64,
}

#[derive(Debug)]
enum Kind {
    Made(Box<Made>),
    Captured(Vec<Vec<u8>>),
}

#[derive(Debug)]
struct Made {
    template: Vec<u8>,
    syn: bool,
    flows: u64,
    frames_a_flow: u64,
    answered: bool,
    random: bool,
    target: [u8; 4],
    target_port: u16,
    /// Sums over all that stays the same.
    ip_sum: u32,
    transport_sum: u32,
}

impl Frames {
    pub(super) fn new(traffic: &Traffic) -> io::Result<Frames> {
        let kind = match &traffic.load {
            Load::Capture(path) => {
                let frames = captured(&std::fs::read(path)?).filter(|frames| !frames.is_empty());
                let why = format!("{} is no classic capture of Ethernet", path.display());
                Kind::Captured(frames.ok_or_else(|| io::Error::other(why))?)
            }
            Load::Udp => Kind::Made(Box::new(Made::new(traffic, false))),
            Load::Syn => Kind::Made(Box::new(Made::new(traffic, true))),
        };
        Ok(Frames { kind, number: 0 })
    }

    pub(super) fn longest(&self) -> usize {
        match &self.kind {
            Kind::Made(made) => made.template.len(),
            Kind::Captured(frames) => frames.iter().map(Vec::len).max().unwrap_or(0),
        }
    }

    /// Writes the next frame; its length. `fresh` says that `into` was written for the last time by
    /// this very row of frames, so that only what differs must be.
    pub(super) fn write_next(&mut self, into: &mut [u8], fresh: bool) -> usize {
        let number = self.number;
        self.number += 1;
        match &self.kind {
            Kind::Made(made) => made.write(number, into, fresh),
            Kind::Captured(frames) => {
                let frame = &frames[(number % frames.len() as u64) as usize];
                into[..frame.len()].copy_from_slice(frame);
                frame.len()
            }
        }
    }
}

impl Made {
    fn new(traffic: &Traffic, syn: bool) -> Made {
        let least = if syn { TRANSPORT + 20 } else { TRANSPORT + 8 };
        let size = traffic.size.clamp(least.max(60), 65_000);
        let mut frame = vec![0u8; size];
        frame[0..6].copy_from_slice(&traffic.target_mac);
        frame[6..12].copy_from_slice(&SENDER_MAC);
        frame[12] = 8;
        // A SYN carries nothing; what is behind it is padding.
        let ip_len = if syn { 40 } else { size - IP };
        frame[IP] = 0x45;
        frame[IP + 2..IP + 4].copy_from_slice(&(ip_len as u16).to_be_bytes());
        frame[IP + 8] = 64;
        frame[IP + 9] = if syn { 6 } else { 17 };
        if syn {
            frame[TRANSPORT + 12] = 0x50;
            frame[TRANSPORT + 13] = 2;
            frame[TRANSPORT + 14..TRANSPORT + 16].copy_from_slice(&64_240u16.to_be_bytes());
        } else {
            let length = (ip_len - 20) as u16;
            frame[TRANSPORT + 4..TRANSPORT + 6].copy_from_slice(&length.to_be_bytes());
            for (at, byte) in frame.iter_mut().enumerate().skip(TRANSPORT + 8) {
                *byte = (at * 7) as u8;
            }
        }
        let ip_sum = sum(&frame[IP..TRANSPORT]);
        let transport_sum = sum(&frame[TRANSPORT..TRANSPORT + 20]) + 6 + 20;
        Made {
            template: frame,
            syn,
            flows: u64::from(traffic.flows.max(1)),
            frames_a_flow: u64::from(traffic.frames_a_flow),
            answered: traffic.answered,
            random: traffic.random_sources,
            target: traffic.target,
            target_port: traffic.target_port,
            ip_sum,
            transport_sum,
        }
    }

    fn write(&self, number: u64, into: &mut [u8], fresh: bool) -> usize {
        let length = self.template.len();
        let frame = &mut into[..length];
        if !fresh {
            frame.copy_from_slice(&self.template);
        }
        let (turn, place) = (number / self.flows, number % self.flows);
        let over = turn.checked_div(self.frames_a_flow).unwrap_or(0);
        let flow = over * self.flows + place;
        let (source, port) = self.source(flow);
        let there = (source, port, self.target, self.target_port);
        let (from, from_port, to, to_port) = match self.answered && turn % 2 == 1 {
            true => (self.target, self.target_port, source, port),
            false => there,
        };
        frame[IP + 12..IP + 16].copy_from_slice(&from);
        frame[IP + 16..IP + 20].copy_from_slice(&to);
        frame[TRANSPORT..TRANSPORT + 2].copy_from_slice(&from_port.to_be_bytes());
        frame[TRANSPORT + 2..TRANSPORT + 4].copy_from_slice(&to_port.to_be_bytes());
        let addresses = sum(&frame[IP + 12..IP + 20]);
        let ip = !folded(self.ip_sum + addresses);
        frame[IP + 10..IP + 12].copy_from_slice(&ip.to_be_bytes());
        if self.syn {
            // The number that begins a connection differs by flow, as real ones do.
            let first = (flow as u32).wrapping_mul(0x9e37_79b9).to_be_bytes();
            frame[TRANSPORT + 4..TRANSPORT + 8].copy_from_slice(&first);
            let ports = u32::from(from_port) + u32::from(to_port);
            let tcp = !folded(self.transport_sum + addresses + ports + sum(&first));
            frame[TRANSPORT + 16..TRANSPORT + 18].copy_from_slice(&tcp.to_be_bytes());
        }
        length
    }

    fn source(&self, flow: u64) -> ([u8; 4], u16) {
        if self.random {
            let drawn = mixed(flow);
            let [a, b, c, d, p, q, ..] = drawn.to_be_bytes();
            // 1 to 223: no multicast, nothing reserved; never this host.
            let a = a % 223 + 1;
            return ([if a == 127 { 126 } else { a }, b, c, d], u16::from_be_bytes([p | 4, q]));
        }
        let host = (flow / PORTS) as u32;
        let [_, b, c, d] = host.to_be_bytes();
        ([10, 128 | (b & 0x7f), c, d], (10_000 + flow % PORTS) as u16)
    }
}

/// A number as if drawn by chance, the same for the same flow (the finaliser of SplitMix64).
fn mixed(flow: u64) -> u64 {
    let mut z = flow.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks_exact(2).map(|two| u32::from(u16::from_be_bytes([two[0], two[1]]))).sum()
}

fn folded(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// The frames of a classic capture of Ethernet of either byte order.
fn captured(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let magic: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    let little = match magic {
        [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => true,
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => false,
        _ => return None,
    };
    let word = |at: usize| -> Option<u32> {
        let four = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) })
    };
    if word(20)? & 0xffff != 1 {
        return None;
    }
    let (mut frames, mut at) = (Vec::new(), 24);
    while let Some(length) = word(at + 8) {
        let end = (at + 16).checked_add(length as usize)?;
        let Some(frame) = bytes.get(at + 16..end) else { break };
        if (14..=65_000).contains(&frame.len()) {
            frames.push(frame.to_vec());
        }
        at = end;
    }
    Some(frames)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn row(traffic: Traffic, count: usize) -> Vec<Vec<u8>> {
        let mut frames = Frames::new(&traffic).unwrap();
        let mut buffer = vec![0; 2048];
        (0..count)
            .map(|number| {
                let length = frames.write_next(&mut buffer, number > 0);
                buffer[..length].to_vec()
            })
            .collect()
    }

    fn tuple(frame: &[u8]) -> Vec<u8> {
        frame[IP + 12..TRANSPORT + 4].to_vec()
    }

    #[test]
    fn checksums_are_right_in_every_frame() {
        for load in [Load::Udp, Load::Syn] {
            let traffic = Traffic { load, random_sources: true, ..Traffic::default() };
            for frame in row(traffic, 1000) {
                assert_eq!(folded(sum(&frame[IP..TRANSPORT])), 0xffff);
                if frame[IP + 9] == 6 {
                    let tcp = &frame[TRANSPORT..TRANSPORT + 20];
                    let pseudo = sum(&frame[IP + 12..IP + 20]) + 6 + 20;
                    assert_eq!(folded(sum(tcp) + pseudo), 0xffff);
                }
            }
        }
    }

    #[test]
    fn flows_are_as_many_as_asked_and_give_way_to_new_ones() {
        let few = Traffic { flows: 10, ..Traffic::default() };
        let distinct = |frames: Vec<Vec<u8>>| {
            frames.iter().map(|frame| tuple(frame)).collect::<HashSet<_>>().len()
        };
        assert_eq!(distinct(row(few.clone(), 1000)), 10);
        let changing = Traffic { frames_a_flow: 5, ..few.clone() };
        assert_eq!(distinct(row(changing, 1000)), 200);
        let flood = Traffic { flows: 1, frames_a_flow: 1, random_sources: true, ..few };
        assert_eq!(distinct(row(flood, 1000)), 1000);
    }

    #[test]
    fn an_answered_flow_goes_both_ways() {
        let traffic = Traffic { flows: 1, answered: true, ..Traffic::default() };
        let frames = row(traffic, 2);
        assert_eq!(frames[0][IP + 12..IP + 16], frames[1][IP + 16..IP + 20]);
        assert_eq!(frames[0][TRANSPORT..TRANSPORT + 2], frames[1][TRANSPORT + 2..TRANSPORT + 4]);
    }

    #[test]
    fn sizes_are_kept_and_never_too_short_for_the_headers() {
        assert_eq!(row(Traffic { size: 1514, ..Traffic::default() }, 1)[0].len(), 1514);
        assert_eq!(row(Traffic { size: 1, ..Traffic::default() }, 1)[0].len(), 60);
    }

    #[test]
    fn frames_of_a_capture_are_read_and_no_others() {
        let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        file.extend([0, 0, 4, 0, 1, 0, 0, 0]);
        file.extend([0, 0, 0, 0, 0, 0, 0, 0, 14, 0, 0, 0, 14, 0, 0, 0]);
        file.extend([5; 14]);
        assert_eq!(captured(&file).unwrap(), [vec![5; 14]]);
        assert_eq!(captured(&file[..file.len() - 1]).unwrap(), [[0u8; 0]; 0]);
        assert_eq!(captured(b"something else entirely, but long enough"), None);
    }
}
