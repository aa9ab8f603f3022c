//! Why a flow was scored so, in words and figures. No name or address of the wire is in it.

use std::fmt;

use ghost_event::{Behaviours, Reasons};

use super::familiar::New;
use super::incident::IncidentId;
use super::numbers::MAGNITUDES;
use super::rates::{Rate, WINDOW_S};

/// One reason; its text is what `Display` gives.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// It looked like this.
    Behaves { behaviour: Behaviours },
    /// Its host tried so many within the last ten to twenty seconds; 99.9 % stay below `usual`,
    /// which is 0 where too little was learned to say, or where this is below it, too.
    Tried { rate: Rate, tried: u32, unanswered: u32, usual: f32 },
    /// A magnitude unlike that of other flows of its service, of which `share` stay below `usual`
    /// (above it where this is too `little`). The value itself is never on their side.
    Unlike { magnitude: u8, value: f32, usual: f32, share: f32, little: bool, surprise: f32 },
    /// Its numbers together are met by one in `one_in` flows.
    Rare { one_in: f32 },
    /// Its shape is far from all that were met.
    Shape { distance: f32 },
    /// It brings something new.
    New { what: New },
    /// Its hosts were just part of an incident.
    Around { incident: IncidentId },
}

impl Reason {
    /// The closed word for it.
    #[must_use]
    pub fn word(&self) -> Reasons {
        match self {
            Reason::Behaves { .. } => Reasons::BEHAVIOUR,
            Reason::Tried { .. } => Reasons::TRIES,
            Reason::Unlike { .. } => Reasons::MAGNITUDE,
            Reason::Rare { .. } => Reasons::NUMBERS,
            Reason::Shape { .. } => Reasons::SHAPE,
            Reason::New { what } => match what {
                New::Host => Reasons::NEW_HOST,
                New::Pair => Reasons::NEW_PAIR,
                New::Uses => Reasons::NEW_SERVICE,
                New::Serves => Reasons::NEW_SERVER,
                New::Name => Reasons::NEW_NAME,
            },
            Reason::Around { .. } => Reasons::AROUND,
        }
    }
}

fn figure(value: f32) -> String {
    if value >= 100.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Reason::Behaves { behaviour } => {
                let name = behaviour.names().next().unwrap_or("");
                write!(f, "looks like {}", name.replace('_', " "))
            }
            Reason::Tried { rate, tried, unanswered, usual } => {
                let what = match rate {
                    Rate::Ports => "its source tried {} ports of one host",
                    Rate::Targets => "its source tried one port of {} hosts",
                    Rate::Sources => "{} sources came to its target",
                    Rate::Calls => "its source called one service {} times",
                    Rate::Flows => "its source opened {} flows",
                };
                let (before, after) = what.split_once("{}").unwrap_or((what, ""));
                write!(
                    f,
                    "{before}{tried}{after} within {WINDOW_S} s, {unanswered} of them in vain"
                )?;
                match usual > 0.0 {
                    true => write!(f, "; 99.9 % stay below {}", figure(usual)),
                    false => Ok(()),
                }
            }
            Reason::Unlike { magnitude, value, usual, share, little, .. } => {
                let name = MAGNITUDES.get(usize::from(magnitude)).copied().unwrap_or("of it");
                write!(
                    f,
                    "{} {name}; {} % of flows of its service stay {} {}",
                    figure(value),
                    // Rounded down: what is said is true.
                    (share * 100.0 + 0.01).floor(),
                    if little { "above" } else { "below" },
                    figure(usual)
                )
            }
            Reason::Rare { one_in } => {
                write!(f, "all its numbers together: 1 in {} flows is as rare", figure(one_in))
            }
            Reason::Shape { distance } => {
                write!(f, "what it does is {distance:.2} from the nearest that was met before")
            }
            Reason::New { what } => f.write_str(match what {
                New::Host => "its source was not met before",
                New::Pair => "its two hosts did not talk before",
                New::Uses => "its source did not use this service before",
                New::Serves => "its target did not serve this before",
                New::Name => "its domain was not asked for before",
            }),
            Reason::Around { incident } => {
                write!(f, "its hosts were just part of incident {}", incident.0)
            }
        }
    }
}
