//! Tasks of this repository, through their room: an agent that decides by its machine, and a scribe that writes.

pub(crate) mod cycle;
mod house;
mod unsynced;
pub(crate) mod waiting;
