//! What the paths of a program's settings lead to on this machine.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use triarch_teams::SettingError;

use crate::places::Places;
use crate::settings::{ProgramSettings, SandboxKind, SecretSource};
use crate::sys::{self, Sandbox, may_run};

/// So much of a script names its interpreter.
const SHEBANG_MAX: usize = 256;

/// The paths of a program's settings, and what is open to it.
#[derive(Debug)]
pub(crate) struct Ways {
    /// As it is to be looked for, from its folder or on its `PATH`.
    pub(crate) program: OsString,
    pub(crate) dir: PathBuf,
    pub(crate) secrets: Vec<(String, SecretSource)>,
    pub(crate) sandbox: Sandbox,
    pub(crate) closed: Closed,
}

/// What the sandbox does not open though one might think so, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Closed {
    /// The working folder.
    pub(crate) folder: Option<String>,
    /// Where the program's file lies.
    pub(crate) program: Option<String>,
}

impl Closed {
    /// All of it.
    pub(crate) fn all(&self) -> impl Iterator<Item = &String> {
        self.folder.iter().chain(&self.program)
    }
}

impl Ways {
    /// Adds to `faults` what leads nowhere; without a fault there is something.
    pub(crate) fn of(
        settings: &ProgramSettings,
        places: &Places,
        env: &[(OsString, OsString)],
        faults: &mut Vec<SettingError>,
    ) -> Option<Self> {
        let secrets = secrets(settings, places, faults);
        let dir = told(dir(settings, places), faults);
        let base = dir.as_deref().unwrap_or(&places.seen.description);
        let read = folders("sandbox.read", &settings.sandbox.read, places, base, faults);
        let mut write = folders("sandbox.write", &settings.sandbox.write, places, base, faults);
        let dir = dir?;
        let named = Path::new(settings.command.first().filter(|named| !named.is_empty())?);
        let program = if named.as_os_str().as_bytes().starts_with(b"~") {
            told(places.seen.path("command", named, &dir), faults)?.into()
        } else {
            named.as_os_str().to_owned()
        };
        let found = told(found(&program, &dir, env), faults)?;
        let mut closed = Closed::default();
        let sandbox = match settings.sandbox.kind {
            SandboxKind::None => Sandbox::None,
            SandboxKind::Standard => {
                match places.too_much(&dir) {
                    None => write.insert(0, dir.clone()),
                    Some(why) => {
                        let words = "is not open to it, since it";
                        let remedy = "name a folder of its own with dir";
                        let words = format!("its working folder {} {words} {why}; {remedy}", dir.display());
                        closed.folder = Some(words);
                    }
                }
                closed.program = found.and_then(|file| outlier(&file, read.iter().chain(&write)));
                Sandbox::Standard { read, write }
            }
        };
        Some(Self {
            program,
            dir,
            secrets,
            sandbox,
            closed,
        })
    }
}

fn told<T>(made: Result<T, SettingError>, faults: &mut Vec<SettingError>) -> Option<T> {
    made.map_err(|fault| faults.push(fault)).ok()
}

/// The working folder. One that is named must be fit to be opened; another is not opened where it is not fit.
fn dir(settings: &ProgramSettings, places: &Places) -> Result<PathBuf, SettingError> {
    let named = settings.dir.as_deref();
    let path = places
        .seen
        .path("dir", named.unwrap_or(Path::new("")), &places.seen.description)?;
    // The path of a description that lies right here has no folder.
    let path = if path.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        path
    };
    if !path.is_dir() {
        let problem = format!("there is no folder {}", path.display());
        return Err(SettingError::of("dir", problem, "make it, or name another"));
    }
    let dir = path.canonicalize().map_err(|error| {
        let problem = format!("the folder {} cannot be reached: {error}", path.display());
        SettingError::of("dir", problem, "name another")
    })?;
    let is_opened = named.is_some() && settings.sandbox.kind == SandboxKind::Standard;
    match places.too_much(&dir).filter(|_| is_opened) {
        None => Ok(dir),
        Some(why) => Err(SettingError::of(
            "dir",
            format!("{} {why}, and the sandbox would open it to the program", dir.display()),
            "name a folder of its own, or let sandbox.kind be \"none\"",
        )),
    }
}

