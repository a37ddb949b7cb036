//! The description of the fleet that a command works with.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use triarch_supervision::Supervisor;
use triarch_teams::{Kinds, PostOffice};
use triarch_telemetry::Exposition;

use super::line::ConfigVerb;
use super::show::counted;
use crate::config::{self, ConfigErrors, InitError, Loaded, RuntimeConfig, Source};
use crate::fleet::{Ground, Making};
use crate::operations::{Code, Trouble, caused};
use crate::rooms;
use crate::up::print;

/// The description that a command works with. Most commands only want to know where the runtime is, so what it takes
/// to understand a description is made when somebody asks for it.
pub(super) struct Described {
    source: Source,
    own: Kinds,
}

/// What it takes to understand a description.
struct Means {
    kinds: Kinds,
    office: Arc<PostOffice>,
    exposition: Exposition,
}

impl Means {
    /// The kinds that come with the runtime and `own`, those of this binary, for the description at `source`.
    fn with(own: Kinds, source: &Source, state_dir: Option<PathBuf>) -> Result<Self, Trouble> {
        let failed = |error: &dyn std::fmt::Display| Trouble::failed(error.to_string());
        let exposition = rooms::exposition().map_err(|error| failed(&error))?;
        let office = PostOffice::new(run(), exposition.instruments()).map_err(|error| failed(&error))?;
        let office = Arc::new(office);
        let programs = triarch_programs::described(Arc::clone(&office), exposition.instruments());
        let programs = programs.map_err(|error| failed(&error))?;
        let programs = programs.seen_from(source.folder());
        let programs = match state_dir {
            Some(state_dir) => programs.sparing(state_dir),
            None => programs,
        };
        Ok(Self {
            kinds: triarch_teams::natives(Arc::clone(&office)).with(programs).and(own),
            office,
            exposition,
        })
    }
}

impl Described {
    /// By the kinds that come with the runtime and `own`, those of this binary.
    pub(super) fn new(file: Option<PathBuf>, own: Kinds) -> Self {
        let variable = |name: &str| env::var(name).ok();
        let source = Source::find(file, Path::new("."), variable);
        Self { source, own }
    }

    /// The kinds of agents it may name.
    pub(super) fn kinds(&self) -> Result<Kinds, Trouble> {
        Ok(self.means()?.kinds)
    }

    fn means(&self) -> Result<Means, Trouble> {
        Means::with(self.own.clone(), &self.source, self.state_dir().ok())
    }

    pub(super) fn load(&self) -> Result<Loaded, Trouble> {
        self.read_by(&self.kinds()?)
    }

    fn read_by(&self, kinds: &Kinds) -> Result<Loaded, Trouble> {
        Ok(config::load(&self.source, kinds, config::variables())?)
    }

    /// Where the runtime is asked, whether or not its description has faults.
    pub(super) fn state_dir(&self) -> Result<PathBuf, Trouble> {
        let state_dir = config::state_dir(&self.source, config::variable);
        in_home(&RuntimeConfig {
            state_dir,
            ..RuntimeConfig::default()
        })
    }

    /// What a runtime stands on, and the room of its programs.
    pub(super) fn ground(self) -> Result<(Arc<Ground>, Supervisor), Trouble> {
        let Means {
            kinds,
            office,
            exposition,
        } = self.means()?;
        let loaded = self.read_by(&kinds)?;
        let state_dir = in_home(&loaded.config.runtime)?;
        let instruments = exposition.instruments();
        let config = loaded.config.programs.clone();
        let made = triarch_programs::room(config, &state_dir, Arc::clone(&office), instruments);
        let (room, programs) = made.map_err(|error| cannot_stand(&error))?;
        let programs = programs.seen_from(self.source.folder());
        let ground = Ground::new(Making {
            kinds: kinds.with(programs.clone()),
            programs,
            exposition,
            office,
            state_dir,
            source: self.source,
            config: loaded.config,
        });
        Ok((ground, room))
    }
}

fn cannot_stand(error: &dyn std::error::Error) -> Trouble {
    Trouble::new(Code::RuntimeFailed, caused(error), "")
}

fn in_home(runtime: &RuntimeConfig) -> Result<PathBuf, Trouble> {
    let home = env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    if home.is_none() && runtime.state_dir.starts_with('~') {
        return Err(Trouble::new(
            Code::Usage,
            format!(
                "the state folder {} is in a home, and HOME is not set",
                runtime.state_dir
            ),
            "set HOME, or TRIARCH_RUNTIME__STATE_DIR to a folder",
        ));
    }
    Ok(runtime.state_folder(&home.unwrap_or_default()))
}

/// A number that no two lives of a runtime have.
#[expect(
    clippy::disallowed_methods,
    reason = "ids of posts are told apart by when the runtime began"
)]
fn run() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

impl From<ConfigErrors> for Trouble {
    fn from(errors: ConfigErrors) -> Self {
        Self::new(Code::Usage, format!("the description cannot be followed\n{errors}"), "")
    }
}

impl From<InitError> for Trouble {
    fn from(error: InitError) -> Self {
        Self::new(Code::Failed, caused(&error), "")
    }
}

pub(super) fn perform(verb: &ConfigVerb, described: &Described, as_json: bool) -> Result<(), Trouble> {
    match verb {
        ConfigVerb::Init { folder } => {
            let written = config::init(folder, &described.kinds()?)?;
            print(&format!("{} is a description to begin with\n", written.display()));
        }
        ConfigVerb::Check => {
            let loaded = described.load()?;
            print(&format!(
                "{} can be followed: {}\n",
                loaded.name,
                counted(loaded.config.teams.len() as u64, "team")
            ));
        }
        ConfigVerb::Schema => print(&format!("{:#}\n", config::schema(&described.kinds()?))),
        ConfigVerb::Show => {
            let shown = described.load()?.show();
            print(&if as_json {
                format!("{:#}\n", shown.to_json())
            } else {
                format!("{shown}\n")
            });
        }
    }
    Ok(())
}
