//! What messages look like: how an application is told by its own octets.
//!
//! A [`Signature`] is a check of one payload (and of what the flow showed before, in [`Memo`]).
//! Families of them stand one a file. Every check is anchored: magic octets, a version, a length
//! that agrees with the payload; where one message is too weak it asks for several, or for both
//! directions. A missed application is then named by its port; a wrong one would be a lie.
//!
//! Not promised: validation. A message that passes may still be malformed further on.
//!
//! **Invariant:** nothing here allocates or panics; reads beyond the payload give 0, and every
//! signature states the shortest payload it looks at.

pub(crate) mod database;
pub(crate) mod directory;
pub(crate) mod files;
pub(crate) mod industrial;
pub(crate) mod industry;
pub(crate) mod mail;
pub(crate) mod management;
pub(crate) mod media;
pub(crate) mod messaging;
pub(crate) mod p2p;
pub(crate) mod remote;
pub(crate) mod routing;
pub(crate) mod smb;
pub(crate) mod talk;
pub(crate) mod vpn;

#[cfg(test)]
mod tests;

use crate::{App, Direction};

/// Octets of each direction's beginning that are kept while a flow's application is sought.
pub(crate) const HEAD: usize = 10;

/// What a flow remembers between packets, inline: evidence while it is sought, and afterwards
/// what its talk needs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memo {
    /// Small facts already told (one bit each), so that they are told once.
    pub told: u64,
    /// Octets of each direction that still belong to a message already read.
    pub skip: [u32; 2],
    /// TCP: the first octets of each direction. UDP: whatever the candidate's check keeps.
    pub head: [[u8; HEAD]; 2],
    /// TCP: how many of them there are. UDP: packets that agreed with the candidate.
    pub count: [u8; 2],
    /// UDP: who the weak evidence speaks for.
    pub candidate: App,
}

impl Memo {
    /// True the first time it is asked for `bit` (0–63).
    pub(crate) fn first(&mut self, bit: u32) -> bool {
        let mask = 1 << (bit & 63);
        let fresh = self.told & mask == 0;
        self.told |= mask;
        fresh
    }

    /// Counts one packet that speaks for `app` with `key`; true once `needed` agreed.
    pub(crate) fn agree(&mut self, app: App, side: usize, needed: u8) -> bool {
        if self.candidate != app {
            *self = Memo { candidate: app, ..Memo::default() };
        }
        self.count[side] = self.count[side].saturating_add(1);
        self.count[0].saturating_add(self.count[1]) >= needed
    }
}

/// One payload with what stands around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    /// TCP: contiguous octets of one direction; else one datagram.
    pub data: &'a [u8],
    pub tcp: bool,
    /// Port of the side that opened the flow.
    pub client_port: u16,
    pub server_port: u16,
    pub dir: Direction,
    /// TCP: the first octets of the other direction.
    pub other: &'a [u8],
    /// `data` begins its direction (as far as the capture shows).
    pub start: bool,
}

impl View<'_> {
    /// Either side uses `port`.
    pub(crate) fn port(&self, port: u16) -> bool {
        self.server_port == port || self.client_port == port
    }

    /// Either side uses a registered port of `app`.
    pub(crate) fn port_of(&self, app: App) -> bool {
        let ports = if self.tcp { app.tcp_ports() } else { app.udp_ports() };
        ports.iter().any(|p| self.port(*p))
    }

    /// 0 for what goes to the server, 1 for what comes back.
    pub(crate) fn side(&self) -> usize {
        usize::from(self.dir == Direction::ToClient)
    }

    pub(crate) fn to_server(self) -> bool {
        self.dir == Direction::ToServer
    }

    pub(crate) fn len(&self) -> usize {
        self.data.len()
    }

    pub(crate) fn u8(&self, at: usize) -> u8 {
        self.data.get(at).copied().unwrap_or(0)
    }

    pub(crate) fn be16(&self, at: usize) -> usize {
        be16(self.data, at)
    }

    pub(crate) fn be32(&self, at: usize) -> usize {
        be32(self.data, at)
    }

    pub(crate) fn le16(&self, at: usize) -> usize {
        le16(self.data, at)
    }

    pub(crate) fn le32(&self, at: usize) -> usize {
        le32(self.data, at)
    }

    /// The payload holds `bytes` at `at`.
    pub(crate) fn is(&self, at: usize, bytes: &[u8]) -> bool {
        self.data.get(at..at + bytes.len()) == Some(bytes)
    }

    /// The payload's first octets in any case of letters; `word` is upper case.
    pub(crate) fn word(&self, word: &[u8]) -> bool {
        self.data.get(..word.len()).is_some_and(|d| d.eq_ignore_ascii_case(word))
    }

    /// `word` (any case) stands in the first `within` octets.
    pub(crate) fn has(&self, word: &[u8], within: usize) -> bool {
        has(self.data, word, within)
    }

    /// Everything is printable text (with tabs and line ends), in the first `within` octets.
    pub(crate) fn text(&self, within: usize) -> bool {
        self.data.iter().take(within).all(|c| matches!(c, b' '..=b'~' | b'\r' | b'\n' | b'\t'))
    }

    pub(crate) fn ends_line(&self) -> bool {
        self.data.last() == Some(&b'\n')
    }
}

