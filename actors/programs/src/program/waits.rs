//! What is waited for beside pipes.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep_until};
use triarch_supervision::prelude::*;
use triarch_supervision::tree::{Observer, Phase};

/// An agent that never rested is not woken by a request to stop, so it looks.
const LOOK: Duration = Duration::from_millis(100);

/// Tells an agent that is busy with a message whether it is to stop, which it would otherwise learn afterwards.
#[derive(Debug)]
pub(super) struct StopWatch {
    observer: Observer,
    path: Arc<str>,
}

impl StopWatch {
    pub(super) fn of<A: Agent>(ctx: &Context<A>) -> Self {
        Self {
            observer: ctx.observer(),
            path: ctx.path(),
        }
    }

    /// Whether its supervisor has asked it to stop.
    pub(super) fn is_asked(&self) -> bool {
        self.observer
            .node(&self.path)
            .is_ok_and(|node| node.state == Phase::Stopping)
    }

    /// Waits until it is time to look whether it is.
    pub(super) async fn look(&self) {
        let mut look = pin!(tokio::time::sleep(LOOK));
        poll_fn(|cx| {
            if self.is_asked() || look.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }
}

/// Whether somebody has paused the agent.
pub(super) fn is_paused<A: Agent>(ctx: &Context<A>) -> bool {
    let node = ctx.observer().node(&ctx.path());
    node.is_ok_and(|node| node.state == Phase::Paused)
}

/// A timer that is made when first it is needed, and kept.
#[derive(Debug, Default)]
pub(super) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Whether `moment` has passed.
    pub(super) fn poll(&mut self, moment: Moment, cx: &mut task::Context<'_>) -> Poll<()> {
        let instant = moment.instant();
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(instant)));
        if sleep.deadline() != instant {
            sleep.as_mut().reset(instant);
        }
        sleep.as_mut().poll(cx)
    }
}

/// Waits for `end`, and does `meanwhile` as long as it has something to do.
pub(super) async fn until_end<T>(
    end: impl Future<Output = T>,
    mut meanwhile: impl FnMut(&mut task::Context<'_>) -> Poll<()>,
) -> T {
    let mut end = pin!(end);
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(end) = end.as_mut().poll(cx) {
                return Poll::Ready(end);
            }
            if meanwhile(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Waits for a moment, for ever where there is none.
pub(super) async fn passed(moment: Option<Moment>) {
    match moment {
        Some(moment) => sleep_until(moment.instant()).await,
        None => std::future::pending().await,
    }
}
