//! A kind of one's own that uses what agents share: it hears readings on the bus, keeps the last in the memory, and submits
//! a task where one is too hot. Describe a team with `kind = "guard"`, then
//! `own_agent_shares bus publish plant.pump '{"celsius":93}'` and `own_agent_shares memory get shared last`.

use std::process::ExitCode;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use triarch::memory::{Key, Put};
use triarch::prelude::*;
use triarch::teams::{Kind, Post, Seat, SettingError};
use triarch::{Events, Runtime, Share, Shares};

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Above so many degrees somebody has to look.
    limit: f64,
}

/// Keeps the shares for its agents: there is nothing in them before the runtime has begun.
struct Guards(Shares);

impl Kind for Guards {
    type Settings = Settings;
    type Agent = Guard;

    fn name(&self) -> &'static str {
        "guard"
    }

    fn about(&self) -> &'static str {
        "Hears readings, keeps the last, and has somebody look at what is too hot."
    }

    fn spec(&self, seat: Seat<Settings>) -> Result<(Shares, f64), SettingError> {
        Ok((self.0.clone(), seat.settings.limit))
    }
}

struct Guard {
    share: Share,
    limit: f64,
}

impl Agent for Guard {
    type Message = Post;
    type Spec = (Shares, f64);

    async fn start((shares, limit): Self::Spec, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let share = shares.of(&ctx.path())?;
        share.hear(Events::of("plant.*"))?;
        Ok(Self { share, limit })
    }

    async fn handle(&mut self, post: Post, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        if let Some(celsius) = post.body["body"]["celsius"].as_f64() {
            let last = Put::new(Key::new("last")?, json!(celsius).into());
            self.share.memory.open("shared")?.put(last).await?;
            if celsius > self.limit {
                let task = json!({ "kind": "look", "needs": ["eyes"], "body": celsius });
                self.share.tasks.submit(vec![serde_json::from_value(task)?]).await?;
            }
        }
        post.receipt.done(Value::Null);
        Ok(())
    }
}

fn main() -> ExitCode {
    let runtime = Runtime::new();
    let guards = Guards(runtime.shares());
    runtime.kind(guards).main()
}
