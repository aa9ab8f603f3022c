//! Frames in: capture files told by content, streamed in bounded memory.
