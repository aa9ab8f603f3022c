//! Where this host sends what it knows no better way for.

use super::message::{Attributes, Message, u32_at};
use super::{Socket, kind};
use crate::HostError;

/// struct rtmsg.
const FIXED: usize = 12;
const IPV4: u8 = 2;
const IPV6: u8 = 10;
const MAIN: u32 = 254;
const UNICAST: u8 = 1;

const OUT: u16 = 4;
const METRIC: u16 = 6;
const MULTIPATH: u16 = 9;
const TABLE: u16 = 15;

/// The interfaces of the main table's default routes: IPv4's best, then IPv6's, if another.
pub(crate) fn default_routes(socket: &mut Socket) -> Result<Vec<u32>, HostError> {
    let mut found: Vec<u32> = Vec::new();
    for family in [IPV4, IPV6] {
        let best = std::cell::Cell::new(None::<(u32, u32)>);
        let mut fixed = [0; FIXED];
        fixed[0] = family;
        let asked = socket.dump(
            kind::GET_ROUTE,
            &fixed,
            || best.set(None),
            |message| {
                let better = |way: &(u32, u32)| best.get().is_none_or(|best| way.0 < best.0);
                if let Some(way) = read(message).filter(better) {
                    best.set(Some(way));
                }
            },
        );
        match asked {
            Ok(()) => {}
            // A kernel without this family has no routes of it.
            Err(_) if family == IPV6 => {}
            Err(err) => return Err(err),
        }
        found.extend(best.get().map(|(_, out)| out).filter(|out| !found.contains(out)));
    }
    Ok(found)
}

/// True for the news that a default route came or went.
pub(crate) fn is_default(message: &Message<'_>) -> bool {
    matches!(message.kind, kind::NEW_ROUTE | kind::DEL_ROUTE)
        && message.body.get(1) == Some(&0)
        && table(message) == Some(MAIN)
}

/// Metric and interface of a default route of the main table.
fn read(message: &Message<'_>) -> Option<(u32, u32)> {
    let unicast = message.body.get(7) == Some(&UNICAST);
    if message.kind != kind::NEW_ROUTE || !unicast || !is_default(message) {
        return None;
    }
    let attributes = message.attributes(FIXED);
    let metric = attributes.clone().find(METRIC).and_then(|value| u32_at(value, 0)).unwrap_or(0);
    let out = attributes.clone().find(OUT).and_then(|value| u32_at(value, 0));
    // Of several equal ways, the first: struct rtnexthop holds its interface at byte 4.
    let first_way = || attributes.clone().find(MULTIPATH).and_then(|value| u32_at(value, 4));
    Some((metric, out.or_else(first_way).filter(|out| *out != 0)?))
}

fn table(message: &Message<'_>) -> Option<u32> {
    let long: Option<&[u8]> = Attributes::find(message.attributes(FIXED), TABLE);
    long.and_then(|value| u32_at(value, 0)).or_else(|| message.body.get(4).copied().map(u32::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::Messages;
    use crate::netlink::message::Request;

    fn route(length: u8, table: u8, write: impl Fn(Request) -> Request) -> Vec<u8> {
        let mut fixed = [0u8; FIXED];
        (fixed[0], fixed[1], fixed[4], fixed[7]) = (IPV4, length, table, UNICAST);
        write(Request::new(kind::NEW_ROUTE, 0, 0, &fixed)).bytes()
    }

    fn first(bytes: &[u8]) -> Option<(u32, u32)> {
        Messages::new(bytes).next().as_ref().and_then(read)
    }

    #[test]
    fn only_the_main_tables_default_route_counts() {
        let out = |request: Request| request.attribute(OUT, &3u32.to_ne_bytes());
        assert_eq!(first(&route(0, 254, out)), Some((0, 3)));
        assert_eq!(first(&route(24, 254, out)), None);
        assert_eq!(first(&route(0, 100, out)), None);
        let metric = |request: Request| out(request.attribute(METRIC, &600u32.to_ne_bytes()));
        assert_eq!(first(&route(0, 254, metric)), Some((600, 3)));
    }

    #[test]
    fn of_several_equal_ways_the_first_is_taken() {
        let mut hop = vec![16, 0, 0, 0];
        hop.extend(8u32.to_ne_bytes());
        hop.extend([0; 8]);
        let bytes = route(0, 254, |request| request.attribute(MULTIPATH, &hop));
        assert_eq!(first(&bytes), Some((0, 8)));
    }
}
