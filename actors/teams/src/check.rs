//! What a description asks for that cannot be, as far as it shows without the kinds.

use std::collections::HashMap;

use triarch_supervision::name::{Name, NameError};

use crate::config::{AgentConfig, BackoffConfig, REPLICAS_MAX, Rules, TASKS_MAX, TaskRules, TeamConfig, TeamStrategy};
use crate::error::SettingError;
use crate::span::Span;

/// Two agents of one team that would bear one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collision {
    /// The position of the agent described first.
    pub first: usize,
    /// The position of the other.
    pub second: usize,
    /// The name both would bear.
    pub name: String,
}

impl TeamConfig {
    /// Settings of the team itself that cannot be followed where a supervisor has at most `span` agents.
    pub fn faults(&self, span: usize) -> Vec<SettingError> {
        let mut faults: Vec<_> = name_fault(&self.name).into_iter().collect();
        if self.intensity.restarts > 0 {
            faults.extend(no_time("intensity.within", self.intensity.within));
        }
        faults.extend(self.backoff.faults());
        let agents = self.size();
        if self.strategy != TeamStrategy::OneForOne && agents > span {
            faults.push(SettingError::of(
                "strategy",
                format!("its {agents} agents restart together, and a supervisor has at most {span}"),
                "raise the span of the runtime, or make several teams",
            ));
        }
        faults
    }

    /// How many agents it has, each replica counted.
    pub fn size(&self) -> usize {
        let sizes = self.agents.iter().map(AgentConfig::size);
        sizes.fold(0, usize::saturating_add)
    }

    /// Agents that would bear the name of an earlier one.
    pub fn collisions(&self) -> Vec<Collision> {
        let mut named: HashMap<&str, usize> = HashMap::new();
        let mut found = Vec::new();
        for (second, agent) in self.agents.iter().enumerate() {
            match named.get(agent.name.as_str()) {
                Some(&first) => found.push(Collision {
                    first,
                    second,
                    name: agent.name.clone(),
                }),
                None => drop(named.insert(&agent.name, second)),
            }
        }
        for (alone, agent) in self.agents.iter().enumerate() {
            let namesake = replica(agent).and_then(|(name, number)| Some((*named.get(name)?, number)));
            let Some((many, number)) = namesake else { continue };
            if self.agents[many].replicas.is_some_and(|count| number <= count.get()) {
                found.push(Collision {
                    first: many.min(alone),
                    second: many.max(alone),
                    name: agent.name.clone(),
                });
            }
        }
        found
    }
}

/// The name and number that make up the name of an agent that is there once.
fn replica(agent: &AgentConfig) -> Option<(&str, u32)> {
    let (name, number) = agent.name.rsplit_once('-').filter(|_| agent.replicas.is_none())?;
    let is_written_so = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
    Some((name, number.parse().ok().filter(|_| is_written_so)?))
}

impl AgentConfig {
    /// Settings for an agent of any kind that cannot be followed.
    pub fn faults(&self) -> Vec<SettingError> {
        let mut faults: Vec<_> = name_fault(&self.name).into_iter().collect();
        let last = self.replicas.map(|count| format!("{}-{count}", self.name));
        if let Some(fault) = last.filter(|_| faults.is_empty()).and_then(|name| name_fault(&name)) {
            faults.push(fault);
        }
        if let Some(count) = self.replicas.filter(|count| count.get() > REPLICAS_MAX) {
            let problem = format!("{count} replicas are more than one machine bears");
            faults.push(SettingError::of(
                "replicas",
                problem,
                format!("give it {REPLICAS_MAX} or fewer"),
            ));
        }
        faults.extend(self.rules.faults());
        faults
    }

    /// How many of it there are.
    pub fn size(&self) -> usize {
        self.replicas
            .map_or(1, |count| usize::try_from(count.get()).unwrap_or(usize::MAX))
    }
}

