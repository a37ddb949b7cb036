//! What programs and agents of own kinds wish for beyond posts, and who of the runtime does it.
//!
//! ```text
//!   {"type":"submit","id":"mine-1","kind":"build","body":…} ──▶ RoomServices ──▶ the room's handle
//!   {"type":"submit","id":"mine-1","ok":true,"result":…}    ◀──
//! ```

mod auditor;
mod bus;
mod courier;
mod herald;
mod memory;
mod rounds;
mod sheaf;
mod strays;
mod tasks;
mod terms;
mod watches;

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use serde_json::{Map, Value};
use triarch_bus::Bus;
use triarch_memory::Client;
use triarch_programs::{Fulfilling, Services};
use triarch_work::TaskAddress;

use crate::fleet::Ground;
use crate::operations::Trouble;
pub(crate) use auditor::{Auditor, Books};
pub(crate) use bus::{Wish, hear, hear_no_more};
pub(crate) use courier::Courier;
pub(crate) use herald::{Beat, Herald};
pub(crate) use rounds::Rounds;
pub(crate) use watches::{Lookout, Watches};

/// The rooms that do something for programs.
#[derive(Clone)]
pub(crate) struct Rooms {
    pub(crate) bus: Bus,
    /// What programs have subscribed to.
    pub(crate) rounds: Rounds,
    /// The store, in the name of the runtime.
    pub(crate) memory: Client,
    /// Where programs watch it.
    pub(crate) watches: Watches,
    pub(crate) tasks: TaskAddress,
    /// Where it is asked who takes tasks.
    pub(crate) ground: Weak<Ground>,
}

/// Hands what programs wish for to the rooms, once those are there.
#[derive(Default)]
pub(crate) struct RoomServices(OnceLock<Rooms>);

impl fmt::Debug for RoomServices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoomServices").finish_non_exhaustive()
    }
}

impl RoomServices {
    /// The rooms are there: before the first program is.
    pub(crate) fn open(&self, rooms: Rooms) {
        let _first = self.0.set(rooms);
    }

    /// The rooms, once they are there.
    pub(crate) fn rooms(&self) -> Option<&Rooms> {
        self.0.get()
    }

    /// An agent is gone for good, or makes way for another of its path, which has asked for nothing that it heard.
    pub(crate) fn gone(&self, agent: &str) {
        if let Some(rooms) = self.0.get() {
            rooms.rounds.end_all(&Arc::from(agent));
        }
    }

    /// So are all agents of a team.
    pub(crate) fn team_gone(&self, team: &str) {
        if let Some(rooms) = self.0.get() {
            rooms.rounds.end_all_of_team(team);
        }
    }
}

impl Services for RoomServices {
    fn fulfil(&self, agent: &Arc<str>, service: &'static str, what: Map<String, Value>) -> Fulfilling {
        let Some(rooms) = self.0.get().cloned() else {
            return Box::pin(async move { Err(format!("there is nobody for {service} yet; ask again in a moment")) });
        };
        let agent = Arc::clone(agent);
        Box::pin(async move {
            let done = match service {
                "publish" => bus::publish(&rooms, &agent, what).await,
                "request" => bus::request(&rooms, &agent, what).await,
                "subscribe" => bus::subscribe(&rooms, &agent, what),
                "unsubscribe" => bus::unsubscribe(&rooms, &agent, what),
                "memory" => memory::perform(&rooms, &agent, what).await,
                "submit" => tasks::submit(&rooms, what).await,
                other => Err(Trouble::failed(format!("there is nobody for {other} here"))),
            };
            done.map_err(|trouble| trouble.told())
        })
    }

    fn ended(&self, agent: &Arc<str>) {
        if let Some(rooms) = self.0.get() {
            rooms.rounds.end_all(agent);
            rooms.watches.end_all(agent);
        }
    }
}
