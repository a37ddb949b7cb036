//! The typed handles that supervisors, agents and mailboxes count with.

use std::sync::Arc;

use super::census::Census;
use super::counter::{Counter, Elapsed};
use super::families;
use super::gauge::Gauge;
use super::histogram::Histogram;
use super::instruments::{Fan, Fans, InstrumentError, Instruments, Labelled};
use super::roll::{Member, Roll};
use crate::reason::ExitReason;

/// What supervision counts: events by handles that each part asks for once, levels by a [`Census`].
#[derive(Debug)]
pub(crate) struct SupervisionMetrics {
    /// Time from spawn request to a started actor.
    pub actor_spawn_seconds: Arc<Histogram>,
    /// Time from a failure to the child running again.
    pub restart_seconds: Arc<Histogram>,
    /// Enqueue to dequeue, of sampled messages.
    pub mailbox_wait_seconds: Arc<Histogram>,
    /// Levels in the tree.
    pub supervision_depth: Arc<Gauge>,
    /// Share of messages whose times are recorded.
    pub message_timing_sample_ratio: Arc<Gauge>,
    pub(super) mailboxes: Fan<Gauge>,
    pub(super) types: Roll<TypeMetrics>,
    pub(super) supervisors: Roll<SupervisorMetrics>,
    pub(super) kinds: Roll<KindMetrics>,
    dead_letters: Fan<Counter>,
    type_families: TypeFamilies,
    supervisor_families: SupervisorFamilies,
    kind_families: KindFamilies,
}

impl SupervisionMetrics {
    /// The handles, from instruments whose catalogue has [`families::SUPERVISION`], [`families::MAILBOX`] and [`families::AGENT`].
    pub(crate) fn new(instruments: &Instruments) -> Result<Self, InstrumentError> {
        Ok(Self {
            actor_spawn_seconds: instruments.single(&families::ACTOR_SPAWN_SECONDS)?,
            restart_seconds: instruments.single(&families::SUPERVISOR_RESTART_SECONDS)?,
            mailbox_wait_seconds: instruments.single(&families::MAILBOX_WAIT_SECONDS)?,
            supervision_depth: instruments.single(&families::SUPERVISION_DEPTH)?,
            message_timing_sample_ratio: instruments.single(&families::MESSAGE_TIMING_SAMPLE_RATIO)?,
            mailboxes: instruments.fans(&families::MAILBOXES)?.with([]),
            types: Roll::default(),
            supervisors: Roll::default(),
            kinds: Roll::default(),
            dead_letters: instruments.fans(&families::DEAD_LETTERS)?.with([]),
            type_families: TypeFamilies::new(instruments)?,
            supervisor_families: SupervisorFamilies::new(instruments)?,
            kind_families: KindFamilies::new(instruments)?,
        })
    }

    /// The handles of a type of agent; all series of it begin with the first call.
    pub(crate) fn of_type(&self, actor_type: &str) -> Arc<TypeMetrics> {
        let make = |index| self.type_families.begin(actor_type, index);
        self.types.of(actor_type, make)
    }

    /// The handles of a supervisor. The parts of a team that was split pass the team's name, or they would fill the bound.
    pub(crate) fn of_supervisor(&self, supervisor: &str) -> Arc<SupervisorMetrics> {
        let make = |index| self.supervisor_families.begin(supervisor, index);
        self.supervisors.of(supervisor, make)
    }

    /// The handles of a kind of agent: one of [`families::AGENT_KIND`].
    pub(crate) fn of_kind(&self, kind: &str) -> Arc<KindMetrics> {
        let make = |index| self.kind_families.begin(kind, index);
        self.kinds.of(kind, make)
    }

    /// Messages that reached no handler for that reason: one of [`families::DEAD_LETTER_REASON`].
    pub(crate) fn dead_letters(&self, reason: &str) -> &Counter {
        self.dead_letters.at(reason)
    }

    /// Begins to count what there is now.
    pub(crate) fn census(&self) -> Census<'_> {
        Census::new(self)
    }
}

