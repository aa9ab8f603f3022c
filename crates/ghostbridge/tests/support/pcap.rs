//! Captures made on the spot: Ethernet, IPv4, UDP and TCP, as much as a test needs.
//!
//! Checksums are left at zero; nothing here is an oracle of any format.

/// Microseconds since 1970 at which made captures begin: 2026-01-05 09:00:00 UTC.
pub(crate) const BEGIN_US: u64 = 1_767_603_600_000_000;

/// A classic pcap file that grows by packets.
pub(crate) struct Pcap {
    pub(crate) bytes: Vec<u8>,
    at_us: u64,
}

impl Pcap {
    pub(crate) fn new() -> Pcap {
        let mut bytes = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
            bytes.extend(word.to_le_bytes());
        }
        Pcap { bytes, at_us: BEGIN_US }
    }

    /// Lets time pass.
    pub(crate) fn wait_us(&mut self, us: u64) {
        self.at_us += us;
    }

    fn frame(&mut self, protocol: u8, source: [u8; 4], target: [u8; 4], segment: &[u8]) {
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
        let length = u16::try_from(20 + segment.len()).unwrap().to_be_bytes();
        frame.extend([0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0]);
        frame.extend(source.into_iter().chain(target));
        frame.extend(segment);
        let length = u32::try_from(frame.len()).unwrap();
        let (s, us) = (self.at_us / 1_000_000, self.at_us % 1_000_000);
        for word in [u32::try_from(s).unwrap(), u32::try_from(us).unwrap(), length, length] {
            self.bytes.extend(word.to_le_bytes());
        }
        self.bytes.extend(frame);
        self.at_us += 1_000;
    }

    pub(crate) fn udp(&mut self, from: ([u8; 4], u16), to: ([u8; 4], u16), payload: &[u8]) {
        let length = u16::try_from(8 + payload.len()).unwrap();
        let mut segment = Vec::new();
        for word in [from.1, to.1, length, 0] {
            segment.extend(word.to_be_bytes());
        }
        segment.extend(payload);
        self.frame(17, from.0, to.0, &segment);
    }

    fn tcp(&mut self, from: ([u8; 4], u16), to: ([u8; 4], u16), seq: u32, flags: u8, data: &[u8]) {
        let mut segment = Vec::new();
        segment.extend(from.1.to_be_bytes());
        segment.extend(to.1.to_be_bytes());
        segment.extend(seq.to_be_bytes());
        segment.extend(1_u32.to_be_bytes());
        segment.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend(data);
        self.frame(6, from.0, to.0, &segment);
    }

    /// A TCP conversation: opened, one request, one response, closed.
    pub(crate) fn talk(
        &mut self,
        from: ([u8; 4], u16),
        to: ([u8; 4], u16),
        request: &[u8],
        response: &[u8],
    ) {
        let [syn, ack, psh, fin] = [2, 16, 8, 1];
        self.tcp(from, to, 0, syn, b"");
        self.tcp(to, from, 0, syn | ack, b"");
        self.tcp(from, to, 1, ack, b"");
        self.tcp(from, to, 1, psh | ack, request);
        self.tcp(to, from, 1, psh | ack, response);
        let ends = |data: &[u8]| 1 + u32::try_from(data.len()).unwrap();
        self.tcp(from, to, ends(request), fin | ack, b"");
        self.tcp(to, from, ends(response), fin | ack, b"");
    }

    /// A DNS question of one label and its answer.
    pub(crate) fn ask(&mut self, from: ([u8; 4], u16), label: &[u8]) {
        let server = ([10, 0, 0, 53], 53);
        let mut question = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        question.push(u8::try_from(label.len()).unwrap());
        question.extend(label);
        question.extend(b"\x07example\x00\x00\x01\x00\x01");
        self.udp(from, server, &question);
        let mut answer = question.clone();
        answer[2] = 0x81;
        answer[7] = 1;
        answer.extend(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x09");
        self.udp(server, from, &answer);
    }
}

/// `flows` flows of one packet each, no two alike.
pub(crate) fn many(flows: u32) -> Vec<u8> {
    let mut pcap = Pcap::new();
    for flow in 0..flows {
        let [_, a, b, c] = flow.to_be_bytes();
        pcap.udp(([10, a, b, c], 40_000), ([192, 0, 2, 1], 9_999), &flow.to_be_bytes());
    }
    pcap.bytes
}
