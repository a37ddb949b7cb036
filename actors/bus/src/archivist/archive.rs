//! All logs and cursors of a bus, as the archivist has them on disk and as anybody may read them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use triarch_supervision::clock::Moment;
use triarch_supervision::prelude::Address;
use triarch_supervision::sync::{Mutex, RwLock, lock, unpoisoned};

use super::cursor::{Cursor, CursorKey};
use super::doubt::Doubt;
use super::log::{Log, LogTime, Retention};
use super::message::Order;
use super::record::Record;
use super::replay::{Replay, UNLISTED};
use crate::config::Config;
use crate::dead::SubscriptionId;
use crate::error::{ArchiveError, Error, ForgetError};
use crate::subscription::Subscription;
use crate::topic::{Pattern, Topic};

/// How many names there may be.
pub(crate) const NAMES_MAX: usize = 1 << 16;

/// A log, and what its readers need of it.
pub(crate) type SharedLog = Arc<RwLock<Log>>;

/// How far a named subscription has come, in which log.
#[derive(Clone, Debug)]
pub(crate) struct Bookmark {
    pub(crate) log: Pattern,
    pub(crate) cursor: Arc<Mutex<Cursor>>,
}

#[derive(Debug)]
pub(crate) struct Archive {
    /// The patterns that are durable, the first that stands for a topic first.
    rules: Vec<(Pattern, Retention)>,
    logs: RwLock<BTreeMap<Pattern, SharedLog>>,
    bookmarks: Mutex<BTreeMap<CursorKey, Bookmark>>,
    /// Cursors that have moved since they were written down.
    moved: Mutex<BTreeSet<CursorKey>>,
    /// Who is to be told that a log has grown.
    followers: Mutex<BTreeMap<SubscriptionId, (Pattern, Arc<Subscription>)>>,
    /// Whether what is on disk is here.
    is_ready: AtomicBool,
    /// What log time it was at a moment.
    began: Mutex<(LogTime, Moment)>,
    /// Why nothing is written for now. Logs are read meanwhile.
    closed: RwLock<Option<String>>,
    /// How many snapshots were begun.
    copies: AtomicU64,
    /// What was on its way to disk when that failed.
    doubts: Mutex<Vec<Doubt>>,
    pub(crate) archivist: OnceLock<Address<Order>>,
}

