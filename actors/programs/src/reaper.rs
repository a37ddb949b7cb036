//! Level 3: the agent that lays to rest what nobody waits for: once what an earlier runtime left behind, and now and then
//! what programs of this one leave. It also forgets those that have left long ago.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use triarch_supervision::name::without_part;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::{Level, Observer};

use crate::metrics::Metrics;
use crate::records::Records;
use crate::sys::{self, Owner, Survey};

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Of so many agents that have left the tree it is known how they ended.
const GONE_KEPT: usize = 200;

/// What each incarnation starts from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) owner: Owner,
    pub(crate) metrics: Metrics,
    pub(crate) records: Records,
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
    records: Records,
}

impl Agent for Reaper {
    type Message = Look;
    type Spec = Settings;

    async fn start(settings: Settings, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        ctx.send_in_step(LOOK_EVERY, || Look);
        let Settings {
            owner,
            metrics,
            records,
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
            records,
        })
    }

    async fn handle(&mut self, _: Look, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.records.forget_gone(GONE_KEPT, || agents(&ctx.observer()));
        self.buried += tokio::task::spawn_blocking(sys::bury_orphans).await?;
        Ok(())
    }

    fn state(&self) -> Option<Value> {
        Some(json!({ "leftovers": self.leftovers, "buried": self.buried }))
    }
}

/// The agents that are there, by their paths.
fn agents(tree: &Observer) -> BTreeSet<String> {
    let nodes = tree.snapshot().into_iter();
    let agents = nodes.filter(|node| node.level == Level::Agent);
    agents.map(|node| without_part(&node.path).into_owned()).collect()
}
