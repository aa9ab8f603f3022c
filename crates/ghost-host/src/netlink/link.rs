//! One interface out of a link message.

use super::message::{Attributes, Message, text, u16_at, u32_at, u64_at};
use super::{Socket, kind};
use crate::{HostError, Link, LinkKind, LinkStats};

/// struct ifinfomsg.
const FIXED: usize = 16;
const UP: u32 = 1;
const LOOPBACK: u32 = 8;
/// ARPHRD_ETHER.
const ETHERNET: u16 = 1;
const ARPHRD_LOOPBACK: u16 = 772;

mod attribute {
    pub(super) const ADDRESS: u16 = 1;
    pub(super) const NAME: u16 = 3;
    pub(super) const MTU: u16 = 4;
    pub(super) const LINK: u16 = 5;
    pub(super) const MASTER: u16 = 10;
    pub(super) const INFO: u16 = 18;
    pub(super) const STATS64: u16 = 23;
    pub(super) const SWITCH_ID: u16 = 36;
    pub(super) const LINK_NAMESPACE: u16 = 37;
    /// Within INFO.
    pub(super) const INFO_KIND: u16 = 1;
}

/// All interfaces of the namespace, by number.
pub(crate) fn links(socket: &mut Socket) -> Result<Vec<Link>, HostError> {
    let found = std::cell::RefCell::new(Vec::new());
    socket.dump(
        kind::GET_LINK,
        &[0; FIXED],
        || found.borrow_mut().clear(),
        |message| found.borrow_mut().extend(read(message)),
    )?;
    let mut links = found.into_inner();
    links.sort_by_key(|link: &Link| link.ifindex);
    Ok(links)
}

/// Reads a link message (new or deleted). `None`: not of an interface itself (a bridge tells of
/// its ports by messages of its own family), or no such message at all.
pub(crate) fn read(message: &Message<'_>) -> Option<Link> {
    if !matches!(message.kind, kind::NEW_LINK | kind::DEL_LINK) || message.body.first() != Some(&0)
    {
        return None;
    }
    let ifindex = u32_at(message.body, 4).filter(|ifindex| *ifindex != 0)?;
    let hardware = u16_at(message.body, 2)?;
    let flags = u32_at(message.body, 8)?;
    let mut link = Link {
        ifindex,
        name: String::new(),
        kind: LinkKind::Physical,
        master: None,
        lower: None,
        mac: None,
        mtu: 0,
        up: flags & UP != 0,
        ethernet: matches!(hardware, ETHERNET | ARPHRD_LOOPBACK),
        switched: false,
        hw_tc_offload: false,
        stats: LinkStats::default(),
    };
    let mut lower_elsewhere = false;
    for (kind, value) in message.attributes(FIXED) {
        match kind {
            attribute::NAME => link.name = text(value),
            attribute::ADDRESS => link.mac = value.try_into().ok(),
            attribute::MTU => link.mtu = u32_at(value, 0).unwrap_or(0),
            attribute::MASTER => link.master = u32_at(value, 0).filter(|master| *master != 0),
            attribute::LINK => link.lower = u32_at(value, 0).filter(|lower| *lower != 0),
            attribute::LINK_NAMESPACE => lower_elsewhere = true,
            attribute::SWITCH_ID => link.switched = !value.is_empty(),
            attribute::STATS64 => link.stats = stats(value).unwrap_or_default(),
            attribute::INFO => {
                let kind = Attributes::nested(value).find(attribute::INFO_KIND);
                link.kind = kind.map_or(LinkKind::Physical, |kind| LinkKind::of(&text(kind)));
            }
            _ => {}
        }
    }
    if flags & LOOPBACK != 0 {
        link.kind = LinkKind::Loopback;
    }
    // A number counted in another namespace means another interface here.
    link.lower = link.lower.filter(|lower| !lower_elsewhere && *lower != ifindex);
    (!link.name.is_empty()).then_some(link)
}

fn stats(value: &[u8]) -> Option<LinkStats> {
    Some(LinkStats {
        rx_packets: u64_at(value, 0)?,
        tx_packets: u64_at(value, 8)?,
        rx_bytes: u64_at(value, 16)?,
        tx_bytes: u64_at(value, 24)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::Messages;
    use crate::netlink::message::Request;

    fn message(family: u8, write: impl Fn(Request) -> Request) -> Vec<u8> {
        let mut fixed = [0u8; FIXED];
        fixed[0] = family;
        fixed[2..4].copy_from_slice(&ETHERNET.to_ne_bytes());
        fixed[4..8].copy_from_slice(&5u32.to_ne_bytes());
        fixed[8..12].copy_from_slice(&UP.to_ne_bytes());
        write(Request::new(kind::NEW_LINK, 0, 0, &fixed)).bytes()
    }

    fn first(bytes: &[u8]) -> Option<Link> {
        Messages::new(bytes).next().as_ref().and_then(read)
    }

    #[test]
    fn a_port_of_a_bridge_is_read_with_its_master_and_counters() {
        let info = Request::new(0, 0, 0, &[]).attribute(1, b"veth\0").bytes();
        let counted: Vec<u8> = (1..=24u64).flat_map(u64::to_ne_bytes).collect();
        let bytes = message(0, |request| {
            request
                .attribute(attribute::NAME, b"p0\0")
                .attribute(attribute::MASTER, &9u32.to_ne_bytes())
                .attribute(attribute::LINK, &4u32.to_ne_bytes())
                .attribute(attribute::ADDRESS, &[2, 0, 0, 0, 0, 1])
                .attribute(attribute::INFO, &info[16..])
                .attribute(attribute::STATS64, &counted)
        });
        let link = first(&bytes).unwrap();
        assert_eq!((link.ifindex, link.name.as_str(), link.kind), (5, "p0", LinkKind::Veth));
        assert_eq!(
            (link.master, link.lower, link.up, link.ethernet),
            (Some(9), Some(4), true, true)
        );
        assert_eq!(link.mac, Some([2, 0, 0, 0, 0, 1]));
        let stats = LinkStats { rx_packets: 1, tx_packets: 2, rx_bytes: 3, tx_bytes: 4 };
        assert_eq!(link.stats, stats);
    }

    #[test]
    fn a_peer_in_another_namespace_is_no_number_of_this_one() {
        let bytes = message(0, |request| {
            request
                .attribute(attribute::NAME, b"p0\0")
                .attribute(attribute::LINK, &4u32.to_ne_bytes())
                .attribute(attribute::LINK_NAMESPACE, &0u32.to_ne_bytes())
        });
        assert_eq!(first(&bytes).unwrap().lower, None);
    }

    #[test]
    fn what_a_bridge_tells_of_its_port_is_not_the_interface() {
        // AF_BRIDGE: told as deleted when a port leaves, while the interface stays.
        assert_eq!(first(&message(7, |request| request.attribute(attribute::NAME, b"p0\0"))), None);
    }

    #[test]
    fn any_attributes_are_read_without_a_panic() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            for kind in [kind::NEW_LINK, kind::DEL_LINK, kind::NEW_ROUTE] {
                let message = Message { kind, sequence: 0, interrupted: false, body: bytes };
                let _ = read(&message);
                let _ = super::super::is_default(&message);
            }
        });
    }
}