impl Archive {
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        let rules = config.durable()?;
        let logs = rules.iter().map(|(pattern, retention)| {
            let log = Log::new(*retention);
            (pattern.clone(), Arc::new(RwLock::new(log)))
        });
        Ok(Self {
            logs: RwLock::new(logs.collect()),
            rules,
            bookmarks: Mutex::default(),
            moved: Mutex::default(),
            followers: Mutex::default(),
            is_ready: AtomicBool::new(false),
            began: Mutex::new((LogTime::default(), Moment::now())),
            closed: RwLock::default(),
            copies: AtomicU64::new(0),
            doubts: Mutex::default(),
            archivist: OnceLock::new(),
        })
    }

    // ---- which log ----

    pub(crate) fn rules(&self) -> &[(Pattern, Retention)] {
        &self.rules
    }

    /// The log of a topic, where it is durable.
    pub(crate) fn log_of(&self, topic: &Topic) -> Option<&Pattern> {
        let rule = self.rules.iter().find(|(pattern, _)| pattern.matches(topic));
        rule.map(|(pattern, _)| pattern)
    }

    /// The log that has all that a pattern stands for.
    pub(crate) fn log_over(&self, wanted: &Pattern) -> Option<&Pattern> {
        let rule = self.rules.iter().find(|(pattern, _)| pattern.meets(wanted));
        rule.map(|(pattern, _)| pattern)
            .filter(|pattern| pattern.covers(wanted))
    }

    pub(crate) fn log(&self, pattern: &Pattern) -> Option<SharedLog> {
        unpoisoned(self.logs.read()).get(pattern).cloned()
    }

    /// Those that the configuration names as it looks through them, and then those that it names no more.
    pub(crate) fn logs(&self) -> Vec<(Pattern, SharedLog)> {
        let logs = unpoisoned(self.logs.read());
        let mut logs: Vec<_> = logs
            .iter()
            .map(|(pattern, log)| (pattern.clone(), Arc::clone(log)))
            .collect();
        logs.sort_by_key(|(pattern, _)| self.rank(pattern).unwrap_or(usize::MAX));
        logs
    }

    /// Whether the configuration has that log.
    pub(crate) fn is_named(&self, log: &Pattern) -> bool {
        self.rank(log).is_some()
    }

    fn rank(&self, log: &Pattern) -> Option<usize> {
        self.rules.iter().position(|(pattern, _)| pattern == log)
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Acquire)
    }

    pub(crate) fn now(&self) -> LogTime {
        let (began, moment) = *lock(&self.began);
        let since = Moment::now().since(moment).as_millis();
        LogTime(began.0.saturating_add(u64::try_from(since).unwrap_or(u64::MAX)))
    }

    /// Lets go what is too old.
    pub(crate) fn trim(&self) {
        let now = self.now();
        for (_, log) in self.logs() {
            unpoisoned(log.write()).trim(now);
        }
    }

    // ---- cursors ----

    /// The cursor of a name; a new one, or one of a log that is not asked for, begins at `floor`.
    pub(crate) fn bookmark(&self, key: &CursorKey, log: &Pattern, floor: u64) -> Arc<Mutex<Cursor>> {
        let mut bookmarks = lock(&self.bookmarks);
        if let Some(bookmark) = bookmarks.get(key).filter(|bookmark| bookmark.log == *log) {
            return Arc::clone(&bookmark.cursor);
        }
        let cursor = Arc::new(Mutex::new(Cursor::at(floor)));
        let bookmark = Bookmark {
            log: log.clone(),
            cursor: Arc::clone(&cursor),
        };
        bookmarks.insert(key.clone(), bookmark);
        drop(bookmarks);
        self.has_moved(key);
        cursor
    }

    /// Where a name has its place, as long as the configuration has that log.
    pub(crate) fn log_of_name(&self, key: &CursorKey) -> Option<Pattern> {
        let log = lock(&self.bookmarks).get(key)?.log.clone();
        self.is_named(&log).then_some(log)
    }

    /// Whether there is room for another name.
    pub(crate) fn has_room_for(&self, key: &CursorKey) -> bool {
        let bookmarks = lock(&self.bookmarks);
        bookmarks.len() < NAMES_MAX || bookmarks.contains_key(key)
    }

    pub(crate) fn bookmarks(&self) -> Vec<(CursorKey, Bookmark)> {
        let bookmarks = lock(&self.bookmarks);
        bookmarks.iter().map(|(key, one)| (key.clone(), one.clone())).collect()
    }

    /// The names under which somebody has subscribed.
    pub(crate) fn attended(&self) -> BTreeSet<CursorKey> {
        let followers = lock(&self.followers);
        let key = |one: &Arc<Subscription>| {
            let name = one.profile.reads.as_ref()?.name.clone()?;
            Some((Arc::clone(&one.profile.subscriber), name))
        };
        followers.values().filter_map(|(_, one)| key(one)).collect()
    }

    /// Takes out a name that nobody attends to. Whoever comes later begins anew.
    pub(crate) fn forget(&self, key: &CursorKey) -> Result<Option<Bookmark>, ForgetError> {
        let mut bookmarks = lock(&self.bookmarks);
        if self.attended().contains(key) {
            let (subscriber, name) = key.clone();
            return Err(ForgetError::Attended { subscriber, name });
        }
        // Together, or whoever begins anew in between has not moved.
        lock(&self.moved).remove(key);
        Ok(bookmarks.remove(key))
    }

    /// Puts back a name that could not be forgotten, where nobody has begun anew meanwhile.
    pub(crate) fn remember(&self, key: &CursorKey, bookmark: Bookmark) {
        lock(&self.bookmarks).entry(key.clone()).or_insert(bookmark);
        self.has_moved(key);
    }

    /// A cursor is to be written down.
    pub(crate) fn has_moved(&self, key: &CursorKey) {
        let mut moved = lock(&self.moved);
        let is_first = moved.is_empty();
        moved.insert(key.clone());
        drop(moved);
        if is_first {
            self.ring();
        }
    }

    /// Tells the archivist that something has moved.
    pub(crate) fn ring(&self) {
        if let Some(archivist) = self.archivist.get() {
            // Where its mailbox is full it is busy, and looks before it rests.
            let _rung = archivist.try_send(Order::Moved);
        }
    }

    /// A cursor could not be written down; it is tried again at the archivist's next beat.
    pub(crate) fn still_moved(&self, key: CursorKey) {
        lock(&self.moved).insert(key);
    }

    /// Whether any cursor has moved since they were last taken.
    pub(crate) fn has_unwritten(&self) -> bool {
        !lock(&self.moved).is_empty()
    }

    /// The cursors that have moved, as they are now.
    pub(crate) fn take_moved(&self) -> Vec<(CursorKey, Bookmark)> {
        let moved = std::mem::take(&mut *lock(&self.moved));
        let bookmarks = lock(&self.bookmarks);
        let found = moved.into_iter().filter_map(|key| {
            let bookmark = bookmarks.get(&key)?.clone();
            Some((key, bookmark))
        });
        found.collect()
    }

    // ---- who follows ----

    pub(crate) fn follow(&self, log: &Pattern, one: &Arc<Subscription>) {
        lock(&self.followers).insert(one.profile.id, (log.clone(), Arc::clone(one)));
    }

    pub(crate) fn unfollow(&self, id: SubscriptionId) {
        lock(&self.followers).remove(&id);
    }

    pub(crate) fn followers(&self, log: &Pattern) -> Vec<Arc<Subscription>> {
        let followers = lock(&self.followers);
        let of_log = followers.values().filter(|(of, _)| of == log);
        of_log.map(|(_, one)| Arc::clone(one)).collect()
    }

    /// How many of all logs are such.
    pub(crate) fn count_followers(&self, is_such: impl Fn(&Subscription) -> bool) -> usize {
        let followers = lock(&self.followers);
        followers.values().filter(|(_, one)| is_such(one)).count()
    }

    /// Those of all logs.
    pub(crate) fn all_followers(&self) -> Vec<Arc<Subscription>> {
        lock(&self.followers).values().map(|(_, one)| Arc::clone(one)).collect()
    }

    // ---- from disk, and to it ----

    /// Whoever writes, where something is written for now. Else that is told at once, whatever it is busy with.
    pub(crate) async fn writer(&self) -> Result<&Address<Order>, ArchiveError> {
        let archivist = self.archivist.get().ok_or(ArchiveError::NoDisk)?;
        if let Err(closed) = self.open() {
            // Who tries again and again lets others run.
            tokio::task::yield_now().await;
            return Err(closed);
        }
        Ok(archivist)
    }

    /// Whether something is written for now; why not, where nothing is.
    pub(crate) fn open(&self) -> Result<(), ArchiveError> {
        let closed = self.closed().map(|why| ArchiveError::Closed { why });
        closed.map_or(Ok(()), Err)
    }

    pub(super) fn closed(&self) -> Option<String> {
        unpoisoned(self.closed.read()).clone()
    }

    pub(super) fn close(&self, why: String) {
        *unpoisoned(self.closed.write()) = Some(why);
    }

    /// The number of the next snapshot.
    pub(super) fn next_copy(&self) -> u64 {
        self.copies.fetch_add(1, Ordering::Relaxed)
    }

    /// Nobody knows of these whether they are there.
    pub(super) fn doubt(&self, doubts: Vec<Doubt>) {
        lock(&self.doubts).extend(doubts);
    }

    pub(super) fn take_doubts(&self) -> Vec<Doubt> {
        std::mem::take(&mut *lock(&self.doubts))
    }

    /// Takes up what is on disk. Cursors that are here have come further.
    pub(crate) fn install(&self, replay: Replay) {
        let newest = replay.logs.iter().map(|(_, log)| log.last_time()).max();
        // Where it has gone on meanwhile, it does not go back to what is on disk.
        if let Some(newest) = newest.filter(|newest| self.now() < *newest) {
            *lock(&self.began) = (newest, Moment::now());
        }
        let mut logs = unpoisoned(self.logs.write());
        for (pattern, log) in replay.logs {
            let shared = logs
                .entry(pattern)
                .or_insert_with(|| Arc::new(RwLock::new(Log::new(UNLISTED))));
            *unpoisoned(shared.write()) = log;
        }
        drop(logs);
        self.trim();
        let mut bookmarks = lock(&self.bookmarks);
        for (key, (log, cursor)) in replay.bookmarks {
            bookmarks.entry(key).or_insert_with(|| Bookmark {
                log,
                cursor: Arc::new(Mutex::new(cursor)),
            });
        }
        let all: Vec<_> = bookmarks.keys().cloned().collect();
        drop(bookmarks);
        self.is_ready.store(true, Ordering::Release);
        *unpoisoned(self.closed.write()) = None;
        for key in &all {
            self.has_moved(key);
        }
    }

    /// All that is here, as a snapshot says it.
    pub(crate) fn records(&self) -> Result<Vec<Arc<[u8]>>, postcard::Error> {
        let mut records: Vec<Arc<[u8]>> = Vec::new();
        for (pattern, log) in self.logs() {
            let log = unpoisoned(log.read());
            let begins = Record::Begins {
                log: pattern.as_str(),
                next: log.first(),
            };
            records.push(begins.encode()?.into());
            records.extend(log.from(0).map(|(_, entry)| Arc::clone(&entry.record)));
        }
        for (key, bookmark) in self.bookmarks() {
            records.push(moved(&key, &bookmark)?.into());
        }
        Ok(records)
    }

    /// Bytes of all logs.
    pub(crate) fn bytes(&self) -> u64 {
        self.logs().iter().map(|(_, log)| unpoisoned(log.read()).bytes()).sum()
    }
}

