//! Peers: BitTorrent and its companions, eDonkey, Gnutella, IPFS, and the coins' networks.

use super::{Memo, Signature, View, be16, sig};
use crate::App;

pub(crate) const TCP: &[Signature] = &[
    sig(App::Bittorrent, 20, &[19], bittorrent),
    sig(App::Bitcoin, 24, &[0xf9, 0x0b, 0xfa, 0x0a, 0x1c], bitcoin),
    sig(App::Monero, 16, &[1], monero),
    sig(App::Stratum, 20, b"{", stratum),
    sig(App::Edonkey, 6, &[0xe3, 0xc5, 0xd4], edonkey),
    sig(App::Gnutella, 16, b"G", gnutella),
    sig(App::Ipfs, 20, &[0x13], ipfs),
    sig(App::Ethereum, 194, b"", rlpx),
];

pub(crate) const UDP: &[Signature] = &[
    sig(App::BtDht, 20, b"d", dht),
    sig(App::Bittorrent, 16, &[0], tracker),
    sig(App::Bittorrent, 20, &[0x01, 0x11, 0x21, 0x31, 0x41], utp),
    sig(App::Bittorrent, 40, b"B", local_discovery),
    sig(App::Ethereum, 100, b"", discovery),
    sig(App::Edonkey, 2, &[0xe3, 0xe4, 0xe5, 0xc5], kad),
];

fn bittorrent(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(1, b"BitTorrent protocol")
}

/// A bencoded dictionary of a query, an answer or an error.
fn dht(v: &View<'_>, _: &mut Memo) -> bool {
    let tail = v.data.last() == Some(&b'e');
    let asks = v.is(1, b"1:ad")
        || v.is(1, b"1:rd")
        || v.is(1, b"1:eli")
        || v.is(1, b"2:ip")
        || v.is(1, b"1:q");
    tail && asks && (v.has(b"2:id20:", 60) || v.has(b"1:y1:", v.len()))
}

/// The connect request's magic and action 0; answers are known by their flow.
fn tracker(v: &View<'_>, _: &mut Memo) -> bool {
    v.len() == 16 && v.is(0, &[0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80]) && v.be32(8) == 0
}

/// Version 1, a known type and extension, a connection number (or the one beside it), a window;
/// seen from both sides.
fn utp(v: &View<'_>, memo: &mut Memo) -> bool {
    let kind = v.u8(0) >> 4;
    if v.u8(1) > 2 || kind > 4 || v.be32(12) > 1 << 26 {
        return false;
    }
    let id = v.be16(2);
    let syn = kind == 4 && v.be32(8) == 0 && v.be16(18) == 0 && (v.len() == 20 || v.len() == 30);
    let known = memo.candidate == App::Bittorrent;
    let kept = be16(&memo.head[0], 0);
    let near = id.abs_diff(kept) <= 1;
    if known && !near && !syn {
        memo.candidate = App::Unknown;
    }
    let _ = memo.agree(App::Bittorrent, v.side(), 3);
    if !known || syn || !near {
        memo.head[0][..2].copy_from_slice(&v.data[2..4]);
    }
    memo.count[0] > 0 && memo.count[1] > 0 && memo.count[0] + memo.count[1] >= 3
}

fn local_discovery(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"BT-SEARCH * HTTP/1.1")
}

/// A network's magic, a command in letters padded with zeros.
fn bitcoin(v: &View<'_>, _: &mut Memo) -> bool {
    let magic = v.is(0, &[0xf9, 0xbe, 0xb4, 0xd9])
        || v.is(0, &[0x0b, 0x11, 0x09, 0x07])
        || v.is(0, &[0xfa, 0xbf, 0xb5, 0xda])
        || v.is(0, &[0x0a, 0x03, 0xcf, 0x40])
        || v.is(0, &[0x1c, 0x16, 0x3f, 0x28]);
    let command = &v.data[4..16];
    let end = command.iter().position(|c| *c == 0).unwrap_or(12);
    magic
        && end >= 2
        && command[..end].iter().all(|c| c.is_ascii_alphanumeric())
        && command[end..].iter().all(|c| *c == 0)
}

/// The signature of Monero's peer protocol.
fn monero(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, &[1, 0x21, 1, 1, 1, 1, 1, 1])
}

/// One JSON line of a pool: `mining.…`, a login with a wallet, or Ethereum's work calls.
fn stratum(v: &View<'_>, _: &mut Memo) -> bool {
    v.has(b"\"mining.", 300)
        || v.has(b"\"eth_submitLogin\"", 300)
        || v.has(b"\"eth_getWork\"", 300)
        || v.has(b"\"eth_submitWork\"", 300)
        || v.has(b"\"eth_submitHashrate\"", 300)
        || v.has(b"\"method\":\"login\"", 80)
            && (v.has(b"\"pass\"", 400) || v.has(b"\"agent\"", 400))
        || v.has(b"\"method\":\"submit\"", 80) && v.has(b"\"nonce\"", 400)
        || v.has(b"\"worker\"", 20) && v.has(b"\"jsonrpc\"", 60)
}

/// A protocol octet, a length that fits, a known opcode.
fn edonkey(v: &View<'_>, _: &mut Memo) -> bool {
    v.le32(1) + 5 == v.len()
        && v.le32(1) > 0
        && matches!(v.u8(5), 0x01 | 0x4c | 0x38 | 0x40 | 0x14..=0x16 | 0x46..=0x5f | 0x82..=0x92)
        && (v.port(4662) || matches!(v.u8(5), 0x01 | 0x4c) && v.u8(6) == 16)
}

fn kad(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(4672) && (v.u8(1) < 0xa8)
}

fn gnutella(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"GNUTELLA CONNECT/") || v.is(0, b"GNUTELLA/0.")
}

fn ipfs(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(1, b"/multistream/1.0.0\n")
}

/// A hash, a signature with its recovery octet, a kind, one RLP list that ends the packet.
fn discovery(v: &View<'_>, _: &mut Memo) -> bool {
    if !(1..=6).contains(&v.u8(97)) || v.u8(96) > 1 {
        return false;
    }
    match v.u8(98) {
        b @ 0xc0..=0xf7 => usize::from(b - 0xc0) + 99 == v.len(),
        0xf8 => usize::from(v.u8(99)) + 100 == v.len(),
        0xf9 => v.be16(99) + 101 == v.len(),
        _ => false,
    }
}

/// The first message of an encrypted peer session: its size, then an uncompressed public key.
fn rlpx(v: &View<'_>, _: &mut Memo) -> bool {
    let size = v.be16(0);
    let sized = size + 2 == v.len() && (194..=1200).contains(&size) && v.u8(2) == 4;
    let plain = v.u8(0) == 4 && matches!(v.len(), 307 | 210) && v.port(30303);
    v.start
        && (sized
            && (v.port(30303) || v.other.is_empty() || v.other.get(2) == Some(&4))
            && !v.port(53))
        || plain
}
