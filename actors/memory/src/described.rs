//! What a description says of the store: how it is kept, and which namespaces there are.

use std::collections::HashMap;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use triarch_teams::{SettingError, Size, Span};

use crate::access::{Access, Level};
use crate::config::{Config, Durability, Eviction, FullText, NAMESPACES_MAX, Quota, Retention, Rules};
use crate::disk::{SealError, Secret};
use crate::name::Namespace;
use crate::project::ProjectSettings;

/// The namespace that is there whatever a description says: on disk, and open to everybody.
pub const SHARED: &str = "shared";

/// How the store is kept, and its namespaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How often namespaces of durability `relaxed` are taken to disk.
    pub flush_every: Span,
    /// How often retention looks what it takes.
    pub retain_every: Span,
    /// How often a snapshot is written, where anything was.
    pub snapshot_every: Span,
    /// After how many bytes of records a snapshot is written too.
    pub snapshot_after: Size,
    /// Where the key is that seals all that goes to disk: 64 hexadecimal digits. A file is seen from the folder of the description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed_by: Option<KeySource>,
    /// Parts of the store with rules of their own. `shared` is there without a word of it: on disk, and open to everybody.
    #[serde(rename = "namespace")]
    pub namespaces: Vec<NamespaceSettings>,
    /// Teams that work together, to whom parts of the store may be open.
    #[serde(rename = "project", skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<ProjectSettings>,
}

/// Where the key of a store comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// A file that holds nothing else.
    File(PathBuf),
    /// A variable of the runtime's own environment.
    Env(String),
}

/// A part of the store with rules of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamespaceSettings {
    /// What it is called.
    pub name: String,
    /// How safe what is written is once it is acknowledged. It stays so for as long as anything is in it: described otherwise then, it is read and not written.
    #[serde(default = "journal")]
    pub durability: Durability,
    /// The team it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The project it belongs to, which is described under `project`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The path of the agent it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Who may do what.
    #[serde(default)]
    pub access: AccessSettings,
    /// How much it holds.
    #[serde(default)]
    pub quota: QuotaSettings,
    /// Who makes room where it is full; without this, a writer is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eviction: Option<Eviction>,
    /// How long entries are there whose writer says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    /// What is taken away from time to time.
    #[serde(default)]
    pub retention: RetentionSettings,
    /// Whether the words of its JSON are found by search, for the price of an index.
    #[serde(default = "yes")]
    pub full_text: bool,
}

/// Whom a verb is open to. What is not said is open to the team of the namespace, where it has none to its project, and to everybody where it has neither; to administer it is the runtime's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccessSettings {
    /// Who sees entries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<OpenTo>,
    /// Who makes and changes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write: Option<OpenTo>,
    /// Who takes them away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete: Option<OpenTo>,
    /// Who changes the namespace and its retention, and takes it in and out as a whole: agents of own kinds. `private` is the namespace's owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub administer: Option<OpenTo>,
}

/// Whom a verb is open to. To the runtime, and whoever uses its command line, all is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OpenTo {
    /// The agent that made the entry.
    Private,
    /// Agents of the namespace's team.
    Team,
    /// Agents of all teams of the namespace's project.
    Project,
    /// Everybody.
    Public,
    /// The runtime alone.
    System,
}

/// How much a namespace holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QuotaSettings {
    /// Entries.
    pub entries: u64,
    /// Keys, values and labels, and 192 B for each entry.
    pub size: Size,
    /// One value.
    pub value_size: Size,
}

/// What is taken away from time to time. What is not said is not done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionSettings {
    /// Entries written longer ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// Entries read or written longer ago. What was read before a start is not known after it: all that is there then counts as read at
    /// that moment, and goes later than it would, never earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unaccessed_for: Option<Span>,
    /// The entries written longest ago, until so many are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_entries: Option<u64>,
    /// The entries written longest ago, until so much is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_size: Option<Size>,
}

fn journal() -> Durability {
    Durability::Journal
}

fn yes() -> bool {
    true
}

impl Default for Settings {
    fn default() -> Self {
        let config = Config::default();
        Self {
            flush_every: Span(config.flush_every),
            retain_every: Span(config.retain_every),
            snapshot_every: Span(config.snapshot_every),
            snapshot_after: Size(config.snapshot_bytes),
            sealed_by: None,
            namespaces: Vec::new(),
            projects: Vec::new(),
        }
    }
}

impl Default for QuotaSettings {
    fn default() -> Self {
        let quota = Quota::default();
        Self {
            entries: quota.entries,
            size: Size(quota.bytes),
            value_size: Size(quota.value_bytes),
        }
    }
}

