//! What is accepted, what is refused, and the words it is refused with.

mod defaults;
mod faults;
mod fuzzed;
mod overlay;
mod slips;
mod trials;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;
use triarch_teams::{Kind, Kinds, Post, PostOffice, Seat, SettingError};

use super::*;

/// Stands for what the kinds of the runtime are: this one has settings of every sort.
struct Programs;

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ProgramSettings {
    /// What it says first.
    #[serde(default)]
    prefix: String,
    /// How often it says it.
    #[serde(default)]
    #[schemars(range(min = 1, max = 9))]
    times: Option<u8>,
    /// What it needs to know and nobody else does.
    #[serde(default)]
    secrets: std::collections::BTreeMap<String, Secret>,
    /// How it speaks.
    #[serde(default)]
    voice: Option<Voice>,
    /// What it runs.
    #[schemars(length(min = 1))]
    command: Vec<String>,
}

/// Where a secret comes from.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Secret {
    /// The file that it is in.
    File(String),
    /// The variable that it is in.
    Env(String),
}

/// How something speaks.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Voice {
    /// Not to be heard far.
    Soft,
    /// To be heard.
    Loud {
        /// By how much.
        decibels: f64,
    },
}

impl Kind for Programs {
    type Settings = ProgramSettings;
    type Agent = Still;

    fn name(&self) -> &'static str {
        "program"
    }

    fn about(&self) -> &'static str {
        "Runs a program."
    }

    fn spec(&self, seat: Seat<ProgramSettings>) -> Result<(), SettingError> {
        if seat.settings.prefix == "hush" {
            return Err(SettingError::of("prefix", "nobody hears a hush", "say something else"));
        }
        Ok(())
    }
}

struct Echoes;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EchoSettings {}

impl Kind for Echoes {
    type Settings = EchoSettings;
    type Agent = Still;

    fn name(&self) -> &'static str {
        "echo"
    }

    fn about(&self) -> &'static str {
        "Says again what it hears."
    }

    fn spec(&self, _: Seat<EchoSettings>) -> Result<(), SettingError> {
        Ok(())
    }
}

struct Loads;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LoadSettings {
    /// Whom it writes to.
    #[serde(default)]
    to: Vec<String>,
    /// How often in a second.
    #[serde(default)]
    rate: f64,
    /// What it says.
    #[serde(default)]
    body: serde_json::Value,
    /// How much it may use.
    #[serde(default)]
    limits: LoadLimits,
}

/// How much a load may use.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct LoadLimits {
    /// How much memory.
    #[schemars(with = "String")]
    memory: Amount,
}

/// What a type can tell and a schema cannot.
#[derive(Clone, Debug, Default, Serialize)]
struct Amount;

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let fault = format!("{text:?} is no amount; write it as in \"4MiB\"");
        if text.ends_with("MiB") {
            Ok(Self)
        } else {
            Err(serde::de::Error::custom(fault))
        }
    }
}

impl Kind for Loads {
    type Settings = LoadSettings;
    type Agent = Still;

    fn name(&self) -> &'static str {
        "load"
    }

    fn about(&self) -> &'static str {
        "Gives others something to do."
    }

    fn spec(&self, _: Seat<LoadSettings>) -> Result<(), SettingError> {
        Ok(())
    }
}

struct Still;

impl Agent for Still {
    type Message = Post;
    type Spec = ();

