//! Everything about one agent in one screen, and nothing guessed.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use triarch_programs::InHand;
use triarch_supervision::clock::Moment;
use triarch_supervision::policy::{OnLimit, Restart, Shutdown};
use triarch_supervision::supervisor::{ChildState, ChildStatus};
use triarch_supervision::tree::{Phase, RestartBudget};
use triarch_teams::Span;
use triarch_work::dispatcher::Taking;

use super::health::HealthSeen;
use super::meant::find_agent;
use super::past::{Past, values};
use super::runtime::stuck;
use super::seen::{MailboxSeen, Place, SHOWN_WITHIN, ago, millis, program_at, shown_by, span};
use super::{Operation, Trouble};
use crate::fleet::Fleet;

/// Tells why an agent is as it is.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Why {
    /// The agent: its path, or its name where only one has it.
    pub(crate) agent: String,
}

/// Why an agent is as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WhyShown {
    pub(crate) path: String,
    pub(crate) state: String,
    /// How long it has been so. Of one that is busy, or whose program has posts, how long it has been at what it is at, or has had
    /// something to do at least; of one that is idle, how long ago it had. Unknown where nobody noted that.
    pub(crate) for_ms: Option<u64>,
    /// The post that its program has had for longest.
    #[serde(default)]
    pub(crate) at: Option<AtSeen>,
    /// How many posts its program has, and has not answered.
    #[serde(default)]
    pub(crate) posts: usize,
    /// That its handler is longer at a message than it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stuck: Option<String>,
    pub(crate) incarnation: u64,
    pub(crate) restarts: u64,
    pub(crate) last_exit: Option<String>,
    pub(crate) mailbox: Option<MailboxSeen>,
    /// How its program is, where it has one and lives.
    #[serde(default)]
    pub(crate) health: Option<HealthSeen>,
    /// What its supervisor does next, or would do at its next end.
    pub(crate) next: Option<String>,
    /// When it is started again, while it waits for that.
    pub(crate) restart_in_ms: Option<u64>,
    /// What its supervisor goes by.
    pub(crate) policy: Vec<String>,
    /// What it last showed of itself.
    pub(crate) shown: Option<Value>,
    /// The tasks that it has.
    #[serde(default)]
    pub(crate) tasks: Vec<TaskHeld>,
    /// Whether it is given more of them, where it takes any.
    #[serde(default)]
    pub(crate) taking: Option<Taking>,
    /// The processes of its program.
    pub(crate) processes: Vec<Value>,
    #[serde(flatten)]
    pub(crate) past: Past,
}

/// A post that a program has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AtSeen {
    /// What it asks for.
    pub(crate) kind: String,
    /// How long the program has had it.
    pub(crate) for_ms: u64,
}

impl From<&InHand> for AtSeen {
    fn from(in_hand: &InHand) -> Self {
        Self {
            kind: in_hand.kind.to_string(),
            for_ms: ago(in_hand.since),
        }
    }
}

/// A task that an agent has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TaskHeld {
    pub(crate) task: u64,
    /// `ahead`, `handed`, `begun`, `over` or `recalled`.
    pub(crate) standing: String,
}

impl Operation for Why {
    const NAME: &'static str = "why";
    const WHILE_IT_STARTS: bool = true;
    type Output = WhyShown;

