//! The protocols that tell names: one file a protocol, each a reader of one flow's octets.
//!
//! Datagram protocols are functions of one message; stream protocols are small states that are
//! handed each newly contiguous chunk of one direction once. What they find goes to the [`Sink`];
//! what they need of a message that is cut is kept in a buffer bounded by [`limits`].
//!
//! Not promised: reassembly. Order, gaps and retransmissions are the dissector's matter; after a
//! gap it stops feeding that direction.
//!
//! [`Sink`]: crate::Sink

pub(crate) mod dhcp;
pub(crate) mod dns;
pub(crate) mod dtls;
mod gquic;
mod hello;
mod hpack;
pub(crate) mod http;
pub(crate) mod http2;
mod initial;
mod ja;
#[cfg(test)]
pub(crate) mod kept;
mod limits;
pub(crate) mod netbios;
mod path_shape;
pub(crate) mod quic;
mod read;
pub(crate) mod socks;
pub(crate) mod ssdp;
pub(crate) mod ssh;
mod stretches;
pub(crate) mod tls;
mod x509;

/// What a state says to a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feed {
    /// Mine; more may bring more names.
    More,
    /// Mine; nothing more is wanted of this flow.
    Done,
    /// These octets are not of this protocol.
    NotMine,
}
