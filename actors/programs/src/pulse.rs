//! How each program is: what its agent shows of its signs of life and of its answers, for whoever asks.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use triarch_supervision::clock::Moment;
use triarch_supervision::sync::lock;

use crate::baseline::Baseline;
use crate::heartbeat::Limits;

/// How a program is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It has not given a sign of life yet.
    #[default]
    Unknown,
    /// It does as it should, as far as one can see.
    Healthy,
    /// It has said nothing for a while, or is slow.
    Degraded,
    /// It has said nothing for long.
    Critical,
    /// It has said nothing for so long that it is killed.
    Failed,
}

impl Health {
    /// All there are, from what is not known to the worst.
    pub const ALL: [Self; 5] = [
        Self::Unknown,
        Self::Healthy,
        Self::Degraded,
        Self::Critical,
        Self::Failed,
    ];

    /// The word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Critical => "critical",
            Self::Failed => "failed",
        }
    }
}

/// How a program is, with the figures that say so.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Vitals {
    /// How it is.
    pub health: Health,
    /// Why, where it is not healthy.
    pub reason: Option<String>,
    /// How long ago it last said something; unknown where it declares no heartbeat, or has said nothing yet.
    pub last_sign: Option<Duration>,
    /// How long ago it last answered a post, in whichever life.
    pub last_answer: Option<Duration>,
    /// How many posts it has answered, in all its lives in this runtime.
    pub answers: u64,
    /// How long it takes to answer at present.
    pub answers_in: Option<Duration>,
    /// How long it usually takes.
    pub usually_in: Option<Duration>,
    /// The share of failures among its last answers.
    pub failures: Option<f64>,
    /// How long after its last fall it had handled a post.
    pub recovered_in: Option<Duration>,
}

