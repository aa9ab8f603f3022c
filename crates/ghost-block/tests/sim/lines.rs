//! Bodies of made-up events.

use ghost_event::line::{ShapeLine, shape_body};
use ghost_event::{Priority, ShapeId, Tier, Vector};
use ghost_world::Random;

pub const SHAPES: u64 = 6;
pub const ELEMENTS: [(&str, &str); 4] = [
    ("bridge", "bridge:br0"),
    ("port", "port:veth1"),
    ("port", "port:tap2"),
    ("unit", "unit:nginx"),
];

/// Event number `n`; its text says so.
pub fn event(random: &mut Random, n: u64) -> Vec<u8> {
    // Some are longer than a sector, so that a line can lose its middle and keep both ends.
    let most = if random.one_in(10) { 2500 } else { 200 };
    let pad = "x".repeat(random.index(most));
    format!(
        "{{\"timestamp\":\"2026-11-20T05:56:{:02}.000000+0000\",\"event_type\":\"flow\",\
         \"pad\":\"{pad}\",\"ghost\":{{\"v\":1,\"event\":{n}",
        n % 60
    )
    .into_bytes()
}

/// A change of an element.
pub fn change(n: u64) -> Vec<u8> {
    format!(
        "{{\"timestamp\":\"2026-11-20T05:56:{:02}.000000+0000\",\"event_type\":\"change\",\
         \"ghost\":{{\"v\":1,\"event\":{n},\"change\":{{\"action\":\"up\"}}",
        n % 60
    )
    .into_bytes()
}

pub fn shape(id: u64, tier: Tier) -> Vec<u8> {
    let value = if tier == Tier::Full { 2 } else { 1 };
    let vector = Vector { components: vec![value; 8].into(), scale: 0.1, tier };
    let mut out = Vec::new();
    let tuple = format!("app=a{id}");
    shape_body(
        &mut out,
        &ShapeLine {
            id: ShapeId(id),
            tuple: &tuple,
            text: "an app",
            glossary: 1,
            model: "m",
            vector: &vector,
        },
    );
    out
}

pub fn priority(random: &mut Random) -> Priority {
    match random.below(12) {
        0 => Priority::Critical,
        1 | 2 => Priority::High,
        3..=5 => Priority::Medium,
        _ => Priority::Low,
    }
}
