//! Who may do what: levels per namespace and verb, held against whoever asks.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use triarch_supervision::name::without_part;

/// Whom a verb is open to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The owner of the entry alone; of what belongs to no one entry, the namespace's owner.
    #[default]
    Private,
    /// Whoever is of the namespace's team.
    Team,
    /// Whoever is of the namespace's project, or of a team of it.
    Project,
    /// Everybody.
    Public,
    /// The runtime itself.
    System,
}

/// What may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// See entries: get, list, search, watch.
    Read,
    /// Make and change entries.
    Write,
    /// Take entries away.
    Delete,
    /// Change the namespace itself, its retention, what goes in and out of it as a whole.
    Administer,
}

/// The levels of a namespace's verbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// Who sees entries.
    pub read: Level,
    /// Who makes and changes them.
    pub write: Level,
    /// Who takes them away.
    pub delete: Level,
    /// Who changes the namespace.
    pub administer: Level,
}

/// Open to its team, and changed by the runtime alone.
impl Default for Access {
    fn default() -> Self {
        Self {
            read: Level::Team,
            write: Level::Team,
            delete: Level::Team,
            administer: Level::System,
        }
    }
}

/// To whom a namespace belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Belonging {
    /// The agent that owns it, by path.
    pub owner: Option<Arc<str>>,
    /// Its team.
    pub team: Option<Arc<str>>,
    /// Its project.
    pub project: Option<Arc<str>>,
    /// The teams of its project.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<Arc<str>>,
}

/// Who asks, as a door vouches for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The path of the agent, or the name of a person.
    pub who: Arc<str>,
    /// The team it is of.
    pub team: Option<Arc<str>>,
    /// The project it is of.
    pub project: Option<Arc<str>>,
    /// Whether it is the runtime itself, to which all is open.
    pub is_system: bool,
}

impl Identity {
    /// The runtime itself.
    pub fn system() -> Self {
        Self {
            who: "system".into(),
            team: None,
            project: None,
            is_system: true,
        }
    }

    /// An agent at `path`, of the team that the path begins with; parts of a team that was split are the team.
    pub fn agent(path: &str) -> Self {
        let path = without_part(path);
        Self {
            who: path.as_ref().into(),
            team: path.split_once('/').map(|(team, _)| team.into()),
            project: None,
            is_system: false,
        }
    }

    /// The same, working on `project`.
    #[must_use]
    pub fn on(mut self, project: &str) -> Self {
        self.project = Some(project.into());
        self
    }
}

impl Access {
    /// The level of `verb`.
    pub const fn level(&self, verb: Verb) -> Level {
        match verb {
            Verb::Read => self.read,
            Verb::Write => self.write,
            Verb::Delete => self.delete,
            Verb::Administer => self.administer,
        }
    }
}

impl Verb {
    /// The word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Administer => "administer",
        }
    }
}

impl Level {
    /// The word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Team => "team",
            Self::Project => "project",
            Self::Public => "public",
            Self::System => "system",
        }
    }

    /// Whether `who` is let through, where the entry in question is owned by `owner`. Without an entry a private verb is
    /// open to the namespace's owner.
    pub fn admits(self, who: &Identity, of: &Belonging, owner: Option<&str>) -> bool {
        let same = |ours: &Option<Arc<str>>, theirs: &Option<Arc<str>>| ours.is_some() && ours == theirs;
        who.is_system
            || match self {
                Self::Public => true,
                Self::System => false,
                Self::Team => same(&of.team, &who.team),
                Self::Project => {
                    same(&of.project, &who.project) || who.team.as_ref().is_some_and(|team| of.teams.contains(team))
                }
                Self::Private => owner.or(of.owner.as_deref()) == Some(&*who.who),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_admits_its_own_and_nobody_else() {
        let of = Belonging {
            owner: Some("a/boss".into()),
            team: Some("a".into()),
            project: Some("moon".into()),
            teams: vec!["c".into()],
        };
        let (boss, mate) = (Identity::agent("a/boss"), Identity::agent("a/mate"));
        let (guest, stranger) = (Identity::agent("b/guest").on("moon"), Identity::agent("b/x"));
        let partner = Identity::agent("c/x");
        let admitted = |level: Level, owner: Option<&str>| {
            [&boss, &mate, &guest, &stranger, &partner, &Identity::system()].map(|who| level.admits(who, &of, owner))
        };
        assert_eq!(admitted(Level::Private, None), [true, false, false, false, false, true]);
        assert_eq!(
            admitted(Level::Private, Some("a/mate")),
            [false, true, false, false, false, true]
        );
        assert_eq!(admitted(Level::Team, None), [true, true, false, false, false, true]);
        assert_eq!(admitted(Level::Project, None), [false, false, true, false, true, true]);
        assert_eq!(admitted(Level::Public, None), [true; 6]);
        assert_eq!(admitted(Level::System, None), [false, false, false, false, false, true]);
    }

    #[test]
    fn nobody_is_of_a_team_that_is_not_named() {
        let nobody = Belonging::default();
        let person = Identity {
            team: None,
            ..Identity::agent("person")
        };
        assert!(!Level::Team.admits(&person, &nobody, None));
        assert!(!Level::Private.admits(&person, &nobody, None));
    }
}
