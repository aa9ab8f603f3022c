//! The capture reader on captures built byte by byte: every format, every kind of damage.

use std::io::{self, Cursor, Read, Write};

use ghost_tap::{CaptureError, CaptureFile};

const LITTLE: bool = false;
const BIG: bool = true;

fn u16s(big: bool, value: u16) -> [u8; 2] {
    if big { value.to_be_bytes() } else { value.to_le_bytes() }
}

fn u32s(big: bool, value: u32) -> [u8; 4] {
    if big { value.to_be_bytes() } else { value.to_le_bytes() }
}

fn pcap_header(big: bool, magic: u32, version: (u16, u16), link: u32) -> Vec<u8> {
    let mut bytes = u32s(big, magic).to_vec();
    bytes.extend(u16s(big, version.0));
    bytes.extend(u16s(big, version.1));
    for value in [0, 0, 65_535, link] {
        bytes.extend(u32s(big, value));
    }
    bytes
}

fn record(big: bool, time: (u32, u32), wire_len: u32, more: &[u8], frame: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in [time.0, time.1, frame.len() as u32, wire_len] {
        bytes.extend(u32s(big, value));
    }
    bytes.extend(more);
    bytes.extend(frame);
    bytes
}

fn block(big: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let length = u32s(big, 12 + padded as u32);
    let mut bytes = u32s(big, kind).to_vec();
    bytes.extend(length);
    bytes.extend(body);
    bytes.resize(8 + padded, 0);
    bytes.extend(length);
    bytes
}

fn section(big: bool) -> Vec<u8> {
    let mut body = u32s(big, 0x1a2b_3c4d).to_vec();
    body.extend(u16s(big, 1));
    body.extend(u16s(big, 0));
    body.extend([0xff; 8]);
    block(big, 0x0a0d_0d0a, &body)
}

