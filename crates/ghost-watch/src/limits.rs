//! Every limit, with its reason.

/// Bytes kept of one message: what a journal keeps of a line before it splits it (systemd's
/// LineMax is 48 KiB) is more than anybody reads; a stack trace's first lines tell.
pub const MESSAGE_BYTES_MAX: usize = 4096;

/// Bytes kept of a host's, program's or unit's name: what systemd allows for a unit.
pub(crate) const NAME_BYTES_MAX: usize = 256;

/// Lines joined to the record before them: a stack trace, the arguments of a D-Bus message.
pub(crate) const CONTINUED_LINES_MAX: usize = 64;
