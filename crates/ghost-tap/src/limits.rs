//! Every limit of the reader, with its reason.

/// The longest frame taken. Captures hold super-frames of segmentation offload: 64 KiB, and with
/// BIG TCP up to 512 KiB. A longer one is a damaged length.
pub const FRAME_BYTES_MAX: usize = 1 << 20;

/// The longest pcapng block that is held at once: a longest frame with as much again for options.
pub const BLOCK_BYTES_MAX: usize = 2 << 20;

/// How much is asked of the reader at a time. Larger reads gained nothing; smaller ones cost calls.
pub const READ_BYTES: usize = 256 << 10;

/// The window over the (unpacked) stream never grows beyond this.
pub const WINDOW_BYTES_MAX: usize = BLOCK_BYTES_MAX + READ_BYTES;

/// Compression around compression around a capture: more than this is a bomb, not a capture.
pub const NESTING_MAX: usize = 4;

/// Base-2 logarithm of the largest zstd window: what `zstd` itself accepts without `--memory`.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Interfaces of one pcapng section. A capture of every interface of a large host has hundreds;
/// each costs 32 bytes here.
pub const INTERFACES_MAX: usize = 65_536;

/// A gzip header's file name, comment and extra field together; they are skipped, not kept.
pub const GZIP_HEADER_BYTES_MAX: u64 = 1 << 20;

const _: () = assert!(FRAME_BYTES_MAX + 64 <= BLOCK_BYTES_MAX);
const _: () = assert!(BLOCK_BYTES_MAX + READ_BYTES <= WINDOW_BYTES_MAX);
const _: () = assert!(FRAME_BYTES_MAX <= u32::MAX as usize);
