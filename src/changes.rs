//! One change of the fleet at a time: the agent `changes`, which performs them in the order they came.
//!
//! A change that has begun is carried through, though whoever asked for it be gone; one whose asker has gone before its
//! turn is left out.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use triarch_supervision::clock::Moment;
use triarch_supervision::prelude::*;
use triarch_supervision::sync::lock;
use triarch_supervision::tree::Observer;

use crate::fleet::Fleet;
use crate::operations::{Code, Trouble, millis};

/// How many changes may wait for their turn.
const WAITING_MAX: usize = 16;

/// How long a change waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(30);

type Doing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A change that is to be performed.
pub(crate) struct Change {
    /// What it is, as in `team scale`.
    name: &'static str,
    /// Told when it begins, where somebody waits for that.
    begins: Option<oneshot::Sender<()>>,
    perform: Box<dyn FnOnce() -> Doing + Send>,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Change").field(&self.name).finish()
    }
}

impl Message for Change {
    const OVERFLOW: Overflow = Overflow::Reject;
}

/// The change that is being performed, and since when.
#[derive(Clone, Debug, Default)]
pub(crate) struct AtWork(Arc<Mutex<Option<(&'static str, Moment)>>>);

impl AtWork {
    fn seen(&self) -> MutexGuard<'_, Option<(&'static str, Moment)>> {
        lock(&self.0)
    }

    fn said(&self) -> String {
        let seen = *self.seen();
        seen.map_or("another change".to_owned(), |(name, since)| {
            let seconds = Moment::now().since(since).as_secs();
            format!("`{name}`, at work for {seconds} s")
        })
    }
}

/// The way to the agent.
#[derive(Clone, Debug)]
pub(crate) struct ChangeQueue {
    address: Address<Change>,
    at_work: AtWork,
}

/// Performs changes.
#[derive(Debug)]
pub(crate) struct Changes {
    at_work: AtWork,
}

/// What each life starts from.
#[derive(Clone)]
pub(crate) struct Beginning {
    at_work: AtWork,
    /// Told that it is there, with the tree it is in.
    is_there: Arc<dyn Fn(Observer, ChangeQueue) + Send + Sync>,
}

impl fmt::Debug for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beginning").finish_non_exhaustive()
    }
}

impl Changes {
    /// The agent, and the way to it. `is_there` is told when it has started.
    pub(crate) fn child(
        is_there: impl Fn(Observer, ChangeQueue) + Send + Sync + 'static,
    ) -> (Child<Self>, ChangeQueue) {
        let at_work = AtWork::default();
        let beginning = Beginning {
            at_work: at_work.clone(),
            is_there: Arc::new(is_there),
        };
        let child = Child::of::<Self>("changes", beginning).capacity(WAITING_MAX);
        let address = child.address();
        (child, ChangeQueue { address, at_work })
    }
}

impl Agent for Changes {
    type Message = Change;
    type Spec = Beginning;

    async fn start(beginning: Beginning, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let Beginning { at_work, is_there } = beginning;
        *at_work.seen() = None;
        let queue = ChangeQueue {
            address: ctx.address(),
            at_work: at_work.clone(),
        };
        is_there(ctx.observer(), queue);
        Ok(Self { at_work })
    }

    async fn handle(&mut self, change: Change, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        if change.begins.is_some_and(|begins| begins.send(()).is_err()) {
            return Ok(());
        }
        *self.at_work.seen() = Some((change.name, Moment::now()));
        (change.perform)().await;
        *self.at_work.seen() = None;
        Ok(())
    }

    fn state(&self) -> Option<Value> {
        Some(json!({ "at_work": self.at_work.seen().map(|(name, _)| name) }))
    }
}

impl ChangeQueue {
    /// Has `perform` done in its turn, and waits for what comes of it. Whoever asked through `fleet` is told where it
    /// has to wait.
    pub(crate) async fn change<T, F>(
        &self,
        name: &'static str,
        fleet: &Fleet,
        perform: impl FnOnce(Fleet) -> F + Send + 'static,
    ) -> Result<T, Trouble>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        let (begins, begun) = oneshot::channel();
        let (done, outcome) = oneshot::channel();
        // Nobody else waits while one who asked is slow to hear.
        let silent = fleet.clone().silent();
        let perform = move || {
            let doing = async move {
                // Who asked may be gone; it is done all the same.
                let _unheard = done.send(perform(silent).await);
            };
            Box::pin(doing) as Doing
        };
        let before = *self.at_work.seen();
        self.hand_in(name, Some(begins), Box::new(perform))?;
        if let Some((name, since)) = before {
            let for_ms = millis(Moment::now().since(since));
            fleet.tell(json!({ "waits_for": name, "for_ms": for_ms })).await;
        }
        self.wait_for_turn(begun, TURN_WITHIN).await?;
        // As long as it takes is as long as agents take to start and stop.
        fleet.tell(json!({ "begun": name })).await;
        outcome.await.map_err(|_| broken_off(name))?
    }

    /// Has `perform` done in its turn, for nobody who waits.
    pub(crate) fn change_unasked<F>(
        &self,
        name: &'static str,
        perform: impl FnOnce() -> F + Send + 'static,
    ) -> Result<(), Trouble>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.hand_in(name, None, Box::new(move || Box::pin(perform())))
    }

    fn hand_in(
        &self,
        name: &'static str,
        begins: Option<oneshot::Sender<()>>,
        perform: Box<dyn FnOnce() -> Doing + Send>,
    ) -> Result<(), Trouble> {
        let change = Change { name, begins, perform };
        self.address.try_send(change).map_err(|refused| {
            let message = format!(
                "{name} was not begun: {}; the first is {}",
                refused.why,
                self.at_work.said()
            );
            Trouble::new(Code::Refused, message, "ask again when it is done")
        })
    }

    async fn wait_for_turn(&self, mut begun: oneshot::Receiver<()>, within: Duration) -> Result<(), Trouble> {
        match tokio::time::timeout(within, &mut begun).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(broken_off("the change")),
            Err(_) => {
                begun.close();
                // It may have begun at that very moment, and is carried through then.
                begun.try_recv().map_err(|_| {
                    let message = format!("another change goes first: {}", self.at_work.said());
                    Trouble::new(Code::Refused, message, "ask again when it is done")
                })
            }
        }
    }
}

