//! How the program of an agent is, as operations show it.

use serde::{Deserialize, Serialize};
use triarch_programs::Vitals;

use super::seen::{Place, millis};
use crate::fleet::Fleet;

/// How a program is, with the figures that say so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HealthSeen {
    /// `unknown`, `healthy`, `degraded`, `critical` or `failed`.
    pub(crate) state: String,
    /// Why, where it is not healthy.
    pub(crate) reason: Option<String>,
    /// How long ago it last said something, where it declares a heartbeat.
    pub(crate) last_sign_ms: Option<u64>,
    /// How long ago it last answered a post, in whichever life.
    #[serde(default)]
    pub(crate) last_answer_ms: Option<u64>,
    /// How many posts it has answered in this runtime.
    pub(crate) answers: u64,
    /// How long it takes to answer at present.
    pub(crate) answers_in_ms: Option<u64>,
    /// How long it usually takes; unknown before there were enough answers.
    pub(crate) usually_in_ms: Option<u64>,
    /// The share of failures among its last answers, of 1.
    pub(crate) failures: Option<f64>,
    /// How long after its last fall it had handled a post.
    pub(crate) recovered_in_ms: Option<u64>,
}

impl HealthSeen {
    /// Of the agent there, where it has a program and lives.
    pub(super) fn of(fleet: &Fleet, place: &Place) -> Option<Self> {
        fleet.programs().records().vitals(&place.plain()).map(Self::from)
    }
}

impl From<Vitals> for HealthSeen {
    fn from(vitals: Vitals) -> Self {
        Self {
            state: vitals.health.label().to_owned(),
            reason: vitals.reason,
            last_sign_ms: vitals.last_sign.map(millis),
            last_answer_ms: vitals.last_answer.map(millis),
            answers: vitals.answers,
            answers_in_ms: vitals.answers_in.map(millis),
            usually_in_ms: vitals.usually_in.map(millis),
            failures: vitals.failures,
            recovered_in_ms: vitals.recovered_in.map(millis),
        }
    }
}

/// Programs that have given no sign of life for long, in words.
pub(super) fn critical(fleet: &Fleet) -> impl Iterator<Item = String> {
    let unwell = fleet.programs().records().critical().into_iter();
    unwell.map(|(path, vitals)| {
        let reason = vitals.reason.map_or_else(String::new, |reason| format!(": {reason}"));
        format!("{path} is {}{reason}", vitals.health.label())
    })
}
