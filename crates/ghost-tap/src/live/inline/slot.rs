//! What stands in one slot of the ring: from the kernel's header to a frame that can be sent on.
//!
//! The kernel keeps a frame's outer VLAN tag beside it and its pending work (a checksum to be
//! done, a super-frame to be cut) in a header of ten bytes before it; [`ready`] puts the tag back
//! where it was on the wire and moves that header along, within the slot. Nothing here trusts a
//! length: a slot that contradicts itself is an error, never a panic.

/// Bytes of the offload header (`struct virtio_net_hdr`).
pub(super) const OFFLOAD_BYTES: usize = 10;
/// Both MAC addresses, behind which a tag stands.
const ADDRESSES_BYTES: usize = 12;
const TAG_BYTES: usize = 4;
/// Offsets within a slot's body, that is, 4 less than within the slot.
const BODY: usize = 4;

const NEEDS_CHECKSUM: u8 = 1;
const GSO_NONE: u8 = 0;
const GSO_TCP4: u8 = 1;
const GSO_TCP6: u8 = 4;
/// Explicit congestion notification, a flag beside the kind.
const GSO_ECN: u8 = 0x80;

/// A frame that can be sent: `body[start..end]` is its offload header and the frame itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) start: usize,
    pub(super) end: usize,
    /// When it arrived, in nanoseconds of CLOCK_REALTIME.
    pub(super) realtime_ns: u64,
    /// Of the frame as it was on the wire, tag included.
    pub(super) wire_len: u32,
    /// Of the wire's frames.
    pub(super) segments: u16,
    pub(super) whole: Whole,
    /// The tag that was put back, for a copy of the frame that has none.
    pub(super) tag: Option<[u8; TAG_BYTES]>,
}

/// Whether the slot held all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    Yes,
    /// The whole frame waits in the socket's queue.
    Queued,
    /// It does not, for want of room.
    Lost,
}

/// The slot contradicts itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Odd;

/// Reads a filled slot (`body` is what stands behind the status word) and makes it ready.
pub(super) fn ready(status: u32, body: &mut [u8]) -> Result<Ready, Odd> {
    let wire_len = word(body, 4)?;
    let kept = word(body, 8)? as usize;
    let mac = usize::from(half(body, 12)?);
    let realtime_ns = u64::from(word(body, 16)?) * 1_000_000_000 + u64::from(word(body, 20)?);
    let tag = tag(status, half(body, 24)?, half(body, 26)?);
    let mac = mac.checked_sub(BODY).ok_or(Odd)?;
    let start = mac.checked_sub(OFFLOAD_BYTES).ok_or(Odd)?;
    let end = mac.checked_add(kept).ok_or(Odd)?;
    if end > body.len() || kept as u64 > u64::from(wire_len) {
        return Err(Odd);
    }
    let segments = segments(body.get(start..end).ok_or(Odd)?, wire_len as usize);
    let whole = match kept as u64 == u64::from(wire_len) {
        true => Whole::Yes,
        false if status & libc::TP_STATUS_COPY != 0 => Whole::Queued,
        false => Whole::Lost,
    };
    let (start, wire_len) = match tag {
        // The header of the slot itself (28 bytes) is read by now, and may be written over.
        Some(tag) => (put_tag_back(body, start, end, tag)?, wire_len.saturating_add(4)),
        None => (start, wire_len),
    };
    Ok(Ready { start, end, realtime_ns, wire_len, segments, whole, tag })
}

/// Puts a tag behind the addresses of `bytes[start..end]` (offload header and frame) by moving
/// what is before it four bytes forward; the new start.
pub(super) fn put_tag_back(
    bytes: &mut [u8],
    start: usize,
    end: usize,
    tag: [u8; TAG_BYTES],
) -> Result<usize, Odd> {
    let moved = start.checked_sub(TAG_BYTES).ok_or(Odd)?;
    let behind = start + OFFLOAD_BYTES + ADDRESSES_BYTES;
    if behind > end || end > bytes.len() {
        return Err(Odd);
    }
    bytes.copy_within(start..behind, moved);
    bytes.get_mut(behind - TAG_BYTES..behind).ok_or(Odd)?.copy_from_slice(&tag);
    let offload = bytes.get_mut(moved..moved + OFFLOAD_BYTES).ok_or(Odd)?;
    if offload[0] & NEEDS_CHECKSUM != 0 {
        for at in [2, 6] {
            // Headers' length and where the checksum begins both grow; 0 says nothing.
            let value = u16::from_ne_bytes([offload[at], offload[at + 1]]);
            let grown = if value == 0 { 0 } else { value.saturating_add(TAG_BYTES as u16) };
            offload[at..at + 2].copy_from_slice(&grown.to_ne_bytes());
        }
    }
    Ok(moved)
}

