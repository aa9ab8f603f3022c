//! What is counted: by what, of what, and in which stretches of time.
//!
//! In the filter language: `by:src`, `by:src,dst`, `sum:bytes`, `per:1h`, `top:20`, `least:5`. A
//! question that says one of them is answered by a table and not by events. What
//! [`Aggregate`] prints, it reads back equal.

use std::fmt;

use crate::error::QueryError;
use crate::{limits, units};

/// What events are told apart by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Dimension {
    Src,
    Dst,
    /// Either side.
    Host,
    App,
    Category,
    Brand,
    Behaviour,
    Proto,
    Port,
    SrcPort,
    DstPort,
    Name,
    Mac,
    Vlan,
    Interface,
    Zone,
    SrcZone,
    DstZone,
    Role,
    SrcRole,
    DstRole,
    Tunnel,
    /// Any other fact by its path.
    Fact(String),
}

/// Every dimension: its name, its other names, what it tells apart.
pub const DIMENSIONS: &[(Dimension, &str, &[&str], &str)] = &[
    (Dimension::Src, "src", &["source", "client", "talker", "sender"], "who opened it"),
    (Dimension::Dst, "dst", &["dest", "destination", "server", "target"], "whom it went to"),
    (Dimension::Host, "host", &["ip", "address", "addr"], "either side"),
    (Dimension::App, "app", &["application", "service"], "the application"),
    (Dimension::Category, "category", &["cat"], "the kind of application or brand"),
    (Dimension::Brand, "brand", &[], "the known service"),
    (Dimension::Behaviour, "behaviour", &["behavior"], "what it looked like"),
    (Dimension::Proto, "proto", &["protocol", "transport"], "the transport"),
    (Dimension::DstPort, "dport", &["dst_port", "dest_port"], "the port that was asked"),
    (Dimension::SrcPort, "sport", &["src_port"], "the opener's port"),
    (Dimension::Port, "port", &[], "either side's port"),
    (Dimension::Name, "name", &["domain", "sni", "dns", "hostname"], "the names that it told"),
    (Dimension::Mac, "mac", &["ether"], "either side's hardware address"),
    (Dimension::Vlan, "vlan", &[], "the VLAN"),
    (Dimension::Interface, "iface", &["interface", "bridge"], "the interface or bridge"),
    (Dimension::Zone, "zone", &[], "where either side stands"),
    (Dimension::SrcZone, "szone", &["src_zone"], "where the opener stands"),
    (Dimension::DstZone, "dzone", &["dst_zone"], "where the other side stands"),
    (Dimension::Role, "role", &[], "what either side is"),
    (Dimension::SrcRole, "srole", &["src_role"], "what the opener is"),
    (Dimension::DstRole, "drole", &["dst_role"], "what the other side is"),
    (Dimension::Tunnel, "tunnel", &[], "what it is encapsulated by"),
];

impl Dimension {
    /// The dimension of that name; any dotted path is a fact.
    #[must_use]
    pub fn parse(name: &str) -> Option<Dimension> {
        let name = name.to_ascii_lowercase();
        let known = DIMENSIONS.iter().find(|d| d.1 == name || d.2.contains(&name.as_str()));
        if let Some((dimension, ..)) = known {
            return Some(dimension.clone());
        }
        let path = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
        (name.contains('.') && name.chars().all(path)).then_some(Dimension::Fact(name))
    }

    /// The name that is printed.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Dimension::Fact(path) => path,
            _ => DIMENSIONS.iter().find(|d| d.0 == *self).map_or("", |d| d.1),
        }
    }
}

/// What is added up, and what the rows are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Amount {
    #[default]
    Flows,
    Bytes,
    BytesOut,
    BytesIn,
    Packets,
    Duration,
}

/// Every amount with its name and other names.
pub const AMOUNTS: &[(Amount, &str, &[&str])] = &[
    (Amount::Flows, "flows", &["events", "connections", "count"]),
    (Amount::Bytes, "bytes", &["size", "traffic", "volume"]),
    (Amount::BytesOut, "bytes_out", &["up", "upload", "sent"]),
    (Amount::BytesIn, "bytes_in", &["down", "download", "received"]),
    (Amount::Packets, "packets", &["pkts"]),
    (Amount::Duration, "duration", &["time"]),
];