    async fn perform(self, fleet: &Fleet) -> Result<WhyShown, Trouble> {
        let place = find_agent(fleet, &self.agent)?;
        let observer = fleet.observer();
        let own_words = shown_by(fleet, &place.path).await?;
        let own_words = fleet.ground().full_disks.beside(own_words, &place.path);
        // A team that is down says nothing of its agents, and one that starts may be busy with that.
        let team = fleet.team(&place.team)?;
        let children = tokio::time::timeout(SHOWN_WITHIN, team.which_children()).await;
        let children = children.ok().and_then(Result::ok).unwrap_or_default();
        let child = children.iter().find(|child| child.name.as_str() == place.name);
        let processes = fleet.programs().processes(&place.plain()).await;
        let past = Past::of(fleet, &place).await?;
        let node = observer.node(&place.path)?;
        let supervisor = node.path.rsplit_once('/').map_or("", |(supervisor, _)| supervisor);
        let budget = observer.restart_budget(supervisor).ok().flatten();
        let restart_in = node.restart_at.map(|at| at.since(Moment::now()));
        let outlook = child.zip(budget).map(|(child, budget)| Outlook {
            supervisor,
            state: node.state,
            restart_in,
            restart: child.policy.restart,
            on_limit: child.policy.on_limit,
            child: child.state,
            budget,
        });
        let running = program_at(&node).and_then(|path| fleet.programs().records().running(&path));
        let at = running
            .as_ref()
            .and_then(|running| running.oldest.as_ref())
            .map(AtSeen::from);
        let (mailbox, health) = (MailboxSeen::of(&node, fleet), HealthSeen::of(fleet, &place));
        let doing = Doing {
            at: at.as_ref().map(|at| at.for_ms).or_else(|| node.stuck_since.map(ago)),
            mailbox: mailbox.as_ref(),
            last_answer: health.as_ref().and_then(|health| health.last_answer_ms),
            in_state: since(&past, node.state),
            paused: fleet.ground().paused_since(&place.plain()).map(ago),
        };
        let for_ms = doing.for_ms(node.state);
        let deviations = fleet.ground().deviations();
        let by_hand = match node.state {
            _ if deviations.has_stopped_team(&place.team) => Some(ByHand::TeamStopped),
            Phase::Paused => Some(ByHand::Paused { for_ms }),
            Phase::Stopped if deviations.has_stopped(&place.plain()) => Some(ByHand::Stopped),
            _ => None,
        };
        Ok(WhyShown {
            processes: values(&processes),
            state: node.state.label().to_owned(),
            for_ms,
            at,
            posts: running.map_or(0, |running| running.posts_unanswered),
            stuck: stuck(&node),
            incarnation: node.incarnation,
            restarts: node.restarts,
            last_exit: node.last_exit.as_ref().map(ToString::to_string),
            mailbox,
            health,
            next: by_hand
                .map(|by_hand| by_hand.words(&place))
                .or_else(|| outlook.map(|outlook| outlook.words())),
            restart_in_ms: restart_in.map(millis),
            policy: child.map_or_else(Vec::new, policy),
            shown: own_words,
            tasks: tasks(fleet, &place.plain()),
            taking: fleet.taking(&place.plain()),
            past,
            path: place.path,
        })
    }
}

fn tasks(fleet: &Fleet, path: &str) -> Vec<TaskHeld> {
    let held = fleet.in_hand_of(path).into_iter();
    held.map(|held| TaskHeld {
        task: held.task.number(),
        standing: super::written_as(&held.standing),
    })
    .collect()
}

/// How long it has been so, where its history reaches back.
fn since(past: &Past, state: Phase) -> Option<u64> {
    let last = past.history.first()?;
    let is_it = last.to == state.label() && !last.is_of_earlier_runtime;
    is_it.then_some(last.ago_ms)
}

/// What is known of how long an agent does what it does, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Doing<'a> {
    /// How long it has been at one message.
    at: Option<u64>,
    mailbox: Option<&'a MailboxSeen>,
    /// How long ago its program answered.
    last_answer: Option<u64>,
    /// How long ago its history says that it is so.
    in_state: Option<u64>,
    /// How long ago somebody paused it.
    paused: Option<u64>,
}

