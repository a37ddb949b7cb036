//! The description of the fleet that a command works with.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use serde::Serialize;
use triarch_supervision::Supervisor;
use triarch_teams::{Kind, Kinds, Places, PostOffice};
use triarch_telemetry::Exposition;

use super::line::ConfigVerb;
use super::output::{print, print_json};
use super::show::counted;
use crate::complaint::complain;
use crate::config::{self, ConfigError, ConfigErrors, FILE_NAME, InitError, Loaded, RuntimeConfig, Source, SpotOrigin};
use crate::fleet::{Ground, Making};
use crate::operations::{Code, Meant, Trouble, caused};
use crate::rooms;
use crate::share::Shares;
use crate::traffic::Traffics;
use crate::wall_clock::wall_clock;

/// The description that a command works with. Most commands only want to know where the runtime is, so what it takes
/// to understand a description is made when somebody asks for it.
pub(super) struct Described {
    source: Source,
    /// The file that somebody named.
    named: Option<PathBuf>,
    own: Kinds,
    shares: Shares,
}

/// What it takes to understand a description.
struct Means {
    kinds: Kinds,
    office: Arc<PostOffice>,
    exposition: Exposition,
}

impl Means {
    /// The kinds that come with the runtime and `own`, those of this binary, for the description at `source`.
    fn with(own: Kinds, shares: &Shares, source: &Source, state_dir: Option<PathBuf>) -> Result<Self, Trouble> {
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
            kinds: kinds(&office, programs, (shares, source), own),
            office,
            exposition,
        })
    }
}

/// All kinds: those that come with the runtime, and `own`, of which one goes before another of its name.
fn kinds(office: &Arc<PostOffice>, programs: impl Kind, (shares, source): (&Shares, &Source), own: Kinds) -> Kinds {
    let (office, shares) = (Arc::clone(office), shares.clone());
    let natives = triarch_teams::natives(Arc::clone(&office), Places::seen_from(source.folder()));
    natives.with(Traffics { office, shares }).with(programs).and(own)
}

impl Described {
    /// By the kinds that come with the runtime and `own`, those of this binary.
    pub(super) fn new(file: Option<PathBuf>, own: Kinds, shares: Shares) -> Self {
        let variable = |name: &str| env::var(name).ok();
        let source = Source::find(file.clone(), Path::new("."), variable);
        Self {
            source,
            named: file,
            own,
            shares,
        }
    }

    /// The file that somebody means, as whoever stands in another folder finds it: who named one, or stands in the folder of one
    /// and does not say which runtime is meant.
    pub(super) fn meant(&self) -> Result<Option<Meant>, Trouble> {
        let is_named = self.named.is_some();
        let found = match &self.source {
            Source::File(path) if path.ends_with(FILE_NAME) && self.folder() == Path::new(".") => Some(path),
            _ => None,
        };
        let found = found.filter(|_| env::var_os(config::STATE_DIR).is_none());
        let file = self.named.as_ref().or(found).map(std::path::absolute).transpose();
        let file =
            file.map_err(|error| Trouble::new(Code::Usage, format!("--config names no file: {error}"), "name one"));
        Ok(file?.map(|file| Meant { file, is_named }))
    }

    /// The kinds of agents it may name.
    pub(super) fn kinds(&self) -> Result<Kinds, Trouble> {
        Ok(self.means()?.kinds)
    }

    fn means(&self) -> Result<Means, Trouble> {
        Means::with(self.own.clone(), &self.shares, &self.source, self.state_dir().ok())
    }

    pub(super) fn load(&self) -> Result<Loaded, Trouble> {
        self.read_by(&self.kinds()?)
    }

    /// What came of reading a description that somebody wrote.
    fn checked(&self) -> Result<Result<Loaded, ConfigErrors>, Trouble> {
        if self.source == Source::Demo {
            return Ok(Err(no_description()));
        }
        Ok(config::load(&self.source, &self.kinds()?, config::variables()))
    }

    fn read_by(&self, kinds: &Kinds) -> Result<Loaded, Trouble> {
        Ok(config::load(&self.source, kinds, config::variables())?)
    }

    /// The folder of the description.
    pub(super) fn folder(&self) -> PathBuf {
        self.source.folder()
    }

