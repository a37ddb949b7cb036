//! The contract: stops right to left, each with its shutdown time, then kill.

use super::*;

fn lingers(case: &mut Case, child: &str) -> String {
    let (key, incarnation) = case.last(child);
    case.give(Input::Lingers { key, incarnation })
}

#[test]
fn what_is_left_of_a_killed_child_is_not_waited_for_without_limit() {
    let mut case = Case::up(one_for_one(), stops_by(Shutdown::Infinity), &["a", "b"]);
    assert_eq!(
        lingers(&mut case, "b"),
        "",
        "it may still go before anybody wants to end"
    );
    assert_eq!(case.state("b"), Some(ChildState::Running));
    assert_eq!(case.stop(), "stop b1");
    assert_eq!(lingers(&mut case, "b"), "stop a1");
    assert_eq!(case.told(), "unkillable b1");
    assert_eq!(lingers(&mut case, "b"), "");
    assert_eq!(case.stops("a"), "end Shutdown b1 left after 0ns");
}

#[test]
fn one_that_was_killed_keeps_its_grace_whoever_sees_it_linger() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.stop();
    assert_eq!(case.wait(2 * SECOND), "kill a1 Overdue");
    assert_eq!(lingers(&mut case, "a"), "");
    assert_eq!(case.wait(just_under(KILL_GRACE)), "");
    assert_eq!(case.wait(NANOSECOND), "end Shutdown a1 left after 2s");
}

#[test]
fn one_that_lingers_is_told_as_unkillable_once() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.is_stuck("a");
    case.wait(KILL_GRACE);
    assert_eq!(lingers(&mut case, "a"), "");
    assert_eq!(case.told(), "killed a1 Stuck, unkillable a1");
}

#[test]
fn one_that_lingers_after_a_kill_from_outside_is_reported_as_not_waited_for() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    assert_eq!(case.stop(), "stop a1");
    assert_eq!(lingers(&mut case, "a"), "end Shutdown a1 left after 0ns");
}

const ABC: [&str; 3] = ["a", "b", "c"];

#[test]
fn children_stop_right_to_left_each_finished_before_the_next() {
    let mut case = Case::up(one_for_one(), permanent(), &ABC);
    assert_eq!(case.stop(), "stop c1");
    assert_eq!(case.stops("c"), "stop b1");
    assert_eq!(case.stops("b"), "stop a1");
    assert_eq!(case.stops("a"), "end Shutdown");
}

#[test]
fn brutal_kill_kills_at_once() {
    let mut case = Case::up(one_for_one(), stops_by(Shutdown::BrutalKill), &["a"]);
    assert_eq!(case.stop(), "kill a1 Brutal");
    assert_eq!(case.exits("a", ExitReason::Killed(KillCause::Brutal)), "end Shutdown");
}

#[test]
fn one_that_does_not_stop_in_time_is_killed_and_named_in_the_report() {
    let mut case = Case::up(one_for_one(), permanent(), &["a", "b"]);
    case.stop();
    assert_eq!(case.wait(just_under(2 * SECOND)), "");
    assert_eq!(case.wait(NANOSECOND), "kill b1 Overdue");
    assert_eq!(case.exits("b", ExitReason::Killed(KillCause::Overdue)), "stop a1");
    assert_eq!(case.stops("a"), "end Shutdown b1 killed after 2s");
    assert!(case.told().starts_with("killed b1 Overdue"));
}

#[test]
fn infinity_waits_without_limit() {
    let mut case = Case::up(one_for_one(), stops_by(Shutdown::Infinity), &["a"]);
    assert_eq!(case.stop(), "stop a1");
    assert_eq!(case.wait(100_000 * SECOND), "");
    assert_eq!(case.stops("a"), "end Shutdown");
}

#[test]
fn one_that_outlives_its_kill_is_given_up_and_named_as_not_ended() {
    let mut case = Case::up(one_for_one(), permanent(), &["a", "b"]);
    case.stop();
    assert_eq!(case.wait(2 * SECOND), "kill b1 Overdue");
    assert_eq!(case.wait(KILL_GRACE), "stop a1");
    assert_eq!(case.told(), "killed b1 Overdue, unkillable b1");
    assert_eq!(case.stops("a"), "end Shutdown b1 left after 2s");
}

