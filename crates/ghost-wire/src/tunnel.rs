//! Flows inside flows: what a tunnel's packet carries, told as fields of the outer packet.
//!
//! The addresses and ports told are those of the innermost packet that is reached; kind and id are
//! those of the tunnel nearest to the wire. A port alone proves no tunnel: where the headers behind
//! it do not fit, there is no `inner`.

use crate::ip;
use crate::link::{ethernet, mpls, ppp};
use crate::packet::{Inner, Packet, Transport};
use crate::parse::DEPTH_MAX;

const VXLAN: u16 = 4789;
const VXLAN_LINUX: u16 = 8472;
const VXLAN_GPE: u16 = 4790;
const GENEVE: u16 = 6081;
const GTP_U: u16 = 2152;
const TEREDO: u16 = 3544;
const MPLS_IN_UDP: u16 = 6635;
const L2TP: u16 = 1701;

/// Whether either port is one of a tunnel: the only question asked of every UDP packet.
#[inline]
pub(crate) fn has_port(src: u16, dst: u16) -> bool {
    is_tunnel(dst) || is_tunnel(src)
}

#[inline]
fn is_tunnel(port: u16) -> bool {
    matches!(port, VXLAN | VXLAN_LINUX | VXLAN_GPE | GENEVE | GTP_U | TEREDO | MPLS_IN_UDP | L2TP)
}

/// What a tunnel header said: its name, its id, and how to read what it carries.
struct Carried<'a> {
    kind: &'static str,
    id: Option<u32>,
    layer: Layer,
    bytes: &'a [u8],
}

#[derive(Clone, Copy)]
enum Layer {
    Ip,
    Ethernet,
    Ppp,
    Mpls,
    Ethertype(u16),
}

/// Tunnels that are IP protocols.
pub(crate) fn in_ip<'a>(packet: &mut Packet<'a>, proto: u8, body: &'a [u8], depth: u8) {
    let outer_is_v6 = packet.ip.is_some_and(|ip| ip.src.is_ipv6());
    let plain = |kind, layer| Some(Carried { kind, id: None, layer, bytes: body });
    let carried = match proto {
        4 if outer_is_v6 => plain("4in6", Layer::Ip),
        4 => plain("ipip", Layer::Ip),
        41 if outer_is_v6 => plain("ip6ip6", Layer::Ip),
        41 => plain("6in4", Layer::Ip),
        47 => gre(body),
        137 => plain("mpls", Layer::Mpls),
        97 => body.get(2..).map(|bytes| Carried {
            kind: "etherip",
            id: None,
            layer: Layer::Ethernet,
            bytes,
        }),
        _ => return,
    };
    match carried {
        Some(carried) => look_inside(packet, carried, depth),
        None => packet.malformed = true,
    }
}

/// Tunnels that are UDP ports.
#[inline(never)]
pub(crate) fn in_udp(packet: &mut Packet<'_>, src: u16, dst: u16, depth: u8) {
    let port = if is_tunnel(dst) { dst } else { src };
    let carried = match port {
        VXLAN | VXLAN_LINUX => vxlan(packet.payload),
        VXLAN_GPE => vxlan_gpe(packet.payload),
        GENEVE => geneve(packet.payload),
        GTP_U => gtp(packet.payload),
        TEREDO => teredo(packet.payload),
        L2TP => l2tp(packet.payload),
        _ => Some(Carried { kind: "mpls", id: None, layer: Layer::Mpls, bytes: packet.payload }),
    };
    if let Some(carried) = carried {
        look_inside(packet, carried, depth);
    }
}

fn look_inside<'a>(packet: &mut Packet<'a>, carried: Carried<'a>, depth: u8) {
    if depth >= DEPTH_MAX {
        return;
    }
    let (depth, bytes) = (depth + 1, carried.bytes);
    let mut within = Packet::EMPTY;
    match carried.layer {
        Layer::Ip => ip::either(&mut within, bytes, depth),
        Layer::Ethernet => ethernet::frame(&mut within, bytes, depth),
        Layer::Ppp => ppp::frame(&mut within, bytes, depth),
        Layer::Mpls => mpls::stack(&mut within, bytes, depth),
        Layer::Ethertype(kind) => ethernet::of_type(&mut within, kind, bytes, depth),
    }
    // All slices are of one frame, so places are differences of addresses.
    let place = |slice: &[u8]| {
        (slice.as_ptr() as usize).saturating_sub(packet.payload.as_ptr() as usize) as u32
    };
    let inner = match (within.inner, within.ip) {
        (Some(nested), _) => {
            let start = place(within.payload);
            let (from, to) = nested.payload;
            let payload = (start.saturating_add(from), start.saturating_add(to));
            Inner { kind: carried.kind, id: carried.id, payload, ..nested }
        }
        (None, ip) => {
            let (src_port, dst_port) = match within.transport {
                Transport::Tcp { src, dst, .. }
                | Transport::Udp { src, dst }
                | Transport::Sctp { src, dst } => (src, dst),
                Transport::Icmp { .. } | Transport::Igmp { .. } | Transport::None => (0, 0),
            };
            let start = if within.payload.is_empty() { 0 } else { place(within.payload) };
            Inner {
                kind: carried.kind,
                id: carried.id,
                src: ip.map(|ip| ip.src),
                dst: ip.map(|ip| ip.dst),
                proto: ip.map_or(0, |ip| ip.proto),
                src_port,
                dst_port,
                payload: (start, start.saturating_add(within.payload.len() as u32)),
            }
        }
    };
    packet.inner = Some(inner);
}

