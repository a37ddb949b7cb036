//! `traffic`: load on what agents share, as `load` is on their mailboxes.
//!
//! ```text
//!   each turn ──▶ published ──▶ heard, as a post `event` ──▶ counted in the memory
//!       └───────▶ submitted as a task, for whoever is able
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use triarch_bus::{Draft, Payload, Topic};
use triarch_memory::{Key, Namespace};
use triarch_supervision::prelude::*;
use triarch_teams::{EVENT, Kind, Post, PostOffice, Seat, SettingError, Span};
use triarch_work::task::Submission;

use crate::share::{Events, Share, Shares};

/// The shortest time between two turns: the tree's clock has no shorter one.
const EVERY_MIN: Duration = Duration::from_millis(1);
/// A task that nobody takes ends so long after it was submitted, or they would pile up.
const DEADLINE_MS: u64 = 60_000;
/// What its tasks and what it publishes are, and who can do them where nothing else is set.
const TURN: &str = "turn";

/// The settings of a `traffic`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// How often it publishes and submits.
    #[serde(default = "every")]
    every: Span,
    /// The topic it publishes on and hears.
    #[serde(default = "topic")]
    topic: String,
    /// The namespace it counts in what it heard, under its path.
    #[serde(default = "namespace")]
    namespace: String,
    /// What an agent must be able to do to get its tasks. One that nobody takes within a minute ends.
    #[serde(default = "needs")]
    needs: Vec<String>,
}

fn every() -> Span {
    Span(Duration::from_secs(1))
}

fn topic() -> String {
    "traffic".to_owned()
}

fn namespace() -> String {
    "shared".to_owned()
}

fn needs() -> Vec<String> {
    vec![TURN.to_owned()]
}

pub(crate) struct Traffics {
    pub(crate) office: Arc<PostOffice>,
    pub(crate) shares: Shares,
}

impl Kind for Traffics {
    type Settings = Settings;
    type Agent = Traffic;

    fn name(&self) -> &'static str {
        "traffic"
    }

    fn about(&self) -> &'static str {
        "Publishes, hears it, counts it in the memory, and submits tasks, each so often."
    }

    fn spec(&self, seat: Seat<Settings>) -> Result<Spec, SettingError> {
        let Settings {
            every,
            topic,
            namespace,
            needs,
        } = seat.settings;
        SettingError::unless_at_least(EVERY_MIN, "every", every)?;
        let odd = |key: &str, fault: &dyn fmt::Display| {
            let problem = format!("`{key}` cannot be that: {fault}");
            SettingError::of(key, problem, "write a name, as in \"plant\"")
        };
        let task = json!({ "kind": TURN, "needs": needs, "deadline_ms": DEADLINE_MS, "cancel_when_missed": true });
        Ok(Spec {
            every: every.0,
            topic: Topic::new(&topic).map_err(|fault| odd("topic", &fault))?,
            namespace: Namespace::new(&namespace).map_err(|fault| odd("namespace", &fault))?,
            task: serde_json::from_value(task).map_err(|fault| odd("needs", &fault))?,
            office: Arc::clone(&self.office),
            shares: self.shares.clone(),
        })
    }
}

/// What each life begins from.
#[derive(Clone)]
pub(crate) struct Spec {
    every: Duration,
    topic: Topic,
    namespace: Namespace,
    task: Submission,
    office: Arc<PostOffice>,
    shares: Shares,
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spec")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

/// Uses bus, memory and tasks.
#[derive(Debug)]
pub(crate) struct Traffic {
    spec: Spec,
    share: Share,
    /// What it counts under.
    key: Key,
    seen: Seen,
}

/// What became of it.
#[derive(Debug, Default)]
struct Seen {
    published: u64,
    heard: u64,
    submitted: u64,
    refused: u64,
    last_refusal: Option<String>,
}

impl Seen {
    /// Whether it was done; what was refused is tried no second time.
    fn note<T>(&mut self, done: Result<T, impl fmt::Display>) -> u64 {
        let Err(why) = done else { return 1 };
        self.refused += 1;
        self.last_refusal = Some(why.to_string());
        0
    }
}

impl Agent for Traffic {
    type Message = Post;
    type Spec = Spec;

    async fn start(spec: Spec, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let (office, me) = (Arc::clone(&spec.office), ctx.path());
        let share = spec.shares.of(&me)?;
        share.hear(Events::of(spec.topic.as_str()))?;
        let key = Key::new(share.name())?;
        ctx.send_every(spec.every, move || office.reminder(Arc::clone(&me), TURN));
        Ok(Self {
            spec,
            share,
            key,
            seen: Seen::default(),
        })
    }

    async fn handle(&mut self, post: Post, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        if post.is_reminder() {
            self.turn().await;
            return Ok(());
        }
        if *post.kind == *EVENT {
            self.count().await;
        }
        post.receipt.delivered();
        post.receipt.done(self.state().unwrap_or_default());
        Ok(())
    }

    fn state(&self) -> Option<Value> {
        let Seen {
            published,
            heard,
            submitted,
            refused,
            last_refusal,
        } = &self.seen;
        Some(
            json!({ "published": published, "heard": heard, "submitted": submitted, "refused": refused,
            "last_refusal": last_refusal }),
        )
    }
}

impl Traffic {
    async fn turn(&mut self) {
        let draft = Draft::new(TURN, Payload::json(&json!({ "number": self.seen.published + 1 })));
        let published = self.share.bus.publish(self.share.name(), &self.spec.topic, draft);
        self.seen.published += self.seen.note(published);
        let submitted = self.share.tasks.submit(vec![self.spec.task.clone()]).await;
        self.seen.submitted += self.seen.note(submitted);
    }

    async fn count(&mut self) {
        self.seen.heard += 1;
        let counted = match self.share.memory.open(self.spec.namespace.as_str()) {
            Ok(drawer) => drawer.increment(&self.key, 1).await,
            Err(error) => Err(error),
        };
        self.seen.note(counted);
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::natives;
    use crate::config::{Source, load};

    fn refused(setting: &str) -> Option<String> {
        let agent = "[[team]]\nname = \"t\"\n[[team.agent]]\nname = \"a\"\nkind = \"traffic\"";
        let source = Source::Text {
            name: "t".to_owned(),
            text: format!("{agent}\n{setting}\n"),
        };
        Some(load(&source, &natives(), []).err()?.to_string())
    }

    #[test]
    fn settings_that_cannot_be_followed_are_refused_by_their_key() {
        assert_eq!(refused(""), None);
        for (key, value) in [
            ("every", "\"0s\""),
            ("topic", "\"a..b\""),
            ("namespace", "\"A B\""),
            ("needs", "[\"\"]"),
        ] {
            let said = refused(&format!("{key} = {value}")).unwrap();
            assert!(said.contains(&format!("`{key}`")), "{said}");
        }
    }
}
