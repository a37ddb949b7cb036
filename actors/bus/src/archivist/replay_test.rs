use std::time::Duration;

use proptest::prelude::*;
use triarch_supervision::clock::Moment;

use super::super::record::Letter;
use super::*;
use crate::agenda::{Again, Agenda, Clocks, Placed, ScheduleId, When};
use crate::codec::encode;
use crate::daily::Daily;
use crate::dead::DeadBox;
use crate::envelope::{Destination, Draft, EnvelopeId, Payload, Timestamp};

const SECOND: u64 = 1_000_000;
const BEGAN: u64 = 1_700_000_000 * SECOND;

fn clocks(seconds: u64) -> Clocks {
    Clocks {
        now: Moment::from_nanos(seconds * 1_000_000_000),
        wall: Timestamp(BEGAN + seconds * SECOND),
    }
}

fn plan(when: When, kind: &str) -> (Placed, Plan) {
    let placed = when.placed(clocks(0));
    let plan = Plan {
        from: "team/a".into(),
        to: Destination::Topic(Topic::new("log.a").unwrap()),
        draft: Draft::new(kind, Payload::bytes([1])).ttl(Duration::from_millis(7)),
        again: placed.again.clone(),
        first: Some(placed.first),
    };
    (placed, plan)
}

fn written(record: &Record<'_>) -> Vec<u8> {
    record.encode().unwrap()
}

fn envelope(number: u64) -> Vec<u8> {
    let (_, plan) = plan(When::After(Duration::ZERO), "k");
    let id = EnvelopeId::new(1, number);
    encode(&plan.draft.sealed(id, Timestamp(0), plan.from, plan.to)).unwrap()
}

fn dead(number: u64) -> Vec<u8> {
    written(&Record::Dead(Letter {
        number,
        time: 5,
        subscriber: "team/x",
        name: Some("n"),
        cause: "failed",
        why: Some("no ink"),
        failures: 3,
        envelope: &envelope(number),
    }))
}

/// What an operator would say is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Naive {
    plans: Vec<u64>,
    letters: Vec<u64>,
    stored: u64,
}

#[derive(Clone, Debug)]
enum Act {
    Plan,
    CallOff(usize),
    Come(usize),
    Die,
    Go(usize),
    Snapshot,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::Plan),
        1 => any::<usize>().prop_map(Act::CallOff),
        2 => any::<usize>().prop_map(Act::Come),
        3 => Just(Act::Die),
        2 => any::<usize>().prop_map(Act::Go),
        1 => Just(Act::Snapshot),
    ]
}

/// A journal as it was written, and what was true after each of its records.
#[derive(Default)]
struct Story {
    records: Vec<Vec<u8>>,
    truths: Vec<Naive>,
    now: Naive,
    last: u64,
}

impl Story {
    fn act(&mut self, act: &Act) {
        let one_of = |all: &[u64], which: usize| (!all.is_empty()).then(|| which % all.len());
        let record = match act {
            Act::Plan => {
                self.last += 1;
                self.now.plans.push(self.last);
                later::planned(self.last, &plan(When::After(Duration::from_secs(self.last)), "k").1).unwrap()
            }
            Act::CallOff(which) => {
                let Some(at) = one_of(&self.now.plans, *which) else {
                    return;
                };
                let number = self.now.plans.remove(at);
                written(&Record::CalledOff { number })
            }
            Act::Come(which) => {
                let Some(at) = one_of(&self.now.plans, *which) else {
                    return;
                };
                let number = self.now.plans.remove(at);
                let offset = self.now.stored;
                self.now.stored += 1;
                let (log, time, envelope) = ("log.*", 9, &*envelope(number));
                written(&Record::Came {
                    number,
                    log,
                    offset,
                    time,
                    envelope,
                })
            }
            Act::Die => {
                self.last += 1;
                self.now.letters.push(self.last);
                dead(self.last)
            }
            Act::Go(which) => {
                let Some(at) = one_of(&self.now.letters, *which) else {
                    return;
                };
                let numbers = vec![self.now.letters.remove(at)];
                written(&Record::Gone { numbers })
            }
            Act::Snapshot => return self.snapshot(),
        };
        self.records.push(record);
        self.truths.push(self.now.clone());
    }

