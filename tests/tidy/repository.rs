//! The files of the repository.

use std::path::Path;
use std::process::Command;
use std::{fs, io};

use crate::source::Source;

/// The text files that git tracks, or would track if they were added.
pub(crate) struct Repository {
    pub(crate) files: Vec<Source>,
}

impl Repository {
    /// The repository that this crate lies in.
    pub(crate) fn open() -> io::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        for path in tracked(root)? {
            files.extend(read(root, &path)?);
        }
        Ok(Self { files })
    }

    /// A repository of given files (path, text).
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self {
            files: files.iter().map(|(path, text)| Source::new(path, text)).collect(),
        }
    }

    pub(crate) fn file(&self, path: &str) -> Option<&Source> {
        self.files.iter().find(|source| source.path == path)
    }

    /// Whether there is a file or a folder at `path`; the root is the empty path.
    pub(crate) fn has(&self, path: &str) -> bool {
        let is_within = |source: &Source| source.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        path.is_empty() || self.file(path).is_some() || self.files.iter().any(is_within)
    }
}

/// Git is asked rather than the folder walked, so that what it ignores is ignored here.
fn tracked(root: &Path) -> io::Result<Vec<String>> {
    let list = [
        "-c",
        "safe.directory=*",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ];
    let output = Command::new("git").args(list).current_dir(root).output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let paths = String::from_utf8(output.stdout).map_err(io::Error::other)?;
    Ok(paths.split_terminator('\0').map(str::to_owned).collect())
}

/// The file, unless it is no text or was deleted and the deletion is not yet committed.
fn read(root: &Path, path: &str) -> io::Result<Option<Source>> {
    match fs::read(root.join(path)) {
        Ok(bytes) => Ok(String::from_utf8(bytes).ok().map(|text| Source::new(path, &text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
