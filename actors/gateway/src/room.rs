//! Level 2: the children of the room in their order, and what follows when one ends.
//!
//! ```text
//! gateway          one_for_one: the doors need nothing of each other
//! ├─ socket        permanent
//! ├─ http          permanent, where it is served
//! ├─ socket-1      temporary: one connection each, started by its door
//! └─ http-2 …
//! ```

use std::time::Duration;

use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;
use triarch_telemetry::Exposition;

use crate::doors::Doors;
use crate::error::Error;
use crate::guests::Guests;
use crate::http::{self, Hosts, Http};
use crate::metrics::{Door, Metrics};
use crate::operation::{Operations, Performer};
use crate::reserve::Reserve;
use crate::socket::{self, Socket};

/// How the paths of connections begin. They come and go by the thousand, so the lifecycle log does not tell of each: see
/// `passers_by` of its limits.
pub const CONNECTIONS: &[&str] = &["gateway/socket-", "gateway/http-"];

/// The room, to be a child of a root that counts with the instruments of `exposition`. Operations asked for at the doors are
/// performed by `operations`.
pub fn room(doors: Doors, exposition: &Exposition, operations: impl Operations) -> Result<Supervisor, Error> {
    let instruments: &Instruments = exposition.instruments();
    let room = Supervisor::named("gateway")
        .strategy(Strategy::OneForOne)
        .intensity(Intensity::new(5, Duration::from_mins(1)))
        .backoff(Backoff::exponential(
            Duration::from_millis(100),
            Duration::from_secs(10),
        ));
    let metrics = Metrics::new(instruments, exposition, Door::Socket)?;
    let reserve = Reserve::default();
    let socket = socket::Settings {
        reserve: reserve.clone(),
        door: doors.socket,
        guests: Guests::new(doors.bounds.socket, socket::LIMITS, metrics),
        performer: Performer::new(operations),
    };
    let room = room.child(Child::of::<Socket>("socket", socket).capacity(1));
    let metrics = Metrics::new(instruments, exposition, Door::Http)?;
    let Some(door) = doors.http else { return Ok(room) };
    let http = http::Settings {
        reserve,
        hosts: Hosts::of(door.address, &doors.config.hosts),
        listener: door.listener,
        guests: Guests::new(doors.bounds.http, http::LIMITS, metrics),
        exposition: exposition.clone(),
    };
    Ok(room.child(Child::of::<Http>("http", http).capacity(1)))
}
