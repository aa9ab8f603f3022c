//! Every bound of the name readers, each with its reason.

/// One handshake message, header line or header block: the largest payload of a TLS record. A hello
/// with post-quantum keys is about 1.8 kB; web servers refuse header lines of half this.
pub(super) const MESSAGE_OCTETS_MAX: usize = 16 * 1024;

/// Handshake messages of one side before its part must have come.
pub(super) const HANDSHAKES_MAX: u8 = 16;

/// Separate stretches of one message that arrive out of order (QUIC, DTLS): some browsers
/// cut and shuffle a hello on purpose.
pub(super) const STRETCHES_MAX: usize = 32;

/// A DNS name in text: 255 octets on the wire, RFC 1035.
pub(super) const DNS_NAME_OCTETS_MAX: usize = 255;

/// Compression pointers followed within one name; each must point backwards as well.
pub(super) const DNS_POINTERS_MAX: usize = 32;

/// Records read of one DNS message: mDNS announcements hold dozens, attacks claim 65,535.
pub(super) const DNS_RECORDS_MAX: usize = 256;

/// CNAME steps between a question and its addresses.
pub(super) const DNS_ALIASES_MAX: usize = 16;

/// A distinguished name as text.
pub(super) const X509_NAME_OCTETS_MAX: usize = 512;

/// A path's shape as text, and the path segments it keeps.
pub(super) const PATH_SHAPE_OCTETS_MAX: usize = 160;
pub(super) const PATH_SEGMENTS_MAX: usize = 8;

/// Cipher suites and extensions that enter a fingerprint; a hello of 16 KiB could hold thousands.
pub(super) const FINGERPRINT_ITEMS_MAX: usize = 512;

/// HPACK's table of earlier headers, SETTINGS_HEADER_TABLE_SIZE's default.
pub(super) const HPACK_TABLE_OCTETS_MAX: usize = 4096;

/// Headers of one block: one octet can repeat 4 kB, so a block's own size bounds too little.
pub(super) const HPACK_FIELDS_MAX: usize = 128;

/// Decrypt attempts of one QUIC flow before it is left alone.
pub(super) const QUIC_INITIALS_MAX: u8 = 24;

/// Relay messages inside relay messages (DHCPv6's own hop limit is 8).
pub(super) const DHCP_RELAYS_MAX: u8 = 8;

/// One message of a SOCKS handshake: the longest is a user and a password of 255 octets each.
pub(super) const SOCKS_OCTETS_MAX: usize = 1024;

const _: () = assert!(MESSAGE_OCTETS_MAX <= 16 * 1024, "the contract bounds a state's buffer");
const _: () = assert!(PATH_SHAPE_OCTETS_MAX < 255 && DNS_NAME_OCTETS_MAX <= 255);
