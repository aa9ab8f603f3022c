//! The shape line: a shape's text and its vector, stated once a segment.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{FORMAT_VERSION, text};
use crate::{ShapeId, Vector};

/// What a shape line says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShapeLine<'a> {
    pub id: ShapeId,
    /// The canonical tuple, `app=ssh|proto=tcp|…`.
    pub tuple: &'a str,
    /// What the glossary makes of it.
    pub text: &'a str,
    /// The glossary's version.
    pub glossary: u32,
    /// Which rows or model made the vector.
    pub model: &'a str,
    pub vector: &'a Vector,
}

/// Appends the body of a shape line. It has no timestamp: a shape is of no time.
pub fn shape_body(out: &mut Vec<u8>, shape: &ShapeLine<'_>) {
    out.reserve(1024 + shape.tuple.len() + shape.text.len());
    out.extend_from_slice(b"{\"event_type\":\"shape\",\"ghost\":{\"v\":");
    text::number(out, FORMAT_VERSION);
    text::key(out, "shape");
    out.push(b'"');
    text::hex(out, &shape.id.0.to_be_bytes());
    out.push(b'"');
    text::field(out, "tuple", shape.tuple);
    text::field(out, "text", shape.text);
    text::count(out, "glossary", u64::from(shape.glossary));
    text::key(out, "tier");
    text::number(out, shape.vector.tier as u8);
    text::field(out, "model", shape.model);
    text::key(out, "scale");
    // All digits of the number as f64, so that any reader gets the same f32 back.
    out.extend_from_slice(f64::from(finite(shape.vector.scale)).to_string().as_bytes());
    text::key(out, "vec");
    out.push(b'"');
    let bytes: Vec<u8> = shape.vector.components.iter().map(|c| c.cast_unsigned()).collect();
    let at = out.len();
    out.resize(at + bytes.len().div_ceil(3) * 4, 0);
    // The room is exact; an engine that wanted more would leave an empty vector, not a broken line.
    let used = STANDARD.encode_slice(&bytes, &mut out[at..]).unwrap_or(0);
    out.truncate(at + used);
    out.push(b'"');
}

fn finite(scale: f32) -> f32 {
    if scale.is_finite() { scale } else { 0.0 }
}
