//! What there is at one moment, by which gauges are set.

use std::time::Duration;

use super::families::{AGENT_STATES, CHILD_STATES, DEPTHS};
use super::gauge::Gauge;
use super::instruments::Fan;
use super::roll::Member;
use super::supervision::{KindMetrics, SupervisionMetrics, SupervisorMetrics, TypeMetrics};
use crate::supervisor::machine::Counts;

/// One count of everything there is; [`record`](Self::record) sets all gauges of supervision, mailboxes and agents by it.
///
/// Gauges are set from sums only, and all at once. So several types that share the series `other` add up there, bands of depth add
/// up to the number of mailboxes, and what is no longer there stands at 0.
#[derive(Debug)]
pub(crate) struct Census<'a> {
    metrics: &'a SupervisionMetrics,
    types: Vec<OfType>,
    supervisors: Vec<OfSupervisor>,
    kinds: Vec<[usize; AGENT_STATES.len()]>,
    depths: [usize; DEPTHS.len()],
}

#[derive(Clone, Copy, Debug, Default)]
struct OfType {
    actors: usize,
    messages: usize,
    messages_max: usize,
    oldest: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
struct OfSupervisor {
    children: [usize; CHILD_STATES.len()],
    budget_used: Option<f64>,
}

impl<'a> Census<'a> {
    pub(super) fn new(metrics: &'a SupervisionMetrics) -> Self {
        Self {
            metrics,
            types: Vec::new(),
            supervisors: Vec::new(),
            kinds: Vec::new(),
            depths: Default::default(),
        }
    }

    /// One for a part of what is counted; see [`add`](Self::add).
    pub(crate) fn part(&self) -> Self {
        Self::new(self.metrics)
    }

    /// Adds what was counted in `part`.
    pub(crate) fn add(&mut self, part: Self) {
        for (index, more) in part.types.into_iter().enumerate() {
            at(&mut self.types, index).add(more);
        }
        for (index, more) in part.supervisors.into_iter().enumerate() {
            at(&mut self.supervisors, index).add(more);
        }
        for (index, more) in part.kinds.into_iter().enumerate() {
            add(at(&mut self.kinds, index), more);
        }
        add(&mut self.depths, part.depths);
    }

    /// Counts a live actor of that type.
    pub(crate) fn actor(&mut self, actor_type: &TypeMetrics) {
        at(&mut self.types, actor_type.index()).actors += 1;
    }

    /// Counts a mailbox of that type with so many messages waiting, the oldest for so long.
    pub(crate) fn mailbox(&mut self, actor_type: &TypeMetrics, depth: usize, oldest: Duration) {
        at(&mut self.types, actor_type.index()).add(OfType {
            actors: 0,
            messages: depth,
            messages_max: depth,
            oldest,
        });
        self.depths[band_of(depth)] += 1;
    }

    /// Counts the children of that supervisor.
    pub(crate) fn children(&mut self, supervisor: &SupervisorMetrics, counts: &Counts) {
        add(
            &mut at(&mut self.supervisors, supervisor.index()).children,
            by_state(counts),
        );
    }

    /// Notes which share of its restarts that supervisor has used; the highest counts where several share a series.
    pub(crate) fn budget_used(&mut self, supervisor: &SupervisorMetrics, ratio: f64) {
        at(&mut self.supervisors, supervisor.index()).uses(ratio);
    }

    /// Counts an agent of that kind in that state.
    pub(crate) fn agent(&mut self, kind: &KindMetrics, state: &str) {
        let index = AGENT_STATES.iter().position(|word| *word == state);
        let states = at(&mut self.kinds, kind.index());
        if let Some(agents) = index.and_then(|index| states.get_mut(index)) {
            *agents += 1;
        }
    }

    /// Sets the gauges.
    pub(crate) fn record(self) {
        set_counts(&self.metrics.mailboxes, DEPTHS, self.depths);
        for of_type in self.metrics.types.list() {
            counted(&self.types, of_type.index()).set(&of_type);
        }
        for supervisor in self.metrics.supervisors.list() {
            counted(&self.supervisors, supervisor.index()).set(&supervisor);
        }
        for kind in self.metrics.kinds.list() {
            set_counts(&kind.agents, AGENT_STATES, counted(&self.kinds, kind.index()));
        }
    }
}

impl OfType {
    fn add(&mut self, more: Self) {
        self.actors += more.actors;
        self.messages += more.messages;
        self.messages_max = self.messages_max.max(more.messages_max);
        self.oldest = self.oldest.max(more.oldest);
    }

