//! An agent that records what it receives, and the test's end of it.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use crate::address::Address;
use crate::agent::{Agent, Context};
use crate::child::Child;
use crate::message::Message;
use crate::reason::Failure;
use crate::sync::lock;

/// How long [`Probe::expect_next`] waits, by the world's clock.
const PATIENCE: Duration = Duration::from_mins(1);

/// The test's end of an agent that records what it receives.
pub struct Probe<M: Message> {
    address: Address<M>,
    record: Arc<Record<M>>,
}

/// The agent behind a [`Probe`].
pub struct Recorder<M>(Arc<Record<M>>);

struct Record<M> {
    messages: Mutex<VecDeque<M>>,
    came: Notify,
}

impl<M> fmt::Debug for Recorder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl<M: Message> fmt::Debug for Probe<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe")
            .field("path", &self.address.path())
            .finish_non_exhaustive()
    }
}

/// What a [`Recorder`] starts from.
pub struct Shelf<M>(Arc<Record<M>>);

impl<M> Clone for Shelf<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> fmt::Debug for Shelf<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf").finish_non_exhaustive()
    }
}

impl<M: Message> Agent for Recorder<M> {
    type Message = M;
    type Spec = Shelf<M>;

    async fn start(shelf: Shelf<M>, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(shelf.0))
    }

    async fn handle(&mut self, message: M, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        lock(&self.0.messages).push_back(message);
        self.0.came.notify_one();
        Ok(())
    }
}

impl<M: Message + fmt::Debug> Probe<M> {
    /// The child to put into a tree, and the probe that tells what it received.
    pub fn child(name: &str) -> (Child<Recorder<M>>, Self) {
        let record = Arc::new(Record {
            messages: Mutex::new(VecDeque::new()),
            came: Notify::new(),
        });
        let child = Child::of::<Recorder<M>>(name, Shelf(Arc::clone(&record)));
        let address = child.address();
        (child, Self { address, record })
    }

    /// Where it is sent to.
    pub fn address(&self) -> Address<M> {
        self.address.clone()
    }

    /// What it has received and nobody has taken yet.
    pub fn waiting(&self) -> usize {
        lock(&self.record.messages).len()
    }

    /// The next message, if one is there already.
    pub fn try_next(&mut self) -> Option<M> {
        lock(&self.record.messages).pop_front()
    }

    /// The next message; waits a minute of the world's time.
    ///
    /// # Panics
    /// Where none comes.
    #[track_caller]
    pub fn expect_next(&mut self) -> impl Future<Output = M> {
        self.expect_next_within(PATIENCE)
    }

    /// The next message.
    ///
    /// # Panics
    /// Where none comes within `limit`.
    #[track_caller]
    #[expect(clippy::panic, reason = "this is the assertion the probe makes")]
    pub fn expect_next_within(&mut self, limit: Duration) -> impl Future<Output = M> {
        let asked_at = Location::caller();
        async move {
            self.next_within(limit).await.unwrap_or_else(|| {
                let figures = self.address.figures();
                panic!(
                    "{}: expected a message at {} within {limit:?}, and none came; {} wait in its mailbox, {} were handled",
                    asked_at,
                    self.address.path(),
                    figures.depth,
                    figures.handled,
                )
            })
        }
    }

    /// Waits for `limit`.
    ///
    /// # Panics
    /// Where a message comes meanwhile.
    #[track_caller]
    #[expect(clippy::panic, reason = "this is the assertion the probe makes")]
    pub fn expect_none_within(&mut self, limit: Duration) -> impl Future<Output = ()> {
        let asked_at = Location::caller();
        async move {
            if let Some(message) = self.next_within(limit).await {
                panic!(
                    "{asked_at}: expected no message at {} within {limit:?}, and {message:?} came",
                    self.address.path()
                );
            }
        }
    }

    async fn next_within(&mut self, limit: Duration) -> Option<M> {
        let next = async {
            loop {
                if let Some(message) = lock(&self.record.messages).pop_front() {
                    return message;
                }
                self.record.came.notified().await;
            }
        };
        tokio::time::timeout(limit, next).await.ok()
    }
}
