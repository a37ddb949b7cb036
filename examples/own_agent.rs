//! A kind of agent of one's own, in a binary that has the whole command line: describe a team with `kind = "greeter"` and run
//! `own_agent up`, then `own_agent agent ask NAME '"world"'`.

use std::process::ExitCode;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use triarch::Runtime;
use triarch::prelude::*;
use triarch::teams::{Kind, Post, Seat, SettingError};

/// What a description may set.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// How it greets.
    greeting: String,
}

struct Greeters;

impl Kind for Greeters {
    type Settings = Settings;
    type Agent = Greeter;

    fn name(&self) -> &'static str {
        "greeter"
    }

    fn about(&self) -> &'static str {
        "Greets whoever is named in a post."
    }

    fn spec(&self, seat: Seat<Settings>) -> Result<String, SettingError> {
        Ok(seat.settings.greeting)
    }
}

struct Greeter(String);

impl Agent for Greeter {
    type Message = Post;
    type Spec = String;

    async fn start(greeting: String, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(greeting))
    }

    async fn handle(&mut self, post: Post, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        let name = post.body.as_str().unwrap_or("you").to_owned();
        post.receipt.done(json!(format!("{}, {name}!", self.0)));
        Ok(())
    }
}

pub(crate) fn main() -> ExitCode {
    Runtime::new().kind(Greeters).main()
}
