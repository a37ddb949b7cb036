//! The typed handles that supervisors, agents and mailboxes count with.

use std::sync::Arc;

use super::counter::{Counter, Elapsed};
use super::families;
use super::gauge::Gauge;
use super::histogram::Histogram;
use super::instruments::{Fan, Fans, InstrumentError, Instruments, Labelled};
use crate::policy::Strategy;
use crate::reason::ExitReason;
use crate::supervisor::machine::ChildState;

/// What supervision as a whole counts, and where its parts get handles of their own.
#[derive(Debug)]
pub struct SupervisionMetrics {
    /// Time from spawn request to a started actor.
    pub actor_spawn_seconds: Arc<Histogram>,
    /// Levels in the tree.
    pub supervision_depth: Arc<Gauge>,
    /// Share of messages whose times are recorded.
    pub message_timing_sample_ratio: Arc<Gauge>,
    dead_letters: Fan<Counter>,
    mailboxes: Fan<Gauge>,
    types: TypeFamilies,
    supervisors: SupervisorFamilies,
    agents: Fans<Gauge, 1>,
    agent_transitions: Fans<Counter, 1>,
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
    mailbox_wait_seconds: Labelled<Histogram, 1>,
    message_handle_seconds: Labelled<Histogram, 1>,
    backpressure_wait_seconds: Labelled<Elapsed, 1>,
}

#[derive(Debug)]
struct SupervisorFamilies {
    children: Fans<Gauge, 1>,
    restarts: Fans<Counter, 2>,
    restart_seconds: Labelled<Histogram, 1>,
    escalations: Labelled<Counter, 1>,
    restart_budget_used_ratio: Labelled<Gauge, 1>,
}

impl SupervisionMetrics {
    /// The handles, from instruments whose catalogue has [`families::SUPERVISION`], [`families::MAILBOX`] and [`families::AGENT`].
    pub fn new(instruments: &Instruments) -> Result<Self, InstrumentError> {
        Ok(Self {
            actor_spawn_seconds: instruments.single(&families::ACTOR_SPAWN_SECONDS)?,
            supervision_depth: instruments.single(&families::SUPERVISION_DEPTH)?,
            message_timing_sample_ratio: instruments.single(&families::MESSAGE_TIMING_SAMPLE_RATIO)?,
            dead_letters: instruments.fans(&families::DEAD_LETTERS)?.with([]),
            mailboxes: instruments.fans(&families::MAILBOXES)?.with([]),
            types: TypeFamilies::new(instruments)?,
            supervisors: SupervisorFamilies::new(instruments)?,
            agents: instruments.fans(&families::AGENTS)?,
            agent_transitions: instruments.fans(&families::AGENT_TRANSITIONS)?,
        })
    }

    /// The handles of a type of agent; every series of it begins now. Ask once per child specification.
    pub fn of_type(&self, actor_type: &str) -> TypeMetrics {
        self.types.of(actor_type)
    }

    /// The handles of a supervisor. Ask once, when it starts.
    pub fn of_supervisor(&self, supervisor: &str, strategy: Strategy) -> SupervisorMetrics {
        self.supervisors.of(supervisor, strategy)
    }

    /// The handles of a kind of agent: `native`, `program`, `terminal`, `acp`.
    pub fn of_kind(&self, kind: &str) -> KindMetrics {
        KindMetrics {
            agents: self.agents.with([kind]),
            transitions: self.agent_transitions.with([kind]),
        }
    }

    /// Messages that reached no handler for that reason: one of [`families::DEAD_LETTER_REASON`].
    pub fn dead_letters(&self, reason: &str) -> &Counter {
        self.dead_letters.at(reason)
    }

    /// Sets how many mailboxes there are in each band of depth, given how many messages wait in each mailbox.
    ///
    /// All bands are set together, so that they add up to the number of mailboxes.
    pub fn set_mailbox_depths(&self, depths: impl IntoIterator<Item = usize>) {
        let mut bands = [("0", 0), ("1-9", 0), ("10-99", 0), ("100-999", 0), ("1000+", 0)];
        for depth in depths {
            bands[band_of(depth)].1 += 1;
        }
        for (band, mailboxes) in bands {
            self.mailboxes.at(band).set_count(mailboxes);
        }
    }
}

fn band_of(depth: usize) -> usize {
    match depth {
        0 => 0,
        1..10 => 1,
        10..100 => 2,
        100..1000 => 3,
        _ => 4,
    }
}

