//! Processes: how they begin, who belongs to them, and how all of them end.
