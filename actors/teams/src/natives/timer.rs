//! `timer`: sends a post each so often, or once a day.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use triarch_supervision::prelude::*;

use super::daily::{Daily, time_of_day};
use super::outgoing::{Outgoing, Recipients};
use super::show;
use crate::error::SettingError;
use crate::kind::{Kind, Seat};
use crate::post::{Post, PostOffice};
use crate::span::Span;

/// The shortest time between two beats: the tree's clock has no shorter one.
const EVERY_MIN: Duration = Duration::from_millis(1);

/// The settings of a `timer`: one of `every` and `at`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// Whom it writes to: paths such as `team/agent`, or `agent` for one of its own team.
    to: Vec<String>,
    /// How often it sends.
    every: Option<Span>,
    /// When it sends each day, in UTC: `HH:MM`.
    #[schemars(regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    at: Option<String>,
    /// The kind of its posts.
    #[serde(default = "tick")]
    post: String,
    /// What its posts say.
    #[serde(default)]
    body: Value,
}

fn tick() -> String {
    "tick".to_owned()
}

/// When a timer sends.
#[derive(Clone, Copy, Debug)]
enum Schedule {
    Every(Duration),
    Daily(Duration),
}

impl Settings {
    fn schedule(&self) -> Result<Schedule, SettingError> {
        match (self.every, &self.at) {
            (Some(every), None) => SettingError::unless_at_least(EVERY_MIN, "every", every).map(Schedule::Every),
            (None, Some(at)) => time_of_day(at).map(Schedule::Daily).ok_or_else(|| {
                let problem = format!("`at` has {at:?}, which is no time of the day");
                SettingError::of("at", problem, "write it as in \"07:30\"; it is in UTC")
            }),
            (Some(_), Some(_)) => Err(SettingError::of(
                "at",
                "both `every` and `at` are set",
                "set one of them",
            )),
            (None, None) => Err(SettingError::of(
                "every",
                "neither `every` nor `at` is set",
                "set one of them, such as every = \"10s\"",
            )),
        }
    }
}

/// What tells the time of the world since the epoch.
type WallClock = fn() -> Duration;

pub(super) struct Timers {
    office: Arc<PostOffice>,
    wall_clock: WallClock,
}

impl Timers {
    pub(super) fn new(office: Arc<PostOffice>) -> Self {
        Self { office, wall_clock }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a time of the day is one of the wall clock; it enters the machine as an argument"
)]
fn wall_clock() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

impl Kind for Timers {
    type Settings = Settings;
    type Agent = Timer;

    fn name(&self) -> &'static str {
        "timer"
    }

    fn about(&self) -> &'static str {
        "Sends a post each so often, or once a day."
    }

    fn spec(&self, seat: Seat<Settings>) -> Result<Spec, SettingError> {
        let Settings { to, post, body, .. } = &seat.settings;
        Ok(Spec {
            schedule: seat.settings.schedule()?,
            to: Recipients::read_some("to", to, &seat.team)?,
            post: Arc::from(post.as_str()),
            body: body.clone(),
            office: Arc::clone(&self.office),
            wall_clock: self.wall_clock,
        })
    }
}

/// What each life of a timer begins from.
#[derive(Clone)]
pub(super) struct Spec {
    schedule: Schedule,
    to: Recipients,
    post: Arc<str>,
    body: Value,
    office: Arc<PostOffice>,
    wall_clock: WallClock,
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spec")
            .field("schedule", &self.schedule)
            .finish_non_exhaustive()
    }
}

/// Sends a post each so often.
#[derive(Debug)]
pub(super) struct Timer {
    spec: Spec,
    /// Where it has a time of the day.
    daily: Option<Daily>,
    beats: u64,
    outgoing: Outgoing,
}

impl Agent for Timer {
    type Message = Post;
    type Spec = Spec;

    async fn start(spec: Spec, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let (office, me) = (Arc::clone(&spec.office), ctx.path());
        let daily = match spec.schedule {
            Schedule::Every(period) => {
                ctx.send_every(period, move || office.reminder(Arc::clone(&me), "beat"));
                None
            }
            Schedule::Daily(time) => Some(Daily::new(time, (spec.wall_clock)())),
        };
        let timer = Self {
            spec,
            daily,
            beats: 0,
            outgoing: Outgoing::default(),
        };
        timer.look_later(ctx);
        Ok(timer)
    }

    async fn handle(&mut self, post: Post, ctx: &mut Context<Self>) -> Result<(), Failure> {
        if !post.is_reminder() {
            show(self, post);
            return Ok(());
        }
        let now = self.spec.wall_clock;
        if self.daily.as_mut().is_none_or(|daily| daily.is_due(now())) {
            self.beat(ctx);
        }
        self.look_later(ctx);
        Ok(())
    }

    fn state(&self) -> Option<Value> {
        Some(json!({ "beats": self.beats, "posts": self.outgoing.shown() }))
    }
}

impl Timer {
    fn beat(&mut self, ctx: &Context<Self>) {
        self.beats += 1;
        let (tree, me) = (ctx.observer(), ctx.path());
        for to in self.spec.to.iter() {
            let (kind, body) = (Arc::clone(&self.spec.post), self.spec.body.clone());
            self.outgoing
                .send(&tree, to, self.spec.office.post(Arc::clone(&me), kind, body));
        }
    }