fn interface(big: bool, link: u16, snap: u32, options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = u16s(big, link).to_vec();
    body.extend([0, 0]);
    body.extend(u32s(big, snap));
    for (code, value) in options {
        body.extend(u16s(big, *code));
        body.extend(u16s(big, value.len() as u16));
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    block(big, 1, &body)
}

fn packet(big: bool, interface: u32, ticks: u64, wire_len: u32, frame: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let (high, low) = ((ticks >> 32) as u32, ticks as u32);
    for value in [interface, high, low, frame.len() as u32, wire_len] {
        body.extend(u32s(big, value));
    }
    body.extend(frame);
    block(big, 6, &body)
}

type Row = (i64, u32, u32, u32, Vec<u8>);

/// All frames, and what ended them.
fn read(reader: impl Read + Send + 'static) -> (Vec<Row>, Option<CaptureError>) {
    let mut rows = Vec::new();
    let mut file = match CaptureFile::open(Box::new(reader)) {
        Ok(file) => file,
        Err(error) => return (rows, Some(error)),
    };
    loop {
        match file.next() {
            Ok(Some(frame)) => {
                let data = frame.data.to_vec();
                rows.push((frame.ts, frame.link, frame.interface, frame.wire_len, data));
            }
            Ok(None) => return (rows, None),
            Err(error) => {
                assert!(file.next().unwrap().is_none(), "after an error the file has ended");
                assert_eq!(file.packets_read(), rows.len() as u64);
                return (rows, Some(error));
            }
        }
    }
}

fn read_bytes(bytes: &[u8]) -> (Vec<Row>, Option<CaptureError>) {
    read(Cursor::new(bytes.to_vec()))
}

fn two_frames() -> Vec<u8> {
    let mut bytes = pcap_header(LITTLE, 0xa1b2_c3d4, (2, 4), 1);
    bytes.extend(record(LITTLE, (1, 2), 100, &[], b"first"));
    bytes.extend(record(LITTLE, (3, 4), 6, &[], b"second"));
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn every_variant_of_pcap_gives_the_same_frame_in_both_byte_orders() {
    for big in [LITTLE, BIG] {
        for (magic, nanoseconds, file_more, record_more) in [
            (0xa1b2_c3d4, 5_000, 0, 0),
            (0xa1b2_3c4d, 5, 0, 0),
            (0xa1b2_cd34, 5_000, 0, 8),
            (0x1c00_01ac, 5_000, 4, 0),
            (0x1c00_01ab, 5_000, 4, 0),
        ] {
            let mut bytes = pcap_header(big, magic, (2, 4), 113);
            bytes.resize(bytes.len() + file_more, 0);
            bytes.extend(record(big, (7, 5), 60, &vec![0; record_more], b"frame"));
            let (rows, error) = read_bytes(&bytes);
            assert!(error.is_none(), "{magic:#x} {error:?}");
            let expected = (7_000_000_000 + nanoseconds, 113, 0, 60, b"frame".to_vec());
            assert_eq!(rows, [expected], "{magic:#x} big: {big}");
        }
    }
}

#[test]
fn lengths_of_old_versions_stand_the_other_way_round() {
    for (version, first, second) in [((2, 2), 9, 5), ((2, 3), 9, 5), ((2, 3), 5, 9)] {
        let mut bytes = pcap_header(LITTLE, 0xa1b2_c3d4, version, 1);
        for value in [0, 0, first, second] {
            bytes.extend(u32s(LITTLE, value));
        }
        bytes.extend(b"frame");
        let (rows, error) = read_bytes(&bytes);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(rows, [(0, 1, 0, 9, b"frame".to_vec())]);
    }
}

#[test]
fn sections_and_interfaces_keep_their_own_byte_order_link_and_clock() {
    let mut bytes = Vec::new();
    for big in [LITTLE, BIG] {
        bytes.extend(section(big));
        bytes.extend(interface(big, 1, 0, &[]));
        bytes.extend(interface(big, 113, 0, &[(9, &[9])]));
        let offset = if big { 100i64.to_be_bytes() } else { 100i64.to_le_bytes() };
        bytes.extend(interface(big, 101, 0, &[(2, b"name"), (9, &[3]), (14, &offset)]));
        bytes.extend(interface(big, 276, 0, &[(9, &[0x80 | 10])]));
        for (index, ticks) in [(0, 1_000_001), (1, 1_000_000_001), (2, 1_001), (3, 1536)] {
            bytes.extend(packet(big, index, ticks, 77, b"abcde"));
        }
    }
    let (rows, error) = read_bytes(&bytes);
    assert!(error.is_none(), "{error:?}");
    let expected: Vec<Row> = [
        (1_000_001_000, 1, 0),
        (1_000_000_001, 113, 1),
        (101_001_000_000, 101, 2),
        (1_500_000_000, 276, 3),
    ]
    .map(|(ts, link, interface)| (ts, link, interface, 77, b"abcde".to_vec()))
    .to_vec();
    assert_eq!(rows, [expected.clone(), expected].concat());
}

#[test]
fn old_and_simple_packets_are_read_and_unknown_blocks_skipped() {
    let mut bytes = section(LITTLE);
    bytes.extend(interface(LITTLE, 1, 4, &[]));
    // Longer than is ever held at once.
    bytes.extend(block(LITTLE, 0x0bad, &vec![7; 3 << 20]));
    let mut old = vec![0, 0, 9, 9];
    for value in [0, 2_000_000, 3, 40] {
        old.extend(u32s(LITTLE, value));
    }
    old.extend(b"old");
    bytes.extend(block(LITTLE, 2, &old));
    let mut simple = u32s(LITTLE, 5).to_vec();
    simple.extend(b"simple"[..4].iter());
    bytes.extend(block(LITTLE, 3, &simple));
    let (rows, error) = read_bytes(&bytes);
    assert!(error.is_none(), "{error:?}");
    let old = (2_000_000_000, 1, 0, 40, b"old".to_vec());
    assert_eq!(rows, [old, (2_000_000_000, 1, 0, 5, b"simp".to_vec())]);
}

#[test]
fn packed_captures_read_as_what_they_hold_however_often_they_are_packed() {
    let plain = two_frames();
    let (expected, _) = read_bytes(&plain);
    assert_eq!(expected.len(), 2);
    let zstd = zstd::encode_all(plain.as_slice(), 1).unwrap();
    let members = [gzip(&plain[..30]), gzip(&plain[30..])].concat();
    let padded = [gzip(&plain), vec![0; 512]].concat();
    for packed in [gzip(&plain), gzip(&gzip(&plain)), gzip(&zstd), zstd, members, padded] {
        let (rows, error) = read_bytes(&packed);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(rows, expected);
    }
}

#[test]
fn packing_without_end_is_refused() {
    let mut bytes = two_frames();
    for _ in 0..9 {
        bytes = gzip(&bytes);
    }
    assert!(matches!(read_bytes(&bytes).1, Some(CaptureError::Nested)));
}

#[test]
fn other_packings_and_formats_are_named() {
    for (head, word) in [
        (b"\xfd7zXZ\0and more".as_slice(), "xz"),
        (b"BZh91AY&SY", "bzip2"),
        (b"PK\x03\x04 and more", "unzip"),
        (b"snoop\0\0\0\0\0\0\x02", "snoop"),
        (b"plain text", "70 6c 61 69"),
        (b"\xd4\xc3", "ends inside the magic number"),
        (b"", "empty"),
    ] {
        let (rows, error) = read_bytes(head);
        assert!(rows.is_empty());
        let message = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains(word), "{word}: {message}");
    }
}

#[test]
fn a_capture_cut_anywhere_gives_the_frames_before_the_cut() {
    let mut ng = section(LITTLE);
    ng.extend(interface(LITTLE, 1, 0, &[]));
    ng.extend(packet(LITTLE, 0, 1, 5, b"first"));
    ng.extend(packet(LITTLE, 0, 2, 6, b"second"));
    for whole in [two_frames(), ng] {
        let ends: Vec<usize> =
            (0..=whole.len()).filter(|length| read_bytes(&whole[..*length]).1.is_none()).collect();
        let mut seen = 0;
        for length in 0..=whole.len() {
            let (rows, error) = read_bytes(&whole[..length]);
            assert!(rows.len() >= seen, "a longer file has no fewer frames");
            seen = rows.len();
            assert_eq!(error.is_none(), ends.contains(&length));
        }
        assert_eq!(seen, 2);
        assert!(ends.len() <= 4, "few places are a clean end: {ends:?}");
    }
}

#[test]
fn a_damaged_gzip_stream_gives_every_frame_before_the_damage() {
    let mut plain = pcap_header(LITTLE, 0xa1b2_c3d4, (2, 4), 1);
    let mut noise = 1u32;
    for time in 0..2_000 {
        let frame: Vec<u8> = (0..200)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (noise >> 24) as u8
            })
            .collect();
        plain.extend(record(LITTLE, (time, 0), 200, &[], &frame));
    }
    let packed = gzip(&plain);
    let (whole, _) = read_bytes(&plain);
    for cut in [packed.len() / 3, packed.len() / 2, packed.len() - 4] {
        let (rows, error) = read_bytes(&packed[..cut]);
        assert!(matches!(error, Some(CaptureError::Unpack { kind: "gzip", .. })), "{error:?}");
        // The noise does not compress: packed and plain lengths are alike.
        assert!(rows.len() + 8 >= cut.min(plain.len()) / 216, "{} of {cut}", rows.len());
        assert_eq!(rows, whole[..rows.len()]);
    }
    let mut wrong = packed.clone();
    let last = wrong.len() - 6;
    wrong[last] ^= 1;
    let (rows, error) = read_bytes(&wrong);
    assert_eq!(rows.len(), whole.len());
    assert!(error.is_some_and(|error| error.to_string().contains("checksum")));
}

