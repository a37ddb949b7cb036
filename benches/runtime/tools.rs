//! The programs that are measured: where they are, and which they are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use triarch_benches::options::Options;

pub(crate) const TRIARCH: &str = "--triarch";
pub(crate) const SUPERVISORD: &str = "--supervisord";

static TOOLS: OnceLock<Tools> = OnceLock::new();

/// What this run measures.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) triarch: PathBuf,
    /// The example agent in Rust.
    pub(crate) echo: PathBuf,
    pub(crate) supervisord: Option<Supervisord>,
}

/// The peer's daemon and command.
#[derive(Debug)]
pub(crate) struct Supervisord {
    pub(crate) daemon: PathBuf,
    pub(crate) control: PathBuf,
    version: String,
}

/// Finds them all, and builds ours where nobody says which to take.
pub(crate) fn find(options: &Options) -> Result<(), String> {
    let triarch = match options.path(TRIARCH) {
        Some(given) => given,
        None => build()?,
    };
    let echo = triarch.with_file_name("triarch-echo");
    for needed in [&triarch, &echo] {
        if !needed.is_file() {
            let file = needed.display();
            return Err(format!("there is no {file}; name a release build of it with {TRIARCH}"));
        }
    }
    let supervisord = find_supervisord(options)?;
    let tools = Tools {
        triarch,
        echo,
        supervisord,
    };
    TOOLS
        .set(tools)
        .map_err(|_| "the tools were looked for twice".to_owned())
}

/// What was found.
///
/// # Panics
/// Before that.
pub(crate) fn get() -> &'static Tools {
    TOOLS.get().expect("the tools are found before anything is measured")
}

impl Tools {
    pub(crate) fn describe(&self) -> String {
        let version = first_line(Command::new(&self.triarch).arg("--version"));
        let version = version.unwrap_or_else(|| "of no known version".to_owned());
        let supervisord = match &self.supervisord {
            Some(found) => format!("supervisord {} (no sandbox, no limits)", found.version),
            None => "no supervisord".to_owned(),
        };
        format!("{version}, release profile; {supervisord}")
    }
}

/// The very build that users make: with the features of no peer and no test.
fn build() -> Result<PathBuf, String> {
    let binaries = [
        "-p",
        "triarch",
        "-p",
        "triarch-programs",
        "--bin",
        "triarch",
        "--bin",
        "triarch-echo",
    ];
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target =
        target_folder().ok_or("this program lies in no target folder of Cargo's; name a build with --triarch")?;
    let built = Command::new(cargo)
        .args(["build", "--release", "--locked"])
        .args(binaries)
        .arg("--target-dir")
        .arg(&target)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .status();
    match built {
        Ok(status) if status.success() => Ok(target.join("release/triarch")),
        Ok(status) => Err(format!("the release build of triarch ended with {status}; see above")),
        Err(wrong) => Err(format!("cargo cannot be started: {wrong}; name a build with {TRIARCH}")),
    }
}

/// This program lies in `<target>/<profile>/deps`.
fn target_folder() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    program.ancestors().nth(3).map(Path::to_owned)
}

fn find_supervisord(options: &Options) -> Result<Option<Supervisord>, String> {
    let given = options.path(SUPERVISORD);
    let folders: Vec<PathBuf> = match &given {
        Some(folder) => vec![folder.clone()],
        None => std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect(),
    };
    let found = folders.iter().find_map(|folder| {
        let (daemon, control) = (folder.join("supervisord"), folder.join("supervisorctl"));
        let version = first_line(Command::new(&daemon).arg("--version")).filter(|_| control.is_file())?;
        Some(Supervisord {
            daemon,
            control,
            version,
        })
    });
    match (&found, given) {
        (None, Some(folder)) => Err(format!(
            "no supervisord and supervisorctl that run are in {}; install the PyPI package supervisor there",
            folder.display()
        )),
        _ => Ok(found),
    }
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.lines().next()?.to_owned())
}