/// `word` (any case) stands in the first `within` octets of `data`.
pub(crate) fn has(data: &[u8], word: &[u8], within: usize) -> bool {
    let data = &data[..data.len().min(within)];
    let (Some(first), true) = (word.first(), data.len() >= word.len()) else {
        return false;
    };
    let (low, high) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    memchr::memchr2_iter(low, high, &data[..=data.len() - word.len()])
        .any(|at| data[at..at + word.len()].eq_ignore_ascii_case(word))
}

pub(crate) fn be16(b: &[u8], at: usize) -> usize {
    match b.get(at..at + 2) {
        Some(&[x, y]) => usize::from(u16::from_be_bytes([x, y])),
        _ => 0,
    }
}

pub(crate) fn le16(b: &[u8], at: usize) -> usize {
    be16(b, at).swap_bytes() >> (usize::BITS - 16)
}

pub(crate) fn be32(b: &[u8], at: usize) -> usize {
    match b.get(at..at + 4) {
        Some(&[x, y, z, w]) => u32::from_be_bytes([x, y, z, w]) as usize,
        _ => 0,
    }
}

pub(crate) fn le32(b: &[u8], at: usize) -> usize {
    match b.get(at..at + 4) {
        Some(&[x, y, z, w]) => u32::from_le_bytes([x, y, z, w]) as usize,
        _ => 0,
    }
}

/// Up to and without the first line end.
pub(crate) fn line(data: &[u8]) -> &[u8] {
    let end = memchr::memchr2(b'\r', b'\n', data).unwrap_or(data.len());
    &data[..end]
}

/// One application's look.
#[derive(Clone, Copy)]
pub(crate) struct Signature {
    pub app: App,
    /// The shortest payload worth a look.
    pub min: usize,
    /// The octets a payload may begin with; any where empty.
    pub lead: &'static [u8],
    pub check: fn(&View<'_>, &mut Memo) -> bool,
}

/// A signature over payloads of at least `min` octets that begin with one of `lead`.
pub(crate) const fn sig(
    app: App,
    min: usize,
    lead: &'static [u8],
    check: fn(&View<'_>, &mut Memo) -> bool,
) -> Signature {
    Signature { app, min, lead, check }
}

/// All signatures of one transport, and which of them each first octet admits.
pub(crate) struct Table<const N: usize> {
    all: [Signature; N],
    by_lead: [u128; 256],
}

/// Any signature table has room in one mask.
const SIGNATURES_MAX: usize = 128;

const fn count(families: &[&[Signature]]) -> usize {
    let (mut n, mut i) = (0, 0);
    while i < families.len() {
        n += families[i].len();
        i += 1;
    }
    n
}

impl<const N: usize> Table<N> {
    const fn new(families: &[&[Signature]]) -> Self {
        assert!(N <= SIGNATURES_MAX && N == count(families));
        let mut all = [families[0][0]; N];
        let mut by_lead = [0_u128; 256];
        let (mut n, mut f) = (0, 0);
        while f < families.len() {
            let mut i = 0;
            while i < families[f].len() {
                all[n] = families[f][i];
                let lead = all[n].lead;
                let mut b = 0;
                while lead.is_empty() && b < 256 {
                    by_lead[b] |= 1 << n;
                    b += 1;
                }
                b = 0;
                while b < lead.len() {
                    by_lead[lead[b] as usize] |= 1 << n;
                    b += 1;
                }
                n += 1;
                i += 1;
            }
            f += 1;
        }
        Table { all, by_lead }
    }

    /// The first signature that claims the payload, in the table's order.
    pub(crate) fn claim(&self, v: &View<'_>, memo: &mut Memo) -> App {
        let Some(lead) = v.data.first() else {
            return App::Unknown;
        };
        let mut mask = self.by_lead[usize::from(*lead)];
        while mask != 0 {
            let at = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            if let Some(s) = self.all.get(at)
                && v.data.len() >= s.min
                && (s.check)(v, memo)
            {
                return s.app;
            }
        }
        App::Unknown
    }

    #[cfg(test)]
    pub(crate) fn all(&self) -> &[Signature] {
        &self.all
    }
}

const TCP_FAMILIES: &[&[Signature]] = &[
    files::TCP,
    directory::TCP,
    mail::TCP,
    media::TCP,
    database::TCP,
    messaging::TCP,
    remote::TCP,
    vpn::TCP,
    p2p::TCP,
    routing::TCP,
    management::TCP,
    industrial::TCP,
];
const UDP_FAMILIES: &[&[Signature]] = &[
    industrial::UDP,
    directory::UDP,
    management::UDP,
    media::UDP,
    vpn::UDP,
    p2p::UDP,
    messaging::UDP,
    files::UDP,
    database::UDP,
    routing::UDP,
    remote::UDP,
    media::UDP_WEAK,
];

pub(crate) static TCP: Table<{ count(TCP_FAMILIES) }> = Table::new(TCP_FAMILIES);
pub(crate) static UDP: Table<{ count(UDP_FAMILIES) }> = Table::new(UDP_FAMILIES);
