//! What agents of a team are sent.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use triarch_supervision::Message;
use triarch_supervision::clock::Moment;
use triarch_supervision::dead_letter::DeadReason;
use triarch_supervision::metrics::{InstrumentError, Instruments};

use crate::errand::Errand;
use crate::metrics::Metrics;
use crate::receipt::{Receipt, STAGES_MAX, StageSender, Stages};

/// A message that any agent of a team takes: a kind, a body, and the way back.
#[derive(Debug)]
pub struct Post {
    /// Names it among all posts of a runtime.
    pub id: PostId,
    /// The path of the agent that sent it, or who it was.
    pub from: Arc<str>,
    /// What it asks for, in a word of the receiver's choice.
    pub kind: Arc<str>,
    /// What it says.
    pub body: Value,
    /// When nobody needs it any more.
    pub deadline: Option<Moment>,
    /// Whether it may take its time once an agent has it in hand before its deadline.
    pub takes_its_time: bool,
    /// How long it may take from when the agent has it in hand.
    pub within: Option<Duration>,
    /// What there is to know of the task that it is, where it is one.
    pub task: Option<Box<Brief>>,
    /// Where to tell what became of it.
    pub receipt: Receipt,
}

impl Message for Post {
    const HANDED: Option<fn(&Self)> = Some(|post| post.receipt.delivered());
    const DIED: Option<fn(&mut Self, DeadReason)> = Some(|post, reason| post.receipt.died(reason));
}

impl Post {
    fn new(id: PostId, from: impl Into<Arc<str>>, kind: impl Into<Arc<str>>, body: Value, receipt: Receipt) -> Self {
        Self {
            id,
            from: from.into(),
            kind: kind.into(),
            body,
            deadline: None,
            takes_its_time: false,
            within: None,
            task: None,
            receipt,
        }
    }

    /// Nobody needs it any more after `deadline`.
    #[must_use]
    pub fn before(mut self, deadline: Moment) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// It may take so long from when the agent has it in hand, however long it waits before.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.within = Some(time);
        self
    }

    /// When it has to be done where an agent has it in hand from `now` on.
    pub fn ends(&self, now: Moment) -> Option<Moment> {
        let within = self.within.map(|time| now + time);
        let deadline = self.deadline.filter(|_| !self.takes_its_time);
        within.into_iter().chain(deadline).min()
    }

    /// It is a task.
    #[must_use]
    pub fn of_task(mut self, brief: Brief) -> Self {
        self.task = Some(Box::new(brief));
        self
    }

    /// The sender follows it beyond its stages, until it ends.
    pub fn errand(&mut self) -> Errand {
        let errand = Errand::default();
        self.receipt.run(errand.clone());
        errand
    }

    /// Whether an agent made it out for itself, by [`PostOffice::reminder`].
    pub fn is_reminder(&self) -> bool {
        self.receipt.is_unheard()
    }
}

/// What there is to know of a task beside its body.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Brief {
    /// Its number.
    pub id: u64,
    /// What sort of work it is.
    pub kind: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The results of the tasks it waited for, in the order they were named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<BriefInput>,
    /// What it may cost, in units of those who do it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<u64>,
}

/// What an earlier task hands on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BriefInput {
    /// The earlier task.
    pub task: u64,
    /// Its result, shared by all who get it.
    pub result: Arc<Value>,
}

/// The id of a post: unique among all posts of all lives of a runtime.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PostId(u128);

impl fmt::Display for PostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for PostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A text that is no id of a post.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no id of a post; it has 32 of 0-9 and a-f")]
pub struct NoPostId {
    text: String,
}

impl FromStr for PostId {
    type Err = NoPostId;

    fn from_str(text: &str) -> Result<Self, NoPostId> {
        let is_id = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = u128::from_str_radix(text, 16).ok().filter(|_| is_id);
        number.map(Self).ok_or_else(|| NoPostId { text: text.to_owned() })
    }
}

/// Where posts are made out: one of it in a runtime.
#[derive(Debug)]
pub struct PostOffice {
    run: u64,
    next: AtomicU64,
    metrics: Metrics,
}

