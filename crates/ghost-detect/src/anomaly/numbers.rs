//! A flow as a few numbers: points for the half-space trees, and magnitudes for its service.

use ghost_event::{Features, Proto, TcpState, Zone};

use super::rates::{Rate, Reached};

/// Numbers of a point.
pub(crate) const NUMBERS: usize = 18;

/// The flow as a point in the unit cube.
pub(crate) fn point(f: &Features, reached: &[Option<Reached>; 5]) -> [f32; NUMBERS] {
    let up = &f.to_server;
    let down = &f.to_client;
    let both = big(up.bytes.saturating_add(down.bytes)).max(1.0);
    let payload = big(up.payload_bytes.saturating_add(down.payload_bytes));
    let mean = double(f.sizes.mean);
    let gap = double(f.gaps_us.mean);
    let state = match f.tcp.map(|tcp| tcp.state) {
        None | Some(TcpState::None) => 0.0,
        Some(TcpState::SynSent) => 0.15,
        Some(TcpState::SynRecv) => 0.3,
        Some(TcpState::Established) => 0.55,
        Some(TcpState::FinWait) => 0.7,
        Some(TcpState::Closed) => 0.8,
        Some(TcpState::Reset) => 1.0,
    };
    let proto = match f.proto {
        Proto::Ether(_) => 0.0,
        Proto::Ip(6) => 0.3,
        Proto::Ip(17) => 0.6,
        Proto::Ip(1 | 58) => 0.85,
        Proto::Ip(_) => 1.0,
    };
    let group = f
        .dst_ip
        .is_some_and(|dst| matches!(crate::zone::zone(dst), Zone::Multicast | Zone::Broadcast));
    let tried = |rate: Rate| {
        let found = reached.iter().flatten().find(|r| r.rate == rate);
        found.map_or(0.0, |r| log(f32::from(u16::try_from(r.tried).unwrap_or(u16::MAX)), 9.0))
    };
    let futile = reached.iter().flatten().map(|r| r.unanswered).max().unwrap_or(0);
    let text = longest(f);
    [
        log(big(up.packets), 14.0),
        log(big(down.packets), 14.0),
        log(big(up.payload_bytes), 24.0),
        log(big(down.payload_bytes), 24.0),
        big(up.bytes) / both,
        log(big(f.duration_ns() / 1_000_000), 20.0),
        (mean / 1514.0).min(1.0),
        (double(f.sizes.deviation()) / 700.0).min(1.0),
        log(gap, 26.0),
        (double(f.gaps_us.deviation()) / gap.max(1.0) / 4.0).min(1.0),
        payload / both,
        state,
        proto,
        f32::from(f.dst_port) / 65_535.0,
        log(text, 9.0),
        tried(Rate::Ports).max(tried(Rate::Targets)),
        tried(Rate::Calls).max(tried(Rate::Sources)),
        if group { 1.0 } else { log(f32::from(u16::try_from(futile).unwrap_or(u16::MAX)), 9.0) },
    ]
}

/// What is weighed against other flows of the same service.
pub(crate) const MAGNITUDES: [&str; 8] = [
    "payload bytes sent",
    "payload bytes received",
    "packets",
    "milliseconds",
    "payload bytes a packet sent",
    "times as much sent as received",
    "names and commands",
    "characters in its longest name",
];

/// The flow's magnitudes, in the order of [`MAGNITUDES`].
pub(crate) fn magnitudes(f: &Features) -> [f32; MAGNITUDES.len()] {
    let (up, down) = (big(f.to_server.payload_bytes), big(f.to_client.payload_bytes));
    #[expect(clippy::cast_precision_loss, reason = "a magnitude")]
    let names = f.names.pairs.len() as f32;
    [
        up,
        down,
        big(f.packets()),
        big(f.duration_ns() / 1_000_000),
        up / big(f.to_server.packets).max(1.0),
        up / (down + 64.0),
        names,
        longest(f),
    ]
}

/// Bytes of the longest of the flow's first names.
fn longest(f: &Features) -> f32 {
    let longest = f.names.pairs.iter().take(64).map(|(_, value)| value.len()).max().unwrap_or(0);
    f32::from(u16::try_from(longest).unwrap_or(u16::MAX))
}

fn log(value: f32, most: f32) -> f32 {
    ((value.max(0.0) + 1.0).log2() / most).min(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "a magnitude")]
fn big(n: u64) -> f32 {
    n as f32
}

#[expect(clippy::cast_possible_truncation, reason = "a magnitude")]
fn double(n: f64) -> f32 {
    if n.is_finite() { n as f32 } else { 0.0 }
}
