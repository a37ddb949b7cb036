//! Where a description comes from.

use std::path::{Path, PathBuf};
use std::{fs, io};

use triarch_teams::DEMO;

use super::error::{ConfigError, ConfigErrors};

/// What a file is called that nobody names.
pub const FILE_NAME: &str = "triarch.toml";

const DEMO_NAME: &str = "the built-in demo";

/// Where a description comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// A text that somebody has at hand.
    Text {
        /// What it is called in errors.
        name: String,
        /// What it says.
        text: String,
    },
    /// The small team that is built in.
    Demo,
}

impl Source {
    /// The file that was `named`, else the one in `folder`, else the one of the user, else what is built in.
    ///
    /// A file that is there and cannot be read counts as found: to pass over it in silence would run something else.
    pub fn find(named: Option<PathBuf>, folder: &Path, variable: impl Fn(&str) -> Option<String>) -> Self {
        let own = folder.join(FILE_NAME);
        let users = users_folder(variable).map(|folder| folder.join("triarch").join(FILE_NAME));
        let is_there = |path: &PathBuf| !is_absent(path);
        let found = named.or_else(|| [Some(own), users].into_iter().flatten().find(is_there));
        found.map_or(Self::Demo, |path| Self::piped(&path).unwrap_or(Self::File(path)))
    }

    /// What comes by a pipe can be read once only.
    fn piped(path: &Path) -> Option<Self> {
        let kind = fs::metadata(path).ok()?.file_type();
        if kind.is_file() || kind.is_dir() {
            return None;
        }
        let text = Self::File(path.to_owned()).read().ok()?;
        let name = path.display().to_string();
        Some(Self::Text { name, text })
    }

    /// The folder that paths in it are seen from: its own, or the present one where it has none.
    pub fn folder(&self) -> PathBuf {
        let folder = match self {
            Self::File(path) => path.parent(),
            Self::Text { .. } | Self::Demo => None,
        };
        folder.unwrap_or(Path::new("")).to_owned()
    }

    /// What it is called in errors and as an origin.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.strip_prefix(".").unwrap_or(path).display().to_string(),
            Self::Text { name, .. } => name.clone(),
            Self::Demo => DEMO_NAME.to_owned(),
        }
    }

    /// What it is called by whoever stands in another folder.
    pub fn whole_name(&self) -> String {
        let absolute = match self {
            Self::File(path) => std::path::absolute(path).ok(),
            Self::Text { .. } | Self::Demo => None,
        };
        absolute.map_or_else(|| self.name(), |path| path.display().to_string())
    }

    /// Whether it is that file, by whatever way it was named.
    pub fn is_file(&self, named: &Path) -> bool {
        let whole = |path: &Path| fs::canonicalize(path).or_else(|_| std::path::absolute(path)).ok();
        matches!(self, Self::File(path) if whole(path) == whole(named))
    }

    pub(super) fn read(&self) -> Result<String, ConfigErrors> {
        let path = match self {
            Self::File(path) => path,
            Self::Text { text, .. } => return Ok(text.clone()),
            Self::Demo => return Ok(DEMO.to_owned()),
        };
        let unreadable = |problem: String, remedy: &str| {
            ConfigErrors(vec![ConfigError {
                spot: None,
                problem,
                other: None,
                remedy: remedy.to_owned(),
            }])
        };
        let bytes = fs::read(path).map_err(|error| {
            let problem = format!("{} cannot be read: {error}", self.name());
            unreadable(
                problem,
                "name another with --config, or write one with `triarch config init`",
            )
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = valid.split(|byte| *byte == b'\n').count();
            let problem = format!("{}:{line} is not UTF-8", self.name());
            unreadable(problem, "save it as UTF-8")
        })?;
        Ok(text)
    }
}

fn users_folder(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    // The specification of these folders says that a relative path is to be ignored.
    let given = variable("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || {
        variable("HOME")
            .filter(|home| !home.is_empty())
            .map(|home| PathBuf::from(home).join(".config"))
    };
    given.or_else(home)
}

fn is_absent(path: &Path) -> bool {
    let error = fs::metadata(path).err();
    error.is_some_and(|error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::Folder;

    #[test]
    fn the_nearest_file_is_found_and_none_is_fine() {
        let folder = Folder::new();
        let (here, home) = (folder.path.join("here"), folder.path.join("home"));
        let find = |named: Option<&str>, variables: &[(&str, &Path)]| {
            let variable = |name: &str| {
                let found = variables.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| value.display().to_string())
            };
            Source::find(named.map(PathBuf::from), &here, variable)
        };
        let (xdg, home_only) = ([("XDG_CONFIG_HOME", &*home)], [("HOME", &*home)]);
        assert_eq!(find(None, &xdg), Source::Demo);
        folder.write("home/.config/triarch/triarch.toml", "");
        assert_eq!(find(None, &xdg), Source::Demo);
        assert_eq!(
            find(None, &home_only),
            Source::File(home.join(".config/triarch/triarch.toml"))
        );
        folder.write("home/triarch/triarch.toml", "");
        assert_eq!(find(None, &xdg), Source::File(home.join("triarch/triarch.toml")));
        assert_eq!(
            find(None, &[("XDG_CONFIG_HOME", Path::new("home"))]),
            Source::Demo,
            "relative"
        );
        folder.write("here/triarch.toml", "");
        assert_eq!(find(None, &xdg), Source::File(here.join("triarch.toml")));
        assert_eq!(find(Some("other.toml"), &xdg), Source::File("other.toml".into()));
    }

    #[test]
    fn what_comes_by_a_pipe_is_read_once_and_known_from_then_on() {
        let folder = Folder::new();
        let pipe = folder.path.join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        let source = std::thread::scope(|threads| {
            threads.spawn(|| fs::write(&pipe, "[runtime]\nstate_dir = \"/s\"\n").unwrap());
            Source::find(Some(pipe.clone()), &folder.path, |_| None)
        });
        assert_eq!(source.name(), pipe.display().to_string());
        for _ in 0..2 {
            assert_eq!(super::super::state_dir(&source, |_| None).unwrap(), "/s");
        }
    }

    #[test]
    fn paths_are_seen_from_the_folder_of_the_file() {
        let folder = |path: &str| Source::File(path.into()).folder();
        assert_eq!(folder("/etc/triarch/triarch.toml"), Path::new("/etc/triarch"));
        assert_eq!(folder("p2/triarch.toml"), Path::new("p2"));
        for here in [folder("triarch.toml"), Source::Demo.folder()] {
            assert_eq!(here, Path::new(""));
        }
    }

    #[test]
    fn what_cannot_be_read_says_so_and_what_to_do() {
        let folder = Folder::new();
        folder.write("latin.toml", "");
        fs::write(folder.path.join("latin.toml"), b"# ok\n# \xe9\n").unwrap();
        let told = |file: &str| {
            let path = folder.path.join(file);
            let errors = Source::File(path).read().unwrap_err().to_string();
            errors.replace(&format!("{}/", folder.path.display()), "")
        };
        assert_eq!(
            told("gone.toml"),
            "gone.toml cannot be read: No such file or directory (os error 2)\n  \
             name another with --config, or write one with `triarch config init`"
        );
        assert_eq!(told("latin.toml"), "latin.toml:2 is not UTF-8\n  save it as UTF-8");
    }
}
