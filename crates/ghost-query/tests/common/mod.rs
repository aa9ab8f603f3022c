//! A moment, a tag, and an encoder that tells words apart: what every test of questions starts from.
#![allow(dead_code, reason = "each test takes what it needs")]

use ghost_event::{Tier, VECTOR_DIMENSIONS, Vector};
use ghost_query::{Encode, Meant, Tags};
use jiff::Zoned;

pub(crate) fn now() -> Zoned {
    "2026-11-20T10:30:00+00:00[UTC]".parse().unwrap()
}

pub(crate) fn tags() -> Tags {
    Tags::new([("production".to_owned(), vec!["10.9.0.0/16".to_owned()])])
}

/// Words to one of a few directions: enough to tell shapes apart.
pub(crate) struct Words;

pub(crate) fn direction(text: &str) -> Vector {
    let mut values = [0.01_f32; VECTOR_DIMENSIONS];
    for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()) {
        let at = word.bytes().fold(7_usize, |h, b| (h * 31 + usize::from(b)) % VECTOR_DIMENSIONS);
        values[at] += 1.0;
    }
    Vector::quantise(&values, Tier::Full)
}

impl Encode for Words {
    fn encode(&mut self, words: &str) -> Meant {
        Meant { vector: direction(words), by_model: true, trouble: None }
    }
}