/// flags and version 2 · protocol 2 · [checksum 4] · [key 4] · [sequence 4] · [acknowledgement 4]
fn gre(body: &[u8]) -> Option<Carried<'_>> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGEMENT: u16 = 0x0080;
    const ERSPAN: u16 = 0x88be;
    const ERSPAN_THREE: u16 = 0x22eb;
    const WCCP: u16 = 0x883e;

    let ([f0, f1, p0, p1], mut rest) = body.split_first_chunk::<4>()?;
    let (flags, protocol) = (u16::from_be_bytes([*f0, *f1]), u16::from_be_bytes([*p0, *p1]));
    let point_to_point = flags & 7 == 1;
    if flags & (CHECKSUM | ROUTING) != 0 {
        rest = rest.get(4..)?;
    }
    let mut key = None;
    if flags & KEY != 0 {
        let (bytes, behind) = rest.split_first_chunk::<4>()?;
        key = Some(u32::from_be_bytes(*bytes));
        rest = behind;
    }
    if flags & SEQUENCE != 0 {
        rest = rest.get(4..)?;
    }
    if point_to_point {
        if flags & ACKNOWLEDGEMENT != 0 {
            rest = rest.get(4..)?;
        }
        // The key's upper half is a length, the lower the call.
        let id = key.map(|key| key & 0xffff);
        return Some(Carried { kind: "pptp", id, layer: Layer::Ppp, bytes: rest });
    }
    let carried = |kind, id, layer, bytes| Some(Carried { kind, id, layer, bytes });
    match protocol {
        ethernet::BRIDGED => match key {
            // The upper 24 bits are the virtual subnet, the lower eight its flow id.
            Some(key) => carried("nvgre", Some(key >> 8), Layer::Ethernet, rest),
            None => carried("gre", None, Layer::Ethernet, rest),
        },
        // Without a sequence number it is the first version, which has no header of its own.
        ERSPAN if flags & SEQUENCE == 0 => carried("erspan", None, Layer::Ethernet, rest),
        ERSPAN => {
            let session = rest.get(2..).and_then(<[u8]>::first_chunk::<2>)?;
            let id = Some(u32::from(u16::from_be_bytes(*session) & 0x03ff));
            carried("erspan", id, Layer::Ethernet, rest.get(8..)?)
        }
        ERSPAN_THREE => {
            let head = rest.first_chunk::<12>()?;
            let id = Some(u32::from(u16::from_be_bytes([head[2], head[3]]) & 0x03ff));
            let platform = if head[11] & 1 != 0 { 8 } else { 0 };
            carried("erspan", id, Layer::Ethernet, rest.get(12 + platform..)?)
        }
        // Version 2 puts four bytes before the IP header.
        WCCP => match rest.first() {
            Some(first) if first >> 4 == 4 => carried("gre", key, Layer::Ip, rest),
            _ => carried("gre", key, Layer::Ip, rest.get(4..)?),
        },
        other => carried("gre", key, Layer::Ethertype(other), rest),
    }
}

/// flags 1 · 0 3 · network 3 · 0 1 · Ethernet
fn vxlan(payload: &[u8]) -> Option<Carried<'_>> {
    let ([flags, _, _, _, id @ .., _], rest) = payload.split_first_chunk::<8>()?;
    if flags & 0x08 == 0 || rest.len() < 14 {
        return None;
    }
    let [a, b, c] = *id;
    let id = Some(u32::from_be_bytes([0, a, b, c]));
    Some(Carried { kind: "vxlan", id, layer: Layer::Ethernet, bytes: rest })
}