/// The handles of one type of agent.
///
/// Counters of messages are advanced by a sampler to the sums of the mailboxes' own figures; gauges are set by it.
#[derive(Debug)]
pub struct TypeMetrics {
    /// Live actors.
    pub actors: Arc<Gauge>,
    /// Actors started.
    pub spawns: Arc<Counter>,
    /// Messages waiting in all mailboxes of the type.
    pub mailbox_messages: Arc<Gauge>,
    /// Messages waiting in the deepest of them.
    pub mailbox_messages_max: Arc<Gauge>,
    /// Age of the oldest message waiting in any of them.
    pub mailbox_oldest_age_seconds: Arc<Gauge>,
    /// Enqueue to dequeue, of sampled messages.
    pub mailbox_wait_seconds: Arc<Histogram>,
    /// Handler run time, of sampled messages.
    pub message_handle_seconds: Arc<Histogram>,
    /// Time senders were held back.
    pub backpressure_wait_seconds: Arc<Elapsed>,
    stops: Fan<Counter>,
    enqueued: Fan<Counter>,
    handled: Fan<Counter>,
    dropped: Fan<Counter>,
}

impl TypeMetrics {
    /// Actors that ended for that reason.
    pub fn stops(&self, reason: &ExitReason) -> &Counter {
        self.stops.at(reason.label())
    }

    /// Messages accepted with that priority: `critical`, `high`, `normal`, `low`, `background`.
    pub fn enqueued(&self, priority: &str) -> &Counter {
        self.enqueued.at(priority)
    }

    /// Messages handled well.
    pub fn handled_ok(&self) -> &Counter {
        self.handled.at("ok")
    }

    /// Messages whose handler returned an error or panicked.
    pub fn handled_error(&self) -> &Counter {
        self.handled.at("error")
    }

    /// Messages that never reached a handler for that reason: `full`, `closed`, `expired`.
    pub fn dropped(&self, reason: &str) -> &Counter {
        self.dropped.at(reason)
    }
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
            mailbox_wait_seconds: instruments.labelled(&families::MAILBOX_WAIT_SECONDS)?,
            message_handle_seconds: instruments.labelled(&families::MESSAGE_HANDLE_SECONDS)?,
            backpressure_wait_seconds: instruments.labelled(&families::BACKPRESSURE_WAIT_SECONDS)?,
        })
    }

    fn of(&self, actor_type: &str) -> TypeMetrics {
        TypeMetrics {
            actors: self.actors.with([actor_type]),
            spawns: self.spawns.with([actor_type]),
            stops: self.stops.with([actor_type]),
            enqueued: self.enqueued.with([actor_type]),
            handled: self.handled.with([actor_type]),
            dropped: self.dropped.with([actor_type]),
            mailbox_messages: self.mailbox_messages.with([actor_type]),
            mailbox_messages_max: self.mailbox_messages_max.with([actor_type]),
            mailbox_oldest_age_seconds: self.mailbox_oldest_age_seconds.with([actor_type]),
            mailbox_wait_seconds: self.mailbox_wait_seconds.with([actor_type]),
            message_handle_seconds: self.message_handle_seconds.with([actor_type]),
            backpressure_wait_seconds: self.backpressure_wait_seconds.with([actor_type]),
        }
    }
}

/// The handles of one supervisor.
#[derive(Debug)]
pub struct SupervisorMetrics {
    /// Time from a failure seen to the child running again.
    pub restart_seconds: Arc<Histogram>,
    /// Failures passed to the parent.
    pub escalations: Arc<Counter>,
    /// Restarts in the current window divided by the limit.
    pub restart_budget_used_ratio: Arc<Gauge>,
    children: Fan<Gauge>,
    restarts: Fan<Counter>,
}

impl SupervisorMetrics {
    /// Restarts decided because a child ended for that reason.
    pub fn restarts(&self, reason: &ExitReason) -> &Counter {
        self.restarts.at(reason.label())
    }

    /// Children in that state.
    pub fn children(&self, state: ChildState) -> &Gauge {
        self.children.at(state_label(state))
    }
}

