//! `echo`: answers each post with its body.

use std::num::NonZeroU64;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use triarch_supervision::prelude::*;

use crate::error::SettingError;
use crate::kind::{Kind, Seat};
use crate::post::Post;
use crate::span::Span;

/// The settings of an `echo`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// How long it takes over each post.
    delay: Option<Span>,
    /// It fails at each post of this number, and is started again: to watch supervision at work.
    fail_every: Option<NonZeroU64>,
}

pub(super) struct Echoes;

impl Kind for Echoes {
    type Settings = Settings;
    type Agent = Echo;

    fn name(&self) -> &'static str {
        "echo"
    }

    fn about(&self) -> &'static str {
        "Answers each post with its body."
    }

    fn spec(&self, seat: Seat<Settings>) -> Result<Settings, SettingError> {
        let Settings { delay, .. } = seat.settings;
        if delay.is_some_and(|delay| delay >= seat.rules.shutdown) {
            return Err(SettingError::of(
                "delay",
                "`delay` is not shorter than `shutdown`, so a post in hand would not be finished at a stop",
                "shorten `delay`, or give it a longer `shutdown`",
            ));
        }
        Ok(seat.settings)
    }
}

/// Answers each post with its body.
#[derive(Debug)]
pub(super) struct Echo {
    settings: Settings,
    taken: u64,
    answered: u64,
    expired: u64,
}

impl Agent for Echo {
    type Message = Post;
    type Spec = Settings;

    async fn start(settings: Settings, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self {
            settings,
            taken: 0,
            answered: 0,
            expired: 0,
        })
    }

    async fn handle(&mut self, post: Post, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.taken += 1;
        if post.deadline.is_some_and(|deadline| deadline < Moment::now()) {
            self.expired += 1;
            post.receipt.failed("its deadline had passed when it came");
            return Ok(());
        }
        if let Some(every) = self.settings.fail_every
            && self.taken.is_multiple_of(every.get())
        {
            return Err(Failure::new(format!("it fails at each post of number {every}, as set")));
        }
        if let Some(delay) = self.settings.delay {
            tokio::time::sleep(delay.0).await;
        }
        self.answered += 1;
        post.receipt.done(post.body);
        Ok(())
    }

    fn state(&self) -> Option<Value> {
        Some(json!({ "taken": self.taken, "answered": self.answered, "expired": self.expired }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use triarch_supervision::testing::World;

    use super::super::stage::{Scene, fault};
    use super::*;
    use crate::error::TeamError;
    use crate::receipt::Stage;

    #[test]
    fn it_answers_with_what_it_was_sent_after_its_delay() {
        World::new(1).run(async |world| {
            let scene = Scene::new(world, &json!([{ "name": "a", "kind": "echo", "delay": "250ms" }])).await;
            let asked = world.now();
            assert_eq!(scene.ask("team/a", json!([7])).await, Stage::Done(json!([7])));
            assert_eq!(world.now().since(asked), Duration::from_millis(250));
            scene.end().await;
        });
    }

    #[test]
    fn each_post_of_the_number_crashes_it_and_is_lost() {
        World::new(1).run(async |world| {
            let scene = Scene::new(world, &json!([{ "name": "a", "kind": "echo", "fail_every": 3 }])).await;
            let mut ends = Vec::new();
            for _ in 0..7 {
                ends.push(scene.ask("team/a", Value::Null).await.label());
            }
            assert_eq!(ends, ["done", "done", "lost", "done", "done", "lost", "done"]);
            assert_eq!(scene.tree.observer().node("team/a").unwrap().restarts, 2);
            scene.end().await;
        });
    }

    #[test]
    fn what_comes_after_its_deadline_is_not_done() {
        World::new(1).run(async |world| {
            let scene = Scene::new(world, &json!([{ "name": "a", "kind": "echo" }])).await;
            let (post, stages) = scene.office.registered("me", "late", json!(1));
            let post = post.before(world.now() - Duration::from_millis(1));
            scene.tree.observer().send_to("team/a", post).await.unwrap();
            world.settle().await;
            let last = stages.drain().last().unwrap().1;
            assert_eq!(last.label(), "failed");
            scene.end().await;
        });
    }

    #[test]
    fn what_is_wrong_with_a_setting_names_its_key() {
        let told = |settings: Value| TeamError::Setting {
            team: "t".to_owned(),
            agent: "a".to_owned(),
            fault: fault(&settings),
        };
        let number = told(json!({ "name": "a", "kind": "echo", "delay": 5 })).to_string();
        assert!(
            number.starts_with("agent t/a: `delay`: invalid type: integer `5`"),
            "{number}"
        );
        let dotted = told(json!({ "name": "a", "kind": "echo", "limits.wall": "1s" })).to_string();
        assert!(dotted.starts_with("agent t/a: unknown field `limits.wall`"), "{dotted}");
        assert!(
            dotted.ends_with("; set `limits` to a table that has `wall`, as in limits={\"wall\":…}"),
            "{dotted}"
        );
    }

    #[test]
    fn settings_that_cannot_be_followed_are_refused() {
        let slow = fault(&json!({ "name": "a", "kind": "echo", "delay": "5s" }));
        assert_eq!(slow.key.as_deref(), Some("delay"));
        let never = fault(&json!({ "name": "a", "kind": "echo", "fail_every": 0 }));
        assert!(never.problem.contains("nonzero"), "{never}");
    }
}
