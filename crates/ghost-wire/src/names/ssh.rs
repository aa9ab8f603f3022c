//! SSH up to the end of its clear part: both banners, both lists of algorithms.
//!
//! Promises: the software each side names, and HASSH of each side: the MD5 of the algorithms it
//! offers for its own sending direction. Not promised: anything of the old protocol 1 but its banner.

use super::Feed;
use super::ja::md5_hex;
use super::limits::MESSAGE_OCTETS_MAX;
use super::read::Reader;
use crate::{Direction, Sink, fields};

const KEXINIT: u8 = 20;

/// RFC 4253 gives a banner 255 octets; lines before a server's banner may be longer.
const BANNER_OCTETS_MAX: usize = 1024;

pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    bytes.starts_with(b"SSH-") && bytes.get(4).is_none_or(u8::is_ascii_digit)
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stand {
    #[default]
    Banner,
    Lists,
    Over,
}

/// Both sides of one connection.
#[derive(Debug, Default)]
pub(crate) struct SshState {
    held: [Vec<u8>; 2],
    stand: [Stand; 2],
    known: bool,
}

impl SshState {
    pub(crate) fn feed(&mut self, dir: Direction, bytes: &[u8], sink: &mut dyn Sink) -> Feed {
        let side = usize::from(dir == Direction::ToClient);
        if self.stand[side] == Stand::Over || bytes.is_empty() {
            return self.verdict();
        }
        let mut held = std::mem::take(&mut self.held[side]);
        if !held.is_empty() {
            held.extend_from_slice(bytes);
        }
        let mut rest = if held.is_empty() { bytes } else { &held };
        while self.stand[side] == Stand::Banner {
            // Other lines may stand before a server's banner.
            let Some(end) = memchr::memchr(b'\n', rest.get(..BANNER_OCTETS_MAX).unwrap_or(rest))
            else {
                if rest.len() >= BANNER_OCTETS_MAX || !(self.known || could_be(rest)) {
                    return self.give_up(side);
                }
                break;
            };
            let (line, tail) = rest.split_at(end + 1);
            if line.starts_with(b"SSH-") {
                self.known = true;
                let old = tell_banner(dir, line.trim_ascii_end(), sink);
                self.stand[side] = if old { Stand::Over } else { Stand::Lists };
            } else if !self.known && (dir == Direction::ToServer || !line.is_ascii()) {
                return self.give_up(side);
            }
            rest = tail;
        }
        if self.stand[side] == Stand::Lists {
            match key_exchange(dir, rest, sink) {
                Some(true) => self.stand[side] = Stand::Over,
                Some(false) => {}
                None => return self.give_up(side),
            }
        }
        if self.stand[side] != Stand::Over && !rest.is_empty() {
            if rest.len() > MESSAGE_OCTETS_MAX {
                return self.give_up(side);
            }
            self.held[side] = rest.to_vec();
        }
        self.verdict()
    }

    fn give_up(&mut self, side: usize) -> Feed {
        self.stand[side] = Stand::Over;
        if self.known { self.verdict() } else { Feed::NotMine }
    }

    fn verdict(&self) -> Feed {
        if self.stand == [Stand::Over; 2] { Feed::Done } else { Feed::More }
    }
}

fn could_be(cut: &[u8]) -> bool {
    let head = cut.get(..4).unwrap_or(cut);
    b"SSH-".starts_with(head)
}

/// Tells a banner's software; true for protocol 1, whose algorithms are no list.
fn tell_banner(dir: Direction, line: &[u8], sink: &mut dyn Sink) -> bool {
    let rest = line.get(4..).unwrap_or(&[]);
    let dash = memchr::memchr(b'-', rest).unwrap_or(rest.len());
    let (protocol, software) = (&rest[..dash], rest.get(dash + 1..).unwrap_or(&[]));
    let (proto_field, software_field) = match dir {
        Direction::ToServer => (fields::SSH_CLIENT_PROTO, fields::SSH_CLIENT),
        Direction::ToClient => (fields::SSH_SERVER_PROTO, fields::SSH_SERVER),
    };
    sink.field(proto_field, protocol);
    sink.field(software_field, software);
    protocol.starts_with(b"1.") && protocol != b"1.99"
}

