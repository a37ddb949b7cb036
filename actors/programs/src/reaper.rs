//! Level 3: the agent that lays to rest what nobody waits for: once what an earlier runtime left behind, and now and then
//! what programs of this one leave.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use triarch_supervision::prelude::*;

use crate::metrics::Metrics;
use crate::sys::{self, Owner, Survey};

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What each incarnation starts from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) owner: Owner,
    pub(crate) metrics: Metrics,
    /// Set once: what begins later is not left over.
    pub(crate) leftovers: Arc<OnceLock<Survey>>,
}

/// See who is to be laid to rest.
#[derive(Debug)]
pub(crate) struct Look;

impl Message for Look {
    const OVERFLOW: Overflow = Overflow::Reject;
}

/// Lays processes to rest.
#[derive(Debug)]
pub(crate) struct Reaper {
    leftovers: Survey,
    buried: usize,
}

impl Agent for Reaper {
    type Message = Look;
    type Spec = Settings;

    async fn start(settings: Settings, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        ctx.send_in_step(LOOK_EVERY, || Look);
        let Settings {
            owner,
            metrics,
            leftovers,
        } = settings;
        let reap = move || {
            *leftovers.get_or_init(|| {
                let survey = sys::reap_leftovers(&owner);
                metrics.survivors.add(survey.survivors as u64);
                survey
            })
        };
        Ok(Self {
            leftovers: tokio::task::spawn_blocking(reap).await?,
            buried: 0,
        })
    }

    async fn handle(&mut self, _: Look, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.buried += tokio::task::spawn_blocking(sys::bury_orphans).await?;
        Ok(())
    }

    fn state(&self) -> Option<Value> {
        Some(json!({ "leftovers": self.leftovers, "buried": self.buried }))
    }
}
