//! Client and server hello of TLS, DTLS and QUIC: read once, told alike.
//!
//! Promises: name, protocols, version and fingerprints of a whole hello, GREASE left out of the
//! fingerprints. Not promised: what an encrypted client hello hides; the outer name is told.

use super::ja;
use super::read::{Reader, pairs};
use super::x509;
use crate::{Sink, fields};

/// What brought the hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    Tls,
    Dtls,
    Quic,
}

pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO: u8 = 2;
pub(super) const CERTIFICATE: u8 = 11;

const SERVER_NAME: u16 = 0;
const GROUPS: u16 = 10;
const POINT_FORMATS: u16 = 11;
const SIGNATURES: u16 = 13;
const ALPN: u16 = 16;
const VERSIONS: u16 = 43;

pub(super) fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

/// The parts of a client hello that names and fingerprints are made of; lists are big-endian pairs.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientHello<'a> {
    pub(super) carrier: Carrier,
    pub(super) version: u16,
    pub(super) ciphers: &'a [u8],
    pub(super) extensions: Extensions<'a>,
    pub(super) server_name: Option<&'a [u8]>,
    /// The list as on the wire: each behind its length.
    pub(super) alpn: &'a [u8],
    pub(super) groups: &'a [u8],
    pub(super) point_formats: &'a [u8],
    pub(super) signatures: &'a [u8],
    pub(super) versions: &'a [u8],
}

/// Extensions in wire order; ends where one is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extensions<'a>(Reader<'a>);

impl<'a> Iterator for Extensions<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let kind = self.0.u16()?;
        Some((kind, self.0.vector16()?))
    }
}

impl<'a> ClientHello<'a> {
    /// Reads a handshake body (without its header).
    pub(super) fn read(carrier: Carrier, body: &'a [u8]) -> Option<ClientHello<'a>> {
        let mut reader = Reader::new(body);
        let version = reader.u16()?;
        reader.skip(32)?;
        reader.vector8()?; // session
        if carrier == Carrier::Dtls {
            reader.vector8()?; // cookie
        }
        let ciphers = reader.vector16()?;
        reader.vector8()?; // compression
        // An old hello has no extensions at all; a cut list is read as far as it goes.
        let extensions = match reader.u16() {
            Some(len) => {
                let len = usize::from(len).min(reader.len());
                Extensions(Reader::new(reader.take(len)?))
            }
            None => Extensions(Reader::new(&[])),
        };
        if version >> 8 != if carrier == Carrier::Dtls { 0xfe } else { 3 }
            && !(carrier == Carrier::Dtls && version == 0x0100)
        {
            return None;
        }
        let mut hello = ClientHello {
            carrier,
            version,
            ciphers,
            extensions,
            server_name: None,
            alpn: &[],
            groups: &[],
            point_formats: &[],
            signatures: &[],
            versions: &[],
        };
        for (kind, data) in extensions {
            let mut inside = Reader::new(data);
            match kind {
                SERVER_NAME => hello.server_name = Some(first_host(data).unwrap_or(&[])),
                GROUPS => hello.groups = inside.vector16().unwrap_or(&[]),
                POINT_FORMATS => hello.point_formats = inside.vector8().unwrap_or(&[]),
                SIGNATURES => hello.signatures = inside.vector16().unwrap_or(&[]),
                ALPN => hello.alpn = inside.vector16().unwrap_or(&[]),
                VERSIONS => hello.versions = inside.vector8().unwrap_or(&[]),
                _ => {}
            }
        }
        Some(hello)
    }

    /// The highest version offered.
    pub(super) fn offered(&self) -> u16 {
        let versions = pairs(self.versions).filter(|&version| !is_grease(version));
        // DTLS counts downwards.
        let best = if self.carrier == Carrier::Dtls { versions.min() } else { versions.max() };
        best.unwrap_or(self.version)
    }

    pub(super) fn tell(&self, sink: &mut dyn Sink) {
        if let Some(name) = self.server_name.filter(|name| !name.is_empty()) {
            sink.field(fields::TLS_SNI, name);
        }
        for protocol in protocols(self.alpn) {
            if !matches!(protocol, [a, b] if a == b && a & 0xf == 0xa) {
                sink.field(fields::TLS_ALPN, protocol);
            }
        }
        sink.field(fields::TLS_JA3, &ja::ja3(self));
        sink.field(fields::TLS_JA4, &ja::ja4(self));
    }
}

/// Each protocol of an ALPN list.
pub(super) fn protocols(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::new(list);
    std::iter::from_fn(move || reader.vector8().filter(|protocol| !protocol.is_empty()))
}

fn first_host(data: &[u8]) -> Option<&[u8]> {
    let mut list = Reader::new(data);
    let mut list = Reader::new(list.vector16()?);
    loop {
        let kind = list.u8()?;
        let name = list.vector16()?;
        if kind == 0 {
            return Some(name);
        }
    }
}

/// Tells what a server hello chose; returns the version.
pub(super) fn tell_server_hello(body: &[u8], sink: &mut dyn Sink) -> Option<u16> {
    let mut reader = Reader::new(body);
    let mut version = reader.u16()?;
    reader.skip(32)?;
    reader.vector8()?;
    reader.skip(3)?; // cipher, compression
    if let Some(list) = reader.vector16() {
        for (kind, data) in Extensions(Reader::new(list)) {
            let mut inside = Reader::new(data);
            match kind {
                VERSIONS => version = inside.u16().unwrap_or(version),
                ALPN => {
                    for protocol in protocols(inside.vector16().unwrap_or(&[])) {
                        sink.field(fields::TLS_ALPN, protocol);
                    }
                }
                _ => {}
            }
        }
    }
    if let Some(text) = version_text(version) {
        sink.field(fields::TLS_VERSION, text);
    }
    Some(version)
}

/// Tells the first certificate of a list; `None` where it is not yet all there.
pub(super) fn tell_certificates(body: &[u8], sink: &mut dyn Sink) -> Option<()> {
    let mut reader = Reader::new(body);
    let list = reader.u24()?;
    if list == 0 {
        return Some(());
    }
    x509::tell(reader.vector24()?, sink);
    Some(())
}

pub(super) fn version_text(version: u16) -> Option<&'static [u8]> {
    Some(match version {
        0x0002 => b"SSLv2",
        0x0300 => b"SSLv3",
        0x0301 => b"TLS 1.0",
        0x0302 => b"TLS 1.1",
        0x0303 => b"TLS 1.2",
        // Drafts of 1.3, Facebook's among them.
        0x0304 | 0x7f00..=0x7fff | 0xfb1a..=0xfb28 => b"TLS 1.3",
        0xfeff | 0x0100 => b"DTLS 1.0",
        0xfefd => b"DTLS 1.2",
        0xfefc => b"DTLS 1.3",
        _ => return None,
    })
}
