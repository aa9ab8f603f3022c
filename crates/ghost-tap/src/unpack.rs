//! Compression around a capture: told by its first bytes, taken off layer by layer.

use std::io::{self, Cursor, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::CaptureError;
use crate::gzip::GzipReader;
use crate::limits::{NESTING_MAX, READ_BYTES, ZSTD_WINDOW_LOG_MAX};

/// Carried inside an `io::Error`: the packed stream is damaged, as opposed to unreadable.
#[derive(Debug)]
pub(crate) struct Damaged {
    pub(crate) kind: &'static str,
    pub(crate) problem: String,
}

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.kind, self.problem)
    }
}

impl std::error::Error for Damaged {}

/// Counts what was taken from the outermost reader.
pub(crate) struct Counted<R> {
    pub(crate) reader: R,
    pub(crate) count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(into)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// zstd's own reader, whose format errors are told from those of the stream below.
struct ZstdReader(zstd::stream::read::Decoder<'static, io::BufReader<Box<dyn Read + Send>>>);

impl Read for ZstdReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.read(into) {
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
            // The library reports its own errors as `Other` and a cut stream as `UnexpectedEof`.
            Err(error)
                if matches!(error.kind(), ErrorKind::Other | ErrorKind::UnexpectedEof)
                    && !error.get_ref().is_some_and(|inner| inner.is::<Damaged>()) =>
            {
                let problem = error.to_string();
                Err(io::Error::new(ErrorKind::InvalidData, Damaged { kind: "zstd", problem }))
            }
            other => other,
        }
    }
}

/// Takes compression off until something else begins.
pub(crate) fn unpack(
    mut reader: Box<dyn Read + Send>,
) -> Result<Box<dyn Read + Send>, CaptureError> {
    for _ in 0..=NESTING_MAX {
        let head = peek(&mut reader)?;
        let known = |magic: &[u8]| head.starts_with(magic);
        let zstd = known(&[0x28, 0xb5, 0x2f, 0xfd])
            || matches!(head.as_slice(), [first, 0x2a, 0x4d, 0x18, ..] if first & 0xf0 == 0x50);
        let gzip = known(&[0x1f, 0x8b, 0x08]);
        let packed = |kind, hint| Err(CaptureError::Packed { kind, hint });
        if known(b"\xfd7zXZ\0") {
            return packed("xz", "xz -d FILE");
        }
        if known(b"BZh") {
            return packed("bzip2", "bzip2 -d FILE");
        }
        if known(&[0x04, 0x22, 0x4d, 0x18]) {
            return packed("lz4", "lz4 -d FILE");
        }
        if known(b"PK\x03\x04") {
            return packed("zip", "unzip FILE");
        }
        if known(b"7z\xbc\xaf\x27\x1c") {
            return packed("7-Zip", "7z x FILE");
        }
        let whole: Box<dyn Read + Send> = Box::new(Cursor::new(head).chain(reader));
        reader = if gzip {
            Box::new(GzipReader::new(whole))
        } else if zstd {
            let buffered = io::BufReader::with_capacity(READ_BYTES, whole);
            let read = |source| CaptureError::Read { at: 0, source };
            let mut decoder = zstd::stream::read::Decoder::with_buffer(buffered).map_err(read)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(read)?;
            Box::new(ZstdReader(decoder))
        } else {
            return Ok(whole);
        };
    }
    Err(CaptureError::Nested)
}

/// The first bytes, as many of eight as there are. A stream that fails at once is told here.
fn peek(reader: &mut dyn Read) -> Result<Vec<u8>, CaptureError> {
    let mut head = [0; 8];
    let mut filled = 0;
    while let Some(room) = head.get_mut(filled..).filter(|room| !room.is_empty()) {
        match reader.read(room) {
            Ok(0) => break,
            Ok(read) => filled += read.min(room.len()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                let at = filled as u64;
                return Err(match error.downcast::<Damaged>() {
                    Ok(Damaged { kind, problem }) => CaptureError::Unpack { kind, at, problem },
                    Err(source) => CaptureError::Read { at, source },
                });
            }
        }
    }
    Ok(head.get(..filled).unwrap_or_default().to_vec())
}
