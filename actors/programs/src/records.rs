//! How the lives of programs ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use triarch_supervision::clock::Moment;
use triarch_supervision::sync::lock;
use triarch_teams::receipt::Failures;

use crate::logs::wall_clock;
use crate::pulse::{Health, Pulse, Vitals};
use crate::settings::Mode;
use crate::sys::Exit;

/// So many ends are kept of each agent.
pub(crate) const KEPT: usize = 20;

/// So many of its last lines are kept with each end.
pub(crate) const LINES_KEPT: usize = 50;

/// The end of one process of an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// Which life of the agent.
    pub incarnation: u64,
    /// Whether it was all of that life, or one run in it.
    #[serde(default)]
    pub mode: Mode,
    /// The id that the process had.
    pub pid: i32,
    /// When it began.
    #[serde(with = "crate::rfc3339")]
    pub started: SystemTime,
    /// When it was seen to have ended.
    #[serde(with = "crate::rfc3339")]
    pub ended: SystemTime,
    /// Why it ended.
    pub reason: EndReason,
    /// With which code, where it ended by itself.
    pub code: Option<i32>,
    /// By which signal.
    pub signal: Option<i32>,
    /// What is known of why besides, such as that it used up a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What it used; unknown where nobody could say.
    pub usage: Option<Usage>,
    /// How many posts were with it.
    pub posts: usize,
    /// How many processes of it were found when it was stopped; unknown where nobody looked, since its agent was killed.
    pub processes: Option<usize>,
    /// How many of them are still there; unknown likewise.
    pub survivors: Option<usize>,
    /// The last lines of its standard error and its log, oldest first.
    pub lines: Vec<String>,
}

/// Why a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// By itself, with code 0.
    Ended,
    /// By itself, with another code.
    Code,
    /// By a signal that nobody here sent.
    Signal,
    /// It was asked to, or made to.
    Stopped,
    /// Its agent was killed.
    Killed,
    /// Its time was over.
    Wall,
    /// It gave no sign of life.
    Silent,
    /// Nobody knows.
    Unknown,
}

impl EndReason {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::Ended,
        Self::Code,
        Self::Signal,
        Self::Stopped,
        Self::Killed,
        Self::Wall,
        Self::Silent,
        Self::Unknown,
    ];

    /// The closed word for it, as it stands in JSON and in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Code => "code",
            Self::Signal => "signal",
            Self::Stopped => "stopped",
            Self::Killed => "killed",
            Self::Wall => "wall",
            Self::Silent => "silent",
            Self::Unknown => "unknown",
        }
    }
}

/// What a process used, with the children it waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Time of the processor in the program.
    pub user: Duration,
    /// Time of the processor in the kernel on its behalf.
    pub system: Duration,
    /// The most memory it had.
    pub memory_bytes_max: u64,
}

impl Usage {
    /// As the kernel tells it at an end; nobody could say where it is gone without one.
    pub(crate) fn of(exit: Exit) -> Option<Self> {
        let is_known = exit.code.is_some() || exit.signal.is_some();
        is_known.then_some(Self {
            user: exit.cpu_user,
            system: exit.cpu_system,
            memory_bytes_max: exit.max_rss,
        })
    }
}

/// The process of an agent that runs now, as it is without asking the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Running {
    /// Which life of the agent.
    pub incarnation: u64,
    /// The id of the process.
    pub pid: i32,
    /// When it began.
    #[serde(serialize_with = "crate::rfc3339::serialize")]
    pub since: SystemTime,
    /// What the program last said of itself.
    pub state: Option<String>,
    /// How many posts wait for their lines to be written.
    pub posts_waiting: usize,
    /// How many posts were delivered and not answered.
    pub posts_unanswered: usize,
    /// Which of them it has had for longest.
    #[serde(skip)]
    pub oldest: Option<InHand>,
}

/// A post that a program has, and has not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InHand {
    /// What it asks for.
    pub kind: Arc<str>,
    /// Since when the program has had it.
    pub since: Moment,
}