    /// From here on the journal begins with a snapshot of what a runtime would have.
    fn snapshot(&mut self) {
        let replay = replayed(&self.records);
        let (mut agenda, mut letters) = (Agenda::new(999, u64::MAX), DeadBox::new(999, u64::MAX));
        agenda.take_up(replay.plans, replay.last_plan, clocks(0));
        letters.take_up(replay.letters, replay.count, true);
        let mut records: Vec<Vec<u8>> = Vec::new();
        for (pattern, log) in &replay.logs {
            records.extend(log.from(0).map(|(_, entry)| entry.record.to_vec()));
            assert_eq!(pattern.as_str(), "log.*");
        }
        let later = later::Later::of(&agenda, &mut letters);
        records.extend(later.records().map(Result::unwrap));
        // A crash within it has the journal before.
        self.truths = vec![self.now.clone(); records.len()];
        self.records = vec![records.iter().flat_map(|one| framed(one)).collect()];
        self.truths.truncate(1);
    }
}

fn framed(record: &[u8]) -> Vec<u8> {
    [&u32::try_from(record.len()).unwrap().to_le_bytes(), record].concat()
}

fn replayed(records: &[Vec<u8>]) -> Replay {
    let mut replay = Replay::default();
    for record in records {
        // A snapshot is records behind their lengths.
        if Record::decode(record).is_ok() {
            replay.take(record, &[]).unwrap();
        } else {
            records_of(record).for_each(|one| replay.take(one, &[]).unwrap());
        }
    }
    replay
}

fn seen(replay: &Replay) -> Naive {
    let stored = replay.logs.iter().map(|(_, log)| log.next()).sum();
    Naive {
        plans: replay.plans.keys().copied().collect(),
        letters: replay.letters.keys().copied().collect(),
        stored,
    }
}

proptest! {
    #[test]
    fn after_a_crash_at_any_record_what_is_planned_and_dead_is_what_was_written(acts in prop::collection::vec(act(), 0..40)) {
        let mut story = Story::default();
        for act in &acts {
            story.act(act);
        }
        for (length, truth) in (1..).zip(&story.truths) {
            let replay = replayed(&story.records[..length]);
            prop_assert_eq!(&seen(&replay), truth);
            // No number is given again.
            prop_assert!(replay.last_plan >= truth.plans.last().copied().unwrap_or_default());
            prop_assert!(replay.count.last >= truth.letters.last().copied().unwrap_or_default());
        }
    }
}

#[test]
fn a_letter_and_a_plan_come_back_from_the_disk_as_they_were() {
    let replay = replayed(&[
        dead(4),
        later::planned(9, &plan(When::After(Duration::from_mins(1)), "k").1).unwrap(),
    ]);
    let letter = &replay.letters[&4];
    assert_eq!((&*letter.subscriber, letter.name.as_deref()), ("team/x", Some("n")));
    assert_eq!(
        (letter.cause, letter.why.as_deref()),
        (crate::Cause::Failed, Some("no ink"))
    );
    assert_eq!(
        (letter.failures, letter.time, letter.envelope.id),
        (3, Timestamp(5), EnvelopeId::new(1, 4))
    );
    let plan = &replay.plans[&9];
    assert_eq!(
        (&*plan.from, &*plan.draft.kind, plan.to.as_str()),
        ("team/a", "k", "log.a")
    );
    assert_eq!(plan.draft.ttl, Some(Duration::from_millis(7)));
    assert_eq!(plan.first, Some(Timestamp(BEGAN + 60 * SECOND)));
    assert_eq!((replay.last_plan, replay.count.last), (9, 4));
}

#[test]
fn a_long_word_about_a_letter_is_shortened_on_disk_between_two_characters() {
    let letter = later::letter(&Letter {
        number: 1,
        time: 0,
        subscriber: "team/x",
        name: None,
        cause: "crashed",
        why: Some(&"ü".repeat(4000)),
        failures: 1,
        envelope: &envelope(1),
    })
    .unwrap();
    let again = replayed(&[later::dead(&letter).unwrap()]);
    assert_eq!(again.letters[&1].why.as_deref(), Some(&*"ü".repeat(2048)));
}

/// An agenda in a runtime that takes up `plans` when so many seconds have passed.
fn next_runtime(plans: &[(u64, When)], seconds: u64) -> Agenda {
    let records: Vec<_> = plans
        .iter()
        .map(|(number, when)| later::planned(*number, &plan(when.clone(), "k").1).unwrap())
        .collect();
    let replay = replayed(&records);
    let mut agenda = Agenda::new(99, u64::MAX);
    agenda.take_up(replay.plans, replay.last_plan, clocks(seconds));
    agenda
}

fn due(agenda: &mut Agenda, seconds: u64) -> Vec<Option<u64>> {
    std::iter::from_fn(|| agenda.due(clocks(seconds)))
        .map(|due| due.number)
        .collect()
}

