//! A life whose program has not begun.
//!
//! Where the machine has no room for another program it is tried again for a while, since that is no fault of the program
//! and no restart makes room. Else the life fails as soon as it lives, so that one program that is not there keeps no team
//! from starting.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep_until;
use triarch_supervision::prelude::*;
use triarch_teams::Post;

use super::actor::Program;
use super::machine::Machine;
use super::plan::Parts;
use super::talk::Talk;
use super::waits::StopWatch;
use crate::error::ProgramError;

/// How long there may be no room before the life fails, and the pauses between trials.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_LAST: Duration = Duration::from_secs(5);

/// Why its program has not begun, and when that is tried again.
#[derive(Debug)]
pub(super) struct Unborn {
    plan: Arc<Parts>,
    incarnation: u64,
    error: ProgramError,
    next: Moment,
    pause: Duration,
    until: Moment,
}

impl Unborn {
    pub(super) fn of(plan: Arc<Parts>, incarnation: u64, error: ProgramError) -> Self {
        let now = Moment::now();
        Self {
            plan,
            incarnation,
            error,
            next: now + PAUSE_FIRST,
            pause: PAUSE_FIRST,
            until: now + PATIENCE,
        }
    }

    /// The program, once there is room for it; or why there is none.
    pub(super) async fn begin(&mut self) -> Result<Talk, Failure> {
        while self.error.is_for_want() && self.next < self.until {
            sleep_until(self.next.instant()).await;
            match Talk::begin(Arc::clone(&self.plan), self.incarnation).await {
                Ok(talk) => return Ok(talk),
                Err(error) => self.error = error,
            }
            self.pause = (self.pause * 2).min(PAUSE_LAST);
            self.next = Moment::now() + self.pause;
        }
        Err(Failure::new(self.error.to_string()))
    }

    /// The program to take a post that waits here meanwhile. Where there is none, whoever lives next gets the post; and where
    /// there will be none in this life, the life fails, before it takes another post.
    pub(super) async fn begin_for(&mut self, post: Post, ctx: &mut Context<Program>) -> Result<Option<Talk>, Failure> {
        let stop = StopWatch::of(ctx);
        let begun = {
            let mut begun = std::pin::pin!(self.begin());
            loop {
                tokio::select! {
                    biased;
                    begun = &mut begun => break Some(begun),
                    () = stop.look() => if stop.is_asked() { break None },
                }
            }
        };
        match begun {
            Some(Ok(mut talk)) => {
                talk.take(post, ctx).await;
                Ok(Some(talk))
            }
            Some(Err(failure)) => {
                self.keep(post);
                Err(failure)
            }
            None => {
                self.keep(post);
                Ok(None)
            }
        }
    }

    /// No more are kept than may be with a program.
    fn keep(&self, post: Post) {
        let mut machine = Machine::new(self.plan.bounds(), self.plan.take_carried());
        let now = Moment::now();
        if machine.is_full() {
            let (waiting, _none) = machine.counts();
            let why = format!(
                "{waiting} posts wait already for its program, which cannot begin: {}",
                self.error
            );
            post.receipt.failed(why);
        } else {
            machine.take(post, now);
        }
        let (carried, _none) = machine.end(now);
        self.plan.carry(carried);
    }

    pub(super) fn state(&self) -> Value {
        json!({ "mode": "lines", "state": "not begun", "why": self.error.to_string() })
    }
}
