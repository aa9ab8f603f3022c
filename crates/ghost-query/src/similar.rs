//! What is like one thing: an event, a host, a stretch of time, an element.
//!
//! Events like an event are of the nearest shapes, and of the same application, behaviours and
//! ports. The others are compared as means of shapes, and answered by a table.

use ghost_event::line::View;
use ghost_event::{Seq, ShapeId};
use ghost_index::{Index, Position};

use crate::answer::{Answer, Ask, Sources, search};
use crate::error::QueryError;
use crate::filter::{Key, Mode, Part};
use crate::similar_element::similar_element;
use crate::similar_host::similar_host;
use crate::similar_window::similar_window;
use crate::understand::Understanding;
use crate::window::Window;

/// What to start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Like {
    Seq(Seq),
    CommunityId(String),
    /// An address or a name.
    Host(String),
    /// `FROM..TO`, `around TIME window LENGTH`, `yesterday 14:00-15:00`.
    Window(String),
    /// `interface:eth0`.
    Element(String),
}

impl Like {
    /// A sequence number, a Community ID (`1:…`), a host (`host:…`, or an address), an element
    /// (`element:…`), or else a stretch of time.
    #[must_use]
    pub fn parse(text: &str) -> Like {
        let text = text.trim();
        if let Ok(seq) = text.parse() {
            return Like::Seq(seq);
        }
        if let Some(host) = text.strip_prefix("host:") {
            return Like::Host(host.to_owned());
        }
        if let Some(id) = text.strip_prefix("element:") {
            return Like::Element(id.to_owned());
        }
        if text.parse::<std::net::IpAddr>().is_ok() {
            return Like::Host(text.to_owned());
        }
        if text.starts_with("1:") && !text.contains("..") && !text.contains(' ') {
            return Like::CommunityId(text.to_owned());
        }
        Like::Window(text.to_owned())
    }
}

/// What is like it; `line` reads a line of the log by its position.
///
/// # Errors
/// There is no such event, or the index refuses.
pub fn similar(
    like: &Like,
    ask: &Ask<'_>,
    sources: &Sources<'_>,
    line: &mut dyn FnMut(Position) -> Option<Vec<u8>>,
) -> Result<Answer, QueryError> {
    let (key, value) = match like {
        Like::Seq(seq) => (Key::Seq, seq.to_string()),
        Like::CommunityId(id) => (Key::CommunityId, id.clone()),
        Like::Host(host) => return similar_host(host, ask, sources),
        Like::Window(text) => return similar_window(Window::read(text, ask.now)?, ask, sources),
        Like::Element(id) => return similar_element(id, ask, sources),
    };
    let missing = || QueryError::NoEvent(value.clone());
    let one = Understanding {
        parts: vec![Part::must(key.clone(), [value.clone()])],
        ..Understanding::default()
    };
    let find = Ask { limit: 1, also: Vec::new(), ..ask.clone() };
    let found = search(one, &find, sources, None)?;
    let start = found.hits.first().ok_or_else(missing)?;
    let shape = start.shape;
    let vector = vector_of(sources, shape);
    let mut parts = Vec::new();
    if let Some(bytes) = line(start.position)
        && let Ok(view) = View::parse(&bytes)
    {
        parts = features(&view);
    }
    parts.push(Part::of(Mode::MustNot, key, [value]));
    parts.extend(ask.also.iter().cloned());
    parts.push(Part::of(Mode::Prefer, Key::Shape, [format!("{:016x}", shape.0)]));
    search(Understanding { parts, ..Understanding::default() }, ask, sources, vector.as_ref())
}

fn vector_of(sources: &Sources<'_>, shape: ShapeId) -> Option<ghost_event::Vector> {
    let all: [Option<&dyn Index>; 2] = [sources.tail, Some(sources.index)];
    all.into_iter().flatten().find_map(|i| i.shapes().get(shape)).map(|s| s.vector.clone())
}

/// What the event itself says, as preferences.
fn features(view: &View<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut prefer = |key: Key, value: &str, weight: f32| {
        if !value.is_empty() {
            parts.push(Part { weight, ..Part::of(Mode::Prefer, key, [value.to_owned()]) });
        }
    };
    for behaviour in view.ghost.behaviours.names() {
        prefer(Key::Behaviour, behaviour, 0.5);
    }
    prefer(Key::App, view.app_proto.as_deref().unwrap_or_default(), 0.3);
    prefer(Key::Brand, &view.ghost.brand, 0.3);
    prefer(Key::Category, &view.ghost.category, 0.1);
    if let Some(port) = view.dest_port.filter(|p| *p != 0) {
        prefer(Key::DstPort, &port.to_string(), 0.15);
    }
    for path in ["tls.sni", "dns.rrname", "dns.queries.rrname", "http.hostname"] {
        if let Some(name) = view.name(path) {
            prefer(Key::Name, name, 0.2);
            break;
        }
    }
    parts
}
