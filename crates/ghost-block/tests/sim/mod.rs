//! One history of a log and its blocks, told by a seed: what it did, what went wrong on the way,
//! and what must hold whatever went wrong.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

pub mod forge;
pub mod history;
pub mod known;
pub mod lines;

/// What a broken promise says of itself.
pub type Told<T = ()> = Result<T, String>;

/// Ends the history with a sentence where something does not hold.
macro_rules! hold {
    ($holds:expr, $($story:tt)+) => {
        if !$holds {
            return Err(format!($($story)+));
        }
    };
}
pub(crate) use hold;
