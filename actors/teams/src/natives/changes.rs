//! What differs between two looks at files: a machine that is told what was there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a file was when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Which file it is, whatever its name.
    pub(super) number: u64,
    /// What is in it; nothing of a folder, whose entries have marks of their own.
    pub(super) content: Option<Content>,
}

/// What tells one content of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) bytes: u64,
    /// When it was written, since the epoch.
    pub(super) written: Duration,
}

/// What was there at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    pub(super) files: BTreeMap<PathBuf, Mark>,
    /// What could not be looked at, and why. Nobody knows whether what is below it is there.
    pub(super) unseen: BTreeMap<PathBuf, String>,
}

/// What differs from the look before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) created: Vec<PathBuf>,
    pub(super) changed: Vec<PathBuf>,
    pub(super) removed: Vec<PathBuf>,
}

impl Changes {
    pub(super) fn count(&self) -> usize {
        self.created.len() + self.changed.len() + self.removed.len()
    }
}

/// What is known of files.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Nothing before the first look.
    files: Option<BTreeMap<PathBuf, Mark>>,
    /// What was never seen, so that it is not taken for created when it can be seen at last.
    never_seen: BTreeSet<PathBuf>,
}

impl Known {
    /// What differs from what was known. The first look only makes it known.
    pub(super) fn learn(&mut self, look: Look) -> Changes {
        let unseen: BTreeSet<_> = look.unseen.into_keys().collect();
        let Some(before) = self.files.take() else {
            self.files = Some(look.files);
            self.never_seen = unseen;
            return Changes::default();
        };
        let mut changes = Changes::default();
        for (path, mark) in &look.files {
            match before.get(path) {
                None if lies_below(path, &self.never_seen) => {}
                None => changes.created.push(path.clone()),
                Some(old) if old != mark => changes.changed.push(path.clone()),
                Some(_) => {}
            }
        }
        let mut files = look.files;
        for (path, mark) in before {
            if files.contains_key(&path) {
                continue;
            }
            if lies_below(&path, &unseen) {
                files.insert(path, mark);
            } else {
                changes.removed.push(path);
            }
        }
        self.files = Some(files);
        self.never_seen.retain(|path| unseen.contains(path));
        changes
    }

    /// How many files are known.
    pub(super) fn count(&self) -> usize {
        self.files.as_ref().map_or(0, BTreeMap::len)
    }
}

fn lies_below(path: &Path, folders: &BTreeSet<PathBuf>) -> bool {
    !folders.is_empty() && path.ancestors().any(|above| folders.contains(above))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files by path, each with a number that stands for what is in it.
    fn look(files: &[(&str, u64)], unseen: &[&str]) -> Look {
        let mark = |bytes| Mark {
            number: 1,
            content: Some(Content {
                bytes,
                written: Duration::ZERO,
            }),
        };
        Look {
            files: files
                .iter()
                .map(|(path, bytes)| (PathBuf::from(path), mark(*bytes)))
                .collect(),
            unseen: unseen
                .iter()
                .map(|path| (PathBuf::from(path), "no".to_owned()))
                .collect(),
        }
    }

    fn told(changes: &Changes) -> String {
        let parts = [
            ("+", &changes.created),
            ("~", &changes.changed),
            ("-", &changes.removed),
        ];
        let words = parts
            .into_iter()
            .flat_map(|(sign, paths)| paths.iter().map(move |path| format!("{sign}{}", path.display())));
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_first_look_only_makes_known() {
        let mut known = Known::default();
        assert_eq!(known.learn(look(&[("a", 1)], &[])).count(), 0);
        assert_eq!(known.count(), 1);
    }

    #[test]
    fn what_came_changed_and_went_is_told_once() {
        let mut known = Known::default();
        known.learn(look(&[("a", 1), ("b", 1), ("c", 1)], &[]));
        let second = look(&[("a", 1), ("b", 2), ("d", 1)], &[]);
        let changes = known.learn(second.clone());
        assert_eq!((told(&changes).as_str(), changes.count()), ("+d ~b -c", 3));
        assert_eq!(told(&known.learn(second)), "");
    }

    #[test]
    fn another_file_of_the_same_name_is_a_change() {
        let mut known = Known::default();
        let first = look(&[("a", 1)], &[]);
        known.learn(first.clone());
        let mut second = first;
        second.files.values_mut().for_each(|mark| mark.number = 2);
        assert_eq!(told(&known.learn(second)), "~a");
    }

    #[test]
    fn what_lies_where_nobody_can_look_is_not_taken_for_gone() {
        let mut known = Known::default();
        known.learn(look(&[("d", 1), ("d/a", 1), ("d/b", 1), ("dd", 1)], &[]));
        assert_eq!(told(&known.learn(look(&[("d", 1)], &["d"]))), "-dd");
        assert_eq!(known.count(), 3);
        assert_eq!(told(&known.learn(look(&[("d", 1), ("d/a", 2)], &[]))), "~d/a -d/b");
    }

    #[test]
    fn what_can_be_seen_at_last_is_not_taken_for_created() {
        let mut known = Known::default();
        known.learn(look(&[("d", 1)], &["d"]));
        assert_eq!(told(&known.learn(look(&[("d", 1), ("d/a", 1)], &[]))), "");
        assert_eq!(
            told(&known.learn(look(&[("d", 1), ("d/a", 1), ("d/b", 1)], &[]))),
            "+d/b"
        );
    }
}
