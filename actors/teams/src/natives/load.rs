//! `load`: sends posts at an even rate, and hears what becomes of them.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Observer;

use super::outgoing::{Outgoing, Recipients};
use super::pace::Pace;
use super::show;
use super::trips::Trips;
use crate::error::SettingError;
use crate::kind::{Kind, Seat};
use crate::post::{Post, PostOffice};
use crate::receipt::{STAGES_MAX, StageSender, Stages};
use crate::span::Span;

const RATES: std::ops::RangeInclusive<f64> = 0.001..=100_000.0;
const UNDER_WAY_MAX: usize = 100_000;
/// The most that are made up for at once where nothing else is set.
const BURST_MAX: u64 = 1_000;
/// The tree's clock has no shorter step: above a thousand in a second several are sent at once.
const STEP: Duration = Duration::from_millis(1);

/// The settings of a `load`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// Whom it writes to, in turn: paths such as `team/agent`, or `agent` for one of its own team.
    to: Vec<String>,
    /// How many posts it sends in a second.
    #[schemars(range(min = *RATES.start(), max = *RATES.end()))]
    rate: f64,
    /// How many it sends at once at most, where it is late; what is later than that is skipped. A tenth of a second's
    /// posts where nothing is said, no more than 1,000.
    burst: Option<NonZeroU32>,
    /// How many may be on their way at once: sent, and not heard of yet.
    #[serde(default = "under_way")]
    #[schemars(range(min = 1, max = UNDER_WAY_MAX))]
    under_way: NonZeroU32,
    /// How long a post may take: its deadline. What is not heard of until then is given up.
    #[serde(default = "within")]
    within: Span,
    /// The kind of its posts.
    #[serde(default = "work")]
    post: String,
    /// What its posts say.
    #[serde(default)]
    body: Value,
}

fn under_way() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(999)
}

fn within() -> Span {
    Span(Duration::from_secs(10))
}

fn work() -> String {
    "work".to_owned()
}

pub(super) struct Loads {
    office: Arc<PostOffice>,
}

impl Loads {
    pub(super) fn new(office: Arc<PostOffice>) -> Self {
        Self { office }
    }
}

impl Kind for Loads {
    type Settings = Settings;
    type Agent = Load;

    fn name(&self) -> &'static str {
        "load"
    }

    fn about(&self) -> &'static str {
        "Sends posts at an even rate, and hears what becomes of them."
    }

    fn spec(&self, seat: Seat<Settings>) -> Result<Spec, SettingError> {
        let to = Recipients::read_some("to", &seat.settings.to, &seat.team)?;
        let settings = seat.settings;
        let under_way = usize::try_from(settings.under_way.get()).unwrap_or(usize::MAX);
        if !RATES.contains(&settings.rate) {
            let problem = format!("`rate` is {}", settings.rate);
            return Err(SettingError::of(
                "rate",
                problem,
                format!("set one of {} to {} in a second", RATES.start(), RATES.end()),
            ));
        }
        if under_way > UNDER_WAY_MAX {
            let problem = format!("`under_way` is {under_way}");
            return Err(SettingError::of(
                "under_way",
                problem,
                format!("set {UNDER_WAY_MAX} or fewer"),
            ));
        }
        if settings.within.0 < STEP {
            let problem = format!("`within` is {}", settings.within);
            return Err(SettingError::of(
                "within",
                problem,
                format!("set {} or more", Span(STEP)),
            ));
        }
        Ok(Spec {
            to,
            rate: settings.rate,
            burst: burst(&settings),
            under_way,
            within: settings.within.0,
            post: Arc::from(settings.post),
            body: settings.body,
            office: Arc::clone(&self.office),
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the rate lies within its bounds"
)]
fn burst(settings: &Settings) -> u64 {
    let tenth = (settings.rate / 10.0) as u64;
    settings
        .burst
        .map_or(tenth.clamp(1, BURST_MAX), |burst| burst.get().into())
}

/// What each life of a load begins from.
#[derive(Clone)]
pub(super) struct Spec {
    to: Recipients,
    rate: f64,
    burst: u64,
    under_way: usize,
    within: Duration,
    post: Arc<str>,
    body: Value,
    office: Arc<PostOffice>,
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spec").field("rate", &self.rate).finish_non_exhaustive()
    }
}

