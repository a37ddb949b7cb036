//! Looking at files. It blocks.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::changes::{Content, Look, Mark};

/// There is more than may be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are more than {0} files and folders; watch fewer, or set a larger `entries`")]
pub(super) struct TooMany(usize);

/// What is at `paths`, and below those that are folders; no more than `most` files and folders. A path that leads
/// nowhere has nothing. Links within folders are not followed.
pub(super) fn look(paths: &[PathBuf], most: usize) -> Result<Look, TooMany> {
    let mut look = Look::default();
    let mut folders = Vec::new();
    for path in paths {
        visit(&mut look, &mut folders, path.clone(), fs::metadata(path));
    }
    while let Some(folder) = folders.pop() {
        for entry in entries(&mut look, &folder) {
            let found = fs::symlink_metadata(&entry);
            visit(&mut look, &mut folders, entry, found);
            if look.files.len() > most {
                return Err(TooMany(most));
            }
        }
    }
    if look.files.len() > most {
        Err(TooMany(most))
    } else {
        Ok(look)
    }
}

fn visit(look: &mut Look, folders: &mut Vec<PathBuf>, path: PathBuf, found: io::Result<Metadata>) {
    match found {
        Ok(found) => {
            let is_known = look.files.insert(path.clone(), mark(&found)).is_some();
            // One path may lie below another.
            if found.is_dir() && !is_known {
                folders.push(path);
            }
        }
        Err(error) if leads_nowhere(&error) => {}
        Err(error) => {
            look.unseen.insert(path, error.to_string());
        }
    }
}

fn leads_nowhere(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// What is in `folder`, as far as it can be read.
fn entries(look: &mut Look, folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let listed = fs::read_dir(folder).and_then(|entries| {
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        paths.collect::<io::Result<Vec<_>>>()
    });
    let listed = listed.unwrap_or_else(|error| {
        if !leads_nowhere(&error) {
            look.unseen.insert(folder.to_owned(), error.to_string());
        }
        Vec::new()
    });
    listed.into_iter()
}

fn mark(found: &Metadata) -> Mark {
    let written = found
        .modified()
        .ok()
        .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    let content = Content {
        bytes: found.len(),
        written: written.unwrap_or(Duration::ZERO),
    };
    Mark {
        number: number(found),
        content: (!found.is_dir()).then_some(content),
    }
}

fn number(found: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(found)
}
