//! Events like one event: of the nearest shapes, and of the same application, behaviours and ports.

use ghost_event::line::View;
use ghost_event::{Seq, ShapeId};
use ghost_index::{Index, Position};

use crate::answer::{Answer, Ask, Sources, search};
use crate::error::QueryError;
use crate::filter::{Key, Mode, Part};
use crate::understand::Understanding;

/// The event to start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Like {
    Seq(Seq),
    CommunityId(String),
}

impl Like {
    /// A sequence number, or else a Community ID.
    #[must_use]
    pub fn parse(text: &str) -> Like {
        text.parse().map_or_else(|_| Like::CommunityId(text.to_owned()), Like::Seq)
    }
}

/// What is like the event; `line` reads a line of the log by its position.
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
    };
    let missing = || QueryError::NoEvent(value.clone());
    let one =
        Understanding { parts: vec![Part::must(key, [value.clone()])], ..Understanding::default() };
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
    let not_itself = match like {
        Like::Seq(seq) => Part::of(Mode::MustNot, Key::Seq, [seq.to_string()]),
        Like::CommunityId(id) => Part::of(Mode::MustNot, Key::CommunityId, [id.clone()]),
    };
    parts.push(not_itself);
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