/// What happens to one type of agent. Types beyond the label's bound share one of these.
#[derive(Debug)]
pub(crate) struct TypeMetrics {
    /// Actors started.
    pub spawns: Arc<Counter>,
    /// Handler run time, of sampled messages.
    pub message_handle_seconds: Arc<Histogram>,
    /// Time senders were held back.
    pub backpressure_wait_seconds: Arc<Elapsed>,
    pub(super) actors: Arc<Gauge>,
    pub(super) mailbox_messages: Arc<Gauge>,
    pub(super) mailbox_messages_max: Arc<Gauge>,
    pub(super) mailbox_oldest_age_seconds: Arc<Gauge>,
    stops: Fan<Counter>,
    enqueued: Fan<Counter>,
    handled: Fan<Counter>,
    dropped: Fan<Counter>,
    index: usize,
}

impl TypeMetrics {
    /// Actors that ended for that reason.
    pub(crate) fn stops(&self, reason: &ExitReason) -> &Counter {
        self.stops.at(reason.label())
    }

    /// Messages accepted with that priority: `critical`, `high`, `normal`, `low`, `background`.
    pub(crate) fn enqueued(&self, priority: &str) -> &Counter {
        self.enqueued.at(priority)
    }

    /// Messages handled well.
    pub(crate) fn handled_ok(&self) -> &Counter {
        self.handled.at("ok")
    }

    /// Messages whose handler returned an error or panicked.
    pub(crate) fn handled_error(&self) -> &Counter {
        self.handled.at("error")
    }

    /// Messages that never reached a handler for that reason: `full`, `closed`, `expired`.
    pub(crate) fn dropped(&self, reason: &str) -> &Counter {
        self.dropped.at(reason)
    }
}

/// What one supervisor does. Supervisors beyond the label's bound share one of these.
#[derive(Debug)]
pub(crate) struct SupervisorMetrics {
    /// Failures passed to the parent.
    pub escalations: Arc<Counter>,
    pub(super) children: Fan<Gauge>,
    pub(super) restart_budget_used_ratio: Arc<Gauge>,
    restarts: Fan<Counter>,
    index: usize,
}

impl SupervisorMetrics {
    /// Restarts decided because a child ended for that reason.
    pub(crate) fn restarts(&self, reason: &ExitReason) -> &Counter {
        self.restarts.at(reason.label())
    }
}

/// What agents of one kind do.
#[derive(Debug)]
pub(crate) struct KindMetrics {
    pub(super) agents: Fan<Gauge>,
    transitions: Fan<Counter>,
    index: usize,
}

impl KindMetrics {
    /// How often an agent of the kind entered that state, such as `idle`.
    pub(crate) fn transitions(&self, to: &str) -> &Counter {
        self.transitions.at(to)
    }
}

#[derive(Debug)]
struct TypeFamilies {
    actors: Labelled<Gauge, 1>,
    spawns: Labelled<Counter, 1>,
    stops: Fans<Counter, 1>,
    enqueued: Fans<Counter, 1>,
    handled: Fans<Counter, 1>,
    dropped: Fans<Counter, 1>,
    mailbox_messages: Labelled<Gauge, 1>,
    mailbox_messages_max: Labelled<Gauge, 1>,
    mailbox_oldest_age_seconds: Labelled<Gauge, 1>,
    message_handle_seconds: Labelled<Histogram, 1>,
    backpressure_wait_seconds: Labelled<Elapsed, 1>,
}

impl TypeFamilies {
    fn new(instruments: &Instruments) -> Result<Self, InstrumentError> {
        Ok(Self {
            actors: instruments.labelled(&families::ACTORS)?,
            spawns: instruments.labelled(&families::ACTOR_SPAWNS)?,
            stops: instruments.fans(&families::ACTOR_STOPS)?,
            enqueued: instruments.fans(&families::MESSAGES_ENQUEUED)?,
            handled: instruments.fans(&families::MESSAGES_HANDLED)?,
            dropped: instruments.fans(&families::MESSAGES_DROPPED)?,
            mailbox_messages: instruments.labelled(&families::MAILBOX_MESSAGES)?,
            mailbox_messages_max: instruments.labelled(&families::MAILBOX_MESSAGES_MAX)?,
            mailbox_oldest_age_seconds: instruments.labelled(&families::MAILBOX_OLDEST_AGE_SECONDS)?,
            message_handle_seconds: instruments.labelled(&families::MESSAGE_HANDLE_SECONDS)?,
            backpressure_wait_seconds: instruments.labelled(&families::BACKPRESSURE_WAIT_SECONDS)?,
        })
    }

