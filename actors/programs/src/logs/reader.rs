//! Reading what was written, and what is being written.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;
use triarch_telemetry::files::{Bounds, LineFile, Piece};

use super::files::newest;
use super::line::LogLine;

/// So much is read of a log at a time while it is followed.
const STEP_MAX: u64 = 1 << 20;

/// Reads the logs of agents. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Logs {
    folder: Arc<Path>,
    bounds: Bounds,
    written: watch::Receiver<u64>,
}

/// Which lines of a log are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// None before that.
    pub since: Option<SystemTime>,
    /// None of another life.
    pub incarnation: Option<u64>,
    /// Only the last so many.
    pub last: Option<usize>,
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// No agent can be called that.
    #[error("{agent:?} is no path of an agent; write it as team/agent")]
    NoPath {
        /// The path in question.
        agent: String,
    },
    /// Nothing was ever written for the agent.
    #[error("there is no log of {agent}; only programs that were started have one")]
    NoLog {
        /// The path in question.
        agent: String,
    },
    /// The disk does not give it.
    #[error("the log of {agent} cannot be read; see {}", path.display())]
    Read {
        /// The agent.
        agent: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Query {
    fn wants(&self, line: &LogLine) -> bool {
        self.since.is_none_or(|since| line.time >= since)
            && self
                .incarnation
                .is_none_or(|incarnation| line.incarnation == incarnation)
    }
}

impl Logs {
    pub(crate) fn new(folder: Arc<Path>, bounds: Bounds, written: watch::Receiver<u64>) -> Self {
        Self {
            folder,
            bounds,
            written,
        }
    }

    pub(crate) fn folder(&self) -> Arc<Path> {
        Arc::clone(&self.folder)
    }

    /// The lines that `query` asks for, in the order of their time.
    pub async fn read(&self, agent: &str, query: Query) -> Result<Vec<LogLine>, LogError> {
        let reading = self.follow(agent, query)?;
        let (lines, _) = reading.beginning().await?;
        Ok(lines)
    }

    /// The lines that `query` asks for, and those that are yet to come.
    pub fn follow(&self, agent: &str, query: Query) -> Result<Following, LogError> {
        let path = newest(&self.folder, agent).ok_or_else(|| LogError::NoPath {
            agent: agent.to_owned(),
        })?;
        Ok(Following {
            agent: agent.to_owned(),
            log: LineFile::new(path, self.bounds),
            query,
            written: self.written.clone(),
            place: None,
        })
    }
}

/// A log that is being read while it is written.
#[derive(Debug)]
pub struct Following {
    agent: String,
    log: LineFile,
    query: Query,
    written: watch::Receiver<u64>,
    place: Option<Place>,
}

/// How far a log was read: which file, and how much of it.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    file: u64,
    offset: u64,
}

impl Following {
    /// The next lines, waited for where there are none; none any more once the scribe of logs is gone for good.
    ///
    /// Cancel-safe.
    pub async fn next(&mut self) -> Result<Vec<LogLine>, LogError> {
        loop {
            self.written.mark_unchanged();
            let (lines, place) = match self.place {
                None => self.beginning().await?,
                Some(place) => self.after(place).await?,
            };
            self.place = Some(place);
            if !lines.is_empty() || self.written.changed().await.is_err() {
                return Ok(lines);
            }
        }
    }

    async fn beginning(&self) -> Result<(Vec<LogLine>, Place), LogError> {
        let (log, query) = (self.log.clone(), self.query);
        let read = blocking(move || whole(&log, &query)).await;
        match read {
            Ok(Some(read)) => Ok(read),
            Ok(None) => Err(LogError::NoLog {
                agent: self.agent.clone(),
            }),
            Err(error) => Err(self.unreadable(error)),
        }
    }

    async fn after(&self, place: Place) -> Result<(Vec<LogLine>, Place), LogError> {
        let (log, query) = (self.log.clone(), self.query);
        let read = blocking(move || more(&log, &query, place)).await;
        read.map_err(|error| self.unreadable(error))
    }

    fn unreadable(&self, source: io::Error) -> LogError {
        LogError::Read {
            agent: self.agent.clone(),
            path: self.log.newest().to_owned(),
            source,
        }
    }
}

async fn blocking<T: Send + 'static>(read: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let read = tokio::task::spawn_blocking(read).await;
    read.unwrap_or_else(|gone| Err(io::Error::other(gone)))
}

/// All lines that are wanted, and where they end; nothing where there is no file.
fn whole(log: &LineFile, query: &Query) -> io::Result<Option<(Vec<LogLine>, Place)>> {
    let (mut lines, mut place) = (Vec::new(), None);
    for mut piece in log.pieces()? {
        let offset = read_from(&mut piece, 0, u64::MAX, query, &mut lines)?;
        place = Some(Place {
            file: piece.number,
            offset,
        });
    }
    if place.is_none() && log.newest().exists() {
        // All that will stand in it is new.
        place = Some(Place::default());
    }
    if let Some(last) = query.last {
        // Those that were written last, whatever a clock said that was set back.
        lines.drain(..lines.len().saturating_sub(last));
    }
    lines.sort_by_key(|line| line.time);
    Ok(place.map(|place| (lines, place)))
}

