//! What can be followed and is most likely a slip: names that nobody bears now, and secrets that are not there.
//!
//! None of it keeps a runtime from starting. An agent may be spawned later, and whoever runs the description may be somebody
//! else, in another environment.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;
use triarch_memory::KeySource;
use triarch_teams::{AgentConfig, TeamConfig};

use super::error::{ConfigErrors, Fault};
use super::load::{FAULTS_MAX, Loaded};
use super::node::Step;
use super::secret::is_secret_way;
use super::sense::{ROOMS, key};
use super::source::Source;
use super::words::nearest;
use crate::operations::SENDER;

/// The settings of kinds that name agents.
const RECIPIENTS: [(&str, &str); 4] = [
    ("timer", "to"),
    ("load", "to"),
    ("file-watch", "notify"),
    ("http-check", "notify"),
];
/// The kind whose settings name secrets.
const PROGRAM: &str = "program";

impl Loaded {
    /// What is most likely a slip, in the order of its lines. `variable` is the environment of a runtime as far as it is known here.
    pub fn slips(&self, source: &Source, variable: impl Fn(&str) -> Option<String>) -> ConfigErrors {
        let mut look = Look {
            loaded: self,
            faults: Vec::new(),
        };
        look.bus();
        look.memory();
        look.recipients();
        let here = Here { source, variable };
        look.seal(&here);
        look.secrets(&here);
        self.texts.told(look.faults, FAULTS_MAX)
    }
}

struct Look<'a> {
    loaded: &'a Loaded,
    faults: Vec<Fault>,
}

/// Where secrets are looked for.
struct Here<'a, V> {
    source: &'a Source,
    variable: V,
}

impl<V: Fn(&str) -> Option<String>> Here<'_, V> {
    fn has_variable(&self, name: &str) -> bool {
        (self.variable)(name).is_some()
    }

    /// Whether a file is known not to be there. Of one that this user may not look at nobody knows.
    fn lacks(&self, file: &Path) -> bool {
        let is_absent = |path: PathBuf| {
            let error = path.metadata().err();
            error.is_some_and(|error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory))
        };
        self.path(file).is_some_and(is_absent)
    }

    /// Only what lies in a folder has files beside it.
    fn path(&self, file: &Path) -> Option<PathBuf> {
        if let Ok(below) = file.strip_prefix("~") {
            return Some(PathBuf::from((self.variable)("HOME")?).join(below));
        }
        let is_seen = file.is_absolute() || matches!(self.source, Source::File(_));
        is_seen.then(|| self.source.folder().join(file))
    }
}

impl<'a> Look<'a> {
    fn slip(&mut self, way: &[Step], problem: String, remedy: String) {
        let mut fault = Fault::new(self.loaded.tree.place_of(way), problem, remedy);
        fault.is_secret = is_secret_way(way);
        self.faults.push(fault);
    }

