//! A description to begin with.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use triarch_teams::{DEMO, Kinds};

use super::keys::keys;
use super::schema::{Schema, about, properties, schema};
use super::source::FILE_NAME;

/// Why a description to begin with was not written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// It would replace one that is there.
    #[error("{} is there already; move it away first, or write into another folder", path.display())]
    IsThere {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("{} cannot be written; see who may write there", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        fault: io::Error,
    },
}

const HEAD: &str = "\
# What this runtime is to be. A line behind a # shows the default; remove the # to change it.
# triarch config check tells all that is wrong here, triarch config show what is in force.
";

/// Writes a description to begin with into `folder`; never over one that is there.
pub fn init(folder: &Path, kinds: &Kinds) -> Result<PathBuf, InitError> {
    let path = folder.join(FILE_NAME);
    let written = OpenOptions::new().write(true).create_new(true).open(&path);
    let written = written.and_then(|mut file| file.write_all(template(kinds).as_bytes()));
    match written {
        Ok(()) => Ok(path),
        Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => Err(InitError::IsThere { path }),
        Err(fault) => Err(InitError::Unwritable { path, fault }),
    }
}

/// A description to begin with: every section with its defaults as comments, and the team that is built in.
pub fn template(kinds: &Kinds) -> String {
    let value = schema(kinds);
    let schema = Schema(&value);
    let mut text = HEAD.to_owned();
    for (name, part) in properties(schema.0) {
        let resolved = schema.resolved(part);
        if resolved.get("properties").is_none() {
            continue;
        }
        let _written = write!(text, "\n# {}\n[{name}]\n", about(part));
        for known in keys(schema, part) {
            // What has no default is not set unless somebody does.
            if let Some(default) = &known.default {
                let _written = writeln!(text, "# {}\n# {} = {default}", known.about(schema), known.path);
            }
        }
    }
    text.push_str("\n# Kinds of agents:\n");
    for (kind, about) in kinds.list() {
        let _written = writeln!(text, "#   {kind}: {about}");
    }
    let _written = write!(text, "\n{DEMO}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::{Folder, natives};
    use crate::config::{Config, Source, load};

    #[test]
    fn what_is_written_is_accepted_and_changes_no_default() {
        let folder = Folder::new();
        let path = init(&folder.path, &natives()).unwrap();
        let written = load(&Source::File(path), &natives(), []).unwrap().config;
        let demo = load(&Source::Demo, &natives(), []).unwrap().config;
        assert_eq!(written, demo);
        assert_eq!(
            Config {
                teams: Vec::new(),
                ..demo
            },
            Config::default()
        );
    }

    #[test]
    fn each_default_that_is_shown_is_the_default() {
        let shown = template(&natives()).replace("\n# Kinds", "\n## Kinds");
        let is_setting = |line: &&str| line.starts_with("# ") && line.contains(" = ");
        let settings: Vec<_> = shown.lines().filter(is_setting).collect();
        assert!(settings.len() > 10, "{settings:?}");
        let plain: Vec<_> = shown
            .lines()
            .map(|line| {
                if is_setting(&line) {
                    line.trim_start_matches("# ")
                } else {
                    line
                }
            })
            .collect();
        let source = Source::Text {
            name: "shown".to_owned(),
            text: plain.join("\n"),
        };
        let config = load(&source, &natives(), []).unwrap().config;
        assert_eq!(
            Config {
                teams: Vec::new(),
                ..config
            },
            Config::default()
        );
    }

    #[test]
    fn a_file_that_is_there_is_never_replaced() {
        let folder = Folder::new();
        folder.write(FILE_NAME, "mine");
        let error = init(&folder.path, &natives()).unwrap_err().to_string();
        assert!(
            error.ends_with("triarch.toml is there already; move it away first, or write into another folder"),
            "{error}"
        );
        assert_eq!(std::fs::read_to_string(folder.path.join(FILE_NAME)).unwrap(), "mine");
        let nowhere = init(&folder.path.join("gone"), &natives());
        assert!(matches!(nowhere, Err(InitError::Unwritable { .. })));
    }
}
