//! The capture file: which format it is, and its frames one after another.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::CaptureError;
use crate::pcap::Pcap;
use crate::pcapng::Pcapng;
use crate::unpack::{Counted, unpack};
use crate::window::Window;

/// One captured frame; `data` stands in the reader's own buffer until the next one is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Nanoseconds since 1970. A block without a time (pcapng's simple packet) has that of the
    /// frame before it.
    pub ts: i64,
    /// LINKTYPE_ number of the interface.
    pub link: u32,
    /// Interface number within its section; 0 in pcap.
    pub interface: u32,
    /// Length on the wire, of which `data` may be the beginning only.
    pub wire_len: u32,
    pub data: &'a [u8],
}

/// Where a frame stands: found by a format, handed out by the file.
pub(crate) struct Found {
    pub(crate) ts: i64,
    pub(crate) link: u32,
    pub(crate) interface: u32,
    pub(crate) wire_len: u32,
    /// The frame lies this far behind the window's place, and is so long.
    pub(crate) back: usize,
    pub(crate) length: usize,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
    Ended,
}

/// A capture being read, from its first to its last frame.
pub struct CaptureFile {
    window: Window,
    format: Format,
    packets: u64,
    taken: Arc<AtomicU64>,
}

impl std::fmt::Debug for CaptureFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaptureFile")
            .field("packets", &self.packets)
            .field("bytes_read", &self.bytes_read())
            .finish_non_exhaustive()
    }
}

impl CaptureFile {
    /// Tells the format by its content and reads up to the first frame.
    pub fn open(reader: Box<dyn Read + Send>) -> Result<Self, CaptureError> {
        let taken = Arc::new(AtomicU64::new(0));
        let counted = Counted { reader, count: Arc::clone(&taken) };
        let mut window = Window::new(unpack(Box::new(counted))?);
        let have = window.need(24)?;
        if have == 0 {
            return Err(CaptureError::Empty);
        }
        let head = window.bytes();
        let format = if head.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
            Format::Pcapng(Pcapng::default())
        } else if Pcap::recognises(head) {
            Format::Pcap(Pcap::open(&mut window)?)
        } else {
            return Err(unknown(head));
        };
        Ok(Self { window, format, packets: 0, taken })
    }

    /// The next frame; `None` at a clean end. At damage one error, and then `None`.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "a frame borrows from the reader")]
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        let number = self.packets + 1;
        let found = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.window, number),
            Format::Pcapng(pcapng) => pcapng.next(&mut self.window, number),
            Format::Ended => return Ok(None),
        };
        match found {
            Ok(Some(Found { ts, link, interface, wire_len, back, length })) => {
                self.packets = number;
                let data = self.window.passed(back, length);
                Ok(Some(Frame { ts, link, interface, wire_len, data }))
            }
            Ok(None) => {
                self.format = Format::Ended;
                Ok(None)
            }
            Err(error) => {
                self.format = Format::Ended;
                Err(error)
            }
        }
    }

    /// Bytes taken from the file so far, packed as they are: progress against its size.
    pub fn bytes_read(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Frames handed out so far.
    pub fn packets_read(&self) -> u64 {
        self.packets
    }
}

/// What else it may be.
fn unknown(head: &[u8]) -> CaptureError {
    const OTHERS: [(&[u8], &str); 8] = [
        (b"snoop\0\0\0", "Solaris snoop"),
        (b"XCP\0", "NetXRay"),
        (b"GMBU", "Microsoft Network Monitor 2"),
        (b"RTSS", "Microsoft Network Monitor 1"),
        (b"TRSNIFF data", "Sniffer"),
        (b"\x7fver", "WildPackets"),
        (b"btsnoop\0", "Bluetooth snoop"),
        (b"iptrace ", "AIX iptrace"),
    ];
    for (magic, kind) in OTHERS {
        if head.starts_with(magic) {
            return CaptureError::OtherFormat { kind };
        }
    }
    let magics = [b"\x0a\x0d\x0d\x0a", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4"];
    if head.len() < 4 && magics.iter().any(|magic| magic.starts_with(head)) {
        let (what, had) = ("the magic number", head.len() as u64);
        return CaptureError::Truncated { what, packet: 1, at: 0, wanted: 4, had };
    }
    let mut text = String::new();
    for byte in head.iter().take(8) {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    CaptureError::NotACapture { head: text }
}
