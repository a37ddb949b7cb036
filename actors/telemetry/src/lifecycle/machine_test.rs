//! The machine by table and by chance.

use std::time::Duration;

use triarch_supervision::clock::Seeded;
use triarch_supervision::name::Name;
use triarch_supervision::policy::Intensity;
use triarch_supervision::reason::{Escalation, ExitReason, Failure, KillCause};
use triarch_supervision::tree::Observation;

use super::*;

const LOUD: Limits = Limits {
    within: Duration::from_mins(1),
    free: 1000,
    pause: Duration::from_secs(1),
    warn_from: 2,
    error_from: 5,
    children: 1000,
    passers_by: &[],
};
const FIVE: Limits = Limits { free: 5, ..LOUD };

fn failed() -> ExitReason {
    ExitReason::Error(Failure::new("x"))
}

fn name(child: &str) -> Name {
    Name::new(child).unwrap()
}

fn started(child: &str) -> Decision {
    Decision::Started {
        child: name(child),
        incarnation: 1,
    }
}

fn ended(child: &str, reason: ExitReason) -> Decision {
    Decision::Ended {
        child: name(child),
        incarnation: 1,
        reason,
    }
}

fn restarting(child: &str) -> Decision {
    Decision::Restarting {
        child: name(child),
        reason: failed(),
        attempt: 1,
        delay: Duration::ZERO,
        siblings: 0,
        restarts: 1,
        allowed: 5,
    }
}

fn quarantined(child: &str) -> Decision {
    Decision::Quarantined {
        child: name(child),
        reason: failed(),
    }
}

fn at(millis: u64) -> Moment {
    Moment::default() + Duration::from_millis(millis)
}

/// A machine with the lines it has made: `level subject +n`, n being those held back before it.
struct Log {
    machine: Machine,
    lines: Vec<String>,
}

impl Log {
    fn new(limits: Limits) -> Self {
        Self {
            machine: Machine::new(limits),
            lines: Vec::new(),
        }
    }

    fn step(&mut self, input: Input, millis: u64) {
        for line in self.machine.step(input, at(millis)) {
            let (level, subject, held_back) = (line.level.label(), &line.subject, line.held_back);
            self.lines.push(format!("{level} {subject} +{held_back}"));
        }
    }

    fn see(&mut self, millis: u64, supervisor: &str, decision: Decision) {
        let event = Event::new(at(millis), supervisor, Fact::Decision(decision));
        self.step(Input::Seen(event), millis);
    }

    fn look(&mut self, millis: u64) {
        self.step(Input::Look, millis);
    }

    fn taken(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }
}

#[test]
fn each_decision_has_its_level_and_its_subject() {
    let escalated = Decision::Escalated(Box::new(Escalation::new(name("a"), failed(), Intensity::default())));
    let let_go = |reason| Decision::LetGo {
        child: name("a"),
        reason,
    };
    let killed = Decision::Killed {
        child: name("a"),
        incarnation: 1,
        cause: KillCause::Overdue,
    };
    let unkillable = Decision::Unkillable {
        child: name("a"),
        incarnation: 1,
    };
    let table = [
        ("root", started("team"), "info team +0"),
        ("team", started("a"), "info team/a +0"),
        ("team", Decision::Ignored { child: name("a") }, "info team/a +0"),
        ("team", ended("a", ExitReason::Normal), "info team/a +0"),
        ("team", ended("a", ExitReason::Shutdown), "info team/a +0"),
        ("team", ended("a", failed()), "info team/a +0"),
        ("team", restarting("a"), "info team/a +0"),
        ("team", let_go(ExitReason::Normal), "info team/a +0"),
        ("team", let_go(failed()), "warn team/a +0"),
        ("team", killed, "warn team/a +0"),
        ("team", quarantined("a"), "error team/a +0"),
        ("team", unkillable, "error team/a +0"),
        ("team", escalated, "error team +0"),
        ("team", Decision::AutoShutdown { child: name("a") }, "info team +0"),
    ];
    for (supervisor, decision, expected) in table {
        let mut log = Log::new(FIVE);
        log.see(0, supervisor, decision.clone());
        assert_eq!(log.taken(), [expected], "{decision:?}");
    }
}

#[test]
fn observations_are_warnings_about_the_agent() {
    let fact = Fact::Observation(Observation::Resumed {
        agent: Arc::from("team/a"),
        incarnation: 1,
        failure: Failure::new("x"),
    });
    let event = Event::new(at(0), "team", fact);
    let mut log = Log::new(FIVE);
    log.step(Input::Seen(event), 0);
    assert_eq!(log.taken(), ["warn team/a +0"]);
}

#[test]
fn the_level_rises_with_the_restarts_of_one_child_and_falls_when_it_is_well() {
    let mut log = Log::new(LOUD);
    let mut levels = |second: u64| {
        log.see(second * 1000, "team", ended("a", failed()));
        log.see(second * 1000, "team", restarting("a"));
        log.taken().join(", ")
    };
    let expected = ["info", "warn", "warn", "warn", "error", "error"];
    for (second, level) in (0..).zip(expected) {
        assert_eq!(
            levels(second),
            format!("{level} team/a +0, {level} team/a +0"),
            "second {second}"
        );
    }
    assert_eq!(levels(65), "info team/a +0, info team/a +0");
    log.see(65_000, "team", restarting("b"));
    assert_eq!(log.taken(), ["info team/b +0"], "each child has its own count");
}

#[test]
fn a_start_is_no_error_however_often_it_was_tried() {
    let mut log = Log::new(LOUD);
    (0..9).for_each(|second| log.see(second, "team", restarting("a")));
    log.taken();
    log.see(10, "team", started("a"));
    assert_eq!(log.taken(), ["info team/a +0"]);
}