impl PostOffice {
    /// An office for one life of a runtime; `run` is different for each.
    pub fn new(run: u64, instruments: &Instruments) -> Result<Self, InstrumentError> {
        Ok(Self {
            run,
            next: AtomicU64::new(1),
            metrics: Metrics::new(instruments)?,
        })
    }

    /// The life of a runtime that it is for.
    pub fn run(&self) -> u64 {
        self.run
    }

    /// Makes out a post whose stages nobody hears.
    pub fn post(&self, from: impl Into<Arc<str>>, kind: impl Into<Arc<str>>, body: Value) -> Post {
        let id = self.next_id();
        let receipt = Receipt::counted(id, None, self.metrics.clone());
        Post::new(id, from, kind, body, receipt)
    }

    /// Makes out a post, and where its stages come out.
    pub fn registered(&self, from: impl Into<Arc<str>>, kind: impl Into<Arc<str>>, body: Value) -> (Post, Stages) {
        let (sender, stages) = flume::bounded(STAGES_MAX);
        (self.through(sender, from, kind, body), stages)
    }

    /// Makes out a post whose stages go through a channel of the caller's, who reads it: what it has no room for is
    /// lost.
    pub fn through(
        &self,
        stages: StageSender,
        from: impl Into<Arc<str>>,
        kind: impl Into<Arc<str>>,
        body: Value,
    ) -> Post {
        let id = self.next_id();
        let receipt = Receipt::counted(id, Some(stages), self.metrics.clone());
        Post::new(id, from, kind, body, receipt)
    }

    /// Makes out a post that an agent sets as a timer for itself: no receipt of it is heard or counted.
    pub fn reminder(&self, from: impl Into<Arc<str>>, kind: impl Into<Arc<str>>) -> Post {
        let id = self.next_id();
        Post::new(id, from, kind, Value::Null, Receipt::unheard(id))
    }

    fn next_id(&self) -> PostId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        PostId(u128::from(self.run) << 64 | u128::from(number))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use triarch_supervision::metrics::{Catalogue, TELEMETRY};

    use super::*;
    use crate::metrics::TEAMS;

    pub(crate) fn office(run: u64) -> PostOffice {
        let instruments = Instruments::new(Catalogue::new(&[TEAMS, TELEMETRY]).unwrap());
        PostOffice::new(run, &instruments).unwrap()
    }

    impl PostOffice {
        /// How many are done, failed and lost.
        pub(crate) fn ended(&self) -> [u64; 3] {
            self.metrics.counts()
        }
    }

    #[test]
    fn who_is_to_begin_in_time_may_take_its_time_then() {
        let (office, now) = (office(1), Moment::now());
        let later = |seconds| now + Duration::from_secs(seconds);
        let mut post = office.post("me", "k", Value::Null).before(later(5));
        assert_eq!(post.ends(now), Some(later(5)));
        post.takes_its_time = true;
        assert_eq!(post.ends(now), None);
        assert_eq!(post.within(Duration::from_secs(9)).ends(now), Some(later(9)));
    }

    #[test]
    fn ids_are_read_back_as_they_are_written() {
        let office = office(u64::MAX);
        let (first, second) = (office.next_id(), office.next_id());
        assert_ne!(first, second);
        assert_eq!(first.to_string(), "ffffffffffffffff0000000000000001");
        assert_eq!(first.to_string().parse(), Ok(first));
    }

    #[test]
    fn a_reminder_is_known_as_one_and_counts_for_nothing() {
        let office = office(1);
        let reminder = office.reminder("me", "beat");
        assert!(reminder.is_reminder());
        reminder.receipt.done(Value::Null);
        drop(office.reminder("me", "beat"));
        assert_eq!(office.ended(), [0, 0, 0], "done, failed, lost");
        assert!(!office.post("me", "beat", Value::Null).is_reminder());
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "1",
            "+fffffffffffffff0000000000000001",
            "FFFFFFFFFFFFFFFF0000000000000001",
        ] {
            assert!(text.parse::<PostId>().is_err(), "{text}");
        }
    }
}
