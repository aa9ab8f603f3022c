//! Link layers: from a frame's first byte to its network header.

pub(crate) mod arp;
pub(crate) mod cooked;
pub(crate) mod ethernet;
pub(crate) mod hdlc;
pub(crate) mod llc;
pub(crate) mod mpls;
pub(crate) mod ppp;
pub(crate) mod wifi;

use crate::ip;
use crate::packet::{LinkType, Packet};

/// Any link type; out of line, since nearly all frames are Ethernet.
#[inline(never)]
pub(crate) fn any<'a>(packet: &mut Packet<'a>, link: LinkType, frame: &'a [u8], depth: u8) {
    match link {
        LinkType::Ethernet => ethernet::frame(packet, frame, depth),
        LinkType::RawIp => ip::either(packet, frame, depth),
        LinkType::Sll => cooked::first(packet, frame, depth),
        LinkType::Sll2 => cooked::second(packet, frame, depth),
        LinkType::Null => cooked::loopback(packet, frame, false, depth),
        LinkType::Loop => cooked::loopback(packet, frame, true, depth),
        LinkType::Ppp => ppp::frame(packet, frame, depth),
        LinkType::PppSerial => hdlc::serial(packet, frame, depth),
        LinkType::PppEthernet => ppp::over_ethernet(packet, frame, depth),
        LinkType::PppDirection => {
            ppp::frame(packet, frame.get(1..).unwrap_or_default(), depth);
        }
        LinkType::CiscoHdlc => hdlc::cisco(packet, frame, depth),
        LinkType::FrameRelay => hdlc::frame_relay(packet, frame, depth),
        LinkType::Ieee80211 => wifi::frame(packet, frame, false, depth),
        LinkType::Radiotap => wifi::radiotap(packet, frame, depth),
        LinkType::Ppi => wifi::per_packet_information(packet, frame, depth),
        LinkType::Other(_) => packet.payload = frame,
    }
}
