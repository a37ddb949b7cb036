//! A post that its sender follows beyond its stages.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::watch;
use triarch_supervision::clock::Moment;

/// What the sender of a post and whoever has it in hand see of each other, however long that takes. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Errand(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    percent: AtomicU8,
    is_hopeless: AtomicBool,
    delivered: OnceLock<Moment>,
    is_recalled: watch::Sender<bool>,
}

/// The kind of a post that tells a program that an earlier one is recalled: the body has its `id`.
pub const RECALL: &str = "cancel";

/// The kind of the posts by which agents hear of events.
pub const EVENT: &str = "event";

const UNKNOWN: u8 = u8::MAX;

impl Default for Shared {
    fn default() -> Self {
        Self {
            percent: AtomicU8::new(UNKNOWN),
            is_hopeless: AtomicBool::new(false),
            delivered: OnceLock::new(),
            is_recalled: watch::Sender::new(false),
        }
    }
}

impl Errand {
    /// How far it is, in hundredths, where that was said.
    pub fn percent(&self) -> Option<u8> {
        let percent = self.0.percent.load(Ordering::Relaxed);
        (percent != UNKNOWN).then_some(percent)
    }

    /// Wants it no more.
    pub fn recall(&self) {
        self.0.is_recalled.send_replace(true);
    }

    /// When the agent got it in hand, once it has.
    pub fn delivered_at(&self) -> Option<Moment> {
        self.0.delivered.get().copied()
    }

    /// Whether it failed in a way that no other attempt would mend.
    pub fn is_hopeless(&self) -> bool {
        self.0.is_hopeless.load(Ordering::Acquire)
    }

    pub(crate) fn deliver(&self, now: Moment) {
        // Said twice, it counts once.
        self.0.delivered.get_or_init(|| now);
    }

    pub(crate) fn despair(&self) {
        self.0.is_hopeless.store(true, Ordering::Release);
    }

    pub(crate) fn show(&self, percent: u8) {
        self.0.percent.store(percent.min(100), Ordering::Relaxed);
    }

    pub(crate) fn is_recalled(&self) -> bool {
        *self.0.is_recalled.borrow()
    }

    pub(crate) async fn recalled(&self) {
        let mut recalls = self.0.is_recalled.subscribe();
        // The sender is in the very value that is waited for, so it cannot be gone.
        let _recalled = recalls.wait_for(|is_recalled| *is_recalled).await;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::post::tests::office;

    #[tokio::test]
    async fn sender_and_holder_see_how_far_it_is_and_that_it_is_recalled() {
        let mut post = office(1).post("me", "task", Value::Null);
        let errand = post.errand();
        assert_eq!(errand.percent(), None);
        post.receipt.progress(40);
        assert_eq!(errand.percent(), Some(40));
        post.receipt.progress(200);
        assert_eq!(errand.percent(), Some(100), "no more than all");
        assert!(!post.receipt.is_recalled());
        errand.recall();
        assert!(post.receipt.is_recalled());
        post.receipt.recalled().await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_sender_sees_when_it_was_delivered_first() {
        let mut post = office(1).post("me", "task", Value::Null);
        let errand = post.errand();
        assert_eq!(errand.delivered_at(), None);
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        let now = Moment::now();
        post.receipt.delivered();
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        post.receipt.delivered();
        assert_eq!(errand.delivered_at(), Some(now));
    }

    #[test]
    fn the_sender_sees_whether_another_attempt_may_mend_a_failure() {
        for is_for_good in [false, true] {
            let mut post = office(1).post("me", "task", Value::Null);
            let errand = post.errand();
            if is_for_good {
                post.receipt.failed_for_good("no ink");
            } else {
                post.receipt.failed("no ink");
            }
            assert_eq!(errand.is_hopeless(), is_for_good);
        }
    }

    #[test]
    fn a_post_that_nobody_follows_is_never_recalled() {
        let post = office(1).post("me", "test", Value::Null);
        post.receipt.progress(40);
        assert!(!post.receipt.is_recalled());
    }
}