    async fn start((): (), _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn handle(&mut self, _: Post, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        Ok(())
    }
}

/// The kinds that are built in.
pub(crate) fn natives() -> Kinds {
    let instruments = Instruments::new(crate::catalogue().unwrap());
    let office = PostOffice::new(1, &instruments).unwrap();
    let office = Arc::new(office);
    let programs = triarch_programs::described(Arc::clone(&office), &instruments).unwrap();
    let natives = triarch_teams::natives(Arc::clone(&office), triarch_teams::Places::seen_from(".")).with(programs);
    let shares = crate::Shares::default();
    natives.with(crate::traffic::Traffics { office, shares })
}

pub(crate) fn kinds() -> Kinds {
    Kinds::new().with(Echoes).with(Loads).with(Programs)
}

/// A folder that goes with its test.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    _there: tempfile::TempDir,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let there = tempfile::tempdir().unwrap();
        Self {
            path: there.path().to_owned(),
            _there: there,
        }
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.path.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn source(text: &str) -> Source {
    Source::Text {
        name: "t.toml".to_owned(),
        text: text.to_owned(),
    }
}

fn read(text: &str) -> Result<Loaded, ConfigErrors> {
    load(&source(text), &kinds(), [])
}

fn read_with(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, ConfigErrors> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load(&source(text), &kinds(), variables)
}

/// A description that says something of everything.
const WHOLE: &str = r#"
[runtime]
state_dir = "/s"
span = 3
log = { format = "json", level = "warn" }

[telemetry]
look_every = "1s"
limits.free = 9

[gateway]
listen = "[::1]:80"

[[team]]
name = "birds"
strategy = "rest_for_one"
intensity = { restarts = 1, within = "1m" }
backoff = { first = "1s", factor = 1.5, max = "9s", jitter = 0 }

[[team.agent]]
name = "polly"
kind = "program"
command = ["a", "b c"]
prefix = "x # \"y\""
times = 2
voice = { kind = "loud", decibels = 7 }
mailbox.capacity = 7

[[team.agent]]
name = "flock"
kind = "load"
replicas = 2
start_within = "1h 30m"
capabilities = ["fly"]

[[team]]
name = "cats"
"#;

#[test]
fn nothing_set_is_every_default() {
    assert_eq!(read("").unwrap().config, Config::default());
}

#[test]
fn what_is_built_in_is_accepted() {
    let demo = load(&Source::Demo, &natives(), []).unwrap();
    assert_eq!(demo.name, "the built-in demo");
    assert_eq!(demo.config.teams.len(), 2);
}

#[test]
fn each_setting_is_what_the_file_says() {
    let config = read(WHOLE).unwrap().config;
    assert_eq!(config.runtime.span.get(), 3);
    assert_eq!(config.runtime.log.level, LogLevel::Warn);
    assert_eq!(config.telemetry.limits.free, 9);
    assert_eq!(config.gateway.listen.port(), 80);
    let [birds, cats] = config.teams.as_slice() else {
        panic!("two teams")
    };
    assert_eq!((birds.size(), cats.size()), (3, 0));
    assert_eq!(birds.agents[0].settings["prefix"], "x # \"y\"");
    assert_eq!(birds.agents[0].rules.mailbox.capacity.get(), 7);
}

#[test]
fn the_schema_tells_of_each_kind_and_leads_nowhere_in_vain() {
    let schema = schema(&kinds());
    let text = schema.to_string();
    for target in text
        .split("\"$ref\":\"#/$defs/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
    {
        assert!(schema["$defs"].get(target).is_some(), "{target}");
    }
    let agents = &schema["$defs"]["AgentConfig"];
    assert_eq!(agents["oneOf"][0]["properties"]["kind"]["const"], "echo");
    assert_eq!(agents["unevaluatedProperties"], false);
    let voice = &agents["oneOf"][2]["properties"]["voice"];
    assert_eq!(voice["anyOf"][0]["$ref"], "#/$defs/program.Voice");
}

#[test]
fn the_state_folder_is_known_also_where_the_description_has_faults() {
    let folder = |text: &str, variable: Option<&str>| {
        let source = Source::Text {
            name: "triarch.toml".to_owned(),
            text: text.to_owned(),
        };
        state_dir(&source, |_| variable.map(str::to_owned)).unwrap()
    };
    assert_eq!(
        folder("[runtime]\nstate_dir = \"/here\"\nspam = 1\n[[team]]\n", None),
        "/here"
    );
    assert_eq!(folder("[runtime]\nstate_dir = \"/here\"\n", Some("/there")), "/there");
    for text in ["", "[runtime]\nstate_dir = 7\n", "]["] {
        assert_eq!(folder(text, None), "~/.local/state/triarch", "{text}");
    }
}

#[test]
fn a_relative_state_folder_is_seen_from_the_description_and_one_of_the_environment_from_here() {
    let folder = Folder::new();
    folder.write("triarch.toml", "[runtime]\nstate_dir = \"state\"\n");
    let source = Source::File(folder.path.join("triarch.toml"));
    let seen = |variable: Option<&str>| state_dir(&source, |_| variable.map(str::to_owned)).unwrap();
    assert_eq!(Path::new(&seen(None)), folder.path.join("state"));
    assert_eq!(seen(Some("state")), "state");
    folder.write("triarch.toml", "[runtime]\nstate_dir = \"~/state\"\n");
    assert_eq!(seen(None), "~/state");
}

#[test]
fn a_description_that_is_not_there_has_no_state_folder() {
    let folder = Folder::new();
    let source = Source::File(folder.path.join("misspelt.toml"));
    let told = state_dir(&source, |_| None).unwrap_err().to_string();
    assert!(told.contains("misspelt.toml cannot be read"), "{told}");
    assert_eq!(state_dir(&source, |_| Some("/s".to_owned())).unwrap(), "/s");
}
