//! From settings to what a process is started with.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use triarch_teams::{SettingError, Span};

use crate::places::Places;
use crate::settings::{ProgramSettings, SecretSource};
use crate::sys::{Launch, Limits, Sandbox, Tag};
use crate::ways::{Closed, Ways};

/// The variables by which a program learns who it is.
const AGENT: &str = "TRIARCH_AGENT";
const INCARNATION: &str = "TRIARCH_INCARNATION";

/// A secret whose value cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// Its file is not there, or not for us.
    #[error("the secret {name} cannot be read from {}: {source}; write it there, or correct secrets.{name}", path.display())]
    File {
        name: String,
        path: PathBuf,
        source: io::Error,
    },
    /// Its variable is not set.
    #[error("the secret {name} is not in the runtime's environment as {variable}; set it, or correct secrets.{name}")]
    Env { name: String, variable: String },
}

/// What each process of an agent is started with.
#[derive(Clone)]
pub(crate) struct Recipe {
    command: Vec<OsString>,
    dir: PathBuf,
    env: Vec<(OsString, OsString)>,
    secrets: Vec<(String, SecretSource)>,
    limits: Limits,
    sandbox: Sandbox,
    closed: Closed,
}

impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whatever stands in an environment may be a secret that somebody did not declare.
        f.debug_struct("Recipe")
            .field("command", &self.command)
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

impl Recipe {
    /// Takes what is inherited from the environment as it is now; or tells all that cannot be followed.
    pub(crate) fn of(settings: &ProgramSettings, places: &Places) -> Result<Self, Vec<SettingError>> {
        let inherited = settings.inherit.iter().filter(|name| !settings.env.contains_key(*name));
        let inherited = inherited.filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
        let given = settings.env.iter().map(|(name, value)| (name.into(), value.into()));
        let env: Vec<_> = inherited.chain(given).collect();
        let mut faults = settings.faults();
        let ways = Ways::of(settings, places, &env, &mut faults);
        let Some(ways) = ways.filter(|_| faults.is_empty()) else {
            return Err(faults);
        };
        let arguments = settings.command.iter().skip(1).map(OsString::from);
        Ok(Self {
            command: std::iter::once(ways.program).chain(arguments).collect(),
            dir: ways.dir,
            env,
            secrets: ways.secrets,
            limits: limits(settings),
            sandbox: ways.sandbox,
            closed: ways.closed,
        })
    }

    /// Whether a control group may have killed it for want of memory.
    pub(crate) fn limits_memory(&self) -> bool {
        self.limits.memory.is_some()
    }

    /// How much processor time each of its processes may use.
    pub(crate) fn cpu_most(&self) -> Option<Duration> {
        self.limits.cpu
    }

    pub(crate) fn is_in_sandbox(&self) -> bool {
        self.sandbox != Sandbox::None
    }

    /// What its sandbox does not open though one might think so.
    pub(crate) fn closed(&self) -> &Closed {
        &self.closed
    }

    /// A process of the agent at `path`, with `more` in its environment.
    pub(crate) fn launch(
        &self,
        path: &str,
        incarnation: u64,
        tag: Tag,
        more: &[(&str, String)],
    ) -> Result<Launch, SecretError> {
        let mut env = self.env.clone();
        env.push((AGENT.into(), path.into()));
        env.push((INCARNATION.into(), incarnation.to_string().into()));
        env.extend(more.iter().map(|(name, value)| (name.into(), value.into())));
        for (name, source) in &self.secrets {
            env.push((name.into(), secret(name, source)?));
        }
        Ok(Launch {
            command: self.command.clone(),
            dir: self.dir.clone(),
            env,
            tag,
            limits: self.limits,
            sandbox: self.sandbox.clone(),
        })
    }
}

fn limits(settings: &ProgramSettings) -> Limits {
    let limits = &settings.limits;
    Limits {
        memory: limits.memory.map(|size| size.0),
        // The kernel counts whole seconds, and holds nobody to none.
        cpu: limits.cpu.map(|Span(most)| Duration::from_secs(most.as_secs().max(1))),
        open_files: limits.open_files.map(Into::into),
        processes: limits.processes.map(Into::into),
    }
}

fn secret(name: &str, source: &SecretSource) -> Result<OsString, SecretError> {
    match source {
        SecretSource::Env(variable) => std::env::var_os(variable).ok_or_else(|| SecretError::Env {
            name: name.to_owned(),
            variable: variable.clone(),
        }),
        SecretSource::File(path) => {
            let text = std::fs::read_to_string(path).map_err(|source| SecretError::File {
                name: name.to_owned(),
                path: path.clone(),
                source,
            })?;
            let text = text.strip_suffix('\n').unwrap_or(&text);
            Ok(text.strip_suffix('\r').unwrap_or(text).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn recipe(settings: Value) -> Recipe {
        let settings: ProgramSettings = serde_json::from_value(settings).unwrap();
        Recipe::of(&settings, &Places::of_process()).unwrap()
    }

    #[test]
    fn nothing_is_inherited_that_is_not_listed_and_what_is_given_comes_first() {
        let command = json!({"command": ["/bin/sh"], "inherit": ["PATH", "HOME"], "env": {"PATH": "/bin"}});
        let recipe = recipe(command);
        let names: Vec<_> = recipe.env.iter().map(|(name, _)| name.to_str().unwrap()).collect();
        assert_eq!(names.iter().filter(|name| **name == "PATH").count(), 1);
        assert!(names.iter().all(|name| ["PATH", "HOME"].contains(name)), "{names:?}");
        assert!(recipe.env.contains(&("PATH".into(), "/bin".into())));
    }

    #[test]
    fn a_secret_comes_from_its_file_or_variable_and_a_missing_one_names_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "sesame\r\n").unwrap();
        assert_eq!(secret("KEY", &SecretSource::File(path)).unwrap(), "sesame");
        assert_eq!(
            secret("KEY", &SecretSource::Env("NO_SUCH_VARIABLE".to_owned()))
                .unwrap_err()
                .to_string(),
            "the secret KEY is not in the runtime's environment as NO_SUCH_VARIABLE; set it, or correct secrets.KEY"
        );
        let missing = secret("KEY", &SecretSource::File("/no/such".into()))
            .unwrap_err()
            .to_string();
        assert!(
            missing.starts_with("the secret KEY cannot be read from /no/such: "),
            "{missing}"
        );
    }

    #[test]
    fn a_recipe_shows_nothing_of_its_environment() {
        let recipe = recipe(json!({"command": ["/bin/sh"], "env": {"KEY": "canary"}}));
        assert!(!format!("{recipe:?}").contains("canary"));
    }
}
