//! What is done where something was not written: tasks are what the disk has of them, or where that cannot be read, what it is
//! known to have.

use std::sync::Arc;
use std::time::Duration;

use triarch_supervision::prelude::*;

use super::actor::Queue;
use super::machine::Tasks;
use super::outcome::Crossing;
use super::recovered::{Rebuilt, rebuild};
use crate::error::TaskError;
use crate::sight;
use crate::task::State;

/// How soon it is tried again whether the disk takes something.
const TRY_EVERY: Duration = Duration::from_millis(500);

impl Queue {
    /// Something was not written: what nobody was told of is taken back, and nothing is changed until the disk takes
    /// something again.
    pub(super) async fn begin_anew(&mut self, why: String) -> Result<(), Failure> {
        self.closed = Some(why);
        self.turn.records.clear();
        self.turn.events.clear();
        self.lost = None;
        self.is_behind = true;
        self.try_again().await;
        if self.is_behind {
            self.take_back().await?;
        }
        Ok(())
    }

    /// Goes on where the disk takes something; else what it is known to have is shown, and nothing is changed.
    pub(super) async fn try_again(&mut self) {
        self.looks_at = Moment::now() + TRY_EVERY;
        // With all its causes, for the first of them hardly says where.
        self.closed = self.gone_on().await.err().map(|why| Failure::from(why).to_string());
    }

    /// The journal cannot be opened either: until it can, tasks are what they were before all that is not known to be there.
    async fn take_back(&mut self) -> Result<(), Failure> {
        self.crossing.forget_landed(&mut self.undos);
        self.undos.extend(self.tasks.take_undo());
        let empty = Tasks::new(self.settings.config.clone());
        let (tasks, undos) = (
            std::mem::replace(&mut self.tasks, empty),
            std::mem::take(&mut self.undos),
        );
        let taking = tokio::task::spawn_blocking(move || tasks.taken_back(undos.into_iter().rev()));
        self.tasks = taking.await?;
        self.crossing = Crossing::default();
        self.ready.clear();
        Ok(())
    }

    async fn gone_on(&mut self) -> Result<(), TaskError> {
        if self.is_behind || self.writer.renew().is_err() {
            self.take_up(rebuild(&self.settings).await?);
        }
        let records = self.tasks.going_on(self.timepiece.at(Moment::now()), sight::look())?;
        let upto = self.writer.write(records.clone()).await?;
        let mut events = Vec::new();
        for record in &records {
            self.tasks.replay_heard(record, &mut events)?;
        }
        self.tasks.begin_undo();
        self.settings.teller.tell(upto, events);
        Ok(())
    }

    fn take_up(&mut self, rebuilt: Rebuilt) {
        Rebuilt {
            tasks: self.tasks,
            writer: self.writer,
            written: self.written,
        } = rebuilt;
        // Whatever was handed over before it has been refused by now.
        self.broken.take();
        self.crossing = Crossing::default();
        self.undos.clear();
        self.tasks.begin_undo();
        // Some of these leases may be on disk no more, and their numbers go to others.
        self.untaken = Arc::default();
        self.is_behind = false;
        self.is_rebuilt = true;
        self.ready.clear();
        self.tell_ended();
    }

    /// The journal may have the end of a task of which nobody was told.
    fn tell_ended(&mut self) {
        for task in self.ends.awaited() {
            if self.tasks.state(task).is_none_or(State::is_end) {
                self.ends.tell(task, &self.show(task));
            }
        }
    }
}