impl SupervisorFamilies {
    fn new(instruments: &Instruments) -> Result<Self, InstrumentError> {
        Ok(Self {
            children: instruments.fans(&families::SUPERVISOR_CHILDREN)?,
            restarts: instruments.fans(&families::SUPERVISOR_RESTARTS)?,
            restart_seconds: instruments.labelled(&families::SUPERVISOR_RESTART_SECONDS)?,
            escalations: instruments.labelled(&families::SUPERVISOR_ESCALATIONS)?,
            restart_budget_used_ratio: instruments.labelled(&families::SUPERVISOR_RESTART_BUDGET_USED_RATIO)?,
        })
    }

    fn of(&self, supervisor: &str, strategy: Strategy) -> SupervisorMetrics {
        SupervisorMetrics {
            children: self.children.with([supervisor]),
            restarts: self.restarts.with([supervisor, strategy_label(strategy)]),
            restart_seconds: self.restart_seconds.with([supervisor]),
            escalations: self.escalations.with([supervisor]),
            restart_budget_used_ratio: self.restart_budget_used_ratio.with([supervisor]),
        }
    }
}

/// The handles of one kind of agent.
#[derive(Debug)]
pub struct KindMetrics {
    agents: Fan<Gauge>,
    transitions: Fan<Counter>,
}

impl KindMetrics {
    /// Agents of the kind in that state, such as `idle`.
    pub fn agents(&self, state: &str) -> &Gauge {
        self.agents.at(state)
    }

    /// How often an agent of the kind entered that state.
    pub fn transitions(&self, to: &str) -> &Counter {
        self.transitions.at(to)
    }
}

fn strategy_label(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::OneForOne => "one_for_one",
        Strategy::OneForAll => "one_for_all",
        Strategy::RestForOne => "rest_for_one",
        Strategy::SimpleOneForOne => "simple_one_for_one",
    }
}