    /// Where the runtime is asked, whether or not its description has faults.
    pub(super) fn state_dir(&self) -> Result<PathBuf, Trouble> {
        let state_dir = config::state_dir(&self.source, config::variable)?;
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
        let state_dir = self.state_dir()?;
        let key = loaded.config.memory.key(&self.source.folder());
        key.map_err(|fault| Trouble::new(Code::Usage, fault.to_string(), ""))?;
        let instruments = exposition.instruments();
        let config = loaded.config.programs.clone();
        let made = triarch_programs::room(config, &state_dir, Arc::clone(&office), instruments);
        let (room, programs) = made.map_err(|error| cannot_stand(&error))?;
        let services = Arc::clone(self.shares.services());
        let programs = programs.seen_from(self.source.folder()).served_by(services.clone());
        let counted = programs.clone();
        exposition.before_each_page(move || counted.take_census());
        let ground = Ground::new(Making {
            kinds: self::kinds(&office, programs.clone(), (&self.shares, &self.source), self.own),
            programs,
            services,
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
fn run() -> u64 {
    let since = wall_clock().duration_since(UNIX_EPOCH).unwrap_or_default();
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
        ConfigVerb::Init { folder } => init(folder, &described.kinds()?, as_json),
        ConfigVerb::Check => check(described, as_json),
        ConfigVerb::Schema => print_json(&config::schema(&described.kinds()?)),
        ConfigVerb::Show => {
            let shown = described.load()?.show();
            if as_json {
                print_json(&shown.to_json())
            } else {
                print(&format!("{shown}\n"))
            }
        }
    }
}

fn init(folder: &Path, kinds: &Kinds, as_json: bool) -> Result<(), Trouble> {
    let path = config::init(folder, kinds)?;
    if as_json {
        return print_json(&Begun { path });
    }
    print(&format!("{} is a description to begin with\n", path.display()))
}

/// A description that was begun.
#[derive(Debug, Serialize)]
pub(super) struct Begun {
    pub(super) path: PathBuf,
}

/// As JSON all that is wrong is the answer, so that nothing more is said of it.
fn check(described: &Described, as_json: bool) -> Result<(), Trouble> {
    let checked = described.checked()?;
    let slips = |loaded: &Loaded| loaded.slips(&described.source, config::variable).0;
    if as_json {
        let (found, is_warning) = match &checked {
            Ok(loaded) => (slips(loaded), true),
            Err(errors) => (errors.0.clone(), false),
        };
        let seen = found.iter().map(|error| FaultSeen::of(error, is_warning));
        print_json(&seen.collect::<Vec<_>>())?;
        return checked.map(drop).map_err(|_| Trouble::silent(Code::Usage));
    }
    let loaded = checked?;
    for slip in slips(&loaded) {
        complain(&format!("warning: {slip}"));
    }
    let teams = counted(loaded.config.teams.len() as u64, "team");
    print(&format!("{} can be followed: {teams}\n", loaded.name))
}

/// One thing that is wrong with a description.
#[derive(Debug, Serialize)]
pub(super) struct FaultSeen {
    /// Where it stands, where it stands in a file.
    pub(super) file: Option<String>,
    pub(super) line: Option<usize>,
    pub(super) column: Option<usize>,
    /// The variable of the environment that it stands in, where it does.
    pub(super) variable: Option<String>,
    pub(super) problem: String,
    pub(super) remedy: String,
    /// Whether the description can be followed all the same.
    pub(super) is_warning: bool,
}

impl FaultSeen {
    fn of(error: &ConfigError, is_warning: bool) -> Self {
        let (mut file, mut line, mut column, mut variable) = (None, None, None, None);
        match error.spot.as_ref().map(|spot| spot.origin.clone()) {
            Some(SpotOrigin::File {
                name,
                line: at,
                column: behind,
            }) => (file, line, column) = (Some(name), Some(at), Some(behind)),
            Some(SpotOrigin::Environment { variable: name }) => variable = Some(name),
            None => {}
        }
        Self {
            file,
            line,
            column,
            variable,
            problem: error.problem.clone(),
            remedy: error.remedy.clone(),
            is_warning,
        }
    }
}

/// Nobody described anything, and what is built in needs no check.
fn no_description() -> ConfigErrors {
    ConfigErrors(vec![ConfigError {
        spot: None,
        problem: "there is no description, neither ./triarch.toml nor ~/.config/triarch/triarch.toml".to_owned(),
        other: None,
        remedy: "write one with `triarch config init`, or name one with --config".to_owned(),
    }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::kinds as own_kinds;

    #[test]
    fn a_kind_of_ones_own_is_the_same_to_a_check_and_to_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("triarch.toml");
        let state = folder.path().join("state");
        std::fs::write(&file, format!("[runtime]\nstate_dir = {state:?}\n")).unwrap();
        // One of them is called `program`, as what comes with the runtime is.
        let described = Described::new(Some(file), own_kinds(), Shares::default());
        let settings = |kinds: &Kinds| kinds.schema("program");
        let own = settings(&own_kinds());
        assert_eq!(settings(&described.kinds().unwrap()), own);
        let (ground, _room) = described.ground().unwrap();
        assert_eq!(settings(&ground.kinds), own);
    }
}