    fn look_later(&self, ctx: &mut Context<Self>) {
        if let Some(daily) = &self.daily {
            let reminder = self.spec.office.reminder(ctx.path(), "look");
            ctx.send_after(daily.look_after((self.spec.wall_clock)()), reminder);
        }
    }
}

#[cfg(test)]
mod tests {
    use triarch_supervision::dead_letter::DeadReason;
    use triarch_supervision::testing::World;

    use super::super::stage::{Scene, fault};
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_sends_at_each_beat() {
        World::new(1).run(async |world| {
            let clock = json!({ "name": "clock", "kind": "timer", "every": "1s", "to": ["test/ear"],
                "post": "wake", "body": { "up": true } });
            let mut scene = Scene::new(world, &json!([clock])).await;
            world.advance(3 * SECOND).await;
            assert_eq!(scene.ear.waiting(), 3);
            let post = scene.ear.expect_next().await;
            assert_eq!(
                (&*post.from, &*post.kind, post.body),
                ("team/clock", "wake", json!({ "up": true }))
            );
            scene.end().await;
        });
    }

    #[test]
    fn beats_that_were_missed_are_not_piled_up() {
        World::new(1).run(async |world| {
            let clock = json!({ "name": "clock", "kind": "timer", "every": "1s", "to": ["test/ear"] });
            let scene = Scene::new(world, &json!([clock])).await;
            scene.tree.observer().pause("team/clock").unwrap();
            world.advance(10 * SECOND).await;
            assert_eq!(scene.ear.waiting(), 0, "it is paused");
            scene.tree.observer().resume("team/clock").unwrap();
            world.settle().await;
            assert_eq!(scene.ear.waiting(), 1);
            scene.end().await;
        });
    }

    #[test]
    fn a_receiver_that_is_not_there_is_counted_and_shown_and_hinders_nobody() {
        World::new(1).run(async |world| {
            let clock = json!({ "name": "clock", "kind": "timer", "every": "1s", "to": ["ghost", "test/ear"] });
            let scene = Scene::new(world, &json!([clock])).await;
            world.advance(2 * SECOND).await;
            let state = scene.state("team/clock").await;
            assert_eq!(state["beats"], 2);
            assert_eq!(
                (&state["posts"]["sent"], &state["posts"]["refused"]),
                (&json!(2), &json!(2))
            );
            let shown = state["posts"]["last_refusal"].as_str().unwrap();
            assert!(
                shown == "cannot send to team/ghost: nobody stands there; `triarch agent list` shows who does",
                "{shown}"
            );
            assert_eq!(scene.ear.waiting(), 2);
            assert_eq!(scene.office.ended(), [1, 2, 0], "done, failed, lost");
            assert_eq!(scene.tree.observer().dead_letters().count(DeadReason::NoSuchAgent), 2);
            scene.end().await;
        });
    }

    #[test]
    fn a_full_receiver_holds_nobody_up() {
        World::new(1).run(async |world| {
            let clock = json!({ "name": "clock", "kind": "timer", "every": "1s", "to": ["deaf"] });
            let deaf = json!({ "name": "deaf", "kind": "echo", "mailbox": { "capacity": 2 } });
            let scene = Scene::new(world, &json!([clock, deaf])).await;
            scene.tree.observer().pause("team/deaf").unwrap();
            world.advance(5 * SECOND).await;
            let state = scene.state("team/clock").await;
            assert_eq!(
                (&state["posts"]["sent"], &state["posts"]["refused"]),
                (&json!(2), &json!(3))
            );
            scene.end().await;
        });
    }

    /// A wall clock that moves with the world's: the world begins a day after zero, so at midnight.
    fn paused_wall_clock() -> Duration {
        Duration::from_nanos(Moment::now().as_nanos())
    }

    fn kinds(office: &Arc<PostOffice>) -> crate::Kinds {
        crate::Kinds::new().with(Timers {
            office: Arc::clone(office),
            wall_clock: paused_wall_clock,
        })
    }

    #[test]
    fn it_sends_each_day_at_its_time() {
        World::new(1).run(async |world| {
            let clock = json!({ "name": "clock", "kind": "timer", "at": "07:30", "to": ["test/ear"] });
            let mut scene = Scene::of(world, &json!([clock]), kinds).await;
            let begun = world.now();
            scene.ear.expect_next_within(8 * 3600 * SECOND).await;
            let first = world.now().since(begun).as_secs_f64();
            assert!((first - 7.5 * 3600.0).abs() < 1.0, "{first}");
            scene.ear.expect_none_within(23 * 3600 * SECOND).await;
            scene.ear.expect_next_within(2 * 3600 * SECOND).await;
            scene.end().await;
        });
    }

    #[test]
    fn settings_that_cannot_be_followed_are_refused() {
        let key = |more: Value| {
            let mut timer = json!({ "name": "a", "kind": "timer", "to": ["b"] });
            timer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            fault(&timer).key
        };
        assert_eq!(key(json!({})).as_deref(), Some("every"));
        assert_eq!(key(json!({ "every": "0s" })).as_deref(), Some("every"));
        assert_eq!(key(json!({ "every": "1s", "at": "07:30" })).as_deref(), Some("at"));
        assert_eq!(key(json!({ "at": "7:30" })).as_deref(), Some("at"));
        assert_eq!(key(json!({ "every": "1s", "to": [] })).as_deref(), Some("to"));
        assert_eq!(key(json!({ "every": "1s", "says": 1 })).as_deref(), Some("says"));
    }
}
