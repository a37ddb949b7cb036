//! What is proved about a post: queued, delivered, accepted, done, or failed with a reason.
//!
//! *Queued* is what a send that succeeds proves. *Delivered* is said as the agent's handler gets the post; for a program it
//! means that the line was written to it, or that its run has begun. *Accepted* is what only the receiver itself can say, and
//! *done* and *failed* end the story. A receipt whose holder ends before that says *lost*, dropped or not, and so does one whose
//! post becomes a dead letter: what is sent again from there has no story any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::Value;
use triarch_supervision::clock::Moment;
use triarch_supervision::dead_letter::DeadReason;

use crate::errand::Errand;
use crate::metrics::Metrics;
use crate::post::PostId;

/// How far a post has come.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// The agent has it in hand.
    Delivered,
    /// The agent says that it will do what the post asks for.
    Accepted,
    /// It is done; what came of it.
    Done(Value),
    /// It failed, and will not be done.
    Failed(String),
    /// Nobody is left who could say more; why.
    Lost(String),
}

impl Stage {
    /// Whether it made room in the mailbox for another, as where that drops the oldest: nobody has tried it.
    pub fn has_made_room(&self) -> bool {
        matches!(self, Self::Lost(why) if *why == died_of(DeadReason::Full))
    }

    /// Whether nothing comes after it.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Failed(_) | Self::Lost(_))
    }

    /// The word for it.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Accepted => "accepted",
            Self::Done(_) => "done",
            Self::Failed(_) => "failed",
            Self::Lost(_) => "lost",
        }
    }
}

/// Stages of one post or several, as they come.
pub type Stages = flume::Receiver<(PostId, Stage)>;

/// The other end of [`Stages`].
pub type StageSender = flume::Sender<(PostId, Stage)>;

/// Where an agent tells what became of a post; nobody may be listening.
#[derive(Debug)]
pub struct Receipt {
    post: PostId,
    to: Option<StageSender>,
    /// Until the story has ended.
    metrics: Option<Metrics>,
    errand: Option<Errand>,
    /// Where it is counted if it comes to nothing.
    failures: Option<Failures>,
    /// Whether it was nobody's business from the first.
    is_unheard: bool,
    is_delivered: AtomicBool,
}

/// How many posts failed or were lost that one agent had in hand. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Failures(Arc<AtomicU64>);

impl Failures {
    /// How many by now.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a receipt that is dropped is lost.
pub const DROPPED: &str = "it was lost with whoever had it in hand";

/// Three stages, and one more for the end.
pub(crate) const STAGES_MAX: usize = 4;

impl Receipt {
    pub(crate) fn counted(post: PostId, to: Option<StageSender>, metrics: Metrics) -> Self {
        Self {
            post,
            to,
            metrics: Some(metrics),
            errand: None,
            failures: None,
            is_unheard: false,
            is_delivered: AtomicBool::new(false),
        }
    }

    /// Of a post that is nobody's business.
    pub(crate) fn unheard(post: PostId) -> Self {
        Self {
            post,
            to: None,
            metrics: None,
            errand: None,
            failures: None,
            is_unheard: true,
            is_delivered: AtomicBool::new(false),
        }
    }

    pub(crate) const fn is_unheard(&self) -> bool {
        self.is_unheard
    }

    /// Whether anybody wants to know.
    pub fn is_wanted(&self) -> bool {
        self.to.as_ref().is_some_and(|sender| !sender.is_disconnected())
    }

    /// The agent has the post in hand; said once. A native agent need not say so, for its mailbox does.
    pub fn delivered(&self) {
        if self.is_open() && !self.is_delivered.swap(true, Ordering::Relaxed) {
            if let Some(errand) = &self.errand {
                errand.deliver(Moment::now());
            }
            self.tell(Stage::Delivered);
        }
    }

    /// The agent will do what the post asks for.
    pub fn accepted(&self) {
        if self.is_open() {
            self.tell(Stage::Accepted);
        }
    }

    /// From now on it is counted there if it is said to have failed or to be lost, unless its sender wants it no more. For an
    /// agent whose handler has returned before that is known; what fails in a handler is counted by its mailbox.
    pub fn count_failure_at(&mut self, failures: &Failures) {
        self.failures = Some(failures.clone());
    }

    /// It is done.
    pub fn done(mut self, result: Value) {
        self.end(Stage::Done(result));
    }

    /// It failed.
    pub fn failed(mut self, why: impl Into<String>) {
        self.end(Stage::Failed(why.into()));
    }

    /// It failed, and would however often it were tried again.
    pub fn failed_for_good(self, why: impl Into<String>) {
        if let Some(errand) = &self.errand {
            errand.despair();
        }
        self.failed(why);
    }

    /// Whoever had it in hand has ended.
    pub fn lost(mut self, why: impl Into<String>) {
        self.end(Stage::Lost(why.into()));
    }

    /// How far it is, in hundredths.
    pub fn progress(&self, percent: u8) {
        if let Some(errand) = &self.errand {
            errand.show(percent);
        }
    }

    /// Whether the sender wants it no more: what is not begun need not be, and what has begun may be left.
    pub fn is_recalled(&self) -> bool {
        self.errand.as_ref().is_some_and(Errand::is_recalled)
    }

    /// Returns when the sender wants it no more.
    pub async fn recalled(&self) {
        match &self.errand {
            Some(errand) => errand.recalled().await,
            None => std::future::pending().await,
        }
    }