#[test]
fn after_five_lines_within_a_minute_there_is_one_a_second_with_the_count_of_the_rest() {
    let mut log = Log::new(FIVE);
    for tenth in 0..30 {
        log.see(tenth * 100, "team", started("a"));
    }
    let free = ["info team/a +0"; 5];
    let paced = ["info team/a +9", "info team/a +9"];
    assert_eq!(log.taken(), [&free[..], &paced[..]].concat());
}

#[test]
fn after_a_quiet_minute_there_are_five_lines_again() {
    let mut log = Log::new(FIVE);
    (0..6).for_each(|_| log.see(0, "team", started("a")));
    assert_eq!(log.taken().len(), 5);
    (0..6).for_each(|_| log.see(60_000, "team", started("a")));
    assert_eq!(log.taken().len(), 5);
}

#[test]
fn the_last_line_held_back_is_written_when_the_child_goes_quiet_as_loud_as_the_loudest() {
    let mut log = Log::new(Limits { free: 1, ..FIVE });
    log.see(0, "team", started("a"));
    log.see(0, "team", restarting("a"));
    log.see(1, "team", restarting("a"));
    log.see(2, "team", started("a"));
    log.look(500);
    assert_eq!(log.taken(), ["info team/a +0"], "it may go on");
    let last = log.machine.step(Input::Look, at(1_002));
    assert_eq!((last[0].level, last[0].held_back, last[0].at), (Level::Warn, 2, at(2)));
    assert_eq!(last[0].fact, Fact::Decision(started("a")));
    log.look(2_100);
    assert_eq!(log.taken(), [""; 0], "once");
}

#[test]
fn at_the_end_nothing_stays_held_back() {
    let mut log = Log::new(Limits { free: 1, ..FIVE });
    for child in ["a", "b", "a", "b", "b"] {
        log.see(0, "team", started(child));
    }
    log.taken();
    log.step(Input::End, 1);
    assert_eq!(log.taken(), ["info team/a +0", "info team/b +1"]);
}

#[test]
fn what_asks_for_a_person_is_written_whatever_the_limit() {
    let mut log = Log::new(FIVE);
    (0..10).for_each(|_| log.see(0, "team", started("a")));
    log.taken();
    log.see(0, "team", quarantined("a"));
    assert_eq!(log.taken(), ["error team/a +5"]);
}

#[test]
fn who_has_been_quiet_for_a_minute_is_forgotten() {
    let mut log = Log::new(FIVE);
    log.see(0, "team", started("a"));
    log.look(59_999);
    assert_eq!(log.machine.records.len(), 1);
    log.look(60_000);
    assert_eq!(log.machine.records.len(), 0);
}

#[test]
fn children_beyond_the_limit_share_the_allowance_of_their_supervisor() {
    let mut log = Log::new(Limits { children: 2, ..FIVE });
    for child in 0..1000 {
        log.see(0, "pool", started(&format!("worker-{child}")));
    }
    assert_eq!(log.taken().len(), 2 + 5);
    assert_eq!(log.machine.records.len(), 2 + 1);
    log.look(1_000);
    assert_eq!(log.taken(), ["info pool/worker-999 +992"]);
}

#[test]
fn whoever_has_been_quiet_for_a_minute_makes_room_though_nobody_looked() {
    let mut log = Log::new(Limits { children: 1, ..FIVE });
    log.see(0, "pool", started("a"));
    log.see(60_000, "pool", started("b"));
    let known: Vec<_> = log.machine.records.keys().map(|key| &**key).collect();
    assert_eq!(known, ["pool/b"]);
}

#[test]
fn by_chance_too_no_event_is_lost_from_the_count_and_no_second_has_two_lines_beyond_the_free_ones() {
    for seed in 0..100 {
        let mut chance = Seeded::new(seed);
        let mut machine = Machine::new(FIVE);
        let (mut millis, mut seen, mut told, mut written) = (0, 0, 0, Vec::new());
        for _ in 0..2000 {
            millis += chance.below(700) * chance.below(2);
            let input = if chance.below(4) == 0 {
                Input::Look
            } else {
                seen += 1;
                let decision = if chance.below(2) == 0 {
                    started("a")
                } else {
                    restarting("a")
                };
                Input::Seen(Event::new(at(millis), "team", Fact::Decision(decision)))
            };
            for line in machine.step(input, at(millis)) {
                told += line.held_back + 1;
                written.push(at(millis));
            }
        }
        let rest: u64 = machine
            .step(Input::End, at(millis))
            .iter()
            .map(|line| line.held_back + 1)
            .sum();
        assert_eq!(told + rest, seen, "seed {seed}");
        for six in written.windows(6) {
            let is_dense = six[5].since(six[0]) < FIVE.within;
            let is_paced = six[5].since(six[4]) >= FIVE.pause;
            assert!(!is_dense || is_paced, "seed {seed}: {six:?}");
        }
    }
}

#[test]
fn of_passers_by_only_what_goes_wrong_is_news() {
    let mut log = Log::new(Limits {
        passers_by: &["team/guest-"],
        ..LOUD
    });
    for guest in ["guest-1", "guest-2"] {
        log.see(0, "team", started(guest));
        log.see(1, "team", ended(guest, ExitReason::Normal));
    }
    assert_eq!(log.taken(), [""; 0]);
    log.see(2, "team", ended("guest-3", failed()));
    log.see(3, "team", started("host"));
    assert_eq!(log.taken(), ["info team/guest-3 +0", "info team/host +0"]);
}
