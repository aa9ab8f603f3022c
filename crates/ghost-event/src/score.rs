//! How unlike everything before a flow is, as its event tells it: a number, a verdict, closed words.

use std::fmt;

use crate::Timestamp;

/// Why a flow was scored so: a set of closed words. Figures stand with the incident.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Reasons(pub u16);

macro_rules! reasons {
    ($($(#[$doc:meta])* $konst:ident = $bit:literal, $name:literal;)*) => {
        impl Reasons {
            $($(#[$doc])* pub const $konst: Reasons = Reasons(1 << $bit);)*
            /// Every reason with its name, in the order of their bits.
            pub const ALL: &'static [(Reasons, &'static str)] = &[$((Reasons::$konst, $name),)*];
        }
    };
}

reasons! {
    /// What it looked like it was doing.
    BEHAVIOUR = 0, "behaviour";
    /// Its hosts try more in a short time than is usual here.
    TRIES = 1, "tries";
    /// A magnitude is unlike that of other flows of its service.
    MAGNITUDE = 2, "magnitude";
    /// Its numbers together are rare.
    NUMBERS = 3, "numbers";
    /// Its shape is far from those met before.
    SHAPE = 4, "shape";
    /// Its source was not met before.
    NEW_HOST = 5, "new_host";
    /// Its two hosts did not talk before.
    NEW_PAIR = 6, "new_pair";
    /// Its source did not use this service before.
    NEW_SERVICE = 7, "new_service";
    /// Its target did not serve this before.
    NEW_SERVER = 8, "new_server";
    /// Its domain was not asked for before.
    NEW_NAME = 9, "new_name";
    /// Its hosts were just part of an incident.
    AROUND = 10, "around";
}

impl Reasons {
    #[must_use]
    pub fn contains(self, other: Reasons) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn insert(&mut self, other: Reasons) {
        self.0 |= other.0;
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of the members, in the order of their bits.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Reasons::ALL.iter().filter(move |(r, _)| self.contains(*r)).map(|(_, name)| *name)
    }

    /// The reason of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Reasons> {
        Reasons::ALL.iter().find(|(_, n)| *n == name).map(|(r, _)| *r)
    }
}

impl fmt::Debug for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// The name of an incident in a log: unique there, and never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentName {
    pub within: Within,
    /// From 1, in the order of their beginning.
    pub number: u64,
}

/// Whose count of incidents it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Within {
    /// The live bridge's since the start that began this epoch of the log.
    Epoch(u64),
    /// One import's: the number of the line that began it.
    Import(u64),
}

impl IncidentName {
    /// Reads what `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<IncidentName> {
        let (scope, number) = text.split_once('.')?;
        let digits = |t: &str| {
            let canonical = !t.is_empty()
                && t.bytes().all(|b| b.is_ascii_digit())
                && (t == "0" || !t.starts_with('0'));
            t.parse::<u64>().ok().filter(|_| canonical)
        };
        let within = match scope.strip_prefix('i') {
            Some(import) => Within::Import(digits(import)?),
            None => Within::Epoch(digits(scope)?),
        };
        Some(IncidentName { within, number: digits(number)? })
    }
}

impl fmt::Display for IncidentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.within {
            Within::Epoch(epoch) => write!(f, "{epoch}.{}", self.number),
            Within::Import(begin) => write!(f, "i{begin}.{}", self.number),
        }
    }
}

/// What scoring said of a flow: of all looks at it, the highest.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Score {
    /// 0: like everything; 1: like nothing, or like an attack.
    pub value: f32,
    /// It was worth an alert.
    pub alert: bool,
    /// When: the packet at which it was looked at. `None` without an alert.
    pub alerted: Option<Timestamp>,
    pub reasons: Reasons,
    /// The incident that it is part of, by its number among those of the scorer.
    pub incident: Option<u64>,
}

impl Score {
    /// The value in ten-thousandths, as it is written.
    #[must_use]
    pub fn ten_thousandths(&self) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 10,000"
        )]
        let whole = (f64::from(self.value.clamp(0.0, 1.0)) * 10_000.0).round() as u32;
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incidents_name_is_read_as_it_is_written() {
        for within in [Within::Epoch(7), Within::Import(41), Within::Epoch(u64::MAX)] {
            let name = IncidentName { within, number: 3 };
            assert_eq!(IncidentName::parse(&name.to_string()), Some(name));
        }
        for off in ["", "7", "7.", ".3", "i.3", "07.3", "7.03", "7.3.1", "+7.3", "x7.3", "7.-3"] {
            assert_eq!(IncidentName::parse(off), None, "{off}");
        }
    }

    #[test]
    fn every_reason_is_read_by_its_name() {
        for (reason, name) in Reasons::ALL {
            assert_eq!(Reasons::from_name(name), Some(*reason));
        }
        assert_eq!(Reasons::from_name("no such"), None);
    }
}