/// The outer tag that the kernel keeps beside the frame.
fn tag(status: u32, tci: u16, tpid: u16) -> Option<[u8; TAG_BYTES]> {
    if status & libc::TP_STATUS_VLAN_VALID == 0 {
        return None;
    }
    let kind = if status & libc::TP_STATUS_VLAN_TPID_VALID != 0 { tpid } else { 0x8100 };
    let ([k0, k1], [t0, t1]) = (kind.to_be_bytes(), tci.to_be_bytes());
    Some([k0, k1, t0, t1])
}

/// How many frames of the wire a super-frame stands for; 1 for any other, and where it can't be
/// told.
fn segments(bytes: &[u8], wire_len: usize) -> u16 {
    let offload = |at: usize| u16::from_ne_bytes([byte(bytes, at), byte(bytes, at + 1)]);
    let kind = byte(bytes, 1) & !GSO_ECN;
    let size = usize::from(offload(4));
    if kind == GSO_NONE || size == 0 {
        return 1;
    }
    let transport = usize::from(offload(6));
    let headers = match kind {
        _ if byte(bytes, 0) & NEEDS_CHECKSUM == 0 => return 1,
        GSO_TCP4 | GSO_TCP6 => {
            let words = byte(bytes, OFFLOAD_BYTES + transport + 12) >> 4;
            transport + usize::from(words) * 4
        }
        _ => transport + 8,
    };
    let payload = wire_len.saturating_sub(headers);
    u16::try_from(payload.div_ceil(size).max(1)).unwrap_or(u16::MAX)
}

fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

fn word(body: &[u8], slot_offset: usize) -> Result<u32, Odd> {
    let four = body.get(slot_offset - BODY..slot_offset - BODY + 4).ok_or(Odd)?;
    Ok(u32::from_ne_bytes([four[0], four[1], four[2], four[3]]))
}