impl NamespaceSettings {
    /// A namespace of which nothing is said but its name.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            durability: journal(),
            team: None,
            project: None,
            owner: None,
            access: AccessSettings::default(),
            quota: QuotaSettings::default(),
            eviction: None,
            ttl: None,
            retention: RetentionSettings::default(),
            full_text: yes(),
        }
    }

    /// What cannot be followed of it, by key.
    pub fn faults(&self) -> Vec<SettingError> {
        let mut faults = Vec::new();
        if let Err(fault) = Namespace::new(&self.name) {
            let text = fault.to_string();
            let (problem, remedy) = text.split_once("; ").unwrap_or((&text, "change it"));
            faults.push(SettingError::of("name", problem, remedy));
        }
        let AccessSettings {
            read,
            write,
            delete,
            administer,
        } = self.access;
        if administer == Some(OpenTo::Private) && self.owner.is_none() {
            let problem = "`access.administer` is for an owner, and the namespace has none";
            faults.push(SettingError::of("access.administer", problem, "name its `owner`"));
        }
        let verbs = [
            ("read", read),
            ("write", write),
            ("delete", delete),
            ("administer", administer),
        ];
        for (verb, open_to) in verbs {
            let lacks = match open_to {
                Some(OpenTo::Team) if self.team.is_none() => "team",
                Some(OpenTo::Project) if self.project.is_none() => "project",
                _ => continue,
            };
            let problem = format!("`access.{verb}` is for a {lacks}, and the namespace has none");
            let remedy = format!("name its `{lacks}`");
            faults.push(SettingError::of(format!("access.{verb}"), problem, remedy));
        }
        let QuotaSettings {
            entries,
            size,
            value_size,
        } = self.quota;
        for (key, most) in [("entries", entries), ("size", size.0), ("value_size", value_size.0)] {
            if most == 0 {
                let problem = format!("`quota.{key}` leaves no room for anything");
                faults.push(SettingError::of(
                    format!("quota.{key}"),
                    problem,
                    "raise it, or leave it out",
                ));
            }
        }
        if self.ttl == Some(Span(Duration::ZERO)) {
            faults.push(SettingError::of(
                "ttl",
                "entries would be gone at once",
                "raise it, or leave it out",
            ));
        }
        faults
    }

    fn rules(&self, projects: &[ProjectSettings]) -> Rules {
        let time = |span: Option<Span>| span.map(|Span(time)| time);
        Rules {
            durability: self.durability,
            quota: Quota {
                entries: self.quota.entries,
                bytes: self.quota.size.0,
                value_bytes: self.quota.value_size.0,
            },
            eviction: self.eviction,
            ttl: time(self.ttl),
            retention: Retention {
                max_age: time(self.retention.max_age),
                unaccessed_for: time(self.retention.unaccessed_for),
                max_entries: self.retention.max_entries,
                max_bytes: self.retention.max_size.map(|Size(bytes)| bytes),
            },
            belonging: self.belonging(projects),
            access: self.access(),
            full_text: if self.full_text {
                FullText::Indexed
            } else {
                FullText::Off
            },
        }
    }

    fn access(&self) -> Access {
        let unsaid = match (&self.team, &self.project) {
            (Some(_), _) => Level::Team,
            (None, Some(_)) => Level::Project,
            (None, None) => Level::Public,
        };
        let level = |open_to: Option<OpenTo>| open_to.map_or(unsaid, Level::from);
        Access {
            read: level(self.access.read),
            write: level(self.access.write),
            delete: level(self.access.delete),
            administer: self.access.administer.map_or(Level::System, Level::from),
        }
    }
}

impl From<OpenTo> for Level {
    fn from(open_to: OpenTo) -> Self {
        match open_to {
            OpenTo::Private => Self::Private,
            OpenTo::Team => Self::Team,
            OpenTo::Project => Self::Project,
            OpenTo::Public => Self::Public,
            OpenTo::System => Self::System,
        }
    }
}

impl Settings {
    /// How the room is kept.
    pub fn room(&self) -> Config {
        Config {
            flush_every: self.flush_every.0,
            retain_every: self.retain_every.0,
            snapshot_every: self.snapshot_every.0,
            snapshot_bytes: self.snapshot_after.0,
        }
    }

    /// All namespaces that are described, and the one that is there without.
    pub fn namespaces(&self) -> Result<Vec<(Namespace, Rules)>, crate::error::Error> {
        let shared = NamespaceSettings::named(SHARED);
        let is_described = self.namespaces.iter().any(|namespace| namespace.name == SHARED);
        let all = self.namespaces.iter().chain((!is_described).then_some(&shared));
        all.map(|namespace| Ok((Namespace::new(&namespace.name)?, namespace.rules(&self.projects))))
            .collect()
    }

    /// The key that everything is sealed with, where there is one; a file is seen from `folder`.
    pub fn key(&self, folder: &Path) -> Result<Option<Secret>, SealError> {
        let source = self.sealed_by.as_ref();
        source
            .map(|source| match source {
                KeySource::File(file) => Secret::from_file(&folder.join(file)),
                KeySource::Env(variable) => Secret::from_env(variable),
            })
            .transpose()
    }