/// Where an agent shows what its process does.
#[derive(Debug)]
pub(crate) struct Present(Mutex<Running>);

impl Present {
    /// How many posts wait and how many it has, the one among them that it has had for longest, and what it says of itself.
    pub(crate) fn show(&self, waiting: usize, unanswered: usize, oldest: Option<InHand>, state: Option<&str>) {
        let mut running = lock(&self.0);
        running.posts_waiting = waiting;
        running.posts_unanswered = unanswered;
        running.oldest = oldest;
        if running.state.as_deref() != state {
            running.state = state.map(str::to_owned);
        }
    }
}

/// What is known of the processes of each agent: the one that runs, and the last that ended. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Records(Arc<Mutex<BTreeMap<Arc<str>, OfAgent>>>, Arc<Mutex<Forced>>);

/// So many stops that took force are told one by one; of more it is told how many there were.
const FORCED_MAX: usize = 100;

/// Stops that took force since somebody asked for them last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forced {
    /// Whose program it was, and how it went, in words.
    pub told: Vec<(Arc<str>, String)>,
    /// How many there were besides.
    pub untold: u64,
}

#[derive(Debug, Default)]
struct OfAgent {
    running: Option<(u64, Arc<Present>)>,
    pulse: Arc<Pulse>,
    failures: Failures,
    ended: VecDeque<ExitRecord>,
}

impl Records {
    /// The last ends of the agent at `path`, oldest first.
    pub fn of(&self, path: &str) -> Vec<ExitRecord> {
        let records = lock(&self.0);
        records
            .get(path)
            .map_or_else(Vec::new, |of_agent| of_agent.ended.iter().cloned().collect())
    }

    /// What runs for the agent at `path` now.
    pub fn running(&self, path: &str) -> Option<Running> {
        let records = lock(&self.0);
        let (_, present) = records.get(path)?.running.as_ref()?;
        let running = lock(&present.0);
        Some(running.clone())
    }

    /// How many posts came to nothing that the agent at `path` had, in all its lives since it came to its place.
    pub fn failures(&self, path: &str) -> u64 {
        let records = lock(&self.0);
        records.get(path).map_or(0, |of_agent| of_agent.failures.count())
    }

    /// How the program of the agent at `path` is, while the agent lives.
    pub fn vitals(&self, path: &str) -> Option<Vitals> {
        let pulse = Arc::clone(&lock(&self.0).get(path)?.pulse);
        pulse.vitals(Moment::now())
    }

    /// The agents whose programs are critical or worse, by path, with how they are.
    pub fn critical(&self) -> Vec<(Arc<str>, Vitals)> {
        let now = Moment::now();
        let pulses: Vec<_> = lock(&self.0)
            .iter()
            .map(|(path, of_agent)| (Arc::clone(path), Arc::clone(&of_agent.pulse)))
            .collect();
        let unwell = pulses
            .into_iter()
            .filter_map(|(path, pulse)| Some((path, pulse.vitals(now)?)));
        unwell
            .filter(|(_, vitals)| matches!(vitals.health, Health::Critical | Health::Failed))
            .collect()
    }

    /// Where the agent at `path` shows how its program is.
    pub(crate) fn pulse(&self, path: &Arc<str>) -> Arc<Pulse> {
        Arc::clone(&lock(&self.0).entry(Arc::clone(path)).or_default().pulse)
    }

    /// Those posts are counted there from now on.
    pub(crate) fn count_failures_at(&self, path: &Arc<str>, failures: &Failures) {
        lock(&self.0).entry(Arc::clone(path)).or_default().failures = failures.clone();
    }

    /// How many programs are in which state of health, in the order of [`Health::ALL`], and the longest silence among those
    /// that declare a heartbeat.
    pub(crate) fn census(&self) -> ([usize; Health::ALL.len()], Option<Duration>) {
        let (mut counts, mut longest, now) = ([0; Health::ALL.len()], None, Moment::now());
        let figures = |of_agent: &OfAgent| of_agent.pulse.figures(now);
        let living: Vec<_> = lock(&self.0).values().filter_map(figures).collect();
        for (health, silence) in living {
            longest = longest.max(silence);
            for (count, known) in counts.iter_mut().zip(Health::ALL) {
                *count += usize::from(known == health);
            }
        }
        (counts, longest)
    }