    fn set(self, gauges: &TypeMetrics) {
        gauges.actors.set_count(self.actors);
        gauges.mailbox_messages.set_count(self.messages);
        gauges.mailbox_messages_max.set_count(self.messages_max);
        gauges.mailbox_oldest_age_seconds.set(self.oldest.as_secs_f64());
    }
}

impl OfSupervisor {
    fn add(&mut self, more: Self) {
        add(&mut self.children, more.children);
        if let Some(ratio) = more.budget_used {
            self.uses(ratio);
        }
    }

    fn uses(&mut self, ratio: f64) {
        self.budget_used = Some(self.budget_used.map_or(ratio, |used| used.max(ratio)));
    }

    fn set(self, gauges: &SupervisorMetrics) {
        set_counts(&gauges.children, CHILD_STATES, self.children);
        let budget = &gauges.restart_budget_used_ratio;
        // Unknown until it is noted once: a supervisor whose limit nobody told is not one that never restarts.
        if let Some(used) = self.budget_used.or_else(|| budget.get().map(|_| 0.0)) {
            budget.set(used);
        }
    }
}

fn set_counts<const N: usize>(gauges: &Fan<Gauge>, words: [&str; N], counts: [usize; N]) {
    for (word, count) in words.into_iter().zip(counts) {
        gauges.at(word).set_count(count);
    }
}

fn at<T: Clone + Default>(counts: &mut Vec<T>, index: usize) -> &mut T {
    if counts.len() <= index {
        counts.resize(index + 1, T::default());
    }
    &mut counts[index]
}

fn counted<T: Copy + Default>(counts: &[T], index: usize) -> T {
    counts.get(index).copied().unwrap_or_default()
}

fn add<const N: usize>(counts: &mut [usize; N], more: [usize; N]) {
    for (count, more) in counts.iter_mut().zip(more) {
        *count += more;
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

/// In the order of their words.
fn by_state(counts: &Counts) -> [usize; CHILD_STATES.len()] {
    [
        counts.starting,
        counts.active,
        counts.stopping,
        counts.restarting,
        counts.down,
        counts.quarantined,
    ]
}

#[cfg(test)]
mod tests {
    use super::super::shown::{metrics, shown};
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_type_shows_its_actors_and_the_sum_the_deepest_and_the_oldest_of_its_mailboxes() {
        let (instruments, metrics) = metrics();
        let (echo, idle) = (metrics.of_type("Echo"), metrics.of_type("Idle"));
        let mut census = metrics.census();
        census.actor(&echo);
        census.actor(&echo);
        census.actor(&idle);
        census.mailbox(&echo, 3, 2 * SECOND);
        census.mailbox(&echo, 2, 5 * SECOND);
        census.record();
        let expected = [
            "triarch_actors{Echo} 2",
            "triarch_actors{Idle} 1",
            "triarch_mailbox_messages{Echo} 5",
            "triarch_mailbox_messages_max{Echo} 3",
            "triarch_mailbox_oldest_age_seconds{Echo} 5",
            "triarch_mailboxes{1-9} 2",
        ];
        assert_eq!(shown(&instruments), expected);
    }

    #[test]
    fn mailboxes_fall_into_exclusive_bands_of_depth() {
        let (instruments, metrics) = metrics();
        let echo = metrics.of_type("Echo");
        let mut census = metrics.census();
        for depth in [0, 1, 9, 10, 99, 100, 999, 1000, 5000] {
            census.mailbox(&echo, depth, SECOND);
        }
        census.record();
        let bands: Vec<_> = shown(&instruments)
            .into_iter()
            .filter(|line| line.starts_with("triarch_mailboxes{"))
            .collect();
        let expected = [("0", 1), ("1-9", 2), ("10-99", 2), ("100-999", 2), ("1000+", 2)];
        assert_eq!(
            bands,
            expected.map(|(band, count)| format!("triarch_mailboxes{{{band}}} {count}"))
        );
    }

    fn running(active: usize) -> Counts {
        Counts {
            active,
            ..Counts::default()
        }
    }

    #[test]
    fn a_supervisor_shows_its_children_by_state_and_its_budget() {
        let (instruments, metrics) = metrics();
        let team = metrics.of_supervisor("team");
        let mut census = metrics.census();
        let part = Counts {
            starting: 1,
            stopping: 2,
            restarting: 3,
            quarantined: 4,
            ..running(5)
        };
        census.children(&team, &part);
        census.children(&team, &Counts { down: 6, ..running(1) });
        census.budget_used(&team, 0.25);
        census.record();
        let expected = [
            "triarch_supervisor_children{team,down} 6",
            "triarch_supervisor_children{team,quarantined} 4",
            "triarch_supervisor_children{team,restarting} 3",
            "triarch_supervisor_children{team,running} 6",
            "triarch_supervisor_children{team,starting} 1",
            "triarch_supervisor_children{team,stopping} 2",
            "triarch_supervisor_restart_budget_used_ratio{team} 0.25",
        ];
        assert_eq!(shown(&instruments), expected);
    }

    #[test]
    fn agents_are_counted_by_kind_and_state() {
        let (instruments, metrics) = metrics();
        let (programs, natives) = (metrics.of_kind("program"), metrics.of_kind("native"));
        let mut census = metrics.census();
        for (kind, state) in [(&programs, "backoff"), (&programs, "backoff"), (&natives, "idle")] {
            census.agent(kind, state);
        }
        census.record();
        let expected = ["triarch_agents{native,idle} 1", "triarch_agents{program,backoff} 2"];
        assert_eq!(shown(&instruments), expected);
    }

    #[test]
    fn what_was_counted_in_parts_adds_up_and_the_highest_is_the_highest_of_all() {
        let (instruments, metrics) = metrics();
        let (echo, team) = (metrics.of_type("Echo"), metrics.of_supervisor("team"));
        let natives = metrics.of_kind("native");
        let mut census = metrics.census();
        for (depth, age, used) in [(7, SECOND, 0.5), (2, 3 * SECOND, 0.75), (5, 2 * SECOND, 0.25)] {
            let mut part = census.part();
            part.actor(&echo);
            part.mailbox(&echo, depth, age);
            part.children(&team, &running(2));
            part.budget_used(&team, used);
            part.agent(&natives, "idle");
            census.add(part);
        }
        census.add(census.part());
        census.record();
        let expected = [
            "triarch_actors{Echo} 3",
            "triarch_agents{native,idle} 3",
            "triarch_mailbox_messages{Echo} 14",
            "triarch_mailbox_messages_max{Echo} 7",
            "triarch_mailbox_oldest_age_seconds{Echo} 3",
            "triarch_mailboxes{1-9} 3",
            "triarch_supervisor_children{team,running} 6",
            "triarch_supervisor_restart_budget_used_ratio{team} 0.75",
        ];
        assert_eq!(shown(&instruments), expected);
    }

    #[test]
    fn what_is_gone_stands_at_nothing() {
        let (instruments, metrics) = metrics();
        let (echo, team) = (metrics.of_type("Echo"), metrics.of_supervisor("team"));
        let mut census = metrics.census();
        census.actor(&echo);
        census.mailbox(&echo, 4, SECOND);
        census.children(&team, &running(1));
        census.agent(&metrics.of_kind("native"), "busy");
        census.record();
        assert_eq!(shown(&instruments).len(), 7);
        metrics.census().record();
        assert_eq!(shown(&instruments), Vec::<String>::new());
    }

    #[test]
    fn types_and_supervisors_beyond_the_bound_add_up_in_other() {
        let (instruments, metrics) = metrics();
        let mut census = metrics.census();
        for index in 0..40 {
            let actor_type = metrics.of_type(&format!("Type{index}"));
            let supervisor = metrics.of_supervisor(&format!("team-{index}"));
            census.actor(&actor_type);
            census.mailbox(&actor_type, index, SECOND);
            census.children(&supervisor, &running(1));
            census.budget_used(&supervisor, if index == 35 { 0.75 } else { 0.25 });
        }
        census.record();
        let lines = shown(&instruments);
        for expected in [
            "triarch_actors{other} 8",
            "triarch_mailbox_messages{other} 284",
            "triarch_mailbox_messages_max{other} 39",
            "triarch_supervisor_children{other,running} 8",
            "triarch_supervisor_restart_budget_used_ratio{other} 0.75",
        ] {
            assert!(lines.iter().any(|line| line == expected), "{expected}\n{lines:#?}");
        }
    }
}