#[test]
fn one_that_was_given_up_but_ends_before_the_supervisor_is_reported_as_ended() {
    let mut case = Case::up(one_for_one(), permanent(), &["a", "b"]);
    case.stop();
    case.wait(3 * SECOND);
    assert_eq!(case.fails("b"), "");
    assert_eq!(case.stops("a"), "end Shutdown b1 killed after 2s");
}

#[test]
fn one_found_unkillable_before_the_stop_is_given_up_at_once() {
    let mut case = Case::up(one_for_one(), permanent(), &["a", "b"]);
    case.is_stuck("b");
    case.wait(10 * SECOND);
    assert_eq!(case.stop(), "stop a1");
    assert_eq!(case.stops("a"), "end Shutdown b1 left after 0ns");
}

#[test]
fn during_shutdown_exits_by_themselves_do_not_disturb_and_restart_nothing() {
    for reason in [ExitReason::Normal, failure(), ExitReason::Killed(KillCause::Outside)] {
        let mut case = Case::up(one_for_all(), permanent(), &ABC);
        assert_eq!(case.stop(), "stop c1");
        assert_eq!(case.exits("a", reason.clone()), "");
        assert_eq!(case.exits("c", reason), "stop b1");
        assert_eq!(case.stops("b"), "end Shutdown");
        assert!(!case.told().contains("restarting"));
    }
}

#[test]
fn dynamic_children_are_shut_down_in_parallel() {
    let mut case = Case::up(dynamic(), permanent(), &ABC);
    assert_eq!(case.stop(), "stop a1, stop b1, stop c1");
    assert_eq!(case.stops("b"), "forget b");
    assert_eq!(case.wait(2 * SECOND), "kill a1 Overdue, kill c1 Overdue");
    assert_eq!(case.fails("c"), "forget c");
    assert_eq!(case.wait(SECOND), "end Shutdown c1 killed after 2s a1 left after 2s");
}

#[test]
fn children_that_stop_in_parallel_are_gone_within_the_longest_of_their_times() {
    let policy = SupervisorPolicy {
        stop_order: StopOrder::Parallel,
        ..one_for_one()
    };
    let mut case = Case::up(policy, permanent(), &ABC);
    assert_eq!(case.stop(), "stop c1, stop b1, stop a1");
    assert_eq!(case.stops("b"), "");
    assert_eq!(case.wait(2 * SECOND), "kill c1 Overdue, kill a1 Overdue");
    assert_eq!(case.fails("c"), "");
    assert_eq!(case.fails("a"), "end Shutdown c1 killed after 2s a1 killed after 2s");
}

#[test]
fn children_stop_in_parallel_though_the_last_is_on_its_way_out_already() {
    let policy = SupervisorPolicy {
        stop_order: StopOrder::Parallel,
        ..one_for_one()
    };
    let mut case = Case::up(policy, permanent(), &ABC);
    assert_eq!(case.terminate("c"), "stop c1");
    assert_eq!(case.stop(), "stop b1, stop a1");
}

#[test]
fn one_that_stops_along_is_the_neighbour_of_one_that_does_not_and_waits_for_its_turn() {
    let along = ChildPolicy {
        stops_along: true,
        ..permanent()
    };
    let four = [("a", permanent()), ("b", permanent()), ("c", along), ("d", along)];
    let mut case = Case::new(one_for_one(), &four);
    case.boot();
    for child in ["a", "b", "c", "d"] {
        case.started(child);
    }
    assert_eq!(case.stop(), "stop d1, stop c1, stop b1");
    assert_eq!(case.stops("d"), "");
    assert_eq!(
        case.stops("b"),
        "",
        "who is left of those waits until all of them are gone"
    );
    assert_eq!(case.stops("c"), "stop a1");
    assert_eq!(case.stops("a"), "end Shutdown");
}

#[test]
fn a_second_stop_is_ignored() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.stop();
    assert_eq!(case.stop(), "");
    assert_eq!(case.stops("a"), "end Shutdown");
    assert_eq!(case.stop(), "");
}