/// Where an agent shows how its program is, through all its lives.
#[derive(Debug, Default)]
pub(crate) struct Pulse(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The life that is there now, which has no process between two runs.
    life: Option<Life>,
    baseline: Baseline,
    last_answer: Option<Moment>,
    /// Its last fall, where it has handled nothing since.
    fall: Option<Fall>,
    recovered: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Fall {
    /// Of which life.
    incarnation: u64,
    at: Moment,
    /// How much of the time since the first of its falls in a row counts: that in which it was down, or had a post.
    before: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Life {
    incarnation: u64,
    limits: Option<Limits>,
    begun: Moment,
    health: Health,
    silence: Duration,
    last_sign: Option<Moment>,
}

/// One life of an agent, as it is shown until this is dropped.
#[derive(Debug)]
pub(crate) struct Beating {
    pulse: Arc<Pulse>,
    incarnation: u64,
    begun: Moment,
}

impl Pulse {
    /// A life begins; with limits where its program declares a heartbeat.
    pub(crate) fn begin(self: Arc<Self>, incarnation: u64, limits: Option<Limits>, now: Moment) -> Beating {
        let health = if limits.is_some() {
            Health::Unknown
        } else {
            Health::Healthy
        };
        self.state().life = Some(Life {
            incarnation,
            limits,
            begun: now,
            health,
            silence: Duration::ZERO,
            last_sign: None,
        });
        Beating {
            pulse: self,
            incarnation,
            begun: now,
        }
    }

    /// How it is now, while it lives.
    pub(crate) fn vitals(&self, now: Moment) -> Option<Vitals> {
        let state = self.state();
        let life = state.life?;
        Some(Vitals {
            health: state.health(&life),
            reason: state.reason(&life, now),
            last_sign: life.last_sign.map(|at| now.since(at)),
            last_answer: state.last_answer.map(|at| now.since(at)),
            answers: state.baseline.answers(),
            answers_in: state.baseline.recent(),
            usually_in: state.baseline.usual(),
            failures: state.baseline.failures(),
            recovered_in: state.recovered,
        })
    }

    /// How it is while it lives, and how long its program said nothing where it declares a heartbeat.
    pub(crate) fn figures(&self, now: Moment) -> Option<(Health, Option<Duration>)> {
        let state = self.state();
        let life = state.life?;
        Some((state.health(&life), life.last_sign.map(|at| now.since(at))))
    }

    /// What a holder that panicked left is whole: each change is one assignment.
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

impl State {
    fn health(&self, life: &Life) -> Health {
        match life.health {
            Health::Healthy if self.baseline.is_slow() => Health::Degraded,
            health => health,
        }
    }

    fn reason(&self, life: &Life, now: Moment) -> Option<String> {
        match (life.health, life.limits) {
            (Health::Unknown, _) => {
                let age = time(now.since(life.begun));
                Some(format!("no sign of life yet, {age} after it began"))
            }
            (Health::Healthy, _) => self.slowness(),
            (health, Some(limits)) => Some(silent(health, life.silence, &limits)),
            (_, None) => None,
        }
    }

    fn slowness(&self) -> Option<String> {
        let (recent, usual) = (self.baseline.recent()?, self.baseline.usual()?);
        let is_slow = self.baseline.is_slow();
        is_slow.then(|| format!("slow: answers in {}, usually {}", time(recent), time(usual)))
    }
}

/// What a silence means, and what comes next.
fn silent(health: Health, silence: Duration, limits: &Limits) -> String {
    let said = format!("no sign of life for {}", time(silence));
    let (critical, failed) = (time(limits.critical), time(limits.failed));
    match health {
        Health::Degraded => format!("{said}; critical after {critical}, killed after {failed}"),
        Health::Critical => format!("{said}; killed after {failed}"),
        _ => said,
    }
}

impl Beating {
    fn change<T>(&self, change: impl FnOnce(&mut Life) -> T) -> Option<T> {
        let mut state = self.pulse.state();
        let life = state.life.as_mut();
        life.filter(|life| life.incarnation == self.incarnation).map(change)
    }

    /// It said something.
    pub(crate) fn sign(&self, now: Moment) {
        self.change(|life| (life.last_sign, life.silence) = (Some(now), Duration::ZERO));
    }

    /// It is so, after so long without a word.
    pub(crate) fn show(&self, health: Health, silence: Duration) {
        self.change(|life| (life.health, life.silence) = (health, silence));
    }

    /// It has said nothing for so long.
    pub(crate) fn silent_for(&self, silence: Duration) {
        self.change(|life| life.silence = silence);
    }

    /// It answered a post that was with it for so long. Returns how long after its fall that was, where it is the first one
    /// since. Time in which nobody asked it for anything does not count.
    pub(crate) fn answered(&self, took: Duration, is_failure: bool) -> Option<Duration> {
        self.answered_last(took, is_failure);
        let mut state = self.pulse.state();
        let fall = state.fall.take()?;
        state.recovered = Some(self.down_since(fall) + took);
        state.recovered
    }

    /// How much counts from a fall on until this life began.
    fn down_since(&self, fall: Fall) -> Duration {
        fall.before + self.begun.since(fall.at)
    }

    /// As [`Beating::answered`], by one that is being ended because it failed: that is no sign that it is well again.
    pub(crate) fn answered_last(&self, took: Duration, is_failure: bool) {
        let mut state = self.pulse.state();
        state.last_answer = Some(Moment::now());
        state.baseline.answered(took, is_failure);
    }

    /// Its program has ended, or is about to be ended: because it failed, or in order. For as long as `asked` it has had the
    /// oldest of the posts that it leaves.
    pub(crate) fn ends(&self, is_failure: bool, asked: Duration, now: Moment) {
        let mut state = self.pulse.state();
        state.fall = match state.fall {
            _ if !is_failure => None,
            Some(fall) if fall.incarnation == self.incarnation => Some(fall),
            before => Some(Fall {
                incarnation: self.incarnation,
                at: now,
                before: before.map_or(Duration::ZERO, |fall| self.down_since(fall) + asked),
            }),
        };
    }
}

impl Drop for Beating {
    fn drop(&mut self) {
        let mut state = self.pulse.state();
        state.life.take_if(|life| life.incarnation == self.incarnation);
    }
}

/// A length of time for people.
pub(crate) fn time(time: Duration) -> String {
    let millis = time.as_millis();
    match (millis / 1_000, millis % 1_000) {
        (0, rest) => format!("{rest} ms"),
        (seconds, 0..100) => format!("{seconds} s"),
        (seconds, rest) if seconds < 60 => format!("{seconds}.{} s", rest / 100),
        (seconds, _) => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::HeartbeatSettings;

    const START: Moment = Moment::from_nanos(1_000_000_000);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn begun(pulse: &Arc<Pulse>, incarnation: u64, at: Moment) -> Beating {
        let limits = HeartbeatSettings::default().limits();
        Arc::clone(pulse).begin(incarnation, Some(limits), at)
    }

    #[test]
    fn what_is_shown_says_why_with_figures() {
        let pulse = Arc::new(Pulse::default());
        let beating = begun(&pulse, 1, START);
        let reason = |now| pulse.vitals(now).unwrap().reason.unwrap_or_default();
        assert_eq!(reason(START + seconds(33)), "no sign of life yet, 33 s after it began");
        beating.show(Health::Healthy, Duration::ZERO);
        assert_eq!(reason(START), "");
        beating.show(Health::Degraded, Duration::from_millis(2_450));
        assert_eq!(
            reason(START),
            "no sign of life for 2.4 s; critical after 5 s, killed after 10 s"
        );
        beating.show(Health::Critical, seconds(6));
        assert_eq!(reason(START), "no sign of life for 6 s; killed after 10 s");
        drop(beating);
        assert_eq!(pulse.vitals(START), None);
    }

    #[test]
    fn a_slow_one_is_degraded_and_keeps_what_is_usual_from_life_to_life() {
        let pulse = Arc::new(Pulse::default());
        let first = Arc::clone(&pulse).begin(1, None, START);
        (0..200).for_each(|_| _ = first.answered(Duration::from_millis(120), false));
        let second = Arc::clone(&pulse).begin(2, None, START);
        drop(first);
        (0..40).for_each(|_| _ = second.answered(Duration::from_millis(900), false));
        let vitals = pulse.vitals(START).unwrap();
        assert_eq!(vitals.health, Health::Degraded);
        let reason = vitals.reason.unwrap();
        assert!(reason.starts_with("slow: answers in 8"), "{reason}");
        assert!(reason.contains(" ms, usually "), "{reason}");
    }

    #[test]
    fn it_has_recovered_once_it_has_answered_and_idle_time_does_not_count() {
        let pulse = Arc::new(Pulse::default());
        let first = begun(&pulse, 1, START);
        assert_eq!(first.answered(seconds(1), false), None);
        first.ends(true, Duration::ZERO, START + seconds(10));
        first.ends(true, Duration::ZERO, START + seconds(11));
        drop(first);
        let second = begun(&pulse, 2, START + seconds(12));
        assert_eq!(second.answered(seconds(3), false), Some(seconds(5)));
        assert_eq!(second.answered(seconds(3), false), None);
        assert_eq!(pulse.vitals(START).unwrap().recovered_in, Some(seconds(5)));
        second.ends(true, Duration::ZERO, START);
        second.ends(false, Duration::ZERO, START);
        let third = begun(&pulse, 3, START);
        assert_eq!(third.answered(seconds(3), false), None, "it was stopped in order since");
    }

    #[test]
    fn an_answer_of_one_that_is_being_ended_for_a_failure_is_no_recovery() {
        let pulse = Arc::new(Pulse::default());
        let first = begun(&pulse, 1, START);
        first.ends(true, Duration::ZERO, START + seconds(10));
        drop(first);
        let second = begun(&pulse, 2, START + seconds(12));
        second.answered_last(seconds(1), false);
        second.ends(true, seconds(1), START + seconds(13));
        let vitals = pulse.vitals(START).unwrap();
        assert_eq!((vitals.answers, vitals.recovered_in), (1, None));
        drop(second);
        let third = begun(&pulse, 3, START + seconds(14));
        assert_eq!(
            third.answered(seconds(1), false),
            Some(seconds(5)),
            "from its first fall on"
        );
    }

    #[test]
    fn between_two_falls_only_the_time_counts_in_which_it_was_down_or_had_a_post() {
        let pulse = Arc::new(Pulse::default());
        begun(&pulse, 1, START).ends(true, Duration::ZERO, START + seconds(10));
        // Nobody asks it anything for an hour; then it has a post for 4 s, and falls with it.
        begun(&pulse, 2, START + seconds(12)).ends(true, seconds(4), START + seconds(3_612));
        let third = begun(&pulse, 3, START + seconds(3_615));
        let expected = seconds(2 + 4 + 3 + 1);
        assert_eq!(third.answered(seconds(1), false), Some(expected));
        assert_eq!(pulse.vitals(START).unwrap().recovered_in, Some(expected));
    }

    #[test]
    fn times_are_told_as_people_say_them() {
        let told = [840, 1_000, 2_450, 61_900].map(|millis| time(Duration::from_millis(millis)));
        assert_eq!(told, ["840 ms", "1 s", "2.4 s", "61 s"]);
    }
}
