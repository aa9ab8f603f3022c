//! Features over windows to behaviours, roles, zones and brands.
//!
//! A [`Detector`] hears of every flow when it starts, of every field while it runs and once when
//! it ends; then it sets what the flow looked like it was doing ([`ghost_event::Behaviours`]),
//! who took part ([`ghost_event::Party`]), whose service it was ([`brand`]) and what kind
//! ([`category`]). An [`anomaly::Scorer`] says how unlike everything before each flow is. How
//! each of them decides, and how well, is in `docs/detectors.md`.
//!
//! **Invariant:** a behaviour is a closed word; no address, name or number enters it.
//!
//! **Invariant:** nothing here reads a clock or grows without bound: every table has a limit in
//! [`Limits`] and forgets its oldest entry first.

pub mod anomaly;
mod beacon;
mod bounded;
pub mod brand;
mod brute;
pub mod category;
mod certificate;
mod detector;
mod domains;
mod facts;
mod flood;
mod folded;
mod generated;
mod habits;
mod known;
mod limits;
mod role;
mod scan;
mod shell;
mod spoof;
mod web;
mod windows;
mod zone;

pub use detector::Detector;
pub use limits::Limits;
pub use zone::zone;
