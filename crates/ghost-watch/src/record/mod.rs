//! A line of a log to a record.
//!
//! [`Lines`] takes the lines of one log in order and tells by each line's own form how it is to be
//! read: a journal as `journalctl` prints it (short, short-iso, `-o json`), syslog (RFC 3164, RFC
//! 5424), Open vSwitch's logs, Python services' logs, and what `dbus-monitor` prints. A line of none
//! of these continues the record before it, or stands for itself.
//!
//! Not promised: the year of a form that has none (RFC 3164). It is the newest in which the line
//! lies not behind the log's own end, where a header names one, or behind `now`.

mod clock;
mod dbus;
mod forms;
mod json;

use ghost_event::Timestamp;
use jiff::tz::TimeZone;

use crate::limits::{CONTINUED_LINES_MAX, MESSAGE_BYTES_MAX, NAME_BYTES_MAX};
use clock::Years;

/// How grave a record says it is, by syslog's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    Emergency,
    Alert,
    Critical,
    Error,
    Warning,
    Notice,
    #[default]
    Info,
    Debug,
}

impl Level {
    /// By syslog's number.
    #[must_use]
    pub fn of(number: u8) -> Option<Level> {
        use Level::{Alert, Critical, Debug, Emergency, Error, Info, Notice, Warning};
        [Emergency, Alert, Critical, Error, Warning, Notice, Info, Debug]
            .get(usize::from(number))
            .copied()
    }

    /// By the words that programs print.
    #[must_use]
    pub fn named(word: &str) -> Option<Level> {
        Some(match word.to_ascii_lowercase().as_str() {
            "emer" | "emerg" | "emergency" | "panic" => Level::Emergency,
            "alert" => Level::Alert,
            "crit" | "critical" | "fatal" => Level::Critical,
            "err" | "error" => Level::Error,
            "warn" | "warning" => Level::Warning,
            "notice" => Level::Notice,
            "info" => Level::Info,
            "dbg" | "debug" | "trace" => Level::Debug,
            _ => return None,
        })
    }

    /// The name that stands in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Level::Emergency => "emergency",
            Level::Alert => "alert",
            Level::Critical => "critical",
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }
}

/// One thing that somebody said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// `None` where the line tells no time and none came before it.
    pub at: Option<Timestamp>,
    pub host: String,
    /// The program, or the module of it: `NetworkManager`, `ovs-vswitchd/bridge`.
    pub program: String,
    pub pid: Option<u32>,
    /// The systemd unit, where the form tells it.
    pub unit: String,
    /// `None` where the form has none.
    pub level: Option<Level>,
    pub message: String,
    /// The first line of it in the log, from 1, and how many.
    pub line: u64,
    pub lines: u32,
}

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub lines: u64,
    pub records: u64,
    /// Lines of no known form that nothing stood before.
    pub unread: u64,
    /// Records of which not all was kept.
    pub cut: u64,
}

/// Reads the lines of one log.
#[derive(Debug)]
pub struct Lines {
    years: Years,
    open: Option<Record>,
    counts: Counts,
    open_cut: bool,
}

impl Lines {
    /// `now` bounds the years of lines that have none; `zone` is that of times without one.
    #[must_use]
    pub fn new(now: Timestamp, zone: TimeZone) -> Lines {
        Lines {
            years: Years::new(now, zone),
            open: None,
            counts: Counts::default(),
            open_cut: false,
        }
    }

    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes one line, without its newline; gives the record before it, once that is complete.
    pub fn push(&mut self, line: &[u8]) -> Option<Record> {
        self.counts.lines += 1;
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() || self.years.header(text) {
            return None;
        }
        if let Some(mut record) = forms::read(text, &self.years) {
            record.line = self.counts.lines;
            record.lines = 1;
            return self.begin(record);
        }
        if let Some(open) = &mut self.open
            && (open.lines as usize) < CONTINUED_LINES_MAX
        {
            open.lines += 1;
            let room = MESSAGE_BYTES_MAX.saturating_sub(open.message.len() + 1);
            let more = cut(text.trim(), room);
            self.open_cut |= more.len() < text.trim().len();
            if !more.is_empty() {
                open.message.push(' ');
                open.message.push_str(more);
            }
            return None;
        }
        self.counts.unread += 1;
        let at = self.open.as_ref().and_then(|open| open.at);
        let message = cut(text.trim(), MESSAGE_BYTES_MAX).to_owned();
        self.begin(Record { at, message, line: self.counts.lines, lines: 1, ..Record::default() })
    }

    /// The last record.
    pub fn finish(&mut self) -> Option<Record> {
        self.counts.cut += u64::from(std::mem::take(&mut self.open_cut));
        let mut record = self.open.take()?;
        dbus::settle(&mut record);
        self.counts.records += 1;
        Some(record)
    }

    fn begin(&mut self, mut record: Record) -> Option<Record> {
        let before = self.finish();
        for name in [&mut record.host, &mut record.program, &mut record.unit] {
            let kept = cut(name, NAME_BYTES_MAX).len();
            name.truncate(kept);
        }
        let kept = cut(&record.message, MESSAGE_BYTES_MAX).len();
        self.open_cut = kept < record.message.len();
        record.message.truncate(kept);
        self.open = Some(record);
        before
    }
}

/// As much of `text` as fits into `room` bytes.
fn cut(text: &str, room: usize) -> &str {
    let mut end = room.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests;
