//! The handle of a bus: what is published later, once, or again and again.

use std::sync::Arc;
use std::time::Duration;

use triarch_supervision::clock::Moment;
use triarch_supervision::sync::lock;

use crate::access::NotAllowed;
use crate::agenda::{Again, Clocks, Due, Plan, ScheduleId, When};
use crate::archivist::Order;
use crate::bus::Bus;
use crate::daily::Daily;
use crate::envelope::{Destination, Draft, Timestamp};
use crate::error::{ArchiveError, PublishError};
use crate::hub::Hub;
use crate::metrics::Refusal;
use crate::topic::Topic;
use crate::wall_clock::timestamp;

/// Something that is to be published later, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanView {
    /// What calls it off.
    pub id: ScheduleId,
    /// When it comes next, by the clock of the world.
    pub next: Timestamp,
    /// Who planned it.
    pub from: Arc<str>,
    /// Where it goes.
    pub to: Destination,
    /// What it is, in a word of its publisher's choice.
    pub kind: Arc<str>,
    /// The time from one to the next, where it comes in steps.
    pub every: Option<Duration>,
    /// At which times of day it comes, where it does so.
    pub daily: Option<Daily>,
    /// Whether it is on disk.
    pub is_durable: bool,
}

impl PlanView {
    fn of(id: u64, plan: &Plan, next: Timestamp) -> Self {
        let (every, daily) = match &plan.again {
            Again::Never => (None, None),
            Again::Every(every) => (Some(*every), None),
            Again::Daily { times, .. } => (None, Some(times.clone())),
        };
        Self {
            id: ScheduleId::new(id),
            next,
            from: Arc::clone(&plan.from),
            to: plan.to.clone(),
            kind: Arc::clone(&plan.draft.kind),
            every,
            daily,
            is_durable: plan.first.is_some(),
        }
    }
}

impl Bus {
    /// The first `most` of what is to be published later, soonest first.
    pub fn planned(&self, most: usize) -> Vec<PlanView> {
        let clocks = clocks();
        let agenda = lock(&self.0.agenda);
        let first = agenda.plans().take(most);
        first
            .map(|(at, number, plan)| PlanView::of(number, plan, plan.next(at, clocks)))
            .collect()
    }

    /// Publishes after a while; it ends with the runtime.
    pub fn publish_after(
        &self,
        from: impl Into<Arc<str>>,
        topic: &Topic,
        draft: Draft,
        delay: Duration,
    ) -> Result<ScheduleId, PublishError> {
        self.publish_when(from.into(), topic, draft, When::After(delay))
    }

    /// Publishes again and again, first after `delay` and then each `every`; it ends with the runtime. Times that pass
    /// while nothing runs are skipped.
    pub fn publish_every(
        &self,
        from: impl Into<Arc<str>>,
        topic: &Topic,
        draft: Draft,
        delay: Duration,
        every: Duration,
    ) -> Result<ScheduleId, PublishError> {
        let first = delay;
        self.publish_when(from.into(), topic, draft, When::Every { first, every })
    }

    /// Publishes at times of day by the clock of the world, until it is called off or the runtime ends. Times that pass while
    /// nothing runs are skipped; where that clock jumps the next time is found anew, and none comes twice.
    pub fn publish_daily(
        &self,
        from: impl Into<Arc<str>>,
        topic: &Topic,
        draft: Draft,
        daily: Daily,
    ) -> Result<ScheduleId, PublishError> {
        self.publish_when(from.into(), topic, draft, When::Daily(daily))
    }

    fn publish_when(
        &self,
        from: Arc<str>,
        topic: &Topic,
        draft: Draft,
        when: When,
    ) -> Result<ScheduleId, PublishError> {
        self.check_plan(&from, topic, &draft)?;
        if self.0.archive.log_of(topic).is_some() {
            return Err(PublishError::Durable { topic: topic.clone() });
        }
        let placed = when.placed(clocks());
        let plan = Plan {
            from,
            to: Destination::Topic(topic.clone()),
            draft,
            again: placed.again,
            first: None,
        };
        let added = lock(&self.0.agenda).add(placed.at, plan);
        let id = added.inspect_err(|_| self.0.metrics.refused(Refusal::Full))?;
        self.0.wake.notify_one();
        Ok(id)
    }

