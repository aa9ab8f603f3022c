//! One frame, read to its outermost transport header; all slices borrow from the frame.

use std::net::IpAddr;

/// How a frame begins: libpcap's link types that this crate reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkType {
    Ethernet,
    /// DLT_RAW, LINKTYPE_IPV4, LINKTYPE_IPV6: the first nibble tells.
    RawIp,
    Sll,
    Sll2,
    /// BSD loopback; the family is in host byte order of the capturing machine (try both).
    Null,
    /// OpenBSD loopback; network byte order.
    Loop,
    Ppp,
    PppSerial,
    PppEthernet,
    CiscoHdlc,
    Ieee80211,
    Radiotap,
    /// Per-packet information, then the link type it names.
    Ppi,
    /// PPP behind one byte that tells the direction.
    PppDirection,
    FrameRelay,
    /// Not read: counted, never parsed.
    Other(u16),
}

/// What one frame says. `payload` is what stands above the transport header, cut at the IP length
/// (no Ethernet padding) and at the captured length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Source, then destination hardware address.
    pub macs: Option<([u8; 6], [u8; 6])>,
    /// Outer first; a third tag and later are not kept.
    pub vlans: [u16; 2],
    pub vlan_count: u8,
    /// Ethertype behind the last tag (PPPoE and MPLS stay themselves). LLC: DSAP as 0x0000–0x00ff
    /// (0x00aa: SNAP of a vendor, whose `payload` begins with its OUI), or 0x0100 for 802.3 without.
    pub ethertype: u16,
    pub ip: Option<Ip>,
    pub transport: Transport,
    pub payload: &'a [u8],
    /// The transport header said more payload than was captured.
    pub payload_cut: bool,
    /// Octets of it that headers tell of and that were not captured; of a super-frame of more than
    /// 64 KiB no header tells.
    pub payload_missing: u32,
    /// Octets of the frame before `payload`; all of the frame where nothing is left for it.
    pub head_len: u32,
    /// `payload` ends where the captured octets end, and no header says that it should.
    pub open_end: bool,
    /// Present where the outermost IP packet is a fragment.
    pub fragment: Option<Fragment>,
    /// The innermost encapsulated flow, where there is one.
    pub inner: Option<Inner>,
    /// Protocol addresses of ARP (sender, target) and its operation.
    pub arp: Option<Arp>,
    /// Headers ended early or contradicted themselves; what stands before is still true.
    pub malformed: bool,
}

/// The outermost IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ip {
    pub src: IpAddr,
    pub dst: IpAddr,
    /// After IPv6 extension headers (also of a fragment). AH and ESP end the walk.
    pub proto: u8,
    pub ttl: u8,
}

/// A place in a fragmented datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    pub id: u32,
    /// In bytes; 0 is the first fragment, which holds the transport header.
    pub offset: u32,
    pub more: bool,
}

/// The outermost transport header. A later fragment and a header cut before its ports have `None`;
/// one cut behind its ports has zeros for the rest, and its packet is `malformed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    None,
    Tcp {
        src: u16,
        dst: u16,
        seq: u32,
        ack: u32,
        flags: u8,
        window: u16,
    },
    Udp {
        src: u16,
        dst: u16,
    },
    Sctp {
        src: u16,
        dst: u16,
    },
    /// ICMP (proto 1) or ICMPv6 (proto 58); `payload` begins after the 8-byte header.
    Icmp {
        kind: u8,
        code: u8,
    },
    Igmp {
        kind: u8,
    },
}

/// Headers inside GRE, VXLAN, Geneve, IPIP, GTP-U, Teredo, …: fields of the outer flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inner {
    /// `gre`, `vxlan`, `geneve`, `ipip`, `6in4`, `4in6`, `gtp`, `teredo`, …
    pub kind: &'static str,
    pub id: Option<u32>,
    pub src: Option<IpAddr>,
    pub dst: Option<IpAddr>,
    pub proto: u8,
    pub src_port: u16,
    pub dst_port: u16,
    /// Where the inner payload begins and ends within the outer packet's `payload`.
    pub payload: (u32, u32),
}

impl Packet<'_> {
    /// Octets above the transport header, captured or not.
    #[must_use]
    pub fn payload_len(&self) -> u32 {
        u32::try_from(self.payload.len()).unwrap_or(u32::MAX).saturating_add(self.payload_missing)
    }

    /// A packet of which nothing is known yet.
    pub(crate) const EMPTY: Packet<'static> = Packet {
        macs: None,
        vlans: [0; 2],
        vlan_count: 0,
        ethertype: 0,
        ip: None,
        transport: Transport::None,
        payload: &[],
        payload_cut: false,
        payload_missing: 0,
        head_len: 0,
        open_end: false,
        fragment: None,
        inner: None,
        arp: None,
        malformed: false,
    };

    /// What stands here, where no ethertype has said it.
    pub(crate) fn name(&mut self, ethertype: u16) {
        if self.ethertype == 0 {
            self.ethertype = ethertype;
        }
    }
}

impl LinkType {
    /// The link type of a LINKTYPE_ number (of a capture file) or a DLT_ number, where they agree.
    pub fn from_dlt(number: u32) -> Self {
        match number {
            0 => Self::Null,
            1 => Self::Ethernet,
            9 => Self::Ppp,
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            50 => Self::PppSerial,
            51 => Self::PppEthernet,
            104 => Self::CiscoHdlc,
            105 => Self::Ieee80211,
            107 => Self::FrameRelay,
            108 => Self::Loop,
            113 => Self::Sll,
            127 => Self::Radiotap,
            166 | 204 => Self::PppDirection,
            192 => Self::Ppi,
            276 => Self::Sll2,
            other => Self::Other(u16::try_from(other).unwrap_or(u16::MAX)),
        }
    }
}

/// One ARP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    pub operation: u16,
    pub sender: IpAddr,
    pub target: IpAddr,
    pub sender_mac: [u8; 6],
}

/// Which way a packet of a flow goes: from the side that opened it, or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    ToServer,
    ToClient,
}
