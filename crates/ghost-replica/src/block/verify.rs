//! Whether a received subvolume is what its checkpoint says.
