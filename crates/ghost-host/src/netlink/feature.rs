//! Whether an interface may forward in hardware what tc was told to: ethtool's `hw-tc-offload`.

use super::Socket;
use super::message::{Attributes, Message, Request, u16_at};

const CONTROL: u16 = 16;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

const GET_FEATURES: u8 = 11;
const HEADER: u16 = 1;
const HEADER_INDEX: u16 = 1;
const ACTIVE: u16 = 4;
const NESTED: u16 = 0x8000;
/// Within a set of features: its bits, each with a name and (when on) a value.
const BITS: u16 = 3;
const BIT_NAME: u16 = 2;

/// struct genlmsghdr.
const FIXED: usize = 4;

/// The feature's name in the kernel.
const FEATURE: &[u8] = b"hw-tc-offload";

/// Which of these interfaces have it on. A kernel that can't be asked is taken to have none on: the
/// answer is for a warning only.
pub(crate) fn hw_tc_offload(interfaces: &[u32]) -> Vec<u32> {
    if interfaces.is_empty() {
        return Vec::new();
    }
    let Ok(mut socket) = Socket::generic() else { return Vec::new() };
    let Some(family) = family(&mut socket) else { return Vec::new() };
    interfaces.iter().copied().filter(|ifindex| is_on(&mut socket, family, *ifindex)).collect()
}

fn family(socket: &mut Socket) -> Option<u16> {
    let mut found = None;
    socket
        .get(
            CONTROL,
            &[GET_FAMILY, 1, 0, 0],
            |request| request.attribute(FAMILY_NAME, b"ethtool\0"),
            |message| {
                found = message.attributes(FIXED).find(FAMILY_ID).and_then(|id| u16_at(id, 0));
            },
        )
        .ok()?;
    found
}

fn is_on(socket: &mut Socket, family: u16, ifindex: u32) -> bool {
    let mut on = false;
    let header = Request::new(0, 0, 0, &[]).attribute(HEADER_INDEX, &ifindex.to_ne_bytes()).bytes();
    let header = header.get(16..).unwrap_or_default();
    let asked = socket.get(
        family,
        &[GET_FEATURES, 1, 0, 0],
        |request| request.attribute(HEADER | NESTED, header),
        |message| on |= active(message),
    );
    asked.is_ok() && on
}

/// Without a mask (as ACTIVE comes), the bits that are listed are those that are on.
fn active(message: &Message<'_>) -> bool {
    let Some(set) = message.attributes(FIXED).find(ACTIVE) else { return false };
    let Some(bits) = Attributes::nested(set).find(BITS) else { return false };
    Attributes::nested(bits).any(|(_, bit)| {
        Attributes::nested(bit)
            .find(BIT_NAME)
            .is_some_and(|name| name.strip_suffix(b"\0").unwrap_or(name) == FEATURE)
    })
}
