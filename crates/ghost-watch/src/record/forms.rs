//! One line by its form; each reader answers `None` where the line is none of its own.

use ghost_event::Timestamp;

use super::clock::{Years, epoch};
use super::{Level, Record, dbus, json};

/// Reads a line by the first form that fits.
pub(super) fn read(line: &str, years: &Years) -> Option<Record> {
    let record = match line.as_bytes().first()? {
        b'{' => json::read(line),
        b'<' => rfc5424(line).or_else(|| prival(line, years)),
        b'0'..=b'9' => ovs(line).or_else(|| python(line, years)).or_else(|| iso(line, years)),
        b'A'..=b'Z' => rfc3164(line, years),
        _ => dbus::read(line),
    };
    record.map(deeper)
}

/// `2022-02-10T16:09:19.414Z|00118|bridge|INFO|message`; a thread's name may stand with the module.
fn ovs(line: &str) -> Option<Record> {
    let mut fields = line.splitn(5, '|');
    let at = Timestamp::parse(fields.next()?)?;
    let number = fields.next()?;
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let module = fields.next()?;
    let level = Level::named(fields.next()?)?;
    Some(Record {
        at: Some(at),
        program: module.to_owned(),
        level: Some(level),
        message: fields.next()?.to_owned(),
        ..Record::default()
    })
}

/// `2022-02-10 00:00:01.845 1603 INFO module.name [request] message`.
fn python(line: &str, years: &Years) -> Option<Record> {
    let (date, rest) = line.split_once(' ')?;
    let (time, rest) = rest.split_once(' ')?;
    let at = years.local(&format!("{date}T{}", time.replace(',', ".")))?;
    let (first, after) = rest.split_once(' ')?;
    let (pid, rest) = match first.parse::<u32>() {
        Ok(pid) => (Some(pid), after),
        Err(_) => (None, rest),
    };
    let (level, rest) = rest.split_once(' ')?;
    let level = Level::named(level)?;
    let (module, message) = rest.split_once(' ').unwrap_or((rest, ""));
    // Of `[req-… - - -]` nobody learns anything.
    let message = match message.strip_prefix('[').and_then(|m| m.split_once("] ")) {
        Some((request, message)) if request.starts_with("req-") || request.contains("- -") => {
            message
        }
        _ => message,
    };
    Some(Record {
        at: Some(at),
        program: module.to_owned(),
        pid,
        level: Some(level),
        message: message.to_owned(),
        ..Record::default()
    })
}

/// `2022-06-24T09:50:46.465770+00:00 host program[pid]: message`.
fn iso(line: &str, years: &Years) -> Option<Record> {
    let (time, rest) = line.split_once(' ')?;
    let at = Timestamp::parse(time).or_else(|| years.local(time)).filter(|_| time.contains('T'))?;
    said(rest, at)
}

/// `Feb 04 09:34:04 host program[pid]: message`.
fn rfc3164(line: &str, years: &Years) -> Option<Record> {
    let (at, rest) = years.without_year(line)?;
    said(rest, at)
}

/// `<34>Feb 04 …` or `<34>2022-…`: a priority before one of the forms above.
fn prival(line: &str, years: &Years) -> Option<Record> {
    let (number, rest) = line.strip_prefix('<')?.split_once('>')?;
    let number: u16 = number.parse().ok().filter(|n| *n < 192)?;
    let mut record = rfc3164(rest, years).or_else(|| iso(rest, years))?;
    record.level = u8::try_from(number % 8).ok().and_then(Level::of);
    Some(record)
}

/// `<165>1 2003-10-11T22:14:15.003Z host app pid msgid - message` (RFC 5424).
fn rfc5424(line: &str) -> Option<Record> {
    let (number, rest) = line.strip_prefix('<')?.split_once('>')?;
    let number: u16 = number.parse().ok().filter(|n| *n < 192)?;
    let mut fields = rest.strip_prefix("1 ")?.splitn(6, ' ');
    let at = Timestamp::parse(fields.next()?);
    let mut named =
        || Some(fields.next()?.to_owned()).map(|f| if f == "-" { String::new() } else { f });
    let (host, program, pid, _) = (named()?, named()?, named()?, named()?);
    let message = structured(fields.next()?)?;
    Some(Record {
        at,
        host,
        program,
        pid: pid.parse().ok(),
        level: u8::try_from(number % 8).ok().and_then(Level::of),
        message: message.trim_start_matches('\u{feff}').to_owned(),
        ..Record::default()
    })
}

/// What follows structured data.
fn structured(rest: &str) -> Option<&str> {
    if let Some(rest) = rest.strip_prefix('-') {
        return Some(rest.strip_prefix(' ').unwrap_or(rest));
    }
    let (mut quoted, mut escaped, mut open) = (false, false, false);
    for (at, b) in rest.bytes().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' if !quoted => open = true,
            b']' if !quoted => open = false,
            b' ' if !quoted && !open => return rest.get(at + 1..),
            _ => {}
        }
    }
    (!quoted && !open).then_some("")
}

/// `host program[pid]: message`.
fn said(rest: &str, at: Timestamp) -> Option<Record> {
    let (host, rest) = rest.split_once(' ')?;
    let (tag, message) = rest.split_once(':')?;
    if host.is_empty() || tag.is_empty() || tag.len() > 128 {
        return None;
    }
    let (program, pid) = match tag.strip_suffix(']').and_then(|t| t.rsplit_once('[')) {
        Some((program, pid)) => (program, pid.parse().ok()),
        None => (tag, None),
    };
    // A program's name may hold a blank, as `Network Manager` would; a sentence is none.
    if program.split(' ').count() > 3 {
        return None;
    }
    Some(Record {
        at: Some(at),
        host: host.to_owned(),
        program: program.trim().to_owned(),
        pid,
        message: message.trim_start().to_owned(),
        ..Record::default()
    })
}

/// What the program itself put before its message: a form of its own inside the journal's.
fn deeper(mut record: Record) -> Record {
    // `<info>  [1656064246.4655] message`: NetworkManager.
    if let Some((level, rest)) = record.message.strip_prefix('<').and_then(|m| m.split_once('>'))
        && let Some(level) = Level::named(level)
    {
        let rest = rest.trim_start();
        let stamped = rest.strip_prefix('[').and_then(|r| r.split_once(']'));
        let (at, rest) = match stamped.and_then(|(at, rest)| Some((epoch(at)?, rest))) {
            Some((at, rest)) => (Some(at), rest),
            None => (None, rest),
        };
        record.level = Some(level);
        record.at = at.or(record.at);
        record.message = rest.trim_start().to_owned();
        return record;
    }
    // `ovs|00001|vsctl|INFO|message`: Open vSwitch's programs in the journal.
    let mut fields = record.message.splitn(5, '|');
    if let (Some("ovs"), Some(number), Some(module), Some(level), Some(message)) =
        (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        && number.bytes().all(|b| b.is_ascii_digit())
        && let Some(level) = Level::named(level)
    {
        record.level = Some(level);
        if !record.program.ends_with(module) {
            record.program = format!("{}/{module}", record.program);
        }
        record.message = message.to_owned();
    }
    record
}
