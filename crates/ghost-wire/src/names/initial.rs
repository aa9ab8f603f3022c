//! Opening a client's QUIC Initial: keys from the version's salt and the connection id, RFC 9001 §5.
//!
//! The keys are no secret: anybody on the path can make them, so this is reading, not breaking.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use aes_gcm::Aes128Gcm;
use aes_gcm::aead::AeadInOut as _;
use sha2::{Digest as _, Sha256};

use super::read::Reader;

const TAG: usize = 16;

/// Salt and label prefix of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Suite {
    salt: [u8; 20],
    v2: bool,
}

const fn suite(salt: [u8; 20], v2: bool) -> Suite {
    Suite { salt, v2 }
}

pub(super) const V1: Suite = suite(
    [
        0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c,
        0xad, 0xcc, 0xbb, 0x7f, 0x0a,
    ],
    false,
);
pub(super) const V2: Suite = suite(
    [
        0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d,
        0xcb, 0xf9, 0xbd, 0x2e, 0xd9,
    ],
    true,
);
const V2_DRAFT: Suite = suite(
    [
        0xa7, 0x07, 0xc2, 0x03, 0xa5, 0x9b, 0x47, 0x18, 0x4a, 0x1d, 0x62, 0xca, 0x57, 0x04, 0x06,
        0xea, 0x7a, 0xe3, 0xe5, 0xd3,
    ],
    true,
);
const DRAFT_29: Suite = suite(
    [
        0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11,
        0xe0, 0x43, 0x90, 0xa8, 0x99,
    ],
    false,
);
const DRAFT_23: Suite = suite(
    [
        0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63,
        0x65, 0xbe, 0xf9, 0xf5, 0x02,
    ],
    false,
);
const DRAFT_22: Suite = suite(
    [
        0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a, 0x96, 0xcd, 0x21, 0x51, 0x9e,
        0xbd, 0x7a, 0x02, 0x64, 0x4a,
    ],
    false,
);
const Q050: Suite = suite(
    [
        0x50, 0x45, 0x74, 0xef, 0xd0, 0x66, 0xfe, 0x2f, 0x9d, 0x94, 0x5c, 0xfc, 0xdb, 0xd3, 0xa7,
        0xf0, 0xd3, 0xb5, 0x6b, 0x45,
    ],
    false,
);
const T050: Suite = suite(
    [
        0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80, 0x30, 0x4c, 0x43, 0xa2, 0x36,
        0x7c, 0x60, 0x48, 0x83, 0x10,
    ],
    false,
);
const T051: Suite = suite(
    [
        0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50, 0x6c, 0x19, 0x12, 0x4f, 0xc8,
        0xcc, 0xda, 0x6e, 0x03, 0x3d,
    ],
    false,
);

/// The suites to try for a version: one where it is known, the likely ones where it is not. A wrong
/// one cannot pass: the packet is authenticated.
pub(super) fn suites(version: u32) -> &'static [Suite] {
    match version {
        1 | 0xff00_0021..=0xff00_0022 => &[V1],
        0x6b33_43cf => &[V2],
        0xff02_0000 | 0x709a_50c4 => &[V2_DRAFT],
        0xff00_001d..=0xff00_0020 => &[DRAFT_29],
        0xff00_0017..=0xff00_001c => &[DRAFT_23],
        0xff00_0015..=0xff00_0016 | 0xface_b001 => &[DRAFT_22],
        // Facebook's own numbers over several drafts.
        0xface_b000..=0xface_b0ff => &[DRAFT_23, DRAFT_29, V1],
        0x5130_3530 => &[Q050],
        0x5430_3530 => &[T050],
        0x5430_3531 => &[T051],
        0x5130_3531..=0x5130_3539 => &[Q050],
        _ => &[V1, DRAFT_29, V2, DRAFT_23],
    }
}

/// RFC 2104 with one or two parts of text.
fn hmac(key: &[u8], parts: [&[u8]; 2]) -> [u8; 32] {
    let mut block = [0; 64];
    match block.get_mut(..key.len()) {
        Some(room) => room.copy_from_slice(key),
        None => block[..32].copy_from_slice(&Sha256::digest(key)),
    }
    let mut inner = Sha256::new();
    inner.update(block.map(|byte| byte ^ 0x36));
    parts.iter().for_each(|part| inner.update(part));
    let mut outer = Sha256::new();
    outer.update(block.map(|byte| byte ^ 0x5c));
    outer.update(inner.finalize());
    outer.finalize().into()
}

