//! How programs ended, on disk beside their logs, for whoever asks a later runtime.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use triarch_telemetry::files::{Bounds, LineFile};

use super::files::newest;
use crate::records::{ExitRecord, KEPT};

/// As much as holds the ends that are shown, unless programs say very much before them.
const BOUNDS: Bounds = Bounds {
    file_bytes: 256 << 10,
    files: 2,
};

/// How the name of such a file goes on behind that of its agent.
const SUFFIX: &str = ".ends.jsonl";

/// Ends by the path of their agent.
pub(super) type Ends = BTreeMap<Arc<str>, Vec<ExitRecord>>;

fn file(folder: &Path, agent: &str) -> Option<LineFile> {
    let log = newest(folder, agent)?;
    let mut name = log.with_extension("").into_os_string();
    name.push(SUFFIX);
    Some(LineFile::new(name.into(), BOUNDS))
}

/// Writes all that the disk takes; returns how many it refused, which are known until the runtime ends.
pub(super) fn write(folder: &Path, ends: Ends) -> u64 {
    let mut lost = 0;
    for (agent, records) in ends {
        let mut text = Vec::new();
        for record in &records {
            let begin = text.len();
            match serde_json::to_writer(&mut text, record) {
                Ok(()) => text.push(b'\n'),
                Err(_) => text.truncate(begin),
            }
        }
        let Some(file) = file(folder, &agent) else {
            lost += records.len() as u64;
            continue;
        };
        if let Err(refused) = file.append(&text, |_| {}) {
            lost += memchr::memchr_iter(b'\n', &text[refused.taken..]).count() as u64;
        }
    }
    lost
}

/// The ends that stand on disk, oldest first.
pub(crate) fn read(folder: &Path, agent: &str) -> io::Result<Vec<ExitRecord>> {
    let mut records = Vec::new();
    let pieces = file(folder, agent).map(|file| file.pieces()).transpose()?;
    for mut piece in pieces.into_iter().flatten() {
        let (text, _) = piece.lines(0, u64::MAX)?;
        let lines = text.split(|byte| *byte == b'\n');
        records.extend(lines.filter_map(|line| serde_json::from_slice(line).ok()));
    }
    Ok(records)
}

/// The last ends, each once: those of the disk, and those that this runtime has seen, which may stand there or not.
pub(crate) fn joined(mut of_disk: Vec<ExitRecord>, seen: Vec<ExitRecord>) -> Vec<ExitRecord> {
    of_disk.retain(|record| !seen.contains(record));
    of_disk.extend(seen);
    of_disk.drain(..of_disk.len().saturating_sub(KEPT));
    of_disk
}

/// Takes away what is known of agents that are not known any more.
pub(crate) fn forget(folder: &Path, is_known: impl Fn(&str) -> bool) -> io::Result<()> {
    let teams = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        teams => teams?,
    };
    for team in teams {
        let team = team?;
        if !team.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(team.path())? {
            let file = file?;
            let (team, name) = (team.file_name(), file.file_name());
            let agent = name.to_str().and_then(|name| Some(name.split_once(SUFFIX)?.0));
            let path = agent.zip(team.to_str()).map(|(agent, team)| format!("{team}/{agent}"));
            if path.is_some_and(|path| !is_known(&path)) {
                fs::remove_file(file.path())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::super::message::wall_clock;
    use super::*;
    use crate::records::{EndReason, Usage};
    use crate::settings::Mode;

    fn record(incarnation: u64) -> ExitRecord {
        ExitRecord {
            incarnation,
            mode: Mode::Exec,
            pid: 7,
            started: SystemTime::UNIX_EPOCH + Duration::from_micros(incarnation),
            ended: SystemTime::UNIX_EPOCH + Duration::from_secs(incarnation),
            reason: EndReason::Signal,
            code: None,
            signal: Some(9),
            why: Some("it used up".to_owned()),
            usage: Some(Usage {
                user: Duration::from_micros(3),
                ..Usage::default()
            }),
            posts: 1,
            processes: Some(2),
            survivors: Some(0),
            lines: vec!["oh\nno".to_owned()],
        }
    }

    #[test]
    fn an_end_that_the_disk_refuses_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let ends = || Ends::from([(Arc::from("team/a"), vec![record(1), record(2)])]);
        // A file stands where the folder should be.
        fs::write(folder.path().join("team"), "").unwrap();
        assert_eq!(write(folder.path(), ends()), 2);
        fs::remove_file(folder.path().join("team")).unwrap();
        assert_eq!(write(folder.path(), ends()), 0);
    }

    fn written(lives: impl IntoIterator<Item = u64>) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for agent in ["team/a", "team.2/b", "gone/a"] {
            write(folder.path(), Ends::from([(Arc::from(agent), vec![record(0)])]));
        }
        for life in lives {
            write(folder.path(), Ends::from([(Arc::from("team/a"), vec![record(life)])]));
        }
        folder
    }

    #[test]
    fn ends_are_read_back_as_they_were_written_save_one_that_nobody_finished() {
        let folder = written(1..3);
        let path = file(folder.path(), "team/a").unwrap().newest().to_owned();
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 5]).unwrap();
        write(folder.path(), Ends::from([(Arc::from("team/a"), vec![record(3)])]));
        assert_eq!(read(folder.path(), "team/a").unwrap(), [0, 1, 3].map(record));
        assert_eq!(read(folder.path(), "team/b").unwrap(), [record(0)]);
        assert_eq!(read(folder.path(), "team/c").unwrap(), []);
        assert_eq!(read(folder.path(), "../a").unwrap(), []);
    }

    #[test]
    fn an_end_that_was_just_seen_is_the_same_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let seen = || ExitRecord {
            started: wall_clock(),
            ended: wall_clock(),
            ..record(1)
        };
        let all: Vec<_> = std::iter::repeat_with(seen).take(KEPT).collect();
        write(folder.path(), Ends::from([(Arc::from("team/a"), all.clone())]));
        assert_eq!(read(folder.path(), "team/a").unwrap(), all);
    }

    #[test]
    fn those_of_this_runtime_count_once_and_only_the_last_are_told() {
        let all: Vec<_> = (0..30).map(record).collect();
        assert_eq!(joined(all[..15].to_vec(), all[10..20].to_vec()), all[..20]);
        assert_eq!(joined(all[..20].to_vec(), all[20..].to_vec()), all[10..]);
    }

    #[test]
    fn those_of_agents_that_are_gone_are_forgotten_and_nothing_else() {
        let folder = written(1..2000);
        let log = newest(folder.path(), "gone/a").unwrap();
        fs::write(&log, "").unwrap();
        let known = ["team/a", "team/b"];
        forget(folder.path(), |path| known.contains(&path)).unwrap();
        assert!(file(folder.path(), "team/a").unwrap().older(1).exists());
        assert_eq!(read(folder.path(), "team/b").unwrap(), [record(0)]);
        assert_eq!(read(folder.path(), "gone/a").unwrap(), []);
        assert!(log.exists(), "logs are not records");
        forget(folder.path(), |_| false).unwrap();
        assert_eq!(read(folder.path(), "team/a").unwrap(), []);
        assert!(forget(&folder.path().join("none"), |_| false).is_ok());
    }
}
