//! Who answered a question, how fresh, and who did not and why.

use serde::{Deserialize, Serialize};

use ghost_event::Seq;

/// One log that was searched, or one replica that was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogPart {
    /// `own`, the host whose log it is, or the name of a replica.
    pub name: String,
    pub kind: LogKind,
    /// The log that was searched, 32 hexadecimal digits; empty where nothing answered.
    pub log: String,
    /// Why it did not answer, or not to its end; empty where it did.
    pub trouble: String,
    /// The newest line that it searched.
    pub newest: Seq,
    /// The moment of that line, nanoseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_ns: Option<i64>,
    /// Lines that who asked has and it had not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<u64>,
    /// Events that it searched.
    pub events: u64,
    /// Hits that it alone brought, or brought first.
    pub hits: u64,
    /// Hits that another brought before it.
    pub doubled: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// What it said besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What a part of an answer is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// The log that this host writes.
    #[default]
    Own,
    /// A log of another host that is held here.
    Held,
    /// A copy of the own log elsewhere.
    Replica,
}
