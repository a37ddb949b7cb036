//! The bus as operations show it.

use clap::Args;
use serde::{Deserialize, Serialize};
use triarch_bus::{CursorView, LogView, Pattern, SubscriptionView, Topic, TopicView};

use super::super::{Code, Operation, Trouble, written_as};
use crate::fleet::Fleet;

/// Lists the topics that something was published on.
#[derive(Args, Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct BusTopics {}

/// One topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TopicSeen {
    pub(crate) topic: String,
    /// How much was published on it.
    pub(crate) published: u64,
    /// How many subscriptions get that now, those among them that read the log; a group is one.
    pub(crate) subscriptions: usize,
    /// The topics of its log, where it is durable.
    pub(crate) log: Option<String>,
}

impl TopicSeen {
    fn of(view: &TopicView, logs: &[LogView]) -> Self {
        let log = logs.iter().find(|log| log.is_named && log.topics.matches(&view.topic));
        Self {
            topic: view.topic.to_string(),
            published: view.published,
            subscriptions: view.subscriptions,
            log: log.map(|log| log.topics.to_string()),
        }
    }
}

impl Operation for BusTopics {
    const NAME: &'static str = "bus.topics";
    type Output = Vec<TopicSeen>;

    async fn perform(self, fleet: &Fleet) -> Result<Vec<TopicSeen>, Trouble> {
        let bus = fleet.bus()?;
        let (topics, logs) = (bus.topics(), bus.logs());
        Ok(topics.iter().map(|view| TopicSeen::of(view, &logs)).collect())
    }
}

/// Shows a topic: who subscribes to it, and how far they are.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BusShow {
    /// The topic.
    pub(crate) topic: String,
}

/// All that is known of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TopicShown {
    pub(crate) topic: String,
    pub(crate) published: u64,
    /// Its log, where it is durable.
    pub(crate) log: Option<LogSeen>,
    pub(crate) subscriptions: Vec<SubscriptionSeen>,
    /// Named subscriptions of its log, those that nobody has now among them.
    pub(crate) cursors: Vec<CursorSeen>,
}

/// The log of durable topics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogSeen {
    /// The pattern whose topics it has.
    pub(crate) topics: String,
    /// The place of the oldest that is kept.
    pub(crate) first: u64,
    /// The place that the next gets.
    pub(crate) next: u64,
    pub(crate) bytes: u64,
    /// Whether the description has it: nothing more comes to one that it has not.
    #[serde(default = "yes")]
    pub(crate) is_named: bool,
}

/// One subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SubscriptionSeen {
    pub(crate) subscriber: String,
    pub(crate) pattern: Option<String>,
    pub(crate) filter: Option<String>,
    pub(crate) group: Option<String>,
    /// What is promised to it.
    pub(crate) class: String,
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) dead: u64,
    /// How many wait for it, of those that may.
    pub(crate) waiting: u64,
    pub(crate) bound: usize,
    /// How many bytes of payload wait, of those that may.
    #[serde(default)]
    pub(crate) bytes: usize,
    #[serde(default)]
    pub(crate) bound_bytes: usize,
    /// How many are still to come from the log, where it reads one.
    pub(crate) behind: Option<u64>,
    /// `open` where it is left alone for a while, since it failed again and again.
    pub(crate) breaker: String,
}

/// How far a named subscription has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CursorSeen {
    pub(crate) subscriber: String,
    pub(crate) name: String,
    /// All before this place is settled.
    pub(crate) floor: u64,
    /// How many places lie from there to the end.
    pub(crate) lag: u64,
    /// Whether somebody listens under it now.
    #[serde(default)]
    pub(crate) is_attended: bool,
}

fn yes() -> bool {
    true
}

impl From<&LogView> for LogSeen {
    fn from(view: &LogView) -> Self {
        Self {
            topics: view.topics.to_string(),
            first: view.first,
            next: view.next,
            bytes: view.bytes,
            is_named: view.is_named,
        }
    }
}

impl From<&SubscriptionView> for SubscriptionSeen {
    fn from(view: &SubscriptionView) -> Self {
        Self {
            subscriber: view.subscriber.to_string(),
            pattern: view.pattern.as_ref().map(Pattern::to_string),
            filter: view.filter.clone(),
            group: view.group.as_ref().map(ToString::to_string),
            class: written_as(&view.class),
            delivered: view.tally.delivered,
            dropped: view.tally.dropped,
            dead: view.tally.dead,
            waiting: view.tally.waiting,
            bound: view.bound,
            bytes: view.bytes,
            bound_bytes: view.bound_bytes,
            behind: view.behind,
            breaker: written_as(&view.breaker),
        }
    }
}

impl From<&CursorView> for CursorSeen {
    fn from(view: &CursorView) -> Self {
        Self {
            subscriber: view.subscriber.to_string(),
            name: view.name.to_string(),
            floor: view.floor,
            lag: view.lag,
            is_attended: view.is_attended,
        }
    }
}

impl Operation for BusShow {
    const NAME: &'static str = "bus.show";
    type Output = TopicShown;

    async fn perform(self, fleet: &Fleet) -> Result<TopicShown, Trouble> {
        let (bus, topic) = (fleet.bus()?, Topic::new(&self.topic)?);
        let known = bus.topics().into_iter().find(|view| view.topic == topic);
        let logs = bus.logs();
        let log = logs.iter().find(|log| log.topics.matches(&topic));
        let subscriptions = bus.subscriptions();
        let hears = |view: &&SubscriptionView| view.pattern.as_ref().is_some_and(|pattern| pattern.matches(&topic));
        let subscriptions: Vec<_> = subscriptions.iter().filter(hears).map(SubscriptionSeen::from).collect();
        if known.is_none() && log.is_none() && subscriptions.is_empty() {
            let message = format!("nothing was published on {topic}, and nobody subscribes to it");
            let remedy = "`triarch bus topics` shows those there are";
            return Err(Trouble::new(Code::NotFound, message, remedy));
        }
        let cursors = bus.cursors();
        let is_of_log = |cursor: &&CursorView| log.is_some_and(|log| log.topics == cursor.log);
        Ok(TopicShown {
            topic: self.topic,
            published: known.map_or(0, |view| view.published),
            log: log.map(LogSeen::from),
            subscriptions,
            cursors: cursors.iter().filter(is_of_log).map(CursorSeen::from).collect(),
        })
    }
}
