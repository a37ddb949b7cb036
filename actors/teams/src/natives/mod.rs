//! The kinds of agents that are built in.
//!
//! Each of them answers whatever it is sent with what it shows of itself, but for [`echo`], which answers with what it
//! was sent. What they send is tried once: a receiver that is missing or full is counted and shown, and holds nobody up.

mod changes;
mod daily;
mod echo;
mod file_watch;
mod health;
mod http_check;
mod load;
mod look;
mod lookup;
mod outgoing;
mod pace;
mod response;
mod target;
mod timer;
mod trips;

#[cfg(test)]
mod stage;

use std::sync::Arc;

use serde_json::Value;
use triarch_supervision::Agent;

use crate::kind::Kinds;
use crate::places::Places;
use crate::post::{Post, PostOffice};

/// All kinds that are built in; `office` makes out what they send, and their paths are seen from `places`.
pub fn natives(office: Arc<PostOffice>, places: Places) -> Kinds {
    Kinds::new()
        .with(echo::Echoes)
        .with(timer::Timers::new(Arc::clone(&office)))
        .with(load::Loads::new(Arc::clone(&office)))
        .with(http_check::HttpChecks::new(Arc::clone(&office)))
        .with(file_watch::FileWatches::new(office, places))
}

/// Answers a post with what the agent shows of itself.
fn show(agent: &impl Agent, post: Post) {
    post.receipt.done(agent.state().unwrap_or(Value::Null));
}