impl Rules {
    fn faults(&self) -> Vec<SettingError> {
        let times = [
            ("shutdown", Some(self.shutdown)),
            ("start_within", self.start_within),
            ("handle_within", self.handle_within),
        ];
        let times = times.into_iter().filter_map(|(key, span)| no_time(key, span?));
        let tasks = self.tasks.into_iter().flat_map(TaskRules::faults);
        let room = self.tasks.and_then(|tasks| no_room(tasks, self.mailbox.capacity.get()));
        let capabilities = self
            .capabilities
            .iter()
            .filter_map(|word| word_fault("capabilities", word));
        tasks
            .chain(room)
            .chain(capabilities)
            .chain(times)
            .chain(self.backoff.iter().flat_map(BackoffConfig::faults))
            .collect()
    }
}

impl TaskRules {
    fn faults(self) -> Vec<SettingError> {
        let counts = [("tasks.at_once", self.at_once), ("tasks.ahead", self.ahead)];
        let too_many = counts.into_iter().filter(|(_, count)| *count > TASKS_MAX);
        too_many
            .map(|(key, count)| {
                let problem = format!("{count} tasks are more than one agent has at a time");
                SettingError::of(key, problem, format!("give it {TASKS_MAX} or fewer"))
            })
            .collect()
    }
}

/// Tasks that would not all lie in the mailbox of the agent that has them.
fn no_room(tasks: TaskRules, capacity: usize) -> Option<SettingError> {
    let is_too_many = usize::try_from(tasks.at_once).is_ok_and(|at_once| at_once > capacity);
    (is_too_many && tasks.at_once <= TASKS_MAX).then(|| {
        SettingError::of(
            "tasks.at_once",
            format!(
                "{} tasks at once have no room in a mailbox of {capacity}",
                tasks.at_once
            ),
            "raise `mailbox.capacity`, or lower it",
        )
    })
}

impl BackoffConfig {
    fn faults(&self) -> Vec<SettingError> {
        let mut faults = Vec::new();
        if !self.factor.is_finite() || self.factor < 1.0 {
            faults.push(SettingError::of(
                "backoff.factor",
                format!("waits would shrink by a factor of {}", self.factor),
                "give it 1 or more",
            ));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            faults.push(SettingError::of(
                "backoff.jitter",
                format!("chance cannot move a wait by {} of it", self.jitter),
                "give it 0 to 1",
            ));
        }
        if self.first > self.max {
            faults.push(SettingError::of(
                "backoff.first",
                format!(
                    "the first wait of {} is longer than the longest, {}",
                    self.first, self.max
                ),
                "raise `max`, or lower `first`",
            ));
        }
        faults
    }
}

fn no_time(key: &str, span: Span) -> Option<SettingError> {
    span.0.is_zero().then(|| {
        SettingError::of(
            key,
            format!("`{}` is no time at all", key.rsplit('.').next().unwrap_or(key)),
            "give it more than 0, as in \"5s\"",
        )
    })
}

fn name_fault(name: &str) -> Option<SettingError> {
    word_fault("name", name)
}

