//! The command line: a door to the operations, and the verbs that need no runtime.

mod line;
mod screen;
mod show;
mod table;