#[test]
fn a_wait_that_is_over_during_shutdown_starts_nothing() {
    let policy = SupervisorPolicy {
        backoff: Backoff::exponential(SECOND, SECOND),
        ..one_for_one()
    };
    let mut case = Case::up(policy, permanent(), &["a", "b"]);
    case.fails("a");
    assert_eq!(case.stop(), "stop b1");
    assert_eq!(case.wait(SECOND + SECOND / 2), "");
    assert_eq!(case.stops("b"), "end Shutdown");
    assert_eq!(case.state("a"), Some(ChildState::Down));
}

#[test]
fn children_that_never_had_their_turn_are_down_at_the_end_and_temporary_ones_gone() {
    let mut case = Case::new(
        one_for_one(),
        &[("a", permanent()), ("b", permanent()), ("t", temporary())],
    );
    case.boot();
    assert_eq!(case.stop(), "forget t, stop a1");
    assert_eq!(case.fails_to_start("a"), "end Shutdown");
    assert_eq!(case.state("b"), Some(ChildState::Down));
    assert_eq!(case.state("t"), None);
}

#[test]
fn stop_during_a_group_stop_goes_on_with_it_and_starts_nothing() {
    let mut case = Case::up(one_for_all(), permanent(), &ABC);
    assert_eq!(case.fails("a"), "stop c1");
    assert_eq!(case.stop(), "");
    assert_eq!(case.stops("c"), "stop b1");
    assert_eq!(case.stops("b"), "end Shutdown");
}

#[test]
fn stop_during_a_group_start_stops_what_has_started() {
    let mut case = Case::up(one_for_all(), permanent(), &["a", "b"]);
    case.fails("b");
    case.stops("a");
    case.started("a");
    assert_eq!(case.stop(), "stop b2");
    assert_eq!(case.started("b"), "");
    assert_eq!(case.stops("b"), "stop a2");
    assert_eq!(case.stops("a"), "end Shutdown");
}

#[test]
fn stop_during_an_escalation_changes_nothing() {
    let policy = SupervisorPolicy {
        intensity: Intensity::new(0, SECOND),
        ..one_for_one()
    };
    let mut case = Case::up(policy, permanent(), &["a", "b"]);
    assert_eq!(case.fails("b"), "stop a1");
    assert_eq!(case.stop(), "");
    assert_eq!(case.stops("a"), "end Escalated");
}

#[test]
fn a_child_that_started_after_it_was_asked_to_stop_is_still_on_its_way_out() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.fails("a");
    assert_eq!(case.stop(), "stop a2");
    assert_eq!(case.started("a"), "");
    assert_eq!(case.state("a"), Some(ChildState::Stopping));
    assert_eq!(case.stops("a"), "end Shutdown");
}

#[test]
fn a_child_whose_start_was_overdue_when_the_stop_came_is_not_counted_as_slow_to_stop() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.fails("a");
    assert_eq!(case.wait(5 * SECOND), "kill a2 Overdue");
    case.stop();
    assert_eq!(case.fails_to_start("a"), "end Shutdown");
}

#[test]
fn nor_is_it_if_somebody_had_terminated_it_meanwhile() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.fails("a");
    assert_eq!(case.wait(5 * SECOND), "kill a2 Overdue");
    case.terminate("a");
    case.stop();
    assert_eq!(case.fails_to_start("a"), "#1 Terminated, end Shutdown");
}

#[test]
fn one_whose_overdue_start_outlives_its_kill_was_waited_for_as_long_as_a_start_may_take() {
    for is_terminated in [false, true] {
        let mut case = Case::up(one_for_one(), permanent(), &["a"]);
        case.fails("a");
        case.wait(5 * SECOND);
        if is_terminated {
            case.terminate("a");
        }
        case.wait(KILL_GRACE);
        let end = case.stop();
        assert!(end.ends_with("end Shutdown a2 left after 5s"), "{end}");
    }
}