/// What is wrong with a word under `key` that is to be a name.
fn word_fault(key: &str, word: &str) -> Option<SettingError> {
    let fault: NameError = Name::new(word).err()?;
    let text = fault.to_string();
    let (problem, remedy) = text.rsplit_once("; ").unwrap_or((&text, "choose another"));
    Some(SettingError::of(key, problem, remedy))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn team(change: Value) -> TeamConfig {
        let mut team = json!({ "name": "birds" });
        let (Value::Object(team), Value::Object(change)) = (&mut team, change) else {
            panic!("no object")
        };
        team.extend(change);
        serde_json::from_value(Value::Object(team.clone())).unwrap()
    }

    #[test]
    fn whoever_prints_a_description_sees_what_is_set_and_no_values() {
        let agent = json!({ "name": "one", "kind": "program", "env": { "API_TOKEN": "canary" } });
        let printed = format!("{:?}", team(json!({ "agent": [agent] })));
        assert!(printed.contains("\"env\"") && !printed.contains("canary"), "{printed}");
    }

    fn told(faults: &[SettingError]) -> Vec<String> {
        let told = |fault: &SettingError| format!("{}: {fault}", fault.key.as_deref().unwrap_or("-"));
        faults.iter().map(told).collect()
    }

    #[test]
    fn a_team_that_says_nothing_has_no_fault() {
        assert_eq!(team(json!({})).faults(1), []);
    }

    #[test]
    fn all_faults_of_a_team_are_told_each_with_its_key_and_remedy() {
        let team = team(json!({
            "name": "Birds",
            "strategy": "one_for_all",
            "intensity": { "restarts": 1, "within": "0s" },
            "backoff": { "factor": 0.5, "jitter": 1.5, "first": "2s", "max": "1s" },
            "agent": [{ "name": "a", "kind": "k", "replicas": 3 }],
        }));
        assert_eq!(
            told(&team.faults(2)),
            [
                "name: the name \"Birds\" has 'B' at position 0; use a-z, 0-9, _ and -, and begin with a letter or digit",
                "intensity.within: `within` is no time at all; give it more than 0, as in \"5s\"",
                "backoff.factor: waits would shrink by a factor of 0.5; give it 1 or more",
                "backoff.jitter: chance cannot move a wait by 1.5 of it; give it 0 to 1",
                "backoff.first: the first wait of 2s is longer than the longest, 1s; raise `max`, or lower `first`",
                "strategy: its 3 agents restart together, and a supervisor has at most 2; raise the span of the runtime, or make several teams",
            ]
        );
    }

    #[test]
    fn all_faults_of_an_agent_are_told() {
        let long = "x".repeat(61);
        let team = team(json!({ "agent": [
            { "name": long, "kind": "k", "replicas": 100_001, "shutdown": "0s", "start_within": "0s", "handle_within": "0s" },
        ] }));
        let faults = team.agents[0].faults();
        let keys: Vec<_> = faults.iter().filter_map(|fault| fault.key.as_deref()).collect();
        assert_eq!(keys, ["name", "replicas", "shutdown", "start_within", "handle_within"]);
        assert_eq!(
            faults[0].remedy, "shorten it to 63 or fewer",
            "the number of the replica belongs to the name"
        );
    }

    #[test]
    fn tasks_that_have_no_room_in_the_mailbox_are_a_fault() {
        let of = |at_once: u32, capacity: u32| {
            let team = team(json!({ "agent": [
                { "name": "a", "kind": "k", "tasks": { "at_once": at_once }, "mailbox": { "capacity": capacity } },
            ] }));
            told(&team.agents[0].faults())
        };
        assert_eq!(of(4, 4), [""; 0]);
        assert_eq!(
            of(5, 4),
            ["tasks.at_once: 5 tasks at once have no room in a mailbox of 4; raise `mailbox.capacity`, or lower it"]
        );
    }

    #[test]
    fn names_collide_where_they_are_equal_or_a_replica_bears_them() {
        let named = |names: &[(&str, Option<u32>)]| {
            let agents: Vec<_> = names
                .iter()
                .map(|(name, replicas)| json!({ "name": name, "kind": "k", "replicas": replicas }))
                .collect();
            let found = team(json!({ "agent": agents })).collisions();
            found
                .into_iter()
                .map(|one| (one.first, one.second, one.name))
                .collect::<Vec<_>>()
        };
        assert_eq!(named(&[("a", None), ("b", None), ("a", Some(2))]), [(0, 2, "a".into())]);
        assert_eq!(named(&[("a-2", None), ("a", Some(2))]), [(0, 1, "a-2".into())]);
        assert_eq!(
            named(&[
                ("a", Some(2)),
                ("a-3", None),
                ("a-01", None),
                ("a-1", Some(1)),
                ("-1", None)
            ]),
            []
        );
        assert_eq!(named(&[("a", Some(u32::MAX)), ("a-4000000000", None)]).len(), 1);
    }
}
