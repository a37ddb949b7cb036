//! What a description may set for a program.

use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use triarch_teams::{Rules, SettingError, Size, Span};

use crate::heartbeat::HeartbeatSettings;

/// The shortest line that a program must be able to write: its own words need room.
const LINE_MIN: Size = Size(1 << 10);

/// The longest.
const LINE_MAX: Size = Size(64 << 20);

/// A program as a person describes it.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgramSettings {
    /// The program and its arguments; no shell reads them.
    pub command: Vec<String>,
    /// How it is talked to.
    #[serde(default)]
    pub mode: Mode,
    /// Its working folder, seen from the folder of the description, which it is where nothing is said; `~/` stands for the home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
    /// What its environment has besides what is inherited.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Which variables it inherits from the runtime.
    #[serde(default = "inherit")]
    pub inherit: Vec<String>,
    /// Variables whose values are never shown, by where they come from.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretSource>,
    /// How much it may use.
    #[serde(default)]
    pub limits: LimitSettings,
    /// What it may reach.
    #[serde(default)]
    pub sandbox: SandboxSettings,
    /// How long a line may be, to it and from it; in mode `exec` a reply.
    #[serde(default = "line_max")]
    pub line_max: Size,
    /// How many posts may be with it unanswered.
    #[serde(default = "unanswered_max")]
    pub unanswered_max: NonZeroUsize,
    /// That it says each so often that it lives; without this it is only watched whether its process does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<HeartbeatSettings>,
    /// Whether it ever answers. Of one that does not, posts are delivered, and nobody says more; it hears events, and takes no
    /// tasks.
    #[serde(default = "yes")]
    pub answers: bool,
}

/// What stands in its environment may be secret, which no panic and no log is to show.
impl fmt::Debug for ProgramSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let env: Vec<_> = self.env.keys().collect();
        f.debug_struct("ProgramSettings")
            .field("command", &self.command)
            .field("mode", &self.mode)
            .field("dir", &self.dir)
            .field("env", &env)
            .field("secrets", &self.secrets)
            .finish_non_exhaustive()
    }
}

/// How a program is talked to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It runs for as long as the agent does, and lines of JSON go both ways.
    #[default]
    Lines,
    /// It runs once for each post: body on its standard input, reply on its standard output, exit code as the result.
    Exec,
}

/// Where the value of a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// A file that holds nothing else; a line end at its end is not part of it.
    File(PathBuf),
    /// A variable of the runtime's own environment.
    Env(String),
}

/// How much a program may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// Memory of all its processes together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Size>,
    /// Processor time of each of its processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Span>,
    /// Open files of each of its processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_files: Option<NonZeroU64>,
    /// Processes and threads at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<NonZeroU64>,
    /// How long it may run; in mode `exec` for one post.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall: Option<Span>,
}

/// What a program may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SandboxSettings {
    /// How much of a wall there is.
    pub kind: SandboxKind,
    /// Folders it may read, and run programs from, beside its own and the system's; seen from its working folder, `~/` from the
    /// home.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<PathBuf>,
    /// Folders it may also write.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub write: Vec<PathBuf>,
}

/// How much of a wall there is around a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SandboxKind {
    /// The system's own folders to read and run, its working folder to read and write where that is fit, and what is listed.
    #[default]
    Standard,
    /// None: whatever the runtime may reach.
    None,
}

fn inherit() -> Vec<String> {
    ["PATH", "HOME", "LANG", "TERM", "USER"].map(str::to_owned).into()
}

fn line_max() -> Size {
    Size(1 << 20)
}

fn unanswered_max() -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(1023)
}

fn yes() -> bool {
    true
}

impl Mode {
    /// The word for it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Exec => "exec",
        }
    }
}