fn broken_off(name: &str) -> Trouble {
    Trouble::new(
        Code::Failed,
        format!("{name} was broken off: the agent gateway/changes, or the runtime, ended"),
        "see how far it came with `triarch tree`, and ask again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn queue() -> (Tree, ChangeQueue) {
        let (changes, queue) = Changes::child(|_, _| {});
        let gateway = Supervisor::named("gateway").child(changes);
        (Root::new().supervisor(gateway).start().await.unwrap(), queue)
    }

    /// Hands in a change that is at work until the sender is dropped.
    async fn hold(queue: &ChangeQueue) -> oneshot::Sender<()> {
        let (begins, begun) = oneshot::channel();
        let (held, until) = oneshot::channel();
        let doing = || Box::pin(async { drop(until.await) }) as Doing;
        queue.hand_in("first", Some(begins), Box::new(doing)).unwrap();
        begun.await.unwrap();
        held
    }

    type Notes = Arc<Mutex<Vec<&'static str>>>;

    fn noting(notes: &Notes, begin: &'static str, end: &'static str) -> Box<dyn FnOnce() -> Doing + Send> {
        let notes = Arc::clone(notes);
        let note = move |note| notes.lock().unwrap().push(note);
        Box::new(move || {
            Box::pin(async move {
                note(begin);
                tokio::task::yield_now().await;
                note(end);
            })
        })
    }

    #[tokio::test]
    async fn one_whose_turn_does_not_come_in_time_is_refused_and_never_made() {
        let (tree, queue) = queue().await;
        let (held, notes) = (hold(&queue).await, Notes::default());
        let (begins, begun) = oneshot::channel();
        queue
            .hand_in("second", Some(begins), noting(&notes, "second", "second"))
            .unwrap();
        let refused = queue.wait_for_turn(begun, Duration::ZERO).await.unwrap_err();
        assert_eq!(refused.code, Code::Refused);
        assert!(refused.message.contains("`first`"), "{}", refused.message);
        let (begins, begun) = oneshot::channel();
        queue
            .hand_in("third", Some(begins), noting(&notes, "third", "third"))
            .unwrap();
        drop(held);
        queue.wait_for_turn(begun, TURN_WITHIN).await.unwrap();
        tree.stop().await;
        assert!(!notes.lock().unwrap().contains(&"second"));
    }

    #[tokio::test]
    async fn so_many_wait_and_no_more_and_each_is_made_after_the_one_before_it() {
        let (tree, queue) = queue().await;
        let (held, notes) = (hold(&queue).await, Notes::default());
        for _ in 1..WAITING_MAX {
            queue
                .hand_in("another", None, noting(&notes, "begins", "ends"))
                .unwrap();
        }
        let (begins, begun) = oneshot::channel();
        queue.hand_in("last", Some(begins), noting(&notes, "", "")).unwrap();
        let refused = queue.hand_in("another", None, noting(&notes, "begins", "ends"));
        assert_eq!(refused.unwrap_err().code, Code::Refused);
        drop(held);
        queue.wait_for_turn(begun, TURN_WITHIN).await.unwrap();
        assert_eq!(
            notes.lock().unwrap()[..2 * (WAITING_MAX - 1)],
            ["begins", "ends"].repeat(WAITING_MAX - 1)
        );
        tree.stop().await;
    }

    #[tokio::test]
    async fn one_that_begins_at_the_last_moment_is_not_refused() {
        let (_, queue) = Changes::child(|_, _| {});
        for _ in 0..20_000 {
            let (begins, begun) = oneshot::channel();
            let worker = tokio::task::spawn_blocking(move || begins.send(()).is_ok());
            let waited = queue.wait_for_turn(begun, Duration::ZERO).await;
            assert_eq!(worker.await.unwrap(), waited.is_ok());
        }
    }
}