/// Sends posts at an even rate.
#[derive(Debug)]
pub(super) struct Load {
    spec: Spec,
    pace: Pace,
    trips: Trips,
    outgoing: Outgoing,
    /// Due, but too late to be made up for.
    skipped: u64,
    /// Due, but too many were on their way.
    held_back: u64,
    stages: Stages,
    stages_in: StageSender,
}

impl Agent for Load {
    type Message = Post;
    type Spec = Spec;

    async fn start(spec: Spec, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let (stages_in, stages) = flume::bounded(spec.under_way * STAGES_MAX);
        let load = Self {
            pace: Pace::new(spec.rate, spec.burst, Moment::now()),
            trips: Trips::new(spec.under_way),
            outgoing: Outgoing::default(),
            skipped: 0,
            held_back: 0,
            stages,
            stages_in,
            spec,
        };
        load.send_later(ctx);
        Ok(load)
    }

    async fn handle(&mut self, post: Post, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.hear();
        if post.is_reminder() {
            self.send_what_is_due(ctx);
            self.send_later(ctx);
        } else {
            show(self, post);
        }
        Ok(())
    }

    async fn attend(&mut self, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        if let Ok((post, stage)) = self.stages.recv_async().await {
            self.trips.heard(post, &stage, Moment::now());
            self.hear();
        }
        Ok(())
    }

    fn state(&self) -> Option<Value> {
        Some(json!({
            "posts": self.outgoing.shown(),
            "skipped": self.skipped,
            "held_back": self.held_back,
            "trips": self.trips.shown(),
        }))
    }
}

impl Load {
    /// What has been told until now.
    fn hear(&mut self) {
        for (post, stage) in self.stages.drain() {
            self.trips.heard(post, &stage, Moment::now());
        }
    }

    fn send_what_is_due(&mut self, ctx: &Context<Self>) {
        let now = Moment::now();
        self.trips.give_up_before(now - self.spec.within);
        let due = self.pace.due(now);
        self.skipped += due.skipped;
        let (tree, me) = (ctx.observer(), ctx.path());
        for _ in 0..due.now {
            if self.trips.has_room() {
                self.send_one(&tree, &me);
            } else {
                self.held_back += 1;
            }
        }
    }

    fn send_one(&mut self, tree: &Observer, me: &Arc<str>) {
        let Spec {
            office,
            to,
            post,
            body,
            within,
            ..
        } = &self.spec;
        let number = self.outgoing.sent() + self.outgoing.refused();
        let Some(to) = to.in_turn(number) else { return };
        let now = Moment::now();
        let post = office.through(self.stages_in.clone(), Arc::clone(me), Arc::clone(post), body.clone());
        let post = post.before(now + *within);
        let id = post.id;
        if self.outgoing.send(tree, to, post) {
            self.trips.left(id, now);
        }
    }

    fn send_later(&self, ctx: &mut Context<Self>) {
        let wait = self.pace.next().since(Moment::now()).max(STEP);
        ctx.send_after(wait, self.spec.office.reminder(ctx.path(), "due"));
    }
}

#[cfg(test)]
mod tests {
    use triarch_supervision::testing::World;

    use super::super::stage::{Scene, fault};
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn load(more: &Value) -> Value {
        let mut load = json!({ "name": "load", "kind": "load", "rate": 10, "to": ["a"] });
        load.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        load
    }

    #[test]
    fn it_keeps_its_rate_and_hears_what_became_of_each_post() {
        World::new(1).run(async |world| {
            let a = json!({ "name": "a", "kind": "echo", "delay": "20ms" });
            let scene = Scene::new(world, &json!([load(&json!({ "rate": 7.5 })), a])).await;
            world.advance(100 * SECOND + SECOND / 20).await;
            let state = scene.state("team/load").await;
            assert_eq!(
                (&state["posts"]["sent"], &state["trips"]["done"]),
                (&json!(750), &json!(750))
            );
            let p50 = state["trips"]["round_trip_seconds"]["p50"].as_f64().unwrap();
            assert!((0.005..=0.025).contains(&p50), "20ms in their bucket: {p50}");
            scene.end().await;
        });
    }

