//! Words or an example to an answer: understanding, search, ranking, reasons.
//!
//! [`understand`] makes conditions, preferences and a rest of meaning out of words; [`answer`] asks
//! the index once and explains each hit; [`similar`] starts from an event instead of words. What was
//! understood is printed in the filter language ([`KEYS`]), to be edited and asked again.
//!
//! **Invariant:** no question reads a clock (now is an argument), a line of the log is read only
//! through the caller's closure, and where a capture's file lay takes no part in any answer.

mod aggregate;
mod amount;
mod anchor;
mod answer;
mod compare;
mod concepts;
mod count;
mod counting;
mod direction;
mod error;
mod explain;
mod filter;
mod group;
mod lexical;
mod lexicon;
mod library;
pub mod limits;
mod literal;
mod negation;
mod pattern;
mod rows;
mod similar;
mod similar_element;
mod similar_host;
mod similar_window;
mod space;
mod table;
mod tags;
mod time;
mod trend;
mod understand;
mod units;
mod window;
mod words;

pub use aggregate::{AMOUNTS, Aggregate, Amount, COUNTING, DIMENSIONS, Dimension};
pub use anchor::{Anchor, Side};
pub use answer::{
    Answer, Ask, Encode, Hit, MEANING_WEIGHT, MEANING_WEIGHT_ALONE, Meant, Searched, Sources,
    WITHOUT_MODEL, answer, list, search,
};
pub use compare::compare;
pub use error::QueryError;
pub use explain::ScorePart;
pub use filter::{Filter, KEYS, Key, Mode, Part};
pub use pattern::{PatternAsk, patterns};
pub use similar::{Like, similar};
pub use table::{Cell, Column, Table, Unit};
pub use tags::Tags;
pub use understand::{Understanding, understand};
