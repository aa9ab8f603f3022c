//! A capture once more, as of another network on another day.
//!
//! Times, IPv4 and IPv6 networks, hardware addresses and ephemeral ports are changed, each the same
//! way in the whole copy, so that flows stay flows; names, lengths and what was said stay. What a
//! zone is told by (private, shared, multicast, broadcast) and registered ports stay as well.
//! Classic captures and pcapng of Ethernet, cooked and raw IP are changed; other frames only move in
//! time. Checksums are not made right again: nothing of ours reads them.

const DAY_S: u64 = 86_400;

/// The copy of that number; copy 0 is the capture itself.
pub(super) fn again(capture: &[u8], number: u32) -> Vec<u8> {
    let mut copy = capture.to_vec();
    if number == 0 {
        return copy;
    }
    match capture.get(..4) {
        Some([0x0a, 0x0d, 0x0d, 0x0a]) => blocks(&mut copy, number),
        Some([0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1]) => {
            records(&mut copy, number, false);
        }
        Some([0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d]) => {
            records(&mut copy, number, true);
        }
        _ => {}
    }
    copy
}

fn read(bytes: &[u8], at: usize, big: bool) -> Option<u32> {
    let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
}

fn write(bytes: &mut [u8], at: usize, big: bool, value: u32) {
    if let Some(four) = bytes.get_mut(at..at + 4) {
        four.copy_from_slice(&if big { value.to_be_bytes() } else { value.to_le_bytes() });
    }
}

/// Seconds by which a copy is later: days, and some hours of a day.
fn later_s(number: u32) -> u64 {
    u64::from(number) * (DAY_S + 3_571)
}

/// Microseconds by which a copy's clock differs below the second.
fn below_us(number: u32) -> u32 {
    number.wrapping_mul(61_843) % 1_000_000
}

/// The records of a classic capture.
fn records(copy: &mut [u8], number: u32, big: bool) {
    let unit: u32 =
        if matches!(copy.get(..4), Some([0x4d, ..] | [_, _, 0x3c, _])) { 1000 } else { 1 };
    let link = read(copy, 20, big).unwrap_or(0);
    let mut at = 24;
    while let Some(length) = read(copy, at + 8, big) {
        let (seconds, below) =
            (read(copy, at, big).unwrap_or(0), read(copy, at + 4, big).unwrap_or(0));
        let below = below.wrapping_add(below_us(number) * unit);
        let whole = 1_000_000 * unit;
        #[expect(clippy::cast_possible_truncation, reason = "a classic capture counts to 2106")]
        let later = later_s(number) as u32 + below / whole;
        write(copy, at, big, seconds.wrapping_add(later));
        write(copy, at + 4, big, below % whole);
        let begin = at + 16;
        let end = begin.saturating_add(length as usize);
        let Some(data) = copy.get_mut(begin..end) else { break };
        frame(data, link, number);
        at = end;
    }
}

/// The enhanced packet blocks of a pcapng.
fn blocks(copy: &mut [u8], number: u32) {
    let (mut at, mut big) = (0, false);
    // Link type and ticks of a second, by interface.
    let mut interfaces: Vec<(u32, u64)> = Vec::new();
    while at + 12 <= copy.len() {
        if read(copy, at, false) == Some(0x0a0d_0d0a) {
            big = copy.get(at + 8) == Some(&0x1a);
            interfaces.clear();
        }
        let (kind, length) = (read(copy, at, big), read(copy, at + 4, big).unwrap_or(0) as usize);
        if length < 12 || at + length > copy.len() {
            break;
        }
        match kind {
            Some(1) => {
                let link = read(copy, at + 8, big).unwrap_or(0);
                let link = if big { link >> 16 } else { link & 0xffff };
                let options = copy.get(at + 16..at + length - 4).unwrap_or_default();
                interfaces.push((link, ticks(options, big)));
            }
            Some(6) => {
                let interface = read(copy, at + 8, big).unwrap_or(0) as usize;
                let (link, ticks) = interfaces.get(interface).copied().unwrap_or((0, 1_000_000));
                let high = u64::from(read(copy, at + 12, big).unwrap_or(0));
                let low = u64::from(read(copy, at + 16, big).unwrap_or(0));
                let later = later_s(number).wrapping_mul(ticks)
                    + u64::from(below_us(number)) * (ticks / 1_000_000);
                let time = (high << 32 | low).wrapping_add(later);
                #[expect(clippy::cast_possible_truncation, reason = "two halves")]
                let (high, low) = ((time >> 32) as u32, time as u32);
                write(copy, at + 12, big, high);
                write(copy, at + 16, big, low);
                let begin = at + 28;
                let captured = read(copy, at + 20, big).unwrap_or(0) as usize;
                let end = begin.saturating_add(captured).min(at + length - 4);
                if let Some(data) = copy.get_mut(begin..end) {
                    frame(data, link, number);
                }
            }
            _ => {}
        }
        at += length;
    }
}