/// `Some(true)` when the lists were told, `Some(false)` when they are still to come.
fn key_exchange(dir: Direction, bytes: &[u8], sink: &mut dyn Sink) -> Option<bool> {
    let mut reader = Reader::new(bytes);
    let Some(len) = reader.u32() else { return Some(false) };
    let len = len as usize;
    if !(2..=MESSAGE_OCTETS_MAX).contains(&len) {
        return None;
    }
    let (Some(_padding), Some(kind)) = (reader.u8(), reader.u8()) else { return Some(false) };
    if kind != KEXINIT {
        return None;
    }
    let Some(body) = reader.take(len - 2) else { return Some(false) };
    let mut body = Reader::new(body);
    body.skip(16)?;
    let mut lists: [&[u8]; 8] = [&[]; 8];
    for list in &mut lists {
        let len = usize::try_from(body.u32()?).ok()?;
        *list = body.take(len)?;
    }
    let [kex, _keys, up_cipher, down_cipher, up_mac, down_mac, up_pack, down_pack] = lists;
    let (field, own) = match dir {
        Direction::ToServer => (fields::SSH_HASSH, [kex, up_cipher, up_mac, up_pack]),
        Direction::ToClient => (fields::SSH_HASSH_SERVER, [kex, down_cipher, down_mac, down_pack]),
    };
    sink.field(field, &md5_hex(&own.join(&b';')));
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::super::kept::Kept;
    use super::*;
    use Direction::{ToClient, ToServer};

    fn stream(lines: &[u8], lists: [&str; 8]) -> Vec<u8> {
        let mut body = vec![4, KEXINIT];
        body.extend_from_slice(&[5; 16]);
        for list in lists {
            body.extend_from_slice(&(list.len() as u32).to_be_bytes());
            body.extend_from_slice(list.as_bytes());
        }
        body.extend_from_slice(&[0; 8 + 5 + 4]);
        let mut out = lines.to_vec();
        out.extend_from_slice(&(body.len() as u32).to_be_bytes());
        out.extend_from_slice(&body);
        out
    }

    /// The algorithms of an OpenSSH 7 client; its hash is in
    /// every published list.
    const KEX: &str = "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,\
        ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,\
        diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,\
        diffie-hellman-group-exchange-sha1,diffie-hellman-group14-sha256,\
        diffie-hellman-group14-sha1,ext-info-c";
    const CIPHERS: &str = "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,\
        aes128-gcm@openssh.com,aes256-gcm@openssh.com";
    const MACS: &str = "umac-64-etm@openssh.com,umac-128-etm@openssh.com,\
        hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,\
        umac-64@openssh.com,umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1";
    const PACKS: &str = "none,zlib@openssh.com,zlib";

    #[test]
    fn banners_and_hassh_are_found_whatever_the_segments() {
        let up =
            stream(b"SSH-2.0-OpenSSH_7.4\r\n", [KEX, "k", CIPHERS, "x", MACS, "x", PACKS, "x"]);
        let down = stream(
            b"welcome\r\nSSH-2.0-dropbear_2019 Extra words\n",
            ["kex", "k", "x", "c", "x", "m", "x", "none"],
        );
        for cut in 1..200 {
            let (mut state, mut kept) = (SshState::default(), Kept::default());
            for chunk in up.chunks(cut) {
                assert_eq!(state.feed(ToServer, chunk, &mut kept), Feed::More);
            }
            let mut last = Feed::More;
            for chunk in down.chunks(cut) {
                last = state.feed(ToClient, chunk, &mut kept);
            }
            assert_eq!(last, Feed::Done);
            assert_eq!(kept.values(fields::SSH_CLIENT), ["OpenSSH_7.4"]);
            assert_eq!(kept.values(fields::SSH_CLIENT_PROTO), ["2.0"]);
            assert_eq!(kept.values(fields::SSH_SERVER), ["dropbear_2019 Extra words"]);
            assert_eq!(kept.values(fields::SSH_HASSH), ["06046964c022c6407d15a27b12a6a4fb"]);
            assert_eq!(kept.raw(fields::SSH_HASSH_SERVER), [md5_hex(b"kex;c;m;none").to_vec()]);
        }
    }

    #[test]
    fn protocol_one_has_a_banner_and_nothing_else() {
        let (mut state, mut kept) = (SshState::default(), Kept::default());
        state.feed(ToClient, b"SSH-1.5-old\n\0\0\0\x10stuff", &mut kept);
        assert_eq!(state.feed(ToServer, b"SSH-1.5-older\n", &mut kept), Feed::Done);
        assert_eq!(kept.values(fields::SSH_SERVER), ["old"]);
    }

    #[test]
    fn other_protocols_are_not_mine() {
        for bytes in [&b"GET / HTTP/1.1\r\n"[..], &[0; 40]] {
            let mut state = SshState::default();
            assert_eq!(state.feed(ToServer, bytes, &mut Kept::default()), Feed::NotMine);
        }
    }

    #[test]
    fn any_octets_are_read_without_a_panic() {
        bolero::check!().with_iterations(2000).for_each(|bytes: &[u8]| {
            let mut bent = stream(b"SSH-2.0-x\r\n", ["a", "b", "c", "d", "e", "f", "g", "h"]);
            for pair in bytes.as_chunks::<2>().0 {
                let at = usize::from(pair[0]) % bent.len();
                bent[at] = pair[1];
            }
            for stream in [bytes, &bent] {
                let mut state = SshState::default();
                for chunk in stream.chunks(31) {
                    state.feed(ToServer, chunk, &mut Kept::default());
                    state.feed(ToClient, chunk, &mut Kept::default());
                }
            }
        });
    }
}
