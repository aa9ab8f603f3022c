//! gzip members one after another (RFC 1952).
//!
//! Own framing around the inflate of `flate2`, for one reason: at damage its readers drop what the
//! last call had already unpacked, and we hand out every packet before the damage.

use std::io::{self, ErrorKind, Read};

use flate2::{Crc, Decompress, FlushDecompress, Status};

use crate::limits::{GZIP_HEADER_BYTES_MAX, READ_BYTES};
use crate::unpack::Damaged;

enum Place {
    /// Before a member; the first one has been recognised by its magic number.
    Header,
    Body,
    Ended,
}

pub(crate) struct GzipReader {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    place: Place,
    inflate: Decompress,
    crc: Crc,
    members: u64,
    /// Told after what was unpacked before it has been handed out.
    damaged: Option<io::Error>,
}

fn damaged(problem: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, Damaged { kind: "gzip", problem: problem.into() })
}

impl GzipReader {
    pub(crate) fn new(reader: Box<dyn Read + Send>) -> Self {
        Self {
            reader,
            buffer: vec![0; READ_BYTES],
            start: 0,
            end: 0,
            place: Place::Header,
            inflate: Decompress::new(false),
            crc: Crc::new(),
            members: 0,
            damaged: None,
        }
    }

    /// Brings in more packed bytes once the buffer is used up; false at the end of the file.
    fn refill(&mut self) -> io::Result<bool> {
        if self.start < self.end {
            return Ok(true);
        }
        let read = self.reader.read(&mut self.buffer)?;
        self.start = 0;
        self.end = read.min(self.buffer.len());
        Ok(self.end > 0)
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        if !self.refill()? {
            return Ok(None);
        }
        let byte = self.buffer.get(self.start).copied();
        self.start += 1;
        Ok(byte)
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            *byte = self.byte()?.ok_or_else(|| damaged("the file ends too early"))?;
        }
        Ok(bytes)
    }

    /// Reads a member's header; false where no further member begins.
    fn header(&mut self) -> io::Result<bool> {
        let Some(first) = self.byte()? else { return Ok(false) };
        if first != 0x1f {
            // Padding (tapes, block devices) or a signature behind the last member.
            return if self.members > 0 { Ok(false) } else { Err(damaged("no gzip header")) };
        }
        let [second, method, flags] = self.bytes::<3>()?;
        if second != 0x8b || method != 8 {
            return if self.members > 0 { Ok(false) } else { Err(damaged("no gzip header")) };
        }
        let _time_level_system = self.bytes::<6>()?;
        if flags & 4 != 0 {
            let length = u16::from_le_bytes(self.bytes()?);
            for _ in 0..length {
                let _extra = self.bytes::<1>()?;
            }
        }
        for named in [8, 16] {
            if flags & named != 0 {
                let mut length = 0;
                while self.bytes::<1>()? != [0] {
                    length += 1;
                    if length > GZIP_HEADER_BYTES_MAX {
                        return Err(damaged("its header has no end"));
                    }
                }
            }
        }
        if flags & 2 != 0 {
            let _header_crc = self.bytes::<2>()?;
        }
        self.inflate.reset(false);
        self.crc.reset();
        self.members += 1;
        Ok(true)
    }

    /// Unpacks into `into`; what comes out before damage is handed out before it is told.
    fn body(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let more = self.refill()?;
            let input = self.buffer.get(self.start..self.end).unwrap_or_default();
            let (read_before, made_before) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(input, into, FlushDecompress::None);
            let read = (self.inflate.total_in() - read_before) as usize;
            let made = ((self.inflate.total_out() - made_before) as usize).min(into.len());
            self.start = self.start.saturating_add(read).min(self.end);
            self.crc.update(into.get(..made).unwrap_or_default());
            match status {
                Ok(Status::StreamEnd) => {
                    if let Err(error) = self.trailer() {
                        self.damaged = Some(error);
                    }
                    self.place = Place::Header;
                    return Ok(made);
                }
                Ok(_) if made > 0 => return Ok(made),
                Ok(_) if !more => return Err(damaged("the file ends too early")),
                Ok(_) if read == 0 => return Err(damaged("it makes no progress")),
                Ok(_) => {}
                Err(error) => {
                    let error = damaged(error.to_string());
                    if made == 0 {
                        return Err(error);
                    }
                    self.damaged = Some(error);
                    return Ok(made);
                }
            }
        }
    }

    fn trailer(&mut self) -> io::Result<()> {
        let sum = u32::from_le_bytes(self.bytes()?);
        let amount = u32::from_le_bytes(self.bytes()?);
        if sum != self.crc.sum() || amount != self.crc.amount() {
            return Err(damaged("its checksum is wrong"));
        }
        Ok(())
    }
}

impl Read for GzipReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(error) = self.damaged.take() {
                self.place = Place::Ended;
                return Err(error);
            }
            match self.place {
                Place::Header => {
                    self.place = if self.header()? { Place::Body } else { Place::Ended };
                }
                Place::Body => match self.body(into)? {
                    0 => {}
                    made => return Ok(made),
                },
                Place::Ended => return Ok(0),
            }
        }
    }
}