fn half(body: &[u8], slot_offset: usize) -> Result<u16, Odd> {
    let two = body.get(slot_offset - BODY..slot_offset - BODY + 2).ok_or(Odd)?;
    Ok(u16::from_ne_bytes([two[0], two[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: usize = 92;
    const START: usize = MAC - OFFLOAD_BYTES;

    /// A slot as the kernel writes it, behind its status word.
    struct Slot {
        frame: Vec<u8>,
        offload: [u8; OFFLOAD_BYTES],
        wire_len: Option<u32>,
        tci: u16,
        tpid: u16,
    }

    impl Slot {
        fn of(frame: &[u8]) -> Slot {
            let offload = [0; OFFLOAD_BYTES];
            Slot { frame: frame.to_vec(), offload, wire_len: None, tci: 0, tpid: 0 }
        }

        fn body(&self) -> Vec<u8> {
            let mut slot = vec![0; 2048];
            let kept = self.frame.len() as u32;
            slot[4..8].copy_from_slice(&self.wire_len.unwrap_or(kept).to_ne_bytes());
            slot[8..12].copy_from_slice(&kept.to_ne_bytes());
            slot[12..14].copy_from_slice(&(MAC as u16).to_ne_bytes());
            slot[16..20].copy_from_slice(&7u32.to_ne_bytes());
            slot[20..24].copy_from_slice(&9u32.to_ne_bytes());
            slot[24..26].copy_from_slice(&self.tci.to_ne_bytes());
            slot[26..28].copy_from_slice(&self.tpid.to_ne_bytes());
            slot[START..MAC].copy_from_slice(&self.offload);
            slot[MAC..MAC + self.frame.len()].copy_from_slice(&self.frame);
            slot.split_off(BODY)
        }
    }

    fn offload(flags: u8, kind: u8, size: u16, start: u16) -> [u8; OFFLOAD_BYTES] {
        let mut bytes = [flags, kind, 0, 0, 0, 0, 0, 0, 16, 0];
        bytes[2..4].copy_from_slice(&60u16.to_ne_bytes());
        bytes[4..6].copy_from_slice(&size.to_ne_bytes());
        bytes[6..8].copy_from_slice(&start.to_ne_bytes());
        bytes
    }

    const USER: u32 = libc::TP_STATUS_USER;
    const TAGGED: u32 = USER | libc::TP_STATUS_VLAN_VALID | libc::TP_STATUS_VLAN_TPID_VALID;

    #[test]
    fn a_plain_frame_is_ready_as_it_stands() {
        let frame: Vec<u8> = (0..60).collect();
        let mut body = Slot::of(&frame).body();
        let ready = ready(USER, &mut body).unwrap();
        assert_eq!(body[ready.start + OFFLOAD_BYTES..ready.end], frame);
        assert_eq!((ready.wire_len, ready.segments, ready.whole), (60, 1, Whole::Yes));
        assert_eq!(ready.realtime_ns, 7_000_000_009);
    }

    #[test]
    fn a_tag_kept_aside_is_put_back_and_the_offload_header_moves_along() {
        let frame: Vec<u8> = (0..60).collect();
        let header = offload(NEEDS_CHECKSUM, GSO_NONE, 0, 34);
        let slot = Slot { offload: header, tci: 0x2064, tpid: 0x88a8, ..Slot::of(&frame) };
        let mut body = slot.body();
        let ready = ready(TAGGED, &mut body).unwrap();
        let mut tagged = frame[..12].to_vec();
        tagged.extend([0x88, 0xa8, 0x20, 0x64]);
        tagged.extend(&frame[12..]);
        assert_eq!(body[ready.start + OFFLOAD_BYTES..ready.end], tagged);
        assert_eq!(ready.wire_len, 64);
        let moved = &body[ready.start..ready.start + OFFLOAD_BYTES];
        assert_eq!(u16::from_ne_bytes([moved[6], moved[7]]), 38, "the checksum begins later");
        assert_eq!(moved[8..10], header[8..10], "and is as far in as before");
    }

    #[test]
    fn an_old_kernel_that_says_no_kind_means_an_ordinary_tag() {
        let mut body = Slot { tci: 5, ..Slot::of(&[1; 60]) }.body();
        let ready = ready(USER | libc::TP_STATUS_VLAN_VALID, &mut body).unwrap();
        assert_eq!(ready.tag, Some([0x81, 0, 0, 5]));
    }

    #[test]
    fn a_super_frame_stands_for_its_segments() {
        let mut frame = vec![0; 1900];
        frame[34 + 12] = 0x80;
        for (payload, segments) in [(1834, 2), (2896, 2), (2897, 3), (65_160, 45)] {
            let header = offload(NEEDS_CHECKSUM, GSO_TCP4 | GSO_ECN, 1448, 34);
            let wire_len = Some(66 + payload);
            let slot = Slot { offload: header, wire_len, ..Slot::of(&frame) };
            let ready = ready(USER | libc::TP_STATUS_COPY, &mut slot.body()).unwrap();
            assert_eq!(ready.segments, segments, "{payload}");
        }
    }

    #[test]
    fn a_frame_cut_short_is_lost_unless_the_whole_waits() {
        let slot = Slot { wire_len: Some(9000), ..Slot::of(&[1; 1000]) };
        assert_eq!(ready(USER, &mut slot.body()).unwrap().whole, Whole::Lost);
        let status = USER | libc::TP_STATUS_COPY;
        assert_eq!(ready(status, &mut slot.body()).unwrap().whole, Whole::Queued);
    }

    #[test]
    fn any_slot_is_read_without_a_panic_and_stays_within_itself() {
        bolero::check!().with_type::<(u32, u16, u32, u32, Vec<u8>)>().cloned().for_each(
            |(status, mac, kept, wire_len, mut body)| {
                if body.len() >= 24 {
                    body[0..4].copy_from_slice(&wire_len.to_ne_bytes());
                    body[4..8].copy_from_slice(&kept.to_ne_bytes());
                    body[8..10].copy_from_slice(&mac.to_ne_bytes());
                }
                let length = body.len();
                if let Ok(ready) = ready(status, &mut body) {
                    assert!(ready.start + OFFLOAD_BYTES <= ready.end && ready.end <= length);
                    assert!(ready.segments >= 1);
                }
            },
        );
    }

    #[test]
    fn any_tag_comes_back_in_its_place_and_all_other_bytes_stay() {
        bolero::check!().with_type::<(Vec<u8>, u16, u16, [u8; OFFLOAD_BYTES])>().cloned().for_each(
            |(mut frame, tci, tpid, offload)| {
                frame.truncate(1500);
                frame.resize(frame.len().max(14), 0);
                let slot = Slot { offload, tci, tpid, ..Slot::of(&frame) };
                let mut body = slot.body();
                let ready = ready(TAGGED, &mut body).unwrap();
                let out = &body[ready.start + OFFLOAD_BYTES..ready.end];
                assert_eq!(out[..12], frame[..12]);
                assert_eq!(out[12..14], tpid.to_be_bytes());
                assert_eq!(out[14..16], tci.to_be_bytes());
                assert_eq!(out[16..], frame[12..]);
                let moved = &body[ready.start..ready.start + OFFLOAD_BYTES];
                assert_eq!((moved[0], moved[1]), (offload[0], offload[1]));
                assert_eq!(moved[4..6], offload[4..6]);
            },
        );
    }
}
