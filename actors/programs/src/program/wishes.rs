//! What a program wished for, and is at work.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::hearing::{Answered, Hearing};
use crate::services::{Services, Wish};

/// From so many on that are not fulfilled yet a program is not listened to.
const WISHES_MAX: usize = 64;
/// How long the last wishes of a program that has ended may take.
const LAST_WISHES: Duration = Duration::from_secs(2);

/// Wishes at work.
#[derive(Debug, Default)]
pub(super) struct Wishes(FuturesUnordered<Wishing>);

/// A wish at work.
type Wishing = Pin<Box<dyn Future<Output = Answered> + Send>>;

impl Wishes {
    /// Whether there are as many as may be.
    pub(super) fn are_many(&self) -> bool {
        self.0.len() >= WISHES_MAX
    }

    /// Has what the program wished for seen to; tells whether there was anything.
    pub(super) fn begin(&mut self, hearing: &mut Hearing, services: &Arc<dyn Services>, path: &Arc<str>) -> bool {
        let is_any = !hearing.wishes.is_empty();
        for Wish { service, id, what } in hearing.wishes.drain(..) {
            let fulfilling = services.fulfil(path, service, what);
            self.0.push(Box::pin(async move {
                let outcome = fulfilling.await;
                Answered { service, id, outcome }
            }));
        }
        is_any
    }

    /// Tells the program what came of them; returns whether one was fulfilled.
    pub(super) fn poll(&mut self, hearing: &mut Hearing, cx: &mut task::Context<'_>) -> bool {
        let mut is_any = false;
        while let Poll::Ready(Some(answered)) = self.0.poll_next_unpin(cx) {
            hearing.answer(answered);
            is_any = true;
        }
        is_any
    }

    /// What a program wished for before its end is done all the same, though nobody waits for the answers.
    pub(super) async fn see_to_last(&mut self, hearing: &mut Hearing) {
        let last = async {
            while let Some(answered) = self.0.next().await {
                hearing.answer(Answered { id: None, ..answered });
            }
        };
        // What takes longer is given up.
        let _given_up = tokio::time::timeout(LAST_WISHES, last).await;
    }
}
