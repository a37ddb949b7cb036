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
        Ok(Self::from(files))
    }

    /// A repository of given files (path, text).
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self::from(
            files
                .iter()
                .map(|(path, text)| Source::new(path, text))
                .collect::<Vec<_>>(),
        )
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

impl From<Vec<Source>> for Repository {
    fn from(mut files: Vec<Source>) -> Self {
        let modules: Vec<_> = files.iter().flat_map(Source::test_modules).collect();
        let is_within = |path: &str, module: &String| {
            path.strip_prefix(module.as_str())
                .is_some_and(|rest| rest.starts_with(['.', '/']))
        };
        for source in files
            .iter_mut()
            .filter(|source| modules.iter().any(|module| is_within(&source.path, module)))
        {
            source.declare_test();
        }
        Self { files }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_declared_for_tests_alone_is_a_test_with_all_beneath_it() {
        let declaring = ("src/lib.rs", "#[cfg(test)]\nmod shown;\nmod show;");
        let repository = Repository::of(&[
            declaring,
            ("src/shown.rs", "x"),
            ("src/shown/a.rs", "x"),
            ("src/show.rs", "x"),
        ]);
        let is_test: Vec<_> = repository.files.iter().map(|source| source.is_test(0)).collect();
        assert_eq!(is_test, [false, true, true, false]);
    }
}
