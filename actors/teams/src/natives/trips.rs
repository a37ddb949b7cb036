//! What became of posts that are on their way: a machine that is told of their stages.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use triarch_supervision::clock::Moment;
use triarch_supervision::metrics::{Buckets, Histogram, Quantile};

use crate::post::PostId;
use crate::receipt::Stage;

/// Posts on their way, and how those before them ended.
#[derive(Debug)]
pub(super) struct Trips {
    most: usize,
    under_way: BTreeMap<PostId, Moment>,
    done: u64,
    failed: u64,
    lost: u64,
    given_up: u64,
    /// From sending to hearing that it is done.
    times: Histogram,
}

impl Trips {
    /// At most `most` are on their way at once.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            under_way: BTreeMap::new(),
            done: 0,
            failed: 0,
            lost: 0,
            given_up: 0,
            times: Histogram::new(Buckets::FAST),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.under_way.len() < self.most
    }

    /// A post has left. Ids grow with time.
    pub(super) fn left(&mut self, post: PostId, now: Moment) {
        self.under_way.insert(post, now);
    }

    /// A stage of a post is heard; one that was given up, or never left, is nobody's.
    pub(super) fn heard(&mut self, post: PostId, stage: &Stage, now: Moment) {
        if !stage.is_last() {
            return;
        }
        let Some(left) = self.under_way.remove(&post) else {
            return;
        };
        match stage {
            Stage::Done(_) => {
                self.done += 1;
                self.times.observe(now.since(left));
            }
            Stage::Failed(_) => self.failed += 1,
            _ => self.lost += 1,
        }
    }

    /// Gives up those that left before `moment`.
    pub(super) fn give_up_before(&mut self, moment: Moment) {
        while let Some(oldest) = self.under_way.first_entry()
            && *oldest.get() < moment
        {
            oldest.remove();
            self.given_up += 1;
        }
    }

    pub(super) fn shown(&self) -> Value {
        let times = self.times.spread();
        let time = |share: f64| times.quantile(share).map(written);
        json!({
            "under_way": self.under_way.len(),
            "done": self.done,
            "failed": self.failed,
            "lost": self.lost,
            "given_up": self.given_up,
            "round_trip_seconds": { "p50": time(0.5), "p90": time(0.9), "p99": time(0.99) },
        })
    }
}

fn written(quantile: Quantile) -> Value {
    match quantile {
        Quantile::About(time) => json!(time.as_secs_f64()),
        Quantile::Beyond(edge) => json!(format!("more than {}", edge.as_secs_f64())),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::post::tests::office;

    fn at(seconds: u64) -> Moment {
        Moment::default() + Duration::from_secs(seconds)
    }

    fn ids(count: usize) -> Vec<PostId> {
        let office = office(1);
        (0..count).map(|_| office.reminder("me", "id").id).collect()
    }

    #[test]
    fn each_trip_ends_once_as_its_last_stage_says() {
        let (ids, mut trips) = (ids(4), Trips::new(9));
        for id in &ids {
            trips.left(*id, at(0));
        }
        let last = [
            Stage::Done(Value::Null),
            Stage::Failed(String::new()),
            Stage::Lost(String::new()),
            Stage::Delivered,
        ];
        for (id, stage) in ids.iter().zip(&last) {
            trips.heard(*id, stage, at(1));
            trips.heard(*id, stage, at(2));
        }
        let shown = trips.shown();
        for (key, count) in [
            ("done", 1),
            ("failed", 1),
            ("lost", 1),
            ("under_way", 1),
            ("given_up", 0),
        ] {
            assert_eq!(shown[key], count, "{key}");
        }
        let p99 = shown["round_trip_seconds"]["p99"].as_f64().unwrap();
        assert!((0.5..=2.5).contains(&p99), "{p99}");
    }

    #[test]
    fn no_more_are_on_their_way_than_there_may_be() {
        let (ids, mut trips) = (ids(2), Trips::new(2));
        for id in &ids {
            trips.left(*id, at(0));
        }
        assert!(!trips.has_room());
        trips.heard(ids[0], &Stage::Lost(String::new()), at(1));
        assert!(trips.has_room());
    }

    #[test]
    fn what_is_not_heard_of_is_given_up_and_then_nobodys() {
        let (ids, mut trips) = (ids(2), Trips::new(2));
        trips.left(ids[0], at(1));
        trips.left(ids[1], at(2));
        trips.give_up_before(at(2));
        trips.heard(ids[0], &Stage::Done(Value::Null), at(3));
        let shown = trips.shown();
        assert_eq!((&shown["given_up"], &shown["done"]), (&json!(1), &json!(0)));
        assert_eq!(shown["under_way"], 1);
    }

    #[test]
    fn without_a_trip_no_time_is_known_and_one_too_long_is_not_made_up() {
        let (ids, mut trips) = (ids(1), Trips::new(1));
        assert_eq!(trips.shown()["round_trip_seconds"]["p50"], Value::Null);
        trips.left(ids[0], at(0));
        trips.heard(ids[0], &Stage::Done(Value::Null), at(9));
        assert_eq!(trips.shown()["round_trip_seconds"]["p50"], "more than 2.5");
    }
}