/// What was written after `place`.
fn more(log: &LineFile, query: &Query, place: Place) -> io::Result<(Vec<LogLine>, Place)> {
    let (mut lines, mut place) = (Vec::new(), place);
    let pieces = log.pieces()?;
    // Where the file is gone, all that is left is new.
    let known = pieces.iter().rposition(|piece| piece.number == place.file);
    for mut piece in pieces.into_iter().skip(known.unwrap_or(0)) {
        let mut from = if piece.number == place.file { place.offset } else { 0 };
        loop {
            let offset = read_from(&mut piece, from, STEP_MAX, query, &mut lines)?;
            place = Place {
                file: piece.number,
                offset,
            };
            if !lines.is_empty() {
                return Ok((lines, place));
            }
            // A step in which no line is wanted is not the end of what was written.
            if offset == from {
                break;
            }
            from = offset;
        }
    }
    Ok((lines, place))
}

/// Adds the wanted lines from `offset` on; returns where the last whole one ended.
fn read_from(piece: &mut Piece, offset: u64, most: u64, query: &Query, lines: &mut Vec<LogLine>) -> io::Result<u64> {
    let (text, end) = piece.lines(offset, most)?;
    let found = text.split(|byte| *byte == b'\n').filter_map(LogLine::read);
    lines.extend(found.filter(|line| query.wants(line)));
    Ok(end)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::files::{Batch, Files};
    use super::super::line::Source;
    use super::*;

    struct Desk {
        folder: tempfile::TempDir,
        files: Files,
        written: watch::Sender<u64>,
        bounds: Bounds,
        count: u64,
    }

    impl Desk {
        fn new(file_bytes: u64, files: usize) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let bounds = Bounds { file_bytes, files };
            Self {
                files: Files::new(folder.path().to_owned(), bounds),
                written: watch::Sender::new(0),
                folder,
                bounds,
                count: 0,
            }
        }

        fn logs(&self) -> Logs {
            Logs::new(Arc::from(self.folder.path()), self.bounds, self.written.subscribe())
        }

        /// Writes so many lines, each a second after the one before; every third is of another life.
        fn write(&mut self, lines: u64) {
            let line = |number: u64| LogLine::new(at(number), number % 3, Source::Out, number.to_string());
            let lines = (self.count..self.count + lines).map(line).collect::<Vec<_>>();
            self.count += lines.len() as u64;
            self.files
                .write(Batch::from([(Arc::from("team/a"), lines)]), Batch::new());
            self.written.send_modify(|version| *version += 1);
        }
    }

    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(second)
    }

    fn numbers(lines: &[LogLine]) -> Vec<u64> {
        lines.iter().map(|line| line.text.parse().unwrap()).collect()
    }

    async fn read(desk: &Desk, query: Query) -> Vec<u64> {
        numbers(&desk.logs().read("team/a", query).await.unwrap())
    }

    #[tokio::test]
    async fn all_files_are_read_oldest_first_and_only_what_is_asked_for() {
        let mut desk = Desk::new(500, 4);
        for _ in 0..10 {
            desk.write(1);
        }
        assert_eq!(read(&desk, Query::default()).await, (0..10).collect::<Vec<_>>());
        let since = Query {
            since: Some(at(7)),
            ..Query::default()
        };
        assert_eq!(read(&desk, since).await, [7, 8, 9]);
        let of_life = Query {
            incarnation: Some(1),
            last: Some(2),
            ..Query::default()
        };
        assert_eq!(read(&desk, of_life).await, [4, 7]);
    }

    #[tokio::test]
    async fn who_follows_misses_nothing_while_files_make_way() {
        let mut desk = Desk::new(500, 4);
        desk.write(2);
        let mut following = desk.logs().follow("team/a", Query::default()).unwrap();
        let mut seen = numbers(&following.next().await.unwrap());
        for _ in 0..40 {
            desk.write(3);
            while seen.len() < usize::try_from(desk.count).unwrap() {
                seen.extend(numbers(&following.next().await.unwrap()));
            }
        }
        assert_eq!(seen, (0..desk.count).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn who_fell_behind_goes_on_with_the_oldest_that_is_left() {
        let mut desk = Desk::new(500, 2);
        desk.write(1);
        let mut following = desk.logs().follow("team/a", Query::default()).unwrap();
        assert_eq!(numbers(&following.next().await.unwrap()), [0]);
        for _ in 0..30 {
            desk.write(1);
        }
        let mut seen = Vec::new();
        while seen.last() != Some(&30) {
            seen.extend(numbers(&following.next().await.unwrap()));
        }
        assert!(seen.is_sorted() && seen.len() < 30, "{seen:?}");
        assert_eq!(seen, read(&desk, Query::default()).await);
    }

    #[tokio::test]
    async fn the_last_are_those_that_were_written_last_though_the_clock_was_set_back() {
        let mut desk = Desk::new(10_000, 2);
        desk.count = 1_000;
        desk.write(4);
        desk.count = 10;
        desk.write(1);
        let last = |count| Query {
            last: Some(count),
            ..Query::default()
        };
        assert_eq!(read(&desk, last(1)).await, [10]);
        assert_eq!(read(&desk, last(2)).await, [10, 1_003]);
    }

    #[tokio::test]
    async fn who_follows_is_told_nothing_again_when_a_new_file_gets_its_first_line() {
        let mut desk = Desk::new(10_000, 3);
        desk.write(3);
        let mut following = desk.logs().follow("team/a", Query::default()).unwrap();
        assert_eq!(numbers(&following.next().await.unwrap()), [0, 1, 2]);
        let path = newest(desk.folder.path(), "team/a").unwrap();
        std::fs::rename(&path, path.with_extension("log.1")).unwrap();
        for begun in ["", "{\"time\":"] {
            std::fs::write(&path, begun).unwrap();
            desk.written.send_modify(|version| *version += 1);
            let next = tokio::time::timeout(Duration::from_millis(50), following.next());
            assert!(next.await.is_err(), "nothing is whole yet");
        }
        std::fs::write(&path, "").unwrap();
        desk.write(1);
        assert_eq!(numbers(&following.next().await.unwrap()), [3]);
    }

    #[tokio::test]
    async fn who_follows_an_empty_log_is_told_what_comes() {
        let mut desk = Desk::new(10_000, 2);
        let path = newest(desk.folder.path(), "team/a").unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "").unwrap();
        assert_eq!(read(&desk, Query::default()).await, [0; 0]);
        let mut following = desk.logs().follow("team/a", Query::default()).unwrap();
        desk.write(1);
        assert_eq!(numbers(&following.next().await.unwrap()), [0]);
    }

    #[tokio::test]
    async fn half_a_line_is_passed_over() {
        let mut desk = Desk::new(10_000, 2);
        desk.write(1);
        let path = newest(desk.folder.path(), "team/a").unwrap();
        let mut text = std::fs::read(&path).unwrap();
        text.extend_from_slice(b"{\"time\":\"19\n");
        std::fs::write(&path, text).unwrap();
        desk.write(1);
        assert_eq!(read(&desk, Query::default()).await, [0, 1]);
    }

    #[tokio::test]
    async fn a_line_longer_than_a_step_is_passed_over_by_who_follows() {
        let mut desk = Desk::new(10_000_000, 2);
        desk.write(1);
        let mut following = desk.logs().follow("team/a", Query::default()).unwrap();
        assert_eq!(numbers(&following.next().await.unwrap()), [0]);
        let path = newest(desk.folder.path(), "team/a").unwrap();
        let mut text = std::fs::read(&path).unwrap();
        text.resize(text.len() + usize::try_from(STEP_MAX).unwrap() * 11 / 10, b'x');
        text.push(b'\n');
        std::fs::write(&path, text).unwrap();
        desk.write(1);
        let Desk { written, folder, .. } = desk;
        // Nothing more is written, so who stands still learns so.
        drop(written);
        assert_eq!(numbers(&following.next().await.unwrap()), [1]);
        drop(folder);
    }

    #[tokio::test]
    async fn who_follows_one_life_comes_past_much_of_another() {
        let mut desk = Desk::new(10_000_000, 2);
        desk.write(1);
        let query = Query {
            incarnation: Some(8),
            ..Query::default()
        };
        let mut following = desk.logs().follow("team/a", query).unwrap();
        let line = |life, text| LogLine::new(at(life), life, Source::Out, text);
        let much = vec![line(7, "x".repeat(16 << 10)); 3 * 64];
        let (written, folder) = (desk.written.clone(), desk.folder.path().to_owned());
        let mut write = |lines| {
            desk.files
                .write(Batch::from([(Arc::from("team/a"), lines)]), Batch::new())
        };
        write(vec![line(8, 1.to_string())]);
        assert_eq!(numbers(&following.next().await.unwrap()), [1]);
        write(much);
        write(vec![line(8, 2.to_string())]);
        let size = std::fs::metadata(newest(&folder, "team/a").unwrap()).unwrap().len();
        assert!(size > 3 * STEP_MAX, "{size}");
        written.send_modify(|version| *version += 1);
        drop((desk.written, written));
        assert_eq!(numbers(&following.next().await.unwrap()), [2]);
    }

    #[tokio::test]
    async fn where_nobody_writes_any_more_following_ends() {
        let mut desk = Desk::new(10_000, 2);
        desk.write(1);
        let mut following = desk.logs().follow("team/a", Query::default()).unwrap();
        assert_eq!(following.next().await.unwrap().len(), 1);
        let Desk { written, folder, .. } = desk;
        drop(written);
        assert!(following.next().await.unwrap().is_empty());
        drop(folder);
    }
}
