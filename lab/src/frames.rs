//! Hand-made Ethernet frames: tags, fragments and everything that no program sends on request.

use crate::{LabError, Namespace, sys};

/// A frame being written, from the outside in.
#[derive(Debug, Clone)]
pub struct Frame(Vec<u8>);

impl Frame {
    /// Begins with the two addresses.
    pub fn new(destination: [u8; 6], source: [u8; 6]) -> Frame {
        Frame([destination, source].concat())
    }

    /// A tag (0x8100 or 0x88a8) with its VLAN number.
    #[must_use]
    pub fn tag(mut self, kind: u16, vlan: u16) -> Frame {
        self.0.extend(kind.to_be_bytes());
        self.0.extend(vlan.to_be_bytes());
        self
    }

    /// An IPv4 packet with a UDP datagram, checksums right.
    #[must_use]
    pub fn udp4(mut self, from: ([u8; 4], u16), to: ([u8; 4], u16), payload: &[u8]) -> Frame {
        let udp = udp(&from.0, &to.0, from.1, to.1, payload);
        self.0.extend(0x0800u16.to_be_bytes());
        self.0.extend(ipv4(from.0, to.0, 0, &udp));
        self
    }

    /// The same datagram in two fragments, cut behind `first` bytes (a multiple of 8) of it.
    pub fn udp4_fragments(
        self,
        from: ([u8; 4], u16),
        to: ([u8; 4], u16),
        payload: &[u8],
        first: usize,
    ) -> [Frame; 2] {
        let udp = udp(&from.0, &to.0, from.1, to.1, payload);
        let (head, tail) = udp.split_at(first.min(udp.len()) & !7);
        let offset = (head.len() / 8) as u16;
        [(head, 0x2000u16), (tail, offset)].map(|(part, flags)| {
            let mut frame = self.clone();
            frame.0.extend(0x0800u16.to_be_bytes());
            frame.0.extend(ipv4(from.0, to.0, flags, part));
            frame
        })
    }

    /// The bytes, as long as Ethernet wants them at least.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.0.clone();
        bytes.resize(bytes.len().max(60), 0);
        bytes
    }
}

/// Sends frames out of an interface as they are.
///
/// # Errors
///
/// When there is no such interface or it refuses a frame (too long for its MTU, link down).
pub fn send_frames(
    namespace: &Namespace,
    interface: &str,
    frames: &[Frame],
) -> Result<(), LabError> {
    let ifindex = namespace.ifindex(interface)?;
    let sent = namespace.within(|| {
        let socket = sys::packet_socket(ifindex)?;
        for frame in frames {
            rustix::net::send(&socket, &frame.bytes(), rustix::net::SendFlags::empty())?;
        }
        Ok(())
    })?;
    sent.map_err(LabError::io(format!("send frames out of {interface} in {}", namespace.name())))
}

fn ipv4(from: [u8; 4], to: [u8; 4], fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend(((20 + payload.len()) as u16).to_be_bytes());
    header.extend(0x4242u16.to_be_bytes());
    header.extend(fragment.to_be_bytes());
    header.extend([64, 17, 0, 0]);
    header.extend(from);
    header.extend(to);
    let sum = !ones(&header, 0);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header.extend(payload);
    header
}

fn udp(from: &[u8; 4], to: &[u8; 4], from_port: u16, to_port: u16, payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len()) as u16;
    let mut datagram = Vec::new();
    datagram.extend(from_port.to_be_bytes());
    datagram.extend(to_port.to_be_bytes());
    datagram.extend(length.to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    let pseudo = ones(&[&from[..], &to[..], &[0, 17], &length.to_be_bytes()].concat(), 0);
    let sum = match !ones(&datagram, pseudo) {
        0 => 0xffff,
        sum => sum,
    };
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    datagram
}

/// The Internet's checksum: a sum of 16-bit words, carries brought back in.
fn ones(bytes: &[u8], start: u16) -> u16 {
    let mut sum = u32::from(start);
    for pair in bytes.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_sums_to_nothing_over_its_checksums() {
        let frame = Frame::new([2; 6], [4; 6]).tag(0x8100, 10);
        let bytes = frame.udp4(([10, 0, 0, 1], 5), ([10, 0, 0, 2], 53), b"odd").bytes();
        assert_eq!(bytes.len(), 60);
        assert_eq!(&bytes[12..18], [0x81, 0, 0, 10, 8, 0]);
        assert_eq!(ones(&bytes[18..38], 0), 0xffff, "IPv4 header");
        let udp = &bytes[38..38 + 11];
        let pseudo = ones(&[&bytes[30..38], &[0, 17, 0, 11]].concat(), 0);
        assert_eq!(ones(udp, pseudo), 0xffff, "UDP datagram");
    }

    #[test]
    fn fragments_hold_the_whole_datagram_between_them() {
        let two = Frame::new([2; 6], [4; 6]).udp4_fragments(
            ([10, 0, 0, 1], 5),
            ([10, 0, 0, 2], 53),
            &[7; 100],
            48,
        );
        let total: usize = two.iter().map(|frame| frame.0.len() - 34).sum();
        assert_eq!(total, 108);
        assert_eq!(&two[0].0[20..22], [0x20, 0]);
        assert_eq!(&two[1].0[20..22], [0, 6]);
    }
}