fn state_label(state: ChildState) -> &'static str {
    match state {
        ChildState::Starting => "starting",
        ChildState::Running => "running",
        ChildState::Stopping => "stopping",
        ChildState::Restarting => "restarting",
        ChildState::Down => "down",
        ChildState::Quarantined => "quarantined",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::catalogue::Catalogue;
    use super::super::guard::{LABEL_OVERFLOW, TELEMETRY};
    use super::super::reading::Value;
    use super::*;
    use crate::reason::{Failure, KillCause, PanicReport};

    fn metrics() -> (Instruments, SupervisionMetrics) {
        let sections = [families::SUPERVISION, families::MAILBOX, families::AGENT, TELEMETRY];
        let instruments = Instruments::new(Catalogue::new(&sections).unwrap());
        let metrics = SupervisionMetrics::new(&instruments).unwrap();
        (instruments, metrics)
    }

    /// What is shown of all series but those at nothing, as `name{values} figure`.
    fn shown(instruments: &Instruments) -> Vec<String> {
        let figure = |value: &Value| match value {
            Value::Count(count) => *count as f64,
            Value::Elapsed(time) => time.as_secs_f64(),
            Value::Level(level) => *level,
            Value::Spread(snapshot) => snapshot.count() as f64,
        };
        let mut lines = Vec::new();
        for reading in instruments.read() {
            for sample in reading.samples.iter().filter(|sample| figure(&sample.value) != 0.0) {
                let values: Vec<_> = sample.labels().map(|(_, value)| value).collect();
                let figure = figure(&sample.value);
                lines.push(format!("{}{{{}}} {figure}", reading.family.name, values.join(",")));
            }
        }
        lines
    }

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
        echo.actors.set_count(2);
        echo.spawns.increment();
        echo.mailbox_messages.set_count(5);
        echo.mailbox_messages_max.set_count(3);
        echo.mailbox_oldest_age_seconds.set(0.25);
        echo.mailbox_wait_seconds.observe(Duration::from_micros(3));
        echo.message_handle_seconds.observe(Duration::from_micros(3));
        echo.backpressure_wait_seconds.add(Duration::from_millis(500));
        echo.enqueued("high").advance_to(7);
        echo.handled_ok().advance_to(6);
        echo.handled_error().advance_to(1);
        echo.dropped("expired").advance_to(4);
        let expected = [
            "triarch_actor_spawns_total{Echo} 1",
            "triarch_actors{Echo} 2",
            "triarch_backpressure_wait_seconds_total{Echo} 0.5",
            "triarch_mailbox_messages{Echo} 5",
            "triarch_mailbox_messages_max{Echo} 3",
            "triarch_mailbox_oldest_age_seconds{Echo} 0.25",
            "triarch_mailbox_wait_seconds{Echo} 1",
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
        let (echo, team) = (
            metrics.of_type("Echo"),
            metrics.of_supervisor("team", Strategy::OneForAll),
        );
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
        let restarts = counted
            .map(|(reason, count)| format!("triarch_supervisor_restarts_total{{team,one_for_all,{reason}}} {count}"));
        assert_eq!(shown(&instruments), [stops, restarts].concat());
    }

    #[test]
    fn what_a_supervisor_does_is_counted_under_its_name() {
        let (instruments, metrics) = metrics();
        let team = metrics.of_supervisor("team", Strategy::OneForOne);
        team.restart_seconds.observe(Duration::from_micros(9));
        team.escalations.increment();
        team.restart_budget_used_ratio.set(0.4);
        team.children(ChildState::Running).set_count(3);
        let expected = [
            "triarch_supervisor_children{team,running} 3",
            "triarch_supervisor_escalations_total{team} 1",
            "triarch_supervisor_restart_budget_used_ratio{team} 0.4",
            "triarch_supervisor_restart_seconds{team} 1",
        ];
        assert_eq!(shown(&instruments), expected);
    }

    #[test]
    fn what_concerns_all_is_counted_once() {
        let (instruments, metrics) = metrics();
        metrics.actor_spawn_seconds.observe(Duration::from_micros(9));
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
            "triarch_message_timing_sample_ratio{} 0.01",
            "triarch_supervision_depth{} 3",
        ];
        assert_eq!(shown(&instruments), expected);
    }

    #[test]
    fn agents_are_counted_by_kind_and_state() {
        let (instruments, metrics) = metrics();
        let programs = metrics.of_kind("program");
        programs.agents("waiting").set_count(2);
        programs.transitions("backoff").increment();
        let expected = [
            "triarch_agent_transitions_total{program,backoff} 1",
            "triarch_agents{program,waiting} 2",
        ];
        assert_eq!(shown(&instruments), expected);
    }

    #[test]
    fn mailboxes_fall_into_exclusive_bands_of_depth() {
        let (instruments, metrics) = metrics();
        metrics.set_mailbox_depths([0, 0, 1, 9, 10, 99, 100, 999, 1000, 5000]);
        let bands = ["0", "1-9", "10-99", "100-999", "1000+"];
        assert_eq!(
            shown(&instruments),
            bands.map(|band| format!("triarch_mailboxes{{{band}}} 2"))
        );
        metrics.set_mailbox_depths([7]);
        assert_eq!(shown(&instruments), ["triarch_mailboxes{1-9} 1"]);
    }

    #[test]
    fn strategies_and_states_bear_the_same_words_as_elsewhere() {
        let strategies = [
            Strategy::OneForOne,
            Strategy::OneForAll,
            Strategy::RestForOne,
            Strategy::SimpleOneForOne,
        ];
        for strategy in strategies {
            assert_eq!(serde_json::json!(strategy), strategy_label(strategy));
        }
        let states = [
            ChildState::Starting,
            ChildState::Running,
            ChildState::Stopping,
            ChildState::Restarting,
            ChildState::Down,
            ChildState::Quarantined,
        ];
        let (instruments, metrics) = metrics();
        for strategy in strategies {
            let team = metrics.of_supervisor("team", strategy);
            for state in states {
                assert_eq!(serde_json::json!(state), state_label(state));
                team.children(state).set(1.0);
            }
        }
        let overflow = |line: &String| line.contains(LABEL_OVERFLOW.name);
        assert!(!shown(&instruments).iter().any(overflow));
    }

    #[test]
    fn a_thousand_types_and_supervisors_cost_as_many_series_as_the_bound_allows() {
        let (instruments, metrics) = metrics();
        for index in 0..1_000 {
            metrics.of_type(&format!("Type{index}"));
            metrics.of_supervisor(&format!("team-{index}"), Strategy::OneForOne);
        }
        for reading in instruments.read() {
            let bound = reading.family.series_max();
            assert!(
                reading.samples.len() <= bound,
                "{} exceeds {bound}",
                reading.family.name
            );
        }
        let spawns = instruments
            .read()
            .into_iter()
            .find(|reading| *reading.family == families::ACTOR_SPAWNS);
        assert_eq!(spawns.unwrap().samples.len(), 33);
    }
}
