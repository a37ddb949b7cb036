//! What types cannot tell: settings that do not go together, and what each owner refuses.

use std::collections::HashMap;

use triarch_teams::{AgentConfig, Kinds, SettingError, TeamConfig, TeamError, names};

use super::error::Fault;
use super::node::{Node, Step};
use super::secret::is_secret_way;
use super::sections::{Config, told};
use super::source::Source;

/// The runtime's own supervisors, beside which the teams stand.
pub(super) const ROOMS: [&str; 10] = [
    "telemetry",
    "bus",
    "memory",
    "cache",
    "consensus",
    "work",
    "programs",
    "scaling",
    "tuning",
    "gateway",
];

/// All settings that cannot be followed.
pub(super) fn faults(config: &Config, tree: &Node, kinds: &Kinds, source: &Source) -> Vec<Fault> {
    let mut look = Look {
        tree,
        faults: Vec::new(),
    };
    look.settings(&[key("telemetry")], config.telemetry.faults());
    let bus = config.bus.faults();
    look.settings(&[key("bus")], bus.iter().map(|(key, fault)| told(key, fault)).collect());
    look.memory(&config.memory, source);
    let work = config.work.faults();
    look.settings(
        &[key("work")],
        work.iter().map(|(key, fault)| told(key, fault)).collect(),
    );
    let programs = config.programs.faults();
    look.settings(
        &[key("programs")],
        programs.iter().map(|(key, fault)| told(key, fault)).collect(),
    );
    let doors = config.gateway.faults();
    look.settings(
        &[key("gateway")],
        doors.iter().map(|(key, fault)| told(key, fault)).collect(),
    );
    look.names(&config.teams);
    for (index, team) in config.teams.iter().enumerate() {
        look.team(index, team, config, kinds);
    }
    look.faults
}

struct Look<'a> {
    tree: &'a Node,
    faults: Vec<Fault>,
}

impl Look<'_> {
    fn settings(&mut self, owner: &[Step], faults: Vec<SettingError>) {
        for fault in faults {
            let keys = fault.key.iter().flat_map(|keys| keys.split('.')).map(key);
            let way: Vec<_> = owner.iter().cloned().chain(keys).collect();
            let mut fault = Fault::new(self.tree.place_of(&way), fault.problem, fault.remedy);
            fault.is_secret = is_secret_way(&way);
            self.faults.push(fault);
        }
    }

    fn memory(&mut self, memory: &triarch_memory::Settings, source: &Source) {
        let mut faults = memory.faults();
        // Only what lies in a folder has files beside it.
        if matches!(source, Source::File(_)) {
            faults.extend(memory.key_fault(&source.folder()));
        }
        self.settings(&[key("memory")], faults);
        let way = |index| [key("memory"), key("namespace"), Step::Index(index)];
        for (index, namespace) in memory.namespaces.iter().enumerate() {
            self.settings(&way(index), namespace.faults());
        }
        for (second, first) in memory.named_twice() {
            let named = |index| [&way(index)[..], &[key("name")]].concat();
            let problem = format!("there are two namespaces {:?}", memory.namespaces[second].name);
            self.twice(&named(second), &named(first), problem, "give one of them another name");
        }
    }

    fn names(&mut self, teams: &[TeamConfig]) {
        let mut named: HashMap<&str, usize> = HashMap::new();
        for (index, team) in teams.iter().enumerate() {
            let way = [key("team"), Step::Index(index), key("name")];
            if ROOMS.contains(&team.name.as_str()) {
                let problem = format!("{:?} is a room of the runtime itself", team.name);
                self.faults.push(Fault::new(
                    self.tree.place_of(&way),
                    problem,
                    "give the team another name",
                ));
            }
            match named.get(team.name.as_str()) {
                None => drop(named.insert(&team.name, index)),
                Some(first) => {
                    let first = [key("team"), Step::Index(*first), key("name")];
                    let problem = format!("there are two teams {:?}", team.name);
                    self.twice(&way, &first, problem, "give one of them another name");
                }
            }
        }
    }

    fn twice(&mut self, second: &[Step], first: &[Step], problem: String, remedy: &str) {
        let mut fault = Fault::new(self.tree.place_of(second), problem, remedy);
        fault.other = Some(("here is the other".to_owned(), self.tree.place_of(first)));
        self.faults.push(fault);
    }

    fn team(&mut self, index: usize, team: &TeamConfig, config: &Config, kinds: &Kinds) {
        let way = [key("team"), Step::Index(index)];
        self.settings(&way, team.faults(config.runtime.span.get()));
        let agent = |index| {
            let below = [key("agent"), Step::Index(index)];
            way.iter().cloned().chain(below).collect::<Vec<_>>()
        };
        for collision in team.collisions() {
            let named = |index| [agent(index), vec![key("name")]].concat();
            let problem = format!(
                "two agents of team {:?} would be called {:?}",
                team.name, collision.name
            );
            let remedy = "give one of them another name";
            self.twice(&named(collision.second), &named(collision.first), problem, remedy);
        }
        for (index, config) in team.agents.iter().enumerate() {
            self.agent(&agent(index), &team.name, config, kinds);
        }
    }

    fn agent(&mut self, way: &[Step], team: &str, agent: &AgentConfig, kinds: &Kinds) {
        let faults = agent.faults();
        let is_sound = faults.is_empty() && self.tree.at(way).is_none_or(|node| node.is_sound);
        self.settings(way, faults);
        // Its kind is asked only where all that it is asked about could be read; one replica is like the other.
        let name = names(&one_of(agent)).pop().filter(|_| is_sound);
        let faults = name.map_or_else(Vec::new, |name| triarch_teams::faults(team, agent, &name, kinds));
        let faults = faults.into_iter().map(|fault| match fault {
            TeamError::Setting { fault, .. } => fault,
            TeamError::Name { fault, .. } => SettingError::of("name", fault.to_string(), "give it another name"),
            TeamError::NoSuchKind { kind, known, .. } => {
                let known = if known.is_empty() { "none".to_owned() } else { known };
                SettingError::of(
                    "kind",
                    format!("`kind` may not be {kind:?}"),
                    format!("there are: {known}"),
                )
            }
        });
        self.settings(way, faults.collect());
    }
}

/// The agent as if there were one of it, or one replica.
fn one_of(agent: &AgentConfig) -> AgentConfig {
    AgentConfig {
        replicas: agent.replicas.map(|_| std::num::NonZeroU32::MIN),
        ..agent.clone()
    }
}

pub(super) fn key(key: &str) -> Step {
    Step::Key(key.to_owned())
}