    pub(crate) fn begin(&self, path: &Arc<str>, incarnation: u64, pid: i32) -> Arc<Present> {
        let present = Arc::new(Present(Mutex::new(Running {
            incarnation,
            pid,
            since: wall_clock(),
            state: None,
            posts_waiting: 0,
            posts_unanswered: 0,
            oldest: None,
        })));
        let shown = Arc::clone(&present);
        lock(&self.0).entry(Arc::clone(path)).or_default().running = Some((incarnation, shown));
        present
    }

    /// Nothing runs any more in that life of the agent.
    pub(crate) fn end(&self, path: &str, incarnation: u64) {
        if let Some(of_agent) = lock(&self.0).get_mut(path) {
            of_agent.running.take_if(|(running, _)| *running == incarnation);
        }
    }

    /// Of agents that are not there any more no more than `most` are known: those that ended last.
    pub(crate) fn forget_gone(&self, most: usize, who_is_there: impl FnOnce() -> BTreeSet<String>) {
        let rests = |(path, of_agent): (&Arc<str>, &OfAgent)| of_agent.running.is_none().then(|| Arc::clone(path));
        let known: Vec<_> = lock(&self.0).iter().filter_map(rests).collect();
        if known.len() <= most {
            return;
        }
        // Whoever begins meanwhile is not among those that were known before.
        let there = who_is_there();
        let mut records = lock(&self.0);
        let gone = known.into_iter().filter(|path| !there.contains(&**path));
        let mut gone: Vec<_> = gone
            .filter_map(|path| Some((records.get(&path)?, path)))
            .filter(|(of_agent, _)| of_agent.running.is_none())
            .map(|(of_agent, path)| (of_agent.ended.back().map(|last| last.ended), path))
            .collect();
        gone.sort_unstable();
        gone.truncate(gone.len().saturating_sub(most));
        for (_, path) in gone {
            records.remove(&path);
        }
    }

    /// The stops that took force since this was asked last.
    pub fn take_forced(&self) -> Forced {
        std::mem::take(&mut *lock(&self.1))
    }

    pub(crate) fn add_forced(&self, path: &Arc<str>, how: &str) {
        let mut forced = lock(&self.1);
        if forced.told.len() < FORCED_MAX {
            forced.told.push((Arc::clone(path), how.to_owned()));
        } else {
            forced.untold += 1;
        }
    }

    pub(crate) fn add(&self, path: &Arc<str>, record: ExitRecord) {
        let mut records = lock(&self.0);
        let ended = &mut records.entry(Arc::clone(path)).or_default().ended;
        if ended.len() == KEPT {
            ended.pop_front();
        }
        ended.push_back(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::HeartbeatSettings;

    fn record(incarnation: u64) -> ExitRecord {
        ExitRecord {
            incarnation,
            mode: Mode::Lines,
            pid: 1,
            started: SystemTime::UNIX_EPOCH,
            ended: SystemTime::UNIX_EPOCH,
            reason: EndReason::Code,
            code: Some(3),
            signal: None,
            why: None,
            usage: None,
            posts: 0,
            processes: Some(1),
            survivors: Some(0),
            lines: Vec::new(),
        }
    }

    #[test]
    fn each_reason_is_written_as_its_label_says() {
        for reason in EndReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.label());
            let read: EndReason = serde_json::from_value(reason.label().into()).unwrap();
            assert_eq!(read, reason);
        }
        assert!(serde_json::from_value::<EndReason>("launch_failed".into()).is_err());
    }

