//! What a dissector tells, and to whom.

use std::net::IpAddr;

/// One kind of name or small fact; its path is its place in the event (EVE's where EVE has one).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field {
    /// `dns.queries.rrname`, `tls.sni`, …
    pub path: &'static str,
    /// Told for the detectors only and never logged (a request target, a login).
    pub transient: bool,
    /// A flow may tell several; else the first value stays.
    pub many: bool,
}

const fn one(path: &'static str) -> Field {
    Field { path, transient: false, many: false }
}
const fn many(path: &'static str) -> Field {
    Field { path, transient: false, many: true }
}
const fn transient(path: &'static str) -> Field {
    Field { path, transient: true, many: true }
}

/// The fields; a dissector may add one here with its EVE path.
pub mod fields {
    use super::{Field, many, one, transient};

    pub const DNS_QUERY: Field = many("dns.queries.rrname");
    /// Numeric-free type name (`A`, `TXT`) of queries, each once a flow.
    pub const DNS_TYPE: Field = many("dns.rrtypes");
    pub const DNS_RCODE: Field = many("dns.rcodes");
    /// `name=address` or `name=target` of answers; for detectors (the log keeps none).
    pub const DNS_ANSWER: Field = transient("dns.answers");
    /// A question (0) or an answer (1), the number of the lookup, eight octets that stand for its
    /// name and type, then four for each address of an answer, at most eight.
    pub const DNS_TRANSACTION: Field = transient("dns.transaction");
    pub const TLS_SNI: Field = many("tls.sni");
    pub const TLS_ALPN: Field = many("tls.alpn");
    /// `TLS 1.3`, `TLS 1.2`, `SSLv3`, `DTLS 1.2`: what the server chose, else what was offered.
    pub const TLS_VERSION: Field = one("tls.version");
    pub const TLS_JA3: Field = one("tls.ja3.hash");
    pub const TLS_JA4: Field = one("tls.ja4");
    pub const TLS_SUBJECT: Field = one("tls.subject");
    pub const TLS_ISSUER: Field = one("tls.issuerdn");
    /// RFC 3339 end of validity of the first certificate.
    pub const TLS_NOT_AFTER: Field = one("tls.notafter");
    /// Server name of Google's QUIC before the standard, which is no TLS; the standard's is `tls.sni`.
    pub const QUIC_SNI: Field = many("quic.sni");
    /// `1`, `2`, `draft-29`, `Q043`, …
    pub const QUIC_VERSION: Field = one("quic.version");
    pub const HTTP_HOST: Field = many("http.hostname");
    pub const HTTP_METHOD: Field = many("http.http_method");
    /// Path with numbers, hashes and ids replaced: `/user/{n}/photo.jpg`; no query string.
    pub const HTTP_PATH: Field = many("http.path_shape");
    /// The raw request target.
    pub const HTTP_TARGET: Field = transient("http.url");
    /// Any other request header worth a detector's look, as `name: value`.
    pub const HTTP_HEADER: Field = transient("http.request_header");
    pub const HTTP_AGENT: Field = many("http.http_user_agent");
    pub const HTTP_STATUS: Field = many("http.status");
    pub const HTTP_CONTENT_TYPE: Field = many("http.http_content_type");
    pub const SSH_CLIENT_PROTO: Field = one("ssh.client.proto_version");
    pub const SSH_SERVER_PROTO: Field = one("ssh.server.proto_version");
    /// What stands behind `SSH-2.0-` in the banner, comment included.
    pub const SSH_CLIENT: Field = one("ssh.client.software_version");
    pub const SSH_SERVER: Field = one("ssh.server.software_version");
    pub const SSH_HASSH: Field = one("ssh.client.hassh");
    pub const SSH_HASSH_SERVER: Field = one("ssh.server.hassh");
    pub const DHCP_HOSTNAME: Field = one("dhcp.hostname");
    pub const DHCP_VENDOR: Field = one("dhcp.vendor_class");
    /// `discover`, `offer`, `request`, `ack`, …
    pub const DHCP_TYPE: Field = many("dhcp.types");
    /// Of an offer or acknowledgement: its kind, the client's hardware address, the transaction, and
    /// the addresses of server, router and name server (0 where none).
    pub const DHCP_LEASE: Field = transient("dhcp.lease");
    pub const NETBIOS_NAME: Field = many("netbios.names");
    pub const SSDP_SERVER: Field = one("ssdp.server");
    pub const SSDP_TARGET: Field = many("ssdp.targets");
    /// A login was seen in clear; the value is the protocol, never the secret.
    pub const CLEAR_LOGIN: Field = transient("clear_login");
    /// A login was refused; the value is the protocol.
    pub const LOGIN_FAILED: Field = transient("login_failed");
    /// One command, method or function of the protocol (`MAIL`, `INVITE`, `write_single_register`).
    pub const COMMAND: Field = many("ghost.commands");
    /// Software that told its name (FTP, SMTP, MySQL, SIP agents …).
    pub const SOFTWARE: Field = many("ghost.software");
    /// Named things of other protocols (an MQTT topic root, an SMB share, a database).
    pub const OBJECT: Field = many("ghost.objects");
}

/// How a name for an address was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LearnedFrom {
    DnsAnswer,
    Dhcp,
    Mdns,
    Netbios,
}

/// Takes what dissectors tell. Values are raw bytes of the wire: untrusted, any encoding.
pub trait Sink {
    fn field(&mut self, field: Field, value: &[u8]);
    /// `address` is called `name`.
    fn learned(&mut self, address: IpAddr, name: &[u8], from: LearnedFrom);
}