impl Doing<'_> {
    /// How long it has been in that state, where somebody noted that. Its history tells of lives and not of messages.
    fn for_ms(&self, state: Phase) -> Option<u64> {
        let has_handled = self.mailbox.is_some_and(|mailbox| mailbox.handled + mailbox.failed > 0);
        match state {
            Phase::Paused => self.paused,
            // It has had something to do since the oldest of its messages came, or longer.
            Phase::Busy => self.at.or(self.mailbox.and_then(|mailbox| mailbox.oldest_age_ms)),
            Phase::Idle if self.at.is_some() => self.at,
            Phase::Idle if self.last_answer.is_some() => self.last_answer.min(self.in_state.or(self.last_answer)),
            Phase::Idle if has_handled => None,
            _ => self.in_state,
        }
    }
}

/// What somebody wanted by hand, before which nothing else follows.
enum ByHand {
    TeamStopped,
    Stopped,
    Paused { for_ms: Option<u64> },
}

impl ByHand {
    fn words(&self, place: &Place) -> String {
        match self {
            Self::TeamStopped => format!("its team was stopped by hand: `triarch team start {}`", place.team),
            Self::Stopped => format!("was stopped by hand: `triarch agent restart {}`", place.plain()),
            Self::Paused { for_ms } => {
                let when = for_ms.map_or("before this runtime began".to_owned(), |millis| {
                    format!("{} ago", span(millis))
                });
                format!("paused by hand {when}; `triarch agent resume` lets it go on")
            }
        }
    }
}

/// What follows, and what it depends on.
struct Outlook<'a> {
    /// The path of its supervisor.
    supervisor: &'a str,
    state: Phase,
    restart_in: Option<Duration>,
    restart: Restart,
    on_limit: OnLimit,
    child: ChildState,
    budget: RestartBudget,
}

impl Outlook<'_> {
    fn words(&self) -> String {
        let RestartBudget {
            used, allowed, period, ..
        } = self.budget;
        let (period, supervisor) = (humantime::format_duration(period), self.supervisor);
        // The restarts are those of all its children.
        let bears = format!("{allowed} that {supervisor} bears within {period}");
        let limit = match self.on_limit {
            OnLimit::Escalate => "its team gives up",
            OnLimit::Quarantine => "it stays down until somebody restarts it",
        };
        if let Some(time) = self.restart_in {
            let time = humantime::format_duration(Duration::from_millis(millis(time)));
            return format!("starts again in {time}: restart {used} of the {bears}, then {limit}");
        }
        if self.child == ChildState::Quarantined {
            let all = format!("{supervisor} bears within {period}, for all of its agents together: {allowed}");
            return format!("stays down until somebody restarts it; restarts that {all}");
        }
        let is_down = matches!(self.state, Phase::Failed | Phase::Stopped);
        match self.child {
            // The wait stands beside the one that failed; the others of its group have none of their own.
            ChildState::Restarting if is_down => {
                return "starts again with its group, once all of it has stopped and its wait is over".to_owned();
            }
            ChildState::Starting if is_down => return "is about to start".to_owned(),
            _ => {}
        }
        let end = match (self.state, self.restart) {
            (Phase::Failed | Phase::Stopped, _) => return "stays down until somebody restarts it".to_owned(),
            (_, Restart::Temporary) => return "is not started again when it ends".to_owned(),
            (_, Restart::Transient) => "fails",
            (_, Restart::Permanent) => "ends",
        };
        if used < allowed {
            format!("if it {end}: restart {} of the {bears}, then {limit}", used + 1)
        } else {
            format!("if it {end}: {limit}, as there were {used} restarts of the {bears}")
        }
    }
}

fn shutdown(shutdown: Shutdown) -> String {
    match shutdown {
        Shutdown::Within(time) => format!("within {}", Span(time)),
        other => super::written_as(&other).replace('_', " "),
    }
}

