//! The contract: the waits between restarts of one child.

use super::*;

fn doubling() -> Backoff {
    Backoff {
        jitter: 0.0,
        reset_after: 60 * SECOND,
        ..Backoff::exponential(SECOND, 8 * SECOND)
    }
}

fn patient(policy: SupervisorPolicy) -> SupervisorPolicy {
    SupervisorPolicy {
        backoff: doubling(),
        intensity: Intensity::new(100, 10 * SECOND),
        ..policy
    }
}

#[test]
fn waits_grow_with_each_failure_and_the_child_shows_as_restarting() {
    let mut case = Case::up(patient(one_for_one()), permanent(), &["a"]);
    for (wait, incarnation) in [1, 2, 4, 8, 8].into_iter().zip(2..) {
        assert_eq!(case.fails("a"), "");
        assert_eq!(case.state("a"), Some(ChildState::Restarting));
        assert_eq!(case.wait(just_under(wait * SECOND)), "");
        assert_eq!(case.wait(NANOSECOND), format!("start a{incarnation}"));
        case.started("a");
    }
    assert!(case.told().contains("restarting a attempt 3 after 4s with 0 (3/100)"));
}

#[test]
fn a_quiet_time_makes_the_next_failure_the_first() {
    let mut case = Case::up(patient(one_for_one()), permanent(), &["a"]);
    case.fails("a");
    case.wait(SECOND);
    case.started("a");
    case.wait(60 * SECOND);
    case.told();
    case.fails("a");
    assert!(case.told().contains("attempt 1 after 1s"));
}

#[test]
fn a_quiet_time_counts_for_a_stuck_child_too_up_to_when_it_got_stuck() {
    for (quiet, attempt) in [(60, "attempt 1"), (59, "attempt 2")] {
        let mut case = Case::up(patient(one_for_one()), permanent(), &["a"]);
        case.fails("a");
        case.wait(SECOND);
        case.started("a");
        case.wait(quiet * SECOND);
        case.is_stuck("a");
        case.wait(2 * SECOND);
        case.told();
        case.fails("a");
        assert!(case.told().contains(attempt), "{quiet}");
    }
}

#[test]
fn a_little_less_than_a_quiet_time_does_not() {
    let mut case = Case::up(patient(one_for_one()), permanent(), &["a"]);
    case.fails("a");
    case.wait(SECOND);
    case.started("a");
    case.wait(just_under(60 * SECOND));
    case.told();
    case.fails("a");
    assert!(case.told().contains("attempt 2 after 2s"));
}

#[test]
fn a_start_that_fails_is_no_quiet_time_however_long_ago_the_last_life() {
    let mut case = Case::up(patient(one_for_one()), permanent(), &["a"]);
    case.fails("a");
    case.wait(SECOND);
    assert_eq!(case.fails_to_start("a"), "");
    assert!(case.told().contains("attempt 2 after 2s"));
    assert_eq!(case.queue(), "");
    assert_eq!(case.wait(2 * SECOND), "start a3");
}

#[test]
fn a_childs_own_backoff_goes_before_its_supervisors() {
    let own = ChildPolicy {
        backoff: Some(Backoff::none()),
        ..permanent()
    };
    let mut case = Case::all_up(patient(one_for_one()), &[("a", own), ("b", permanent())]);
    assert_eq!(case.fails("a"), "start a2");
    assert_eq!(case.fails("b"), "");
}

#[test]
fn attempts_are_counted_per_child() {
    let mut case = Case::up(patient(one_for_one()), permanent(), &["a", "b"]);
    case.fails("a");
    case.fails("b");
    assert!(case.told().contains("restarting b attempt 1 after 1s"));
}

#[test]
fn chance_is_drawn_only_where_there_is_a_wait() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.fails("a");
    assert_eq!(case.chance.drawn, 0);
    let mut case = Case::up(patient(one_for_one()), permanent(), &["a"]);
    case.fails("a");
    assert_eq!(case.chance.drawn, 1);
}

#[test]
fn a_group_stops_at_once_and_starts_after_the_failing_childs_wait() {
    let mut case = Case::up(patient(one_for_all()), permanent(), &["a", "b"]);
    assert_eq!(case.fails("a"), "stop b1");
    assert_eq!(case.stops("b"), "");
    assert_eq!(case.state("b"), Some(ChildState::Restarting));
    assert_eq!(case.wait(SECOND), "start a2");
    assert_eq!(case.started("a"), "start b2");
}

