//! How real actors behave: one test per sentence of what the crate promises.
#![forbid(unsafe_code)]

#[cfg(test)]
mod agent_life;
#[cfg(test)]
mod agents;
#[cfg(test)]
mod patience;

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod attending;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod batches;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod cancelling;
#[cfg(test)]
mod circles;
#[cfg(test)]
mod corners;
#[cfg(test)]
mod emptying;
#[cfg(test)]
mod growing;
#[cfg(test)]
mod observing;
#[cfg(test)]
mod order;
#[cfg(test)]
mod outliving;
#[cfg(test)]
mod parts;
#[cfg(test)]
mod pausing;
#[cfg(test)]
mod questions;
#[cfg(test)]
mod quiet;
#[cfg(test)]
mod redelivery;
#[cfg(test)]
mod remembering;
#[cfg(test)]
mod restarts;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod storms;
#[cfg(test)]
mod survival;
#[cfg(test)]
mod telling;
#[cfg(test)]
mod together;
#[cfg(test)]
mod turns;