    #[test]
    fn the_last_ends_of_each_agent_are_kept() {
        let records = Records::default();
        for incarnation in 0..50 {
            records.add(&Arc::from("team/a"), record(incarnation));
        }
        records.add(&Arc::from("team/b"), record(7));
        let kept: Vec<_> = records.of("team/a").iter().map(|record| record.incarnation).collect();
        assert_eq!(kept, (30..50).collect::<Vec<_>>());
        assert_eq!(records.of("team/b"), [record(7)]);
        assert!(records.of("team/c").is_empty());
    }

    #[test]
    fn of_agents_that_are_gone_the_last_are_known_and_of_those_that_are_there_all() {
        let records = Records::default();
        let path = |number: u64| Arc::from(format!("team/{number}"));
        for number in 0..50 {
            let ended = SystemTime::UNIX_EPOCH + Duration::from_secs(100 - number);
            records.add(&path(number), ExitRecord { ended, ..record(1) });
        }
        let _runs = records.begin(&path(40), 2, 7);
        let known = || (0..50).filter(|number| !records.of(&path(*number)).is_empty());
        records.forget_gone(49, || panic!("of those at rest there are few enough"));
        records.forget_gone(5, || ["team/45", "team/49"].map(str::to_owned).into());
        assert_eq!(known().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 40, 45, 49]);
        assert_eq!(records.census().0.len(), Health::ALL.len());
    }

    #[test]
    fn a_census_counts_the_living_by_their_health_and_those_that_beat_by_their_silence() {
        let (records, now) = (Records::default(), Moment::now());
        assert_eq!(records.census(), ([0; 5], None));
        let limits = HeartbeatSettings::default().limits();
        let begun = |path: &str, limits| records.pulse(&Arc::from(path)).begin(1, limits, now);
        let lives = [
            begun("team/new", Some(limits)),
            begun("team/plain", None),
            begun("team/hangs", Some(limits)),
            begun("team/gone", Some(limits)),
        ];
        lives[2].sign(now - Duration::from_secs(7));
        lives[2].show(Health::Critical, Duration::from_secs(6));
        let [_new, _plain, _hangs, gone] = lives;
        drop(gone);
        let (counts, silence) = records.census();
        assert_eq!(counts, [1, 1, 0, 1, 0]);
        assert!(silence.unwrap() >= Duration::from_secs(7), "{silence:?}");
        let critical = records.critical();
        let [(path, vitals)] = critical.as_slice() else {
            panic!("{critical:?}")
        };
        assert_eq!(
            (&**path, vitals.reason.as_deref()),
            ("team/hangs", Some("no sign of life for 6 s; killed after 10 s"))
        );
        assert!(records.vitals("team/gone").is_none() && records.vitals("team/nobody").is_none());
    }

    #[test]
    fn stops_that_took_force_are_told_once_and_counted_where_there_are_too_many() {
        let (records, path) = (Records::default(), Arc::from("team/a"));
        for _ in 0..=FORCED_MAX {
            records.add_forced(&path, "it was killed");
        }
        let forced = records.take_forced();
        assert_eq!((forced.told.len(), forced.untold), (FORCED_MAX, 1));
        assert_eq!(forced.told[0], (path, "it was killed".to_owned()));
        assert_eq!(records.take_forced(), Forced::default());
    }

    #[test]
    fn what_runs_is_shown_until_that_life_ends() {
        let (records, path) = (Records::default(), Arc::from("team/a"));
        let first = records.begin(&path, 1, 100);
        let second = records.begin(&path, 2, 200);
        let oldest = InHand {
            kind: Arc::from("review"),
            since: Moment::now(),
        };
        first.show(9, 9, None, None);
        second.show(1, 2, Some(oldest.clone()), Some("thinking"));
        records.end(&path, 1);
        let running = records.running("team/a").unwrap();
        assert_eq!((running.incarnation, running.pid), (2, 200));
        assert_eq!((running.posts_waiting, running.posts_unanswered), (1, 2));
        assert_eq!(running.oldest, Some(oldest));
        assert_eq!(running.state.as_deref(), Some("thinking"));
        records.end(&path, 2);
        assert_eq!(records.running("team/a"), None);
    }
}
