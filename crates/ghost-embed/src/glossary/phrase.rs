//! The phrases that a shape's text is made of; each has one fitted row.

use ghost_event::{Behaviours, Role};

use super::places::way_index;
use super::{APPS, course_word, is_own_word};
use crate::packet::{Act, Fill};
use crate::shape::{Course, Shape, Size, Transport};

/// One phrase of a text, without its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phrase {
    /// What a packet did; where its direction says nothing more, it is sent to the server.
    Packet(Act, bool),
    Fill(Fill),
    Behaviour(Behaviours),
    /// Its place in [`APPS`].
    App(u16),
    /// An application that the glossary has no words for.
    OtherApp(&'static str),
    Carrier(Transport),
    Brand(&'static str),
    Category(&'static str),
    Tunnel(&'static str),
    Course(Course),
    Size(Size),
    Vlan,
    Fragments,
    From(Role),
    To(Role),
    /// Its place among the ways.
    Way(usize),
}

/// Calls `take` with each phrase of `shape`, in the order of the text.
#[inline]
pub fn each_phrase(shape: &Shape, take: &mut impl FnMut(Phrase)) {
    if let Some(look) = shape.packet {
        let both_ways = matches!(look.act, Act::Data | Act::Datagram);
        take(Phrase::Packet(look.act, look.to_server || !both_ways));
        if !super::fill_word(look.fill).is_empty() {
            take(Phrase::Fill(look.fill));
        }
    }
    let mut left = shape.behaviours;
    for word in super::BEHAVIOURS {
        if left.is_empty() {
            break;
        }
        if left.contains(word.behaviour) {
            left = Behaviours(left.0 & !word.behaviour.0);
            take(Phrase::Behaviour(word.behaviour));
        }
    }
    let place = super::apps::index().get(shape.app).copied();
    let word = place.map(|n| &APPS[usize::from(n)]);
    match place {
        Some(n) => take(Phrase::App(n)),
        None if shape.app.is_empty() => {}
        None => take(Phrase::OtherApp(shape.app)),
    }
    let is_icmp = matches!(shape.app, "icmp" | "icmpv6");
    if shape.app.is_empty() || (is_icmp && is_own_word(shape.transport)) {
        take(Phrase::Carrier(shape.transport));
    }
    if !shape.brand.is_empty() && word.is_none_or(|w| !w.text.contains(shape.brand)) {
        take(Phrase::Brand(shape.brand));
    }
    if !shape.category.is_empty() && word.is_none_or(|w| w.category != shape.category) {
        take(Phrase::Category(shape.category));
    }
    let overlay = word.is_some_and(|w| w.category == "overlay network") || shape.app == "gtp";
    if !shape.tunnel.is_empty() && !overlay {
        take(Phrase::Tunnel(shape.tunnel));
    }
    if shape.course != Course::Ordinary && !course_word(shape).is_empty() {
        take(Phrase::Course(shape.course));
    }
    if shape.size != Size::Ordinary {
        take(Phrase::Size(shape.size));
    }
    if shape.vlan {
        take(Phrase::Vlan);
    }
    if shape.fragments {
        take(Phrase::Fragments);
    }
    if !super::role_word(shape.src.role, true).is_empty() {
        take(Phrase::From(shape.src.role));
    }
    if !super::role_word(shape.dst.role, false).is_empty() {
        take(Phrase::To(shape.dst.role));
    }
    if let Some(way) = way_index(shape.src.zone, shape.dst.zone) {
        take(Phrase::Way(way));
    }
}

impl Phrase {
    /// Appends the phrase's words.
    pub fn say(self, out: &mut String) {
        use super::{BEHAVIOURS, TUNNELS, WAYS};
        let words: &str = match self {
            Phrase::Packet(act, to_server) => super::act_word(act, to_server),
            Phrase::Fill(fill) => super::fill_word(fill),
            Phrase::Behaviour(b) => {
                BEHAVIOURS.iter().find(|w| w.behaviour == b).map_or("", |w| w.text)
            }
            Phrase::App(n) => APPS.get(usize::from(n)).map_or("", |w| w.text),
            Phrase::OtherApp(name) => {
                out.push_str(&name.replace(['_', '-'], " "));
                " application"
            }
            Phrase::Carrier(t) => super::transport_word(t),
            Phrase::Brand(name) => name,
            Phrase::Category(name) => super::category_word(name),
            Phrase::Tunnel(kind) => match TUNNELS.iter().find(|(k, _)| *k == kind) {
                Some((_, words)) => words,
                None => {
                    out.push_str(kind);
                    " tunnel, overlay network encapsulation"
                }
            },
            Phrase::Course(c) => super::course_text(c),
            Phrase::Size(s) => super::size_word(s),
            Phrase::Vlan => super::VLAN_WORDS,
            Phrase::Fragments => super::FRAGMENT_WORDS,
            Phrase::From(role) => super::role_word(role, true),
            Phrase::To(role) => super::role_word(role, false),
            Phrase::Way(n) => WAYS.get(n).copied().unwrap_or(""),
        };
        out.push_str(words);
    }

    /// The name of the phrase's row in the fitted table; "" where it has none of its own.
    #[must_use]
    pub fn row_name(self) -> String {
        match self {
            Phrase::Packet(act, true) => format!("packet:{}", act.name()),
            Phrase::Packet(act, false) => format!("packet:{}:back", act.name()),
            Phrase::Fill(fill) => format!("fill:{}", fill.name()),
            Phrase::Behaviour(b) => format!("behaviour:{}", b.names().next().unwrap_or("")),
            Phrase::App(n) => {
                format!("app:{}", APPS.get(usize::from(n)).map_or("", |w| w.name))
            }
            Phrase::OtherApp(_) => "app:?".to_owned(),
            Phrase::Carrier(t) => format!("carrier:{}", t.name()),
            Phrase::Brand(name) => format!("brand:{name}"),
            Phrase::Category(name) => format!("category:{name}"),
            Phrase::Tunnel(kind) => format!("tunnel:{kind}"),
            Phrase::Course(c) => format!("course:{}", c.name()),
            Phrase::Size(s) => format!("size:{}", s.name()),
            Phrase::Vlan => "vlan".to_owned(),
            Phrase::Fragments => "fragments".to_owned(),
            Phrase::From(role) => format!("from:{}", role.name()),
            Phrase::To(role) => format!("to:{}", role.name()),
            Phrase::Way(n) => format!("way:{n}"),
        }
    }
}
