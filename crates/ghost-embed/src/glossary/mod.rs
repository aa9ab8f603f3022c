//! The glossary: a shape in the words of those who run networks.
//!
//! Texts are short, name what the traffic is for with its common synonyms, and hold no address, no
//! host name and no exact number. The most telling comes first. Changing a word changes the
//! digest, which the fitted rows carry: a test fails until `fit-rows` has run again.

mod apps;
mod behaviours;
mod brands;
mod phrase;
mod places;

use std::fmt::Write as _;

pub use apps::{APPS, AppWord};
pub use behaviours::{BEHAVIOURS, BehaviourWord};
pub use brands::{BRANDS, CATEGORIES, OTHER_BRANDS};
pub use phrase::{Phrase, each_phrase};
pub use places::{ACTS, COURSES, TRANSPORTS, TUNNELS, WAYS, role_word, way_index};

use crate::packet::{Act, Fill};
use crate::shape::{Course, Shape, Size, Transport};

/// Stands in every shape line. Raise it when the wording changes in a release.
pub const GLOSSARY_VERSION: u32 = 1;

/// The words for shapes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Glossary;

impl Glossary {
    /// The text that the model reads for `shape`.
    #[must_use]
    pub fn text(&self, shape: &Shape) -> String {
        text(shape)
    }
}

/// What is known of an application by its name, e.g. whether it is encrypted.
#[must_use]
pub fn app(name: &str) -> Option<&'static AppWord> {
    if name.is_empty() {
        return None;
    }
    apps::index().get(name).map(|n| &APPS[usize::from(*n)])
}

/// The text for `shape`: what a packet did, behaviours, application, brand and category, carriage, course, places.
#[must_use]
pub fn text(shape: &Shape) -> String {
    let mut out = String::with_capacity(256);
    each_phrase(shape, &mut |phrase| {
        if !out.is_empty() {
            out.push_str(", ");
        }
        phrase.say(&mut out);
    });
    out
}

pub(crate) const VLAN_WORDS: &str = "VLAN tagged frames";
pub(crate) const FRAGMENT_WORDS: &str = "packets arriving in IP fragments";

/// The words for how it went; a behaviour that says the same is not said twice.
#[must_use]
pub fn course_word(shape: &Shape) -> &'static str {
    use ghost_event::Behaviours as B;
    let said = match shape.course {
        Course::HalfOpen | Course::OneWay => {
            B::UNANSWERED.with(B::STEALTH_SCAN).with(B::FLOOD).with(B::AMPLIFICATION)
        }
        Course::Refused => B::REFUSED.with(B::STEALTH_SCAN),
        _ => B::NONE,
    };
    if shape.behaviours.intersects(said) {
        return "";
    }
    course_text(shape.course)
}

pub(crate) fn course_text(course: Course) -> &'static str {
    COURSES.iter().find(|(c, _)| *c == course).map_or("", |(_, words)| words)
}

/// The words for a kind of service; an unknown kind speaks for itself.
#[must_use]
pub fn category_word(name: &'static str) -> &'static str {
    CATEGORIES.iter().find(|(n, _)| *n == name).map_or(name, |(_, words)| words)
}

/// The words for how much.
#[must_use]
pub fn size_word(size: Size) -> &'static str {
    match size {
        Size::Ordinary => "",
        Size::Large => "large transfer",
        Size::Download => "large download",
        Size::Upload => "large upload",
        Size::VeryLarge => "very large transfer of gigabytes",
    }
}

/// The words for what a packet did; "" for a way back that is not told apart.
#[must_use]
pub fn act_word(act: Act, to_server: bool) -> &'static str {
    let words = ACTS.iter().find(|(a, _, _)| *a == act);
    words.map_or("", |(_, there, back)| if to_server { there } else { back })
}

/// The words for how full a packet was.
#[must_use]
pub fn fill_word(fill: Fill) -> &'static str {
    match fill {
        Fill::Empty | Fill::Medium => "",
        Fill::Small => "small payload",
        Fill::Large => "large payload",
    }
}

/// The words for what carries it.
#[must_use]
pub fn transport_word(transport: Transport) -> &'static str {
    TRANSPORTS.iter().find(|(t, _)| *t == transport).map_or("", |(_, words)| words)
}

/// Whether a transport says something that its application does not.
fn is_own_word(transport: Transport) -> bool {
    !matches!(
        transport,
        Transport::Tcp | Transport::Udp | Transport::Sctp | Transport::Other | Transport::Link
    )
}

/// xxh3-64 over every word of the glossary: the fitted rows name the words they were fitted to.
#[must_use]
pub fn digest() -> u64 {
    use ghost_event::Role;
    let mut all = String::with_capacity(32_768);
    for w in APPS {
        let _ = writeln!(all, "{}\t{}\t{}\t{}", w.name, w.text, w.category, w.encrypted);
    }
    for w in BEHAVIOURS {
        let _ = writeln!(all, "{:?}\t{}", w.behaviour.0, w.text);
    }
    for (t, words) in TRANSPORTS {
        let _ = writeln!(all, "{}\t{words}", t.name());
    }
    for (kind, words) in TUNNELS {
        let _ = writeln!(all, "{kind}\t{words}");
    }
    for (c, words) in COURSES {
        let _ = writeln!(all, "{}\t{words}", c.name());
    }
    for s in Size::ALL {
        let _ = writeln!(all, "{}", size_word(*s));
    }
    for r in Role::ALL {
        let _ = writeln!(all, "{}\t{}", role_word(*r, true), role_word(*r, false));
    }
    for (name, words) in CATEGORIES {
        let _ = writeln!(all, "{name}\t{words}");
    }
    for words in BRANDS.iter().chain(WAYS) {
        let _ = writeln!(all, "{words}");
    }
    let _ = writeln!(all, "{VLAN_WORDS}\t{FRAGMENT_WORDS}");
    for (act, there, back) in ACTS {
        let _ = writeln!(all, "{}\t{there}\t{back}", act.name());
    }
    for fill in Fill::ALL {
        let _ = writeln!(all, "{}", fill_word(*fill));
    }
    xxhash_rust::xxh3::xxh3_64(all.as_bytes())
}
