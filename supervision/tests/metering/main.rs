//! What real trees count: after a known script the readings are exactly what happened.
#![forbid(unsafe_code)]

#[cfg(test)]
mod kit;

#[cfg(test)]
mod messages;
#[cfg(test)]
mod supervisors;
