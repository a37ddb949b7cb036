//! Where the paths of a description lead, and which folders are too much to open to a program.
//!
//! ```text
//!   dir, secrets      seen from the folder of the description
//!   command, sandbox  seen from the working folder, which is dir
//!   ~/…               seen from the home of the runtime's user
//! ```

use std::path::{Path, PathBuf};

use crate::sys;

/// The folders that a runtime stands on.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) seen: triarch_teams::Places,
    pub(crate) state: Option<PathBuf>,
}

impl Places {
    /// Those of this process, as long as nobody says where its description lies and its state is kept.
    pub(crate) fn of_process() -> Self {
        Self {
            seen: triarch_teams::Places::seen_from("."),
            state: None,
        }
    }

    /// What there is about a folder, without links, that makes it too much to be opened to a program because that works there.
    pub(crate) fn too_much(&self, folder: &Path) -> Option<String> {
        if folder.parent().is_none() {
            return Some("is all of the machine".to_owned());
        }
        let own = [("home", &self.seen.home), ("state", &self.state)];
        let mut own = own.into_iter().filter_map(|(what, place)| {
            let place = resolved(place.as_deref()?);
            let is_within = place.starts_with(folder);
            is_within.then(|| {
                if folder.starts_with(&place) {
                    format!("is the {what} folder")
                } else {
                    format!("holds the {what} folder {}", place.display())
                }
            })
        });
        own.next().or_else(|| {
            let mut system = sys::SYSTEM.into_iter().map(|of_system| resolved(Path::new(of_system)));
            let held = system.find(|of_system| of_system.starts_with(folder))?;
            Some(if held == folder {
                "is a folder of the system".to_owned()
            } else {
                format!("holds {}, a folder of the system", held.display())
            })
        })
    }
}

/// The path without links, as far as it leads to what is there.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut above = path.ancestors().filter_map(|above| {
        let below = path.strip_prefix(above).ok()?;
        let real = above.canonicalize().ok()?;
        Some(if below.as_os_str().is_empty() {
            real
        } else {
            real.join(below)
        })
    });
    above.next().unwrap_or_else(|| path.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        Places {
            seen: triarch_teams::Places {
                description: "/srv/fleet".into(),
                home: Some("/h/me".into()),
            },
            state: Some("/h/me/.local/state/triarch".into()),
        }
    }

    #[test]
    fn a_folder_that_holds_what_no_program_has_any_business_with_is_too_much() {
        let too_much = |folder: &str| places().too_much(Path::new(folder));
        assert_eq!(too_much("/").unwrap(), "is all of the machine");
        assert_eq!(too_much("/h/me").unwrap(), "is the home folder");
        assert_eq!(too_much("/h").unwrap(), "holds the home folder /h/me");
        let state = "holds the state folder /h/me/.local/state/triarch";
        assert_eq!(too_much("/h/me/.local").unwrap(), state);
        assert_eq!(too_much("/h/me/.local/state/triarch").unwrap(), "is the state folder");
        assert_eq!(too_much("/usr").unwrap(), "is a folder of the system");
        assert_eq!(
            too_much("/sys/fs").unwrap(),
            "holds /sys/fs/cgroup, a folder of the system"
        );
        for fine in [
            "/h/me/fleet",
            "/srv/fleet",
            "/h/you",
            "/usr/local/fleet",
            "/h/me/.config/triarch",
        ] {
            assert_eq!(too_much(fine), None, "{fine}");
        }
    }

    #[test]
    fn a_link_does_not_hide_where_a_place_lies() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("real")).unwrap();
        std::os::unix::fs::symlink(real.join("real"), real.join("link")).unwrap();
        let places = Places {
            state: Some(real.join("link/not/there/yet")),
            ..places()
        };
        assert!(
            places
                .too_much(&real.join("real"))
                .unwrap()
                .starts_with("holds the state folder")
        );
    }
}
