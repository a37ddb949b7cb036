//! What a program is started with, and what could be held against it.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::tag::{Tag, VARIABLE};

/// Where programs are looked for when the environment names no `PATH`.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// How a program is started.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The program and its arguments; no shell reads them.
    pub(crate) command: Vec<OsString>,
    /// Its working folder.
    pub(crate) dir: PathBuf,
    /// Its whole environment; nothing is inherited.
    pub(crate) env: Vec<(OsString, OsString)>,
    /// Whose it is.
    pub(crate) tag: Tag,
    /// How much it may use.
    pub(crate) limits: Limits,
    /// What it may reach.
    pub(crate) sandbox: Sandbox,
}

/// How much a program and all it starts may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of memory, of all of its processes together where there is a control group.
    pub(crate) memory: Option<u64>,
    /// Processor time of each of its processes.
    pub(crate) cpu: Option<Duration>,
    /// Open files of each of its processes.
    pub(crate) open_files: Option<u64>,
    /// Processes and threads at a time.
    pub(crate) processes: Option<u64>,
}

/// What a program may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sandbox {
    /// The system's own folders to read and run, and these; no signals to others; no system calls for administrators.
    Standard {
        /// Folders that it may read, and run programs from.
        read: Vec<PathBuf>,
        /// Folders that it may also write.
        write: Vec<PathBuf>,
    },
    /// Whatever the runtime itself may reach.
    None,
}

/// What is held against a program, and what could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Enforcement {
    /// What is.
    pub(crate) enforced: Vec<&'static str>,
    /// What is not, or not wholly, with the reason.
    pub(crate) not_enforced: Vec<(&'static str, String)>,
}

/// Why a program was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    /// Nothing to start.
    #[error("the command is empty; name a program")]
    NoCommand,
    /// No such program.
    #[error("there is no program {program:?} that may be run in {searched}; correct the command, or PATH in its env")]
    NotFound {
        /// The program as it is written.
        program: OsString,
        /// Where it was looked for.
        searched: String,
    },
    /// A zero byte, which no system call takes.
    #[error("{what} has a zero byte in it; remove it")]
    ZeroByte {
        /// Which part of the description.
        what: &'static str,
    },
    /// What the program needs before it begins.
    #[error("{what} cannot be had: {source}")]
    Preparation {
        /// What.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A step of the new process before it became the program.
    #[error("{program:?} did not begin, it failed to {step}: {source}")]
    Step {
        /// The program's file.
        program: PathBuf,
        /// The step.
        step: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The runtime is ending.
    #[error("no program is started any more: the threads that start them have ended")]
    Ended,
}

impl LaunchError {
    /// Whether its file, or one that this needs, was kept from it or not found when it was to begin.
    pub(crate) fn is_for_a_file(&self) -> bool {
        match self {
            Self::Step { source, .. } => matches!(source.raw_os_error(), Some(libc::EACCES | libc::ENOENT)),
            _ => false,
        }
    }

    /// Whether the machine had no room for it, which is no fault of the program and may pass.
    pub(crate) fn is_for_want(&self) -> bool {
        match self {
            Self::Preparation { source, .. } | Self::Step { source, .. } => is_for_want(source),
            Self::NoCommand | Self::NotFound { .. } | Self::ZeroByte { .. } | Self::Ended => false,
        }
    }
}

/// Whether it was for want of descriptors, processes or memory.
pub(super) fn is_for_want(error: &io::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let io_error = error.downcast_ref::<io::Error>();
        if let Some(number) = io_error.and_then(io::Error::raw_os_error) {
            return matches!(number, libc::EMFILE | libc::ENFILE | libc::EAGAIN | libc::ENOMEM);
        }
        cause = match io_error.and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}

/// A command as the kernel takes it.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) program: PathBuf,
    pub(super) file: CString,
    pub(super) arguments: Vec<CString>,
    pub(super) environment: Vec<CString>,
    pub(super) dir: CString,
}

impl Enforcement {
    pub(super) fn holds(&mut self, what: &'static str) {
        self.enforced.push(what);
    }

    pub(super) fn lacks(&mut self, what: &'static str, reason: impl Into<String>) {
        self.not_enforced.push((what, reason.into()));
    }
}

impl Command {
    pub(super) fn of(launch: &Launch) -> Result<Self, LaunchError> {
        let named = launch.command.first().ok_or(LaunchError::NoCommand)?;
        let program = found(named, launch)?;
        let text = |what, bytes: &[u8]| CString::new(bytes).map_err(|_| LaunchError::ZeroByte { what });
        let arguments = launch.command.iter().map(|part| text("the command", part.as_bytes()));
        let tag = [VARIABLE, "=", &launch.tag.to_string()].concat();
        let given = launch.env.iter().filter(|(key, _)| key != VARIABLE);
        let given = given.map(|(key, value)| [key.as_bytes(), b"=", value.as_bytes()].concat());
        let environment = std::iter::once(tag.into_bytes()).chain(given);
        Ok(Self {
            file: text("the program's path", program.as_os_str().as_bytes())?,
            arguments: arguments.collect::<Result<_, _>>()?,
            environment: environment
                .map(|pair| text("the environment", &pair))
                .collect::<Result<_, _>>()?,
            dir: text("the working folder", launch.dir.as_os_str().as_bytes())?,
            program,
        })
    }
}

/// The program's file: as the child would find it, from its own folder and on its own `PATH`.
fn found(named: &OsStr, launch: &Launch) -> Result<PathBuf, LaunchError> {
    let not_found = |searched: &OsStr| LaunchError::NotFound {
        program: named.to_owned(),
        searched: searched.to_string_lossy().into_owned(),
    };
    if named.as_bytes().contains(&b'/') {
        let path = launch.dir.join(named);
        return if may_run(&path) {
            Ok(path)
        } else {
            Err(not_found(launch.dir.as_os_str()))
        };
    }
    let path = launch.env.iter().find(|(key, _)| key == "PATH");
    let path = path.map_or(OsStr::new(PATH), |(_, value)| value);
    let candidates = path.as_bytes().split(|byte| *byte == b':');
    let mut candidates = candidates.map(|folder| {
        let folder = PathBuf::from(OsString::from_vec(folder.to_vec()));
        launch.dir.join(folder).join(named)
    });
    candidates.find(|path| may_run(path)).ok_or_else(|| not_found(path))
}

/// Whether it is a file that this process may run.
pub(crate) fn may_run(path: &Path) -> bool {
    path.is_file() && accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_is_told_from_faults_however_deep_it_lies() {
        let os = io::Error::from_raw_os_error;
        let step = |source| LaunchError::Step {
            program: PathBuf::from("/bin/true"),
            step: "be born",
            source,
        };
        for number in [libc::EMFILE, libc::ENFILE, libc::EAGAIN, libc::ENOMEM] {
            assert!(step(os(number)).is_for_want());
            assert!(step(io::Error::other(io::Error::other(os(number)))).is_for_want());
        }
        assert!(!step(os(libc::EACCES)).is_for_want());
        assert!(!step(io::Error::other("refused")).is_for_want());
        assert!(!LaunchError::NoCommand.is_for_want());
    }
}