/// flags 1 · 0 2 · next 1 · network 3 · 0 1
fn vxlan_gpe(payload: &[u8]) -> Option<Carried<'_>> {
    let ([flags, _, _, next, id @ .., _], rest) = payload.split_first_chunk::<8>()?;
    let layer = match next {
        1 | 2 => Layer::Ip,
        3 => Layer::Ethernet,
        5 => Layer::Mpls,
        _ => return None,
    };
    if flags & 0x0c != 0x0c {
        return None;
    }
    let [a, b, c] = *id;
    let id = Some(u32::from_be_bytes([0, a, b, c]));
    Some(Carried { kind: "vxlan-gpe", id, layer, bytes: rest })
}

/// version and options length 1 · flags 1 · protocol 2 · network 3 · 0 1 · options
fn geneve(payload: &[u8]) -> Option<Carried<'_>> {
    let ([first, _, p0, p1, id @ .., _], rest) = payload.split_first_chunk::<8>()?;
    if first >> 6 != 0 {
        return None;
    }
    let bytes = rest.get(usize::from(first & 0x3f) * 4..)?;
    let layer = match u16::from_be_bytes([*p0, *p1]) {
        ethernet::BRIDGED => Layer::Ethernet,
        other => Layer::Ethertype(other),
    };
    let [a, b, c] = *id;
    let id = Some(u32::from_be_bytes([0, a, b, c]));
    Some(Carried { kind: "geneve", id, layer, bytes })
}

/// version and flags 1 · type 1 · length 2 · tunnel 4 · [sequence 2 · number 1 · next 1] · extensions
fn gtp(payload: &[u8]) -> Option<Carried<'_>> {
    const USER_DATA: u8 = 0xff;
    const EXTENSION: u8 = 4;
    let ([flags, message, _, _, id @ ..], mut rest) = payload.split_first_chunk::<8>()?;
    if flags >> 4 != 3 || *message != USER_DATA {
        return None;
    }
    if flags & 7 != 0 {
        let (&[_, _, _, mut next], behind) = rest.split_first_chunk::<4>()?;
        rest = behind;
        // Each extension: its length in fours, its content, the type of the next.
        while flags & EXTENSION != 0 && next != 0 {
            let length = usize::from(*rest.first()?) * 4;
            let header = rest.get(..length)?;
            next = *header.last()?;
            rest = rest.get(length..)?;
        }
    }
    matches!(rest.first()? >> 4, 4 | 6).then_some(())?;
    let id = Some(u32::from_be_bytes(*id));
    Some(Carried { kind: "gtp", id, layer: Layer::Ip, bytes: rest })
}

/// [authentication: 00 01 · lengths 1+1 · … 9] · [origin: 00 00 · 6] · IPv6
fn teredo(payload: &[u8]) -> Option<Carried<'_>> {
    let mut rest = payload;
    if let [0, 1, client, value, behind @ ..] = rest {
        rest = behind.get(usize::from(*client) + usize::from(*value) + 9..)?;
    }
    if let [0, 0, _, _, _, _, _, _, behind @ ..] = rest {
        rest = behind;
    }
    (rest.len() >= 40 && rest.first()? >> 4 == 6).then_some(Carried {
        kind: "teredo",
        id: None,
        layer: Layer::Ip,
        bytes: rest,
    })
}

/// flags and version 2 · [length 2] · tunnel 2 · session 2 · [numbers 4] · [offset 2 + n] · PPP
fn l2tp(payload: &[u8]) -> Option<Carried<'_>> {
    const CONTROL: u16 = 0x8000;
    const LENGTH: u16 = 0x4000;
    const SEQUENCE: u16 = 0x0800;
    const OFFSET: u16 = 0x0200;
    let (flags, mut rest) = payload.split_first_chunk::<2>()?;
    let flags = u16::from_be_bytes(*flags);
    if flags & 0x0f != 2 || flags & CONTROL != 0 {
        return None;
    }
    if flags & LENGTH != 0 {
        rest = rest.get(2..)?;
    }
    let ([_, _, s0, s1], behind) = rest.split_first_chunk::<4>()?;
    rest = behind;
    if flags & SEQUENCE != 0 {
        rest = rest.get(4..)?;
    }
    if flags & OFFSET != 0 {
        let (offset, behind) = rest.split_first_chunk::<2>()?;
        rest = behind.get(usize::from(u16::from_be_bytes(*offset))..)?;
    }
    let id = Some(u32::from(u16::from_be_bytes([*s0, *s1])));
    Some(Carried { kind: "l2tp", id, layer: Layer::Ppp, bytes: rest })
}