impl Amount {
    #[must_use]
    pub fn parse(name: &str) -> Option<Amount> {
        let name = name.to_ascii_lowercase();
        AMOUNTS.iter().find(|a| a.1 == name || a.2.contains(&name.as_str())).map(|a| a.0)
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        AMOUNTS.iter().find(|a| a.0 == self).map_or("flows", |a| a.1)
    }
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aggregate {
    /// None of them: all together.
    pub by: Vec<Dimension>,
    pub of: Amount,
    /// Length of a stretch of time, in seconds; 0 lets the answer choose one.
    pub every_s: Option<u64>,
    /// Rows, of the largest or of the least; 0 where nothing was said.
    pub rows: usize,
    pub least: bool,
}

/// What the keys of counting are, for help and documentation.
pub const COUNTING: &[(&str, &str)] = &[
    ("by", "count by each value: `by:src`, `by:src,dst`, `by:tls.version`"),
    ("sum", "what is added up: `sum:flows`, `sum:bytes`, `sum:bytes_out`, `sum:packets`, …"),
    ("per", "for each stretch of time: `per:1h`, `per:5m`, `per:1d`"),
    ("top", "so many rows of the largest: `top:10`"),
    ("least", "so many rows of the smallest: `least:10`"),
];

impl Aggregate {
    /// Reads one token into `into`; false where it says nothing of counting.
    ///
    /// # Errors
    /// It does, but not so.
    pub fn read(token: &str, into: &mut Option<Aggregate>) -> Result<bool, QueryError> {
        let Some((key, value)) = token.split_once(':') else { return Ok(false) };
        let key = key.to_ascii_lowercase();
        if value.is_empty() || !COUNTING.iter().any(|(name, _)| *name == key) {
            return Ok(false);
        }
        let bad = |expected: String| QueryError::Value {
            key: key.clone(),
            value: value.to_owned(),
            expected,
        };
        let mut aggregate = into.take().unwrap_or_default();
        match key.as_str() {
            "by" => {
                for name in value.split(',').filter(|name| !name.is_empty()) {
                    let Some(dimension) = Dimension::parse(name) else {
                        let names: Vec<&str> = DIMENSIONS.iter().map(|d| d.1).collect();
                        return Err(bad(format!("{} or a dotted path", names.join(", "))));
                    };
                    if !aggregate.by.contains(&dimension) {
                        aggregate.by.push(dimension);
                    }
                }
                if aggregate.by.len() > limits::DIMENSIONS_MAX {
                    return Err(bad(format!("at most {} of them", limits::DIMENSIONS_MAX)));
                }
            }
            "sum" => {
                aggregate.of = Amount::parse(value).ok_or_else(|| {
                    let names: Vec<&str> = AMOUNTS.iter().map(|a| a.1).collect();
                    bad(format!("one of {}", names.join(", ")))
                })?;
            }
            "per" if value.eq_ignore_ascii_case("auto") => aggregate.every_s = Some(0),
            "per" => {
                let every = units::duration_us(value).or_else(|| {
                    units::unit_us(value).filter(|_| !value.is_empty()).map(units::whole)
                });
                let every_s = every.map(|us| us / 1_000_000).filter(|s| *s > 0);
                let expected = || bad("a duration of a second or longer, as 5m, 1h or 1d".into());
                aggregate.every_s = Some(every_s.ok_or_else(expected)?);
            }
            _ => {
                let rows = value.parse().ok().filter(|n| (1..=limits::ROWS_MAX).contains(n));
                let expected = || bad(format!("a number from 1 to {}", limits::ROWS_MAX));
                aggregate.rows = rows.ok_or_else(expected)?;
                aggregate.least = key == "least";
            }
        }
        *into = Some(aggregate);
        Ok(true)
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.by.is_empty() {
            let names: Vec<&str> = self.by.iter().map(Dimension::name).collect();
            write!(f, "by:{} ", names.join(","))?;
        }
        write!(f, "sum:{}", self.of.name())?;
        if let Some(seconds) = self.every_s {
            f.write_str(" per:")?;
            match seconds {
                0 => f.write_str("auto"),
                s if s.is_multiple_of(86_400) => write!(f, "{}d", s / 86_400),
                s if s.is_multiple_of(3600) => write!(f, "{}h", s / 3600),
                s if s.is_multiple_of(60) => write!(f, "{}m", s / 60),
                s => write!(f, "{s}s"),
            }?;
        }
        if self.rows > 0 {
            write!(f, " {}:{}", if self.least { "least" } else { "top" }, self.rows)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back_as_it_was() {
        for text in [
            "sum:flows",
            "by:src sum:bytes",
            "by:src,dst sum:bytes_out top:3",
            "by:tls.version sum:flows least:7",
            "sum:packets per:90s",
            "by:app sum:duration per:1d top:10",
            "sum:bytes per:auto",
        ] {
            let mut read = None;
            for token in text.split(' ') {
                assert!(Aggregate::read(token, &mut read).unwrap(), "{token}");
            }
            assert_eq!(read.unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_names_are_taken_and_nonsense_is_told() {
        let read = |token: &str| {
            let mut read = None;
            Aggregate::read(token, &mut read).map(|_| read.map(|a| a.to_string()))
        };
        assert_eq!(read("by:client").unwrap().as_deref(), Some("by:src sum:flows"));
        assert_eq!(read("per:hour").unwrap().as_deref(), Some("sum:flows per:1h"));
        assert_eq!(read("app:ssh").unwrap(), None);
        for off in ["by:nothing", "sum:joy", "per:soon", "top:0", "top:many", "by:a.b,c.d,e.f,g.h"]
        {
            assert!(read(off).is_err(), "{off}");
        }
    }
}
