//! How long an agent usually takes to answer, and whether it takes much longer now.
//!
//! Two averages of the same times: a slow one, which is what is usual, and a quick one, which is the present. An agent is
//! slow while the present is far beyond what is usual; what lasts becomes usual, after a few hundred answers.

use std::time::Duration;

/// By how many answers the averages run.
const USUAL: f64 = 128.0;
const RECENT: f64 = 8.0;

/// Before so many answers nobody knows what is usual.
const ENOUGH: u64 = 32;

/// So many times what is usual is slow, and below so many times it is slow no more.
const SLOW: f64 = 3.0;
const SLOW_NO_MORE: f64 = 1.5;

/// So many seconds more than usual are slow at least: nobody minds 3 ms instead of 1.
const SLOW_BY: f64 = 0.05;

/// One answer counts as so many usual ones at most, so that it takes several to be slow.
const OUTLIER: f64 = 8.0;

/// What is known of an agent's answers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Baseline {
    answers: u64,
    usual: f64,
    recent: f64,
    failures: f64,
    is_slow: bool,
}

impl Baseline {
    /// One more was answered.
    pub(crate) fn answered(&mut self, took: Duration, is_failure: bool) {
        let took = took.as_secs_f64();
        self.answers += 1;
        #[expect(clippy::cast_precision_loss, reason = "it is compared with a hundred or so")]
        let answers = self.answers as f64;
        // The first ones are averaged as they are.
        let (usual, recent) = (answers.min(USUAL), answers.min(RECENT));
        let bounded = if self.answers > ENOUGH {
            took.min(self.usual.max(SLOW_BY) * OUTLIER)
        } else {
            took
        };
        self.usual += (bounded - self.usual) / usual;
        self.recent += (bounded - self.recent) / recent;
        self.failures += (f64::from(u8::from(is_failure)) - self.failures) / usual;
        let times = if self.is_slow { SLOW_NO_MORE } else { SLOW };
        self.is_slow = self.answers > ENOUGH && self.recent > (self.usual * times).max(self.usual + SLOW_BY);
    }

    /// How many there were.
    pub(crate) fn answers(&self) -> u64 {
        self.answers
    }

    /// What is usual; unknown before there were enough.
    pub(crate) fn usual(&self) -> Option<Duration> {
        (self.answers >= ENOUGH).then(|| Duration::from_secs_f64(self.usual))
    }

    /// How it is now; unknown before the first answer.
    pub(crate) fn recent(&self) -> Option<Duration> {
        (self.answers > 0).then(|| Duration::from_secs_f64(self.recent))
    }

    /// The share of failures among the last hundred or so; unknown before the first answer.
    pub(crate) fn failures(&self) -> Option<f64> {
        (self.answers > 0).then_some(self.failures)
    }

    /// Whether it is much slower than usual.
    pub(crate) fn is_slow(&self) -> bool {
        self.is_slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(baseline: &mut Baseline, count: usize, millis: u64) -> Option<usize> {
        (0..count).find(|_| {
            baseline.answered(Duration::from_millis(millis), false);
            baseline.is_slow()
        })
    }

    fn known(millis: u64) -> Baseline {
        let mut baseline = Baseline::default();
        assert_eq!(answers(&mut baseline, 200, millis), None);
        baseline
    }

    #[test]
    fn nobody_is_slow_before_it_is_known_what_is_usual() {
        let mut baseline = Baseline::default();
        assert_eq!(baseline.recent(), None);
        assert_eq!(answers(&mut baseline, 16, 1), None);
        assert_eq!(answers(&mut baseline, 16, 900), None);
        assert_eq!(baseline.answers(), 32);
    }

    #[test]
    fn one_late_answer_makes_nobody_slow_and_several_do() {
        let mut baseline = known(120);
        assert_eq!(answers(&mut baseline, 1, 60_000), None);
        assert_eq!(answers(&mut baseline, 200, 120), None);
        assert_eq!(answers(&mut baseline, 20, 840), Some(4));
        let figures = (baseline.recent().unwrap(), baseline.usual().unwrap());
        assert!(figures.0 > figures.1 * 3, "{figures:?}");
    }

    #[test]
    fn who_was_slow_is_so_until_it_is_nearly_as_quick_as_usual() {
        let mut baseline = known(120);
        answers(&mut baseline, 20, 840);
        baseline.answered(Duration::from_millis(840), false);
        for _ in 0..3 {
            baseline.answered(Duration::from_millis(300), false);
            assert!(baseline.is_slow());
        }
        answers(&mut baseline, 1, 120);
        for _ in 0..60 {
            baseline.answered(Duration::from_millis(120), false);
        }
        assert!(!baseline.is_slow());
    }

    #[test]
    fn what_lasts_becomes_usual() {
        let mut baseline = known(120);
        answers(&mut baseline, 20, 840);
        for _ in 0..300 {
            baseline.answered(Duration::from_millis(840), false);
        }
        assert!(!baseline.is_slow());
    }

    #[test]
    fn a_few_milliseconds_more_are_not_slow() {
        let mut baseline = known(1);
        assert_eq!(answers(&mut baseline, 100, 20), None);
    }

    #[test]
    fn the_share_of_failures_is_that_of_the_last_answers() {
        let mut baseline = Baseline::default();
        for number in 0..1_000 {
            baseline.answered(Duration::from_millis(1), number % 4 == 0);
        }
        assert!((0.2..0.3).contains(&baseline.failures().unwrap()));
    }
}
