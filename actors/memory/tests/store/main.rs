//! The room in a tree, on a simulated disk: what is acknowledged is there, whatever the disk does.
#![expect(clippy::unwrap_used, reason = "a wrong outcome ends the test")]

mod arriving;
mod bounded;
mod cuts;
mod doors;
mod durable;
mod exchange;
mod gathering;
mod guarded;
mod hostile;
mod house;
mod killed;
mod parted;
mod pressed;
mod racing;
