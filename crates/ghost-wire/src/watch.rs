//! Reads over a name reader's shoulder: some names tell a narrower application.
//!
//! A public resolver's name turns TLS into DNS over HTTPS, a content type turns HTTP into printing,
//! a certificate of two lone random names is Tor's. Everything is passed on unchanged.

use crate::{App, Field, LearnedFrom, Sink, fields, signature};

/// Reads over a reader's shoulder: some names tell a narrower application.
pub(crate) struct Watch<'a> {
    pub inner: &'a mut dyn Sink,
    pub app: App,
    /// Bits of Tor's odd certificate: its subject, its issuer.
    pub tor: u8,
}

impl Sink for Watch<'_> {
    fn field(&mut self, field: Field, value: &[u8]) {
        match self.app {
            App::Tls | App::Quic | App::Doh => {
                if field == fields::TLS_SNI && doh_host(value) {
                    self.app = App::Doh;
                } else if field == fields::TLS_ALPN
                    && (value == b"dot" || value.starts_with(b"doq"))
                {
                    self.app = if value == b"dot" { App::Dot } else { App::Doq };
                } else if field == fields::TLS_SUBJECT && lone_www(value, b"net") {
                    self.tor |= 1;
                } else if field == fields::TLS_ISSUER && lone_www(value, b"com") {
                    self.tor |= 2;
                }
                if self.tor == 3 {
                    self.app = App::Tor;
                }
            }
            App::Http => {
                if field == fields::HTTP_METHOD {
                    if matches!(
                        value,
                        b"PROPFIND"
                            | b"PROPPATCH"
                            | b"MKCOL"
                            | b"COPY"
                            | b"MOVE"
                            | b"LOCK"
                            | b"UNLOCK"
                    ) {
                        self.app = App::Webdav;
                    } else if matches!(value, b"SSTP_DUPLEX_POST") {
                        self.app = App::Sstp;
                    }
                } else if field == fields::HTTP_CONTENT_TYPE {
                    let is =
                        |t: &[u8]| value.get(..t.len()).is_some_and(|v| v.eq_ignore_ascii_case(t));
                    if is(b"application/ipp") {
                        self.app = App::Ipp;
                    } else if is(b"application/ocsp-") {
                        self.app = App::Ocsp;
                    } else if is(b"application/dns-message") {
                        self.app = App::Doh;
                    } else if is(b"application/x-rtsp-tunnelled") {
                        self.app = App::Rtsp;
                    } else if is(b"application/x-fcs") {
                        self.app = App::Rtmp;
                    }
                } else if field == fields::HTTP_HEADER
                    && signature::has(value, b"upgrade: websocket", 64)
                {
                    self.app = App::Websocket;
                }
            }
            _ => {}
        }
        self.inner.field(field, value);
    }

    fn learned(&mut self, address: std::net::IpAddr, name: &[u8], from: LearnedFrom) {
        self.inner.learned(address, name, from);
    }
}

/// Public resolvers that answer DNS over HTTPS under their own name.
fn doh_host(host: &[u8]) -> bool {
    const HOSTS: &[&[u8]] = &[
        b"dns.google",
        b"dns.google.com",
        b"cloudflare-dns.com",
        b"one.one.one.one",
        b"1dot1dot1dot1.cloudflare-dns.com",
        b"dns.quad9.net",
        b"dns9.quad9.net",
        b"dns10.quad9.net",
        b"dns11.quad9.net",
        b"dns.adguard.com",
        b"dns.adguard-dns.com",
        b"dns.nextdns.io",
        b"dns.alidns.com",
        b"dns.sb",
        b"dot.pub",
        b"doh.pub",
        b"dns.twnic.tw",
        b"dns.mullvad.net",
        b"dns.controld.com",
        b"dns0.eu",
    ];
    const SUFFIXES: &[&[u8]] = &[b".cloudflare-dns.com", b".dns.nextdns.io", b".cleanbrowsing.org"];
    host.starts_with(b"doh.")
        || HOSTS.contains(&host)
        || SUFFIXES.iter().any(|suffix| host.ends_with(suffix))
}

/// A distinguished name that is one CN only: `www.` and 8 to 20 letters and digits.
fn lone_www(name: &[u8], tld: &[u8]) -> bool {
    let Some(rest) = name.strip_prefix(b"CN=www.") else {
        return false;
    };
    let Some(label) = rest.strip_suffix(tld).and_then(|r| r.strip_suffix(b".")) else {
        return false;
    };
    (8..=20).contains(&label.len())
        && label.iter().all(|c| c.is_ascii_lowercase() || (b'2'..=b'7').contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_resolvers_are_told_by_their_own_names() {
        assert!(doh_host(b"dns.google"));
        assert!(doh_host(b"mozilla.cloudflare-dns.com"));
        assert!(!doh_host(b"www.google.com"));
        assert!(lone_www(b"CN=www.abcdefghij2.net", b"net"));
        assert!(!lone_www(b"CN=www.example.net, O=Example", b"net"));
    }
}
