//! What programs said.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use triarch_programs::{LogError, LogLine, Query};

use super::meant::find_agent;
use super::memory::when::When;

use super::{Code, Operation, QUICK, Trouble, caused};
use crate::fleet::Fleet;
use crate::wall_clock::wall_clock;

/// Shows what a program said, and what happened to it.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LogsRead {
    /// The agent: its path, or its name where only one has it.
    pub(crate) agent: String,
    /// Goes on with what comes.
    #[arg(short, long)]
    #[serde(default)]
    pub(crate) follow: bool,
    /// Only lines that are no older than that, as 10m, or than a time such as 2026-11-22T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    #[serde(default)]
    pub(crate) since: Option<When>,
    /// Only lines of that life.
    #[arg(long, value_name = "LIFE")]
    #[serde(default)]
    pub(crate) incarnation: Option<u64>,
    /// Only the last so many; 100, or all where it is said since when, or of which life.
    #[arg(long, value_name = "LINES")]
    #[serde(default)]
    pub(crate) last: Option<usize>,
}

/// So many are shown where nobody says which.
const LAST: usize = 100;

/// How many lines were told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogsTold {
    pub(crate) lines: usize,
}

impl Operation for LogsRead {
    const NAME: &'static str = "agent.logs";
    const WHILE_IT_STARTS: bool = true;
    type Output = LogsTold;

    fn answered_within(&self) -> Option<Duration> {
        (!self.follow).then_some(QUICK)
    }

    fn stays(&self) -> bool {
        self.follow
    }

    async fn perform(self, fleet: &Fleet) -> Result<LogsTold, Trouble> {
        let place = find_agent(fleet, &self.agent)?;
        let logs = fleet.programs().logs();
        // A log is called after the team, whatever part of it the agent stands in.
        let agent = place.plain();
        let mut told = LogsTold { lines: 0 };
        if !self.follow {
            tell(fleet, &logs.read(&agent, self.query()).await?, &mut told).await;
            return Ok(told);
        }
        let mut following = logs.follow(&agent, self.query())?;
        loop {
            let lines = following.next().await?;
            if lines.is_empty() {
                return Ok(told);
            }
            tell(fleet, &lines, &mut told).await;
        }
    }
}

async fn tell(fleet: &Fleet, lines: &[LogLine], told: &mut LogsTold) {
    for line in lines {
        if let Ok(value) = serde_json::to_value(line) {
            fleet.tell(value).await;
            told.lines += 1;
        }
    }
}

impl LogsRead {
    fn query(&self) -> Query {
        let is_of_all = self.since.is_none() && self.incarnation.is_none();
        Query {
            since: self.since.map(|since| since.seen_from(wall_clock())),
            incarnation: self.incarnation,
            last: self.last.or_else(|| is_of_all.then_some(LAST)),
        }
    }
}

impl From<LogError> for Trouble {
    fn from(error: LogError) -> Self {
        let code = match error {
            LogError::NoPath { .. } => Code::Usage,
            LogError::NoLog { .. } => Code::NotFound,
            LogError::Read { .. } => Code::Failed,
        };
        Self::new(code, caused(&error), "")
    }
}