    fn begin(&self, actor_type: &str, index: usize) -> TypeMetrics {
        TypeMetrics {
            spawns: self.spawns.with([actor_type]),
            message_handle_seconds: self.message_handle_seconds.with([actor_type]),
            backpressure_wait_seconds: self.backpressure_wait_seconds.with([actor_type]),
            actors: self.actors.with([actor_type]),
            mailbox_messages: self.mailbox_messages.with([actor_type]),
            mailbox_messages_max: self.mailbox_messages_max.with([actor_type]),
            mailbox_oldest_age_seconds: self.mailbox_oldest_age_seconds.with([actor_type]),
            stops: self.stops.with([actor_type]),
            enqueued: self.enqueued.with([actor_type]),
            handled: self.handled.with([actor_type]),
            dropped: self.dropped.with([actor_type]),
            index,
        }
    }
}

#[derive(Debug)]
struct SupervisorFamilies {
    children: Fans<Gauge, 1>,
    restarts: Fans<Counter, 1>,
    escalations: Labelled<Counter, 1>,
    restart_budget_used_ratio: Labelled<Gauge, 1>,
}

impl SupervisorFamilies {
    fn new(instruments: &Instruments) -> Result<Self, InstrumentError> {
        Ok(Self {
            children: instruments.fans(&families::SUPERVISOR_CHILDREN)?,
            restarts: instruments.fans(&families::SUPERVISOR_RESTARTS)?,
            escalations: instruments.labelled(&families::SUPERVISOR_ESCALATIONS)?,
            restart_budget_used_ratio: instruments.labelled(&families::SUPERVISOR_RESTART_BUDGET_USED_RATIO)?,
        })
    }

    fn begin(&self, supervisor: &str, index: usize) -> SupervisorMetrics {
        SupervisorMetrics {
            escalations: self.escalations.with([supervisor]),
            children: self.children.with([supervisor]),
            restart_budget_used_ratio: self.restart_budget_used_ratio.with([supervisor]),
            restarts: self.restarts.with([supervisor]),
            index,
        }
    }
}

#[derive(Debug)]
struct KindFamilies {
    agents: Fans<Gauge, 1>,
    transitions: Fans<Counter, 1>,
}

impl KindFamilies {
    fn new(instruments: &Instruments) -> Result<Self, InstrumentError> {
        Ok(Self {
            agents: instruments.fans(&families::AGENTS)?,
            transitions: instruments.fans(&families::AGENT_TRANSITIONS)?,
        })
    }

    fn begin(&self, kind: &str, index: usize) -> KindMetrics {
        KindMetrics {
            agents: self.agents.with([kind]),
            transitions: self.transitions.with([kind]),
            index,
        }
    }
}

impl Member for TypeMetrics {
    fn label(&self) -> &str {
        self.stops.name()
    }

    fn index(&self) -> usize {
        self.index
    }
}

impl Member for SupervisorMetrics {
    fn label(&self) -> &str {
        self.children.name()
    }

    fn index(&self) -> usize {
        self.index
    }
}

impl Member for KindMetrics {
    fn label(&self) -> &str {
        self.agents.name()
    }

