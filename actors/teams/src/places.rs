//! Where the paths of a description lead.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::SettingError;

/// What the paths of a description are seen from.
#[derive(Clone, Debug)]
pub struct Places {
    /// The folder of the description.
    pub description: PathBuf,
    /// The home of the runtime's user.
    pub home: Option<PathBuf>,
}

impl Places {
    /// Those of this process, for a description that lies in `folder`.
    pub fn seen_from(folder: impl Into<PathBuf>) -> Self {
        Self {
            description: folder.into(),
            home: env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from),
        }
    }

    /// Where `written` leads, which stands in the setting `key` and is seen from `base`.
    pub fn path(&self, key: &str, written: &Path, base: &Path) -> Result<PathBuf, SettingError> {
        if let Ok(below) = written.strip_prefix("~") {
            let home = self.home.as_ref().ok_or_else(|| {
                let problem = format!("{} is in a home, and HOME is not set", written.display());
                SettingError::of(key, problem, "set HOME, or write the whole path")
            })?;
            return Ok(home.join(below));
        }
        if written.as_os_str().as_encoded_bytes().starts_with(b"~") {
            let problem = format!("{} is in the home of somebody else", written.display());
            let remedy = "write the whole path, or ./ before it where it is called so";
            return Err(SettingError::of(key, problem, remedy));
        }
        Ok(base.join(written))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_the_home_only_where_it_is_ones_own() {
        let places = Places {
            description: "/srv/fleet".into(),
            home: Some("/h/me".into()),
        };
        let path = |written: &str| places.path("dir", Path::new(written), Path::new("/base"));
        assert_eq!(path("a/b"), Ok("/base/a/b".into()));
        assert_eq!(path("/a"), Ok("/a".into()));
        assert_eq!(path("~/a"), Ok("/h/me/a".into()));
        assert_eq!(path("~"), Ok("/h/me".into()));
        assert_eq!(path("./~you"), Ok("/base/./~you".into()));
        assert_eq!(
            path("~you/a").unwrap_err().to_string(),
            "~you/a is in the home of somebody else; write the whole path, or ./ before it where it is called so"
        );
        let homeless = Places { home: None, ..places };
        assert_eq!(
            homeless
                .path("dir", Path::new("~/a"), Path::new("/"))
                .unwrap_err()
                .to_string(),
            "~/a is in a home, and HOME is not set; set HOME, or write the whole path"
        );
    }
}