fn secrets(settings: &ProgramSettings, places: &Places, faults: &mut Vec<SettingError>) -> Vec<(String, SecretSource)> {
    let mut secrets = Vec::new();
    for (name, source) in &settings.secrets {
        let source = match source {
            SecretSource::Env(variable) => SecretSource::Env(variable.clone()),
            SecretSource::File(file) => match told(places.seen.path("secrets", file, &places.seen.description), faults)
            {
                Some(file) => SecretSource::File(file),
                None => continue,
            },
        };
        secrets.push((name.clone(), source));
    }
    secrets
}

fn folders(
    key: &str,
    written: &[PathBuf],
    places: &Places,
    base: &Path,
    faults: &mut Vec<SettingError>,
) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for folder in written
        .iter()
        .filter_map(|folder| told(places.seen.path(key, folder, base), faults))
        .collect::<Vec<_>>()
    {
        if !folder.exists() {
            let problem = format!("there is no folder {}", folder.display());
            faults.push(SettingError::of(key, problem, "make it, or remove it from the list"));
        }
        folders.push(folder);
    }
    folders
}

/// The program's file, as it will be looked for: from its own folder and on its own `PATH`. Without one it is looked for where
/// the system's own programs are, which is known when it begins.
fn found(program: &OsStr, dir: &Path, env: &[(OsString, OsString)]) -> Result<Option<PathBuf>, SettingError> {
    if program.as_bytes().contains(&b'/') {
        let file = dir.join(program);
        return match (file.is_file(), may_run(&file)) {
            (true, true) => Ok(Some(file)),
            (true, false) => Err(SettingError::of(
                "command",
                format!("the file {} may not be run", file.display()),
                "allow it with `chmod +x`, or name its interpreter before it, as in [\"python3\", \"agent.py\"]",
            )),
            (false, _) => Err(SettingError::of(
                "command",
                format!("there is no file {}", file.display()),
                "correct the path; it is seen from dir",
            )),
        };
    }
    let path = env.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path);
    let Some(path) = path else { return Ok(None) };
    let mut files = std::env::split_paths(path).map(|folder| dir.join(folder).join(program));
    files.find(|file| may_run(file)).map(Some).ok_or_else(|| {
        let problem = format!(
            "there is no program {:?} that may be run in PATH, which is {}",
            program.display(),
            path.display()
        );
        SettingError::of("command", problem, "install it, or name it by its whole path")
    })
}

/// What there is to say of a program whose file, or whose interpreter, lies in no folder that is open to it.
fn outlier<'a>(file: &Path, open: impl Iterator<Item = &'a PathBuf>) -> Option<String> {
    let open = sys::SYSTEM.into_iter().map(PathBuf::from).chain(open.cloned());
    let open: Vec<_> = open.filter_map(|folder| folder.canonicalize().ok()).collect();
    let is_open = |file: &PathBuf| open.iter().any(|folder| file.starts_with(folder));
    let file = file.canonicalize().ok()?;
    let interpreter = interpreter(&file).and_then(|file| file.canonicalize().ok());
    let outlier = [Some(file), interpreter]
        .into_iter()
        .flatten()
        .find(|file| !is_open(file))?;
    Some(format!(
        "{} lies outside what the sandbox opens; name under sandbox.read the folder of all that it needs",
        outlier.display()
    ))
}

/// What a script says that it is run by.
fn interpreter(file: &Path) -> Option<PathBuf> {
    let mut head = Vec::new();
    File::open(file)
        .ok()?
        .take(SHEBANG_MAX as u64)
        .read_to_end(&mut head)
        .ok()?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let path = line.trim_ascii_start().split(u8::is_ascii_whitespace).next()?;
    Some(PathBuf::from(OsStr::from_bytes(path)))
}

#[cfg(test)]
#[path = "ways_test.rs"]
mod tests;
