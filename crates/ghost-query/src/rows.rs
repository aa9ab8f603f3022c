//! Answers that are tables: windows, hosts, elements, patterns and differences, best first.

use std::net::{IpAddr, Ipv6Addr};

use ghost_event::Timestamp;
use ghost_index::{Clause, Kind, Walked};

use crate::answer::{Answer, Ask, Searched};
use crate::error::QueryError;
use crate::filter::{Key, Mode, Part};
use crate::limits;
use crate::table::{Cell, Column, Table, Unit};
use crate::tags::Tags;
use crate::understand::Understanding;

/// The columns of a table, by name and unit.
pub(crate) fn columns(of: &[(&str, Unit)]) -> Vec<Column> {
    of.iter().map(|(name, unit)| Column { name: (*name).to_owned(), unit: *unit }).collect()
}

/// A score or a rate.
pub(crate) fn decimal(value: f64) -> Cell {
    #[expect(clippy::cast_possible_truncation, reason = "a float to integer cast saturates")]
    let thousandths = (value * 1000.0).round() as i64;
    Cell::Thousandths(thousandths)
}

pub(crate) fn text(value: impl Into<String>) -> Cell {
    Cell::Text(value.into())
}

pub(crate) fn time(at: Timestamp) -> Cell {
    Cell::Time(at.0)
}

/// The answer that `table` is.
pub(crate) fn answer(
    understood: String,
    walked: Walked,
    shapes: usize,
    table: Table,
    mut notes: Vec<String>,
) -> Answer {
    notes.extend(walked.damaged.iter().map(|d| format!("not searched: {d}")));
    if walked.matched == 0 {
        notes.push("nothing meets the conditions".to_owned());
    }
    Answer {
        understood,
        understanding: Understanding::default(),
        searched: Searched {
            events: walked.searched,
            matched: walked.matched,
            span: walked.span,
            shapes: shapes as u64,
            ..Searched::default()
        },
        notes,
        hits: Vec::new(),
        table: Some(table),
    }
}

/// Conditions, as they are typed.
pub(crate) fn conditions(parts: &[Part]) -> String {
    let all: Vec<String> = parts.iter().map(ToString::to_string).collect();
    all.join(" ")
}

/// What must hold and must not of `parts`.
///
/// # Errors
/// A filter names no tag.
pub(crate) fn clauses(parts: &[Part], tags: &Tags) -> Result<Vec<Clause>, QueryError> {
    let mut clauses = Vec::with_capacity(parts.len());
    for part in parts {
        match part.mode {
            Mode::Must => clauses.push(part.filter.clause(tags)?),
            Mode::MustNot => clauses.push(Clause::Not(Box::new(part.filter.clause(tags)?))),
            Mode::Prefer | Mode::Avoid => {}
        }
    }
    Ok(clauses)
}

/// How many rows are asked for.
pub(crate) fn most(ask: &Ask<'_>) -> usize {
    if ask.limit == 0 { limits::ROWS_MAX } else { ask.limit.min(limits::ROWS_MAX) }
}

/// The address that a term's value is.
pub(crate) fn address(value: &[u8]) -> Option<IpAddr> {
    let octets: [u8; 16] = value.try_into().ok()?;
    Some(Ipv6Addr::from(octets).to_canonical())
}

/// A term as people type it, and the filter that lists it.
pub(crate) fn term(kind: Kind, value: &[u8]) -> Option<(String, Part)> {
    let plain = || std::str::from_utf8(value).ok().map(str::to_owned);
    let port = || value.try_into().ok().map(|be: [u8; 2]| u16::from_be_bytes(be).to_string());
    let ip = || address(value).map(|ip| ip.to_string());
    let (key, value) = match kind {
        Kind::App => (Key::App, plain()?),
        Kind::Behaviour => (Key::Behaviour, plain()?),
        Kind::Category => (Key::Category, plain()?),
        Kind::Brand => (Key::Brand, plain()?),
        Kind::Proto => (Key::Proto, plain()?),
        Kind::Interface => (Key::Interface, plain()?),
        Kind::Name => (Key::Name, plain()?),
        Kind::SrcIp => (Key::Src, ip()?),
        Kind::DstIp => (Key::Dst, ip()?),
        Kind::SrcPort => (Key::SrcPort, port()?),
        Kind::DstPort => (Key::DstPort, port()?),
        Kind::Tunnel => (Key::Tunnel, plain()?),
        Kind::SrcRole | Kind::DstRole => (Key::Role, plain()?),
        _ => return None,
    };
    Some((value.clone(), Part::must(key, [value])))
}
