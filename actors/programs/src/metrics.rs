//! What the room counts.
