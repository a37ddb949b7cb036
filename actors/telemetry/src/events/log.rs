//! The files of events: adding to them, and reading what earlier runtimes added.

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::kept::{OF_EACH, distilled};
use super::line::{Line, PastChange};
use crate::files::{Bounds, LineFile, Refused};
use crate::wall_clock::wall_clock;
use triarch_supervision::name::without_part;

/// The events of a tree on disk, across the ends of its runtime. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EventLog(Arc<Files>);

#[derive(Debug)]
struct Files {
    events: LineFile,
    /// What is left of files that made way for good.
    kept: PathBuf,
    kept_bytes_max: usize,
    /// When this runtime began, in milliseconds; tells its lives from those before.
    runtime: u64,
}

impl EventLog {
    /// In that folder. Nothing is touched yet.
    pub fn new(folder: &Path, bounds: Bounds) -> Self {
        Self(Arc::new(Files {
            events: LineFile::new(folder.join("events.jsonl"), bounds),
            kept: folder.join("kept.jsonl"),
            kept_bytes_max: usize::try_from(bounds.file_bytes).unwrap_or(usize::MAX),
            runtime: millis(wall_clock()),
        }))
    }

    pub(super) fn runtime(&self) -> u64 {
        self.0.runtime
    }

    /// The last changes of the agent at `path` that runtimes before this one kept, oldest first.
    pub async fn before(&self, path: &str) -> io::Result<Vec<PastChange>> {
        let (files, path) = (Arc::clone(&self.0), path.to_owned());
        let read = tokio::task::spawn_blocking(move || files.before(&path)).await;
        read.unwrap_or_else(|gone| Err(io::Error::other(gone)))
    }

    /// Adds whole lines. Of what makes way for good, the last of those who are there are kept.
    pub(super) fn append(&self, lines: &[u8], is_there: impl Fn(&str) -> bool) -> Result<(), Refused> {
        let files = &self.0;
        files.events.append(lines, |parting| {
            // Where it cannot be kept there is no room for it, and the new lines go before.
            let _kept = files.keep(parting, &is_there);
        })
    }
}

impl Files {
    fn before(&self, path: &str) -> io::Result<Vec<PastChange>> {
        let path = without_part(path);
        let name = path.rsplit('/').next().unwrap_or(&path);
        let finder = memchr::memmem::Finder::new(name);
        let mut changes = Changes::default();
        let mut see = |text: &[u8]| {
            for line in text
                .split(|byte| *byte == b'\n')
                .filter(|line| finder.find(line).is_some())
            {
                let is_of_it = |line: &Line<'_>| line.runtime != self.runtime && without_part(&line.subject) == path;
                if let Some(line) = Line::read(line).filter(is_of_it) {
                    changes.add(&line);
                }
            }
        };
        see(&read(&self.kept)?);
        for mut piece in self.events.pieces()? {
            see(&piece.lines(0, u64::MAX)?.0);
        }
        Ok(changes.last.into())
    }

    /// Takes what is worth keeping out of a file that is about to go.
    fn keep(&self, parting: &Path, is_there: &impl Fn(&str) -> bool) -> io::Result<()> {
        let mut lines = read(&self.kept)?;
        lines.extend(read(parting)?);
        let kept = distilled(&lines, self.kept_bytes_max, is_there);
        let fresh = self.kept.with_extension("new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let written = options.open(&fresh).and_then(|mut file| file.write_all(&kept));
        let placed = written.and_then(|()| fs::rename(&fresh, &self.kept));
        if placed.is_err() {
            let _cleared = fs::remove_file(&fresh);
        }
        placed
    }
}

/// The last changes of one agent.
#[derive(Default)]
struct Changes {
    last: VecDeque<PastChange>,
    life: u64,
}

impl Changes {
    fn add(&mut self, line: &Line<'_>) {
        self.life = line.incarnation().unwrap_or(self.life);
        if let Some(change) = line.change(self.life) {
            if self.last.len() == OF_EACH {
                self.last.pop_front();
            }
            self.last.push_back(change);
        }
    }
}

/// All of a file; nothing where there is none.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use triarch_supervision::clock::Moment;
    use triarch_supervision::name::Name;
    use triarch_supervision::reason::{ExitReason, Failure};
    use triarch_supervision::supervisor::Decision;
    use triarch_supervision::tree::{Event, Fact};

    use super::super::line::append;
    use super::*;

    const BOUNDS: Bounds = Bounds {
        file_bytes: 100_000,
        files: 2,
    };

    fn log(folder: &tempfile::TempDir, bounds: Bounds, runtime: u64) -> EventLog {
        let mut log = EventLog::new(&folder.path().join("events"), bounds);
        Arc::get_mut(&mut log.0).unwrap().runtime = runtime;
        log
    }

    fn ended(log: &EventLog, supervisor: &str, child: &str, incarnation: u64) {
        let decision = Decision::Ended {
            child: Name::new(child).unwrap(),
            incarnation,
            reason: ExitReason::Error(Failure::new("out of ink")),
        };
        let event = Event::new(Moment::default(), supervisor, Fact::Decision(decision));
        let mut text = Vec::new();
        append(
            &mut text,
            &event,
            UNIX_EPOCH + Duration::from_secs(incarnation),
            log.runtime(),
        );
        log.append(&text, |_| true).unwrap();
    }

    async fn lives(log: &EventLog, path: &str) -> Vec<u64> {
        let changes = log.before(path).await.unwrap();
        changes.iter().map(|change| change.incarnation).collect()
    }

    #[tokio::test]
    async fn an_agent_has_its_changes_of_earlier_runtimes_whatever_part_of_its_team_it_was_in() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(lives(&log(&folder, BOUNDS, 1), "team/a").await, [0; 0]);
        let first = log(&folder, BOUNDS, 1);
        ended(&first, "team", "a", 1);
        ended(&first, "team", "b", 2);
        ended(&first, "team.3", "a", 3);
        assert_eq!(lives(&first, "team/a").await, [0; 0], "its own are not from before");
        let second = log(&folder, BOUNDS, 2);
        ended(&second, "team", "a", 4);
        for path in ["team/a", "team.1/a"] {
            assert_eq!(lives(&second, path).await, [1, 3], "{path}");
        }
        let change = second.before("team/b").await.unwrap().pop().unwrap();
        assert_eq!(
            (change.to.as_str(), change.reason.as_deref(), change.at),
            (
                "stopped",
                Some("failed: out of ink"),
                UNIX_EPOCH + Duration::from_secs(2)
            )
        );
    }

    #[tokio::test]
    async fn a_storm_is_bounded_on_disk_and_leaves_others_their_past() {
        let folder = tempfile::tempdir().unwrap();
        let bounds = Bounds {
            file_bytes: 40_000,
            files: 2,
        };
        let first = log(&folder, bounds, 1);
        ended(&first, "team", "quiet", 1);
        for life in 0..2_000 {
            ended(&first, "team", "loud", life);
        }
        let entries = fs::read_dir(folder.path().join("events")).unwrap();
        let sizes: Vec<_> = entries.map(|entry| entry.unwrap().metadata().unwrap().len()).collect();
        assert_eq!(sizes.len(), 3);
        assert!(sizes.iter().all(|size| *size <= bounds.file_bytes), "{sizes:?}");
        let next = log(&folder, bounds, 2);
        assert_eq!(lives(&next, "team/quiet").await, [1]);
        assert_eq!(lives(&next, "team/loud").await, (1_900..2_000).collect::<Vec<_>>());
    }
}
