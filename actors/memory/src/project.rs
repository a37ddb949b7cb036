//! Projects: teams that work together, as the store knows them.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use triarch_teams::SettingError;

use crate::access::Belonging;
use crate::described::{NamespaceSettings, Settings};

/// Teams that work together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectSettings {
    /// What it is called.
    pub name: String,
    /// The teams that are of it. A team may be of several.
    pub teams: Vec<String>,
}

impl NamespaceSettings {
    pub(crate) fn belonging(&self, projects: &[ProjectSettings]) -> Belonging {
        let shared = |name: &Option<String>| name.as_deref().map(Arc::from);
        let its = projects
            .iter()
            .filter(|project| self.project.as_ref() == Some(&project.name));
        Belonging {
            owner: shared(&self.owner),
            team: shared(&self.team),
            project: shared(&self.project),
            teams: its
                .flat_map(|project| &project.teams)
                .map(|team| Arc::from(team.as_str()))
                .collect(),
        }
    }
}

impl Settings {
    /// What of projects nobody could use.
    pub(crate) fn faults_of_projects(&self) -> Vec<SettingError> {
        let fault = |problem: String, remedy: &str| SettingError::of("project", problem, remedy);
        let (mut faults, mut known) = (Vec::new(), HashSet::new());
        for ProjectSettings { name, teams } in &self.projects {
            if name.is_empty() {
                faults.push(fault("a project has no name".to_owned(), "name it"));
            }
            if !known.insert(name) {
                faults.push(fault(format!("there are two projects {name:?}"), "make one of them"));
            }
            if teams.is_empty() {
                faults.push(fault(format!("no team is of the project {name:?}"), "name its `teams`"));
            }
        }
        let wanted: BTreeSet<&String> = self
            .namespaces
            .iter()
            .flat_map(|namespace| &namespace.project)
            .collect();
        for name in wanted.into_iter().filter(|name| !known.contains(name)) {
            let problem = format!("a namespace is of the project {name:?}, and there is none of that name");
            faults.push(fault(problem, "describe it as a `[[memory.project]]` with its `teams`"));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Identity, Level};

    fn described(text: &str) -> Settings {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_namespace_of_a_project_is_open_to_all_its_teams_unless_it_says_otherwise() {
        let settings = described(
            r#"{"project":[{"name":"moon","teams":["crew","tools"]},{"name":"sun","teams":["guests"]}],
                "namespace":[{"name":"a","project":"moon"},
                {"name":"b","project":"moon","team":"crew","access":{"read":"project"}}]}"#,
        );
        assert_eq!(settings.faults(), []);
        let namespaces = settings.namespaces().unwrap();
        let admits = |number: usize, level: Level| {
            let rules = &namespaces[number].1;
            ["crew/x", "tools/x", "guests/x", "moon/x"]
                .map(|path| level.admits(&Identity::agent(path), &rules.belonging, None))
        };
        let [a, b] = [0, 1].map(|number: usize| namespaces[number].1.access);
        assert_eq!(
            (a.read, a.write, a.delete),
            (Level::Project, Level::Project, Level::Project)
        );
        assert_eq!((b.read, b.write), (Level::Project, Level::Team));
        assert_eq!(admits(0, a.write), [true, true, false, false]);
        assert_eq!(admits(1, b.read), [true, true, false, false]);
        assert_eq!(admits(1, b.write), [true, false, false, false]);
    }

    #[test]
    fn what_nobody_could_use_is_told() {
        let settings = described(
            r#"{"project":[{"name":"moon","teams":["a"]},{"name":"moon","teams":["b"]},{"name":"sun","teams":[]},{"name":"","teams":["a"]}],
                "namespace":[{"name":"a","project":"mars","access":{"read":"team"}},{"name":"b","access":{"read":"project"}}]}"#,
        );
        let told: Vec<_> = settings.faults().into_iter().map(|fault| fault.problem).collect();
        assert_eq!(
            told,
            [
                "there are two projects \"moon\"",
                "no team is of the project \"sun\"",
                "a project has no name",
                "a namespace is of the project \"mars\", and there is none of that name",
            ]
        );
        let faults = settings.namespaces.iter().map(NamespaceSettings::faults);
        let told: Vec<_> = faults.flatten().map(|fault| fault.problem).collect();
        assert_eq!(
            told,
            [
                "`access.read` is for a team, and the namespace has none",
                "`access.read` is for a project, and the namespace has none",
            ]
        );
    }
}