    fn teams(&self) -> &'a [TeamConfig] {
        &self.loaded.config.teams
    }

    // ---- names ----

    fn bus(&mut self) {
        for (at, access) in self.loaded.config.bus.access.iter().enumerate() {
            for (index, team) in access.teams.iter().enumerate() {
                // Whoever types commands and the rooms publish too, each under its own name.
                if team != SENDER && !ROOMS.contains(&team.as_str()) {
                    let way = [
                        key("bus"),
                        key("access"),
                        Step::Index(at),
                        key("teams"),
                        Step::Index(index),
                    ];
                    self.team(&way, team);
                }
            }
        }
    }

    fn memory(&mut self) {
        let memory = &self.loaded.config.memory;
        for (at, namespace) in memory.namespaces.iter().enumerate() {
            let way = |name: &str| [key("memory"), key("namespace"), Step::Index(at), key(name)];
            if let Some(team) = &namespace.team {
                self.team(&way("team"), team);
            }
            if let Some(owner) = &namespace.owner {
                self.owner(&way("owner"), owner);
            }
        }
        for (at, project) in memory.projects.iter().enumerate() {
            for (index, team) in project.teams.iter().enumerate() {
                let way = [
                    key("memory"),
                    key("project"),
                    Step::Index(at),
                    key("teams"),
                    Step::Index(index),
                ];
                self.team(&way, team);
            }
        }
    }

    fn owner(&mut self, way: &[Step], owner: &str) {
        let Some((team, agent)) = owner.split_once('/') else {
            let problem = format!("{owner:?} is no path of an agent");
            return self.slip(way, problem, "write it as in \"team/agent\"".to_owned());
        };
        self.agent(way, team, agent, &format!("{team}/"));
    }

    fn recipients(&mut self) {
        for (way, team, agent) in agents(&self.loaded.config.teams) {
            let named = RECIPIENTS.iter().find(|(kind, _)| *kind == agent.kind);
            let Some((setting, listed)) =
                named.and_then(|(_, setting)| Some((*setting, agent.settings.get(*setting)?)))
            else {
                continue;
            };
            for (index, written) in listed.as_array().into_iter().flatten().enumerate() {
                let Some(written) = written.as_str() else { continue };
                let way = [&way[..], &[key(setting), Step::Index(index)]].concat();
                match written.split_once('/') {
                    Some((team, agent)) => self.agent(&way, team, agent, &format!("{team}/")),
                    None => self.agent(&way, &team.name, written, ""),
                }
            }
        }
    }

    fn team(&mut self, way: &[Step], named: &str) {
        if self.teams().iter().any(|team| team.name == named) {
            return;
        }
        let meant = nearest(named, self.teams().iter().map(|team| team.name.as_str()));
        let remedy = meant.map_or_else(
            || "see whether it is misspelt, or describe the team".to_owned(),
            |meant| format!("write {meant:?}"),
        );
        self.slip(way, format!("there is no team {named:?}"), remedy);
    }

    /// `before` is what stands before the name of the agent where it is written.
    fn agent(&mut self, way: &[Step], team: &str, named: &str, before: &str) {
        let Some(described) = self.teams().iter().find(|one| one.name == team) else {
            return self.team(way, team);
        };
        if described.agents.iter().any(|agent| bears(agent, named)) {
            return;
        }
        let known: Vec<_> = described.agents.iter().map(first_name).collect();
        let remedy = nearest(named, known.iter().map(String::as_str)).map_or_else(
            || "see whether it is misspelt, or add it with `triarch agent spawn`".to_owned(),
            |meant| format!("write {:?}", format!("{before}{meant}")),
        );
        self.slip(way, format!("the team {team:?} has no agent {named:?}"), remedy);
    }

    // ---- secrets ----

    fn seal<V: Fn(&str) -> Option<String>>(&mut self, here: &Here<'_, V>) {
        let Some(KeySource::Env(variable)) = &self.loaded.config.memory.sealed_by else {
            return;
        };
        if !here.has_variable(variable) {
            let way = [key("memory"), key("sealed_by"), key("env")];
            self.unset(&way, variable, "memory.sealed_by");
        }
    }

    fn secrets<V: Fn(&str) -> Option<String>>(&mut self, here: &Here<'_, V>) {
        for (way, _, agent) in agents(&self.loaded.config.teams) {
            let secrets = agent.settings.get("secrets").filter(|_| agent.kind == PROGRAM);
            for (name, source) in secrets.and_then(Value::as_object).into_iter().flatten() {
                let way = |end: &str| [&way[..], &[key("secrets"), key(name), key(end)]].concat();
                let setting = format!("secrets.{name}");
                let text = |end: &str| source.get(end).and_then(Value::as_str);
                if let Some(variable) = text("env").filter(|variable| !here.has_variable(variable)) {
                    self.unset(&way("env"), variable, &setting);
                }
                if let Some(file) = text("file").filter(|file| here.lacks(Path::new(file))) {
                    let remedy = format!("put it there before the agent starts, or correct `{setting}`");
                    self.slip(
                        &way("file"),
                        format!("`{setting}` is to be in {file}, which is not there"),
                        remedy,
                    );
                }
            }
        }
    }

    fn unset(&mut self, way: &[Step], variable: &str, setting: &str) {
        let problem = format!("`{setting}` is to be in the variable {variable}, which is not set here");
        let remedy = format!("set it for whoever starts the runtime, or correct `{setting}`");
        self.slip(way, problem, remedy);
    }
}

/// All agents that are described, with the way to each.
fn agents(teams: &[TeamConfig]) -> impl Iterator<Item = (Vec<Step>, &TeamConfig, &AgentConfig)> {
    teams.iter().enumerate().flat_map(|(at, team)| {
        let way = move |index| vec![key("team"), Step::Index(at), key("agent"), Step::Index(index)];
        let agents = team.agents.iter().enumerate();
        agents.map(move |(index, agent)| (way(index), team, agent))
    })
}

/// Whether it, or a replica of it, is called so.
fn bears(agent: &AgentConfig, named: &str) -> bool {
    let Some(count) = agent.replicas else {
        return agent.name == named;
    };
    let number = named.strip_prefix(&agent.name).and_then(|rest| rest.strip_prefix('-'));
    let number = number.and_then(|number| Some((number, number.parse::<u32>().ok()?)));
    number.is_some_and(|(written, number)| (1..=count.get()).contains(&number) && written == number.to_string())
}

/// What it is called, or the first of its replicas.
fn first_name(agent: &AgentConfig) -> String {
    match agent.replicas {
        None => agent.name.clone(),
        Some(_) => format!("{}-1", agent.name),
    }
}