/// TLS 1.3's HKDF-Expand-Label with an empty context, for at most one hash of output.
fn expand<const N: usize>(secret: &[u8; 32], label: &[u8]) -> [u8; N] {
    const { assert!(N <= 32) };
    let mut info = [0; 32];
    info[1] = N as u8;
    info[2] = (6 + label.len()) as u8;
    info[3..9].copy_from_slice(b"tls13 ");
    let end = 9 + label.len();
    info[9..end].copy_from_slice(label);
    info[end] = 0;
    info[end + 1] = 1;
    let block = hmac(secret, [&info[..end + 2], &[]]);
    let mut out = [0; N];
    out.copy_from_slice(&block[..N]);
    out
}

/// What opens one client's Initials.
pub(super) struct Keys {
    aead: Aes128Gcm,
    iv: [u8; 12],
    header: Aes128,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    pub(super) fn of(suite: Suite, connection: &[u8]) -> Keys {
        let initial = hmac(&suite.salt, [connection, &[]]);
        let client: [u8; 32] = expand(&initial, b"client in");
        let [key, iv, header]: [&[u8]; 3] = if suite.v2 {
            [b"quicv2 key", b"quicv2 iv", b"quicv2 hp"]
        } else {
            [b"quic key", b"quic iv", b"quic hp"]
        };
        Keys {
            aead: Aes128Gcm::new(&expand::<16>(&client, key).into()),
            iv: expand(&client, iv),
            header: Aes128::new(&expand::<16>(&client, header).into()),
        }
    }

    /// Opens `packet`, whose packet number stands at `number_at`, into `plain`.
    pub(super) fn open<'p>(
        &self,
        packet: &[u8],
        number_at: usize,
        plain: &'p mut Vec<u8>,
    ) -> Option<&'p [u8]> {
        let sample: [u8; 16] = packet.get(number_at + 4..number_at + 20)?.try_into().ok()?;
        let mut mask = sample.into();
        self.header.encrypt_block(&mut mask);
        let first = packet.first()? ^ (mask[0] & 0x0f);
        let number_len = usize::from(first & 3) + 1;
        plain.clear();
        plain.extend_from_slice(packet);
        *plain.first_mut()? = first;
        let mut number = 0u64;
        for (nth, byte) in plain.get_mut(number_at..number_at + number_len)?.iter_mut().enumerate()
        {
            *byte ^= mask[1 + nth];
            number = number << 8 | u64::from(*byte);
        }
        let mut nonce = self.iv;
        for (byte, of_number) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
            *byte ^= of_number;
        }
        let body_at = number_at + number_len;
        let tag_at = plain.len().checked_sub(TAG)?;
        let (header, rest) = plain.split_at_mut_checked(body_at)?;
        let (body, tag) = rest.split_at_mut_checked(tag_at.checked_sub(body_at)?)?;
        let tag: [u8; TAG] = (&*tag).try_into().ok()?;
        self.aead.decrypt_inout_detached(&nonce.into(), header, body.into(), &tag.into()).ok()?;
        plain.get(body_at..tag_at)
    }
}

