//! What an operator asks of the scorer, and what comes back.

use std::fmt;

use ghost_detect::anomaly::{Learning, Mute, Muted};
use ghost_event::{Behaviours, MacAddr, Timestamp};
use serde::{Deserialize, Serialize};

/// One wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// How learning stands, and what is muted.
    Look,
    /// Forget what was learned; mutes stay.
    Reset,
    /// Learn nothing more, or go on.
    Freeze(bool),
    Mute(Mute),
    Unmute(Muted),
}

/// A wish as the API takes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WishAsked {
    /// `look`, `reset`, `freeze`, `thaw`, `mute`, `unmute`.
    #[serde(rename = "do")]
    pub act: String,
    /// What is muted: `host:10.0.0.7`, `mac:…`, `domain:example.com`, `kind:beacon,odd_port`.
    pub what: String,
    /// Until when, in nanoseconds since 1970; 0: until it is taken back.
    pub until_ns: i64,
}

/// How it stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AnomaliesStatus {
    /// `off`, `learning`, `learned`, `frozen`.
    pub state: String,
    /// `learned`, or `cosine:0.7`.
    pub rule: String,
    /// 1 where what was learned counts in full.
    pub progress: f32,
    pub flows_learned: u64,
    pub seconds_learned: u64,
    pub shapes_learned: u64,
    pub windows_learned: u64,
    pub mutes: Vec<Told>,
    // Since the start.
    pub looks: u64,
    pub flows: u64,
    pub alerts: u64,
    pub muted: u64,
    pub incidents: u64,
    /// Incidents that are not over.
    pub open: u64,
    /// Statements that were too many at once, or found no room.
    pub untold: u64,
    /// New shapes that were too many at once to be compared with those met before.
    pub uncompared: u64,
}

/// One mute, as it is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    pub what: String,
    /// 0: until it is taken back.
    pub until_ns: i64,
}

impl WishAsked {
    /// The wish, or what is wrong with it.
    ///
    /// # Errors
    /// In words for who asked.
    pub fn wish(&self) -> Result<Wish, String> {
        Ok(match self.act.as_str() {
            "look" => Wish::Look,
            "reset" => Wish::Reset,
            "freeze" => Wish::Freeze(true),
            "thaw" => Wish::Freeze(false),
            "mute" => Wish::Mute(Mute {
                what: muted(&self.what)?,
                until: (self.until_ns > 0).then_some(Timestamp(self.until_ns)),
            }),
            "unmute" => Wish::Unmute(muted(&self.what)?),
            other => {
                return Err(format!(
                    "{other:?} is none of look, reset, freeze, thaw, mute, unmute"
                ));
            }
        })
    }
}

/// Reads what is to be muted.
///
/// # Errors
/// In words for who asked.
pub fn muted(words: &str) -> Result<Muted, String> {
    let (key, value) = words.split_once(':').ok_or_else(|| usage(words))?;
    let off = || usage(words);
    match key {
        "host" => Ok(Muted::Address(value.parse().map_err(|_| off())?)),
        "mac" => {
            let mut mac = [0; 6];
            let mut parts = value.split([':', '-']);
            for byte in &mut mac {
                let part = parts.next().filter(|part| part.len() == 2).ok_or_else(off)?;
                *byte = u8::from_str_radix(part, 16).map_err(|_| off())?;
            }
            if parts.next().is_some() {
                return Err(off());
            }
            Ok(Muted::Hardware(MacAddr(mac)))
        }
        "domain" => {
            let domain = value.trim_matches('.').to_ascii_lowercase();
            let odd = |c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == '_');
            if domain.is_empty() || domain.len() > 253 || domain.contains(odd) {
                return Err(off());
            }
            Ok(Muted::Domain(domain.into()))
        }
        "kind" => {
            let mut kinds = Behaviours::NONE;
            for name in value.split(',') {
                kinds.insert(Behaviours::from_name(name.trim()).ok_or_else(|| {
                    let all: Vec<&str> = Behaviours::ALL.iter().map(|(_, name)| *name).collect();
                    format!("{name:?} is no behaviour; there are {}", all.join(", "))
                })?);
            }
            Ok(Muted::Kind(kinds))
        }
        _ => Err(off()),
    }
}

fn usage(words: &str) -> String {
    format!(
        "{words:?}: expected host:ADDRESS, mac:00:11:22:33:44:55, domain:NAME or kind:BEHAVIOUR[,…]"
    )
}

/// A mute as [`muted`] reads it.
pub(crate) struct Words<'a>(pub(crate) &'a Muted);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Muted::Address(address) => write!(f, "host:{address}"),
            Muted::Hardware(mac) => {
                let [a, b, c, d, e, g] = mac.0;
                write!(f, "mac:{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
            }
            Muted::Domain(domain) => write!(f, "domain:{domain}"),
            Muted::Kind(kinds) => {
                write!(f, "kind:{}", kinds.names().collect::<Vec<_>>().join(","))
            }
        }
    }
}

impl AnomaliesStatus {
    pub(crate) fn learned(&mut self, learning: &Learning, mutes: &[Mute]) {
        self.state = if learning.frozen {
            "frozen"
        } else if learning.progress >= 1.0 {
            "learned"
        } else {
            "learning"
        }
        .to_owned();
        self.progress = learning.progress;
        self.flows_learned = learning.flows;
        self.seconds_learned = learning.ns / 1_000_000_000;
        self.shapes_learned = learning.shapes as u64;
        self.windows_learned = learning.windows;
        self.mutes = mutes
            .iter()
            .map(|mute| Told {
                what: Words(&mute.what).to_string(),
                until_ns: mute.until.map_or(0, |until| until.0),
            })
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mute_is_told_as_it_was_read() {
        for words in [
            "host:10.0.0.7",
            "host:2001:db8::1",
            "mac:02:00:00:00:00:0a",
            "domain:example.com",
            "kind:port_scan,beacon",
        ] {
            assert_eq!(Words(&muted(words).unwrap()).to_string(), words);
        }
        for off in [
            "",
            "host:",
            "host:x",
            "mac:02:00",
            "mac:02:00:00:00:00:0a:00",
            "domain:",
            "kind:",
            "kind:nonsense",
            "10.0.0.7",
            "domain:a b",
            "domain:a\u{1b}b",
        ] {
            assert!(muted(off).is_err(), "{off}");
        }
    }
}