    fn index(&self) -> usize {
        self.index
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::shown::{metrics, shown};
    use super::*;
    use crate::reason::{Failure, KillCause, PanicReport};

    fn reasons() -> [ExitReason; 6] {
        let panic = PanicReport {
            message: "boom".into(),
            location: None,
        };
        [
            ExitReason::Normal,
            ExitReason::Shutdown,
            ExitReason::AutoShutdown,
            ExitReason::Killed(KillCause::Overdue),
            ExitReason::Error(Failure::new("no tea")),
            ExitReason::Panic(panic),
        ]
    }

    #[test]
    fn what_happens_to_a_type_is_counted_under_its_name() {
        let (instruments, metrics) = metrics();
        let echo = metrics.of_type("Echo");
        echo.spawns.increment();
        echo.message_handle_seconds.observe(Duration::from_micros(3));
        echo.backpressure_wait_seconds.add(Duration::from_millis(500));
        echo.enqueued("high").add(7);
        echo.handled_ok().add(6);
        echo.handled_error().add(1);
        echo.dropped("expired").add(4);
        let expected = [
            "triarch_actor_spawns_total{Echo} 1",
            "triarch_backpressure_wait_seconds_total{Echo} 0.5",
            "triarch_message_handle_seconds{Echo} 1",
            "triarch_messages_dropped_total{Echo,expired} 4",
            "triarch_messages_enqueued_total{Echo,high} 7",
            "triarch_messages_handled_total{Echo,error} 1",
            "triarch_messages_handled_total{Echo,ok} 6",
        ];
        assert_eq!(shown(&instruments), expected);
    }

    #[test]
    fn every_reason_of_an_end_has_its_word() {
        let (instruments, metrics) = metrics();
        let echo = metrics.of_type("Echo");
        let team = metrics.of_supervisor("team");
        for reason in reasons() {
            echo.stops(&reason).increment();
            team.restarts(&reason).increment();
        }
        let counted = [
            ("error", 1),
            ("killed", 1),
            ("normal", 1),
            ("panic", 1),
            ("shutdown", 2),
        ];
        let stops = counted.map(|(reason, count)| format!("triarch_actor_stops_total{{Echo,{reason}}} {count}"));
        let restarts =
            counted.map(|(reason, count)| format!("triarch_supervisor_restarts_total{{team,{reason}}} {count}"));
        assert_eq!(shown(&instruments), [stops, restarts].concat());
    }

    #[test]
    fn what_a_supervisor_does_is_counted_under_its_name() {
        let (instruments, metrics) = metrics();
        let team = metrics.of_supervisor("team");
        team.escalations.increment();
        assert_eq!(shown(&instruments), ["triarch_supervisor_escalations_total{team} 1"]);
    }

    #[test]
    fn what_concerns_all_is_counted_once() {
        let (instruments, metrics) = metrics();
        metrics.actor_spawn_seconds.observe(Duration::from_micros(9));
        metrics.restart_seconds.observe(Duration::from_micros(9));
        metrics.mailbox_wait_seconds.observe(Duration::from_micros(3));
        metrics.supervision_depth.set(3.0);
        metrics.message_timing_sample_ratio.set(0.01);
        for reason in ["full", "closed", "expired", "crashed", "poison", "no_such_agent"] {
            metrics.dead_letters(reason).increment();
        }
        let expected = [
            "triarch_actor_spawn_seconds{} 1",
            "triarch_dead_letters_total{closed} 1",
            "triarch_dead_letters_total{crashed} 1",
            "triarch_dead_letters_total{expired} 1",
            "triarch_dead_letters_total{full} 1",
            "triarch_dead_letters_total{no_such_agent} 1",
            "triarch_dead_letters_total{poison} 1",
            "triarch_mailbox_wait_seconds{} 1",
            "triarch_message_timing_sample_ratio{} 0.01",
            "triarch_supervision_depth{} 3",
            "triarch_supervisor_restart_seconds{} 1",
        ];
        assert_eq!(shown(&instruments), expected);
    }

    #[test]
    fn what_agents_enter_is_counted_by_kind() {
        let (instruments, metrics) = metrics();
        metrics.of_kind("program").transitions("backoff").increment();
        assert_eq!(
            shown(&instruments),
            ["triarch_agent_transitions_total{program,backoff} 1"]
        );
    }

    #[test]
    fn a_thousand_types_and_supervisors_have_no_more_series_than_the_bound_allows() {
        let (instruments, metrics) = metrics();
        for index in 0..1_000 {
            metrics.of_type(&format!("Type{index}")).spawns.increment();
            metrics.of_supervisor(&format!("team-{index}"));
        }
        for reading in instruments.read() {
            let (series, bound) = (reading.samples.len(), reading.family.series_max());
            assert!(series <= bound, "{} has {series}, over {bound}", reading.family.name);
        }
        let lines = shown(&instruments);
        for expected in [
            "triarch_actor_spawns_total{other} 968",
            "triarch_metrics_label_overflow_total{triarch_actor_spawns_total} 968",
            "triarch_metrics_label_overflow_total{triarch_supervisor_escalations_total} 968",
        ] {
            assert!(lines.iter().any(|line| line == expected), "{expected}\n{lines:#?}");
        }
    }
}