#[test]
fn a_child_being_terminated_when_the_stop_comes_keeps_its_time_and_its_caller() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.terminate("a");
    case.wait(SECOND);
    assert_eq!(case.stop(), "");
    assert_eq!(case.wait(SECOND), "kill a1 Overdue");
    assert_eq!(case.stops("a"), "#1 Terminated, end Shutdown a1 killed after 2s");
}

#[test]
fn whoever_waits_for_an_unkillable_child_is_told_that_the_supervisor_ends() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.terminate("a");
    assert_eq!(case.wait(3 * SECOND), "kill a1 Overdue");
    assert_eq!(case.stop(), "#1 Ending, end Shutdown a1 left after 2s");
}

#[test]
fn calls_during_shutdown_and_after_the_end_are_answered_ending() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.start_child("d", permanent());
    assert_eq!(case.stop(), "#1 Ending, stop d1");
    assert_eq!(case.terminate("a"), "#2 Ending");
    case.fails_to_start("d");
    case.stops("a");
    assert_eq!(case.restart("a"), "#3 Ending");
}

#[test]
fn a_stuck_child_is_killed_even_while_it_waits_for_its_turn_to_stop() {
    let mut case = Case::up(one_for_one(), stops_by(Shutdown::Infinity), &["a", "b"]);
    assert_eq!(case.stop(), "stop b1");
    assert_eq!(case.is_stuck("a"), "kill a1 Stuck");
    assert_eq!(case.fails("a"), "");
    assert_eq!(case.stops("b"), "end Shutdown");
}

const BY_SOMEBODY: ExitReason = ExitReason::Killed(KillCause::Outside);

#[test]
fn one_killed_from_outside_is_restarted_as_one_that_failed() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    assert_eq!(case.is_killed("a"), "kill a1 Outside");
    assert_eq!(case.is_killed("a"), "", "once is enough");
    assert_eq!(case.exits("a", BY_SOMEBODY), "start a2");
    assert_eq!(
        case.told(),
        "killed a1 Outside, ended a1 Killed, restarting a attempt 1 after 0ns with 0 (1/3)"
    );
}

#[test]
fn one_that_ended_well_before_the_kill_from_outside_came_is_not_taken_for_a_failure() {
    let mut case = Case::up(one_for_one(), transient(), &["a"]);
    case.is_killed("a");
    assert_eq!(case.exits("a", ExitReason::Normal), "");
    assert_eq!(case.told(), "killed a1 Outside, ended a1 Normal, let go a");
}

#[test]
fn one_that_outlives_a_kill_from_outside_is_told_as_unkillable_and_restarted_once_it_is_gone() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.is_killed("a");
    assert_eq!(case.wait(just_under(KILL_GRACE)), "");
    assert_eq!(case.told(), "killed a1 Outside");
    assert_eq!(case.wait(3600 * SECOND), "");
    assert_eq!(case.told(), "unkillable a1");
    assert_eq!(case.exits("a", BY_SOMEBODY), "start a2");
}

#[test]
fn one_killed_from_outside_while_it_is_asked_to_stop_has_the_grace_of_a_kill_and_no_more() {
    let mut case = Case::up(one_for_one(), stops_by(Shutdown::Infinity), &["a"]);
    assert_eq!(case.stop(), "stop a1");
    assert_eq!(case.is_killed("a"), "kill a1 Outside");
    assert_eq!(case.wait(just_under(KILL_GRACE)), "");
    assert_eq!(case.wait(NANOSECOND), "end Shutdown a1 left after 0ns");
}

#[test]
fn one_killed_from_outside_while_it_starts_has_not_started_for_that() {
    for outlives in [false, true] {
        let mut case = Case::new(one_for_one(), &[("a", permanent())]);
        case.boot();
        assert_eq!(case.is_killed("a"), "kill a1 Outside");
        if outlives {
            assert_eq!(case.wait(KILL_GRACE), "end ChildNotStarted a1 left after 0ns");
            assert_eq!(case.told(), "killed a1 Outside, unkillable a1");
        } else {
            let killed = NotStarted::Failed(BY_SOMEBODY);
            assert_eq!(case.not_started("a", killed), "end ChildNotStarted");
            assert_eq!(case.told(), "killed a1 Outside, ended a1 Killed");
        }
    }
}