/// Ticks of a second, as the option `if_tsresol` says.
fn ticks(mut options: &[u8], big: bool) -> u64 {
    while let Some((&[a, b, c, d], rest)) = options.split_first_chunk::<4>() {
        let pair = |pair: [u8; 2]| {
            if big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
        };
        let (code, length) = (pair([a, b]), usize::from(pair([c, d])));
        if let (9, Some(resolution)) = (code, rest.first()) {
            let power = u32::from(resolution & 0x7f);
            let base: u64 = if resolution & 0x80 == 0 { 10 } else { 2 };
            return base.checked_pow(power).unwrap_or(1_000_000);
        }
        options = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    1_000_000
}

/// The addresses and ports of one frame.
fn frame(data: &mut [u8], link: u32, number: u32) {
    let (mut kind_at, mut at) = match link {
        1 => {
            for mac in [0, 6] {
                if let Some([first, _, _, _, fifth, sixth]) = data.get_mut(mac..mac + 6)
                    && *first & 1 == 0
                {
                    let spread = number.wrapping_mul(0x9e37_79b1).to_be_bytes();
                    *fifth ^= spread[0];
                    *sixth ^= spread[1];
                }
            }
            (12, 14)
        }
        113 => (14, 16),
        101 | 12 | 14 => return packet(data, number),
        _ => return,
    };
    while let Some([0x81, 0x00] | [0x88, 0xa8]) = data.get(kind_at..kind_at + 2) {
        (kind_at, at) = (kind_at + 4, at + 4);
    }
    if let Some([0x08, 0x00] | [0x86, 0xdd]) = data.get(kind_at..kind_at + 2)
        && let Some(data) = data.get_mut(at..)
    {
        packet(data, number);
    }
}

/// An IP packet: the network parts of its addresses, then its ports.
fn packet(data: &mut [u8], number: u32) {
    let [low, ..] = number.to_le_bytes();
    let middle = low.wrapping_mul(0x9d);
    let (transport, protocol) = match data.first().map(|b| b >> 4) {
        Some(4) => {
            for at in [12, 16] {
                let Some(&[a, b, c, _]) = data.get(at..at + 4) else { return };
                let (b, c) = match (a, b) {
                    (10, _) => (b ^ middle, c ^ low),
                    (172, 16..=31) | (192, 168) | (100, 64..=127) | (198, 18..=19) => (b, c ^ low),
                    (0 | 127 | 224..=255, _) | (169, 254) => (b, c),
                    _ => (b ^ (middle & 0x0f), c ^ low),
                };
                data[at + 1] = b;
                data[at + 2] = c;
            }
            let later_fragment = (data[6] & 0x1f, data[7]) != (0, 0);
            if later_fragment {
                return;
            }
            (usize::from(data[0] & 0x0f) * 4, data[9])
        }
        Some(6) => {
            for at in [8, 24] {
                // Global and local addresses: the last bits of what routers look at.
                if let Some([first @ (0x20..=0x3f | 0xfc | 0xfd), rest @ ..]) =
                    data.get_mut(at..at + 16)
                    && *first != 0
                {
                    rest[5] ^= low;
                    rest[6] ^= middle;
                }
            }
            (40, data.get(6).copied().unwrap_or(0))
        }
        _ => return,
    };
    if !matches!(protocol, 6 | 17 | 132) {
        return;
    }
    for at in [transport, transport + 2] {
        if let Some(port) = data.get_mut(at..at + 2)
            && let Ok(two) = <[u8; 2]>::try_from(&*port)
        {
            let was = u16::from_be_bytes(two);
            if was >= 49_152 {
                #[expect(clippy::cast_possible_truncation, reason = "within the ephemeral ports")]
                let now = ((u32::from(was) - 49_152 + number * 977) % 16_384 + 49_152) as u16;
                port.copy_from_slice(&now.to_be_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn shipped(name: &str) -> Vec<u8> {
        std::fs::read(fixtures::folder().join(name)).unwrap()
    }

    #[test]
    fn a_copy_is_as_long_and_differs_and_the_first_is_the_capture() {
        for capture in crate::sh::files_in(&fixtures::folder()).unwrap() {
            let bytes = std::fs::read(&capture).unwrap();
            assert_eq!(again(&bytes, 0), bytes);
            let (one, two) = (again(&bytes, 1), again(&bytes, 2));
            assert_eq!((one.len(), two.len()), (bytes.len(), bytes.len()));
            if bytes.len() > 400 {
                assert_ne!(one, bytes, "{}", capture.display());
                assert_ne!(one, two, "{}", capture.display());
            }
        }
    }

    #[test]
    fn both_directions_of_a_flow_are_changed_alike() {
        let ethernet = |from: [u8; 4], to: [u8; 4], ports: [u16; 2]| {
            let mut frame = vec![0; 12];
            frame.extend([8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0]);
            frame.extend(from.into_iter().chain(to));
            frame.extend(ports.iter().flat_map(|p| p.to_be_bytes()));
            frame
        };
        let (ours, theirs) = ([192, 168, 1, 7], [93, 184, 216, 34]);
        let mut there = ethernet(ours, theirs, [50_000, 53]);
        let mut back = ethernet(theirs, ours, [53, 50_000]);
        frame(&mut there, 1, 5);
        frame(&mut back, 1, 5);
        assert_eq!(there[26..30], back[30..34]);
        assert_eq!(there[30..34], back[26..30]);
        assert_eq!((&there[34..36], &there[36..38]), (&back[36..38], &back[34..36]));
        assert_eq!((there[26], there[27], there[29]), (192, 168, 7), "still a private address");
        assert_ne!(there[28], 1);
        assert_eq!(there[36..38], [0, 53], "a registered port stays");
    }

    #[test]
    fn nothing_cut_makes_it_panic() {
        for name in ["made__quic.pcap"] {
            let bytes = shipped(name);
            for end in 0..bytes.len().min(600) {
                let _ = again(&bytes[..end], 3);
            }
        }
    }
}
