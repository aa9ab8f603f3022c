//! What the tests share: a log in memory that is as honest as the real one, and both sides of a
//! connection as a daemon would run them.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod log;
pub(crate) mod primary;
pub(crate) mod replica;
pub(crate) mod world;