#[test]
fn a_group_whose_wait_is_over_first_still_waits_for_its_siblings_to_stop() {
    let mut case = Case::up(patient(one_for_all()), permanent(), &["a", "b"]);
    assert_eq!(case.fails("a"), "stop b1");
    assert_eq!(case.wait(SECOND), "");
    assert_eq!(case.stops("b"), "start a2");
}

#[test]
fn a_later_failure_with_a_shorter_wait_does_not_shorten_the_wait_of_its_group() {
    let slow = ChildPolicy {
        backoff: Some(Backoff {
            jitter: 0.0,
            ..Backoff::exponential(4 * SECOND, 4 * SECOND)
        }),
        ..permanent()
    };
    let children = [("a", permanent()), ("b", permanent()), ("c", slow)];
    let mut case = Case::all_up(patient(rest_for_one()), &children);
    assert_eq!(case.fails("c"), "");
    assert_eq!(case.fails("a"), "stop b1");
    assert_eq!(case.stops("b"), "");
    assert_eq!(case.wait(just_under(4 * SECOND)), "");
    assert_eq!(case.wait(NANOSECOND), "start a2");
}

#[test]
fn failures_in_a_group_whose_waits_end_at_the_same_time_wait_for_one_alarm() {
    let mut case = Case::up(patient(rest_for_one()), permanent(), &["a", "b"]);
    case.fails("b");
    let alarms = case.alarms.len();
    assert_eq!(case.fails("a"), "");
    assert_eq!(case.alarms.len(), alarms);
    assert_eq!(case.wait(SECOND), "start a2");
}

#[test]
fn a_child_added_while_its_group_waits_joins_it() {
    let mut case = Case::up(patient(one_for_all()), permanent(), &["a"]);
    case.fails("a");
    assert_eq!(case.start_child("d", permanent()), "");
    assert_eq!(case.wait(SECOND), "start a2");
    assert_eq!(case.started("a"), "start d1");
}

#[test]
fn a_group_waits_out_the_alarm_of_a_child_that_was_deleted_meanwhile() {
    let mut case = Case::up(patient(one_for_all()), permanent(), &["a", "b"]);
    assert_eq!(case.fails("a"), "stop b1");
    assert_eq!(case.stops("b"), "");
    assert_eq!(case.terminate("a"), "#1 Terminated");
    assert_eq!(case.delete("a"), "forget a, #2 Deleted");
    let of_the_deleted = case.key("a");
    assert!(case.alarms.iter().any(|(_, alarm)| alarm.key == of_the_deleted));
    assert_eq!(case.wait(just_under(SECOND)), "");
    assert_eq!(case.wait(NANOSECOND), "start b2");
}

#[test]
fn stop_is_served_while_a_child_waits() {
    let mut case = Case::up(patient(one_for_one()), permanent(), &["a", "b"]);
    case.fails("b");
    assert_eq!(case.stop(), "stop a1");
    assert_eq!(case.wait(SECOND), "");
    assert_eq!(case.stops("a"), "end Shutdown");
}

#[test]
fn a_restart_after_a_wait_neither_holds_up_nor_fails_the_boot() {
    let mut case = Case::new(
        patient(one_for_one()),
        &[("a", permanent()), ("b", permanent()), ("c", permanent())],
    );
    case.boot();
    case.started("a");
    assert_eq!(case.fails("a"), "");
    assert_eq!(case.wait(SECOND), "start a2");
    assert_eq!(case.started("b"), "start c1");
    assert_eq!(case.fails_to_start("a"), "");
    assert_eq!(case.started("c"), "ready");
}

#[test]
fn stop_is_served_while_a_group_waits() {
    let mut case = Case::up(patient(one_for_all()), permanent(), &["a"]);
    case.fails("a");
    assert_eq!(case.stop(), "end Shutdown");
}

#[test]
fn terminating_a_waiting_child_ends_its_wait() {
    let mut case = Case::up(patient(one_for_one()), permanent(), &["a"]);
    case.fails("a");
    assert_eq!(case.terminate("a"), "#1 Terminated");
    assert_eq!(case.wait(10 * SECOND), "");
    assert_eq!(case.state("a"), Some(ChildState::Down));
}

#[test]
fn restarting_by_hand_makes_the_next_failure_the_first() {
    let mut case = Case::up(patient(one_for_one()), permanent(), &["a"]);
    case.fails("a");
    case.terminate("a");
    case.restart("a");
    case.started("a");
    case.told();
    case.fails("a");
    assert!(case.told().contains("attempt 1 after 1s"));
}