    /// What is wrong with the file of the key as it is seen from `folder`, where the key is in one. Whether whoever looks may read
    /// it is another matter: the runtime may be somebody else.
    pub fn key_fault(&self, folder: &Path) -> Option<SettingError> {
        let Some(KeySource::File(file)) = &self.sealed_by else {
            return None;
        };
        let is_closed = File::open(folder.join(file)).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
        let fault = self.key(folder).err().filter(|_| !is_closed)?.to_string();
        let (problem, remedy) = fault.split_once("; ").unwrap_or((&fault, "name another"));
        Some(SettingError::of("sealed_by.file", problem, remedy))
    }

    /// The file of the key, where everybody on the machine may read it.
    pub fn open_key(&self, folder: &Path) -> Option<PathBuf> {
        let Some(KeySource::File(file)) = &self.sealed_by else {
            return None;
        };
        let path = folder.join(file);
        let mode = path.metadata().ok()?.permissions().mode();
        (mode & 0o007 != 0).then_some(path)
    }

    /// What cannot be followed of the room itself, by key.
    pub fn faults(&self) -> Vec<SettingError> {
        let times = [
            ("flush_every", self.flush_every),
            ("retain_every", self.retain_every),
            ("snapshot_every", self.snapshot_every),
        ];
        let idle = times
            .into_iter()
            .filter(|(_, every)| every.0 < Duration::from_millis(10));
        let mut faults: Vec<_> = idle
            .map(|(key, _)| {
                SettingError::of(
                    key,
                    format!("`{key}` leaves no time for anything else"),
                    "raise it to 10ms or more",
                )
            })
            .collect();
        if self.snapshot_after.0 == 0 {
            faults.push(SettingError::of(
                "snapshot_after",
                "each write would be a snapshot",
                "raise it, or leave it out",
            ));
        }
        // One place is for the namespace that is there without a word.
        if self.namespaces.len() >= NAMESPACES_MAX {
            let problem = format!("{} namespaces are more than there may be", self.namespaces.len());
            faults.push(SettingError::of(
                "namespace",
                problem,
                format!("describe fewer than {NAMESPACES_MAX}"),
            ));
        }
        faults.extend(self.faults_of_projects());
        faults
    }

    /// The namespaces whose name another had before: their places, and the place of that one.
    pub fn named_twice(&self) -> Vec<(usize, usize)> {
        let mut names = HashMap::new();
        let all = self.namespaces.iter().enumerate();
        let twice = all.filter_map(|(index, namespace)| {
            let first = *names.entry(&namespace.name).or_insert(index);
            (first != index).then_some((index, first))
        });
        twice.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(text: &str) -> Settings {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn shared_is_there_without_a_word_of_it_on_disk_and_open_to_everybody() {
        let namespaces = Settings::default().namespaces().unwrap();
        let [(name, rules)] = namespaces.as_slice() else {
            panic!("{namespaces:?}")
        };
        assert_eq!((name.as_str(), rules.durability), ("shared", Durability::Journal));
        assert_eq!((rules.access.read, rules.access.delete), (Level::Public, Level::Public));
        let own = described(r#"{"namespace":[{"name":"shared","durability":"memory"}]}"#)
            .namespaces()
            .unwrap();
        assert_eq!(own.len(), 1, "{own:?}");
        assert_eq!(own[0].1.durability, Durability::Memory);
    }

    #[test]
    fn a_namespace_of_a_team_is_open_to_it_alone_unless_it_says_otherwise() {
        let settings = described(r#"{"namespace":[{"name":"plans","team":"tools","access":{"read":"public"}}]}"#);
        let access = settings.namespaces().unwrap()[0].1.access;
        assert_eq!((access.read, access.write), (Level::Public, Level::Team));
        assert_eq!(access.administer, Level::System);
        let settings = described(r#"{"namespace":[{"name":"plans","team":"tools","access":{"administer":"team"}}]}"#);
        let access = settings.namespaces().unwrap()[0].1.access;
        assert_eq!((access.administer, access.delete), (Level::Team, Level::Team));
    }

    #[test]
    fn the_defaults_are_those_of_the_store_and_have_no_fault() {
        let (settings, notes) = (Settings::default(), NamespaceSettings::named("notes"));
        assert_eq!((settings.room(), settings.faults()), (Config::default(), Vec::new()));
        assert_eq!((notes.rules(&[]).quota, notes.faults()), (Quota::default(), Vec::new()));
    }

    #[test]
    fn what_nobody_could_use_is_refused_by_its_key() {
        let settings = described(
            r#"{"flush_every":"0s","snapshot_after":"0B","namespace":[
                {"name":"No","access":{"administer":"private","write":"team"},"quota":{"entries":0},"ttl":"0s"},{"name":"a"},{"name":"a"}]}"#,
        );
        let keys = |faults: Vec<SettingError>| faults.into_iter().filter_map(|fault| fault.key).collect::<Vec<_>>();
        assert_eq!(keys(settings.faults()), ["flush_every", "snapshot_after"]);
        assert_eq!(
            keys(settings.namespaces[0].faults()),
            ["name", "access.administer", "access.write", "quota.entries", "ttl"]
        );
        assert_eq!(settings.named_twice(), [(2, 1)]);
    }
}
