//! What a program wished for, and is at work.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::hearing::{Answered, Hearing};
use crate::services::{REQUEST, Services, Wish};

/// So many are at work at a time. From so many on that are not fulfilled yet a program is not listened to; what was heard
/// together with the last of them waits.
const WISHES_MAX: usize = 64;
/// From so many bytes of answers on that the program has not read no more are fetched.
const ANSWERS_MAX: usize = 1 << 20;

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
    /// Whether there are as many as may be, with those that wait.
    pub(super) fn are_many(&self, hearing: &Hearing) -> bool {
        self.0.len() + hearing.wishes.len() >= WISHES_MAX
    }

    /// Whether none is at work or waits.
    pub(super) fn are_none(&self, hearing: &Hearing) -> bool {
        self.0.is_empty() && hearing.wishes.is_empty()
    }

    /// Whether the program has so many answers to read that it gets no more of them.
    pub(super) fn are_left(hearing: &Hearing) -> bool {
        hearing.machine.answers() >= ANSWERS_MAX
    }

    /// How many more may be at work, of those that wait.
    fn room(&self, hearing: &Hearing) -> usize {
        WISHES_MAX.saturating_sub(self.0.len()).min(hearing.wishes.len())
    }

    /// Has what the program wished for seen to, in its order; tells whether there was anything.
    pub(super) fn begin(&mut self, hearing: &mut Hearing, services: &Arc<dyn Services>, path: &Arc<str>) -> bool {
        let room = self.room(hearing);
        for Wish { service, id, what } in hearing.wishes.drain(..room) {
            let fulfilling = services.fulfil(path, service, what);
            let fulfilling = Box::pin(async move {
                let outcome = fulfilling.await;
                Answered { service, id, outcome }
            });
            self.0.push(Wishing { service, fulfilling });
        }
        room > 0
    }

    /// Tells the program what came of them; returns whether one was fulfilled.
    pub(super) fn poll(&mut self, hearing: &mut Hearing, cx: &mut task::Context<'_>) -> bool {
        let mut is_any = false;
        while !Self::are_left(hearing)
            && let Poll::Ready(Some(answered)) = self.0.poll_next_unpin(cx)
        {
            hearing.answer(answered);
            is_any = true;
        }
        is_any
    }

    /// What a program wishes for that is about to end is done all the same, though nobody waits for the answers; and so nothing is
    /// left to be done of its questions.
    pub(super) fn see_to_unheard(
        &mut self,
        hearing: &mut Hearing,
        services: &Arc<dyn Services>,
        path: &Arc<str>,
        cx: &mut task::Context<'_>,
    ) {
        hearing.wishes.retain(|wish| wish.service != REQUEST);
        loop {
            self.begin(hearing, services, path);
            while let Poll::Ready(Some(answered)) = self.0.poll_next_unpin(cx) {
                hearing.answer(Answered { id: None, ..answered });
            }
            // Those that are done have made room for others.
            if self.room(hearing) == 0 {
                return;
            }
        }
    }

    /// Refuses what it wished for beyond as many as may be.
    pub(super) fn turn_down(&self, hearing: &mut Hearing) {
        let room = self.room(hearing);
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
        let all: Vec<_> = std::mem::take(&mut self.0).into_iter().collect();
        // They come out newest first, and are polled in the order they are put in.
        self.0 = all.into_iter().rev().filter(|wish| wish.service != REQUEST).collect();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Mutex;

    use super::*;

    /// One at work that says its number when it is polled, and is never done.
    fn noted(service: &'static str, number: usize, noted: &Arc<Mutex<Vec<usize>>>) -> Wishing {
        let noted = Arc::clone(noted);
        let fulfilling = poll_fn(move |_| {
            noted.lock().unwrap().push(number);
            Poll::Pending
        });
        let fulfilling = Box::pin(fulfilling);
        Wishing { service, fulfilling }
    }

    #[test]
    fn nobody_waits_for_the_answers_to_one_that_has_ended_and_all_else_keeps_its_order() {
        let all = Arc::default();
        let services = ["publish", REQUEST, "memory", REQUEST, "publish", "submit"];
        let at_work = services.iter().enumerate();
        let mut wishes = Wishes(at_work.map(|(number, service)| noted(service, number, &all)).collect());
        for _again in 0..2 {
            wishes.ask_no_more();
            let polled = wishes
                .0
                .poll_next_unpin(&mut task::Context::from_waker(task::Waker::noop()));
            assert!(polled.is_pending());
            assert_eq!(std::mem::take(&mut *all.lock().unwrap()), [0, 2, 4, 5]);
        }
    }
}