    /// Publishes later on a durable topic. It is on disk when this returns: where the runtime ends before, it comes at the same
    /// time by the clock of the world, or, if that has passed, as soon as one runs; what comes again goes on.
    pub async fn publish_later_durably(
        &self,
        from: impl Into<Arc<str>>,
        topic: &Topic,
        draft: Draft,
        when: When,
    ) -> Result<ScheduleId, PublishError> {
        let (from, clocks) = (from.into(), clocks());
        self.check_plan(&from, topic, &draft)?;
        if self.0.archive.log_of(topic).is_none() {
            return Err(PublishError::NotDurable { topic: topic.clone() });
        }
        let archivist = self.0.archive.writer().await?;
        let placed = when.placed(clocks);
        let plan = Plan {
            from,
            to: Destination::Topic(topic.clone()),
            draft,
            again: placed.again.clone(),
            first: Some(placed.first),
        };
        let planned = Box::new((placed, plan));
        let answer = archivist.ask(|reply| Order::Plan(planned, reply)).await;
        answer.map_err(ArchiveError::Archivist)?
    }

    fn check_plan(&self, from: &Arc<str>, topic: &Topic, draft: &Draft) -> Result<(), PublishError> {
        self.check(from, topic)?;
        self.0.check_draft(from, draft)
    }

    /// Calls off what was to be published later; tells whether it was still to come. What was on disk is off it by then.
    pub async fn cancel(&self, id: ScheduleId) -> Result<bool, ArchiveError> {
        if let Some(was_to_come) = self.0.cancel_here(id) {
            return Ok(was_to_come);
        }
        let archivist = self.0.archive.writer().await?;
        let answer = archivist.ask(|reply| Order::Cancel(id.number(), reply)).await;
        answer.map_err(ArchiveError::Archivist)?
    }
}

pub(crate) fn clocks() -> Clocks {
    Clocks {
        now: Moment::now(),
        wall: timestamp(),
    }
}

impl Hub {
    /// Publishes what is due: its sender was checked when that was planned. False where it has to be tried again.
    pub(crate) fn carry_out(self: &Arc<Self>, due: &Due) -> bool {
        let plan = &due.plan;
        let Destination::Topic(topic) = &plan.to else {
            return true;
        };
        if let Err(refused) = self.may_still_come(plan, topic) {
            // One that stands on disk is told of once it is off it.
            if let Some(number) = due.number {
                return self.tell_archivist(Order::Over(number, Err(Box::new(refused))));
            }
            self.refuse(refused);
            return true;
        }
        let envelope = Box::new(self.seal(plan.draft.clone(), &plan.from, plan.to.clone()));
        match (self.archive.log_of(topic).cloned(), due.number) {
            (Some(log), Some(number)) => self.tell_archivist(Order::Due(log, envelope, number)),
            (Some(log), None) => self.tell_archivist(Order::Store(log, envelope, None)),
            // The configuration has let go of its log meanwhile.
            (None, Some(number)) => self.tell_archivist(Order::Over(number, Ok(envelope))),
            (None, None) => {
                self.deliver_at_once(topic, *envelope);
                true
            }
        }
    }

    /// Calls off what is not on disk; nothing where it is.
    fn cancel_here(&self, id: ScheduleId) -> Option<bool> {
        let mut agenda = lock(&self.agenda);
        (!agenda.is_durable(id)).then(|| agenda.cancel(id))
    }

    /// Who planned it for a later runtime may have lost the right since, with another configuration.
    fn may_still_come(&self, plan: &Plan, topic: &Topic) -> Result<(), NotAllowed> {
        if plan.first.is_none() {
            return Ok(());
        }
        self.access.check(&plan.from, "publish on", topic)
    }

    fn tell_archivist(&self, order: Order) -> bool {
        let archivist = self.archive.archivist.get();
        archivist.is_some_and(|archivist| archivist.try_send(order).is_ok())
    }

    /// Publishes something of the bus itself at once.
    pub(crate) fn tell(self: &Arc<Self>, topic: Topic, draft: Draft) {
        let plan = Plan {
            from: "bus".into(),
            to: Destination::Topic(topic),
            draft,
            again: Again::Never,
            first: None,
        };
        // What cannot be told now is not told.
        let _told = self.carry_out(&Due { plan, number: None });
    }
}