/// Offset and data of each CRYPTO frame; ends at a frame that an Initial cannot hold.
pub(super) fn crypto_frames(plain: &[u8], mut each: impl FnMut(u64, &[u8])) {
    let mut reader = Reader::new(plain);
    let mut walk = || -> Option<()> {
        loop {
            match reader.u8()? {
                0 | 1 => {} // padding, ping
                kind @ (2 | 3) => {
                    let (_largest, _delay) = (reader.varint()?, reader.varint()?);
                    let ranges = reader.varint()?;
                    reader.varint()?;
                    for _ in 0..ranges {
                        let (_gap, _range) = (reader.varint()?, reader.varint()?);
                    }
                    if kind == 3 {
                        let (_a, _b, _c) = (reader.varint()?, reader.varint()?, reader.varint()?);
                    }
                }
                6 => {
                    let offset = reader.varint()?;
                    let len = usize::try_from(reader.varint()?).ok()?;
                    each(offset, reader.take(len)?);
                }
                _ => return None,
            }
        }
    };
    let _ = walk();
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::hpack::tests::unhex;
    use super::*;

    /// A client's Initial of `frames`, padded and sealed as a client of `version` would.
    pub(crate) fn seal(version: u32, connection: &[u8], number: u32, frames: &[u8]) -> Vec<u8> {
        let suite = suites(version)[0];
        let keys = Keys::of(suite, connection);
        let mut body = frames.to_vec();
        body.resize(body.len().max(1100), 0);
        let mut out = vec![if suite.v2 { 0xd3 } else { 0xc3 }];
        out.extend_from_slice(&version.to_be_bytes());
        out.push(connection.len() as u8);
        out.extend_from_slice(connection);
        out.extend_from_slice(&[0, 0]); // source, token
        out.extend_from_slice(&((body.len() + 4 + TAG) as u16 | 0x4000).to_be_bytes());
        let number_at = out.len();
        out.extend_from_slice(&number.to_be_bytes());
        let mut nonce = keys.iv;
        nonce[8..].iter_mut().zip(number.to_be_bytes()).for_each(|(n, o)| *n ^= o);
        let sealed = body.as_mut_slice().into();
        let tag = keys.aead.encrypt_inout_detached(&nonce.into(), &out, sealed).unwrap();
        out.extend_from_slice(&body);
        out.extend_from_slice(&tag);
        let sample: [u8; 16] = out[number_at + 4..number_at + 20].try_into().unwrap();
        let mut mask = sample.into();
        keys.header.encrypt_block(&mut mask);
        out[0] ^= mask[0] & 0x0f;
        (0..4).for_each(|nth| out[number_at + nth] ^= mask[1 + nth]);
        out
    }

    /// The header of RFC 9001 A.2, before and after protection.
    #[test]
    fn the_first_octets_of_the_sample_packet_equal_appendix_a2() {
        let keys = Keys::of(V1, &unhex("8394c8f03e515708"));
        let sample: [u8; 16] = unhex("d1b1c98dd7689fb8ec11d242b123dc9b").try_into().unwrap();
        let mut mask = sample.into();
        keys.header.encrypt_block(&mut mask);
        assert_eq!(mask[..5], unhex("437b9aec36"));
    }

    #[test]
    fn secrets_of_version_1_equal_appendix_a_of_rfc_9001() {
        let connection = unhex("8394c8f03e515708");
        let initial = hmac(&V1.salt, [&connection, &[]]);
        assert_eq!(
            initial[..],
            unhex("7db5df06e7a69e432496adedb00851923595221596ae2ae9fb8115c1e9ed0a44")
        );
        let client: [u8; 32] = expand(&initial, b"client in");
        assert_eq!(
            client[..],
            unhex("c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea")
        );
        assert_eq!(
            expand::<16>(&client, b"quic key")[..],
            unhex("1f369613dd76d5467730efcbe3b1a22d")
        );
        assert_eq!(expand::<12>(&client, b"quic iv")[..], unhex("fa044b2f42a3fd3b46fb255c"));
        assert_eq!(
            expand::<16>(&client, b"quic hp")[..],
            unhex("9f50449e04a0e810283a1e9933adedd2")
        );
    }

    #[test]
    fn secrets_of_version_2_equal_appendix_a_of_rfc_9369() {
        let initial = hmac(&V2.salt, [&unhex("8394c8f03e515708"), &[]]);
        let client: [u8; 32] = expand(&initial, b"client in");
        assert_eq!(
            client[..],
            unhex("14ec9d6eb9fd7af83bf5a668bc17a7e283766aade7ecd0891f70f9ff7f4bf47b")
        );
        assert_eq!(
            expand::<16>(&client, b"quicv2 key")[..],
            unhex("8b1a0bc121284290a29e0971b5cd045d")
        );
        assert_eq!(expand::<12>(&client, b"quicv2 iv")[..], unhex("91f73e2351d8fa91660e909f"));
        assert_eq!(
            expand::<16>(&client, b"quicv2 hp")[..],
            unhex("45b95e15235d6f45a6b19cbcb0294ba9")
        );
    }

    #[test]
    fn the_hmac_equals_rfc_4231() {
        let check =
            |key: &[u8], text: &[u8], mac: &str| assert_eq!(hmac(key, [text, &[]])[..], unhex(mac));
        check(
            &[0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        );
        check(
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        );
    }
}
