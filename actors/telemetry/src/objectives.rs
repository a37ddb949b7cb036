//! What was promised, and what came of it.
//!
//! | objective | good is | share |
//! |---|---|---|
//! | `message_latency` | a sampled message that waited in its mailbox for at most 5 ms | 99.9 % |
//! | `recovery` | a restart whose child ran again within 500 ms, waits included | 99 % |
//! | `api` | an operation that waits for nobody, or a scrape, answered within 100 ms, and not by a failure of the runtime | 99.9 % |
//!
//! The first two are read from histograms, so each limit is an edge of one. The waits between restarts grow beyond
//! 500 ms with the fourth failure in a row: a child that keeps failing eats the budget, one that failed once does not.
//! A restart that is given up, as in quarantine, is no good one, however soon that was.

use std::sync::Arc;
use std::time::Duration;

use triarch_supervision::metrics::families::{MAILBOX_WAIT_SECONDS, SUPERVISOR_RESTART_SECONDS};
use triarch_supervision::metrics::{Counter, Family, Fan, Gauge, Histogram, InstrumentError, Instruments, Labelled};

use crate::metrics::{SLO_EVENTS, SLO_OBJECTIVE_RATIO};

/// How long a message may wait in its mailbox.
pub const MESSAGE_WAIT_MAX: Duration = Duration::from_millis(5);

/// How long a child may take to run again.
pub const RECOVERY_MAX: Duration = Duration::from_millis(500);

/// How long an operation may take that tells no progress.
pub const ANSWER_MAX: Duration = Duration::from_millis(100);

const RATIOS: [(&str, f64); 3] = [("message_latency", 0.999), ("recovery", 0.99), ("api", 0.999)];

/// Counts what is good and what is bad.
#[derive(Debug)]
pub(crate) struct Objectives {
    read: [FromHistogram; 2],
    answers: Fan<Counter>,
}

/// An objective that a histogram knows all about.
#[derive(Debug)]
struct FromHistogram {
    histogram: Arc<Histogram>,
    limit: Duration,
    events: Fan<Counter>,
}

impl Objectives {
    pub(crate) fn new(instruments: &Instruments) -> Result<Self, InstrumentError> {
        let ratios: Labelled<Gauge, 1> = instruments.labelled(&SLO_OBJECTIVE_RATIO)?;
        for (objective, ratio) in RATIOS {
            ratios.with([objective]).set(ratio);
        }
        let events = instruments.fans::<Counter, 1>(&SLO_EVENTS)?;
        let from = |family: &Family, limit, objective| {
            Ok(FromHistogram {
                histogram: instruments.single(family)?,
                limit,
                events: events.with([objective]),
            })
        };
        Ok(Self {
            read: [
                from(&MAILBOX_WAIT_SECONDS, MESSAGE_WAIT_MAX, "message_latency")?,
                from(&SUPERVISOR_RESTART_SECONDS, RECOVERY_MAX, "recovery")?,
            ],
            answers: events.with(["api"]),
        })
    }

    pub(crate) fn refresh(&self) {
        self.read.iter().for_each(FromHistogram::refresh);
    }

    pub(crate) fn answered(&self, took: Duration, is_failure: bool) {
        let is_good = !is_failure && took <= ANSWER_MAX;
        self.answers.at(if is_good { "good" } else { "bad" }).increment();
    }
}

impl FromHistogram {
    fn refresh(&self) {
        let spread = self.histogram.spread();
        let within = spread.cumulative().find(|(edge, _)| *edge == Some(self.limit));
        let good = within.map_or(0, |(_, count)| count);
        self.events.at("good").advance_to(good);
        self.events.at("bad").advance_to(spread.count() - good);
    }
}

#[cfg(test)]
mod tests {
    use triarch_supervision::metrics::families::{MAILBOX, SUPERVISION};
    use triarch_supervision::metrics::{Catalogue, Measure, TELEMETRY};

    use super::*;
    use crate::metrics::OBJECTIVES;

    #[test]
    fn each_limit_is_an_edge_of_its_histogram() {
        for (family, limit) in [
            (MAILBOX_WAIT_SECONDS, MESSAGE_WAIT_MAX),
            (SUPERVISOR_RESTART_SECONDS, RECOVERY_MAX),
        ] {
            let is_edge =
                matches!(family.measure, Measure::Histogram(buckets) if buckets.edges().any(|edge| edge == limit));
            assert!(is_edge, "{}", family.name);
        }
    }

    #[test]
    fn good_and_bad_are_what_lies_within_the_limit_and_beyond_it() {
        let catalogue = Catalogue::new(&[SUPERVISION, MAILBOX, OBJECTIVES, TELEMETRY]).unwrap();
        let instruments = Instruments::new(catalogue);
        let objectives = Objectives::new(&instruments).unwrap();
        let waits: Arc<Histogram> = instruments.single(&MAILBOX_WAIT_SECONDS).unwrap();
        waits.observe(MESSAGE_WAIT_MAX);
        waits.observe(Duration::from_micros(3));
        waits.observe(MESSAGE_WAIT_MAX + Duration::from_nanos(1));
        waits.observe(Duration::from_mins(1));
        objectives.refresh();
        objectives.answered(ANSWER_MAX, false);
        objectives.answered(ANSWER_MAX, true);
        objectives.answered(ANSWER_MAX + Duration::from_millis(1), false);
        let events = instruments.labelled::<Counter, 2>(&SLO_EVENTS).unwrap();
        let count = |objective, outcome| events.with([objective, outcome]).get();
        assert_eq!(
            (count("message_latency", "good"), count("message_latency", "bad")),
            (2, 2)
        );
        assert_eq!((count("recovery", "good"), count("recovery", "bad")), (0, 0));
        assert_eq!((count("api", "good"), count("api", "bad")), (1, 2));
    }
}
