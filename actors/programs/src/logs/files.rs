//! The logs of agents as files, one for each with those that made way for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use triarch_supervision::name::{Name, team_of};
use triarch_telemetry::files::{Bounds, LineFile};

use super::line::{LogLine, Source};
use super::message::wall_clock;

/// Lines by the path of their agent.
pub(super) type Batch = BTreeMap<Arc<str>, Vec<LogLine>>;

/// Where the newest lines of an agent stand; nowhere where its path is none.
pub(super) fn newest(folder: &Path, agent: &str) -> Option<PathBuf> {
    let (team, name) = agent.split_once('/')?;
    // The parts of a split team are one team to whoever reads.
    let (team, name) = (Name::new(team_of(team)).ok()?, Name::new(name).ok()?);
    Some(folder.join(team.as_str()).join(format!("{name}.log")))
}

/// Writes lines; knows what it could not write.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    bounds: Bounds,
    /// Agents whose last lines were refused, and how many.
    refused: BTreeMap<Arc<str>, u64>,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) lines: u64,
    pub(super) lost: u64,
}

impl Files {
    pub(super) fn new(folder: PathBuf, bounds: Bounds) -> Self {
        Self {
            folder,
            bounds,
            refused: BTreeMap::new(),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes all of it that the disk takes, and what was `noted` of those who have a log.
    pub(super) fn write(&mut self, mut batch: Batch, noted: Batch) -> Written {
        for (agent, lines) in noted {
            let has_log = || newest(&self.folder, &agent).is_some_and(|path| path.exists());
            if batch.contains_key(&agent) || has_log() {
                batch.entry(agent).or_default().extend(lines);
            }
        }
        let mut written = Written::default();
        for (agent, mut lines) in batch {
            let count = lines.len() as u64;
            // Lines and events come by different ways, so they may meet here in another order than they happened.
            lines.sort_by_key(|line| line.time);
            let lost = self.append(&agent, &lines);
            written.lines += count - lost;
            written.lost += lost;
            if lost > 0 {
                *self.refused.entry(agent).or_default() += lost;
            }
        }
        written
    }

    /// Returns how many of the lines the disk refused.
    fn append(&mut self, agent: &Arc<str>, lines: &[LogLine]) -> u64 {
        let count = lines.len() as u64;
        let Some(newest) = newest(&self.folder, agent) else {
            return count;
        };
        let mut text = Vec::new();
        let missing = self.refused.get(agent).map(|lost| {
            let words = format!("{lost} lines are missing here: the disk refused them");
            let incarnation = lines.first().map_or(0, |line| line.incarnation);
            LogLine::new(wall_clock(), incarnation, Source::Event, words)
        });
        for line in missing.iter().chain(lines) {
            line.append_to(&mut text);
        }
        let appended = LineFile::new(newest, self.bounds).append(&text, |_| {});
        let taken = appended.map_or_else(|refused| refused.taken, |()| text.len());
        if taken > 0 {
            self.refused.remove(agent);
        }
        let left = memchr::memchr_iter(b'\n', &text[taken..]).count() as u64;
        left.min(count)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, SystemTime};

    use super::*;

    fn lines(texts: &[&str]) -> Vec<LogLine> {
        let line = |(number, text): (usize, &&str)| {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(number as u64);
            LogLine::new(time, 1, Source::Out, (*text).to_owned())
        };
        texts.iter().enumerate().map(line).collect()
    }

    fn batch(texts: &[&str]) -> Batch {
        Batch::from([(Arc::from("team/a"), lines(texts))])
    }

    fn texts(path: &Path) -> Vec<String> {
        let text = fs::read(path).unwrap_or_default();
        let lines = text.split(|byte| *byte == b'\n').filter_map(LogLine::read);
        lines.map(|line| line.text).collect()
    }

    #[test]
    fn lines_stand_in_the_order_of_their_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::new(
            folder.path().join("logs"),
            Bounds {
                file_bytes: 10_000,
                files: 2,
            },
        );
        let mut all = lines(&["a", "b", "c"]);
        all.reverse();
        let written = files.write(Batch::from([(Arc::from("team.2/a"), all)]), Batch::new());
        assert_eq!(written, Written { lines: 3, lost: 0 });
        assert_eq!(texts(&folder.path().join("logs/team/a.log")), ["a", "b", "c"]);
    }

    #[test]
    fn no_more_files_are_kept_than_allowed_and_none_is_larger() {
        let folder = tempfile::tempdir().unwrap();
        let bounds = Bounds {
            file_bytes: 300,
            files: 3,
        };
        let mut files = Files::new(folder.path().to_owned(), bounds);
        for number in 0..50 {
            files.write(batch(&[&format!("line {number}")]), Batch::new());
        }
        let newest = newest(folder.path(), "team/a").unwrap();
        let sizes: Vec<_> = fs::read_dir(folder.path().join("team"))
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .collect();
        assert_eq!(sizes.len(), 3);
        assert!(sizes.iter().all(|size| *size <= 300), "{sizes:?}");
        assert_eq!(texts(&newest).last().unwrap(), "line 49");
        let before = texts(&LineFile::new(newest.clone(), bounds).older(1)).pop().unwrap();
        assert_eq!(before, format!("line {}", 49 - texts(&newest).len()));
    }

    #[test]
    fn a_disk_that_refuses_is_counted_and_said_when_it_takes_lines_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::new(
            folder.path().to_owned(),
            Bounds {
                file_bytes: 10_000,
                files: 2,
            },
        );
        // A file stands where the folder should be.
        fs::write(folder.path().join("team"), "").unwrap();
        assert_eq!(
            files.write(batch(&["a", "b"]), Batch::new()),
            Written { lines: 0, lost: 2 }
        );
        fs::remove_file(folder.path().join("team")).unwrap();
        assert_eq!(files.write(batch(&["c"]), Batch::new()), Written { lines: 1, lost: 0 });
        files.write(batch(&["d"]), Batch::new());
        assert_eq!(
            texts(&folder.path().join("team/a.log")),
            ["2 lines are missing here: the disk refused them", "c", "d"]
        );
    }

    #[test]
    fn what_is_noted_of_an_agent_is_written_where_it_has_a_log_and_makes_none() {
        let folder = tempfile::tempdir().unwrap();
        let bounds = Bounds {
            file_bytes: 10_000,
            files: 2,
        };
        let mut files = Files::new(folder.path().to_owned(), bounds);
        let log = folder.path().join("team/a.log");
        assert_eq!(files.write(Batch::new(), batch(&["early"])), Written::default());
        assert!(!log.exists());
        assert_eq!(files.write(batch(&["a"]), batch(&["b"])).lines, 2);
        assert_eq!(files.write(Batch::new(), batch(&["c"])).lines, 1);
        assert_eq!(texts(&log), ["a", "b", "c"]);
    }

    #[test]
    fn a_path_that_is_none_leads_nowhere() {
        for path in ["", "a", "../a", "team/..", "team/../a", "team/a/b", "/etc/passwd"] {
            assert_eq!(newest(Path::new("logs"), path), None, "{path}");
        }
    }
}