    pub(crate) fn run(&mut self, errand: Errand) {
        self.errand = Some(errand);
    }

    /// The post is a dead letter.
    pub(crate) fn died(&mut self, why: DeadReason) {
        self.end(Stage::Lost(died_of(why)));
    }

    fn is_open(&self) -> bool {
        self.metrics.is_some()
    }

    fn end(&mut self, stage: Stage) {
        self.count_failure(&stage);
        let Some(metrics) = self.metrics.take() else { return };
        metrics.ended(&stage);
        self.tell(stage);
    }

    fn count_failure(&mut self, stage: &Stage) {
        let Some(Failures(count)) = self.failures.take() else {
            return;
        };
        if matches!(stage, Stage::Failed(_) | Stage::Lost(_)) && !self.is_recalled() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn tell(&self, stage: Stage) {
        if let Some(sender) = &self.to {
            // Whoever does not listen any more, or reads too slowly, has only itself to blame.
            let _unheard = sender.try_send((self.post, stage));
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        // It was with a handler that did not return, which its mailbox counts, or with one that never answers.
        self.failures = None;
        self.end(Stage::Lost(DROPPED.to_owned()));
    }
}

fn died_of(why: DeadReason) -> String {
    format!("it is a dead letter: {}", why.label())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use triarch_supervision::Message as _;

    use crate::Post;
    use crate::post::tests::office;

    fn told(tell: impl FnOnce(Receipt)) -> Vec<Stage> {
        let (post, stages) = office(1).registered("me", "test", json!(null));
        tell(post.receipt);
        stages.drain().map(|(_, stage)| stage).collect()
    }

    #[test]
    fn a_post_that_is_done_ends_with_its_result() {
        let stages = told(|receipt| {
            receipt.delivered();
            receipt.accepted();
            receipt.done(json!(7));
        });
        assert_eq!(stages, [Stage::Delivered, Stage::Accepted, Stage::Done(json!(7))]);
    }

    #[test]
    fn that_it_is_delivered_is_said_once_and_by_its_mailbox_where_the_agent_does_not() {
        let handed = Post::HANDED.unwrap();
        let (post, stages) = office(1).registered("me", "test", json!(null));
        handed(&post);
        post.receipt.delivered();
        let told: Vec<_> = stages.drain().map(|(_, stage)| stage).collect();
        assert_eq!(told, [Stage::Delivered]);
    }

    #[test]
    fn a_post_that_becomes_a_dead_letter_is_lost_at_once_and_says_nothing_more() {
        let office = office(1);
        let died = Post::DIED.unwrap();
        let (mut post, stages) = office.registered("me", "test", json!(null));
        died(&mut post, DeadReason::Full);
        let told: Vec<_> = stages.drain().map(|(_, stage)| stage).collect();
        assert_eq!(told, [Stage::Lost("it is a dead letter: full".to_owned())]);
        post.receipt.delivered();
        post.receipt.accepted();
        post.receipt.done(json!(7));
        assert_eq!((stages.drain().count(), office.ended()), (0, [0, 0, 1]));
    }

    #[test]
    fn a_dead_post_that_nobody_listens_to_is_no_reminder_when_it_is_replayed() {
        let office = office(1);
        let mut post = office.post("me", "test", json!(null));
        Post::DIED.unwrap()(&mut post, DeadReason::Full);
        assert!(!post.is_reminder() && office.reminder("me", "test").is_reminder());
    }

    #[test]
    fn one_that_failed_says_why_and_one_that_was_dropped_is_lost() {
        assert_eq!(
            told(|receipt| receipt.failed("no ink")),
            [Stage::Failed("no ink".to_owned())]
        );
        assert_eq!(told(drop), [Stage::Lost(DROPPED.to_owned())]);
        assert_eq!(
            told(|receipt| receipt.lost("killed")),
            [Stage::Lost("killed".to_owned())]
        );
    }

    #[test]
    fn what_came_to_nothing_is_counted_once_where_that_was_asked_for_and_somebody_still_wants_it() {
        let (office, failures) = (office(1), Failures::default());
        let receipt = || {
            let mut receipt = office.post("me", "test", json!(null)).receipt;
            receipt.count_failure_at(&failures);
            receipt
        };
        receipt().done(json!(null));
        drop(receipt());
        let mut recalled = receipt();
        let errand = Errand::default();
        errand.recall();
        recalled.run(errand);
        recalled.lost("it was recalled");
        assert_eq!(failures.count(), 0);
        receipt().failed("no ink");
        receipt().lost("killed");
        let mut tick = office.reminder("me", "tick").receipt;
        tick.count_failure_at(&failures);
        tick.failed("no ink");
        assert_eq!(failures.count(), 3);
    }

    #[test]
    fn nobody_needs_to_listen() {
        let office = office(1);
        let unheard = office.post("me", "test", json!(null)).receipt;
        assert!(!unheard.is_wanted());
        let (post, stages) = office.registered("me", "test", json!(null));
        assert!(post.receipt.is_wanted());
        drop(stages);
        assert!(!post.receipt.is_wanted());
        post.receipt.done(json!(null));
        assert_eq!(office.ended(), [1, 0, 0]);
        drop(unheard);
        assert_eq!(office.ended(), [1, 0, 1], "done, failed, lost");
    }
}