/// What decides over its next end, in words.
fn policy(child: &ChildStatus) -> Vec<String> {
    let policy = &child.policy;
    let mut words = vec![
        format!("restart: {}", super::written_as(&policy.restart)),
        format!("shutdown: {}", shutdown(policy.shutdown)),
        format!("when it fails too often: {}", super::written_as(&policy.on_limit)),
    ];
    if let Some(backoff) = policy.backoff {
        words.push(format!(
            "waits between restarts: {} ms, growing by {} up to {} ms",
            millis(backoff.first),
            backoff.factor,
            millis(backoff.max)
        ));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(change: impl FnOnce(&mut Outlook<'_>)) -> String {
        let mut outlook = Outlook {
            supervisor: "mix",
            state: Phase::Idle,
            restart_in: None,
            restart: Restart::Permanent,
            on_limit: OnLimit::Escalate,
            child: ChildState::Running,
            budget: RestartBudget::new(2, 5, Duration::from_secs(30)),
        };
        change(&mut outlook);
        outlook.words()
    }

    #[test]
    fn how_long_it_has_been_so_is_told_by_its_messages_and_not_by_its_life() {
        let mailbox: MailboxSeen = serde_json::from_value(serde_json::json!({
            "depth": 0, "capacity": 9, "high_water": 1, "oldest_age_ms": 300, "enqueued": 7, "handled": 6, "failed": 0, "dropped": 0,
        }))
        .unwrap();
        let unused = MailboxSeen { handled: 0, ..mailbox };
        let known = Doing {
            mailbox: Some(&mailbox),
            in_state: Some(9_000),
            ..Doing::default()
        };
        let table = [
            (known, Phase::Busy, Some(300)),
            (Doing { at: Some(200), ..known }, Phase::Busy, Some(200)),
            (known, Phase::Idle, None),
            (
                Doing {
                    mailbox: Some(&unused),
                    ..known
                },
                Phase::Idle,
                Some(9_000),
            ),
            (
                Doing {
                    last_answer: Some(500),
                    ..known
                },
                Phase::Idle,
                Some(500),
            ),
            (
                Doing {
                    last_answer: Some(10_000),
                    ..known
                },
                Phase::Idle,
                Some(9_000),
            ),
            (
                Doing {
                    at: Some(200),
                    last_answer: Some(500),
                    ..known
                },
                Phase::Idle,
                Some(200),
            ),
            (known, Phase::Stopped, Some(9_000)),
        ];
        for (doing, state, expected) in table {
            assert_eq!(doing.for_ms(state), expected, "{doing:?} {state:?}");
        }
    }

    #[test]
    fn what_follows_is_told_as_policy_has_it() {
        let table = [
            (
                words(|_| {}),
                "if it ends: restart 3 of the 5 that mix bears within 30s, then its team gives up",
            ),
            (
                words(|outlook| outlook.restart = Restart::Transient),
                "if it fails: restart 3 of the 5 that mix bears within 30s, then its team gives up",
            ),
            (
                words(|outlook| outlook.restart = Restart::Temporary),
                "is not started again when it ends",
            ),
            (
                words(|outlook| outlook.budget.used = 5),
                "if it ends: its team gives up, as there were 5 restarts of the 5 that mix bears within 30s",
            ),
            (
                words(|outlook| {
                    outlook.restart_in = Some(Duration::from_micros(850_900));
                    outlook.on_limit = OnLimit::Quarantine;
                }),
                "starts again in 850ms: restart 2 of the 5 that mix bears within 30s, then it stays down until somebody restarts it",
            ),
            (
                words(|outlook| (outlook.state, outlook.child) = (Phase::Stopped, ChildState::Down)),
                "stays down until somebody restarts it",
            ),
            (
                words(|outlook| (outlook.state, outlook.child) = (Phase::Stopped, ChildState::Restarting)),
                "starts again with its group, once all of it has stopped and its wait is over",
            ),
            (
                words(|outlook| (outlook.state, outlook.child) = (Phase::Failed, ChildState::Starting)),
                "is about to start",
            ),
            (
                words(|outlook| {
                    outlook.state = Phase::Failed;
                    outlook.child = ChildState::Quarantined;
                }),
                "stays down until somebody restarts it; restarts that mix bears within 30s, for all of its agents together: 5",
            ),
        ];
        for (said, expected) in table {
            assert_eq!(said, expected);
        }
    }
}