#[test]
fn lengths_that_cannot_be_end_the_file_with_their_place_and_packet() {
    let mut bytes = two_frames();
    for value in [5, 6, 0x7fff_ffff, 60] {
        bytes.extend(u32s(LITTLE, value));
    }
    let (rows, error) = read_bytes(&bytes);
    assert_eq!(rows.len(), 2);
    let Some(CaptureError::FrameTooLong { packet: number, at, length }) = error else {
        panic!("{error:?}");
    };
    assert_eq!((number, at, length), (3, 24 + 16 + 5 + 16 + 6, 0x7fff_ffff));

    let start = [section(LITTLE), interface(LITTLE, 1, 0, &[])].concat();
    let good = packet(LITTLE, 0, 1, 5, b"first");
    let damaged = |change: fn(&mut Vec<u8>)| {
        let mut bad = packet(LITTLE, 0, 1, 8, b"bad frame");
        change(&mut bad);
        let (rows, error) = read_bytes(&[start.clone(), good.clone(), bad].concat());
        assert_eq!(rows.len(), 1, "the frame before the damage");
        error.expect("damage is told")
    };
    assert!(matches!(damaged(|bad| bad[4] = 0), CaptureError::BlockLength { length: 0, .. }));
    assert!(matches!(damaged(|bad| bad[6] = 0xff), CaptureError::BlockLength { .. }));
    assert!(matches!(damaged(|bad| bad[8] = 77), CaptureError::Interface { index: 77, .. }));
    assert!(matches!(damaged(|bad| bad[20] = 99), CaptureError::FrameBeyondBlock { room: 12, .. }));
    let trailer = damaged(|bad| {
        let last = bad.len() - 4;
        bad[last] ^= 8;
    });
    assert!(matches!(trailer, CaptureError::BlockTrailer { first: 44, second: 36, .. }));
}

