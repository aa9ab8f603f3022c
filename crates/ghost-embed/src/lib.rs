//! Features or text to shapes and vectors: glossary, field rows, models.
//!
//! In the order of the data: a [`ShapeCache`] calls each flow, and each packet, by the id of its
//! [`Shape`]; the
//! [`Glossary`] says a shape in words; [`FieldRows`] give it a vector at once, near to the one
//! that the full [`Model`] gives its text, and the [`Refiner`] lets the model do so in the
//! background. [`FreeText`] gives any text a vector without the model; [`QueryEncoder`] turns a
//! question into one with it.
//!
//! **Invariant:** nothing here reads a clock or an environment variable, nothing but
//! [`Model::load`] reads a file, and shapes and texts hold no address and no host name.

mod cache;
pub mod fit;
mod freetext;
pub mod glossary;
mod intern;
mod kernel;
pub mod limits;
mod model;
mod packet;
mod profile;
mod query;
mod refiner;
mod rows;
mod shape;
mod wordpiece;

pub use cache::{Seen, ShapeCache};
pub use freetext::FreeText;
pub use glossary::{GLOSSARY_VERSION, Glossary};
pub use model::{Embed, Model, ModelError, default_model_dirs, find_model_dir};
pub use packet::{Act, Fill, Look, PacketFacts};
pub use profile::Profile;
pub use query::{Encoded, QueryEncoder};
pub use refiner::{Clock, Refined, Refiner, RefinerCounters};
pub use rows::FieldRows;
pub use shape::{Course, Shape, Size, Transport};
pub use wordpiece::WordPiece;
