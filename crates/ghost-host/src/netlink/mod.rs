//! What the kernel says of its interfaces: rtnetlink and ethtool's netlink, without a capability.

mod feature;
mod link;
mod message;
mod route;
mod socket;

pub(crate) use feature::hw_tc_offload;
pub(crate) use link::{links, read as read_link};
pub(crate) use message::Message;
pub(crate) use route::{default_routes, is_default};
pub(crate) use socket::{Groups, Heard, Socket};

/// Message types of rtnetlink that are told here.
pub(crate) mod kind {
    pub(crate) const NEW_LINK: u16 = 16;
    pub(crate) const DEL_LINK: u16 = 17;
    pub(crate) const GET_LINK: u16 = 18;
    pub(crate) const NEW_ROUTE: u16 = 24;
    pub(crate) const DEL_ROUTE: u16 = 25;
    pub(crate) const GET_ROUTE: u16 = 26;
}
