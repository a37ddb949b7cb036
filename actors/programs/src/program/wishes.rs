//! What a program wished for, and is at work.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::hearing::{Answered, Hearing};
use crate::services::{REQUEST, Services, Wish};

/// From so many on that are not fulfilled yet a program is not listened to.
const WISHES_MAX: usize = 64;

/// Wishes at work.
#[derive(Debug, Default)]
pub(super) struct Wishes(FuturesUnordered<Wishing>);

/// A wish at work.
struct Wishing {
    service: &'static str,
    fulfilling: Pin<Box<dyn Future<Output = Answered> + Send>>,
}

impl fmt::Debug for Wishing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wishing")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

impl Future for Wishing {
    type Output = Answered;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Answered> {
        self.fulfilling.as_mut().poll(cx)
    }
}

impl Wishes {
    /// Whether there are as many as may be.
    pub(super) fn are_many(&self) -> bool {
        self.0.len() >= WISHES_MAX
    }

    pub(super) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Has what the program wished for seen to; tells whether there was anything.
    pub(super) fn begin(&mut self, hearing: &mut Hearing, services: &Arc<dyn Services>, path: &Arc<str>) -> bool {
        let is_any = !hearing.wishes.is_empty();
        for Wish { service, id, what } in hearing.wishes.drain(..) {
            let fulfilling = services.fulfil(path, service, what);
            let fulfilling = Box::pin(async move {
                let outcome = fulfilling.await;
                Answered { service, id, outcome }
            });
            self.0.push(Wishing { service, fulfilling });
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

    /// What a program wishes for that is about to end is done all the same, though nobody waits for the answers.
    pub(super) fn poll_unheard(&mut self, hearing: &mut Hearing, cx: &mut task::Context<'_>) {
        while let Poll::Ready(Some(answered)) = self.0.poll_next_unpin(cx) {
            hearing.answer(Answered { id: None, ..answered });
        }
    }

    /// Refuses what it wished for beyond as many as may be.
    pub(super) fn turn_down(&self, hearing: &mut Hearing) {
        let room = WISHES_MAX.saturating_sub(self.0.len()).min(hearing.wishes.len());
        for Wish { service, .. } in hearing.wishes.split_off(room) {
            let why = format!("{WISHES_MAX} others wait already, and it is about to end");
            hearing.answer(Answered {
                service,
                id: None,
                outcome: Err(why),
            });
        }
    }

    /// Of a question whose asker hears no answer nothing is left to be done.
    pub(super) fn ask_no_more(&mut self) {
        let all = std::mem::take(&mut self.0).into_iter();
        self.0 = all.filter(|wish| wish.service != REQUEST).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_the_answers_to_one_that_has_ended() {
        let at_work = |service| Wishing {
            service,
            fulfilling: Box::pin(std::future::pending()),
        };
        let mut wishes = Wishes(
            ["publish", REQUEST, "memory", REQUEST]
                .map(at_work)
                .into_iter()
                .collect(),
        );
        wishes.ask_no_more();
        let mut left: Vec<_> = wishes.0.iter().map(|wish| wish.service).collect();
        left.sort_unstable();
        assert_eq!(left, ["memory", "publish"]);
    }
}