impl ProgramSettings {
    /// All that cannot be followed, as far as it shows without a look at the machine.
    pub(crate) fn faults(&self) -> Vec<SettingError> {
        let mut faults: Vec<_> = self.command_fault().into_iter().collect();
        faults.extend(self.environment_faults());
        if !(LINE_MIN..=LINE_MAX).contains(&self.line_max) {
            let problem = format!("lines of {} cannot be had", self.line_max);
            let remedy = format!("give {LINE_MIN} to {LINE_MAX}");
            faults.push(SettingError::of("line_max", problem, remedy));
        }
        if self.limits.wall.is_some_and(|wall| wall.0.is_zero()) {
            faults.push(SettingError::of(
                "limits.wall",
                "the program has no time at all",
                "give it some, or leave it out",
            ));
        }
        faults.extend(self.heartbeat.iter().flat_map(|heartbeat| heartbeat.faults(self.mode)));
        let SandboxSettings { kind, read, write } = &self.sandbox;
        if *kind == SandboxKind::None && !(read.is_empty() && write.is_empty()) {
            faults.push(SettingError::of(
                "sandbox",
                "folders are listed where there is no sandbox",
                "remove them, or let kind be \"standard\"",
            ));
        }
        faults
    }

    /// Whether an agent of these rules would be given tasks that it never says it has done.
    pub(crate) fn task_fault(&self, rules: &Rules) -> Option<SettingError> {
        // The end of a run is its answer.
        let is_fault = !self.answers && self.mode == Mode::Lines && rules.tasks().is_some();
        is_fault.then(|| {
            SettingError::of(
                "answers",
                "it takes tasks, and never says that one is done",
                "remove it, or `capabilities` and `tasks`",
            )
        })
    }

    fn command_fault(&self) -> Option<SettingError> {
        let fault = |problem: &str, remedy: &str| Some(SettingError::of("command", problem, remedy));
        match self.command.first() {
            None => fault(
                "the command is empty",
                "name a program, as in [\"python3\", \"-u\", \"agent.py\"]",
            ),
            Some(program) if program.is_empty() => fault("the program has no name", "name one, as in [\"python3\"]"),
            Some(_) if self.command.iter().any(|part| part.contains('\0')) => {
                fault("the command has a zero byte in it", "remove it")
            }
            Some(_) => None,
        }
    }

