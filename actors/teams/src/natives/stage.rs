//! What the tests of native kinds share: a team in a world of its own, and a probe that hears what it sends.

use std::sync::Arc;

use serde_json::{Value, json};
use triarch_supervision::prelude::*;
use triarch_supervision::testing::{Probe, World};

use super::natives;
use crate::TeamError;
use crate::config::TeamConfig;
use crate::error::SettingError;
use crate::kind::Kinds;
use crate::places::Places;
use crate::post::tests::office;
use crate::post::{Post, PostOffice};
use crate::receipt::Stage;
use crate::room::{members, room};

pub(super) struct Scene {
    pub(super) office: Arc<PostOffice>,
    pub(super) tree: Tree,
    /// The agent `test/ear`.
    pub(super) ear: Probe<Post>,
}

fn kinds(office: &Arc<PostOffice>) -> Kinds {
    natives(Arc::clone(office), Places::seen_from("."))
}

fn team(agents: &Value) -> TeamConfig {
    serde_json::from_value(json!({ "name": "team", "agent": agents })).unwrap()
}

/// Why the settings of an agent are refused.
pub(super) fn fault(agent: &Value) -> SettingError {
    let fault = members(&team(&json!([agent])), &kinds(&Arc::new(office(1)))).unwrap_err();
    match fault {
        TeamError::Setting { fault, .. } => fault,
        other => panic!("{other}"),
    }
}

impl Scene {
    /// A team of `agents` beside an ear.
    pub(super) async fn new(world: &World, agents: &Value) -> Self {
        Self::of(world, agents, kinds).await
    }

    /// As [`Scene::new`], with other kinds.
    pub(super) async fn of(world: &World, agents: &Value, kinds: impl FnOnce(&Arc<PostOffice>) -> Kinds) -> Self {
        let office = Arc::new(office(1));
        let (ear, probe) = Probe::child("ear");
        let team = room(&team(agents), &kinds(&office), 10).unwrap();
        let root = Root::new()
            .supervisor(Supervisor::named("test").child(ear))
            .supervisor(team);
        Self {
            office,
            tree: world.start(root).await.unwrap(),
            ear: probe,
        }
    }

    /// What becomes of a post to `path` in the end.
    pub(super) async fn ask(&self, path: &str, body: Value) -> Stage {
        let (post, stages) = self.office.registered("me", "ask", body);
        self.tree.observer().send_to(path, post).await.unwrap();
        loop {
            let (_, stage) = stages.recv_async().await.unwrap();
            if stage.is_last() {
                return stage;
            }
        }
    }

    /// What the agent at `path` shows of itself.
    pub(super) async fn state(&self, path: &str) -> Value {
        match self.ask(path, Value::Null).await {
            Stage::Done(state) => state,
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn end(self) {
        assert!(self.tree.stop().await.is_orderly());
    }
}