    #[test]
    fn above_a_thousand_in_a_second_several_are_sent_at_once() {
        World::new(1).run(async |world| {
            let a = json!({ "name": "a", "kind": "echo", "mailbox": { "capacity": 100 } });
            let scene = Scene::new(world, &json!([load(&json!({ "rate": 20_000 })), a])).await;
            world.advance(SECOND + SECOND / 100).await;
            let state = scene.state("team/load").await;
            assert!(state["trips"]["done"].as_u64().unwrap() >= 20_000, "{state}");
            assert_eq!((&state["skipped"], &state["posts"]["refused"]), (&json!(0), &json!(0)));
            scene.end().await;
        });
    }

    #[test]
    fn receivers_take_turns_and_one_that_is_down_holds_up_nobody() {
        World::new(1).run(async |world| {
            let agents = json!([
                load(&json!({ "to": ["a", "ghost", "b"], "under_way": 5, "within": "2s" })),
                { "name": "a", "kind": "echo" },
                { "name": "b", "kind": "echo", "mailbox": { "capacity": 3 } },
            ]);
            let scene = Scene::new(world, &agents).await;
            scene.tree.observer().pause("team/b").unwrap();
            world.advance(9 * SECOND + SECOND / 20).await;
            let state = scene.state("team/load").await;
            let counts = ["posts", "trips"].map(|part| state[part].clone());
            assert_eq!(counts[1]["done"], 30, "what a was sent: {state}");
            assert_eq!(
                (&counts[0]["sent"], &counts[0]["refused"]),
                (&json!(33), &json!(57)),
                "{state}"
            );
            assert_eq!(
                (&counts[1]["given_up"], &counts[1]["under_way"]),
                (&json!(3), &json!(0)),
                "{state}"
            );
            scene.end().await;
        });
    }

    #[test]
    fn no_more_are_sent_than_may_be_on_their_way() {
        World::new(1).run(async |world| {
            let a = json!({ "name": "a", "kind": "echo" });
            let scene = Scene::new(world, &json!([load(&json!({ "under_way": 4 })), a])).await;
            scene.tree.observer().pause("team/a").unwrap();
            world.advance(SECOND + SECOND / 20).await;
            let state = scene.state("team/load").await;
            assert_eq!((&state["posts"]["sent"], &state["held_back"]), (&json!(4), &json!(6)));
            scene.tree.observer().resume("team/a").unwrap();
            world.advance(SECOND).await;
            let state = scene.state("team/load").await;
            assert_eq!(
                (&state["posts"]["sent"], &state["trips"]["done"]),
                (&json!(14), &json!(14))
            );
            scene.end().await;
        });
    }

    #[test]
    fn a_machine_that_slept_is_not_flooded() {
        World::new(1).run(async |world| {
            let a = json!({ "name": "a", "kind": "echo" });
            let scene = Scene::new(world, &json!([load(&json!({ "burst": 2 })), a])).await;
            world.jump(60 * SECOND).await;
            let state = scene.state("team/load").await;
            assert_eq!((&state["posts"]["sent"], &state["skipped"]), (&json!(2), &json!(598)));
            scene.end().await;
        });
    }

    #[test]
    fn settings_that_cannot_be_followed_are_refused() {
        let key = |more: Value| fault(&load(&more)).key;
        assert_eq!(key(json!({ "rate": 0 })).as_deref(), Some("rate"));
        assert_eq!(key(json!({ "rate": 1e9 })).as_deref(), Some("rate"));
        assert_eq!(key(json!({ "to": [] })).as_deref(), Some("to"));
        assert_eq!(key(json!({ "under_way": 1_000_000 })).as_deref(), Some("under_way"));
        assert_eq!(key(json!({ "within": "0s" })).as_deref(), Some("within"));
        assert_eq!(key(json!({ "speed": 1 })).as_deref(), Some("speed"));
    }
}
