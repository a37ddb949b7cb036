//! What may be set, its meaning and its default.