/// Gives one byte at a time, then fails.
struct Failing(Cursor<Vec<u8>>);

impl Read for Failing {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.read(into.get_mut(..1).unwrap_or_default())? {
            0 => Err(io::Error::other("the disk is on fire")),
            one => Ok(one),
        }
    }
}

#[test]
fn a_reader_that_fails_late_loses_no_frame_before() {
    let (rows, error) = read(Failing(Cursor::new(two_frames())));
    assert_eq!(rows.len(), 2);
    let length = two_frames().len() as u64;
    let Some(CaptureError::Read { at, .. }) = error else { panic!("{error:?}") };
    assert_eq!(at, length);
    let (rows, error) = read(Failing(Cursor::new(gzip(&two_frames()))));
    assert_eq!(rows.len(), 2);
    assert!(matches!(error, Some(CaptureError::Read { .. })), "{error:?}");
}

#[test]
fn progress_counts_the_bytes_of_the_file_and_not_what_they_unpack_to() {
    let packed =
        gzip(&[two_frames(), record(LITTLE, (9, 9), 900_000, &[], &[0; 900_000])].concat());
    let mut file = CaptureFile::open(Box::new(Cursor::new(packed.clone()))).unwrap();
    while file.next().unwrap().is_some() {}
    assert_eq!(file.bytes_read(), packed.len() as u64);
    assert_eq!(file.packets_read(), 3);
}

#[test]
fn no_bytes_make_the_reader_panic_or_invent_frames() {
    let mut ng = section(BIG);
    ng.extend(interface(BIG, 1, 0, &[(9, &[6])]));
    for frame in 0..8 {
        ng.extend(packet(BIG, 0, frame, 60, &[frame as u8; 60]));
    }
    let seeds = [two_frames(), ng.clone(), gzip(&ng), zstd::encode_all(ng.as_slice(), 1).unwrap()];
    bolero::check!().with_type::<(u8, Vec<(u16, u8)>, Vec<u8>)>().with_iterations(2_000).for_each(
        |(seed, changes, tail)| {
            // A quarter is noise behind a magic number, the rest changed captures.
            let mut bytes = match seeds.get(usize::from(*seed) % (seeds.len() + 1)) {
                Some(seed) => seed.clone(),
                None => seeds[usize::from(*seed) % 4][..4].to_vec(),
            };
            for (at, value) in changes {
                let length = bytes.len();
                bytes[usize::from(*at) % length] = *value;
            }
            bytes.extend(tail);
            let (rows, _) = read_bytes(&bytes);
            let held: usize = rows.iter().map(|row| row.4.len()).sum();
            // Nothing here unpacks to more than a hundredfold.
            assert!(held <= 100 * bytes.len() + 4_096, "{held} of {}", bytes.len());
        },
    );
}