    fn environment_faults(&self) -> Vec<SettingError> {
        let names = self.env.keys().map(|name| ("env", name));
        let names = names.chain(self.inherit.iter().map(|name| ("inherit", name)));
        let names = names.chain(self.secrets.keys().map(|name| ("secrets", name)));
        let is_name = |name: &str| !name.is_empty() && !name.contains(['=', '\0']);
        let unnamed = names.filter(|(_, name)| !is_name(name)).map(|(key, name)| {
            let problem = format!("{name:?} is no name of a variable");
            SettingError::of(key, problem, "name it in letters, digits and _")
        });
        let shown = self.secrets.keys().filter(|name| self.env.contains_key(*name));
        let shown = shown.map(|name| {
            let problem = format!("{name} stands in env too, where it is shown");
            SettingError::of("secrets", problem, "remove it from env")
        });
        let broken = self.env.iter().filter(|(_, value)| value.contains('\0'));
        let broken =
            broken.map(|(name, _)| SettingError::of("env", format!("{name} has a zero byte in it"), "remove it"));
        unnamed.chain(shown).chain(broken).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn settings(more: &Value) -> ProgramSettings {
        let mut all = json!({ "command": ["cat"] });
        for (key, value) in more.as_object().unwrap() {
            all[key] = value.clone();
        }
        serde_json::from_value(all).unwrap()
    }

    fn refused(more: &Value) -> Vec<String> {
        let faults = settings(more).faults();
        let told = |fault: &SettingError| format!("{}: {fault}", fault.key.as_deref().unwrap_or_default());
        faults.iter().map(told).collect()
    }

    #[test]
    fn the_defaults_are_safe_and_valid() {
        let settings = settings(&json!({}));
        assert_eq!(settings.faults(), []);
        assert_eq!(settings.inherit, ["PATH", "HOME", "LANG", "TERM", "USER"]);
        assert_eq!(
            (settings.line_max, settings.unanswered_max.get()),
            (Size(1 << 20), 1024)
        );
        assert_eq!(settings.sandbox.kind, SandboxKind::Standard);
        assert!(settings.answers);
        assert_eq!(settings.mode, Mode::Lines);
    }

    #[test]
    fn whoever_prints_it_sees_which_variables_it_has_and_no_values() {
        let settings = settings(&json!({ "env": { "API_TOKEN": "canary" } }));
        let printed = format!("{settings:?}");
        assert!(
            printed.contains("API_TOKEN") && !printed.contains("canary"),
            "{printed}"
        );
    }

    #[test]
    fn what_cannot_be_followed_names_the_key_and_the_remedy() {
        let cases = [
            (
                json!({"command": []}),
                "command: the command is empty; name a program, as in [\"python3\", \"-u\", \"agent.py\"]",
            ),
            (
                json!({"command": [""]}),
                "command: the program has no name; name one, as in [\"python3\"]",
            ),
            (
                json!({"command": ["a\u{0}"]}),
                "command: the command has a zero byte in it; remove it",
            ),
            (
                json!({"env": {"A=B": "c"}}),
                "env: \"A=B\" is no name of a variable; name it in letters, digits and _",
            ),
            (
                json!({"inherit": [""]}),
                "inherit: \"\" is no name of a variable; name it in letters, digits and _",
            ),
            (
                json!({"env": {"KEY": "x"}, "secrets": {"KEY": {"env": "KEY"}}}),
                "secrets: KEY stands in env too, where it is shown; remove it from env",
            ),
            (
                json!({"line_max": "1B"}),
                "line_max: lines of 1B cannot be had; give 1KiB to 64MiB",
            ),
            (
                json!({"limits": {"wall": "0s"}}),
                "limits.wall: the program has no time at all; give it some, or leave it out",
            ),
            (
                json!({"mode": "exec", "heartbeat": {}}),
                "heartbeat: a program in mode exec runs for one post only, and has nothing to say between two; remove it, or let mode be \"lines\"; limits.wall bounds one run",
            ),
            (
                json!({"sandbox": {"kind": "none", "read": ["/"]}}),
                "sandbox: folders are listed where there is no sandbox; remove them, or let kind be \"standard\"",
            ),
        ];
        for (more, expected) in cases {
            assert_eq!(refused(&more), [expected]);
        }
    }

    #[test]
    fn all_that_cannot_be_followed_is_told_at_once() {
        let told = refused(&json!({
            "command": [], "inherit": ["", "A=B"], "line_max": "1B", "limits": { "wall": "0s" },
            "env": { "KEY": "a\u{0}" }, "secrets": { "KEY": { "env": "KEY" } },
            "sandbox": { "kind": "none", "read": ["/"] },
        }));
        let keys: Vec<_> = told.iter().filter_map(|fault| Some(fault.split_once(':')?.0)).collect();
        let expected = [
            "command",
            "inherit",
            "inherit",
            "secrets",
            "env",
            "line_max",
            "limits.wall",
            "sandbox",
        ];
        assert_eq!(keys, expected, "{told:#?}");
    }

    #[test]
    fn unknown_keys_are_refused() {
        for text in [
            json!({"command": ["a"], "comand": []}),
            json!({"command": ["a"], "limits": {"ram": "1MiB"}}),
            json!({"command": ["a"], "sandbox": {"kind": "loose"}}),
            json!({"command": ["a"], "secrets": {"A": {"text": "x"}}}),
        ] {
            assert!(
                serde_json::from_value::<ProgramSettings>(text.clone()).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn settings_are_written_as_they_are_read() {
        let all = json!({
            "command": ["cat", "-"], "mode": "exec", "env": {"A": "b"}, "inherit": ["PATH"],
            "secrets": {"KEY": {"file": "key"}, "TOKEN": {"env": "MY_TOKEN"}},
            "limits": {"memory": "512MiB", "cpu": "10m", "open_files": 64, "processes": 8, "wall": "1h"},
            "sandbox": {"kind": "standard", "read": ["/usr"]}, "line_max": "2MiB", "unanswered_max": 4, "answers": false,
            "heartbeat": {"every": "2s", "failed": "1m"},
        });
        let settings: ProgramSettings = serde_json::from_value(all.clone()).unwrap();
        assert_eq!(serde_json::to_value(settings).unwrap(), all);
    }
}
