//! Why a capture cannot be read on, in the operator's words.
//!
//! Byte positions count the unpacked stream; packets count from 1, and name the one that could not
//! be read.

use crate::limits::{BLOCK_BYTES_MAX, FRAME_BYTES_MAX, INTERFACES_MAX, NESTING_MAX};

/// What stopped the reader. All frames before it were handed out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The file could not be read at all: a disk, a pipe, permissions.
    #[error("reading failed at byte {at}: {source}; check the disk or the pipe and try again")]
    Read { at: u64, source: std::io::Error },

    /// There is nothing in the file.
    #[error("the file is empty; the capturing program may not have written to it yet")]
    Empty,

    /// The first bytes belong to no capture format that is known.
    #[error(
        "not a capture file: it begins with {head}, where a pcap or pcapng magic number should \
         stand; convert other formats with `editcap -F pcapng IN OUT`"
    )]
    NotACapture { head: String },

    /// Packed by something that is not unpacked here.
    #[error("the file is packed with {kind}; unpack it and import what comes out (`{hint}`)")]
    Packed { kind: &'static str, hint: &'static str },

    /// A known capture format of another family.
    #[error("the file is a {kind} capture; convert it with `editcap -F pcapng IN OUT`")]
    OtherFormat { kind: &'static str },

    /// The compressed stream is damaged or cut.
    #[error(
        "the {kind} stream is damaged or cut short behind byte {at} of what it unpacks to \
         ({problem}); copy the file again from its source"
    )]
    Unpack { kind: &'static str, at: u64, problem: String },

    /// Compression inside compression, again and again.
    #[error(
        "packed more than {} times over; unpack it by hand if you trust its source",
        NESTING_MAX
    )]
    Nested,

    /// The format's version is unknown.
    #[error(
        "{format} version {major}.{minor} at byte {at} is unknown; convert the file with a newer \
         `editcap -F pcapng IN OUT`"
    )]
    Version { format: &'static str, major: u16, minor: u16, at: u64 },

    /// The file ends in the middle of something.
    #[error(
        "the file ends inside {what} at byte {at}: {wanted} bytes were to follow, {had} did \
         (packet {packet}); the capture or its copy was interrupted, what stands before is good"
    )]
    Truncated { what: &'static str, packet: u64, at: u64, wanted: u64, had: u64 },

    /// A frame longer than any network carries.
    #[error(
        "packet {packet} at byte {at} claims {length} captured bytes, more than the {} a frame may \
         have; the file is damaged here, what stands before is good",
        FRAME_BYTES_MAX
    )]
    FrameTooLong { packet: u64, at: u64, length: u64 },

    /// A pcapng block whose length cannot be.
    #[error(
        "the pcapng block of type {kind:#010x} at byte {at} claims a length of {length} (from \
         {least} to {} are possible); the file is damaged here, what stands before is good",
        BLOCK_BYTES_MAX
    )]
    BlockLength { kind: u32, at: u64, length: u64, least: u32 },

    /// The length before and after a pcapng block differ.
    #[error(
        "the pcapng block of type {kind:#010x} at byte {at} gives its length as {first} at its \
         start and {second} at its end; the file is damaged here, what stands before is good"
    )]
    BlockTrailer { kind: u32, at: u64, first: u32, second: u32 },

    /// More frame than block.
    #[error(
        "packet {packet} at byte {at} claims {length} captured bytes in a pcapng block with room \
         for {room}; the file is damaged here, what stands before is good"
    )]
    FrameBeyondBlock { packet: u64, at: u64, length: u64, room: u64 },

    /// A packet names an interface that no block described.
    #[error(
        "packet {packet} at byte {at} was captured on interface {index}, but this section \
         describes {known}; the file is damaged here, what stands before is good"
    )]
    Interface { packet: u64, at: u64, index: u32, known: u32 },

    /// More interfaces than any host has.
    #[error(
        "the pcapng section before byte {at} describes more than {} interfaces; the file is \
         damaged or hostile",
        INTERFACES_MAX
    )]
    Interfaces { at: u64 },

    /// An option of an interface that does not fit into its block.
    #[error(
        "option {code} of the interface described at byte {at} claims {length} bytes, {room} are \
         left in its block; the file is damaged here, what stands before is good"
    )]
    OptionLength { code: u16, at: u64, length: u16, room: usize },

    /// Neither byte order.
    #[error(
        "the pcapng section at byte {at} has the byte-order mark {mark:#010x}, which is no byte \
         order; the file is damaged here, what stands before is good"
    )]
    ByteOrder { at: u64, mark: u32 },
}
