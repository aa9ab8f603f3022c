//! What an operator does not want to hear of: a device, a domain, or a kind of behaviour.
//!
//! A muted flow keeps its score and is learned as usual; it is no alert. Rules may end.

use std::net::IpAddr;

use ghost_event::{Behaviours, Features, MacAddr, Timestamp};

use super::state::{Reader, StateError, Writer};

/// Rules at most; an operator with more should raise the threshold.
pub const MUTES_MAX: usize = 1024;
const DOMAIN_BYTES_MAX: usize = 255;

/// What is muted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Muted {
    /// Flows to and from an address.
    Address(IpAddr),
    /// Flows to and from a hardware address.
    Hardware(MacAddr),
    /// Flows that name this domain or one below it; flows with a host of that name.
    Domain(Box<str>),
    /// Flows whose behaviours, but for plain facts, are all among these.
    Kind(Behaviours),
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mute {
    pub what: Muted,
    /// `None`: until it is taken back.
    pub until: Option<Timestamp>,
}

/// A rule found no room: take others back first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyMutes;

impl std::fmt::Display for TooManyMutes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{MUTES_MAX} mutes are set already: take some back first")
    }
}

impl std::error::Error for TooManyMutes {}

/// What a flow's kind does not depend on.
const FACTS: Behaviours = Behaviours(
    Behaviours::UNANSWERED.0
        | Behaviours::REFUSED.0
        | Behaviours::FRAGMENTED.0
        | Behaviours::LONG_LIVED.0,
);

impl Mute {
    fn covers(&self, f: &Features, now: Timestamp) -> bool {
        if self.until.is_some_and(|until| until < now) {
            return false;
        }
        match &self.what {
            Muted::Address(a) => f.src_ip == Some(*a) || f.dst_ip == Some(*a),
            Muted::Hardware(mac) => f.src_mac == Some(*mac) || f.dst_mac == Some(*mac),
            Muted::Domain(domain) => names_of(f).any(|name| is_below(name, domain)),
            Muted::Kind(kinds) => {
                let shown = Behaviours(f.behaviours.0 & !FACTS.0);
                !shown.is_empty() && kinds.contains(shown)
            }
        }
    }
}

fn names_of(f: &Features) -> impl Iterator<Item = &str> {
    let told = ["tls.sni", "quic.sni", "http.hostname", "dns.queries.rrname"]
        .into_iter()
        .flat_map(|path| f.names.all(path).take(16));
    told.chain(f.src_name.as_deref()).chain(f.dst_name.as_deref())
}

fn is_below(name: &str, domain: &str) -> bool {
    let (name, domain) = (name.trim_end_matches('.'), domain.trim_matches('.'));
    let Some(end) = name.len().checked_sub(domain.len()) else { return false };
    let (Some(head), Some(tail)) = (name.get(..end), name.get(end..)) else { return false };
    !domain.is_empty()
        && tail.eq_ignore_ascii_case(domain)
        && (head.is_empty() || head.ends_with('.'))
}

/// The rules.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Mutes(Vec<Mute>);

impl Mutes {
    pub(crate) fn add(&mut self, mute: Mute) -> Result<(), TooManyMutes> {
        self.0.retain(|old| old.what != mute.what);
        if self.0.len() >= MUTES_MAX {
            return Err(TooManyMutes);
        }
        self.0.push(mute);
        Ok(())
    }

    pub(crate) fn remove(&mut self, what: &Muted) -> bool {
        let before = self.0.len();
        self.0.retain(|old| old.what != *what);
        self.0.len() < before
    }

    pub(crate) fn all(&self) -> &[Mute] {
        &self.0
    }

    pub(crate) fn cover(&self, f: &Features, now: Timestamp) -> bool {
        self.0.iter().any(|mute| mute.covers(f, now))
    }

    pub(crate) fn save(&self, out: &mut Writer) {
        out.count(self.0.len());
        for mute in &self.0 {
            match &mute.what {
                Muted::Address(a) => {
                    out.u8(0);
                    out.text(&a.to_string());
                }
                Muted::Hardware(mac) => {
                    out.u8(1);
                    mac.0.iter().for_each(|b| out.u8(*b));
                }
                Muted::Domain(domain) => {
                    out.u8(2);
                    out.text(domain.get(..DOMAIN_BYTES_MAX).unwrap_or(domain));
                }
                Muted::Kind(kinds) => {
                    out.u8(3);
                    out.u64(kinds.0);
                }
            }
            out.i64(mute.until.map_or(i64::MAX, |until| until.0));
        }
    }

    pub(crate) fn load(from: &mut Reader<'_>) -> Result<Mutes, StateError> {
        let mut mutes = Mutes::default();
        for _ in 0..from.count(MUTES_MAX)? {
            let what = match from.u8()? {
                0 => Muted::Address(from.text(64)?.parse().map_err(|_| StateError::Damaged)?),
                1 => {
                    let mut mac = [0; 6];
                    for b in &mut mac {
                        *b = from.u8()?;
                    }
                    Muted::Hardware(MacAddr(mac))
                }
                2 => Muted::Domain(from.text(DOMAIN_BYTES_MAX)?.into()),
                3 => Muted::Kind(Behaviours(from.u64()?)),
                _ => return Err(StateError::Damaged),
            };
            let until = Some(from.i64()?).filter(|t| *t != i64::MAX).map(Timestamp);
            mutes.0.push(Mute { what, until });
        }
        Ok(mutes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_covers_what_is_below_it_and_nothing_that_only_ends_alike() {
        assert!(is_below("a.b.Example.com.", "example.com"));
        assert!(is_below("example.com", ".example.com"));
        assert!(!is_below("badexample.com", "example.com"));
        assert!(!is_below("com", "example.com"));
        assert!(!is_below("anything", ""));
    }

    #[test]
    fn there_is_room_for_so_many_rules_and_one_replaces_its_like() {
        let mut mutes = Mutes::default();
        let rule = |n: u32| Mute { what: Muted::Kind(Behaviours(n.into())), until: None };
        for n in 0..u32::try_from(MUTES_MAX).unwrap() {
            assert!(mutes.add(rule(n)).is_ok());
        }
        assert_eq!(mutes.add(rule(70_000)), Err(TooManyMutes));
        assert!(mutes.add(rule(3)).is_ok());
        assert!(mutes.remove(&Muted::Kind(Behaviours(3))));
        assert!(!mutes.remove(&Muted::Kind(Behaviours(3))));
    }
}
