//! When it is looked what is due; and what follows from nobody having looked.

use std::time::Duration;

use triarch_supervision::prelude::*;
use triarch_supervision::tree::{Observer, Phase};

use super::actor::Queue;
use super::machine::{Tasks, Turn};
use super::outcome::Outcome;
use crate::error::Refusal;
use crate::metrics::Gauged;
use crate::sight;

/// How often what the clocks outside show is noted, and gauges are set.
const NOTE_EVERY: Duration = Duration::from_secs(5);
/// So much later than it should have been looked nobody was here: the runtime or the whole machine stood still.
const LATE: Duration = Duration::from_secs(1);

/// Before something is open again: what was noted of the clocks before that may be long ago.
pub(super) fn anchor_first(tasks: &mut Tasks, turn: &mut Turn) -> Result<(), Refusal> {
    if tasks.has_open() || tasks.is_draining() || tasks.is_anchored_since(turn.now, NOTE_EVERY) {
        return Ok(());
    }
    tasks.anchor(turn, sight::look())
}

/// Whether the whole runtime stops in order. A supervisor that begins anew, or gives up, stops its children alike.
pub(super) fn is_last_stop(observer: &Observer) -> bool {
    observer.node("root").is_ok_and(|root| root.state == Phase::Stopping)
}

impl Queue {
    /// When it is looked again, whoever asks for something before that.
    pub(super) fn looks_next(&self) -> Moment {
        if self.closed.is_some() {
            return self.looks_at;
        }
        self.timepiece.moment_of(self.tasks.next_due()).min(self.notes_at)
    }

    pub(super) async fn look(&mut self) -> Result<(), Failure> {
        let now = Moment::now();
        if self.closed.is_some() {
            if self.looks_at <= now {
                self.try_again().await;
            }
            return Ok(());
        }
        self.tasks.tick(&mut self.turn)?;
        let mut outcomes = Vec::new();
        if self.notes_at <= now {
            self.notes_at = now + NOTE_EVERY;
            // Where nothing is open no time matters, and an idle disk may sleep.
            if self.tasks.has_open() {
                self.tasks.anchor(&mut self.turn, sight::look())?;
            }
            let (teller, gauged) = (self.settings.teller.clone(), Gauged::of(&self.tasks));
            outcomes.push(Outcome::known(move || teller.gauge(&gauged)));
        }
        self.hand_over(outcomes).await;
        Ok(())
    }

    /// While nobody was here nobody could say that they live: leases go on as if there had been no such time, as they do over an
    /// end of the runtime.
    pub(super) async fn pass_over_standstill(&mut self, now: Moment) -> Result<(), Failure> {
        // Whoever is behind with what is due has not stood still.
        let was_here = now.since(self.looks_next()) <= LATE || self.tasks.left_for(self.turn.now) <= LATE;
        if was_here || self.is_stopped() || !self.tasks.has_open() {
            return Ok(());
        }
        // Until it was to be looked nobody was missed.
        let last = self.timepiece.at(self.looks_next());
        self.tasks.resume_since(&mut self.turn, last)?;
        self.hand_over(Vec::new()).await;
        Ok(())
    }
}
