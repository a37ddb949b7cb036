//! From settings to what a process is started with.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use triarch_teams::SettingError;

use crate::settings::{ProgramSettings, SandboxKind, SecretSource};
use crate::sys::{Launch, Limits, Sandbox, Tag};

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
    /// Takes what is inherited from the environment as it is now.
    pub(crate) fn of(settings: &ProgramSettings) -> Result<Self, SettingError> {
        let dir = folder(settings.dir.as_deref())?;
        let inherited = settings.inherit.iter().filter(|name| !settings.env.contains_key(*name));
        let inherited = inherited.filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
        let given = settings.env.iter().map(|(name, value)| (name.into(), value.into()));
        Ok(Self {
            command: settings.command.iter().map(OsString::from).collect(),
            env: inherited.chain(given).collect(),
            secrets: settings.secrets.clone().into_iter().collect(),
            limits: limits(settings),
            sandbox: sandbox(settings, &dir),
            dir,
        })
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

fn folder(dir: Option<&Path>) -> Result<PathBuf, SettingError> {
    let own = dir.unwrap_or(Path::new("."));
    own.canonicalize().map_err(|error| {
        let problem = format!("the folder {} cannot be reached: {error}", own.display());
        SettingError::of("dir", problem, "name another")
    })
}

fn limits(settings: &ProgramSettings) -> Limits {
    let limits = &settings.limits;
    Limits {
        memory: limits.memory.map(|size| size.0),
        cpu: limits.cpu.map(|span| span.0),
        open_files: limits.open_files.map(Into::into),
        processes: limits.processes.map(Into::into),
    }
}

fn sandbox(settings: &ProgramSettings, dir: &Path) -> Sandbox {
    let of = |folders: &[PathBuf]| folders.iter().map(|folder| dir.join(folder)).collect::<Vec<_>>();
    match settings.sandbox.kind {
        SandboxKind::None => Sandbox::None,
        SandboxKind::Standard => Sandbox::Standard {
            read: of(&settings.sandbox.read),
            write: std::iter::once(dir.to_owned()).chain(of(&settings.sandbox.write)).collect(),
        },
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