/// A cursor as it is written down.
pub(crate) fn moved((subscriber, name): &CursorKey, bookmark: &Bookmark) -> Result<Vec<u8>, postcard::Error> {
    let cursor = lock(&bookmark.cursor).clone();
    let record = Record::Moved {
        subscriber,
        name,
        log: bookmark.log.as_str(),
        floor: cursor.floor(),
        above: cursor.above(),
    };
    record.encode()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::super::log::Entry;
    use super::*;
    use crate::config::DurableConfig;

    fn archive() -> Archive {
        let durable = |topics: &str| DurableConfig {
            topics: topics.to_owned(),
            ..DurableConfig::default()
        };
        let config = Config {
            durable: vec![durable("a.b"), durable("a.*")],
            ..Config::default()
        };
        Archive::new(&config).unwrap()
    }

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text).unwrap()
    }

    fn entry(time: u64) -> Entry {
        Entry {
            time: LogTime(time),
            topic: Topic::new("a.b").unwrap(),
            published: crate::envelope::Timestamp(0),
            record: Arc::from([1]),
            envelope_at: 0,
        }
    }

    #[test]
    fn of_two_logs_the_first_has_its_topics_and_only_one_that_has_all_is_read() {
        let archive = archive();
        let log = |topic: &str| archive.log_of(&Topic::new(topic).unwrap()).map(Pattern::as_str);
        assert_eq!((log("a.b"), log("a.c"), log("b")), (Some("a.b"), Some("a.*"), None));
        let over = |text: &str| archive.log_over(&pattern(text)).map(Pattern::as_str);
        assert_eq!(
            (over("a.b"), over("a.c"), over("a.*"), over("**")),
            (Some("a.b"), Some("a.*"), None, None)
        );
    }

    #[test]
    fn the_time_of_logs_and_their_offsets_go_on_in_the_next_life() {
        let archive = archive();
        let mut replay = Replay::default();
        let log = replay.log("a.b", archive.rules()).unwrap();
        log.begin_at(7);
        log.push(7, entry(9_000_000));
        archive.install(replay);
        assert!(archive.now() >= LogTime(9_000_000));
        // All of it makes room, and no offset is given again.
        let shared = archive.log(&pattern("a.b")).unwrap();
        unpoisoned(shared.write()).begin_at(20);
        let mut again = Replay::default();
        for record in archive.records().unwrap() {
            again.take(&record, archive.rules()).unwrap();
        }
        assert_eq!(again.log("a.b", archive.rules()).unwrap().next(), 20);
    }

    #[test]
    fn a_name_begins_anew_in_another_log_and_has_come_further_than_the_disk() {
        let archive = archive();
        let key: CursorKey = ("team/a".into(), "n".into());
        let cursor = archive.bookmark(&key, &pattern("a.b"), 3);
        let mut replay = Replay::default();
        replay.bookmarks.insert(key.clone(), (pattern("a.b"), Cursor::at(1)));
        archive.install(replay);
        assert!(Arc::ptr_eq(&cursor, &archive.bookmark(&key, &pattern("a.b"), 0)));
        assert_eq!(lock(&archive.bookmark(&key, &pattern("a.*"), 9)).floor(), 9);
        assert_eq!(archive.log_of_name(&key), Some(pattern("a.*")));
        archive.bookmark(&key, &pattern("gone"), 0);
        assert_eq!(archive.log_of_name(&key), None);
        assert_eq!((archive.take_moved().len(), archive.take_moved().len()), (1, 0));
        assert!(archive.forget(&key).unwrap().is_some() && archive.take_moved().is_empty());
    }

    #[test]
    fn a_name_that_could_not_be_forgotten_goes_on_where_it_was_unless_somebody_has_begun_anew() {
        let archive = archive();
        let key: CursorKey = ("team/a".into(), "n".into());
        archive.bookmark(&key, &pattern("a.b"), 3);
        let taken = archive.forget(&key).unwrap().unwrap();
        assert!(archive.bookmarks().is_empty() && archive.take_moved().is_empty());
        archive.remember(&key, taken);
        assert_eq!(archive.take_moved().len(), 1, "and it is written down again");
        assert_eq!(lock(&archive.bookmark(&key, &pattern("a.b"), 0)).floor(), 3);
        let taken = archive.forget(&key).unwrap().unwrap();
        archive.bookmark(&key, &pattern("a.b"), 9);
        archive.remember(&key, taken);
        assert_eq!(lock(&archive.bookmark(&key, &pattern("a.b"), 0)).floor(), 9);
    }

    #[test]
    fn the_bytes_of_all_logs_are_counted_together() {
        let archive = archive();
        let mut replay = Replay::default();
        for (log, count) in [("a.b", 2), ("a.*", 3)] {
            let log = replay.log(log, archive.rules()).unwrap();
            assert!((0..count).all(|offset| log.push(offset, entry(1))));
        }
        assert_eq!(archive.bytes(), 0);
        archive.install(replay);
        assert_eq!(archive.bytes(), 5, "a byte for each");
    }

    #[test]
    fn one_that_begins_anew_while_its_name_is_forgotten_is_written_down() {
        let (archive, key) = (archive(), ("team/a".into(), "n".into()));
        for _ in 0..5_000 {
            archive.bookmark(&key, &pattern("a.b"), 0);
            let together = Barrier::new(2);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    together.wait();
                    archive.bookmark(&key, &pattern("a.b"), 1);
                });
                together.wait();
                assert!(archive.forget(&key).unwrap().is_some());
            });
            let is_there = !archive.bookmarks().is_empty();
            assert_eq!(is_there, !archive.take_moved().is_empty());
        }
    }
}

#[cfg(test)]
#[path = "archive_time_test.rs"]
mod time_tests;
