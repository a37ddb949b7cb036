//! Publishes what happens to tasks: the agent `work/herald`, which is there where `work.events` says so.
//!
//! ```text
//!   queue ──on disk──▶ events ──▶ herald ──▶ triarch.task.submitted, .claimed, .missed, .done, .dead, …
//! ```

use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use triarch_bus::{Bus, Draft, Payload, PublishError, Topic};
use triarch_supervision::prelude::*;
use triarch_work::Events;
use triarch_work::machine::Event;

/// Who it is that publishes.
const SENDER: &str = "work/herald";
/// The kind of what is published.
const TASK: &str = "task";

/// What each life of it starts from.
#[derive(Clone, Debug)]
pub(crate) struct Beat {
    pub(crate) bus: Bus,
    pub(crate) events: Events,
}

/// Tells the bus of tasks, each change at most once.
pub(crate) struct Herald {
    bus: Bus,
    events: broadcast::Receiver<Event>,
    published: u64,
    /// How much happened faster than it was published, and was not.
    missed: u64,
    refused: u64,
    /// Of how much it is not known whether it is stored, as the herald was stopped meanwhile.
    unanswered: u64,
    last_refusal: Option<String>,
}

impl Herald {
    /// The agent that does.
    pub(crate) fn child(beat: Beat) -> Child<Self> {
        Child::of::<Self>("herald", beat).capacity(1)
    }

    async fn tell(&mut self, event: &Event) {
        let Some((word, body)) = told(event) else { return };
        match self.publish(word, &body).await {
            Ok(()) => self.published += 1,
            Err(why) => {
                self.refused += 1;
                self.last_refusal = Some(why);
            }
        }
    }

    async fn publish(&mut self, word: &str, body: &Value) -> Result<(), String> {
        let topic = Topic::new(format!("triarch.task.{word}")).map_err(|error| error.to_string())?;
        // Without a key: by that one change would be taken for another of the same task.
        let draft = || Draft::new(TASK, Payload::json(body));
        let published = match self.bus.publish(SENDER, &topic, draft()) {
            Err(PublishError::Durable { .. }) => {
                // It counts where it is let go of before there is an answer.
                self.unanswered += 1;
                let stored = self.bus.publish_durably(SENDER, &topic, draft()).await;
                self.unanswered -= 1;
                stored.map(drop)
            }
            published => published.map(drop),
        };
        published.map_err(|error| error.to_string())
    }
}

impl Agent for Herald {
    type Message = Nothing;
    type Spec = Beat;

    async fn start(Beat { bus, events }: Beat, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self {
            bus,
            events: events.hear(),
            published: 0,
            missed: 0,
            refused: 0,
            unanswered: 0,
            last_refusal: None,
        })
    }

    async fn handle(&mut self, nothing: Nothing, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match nothing {}
    }

    async fn attend(&mut self, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match self.events.recv().await {
            Ok(event) => self.tell(&event).await,
            Err(RecvError::Lagged(missed)) => self.missed += missed,
            // The room is about to end.
            Err(RecvError::Closed) => std::future::pending().await,
        }
        Ok(())
    }

    fn state(&self) -> Option<Value> {
        let Self {
            published,
            missed,
            refused,
            unanswered,
            last_refusal,
            ..
        } = self;
        Some(json!({
            "published": published,
            "missed": missed,
            "refused": refused,
            "unanswered": unanswered,
            "last_refusal": last_refusal,
        }))
    }
}

/// What is told, in a word and with what is known of it; nothing of what only the room itself needs to know.
fn told(event: &Event) -> Option<(&'static str, Value)> {
    let (task, word, kind, more) = match event {
        Event::Submitted { task, kind, priority } => (task, "submitted", kind, ("priority", json!(priority))),
        Event::Claimed { task, kind, waited, .. } => (task, "claimed", kind, ("waited_ms", json!(waited.as_millis()))),
        Event::Lapsed { task, kind } => (task, "lapsed", kind, NO_MORE),
        Event::Failed { task, kind } => (task, "attempt_failed", kind, NO_MORE),
        Event::Missed { task, kind } => (task, "missed", kind, NO_MORE),
        Event::Ended {
            task,
            kind,
            state,
            took,
        } => {
            let took = took.map(|took| took.as_millis());
            (task, state.label(), kind, ("took_ms", json!(took)))
        }
        _ => return None,
    };
    let mut body = json!({ "task": task, "kind": kind });
    if let (name, value) = more
        && !value.is_null()
    {
        body[name] = value;
    }
    Some((word, body))
}

const NO_MORE: (&str, Value) = ("", Value::Null);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use triarch_work::task::{Priority, State};
    use triarch_work::words::{Kind, TaskId};

    use super::*;

    #[test]
    fn each_change_of_a_task_is_told_in_a_word_with_what_is_known() {
        let (task, kind) = (TaskId::new(7), Kind::new("build").unwrap());
        let body = |more: Value| {
            let mut body = json!({ "task": 7, "kind": "build" });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        let ended = |state, took| Event::Ended {
            task,
            kind: kind.clone(),
            state,
            took,
        };
        let submitted = Event::Submitted {
            task,
            kind: kind.clone(),
            priority: Priority::High,
        };
        let missed = Event::Missed {
            task,
            kind: kind.clone(),
        };
        let took = Some(Duration::from_millis(40));
        for (event, word, more) in [
            (submitted, "submitted", json!({ "priority": "high" })),
            (missed, "missed", json!({})),
            (ended(State::Done, took), "done", json!({ "took_ms": 40 })),
            (ended(State::Dead, None), "dead", json!({})),
            (ended(State::Expired, None), "expired", json!({})),
        ] {
            assert_eq!(told(&event), Some((word, body(more))));
        }
        assert_eq!(told(&Event::Ready { task }), None);
        assert_eq!(told(&Event::Drained), None);
    }
}
