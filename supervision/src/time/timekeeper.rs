//! Who fires what falls due: wheels that any thread may reach, and one actor that sleeps until the next moment.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::num::NonZeroU8;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};

use ractor::ActorRef;

use super::wheel::{EntryKey, Wheel};
use crate::ask::{Gate, NoAnswer};
use crate::clock::Moment;
use crate::mailbox::Bell;
use crate::supervisor::Order;
use crate::supervisor::machine::Alarm;
use crate::sync::{Spin, SpinGuard};

/// Threads spread over this many wheels, so that askers seldom meet on a lock.
const SHARDS: u8 = 4;
const NEVER: u64 = u64::MAX;

/// What happens at a moment.
pub(crate) enum Due {
    /// A question is out of time.
    Timeout(Arc<dyn Gate>),
    /// A supervisor wants to be reminded. Each start of a child sets one and most call it off, so it needs no box.
    Alarm(ActorRef<Order>, Alarm),
    /// Anything else; it must not block.
    Call(Box<dyn FnOnce() + Send>),
}

impl fmt::Debug for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout(_) => "Timeout",
            Self::Alarm(..) => "Alarm",
            Self::Call(_) => "Call",
        })
    }
}

impl Due {
    fn fire(self) {
        match self {
            Self::Timeout(gate) => {
                gate.fail(NoAnswer::Timeout);
            }
            Self::Alarm(supervisor, alarm) => {
                // A supervisor that is gone needs no reminder.
                let _sent = supervisor.cast(Order::Alarm(alarm));
            }
            Self::Call(call) => call(),
        }
    }
}

/// Names one thing that is to happen. There is one for each agent, so none takes no more room than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// From 1.
    shard: NonZeroU8,
    entry: EntryKey,
}

const _: () = assert!(
    size_of::<Option<Key>>() == size_of::<Key>(),
    "a key leaves room for none"
);

/// The deadlines of a tree.
#[derive(Debug)]
pub(crate) struct Timekeeper {
    shards: [Spin<Wheel<Due>>; SHARDS as usize],
    /// The moment the keeper sleeps until.
    asleep_until: AtomicU64,
    bell: Bell,
}

impl Timekeeper {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            shards: std::array::from_fn(|_| Spin::new(Wheel::new(now))),
            asleep_until: AtomicU64::new(NEVER),
            bell: Bell::default(),
        }
    }

    pub(crate) fn arm(&self, at: Moment, due: Due) -> Key {
        let shard = own_shard();
        let entry = self.wheel(shard.get()).insert(at, due);
        if at.as_nanos() < self.asleep_until.load(Ordering::SeqCst)
            && at.as_nanos() < self.asleep_until.fetch_min(at.as_nanos(), Ordering::SeqCst)
        {
            self.bell.ring();
        }
        Key { shard, entry }
    }

    pub(crate) fn disarm(&self, key: Key) {
        let removed = self.wheel(key.shard.get()).remove(key.entry);
        // The item's own drop is not for under the lock.
        drop(removed);
    }

    fn wheel(&self, shard: u8) -> SpinGuard<'_, Wheel<Due>> {
        self.shards[usize::from(shard % SHARDS)].lock()
    }

    /// The tree has ended: nobody keeps its time any more, so nothing may go on waiting for it.
    pub(crate) fn end(&self) {
        for shard in 0..SHARDS {
            let drained = self.wheel(shard).drain();
            for due in drained {
                if let Due::Timeout(gate) = due {
                    gate.fail(NoAnswer::Closed);
                }
            }
        }
    }

    /// Fires what is due; the life of the keeper's actor.
    pub(crate) async fn keep(&self) {
        let mut due = Vec::new();
        loop {
            let now = Moment::now();
            for shard in 0..SHARDS {
                self.wheel(shard).expire(now, &mut due);
            }
            for due in due.drain(..) {
                // Whom it wakes is not the tree's; nothing else that is due may be lost with it.
                crate::panics::quietly(|| due.fire());
            }
            self.sleep().await;
        }
    }

    async fn sleep(&self) {
        let mut sleeping = std::pin::pin!(tokio::time::sleep(std::time::Duration::ZERO));
        let mut until = None;
        std::future::poll_fn(|cx: &mut Context<'_>| {
            // First forget, then look: who arms in between sees that nobody sleeps, and rings.
            self.bell.answer_with(cx.waker());
            self.asleep_until.store(NEVER, Ordering::SeqCst);
            let next = (0..SHARDS).filter_map(|shard| self.wheel(shard).next()).min();
            let Some(next) = next else { return Poll::Pending };
            self.asleep_until.fetch_min(next.as_nanos(), Ordering::SeqCst);
            if until != Some(next) {
                until = Some(next);
                sleeping.as_mut().reset(next.instant());
            }
            sleeping.as_mut().poll(cx)
        })
        .await;
    }
}

/// The number of the calling thread's wheel, from 1.
fn own_shard() -> NonZeroU8 {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    thread_local! {
        static OWN: Cell<Option<NonZeroU8>> = const { Cell::new(None) };
    }
    OWN.with(|own| {
        own.get().unwrap_or_else(|| {
            let next = NonZeroU8::MIN.saturating_add(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
            own.set(Some(next));
            next
        })
    })
}