#[test]
fn a_delay_ends_at_the_same_time_in_the_next_runtime_and_at_once_where_that_has_passed() {
    let plans = [
        (1, When::After(Duration::from_mins(1))),
        (2, When::After(Duration::from_secs(10))),
    ];
    let mut agenda = next_runtime(&plans, 20);
    assert_eq!(due(&mut agenda, 20), [Some(2)]);
    assert_eq!(due(&mut agenda, 59), []);
    assert_eq!(due(&mut agenda, 60), [Some(1)]);
    // They are in hand: written once, and then no more.
    assert!(agenda.meet(2) && !agenda.meet(2));
    agenda.came(2);
    assert!(!agenda.meet(2) && agenda.len() == 1);
    agenda.put_back(1, clocks(70).now);
    assert!(!agenda.meet(1));
    assert_eq!(due(&mut agenda, 70), [Some(1)]);
}

#[test]
fn what_comes_again_goes_on_with_its_beat_and_its_times_of_day() {
    let first = Duration::from_secs(5);
    let every = Duration::from_secs(10);
    let at = |agenda: &Agenda| agenda.next().unwrap().as_nanos() / 1_000_000_000;
    assert_eq!(at(&next_runtime(&[(1, When::Every { first, every })], 3)), 5);
    assert_eq!(at(&next_runtime(&[(1, When::Every { first, every })], 27)), 35);
    // The first day began 80,000 seconds after a midnight.
    let midnight = BEGAN / SECOND % 86_400;
    let daily = When::Daily(Daily::new("06:00").unwrap());
    assert_eq!(
        at(&next_runtime(&[(1, daily)], 200_000)),
        3 * 86_400 + 21_600 - midnight
    );
    let mut agenda = next_runtime(&[(1, When::Every { first, every })], 27);
    assert_eq!((due(&mut agenda, 35), at(&agenda)), (vec![None], 45));
    let again = agenda.durable().map(|(_, plan)| plan.again.clone()).next();
    assert!(matches!(again, Some(Again::Every(beat)) if beat == every));
}

#[test]
fn a_jump_of_the_clock_of_the_world_moves_no_delay() {
    let mut agenda = next_runtime(&[(1, When::After(Duration::from_mins(1)))], 0);
    for wall in [3_600, -3_600_i64] {
        let clocks = Clocks {
            now: clocks(59).now,
            wall: Timestamp(BEGAN.saturating_add_signed((59 + wall) * 1_000_000)),
        };
        agenda.look_at(clocks);
        assert!(agenda.due(clocks).is_none());
    }
    assert_eq!(due(&mut agenda, 60), [Some(1)]);
}

#[test]
fn after_a_failure_the_disk_says_what_is_still_to_come() {
    let after = |seconds| When::After(Duration::from_secs(seconds));
    let mut agenda = next_runtime(&[(1, after(1)), (2, after(2)), (3, after(90))], 0);
    let early = agenda.add(clocks(50).now, plan(after(1), "early").1).unwrap();
    assert_eq!(early, ScheduleId::new(4));
    assert!(agenda.reserve(&plan(after(1), "reserved").1).is_ok());
    assert_eq!(due(&mut agenda, 5), [Some(1), Some(2)]);
    assert!(agenda.meet(1));
    // The first is in its log by now, the second is not, the third was called off, and one was planned.
    let replay = replayed(&[2, 7].map(|number| later::planned(number, &plan(after(2), "k").1).unwrap()));
    agenda.take_up(replay.plans, replay.last_plan, clocks(6));
    assert_eq!(agenda.len(), 2);
    assert_eq!(due(&mut agenda, 6), [Some(2), Some(7)]);
    assert!(agenda.meet(2), "it is tried anew");
}

#[test]
fn what_was_planned_before_the_disk_was_read_makes_way() {
    let mut agenda = Agenda::new(9, u64::MAX);
    let (placed, mut early) = plan(When::After(Duration::from_secs(1)), "early");
    early.first = None;
    agenda.add(placed.at, early).unwrap();
    let replay = replayed(&[later::planned(1, &plan(When::After(Duration::from_secs(9)), "k").1).unwrap()]);
    agenda.take_up(replay.plans, replay.last_plan, clocks(0));
    assert_eq!((agenda.len(), agenda.last()), (2, 2));
    assert!(agenda.is_durable(ScheduleId::new(1)) && !agenda.is_durable(ScheduleId::new(2)));
}
