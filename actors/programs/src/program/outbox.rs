//! Posts of a program on their way to others.

use std::collections::VecDeque;
use std::time::Duration;

use triarch_supervision::address::Refusal;
use triarch_supervision::clock::Moment;
use triarch_teams::{Post, Receipt};

/// From so many on that wait for room in the mailboxes of others a program is not listened to. What was heard together with
/// the last of them is taken, which is no more than a turn reads.
const MANY: usize = 64;
/// How long none of them may get anywhere before they are given up, and how often they are tried.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(5);

/// Which of them may wait for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// All, while one gets through now and then.
    All,
    /// So do they, but for the oldest of as many as keep the program from being heard.
    Few,
    /// None any more.
    None,
}

/// One of them.
#[derive(Debug)]
struct Outgoing {
    to: String,
    post: Post,
    since: Moment,
}

/// One that nobody gets.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) to: String,
    pub(super) receipt: Receipt,
}

/// Them in their order.
#[derive(Debug)]
pub(super) struct Outbox {
    posts: VecDeque<Outgoing>,
    /// When those that found no room are tried again.
    retry: Option<Moment>,
    /// When one last got through, and whether one was given up since.
    last_sent: Moment,
    has_given_up: bool,
}

impl Outbox {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            posts: VecDeque::new(),
            retry: None,
            last_sent: now,
            has_given_up: false,
        }
    }

    pub(super) fn push(&mut self, to: String, post: Post, since: Moment) {
        self.posts.push_back(Outgoing { to, post, since });
    }

    pub(super) fn len(&self) -> usize {
        self.posts.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.posts.is_empty()
    }

    pub(super) fn are_many(&self) -> bool {
        self.posts.len() >= MANY
    }

    pub(super) fn retry(&self) -> Option<Moment> {
        self.retry
    }

    /// A moment that has passed, for whoever needs no later one.
    pub(super) fn last_sent(&self) -> Moment {
        self.last_sent
    }

    /// Has `attempt` hand them over in their order; `told` hears what became of each.
    ///
    /// Two programs that flood each other would wait for ever: neither reads before the other takes. So once a post
    /// was given up, those after it are too wherever there is no room, until one gets through.
    pub(super) fn send(
        &mut self,
        waits: Waits,
        mut attempt: impl FnMut(&str, Post) -> Result<(), (Refusal, Box<Post>)>,
        mut told: impl FnMut(Result<(), (Lost, Refusal)>),
    ) {
        self.retry = None;
        while let Some(Outgoing { to, post, since }) = self.posts.pop_front() {
            let now = Moment::now();
            let Err((why, post)) = attempt(&to, post) else {
                (self.last_sent, self.has_given_up) = (now, false);
                told(Ok(()));
                continue;
            };
            let waited = now.since(since.max(self.last_sent));
            if why == Refusal::Full && self.may_wait(waits, waited) {
                self.retry = Some(now + PAUSE);
                let post = *post;
                return self.posts.push_front(Outgoing { to, post, since });
            }
            let receipt = post.receipt;
            told(Err((Lost { to, receipt }, why)));
        }
    }

    /// Whether one that is taken out for now, and has waited so long, may wait longer.
    fn may_wait(&mut self, waits: Waits, waited: Duration) -> bool {
        let is_one_too_many = self.posts.len() + 1 >= MANY;
        if waits == Waits::None || (waits == Waits::Few && is_one_too_many) {
            return false;
        }
        self.has_given_up |= waited >= PATIENCE;
        !self.has_given_up
    }

    /// Those that are left when nobody is there any more to send them.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Lost> {
        let all = std::mem::take(&mut self.posts);
        all.into_iter().map(|Outgoing { to, post, .. }| Lost {
            to,
            receipt: post.receipt,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Value;
    use triarch_supervision::clock::Moment;

    use super::*;
    use crate::testing::office;

    /// Posts that waited so long, one for each name.
    fn waiting(names: impl Iterator<Item = String>, waited: Duration) -> Outbox {
        let (office, since) = (office(), Moment::now() - waited);
        let mut outbox = Outbox::new(since);
        for name in names {
            let post = office.post(Arc::from("team/a"), "note".to_owned(), Value::Null);
            outbox.push(name, post, since);
        }
        outbox
    }

    fn numbered(count: usize) -> impl Iterator<Item = String> {
        (0..count).map(|number| number.to_string())
    }

    /// What becomes of them where only `free` has room: the names of those that are lost, and `+` for each that is sent.
    fn send(outbox: &mut Outbox, waits: Waits) -> Vec<String> {
        let mut fates = Vec::new();
        let attempt = |to: &str, post| match to {
            "nobody" => Err((Refusal::NoSuchAgent, Box::new(post))),
            "free" => Ok(()),
            _ => Err((Refusal::Full, Box::new(post))),
        };
        outbox.send(waits, attempt, |fate| {
            fates.push(match fate {
                Ok(()) => "+".to_owned(),
                Err((Lost { to, .. }, _)) => to,
            });
        });
        fates
    }

    fn names(names: &[&str]) -> impl Iterator<Item = String> {
        names.iter().map(|name| (*name).to_owned())
    }

    #[test]
    fn posts_wait_for_room_behind_the_first_that_finds_none() {
        let mut outbox = waiting(names(&["nobody", "free", "full", "free"]), Duration::ZERO);
        assert_eq!(send(&mut outbox, Waits::All), ["nobody", "+"]);
        assert!(outbox.len() == 2 && outbox.retry().is_some());
    }

    #[test]
    fn once_one_has_waited_too_long_none_waits_until_one_gets_through() {
        let mut outbox = waiting(names(&["full", "fuller", "free", "full"]), PATIENCE);
        assert_eq!(send(&mut outbox, Waits::All), ["full", "fuller", "+"]);
        assert!(outbox.len() == 1 && outbox.retry().is_some());
    }

    #[test]
    fn of_many_the_oldest_make_way_where_only_few_may_wait() {
        let mut outbox = waiting(numbered(MANY + 2), Duration::ZERO);
        assert!(send(&mut outbox, Waits::All).is_empty() && outbox.are_many());
        assert_eq!(send(&mut outbox, Waits::Few), ["0", "1", "2"]);
        assert!(!outbox.are_many() && outbox.retry().is_some());
        assert!(send(&mut outbox, Waits::Few).is_empty());
    }

    #[test]
    fn in_the_end_each_is_tried_once_more() {
        let mut outbox = waiting(names(&["full", "free", "fuller"]), Duration::ZERO);
        assert_eq!(send(&mut outbox, Waits::None), ["full", "+", "fuller"]);
        assert!(outbox.is_empty() && outbox.retry().is_none());
    }
}
