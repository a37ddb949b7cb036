//! Programs as agents: real interpreters, real pipes, real ends.
#![forbid(unsafe_code)]

#[cfg(test)]
mod again;
#[cfg(test)]
mod ends;
#[cfg(test)]
mod exec;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod garbage;
#[cfg(test)]
mod leaving;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod pressure;
#[cfg(test)]
mod reasons;
#[cfg(test)]
mod talk;
#[cfg(test)]
mod wishes;
