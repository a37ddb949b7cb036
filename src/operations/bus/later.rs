//! What is to be published later.

use clap::Args;
use serde::{Deserialize, Serialize};
use triarch_bus::{PlanView, ScheduleId};
use triarch_teams::Span;

use super::super::{Code, Operation, Trouble};
use super::time::written;
use super::{MOST, most};
use crate::fleet::Fleet;

/// Lists what is to be published later, soonest first.
#[derive(Args, Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BusPlanned {
    /// No more than so many.
    #[arg(long, value_name = "COUNT", default_value_t = MOST)]
    #[serde(default = "most")]
    pub(crate) most: usize,
}

/// Something that is to be published later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlannedSeen {
    /// By which it is called off.
    pub(crate) schedule: u64,
    /// When it comes next.
    pub(crate) next: String,
    pub(crate) topic: String,
    pub(crate) from: String,
    pub(crate) kind: String,
    /// In which steps it comes, or at which times of day; nothing where it comes once.
    pub(crate) again: Option<String>,
    /// Whether it outlives the runtime.
    pub(crate) is_durable: bool,
}

impl From<PlanView> for PlannedSeen {
    fn from(plan: PlanView) -> Self {
        let every = plan.every.map(|every| format!("every {}", Span(every)));
        Self {
            schedule: plan.id.number(),
            next: written(plan.next),
            topic: plan.to.as_str().to_owned(),
            from: plan.from.to_string(),
            kind: plan.kind.to_string(),
            again: every.or_else(|| plan.daily.map(|times| format!("daily {times}"))),
            is_durable: plan.is_durable,
        }
    }
}

impl Operation for BusPlanned {
    const NAME: &'static str = "bus.planned";
    type Output = Vec<PlannedSeen>;

    async fn perform(self, fleet: &Fleet) -> Result<Vec<PlannedSeen>, Trouble> {
        let planned = fleet.bus()?.planned(self.most);
        Ok(planned.into_iter().map(PlannedSeen::from).collect())
    }
}

/// Calls off what was to be published later.
#[derive(Args, Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct BusCancel {
    /// The number that `bus publish` told, and `bus planned` shows.
    pub(crate) schedule: u64,
}

/// What is published no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CancelledSeen {
    pub(crate) schedule: u64,
}

impl Operation for BusCancel {
    const NAME: &'static str = "bus.cancel";
    type Output = CancelledSeen;

    async fn perform(self, fleet: &Fleet) -> Result<CancelledSeen, Trouble> {
        let schedule = self.schedule;
        if fleet.bus()?.cancel(ScheduleId::new(schedule)).await? {
            return Ok(CancelledSeen { schedule });
        }
        let message = format!("nothing of the number {schedule} is to be published later");
        let remedy = "it came already, or was called off before; `triarch bus planned` shows what is still to come";
        Err(Trouble::new(Code::NotFound, message, remedy))
    }
}
