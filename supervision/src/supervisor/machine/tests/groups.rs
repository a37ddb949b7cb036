//! The contract: which children restart, alone and in groups.

use super::*;

const ABC: [&str; 3] = ["a", "b", "c"];

#[test]
fn one_for_one_restarts_that_child_only_and_in_the_same_step() {
    let mut case = Case::up(one_for_one(), permanent(), &ABC);
    assert_eq!(case.fails("b"), "start b2");
    assert_eq!(case.started("b"), "");
    assert_eq!(
        case.told(),
        "ended b1 Error, restarting b attempt 1 after 0ns with 0 (1/3), started b2"
    );
}

#[test]
fn permanent_children_restart_whatever_the_end() {
    for reason in [ExitReason::Normal, ExitReason::Shutdown, failure()] {
        let mut case = Case::up(one_for_one(), permanent(), &["a"]);
        assert_eq!(case.exits("a", reason), "start a2");
    }
}

#[test]
fn transient_children_restart_unless_they_ended_normally_or_by_shutdown() {
    for reason in [ExitReason::Normal, ExitReason::Shutdown, ExitReason::AutoShutdown] {
        let mut case = Case::up(one_for_one(), transient(), &["a"]);
        assert_eq!(case.exits("a", reason), "");
        assert_eq!(case.state("a"), Some(ChildState::Down));
        assert!(case.told().ends_with("let go a"));
    }
    for reason in [failure(), ExitReason::Killed(KillCause::Outside)] {
        let mut case = Case::up(one_for_one(), transient(), &["a"]);
        assert_eq!(case.exits("a", reason), "start a2");
    }
}

#[test]
fn a_temporary_childs_specification_goes_at_its_end_whatever_the_end() {
    for reason in [ExitReason::Normal, ExitReason::Shutdown, failure()] {
        let mut case = Case::up(one_for_one(), temporary(), &["a"]);
        assert_eq!(case.exits("a", reason), "forget a");
        assert_eq!(case.state("a"), None);
        assert!(case.told().ends_with("let go a"));
    }
}

#[test]
fn a_dynamic_transient_child_that_ended_normally_is_not_kept() {
    let mut case = Case::up(dynamic(), transient(), &["a"]);
    assert_eq!(case.exits("a", ExitReason::Normal), "forget a");
}

#[test]
fn a_dynamic_child_that_fails_is_restarted_alone() {
    let mut case = Case::up(dynamic(), permanent(), &ABC);
    assert_eq!(case.fails("b"), "start b2");
}

#[test]
fn one_for_all_stops_the_others_in_reverse_then_starts_all_in_order() {
    let mut case = Case::up(one_for_all(), permanent(), &ABC);
    assert_eq!(case.fails("b"), "stop c1");
    assert_eq!(case.stops("c"), "stop a1");
    assert_eq!(case.stops("a"), "start a2");
    assert_eq!(case.started("a"), "start b2");
    assert_eq!(case.started("b"), "start c2");
    assert_eq!(case.started("c"), "");
    assert!(case.told().contains("restarting b attempt 1 after 0ns with 2 (1/3)"));
}

#[test]
fn rest_for_one_restarts_the_failing_child_and_those_after_it() {
    let mut case = Case::up(rest_for_one(), permanent(), &ABC);
    assert_eq!(case.fails("b"), "stop c1");
    assert_eq!(case.stops("c"), "start b2");
    assert_eq!(case.started("b"), "start c2");
    assert_eq!(case.started("c"), "");
    assert!(case.told().contains("with 1 (1/3)"));
}

#[test]
fn a_restart_that_takes_siblings_along_counts_once() {
    let mut case = Case::up(one_for_all(), permanent(), &ABC);
    case.fails("b");
    assert_eq!(case.machine.window_used(case.now), (1, 3));
}

#[test]
fn a_group_starts_all_at_once_where_parallel_is_declared() {
    let policy = SupervisorPolicy {
        start_order: StartOrder::Parallel,
        ..one_for_all()
    };
    let mut case = Case::up(policy, permanent(), &ABC);
    case.fails("a");
    case.stops("c");
    assert_eq!(case.stops("b"), "start a2, start b2, start c2");
}

#[test]
fn temporary_siblings_stopped_by_a_group_restart_are_not_restarted() {
    let mut case = Case::all_up(
        one_for_all(),
        &[("a", permanent()), ("t", temporary()), ("c", permanent())],
    );
    assert_eq!(case.fails("a"), "stop c1");
    assert_eq!(case.stops("c"), "stop t1");
    assert_eq!(case.stops("t"), "forget t, start a2");
    assert_eq!(case.started("a"), "start c2");
    let told = case.told();
    assert!(told.contains("restarting a attempt 1 after 0ns with 1 "), "{told}");
    assert!(told.contains("ended t1 Shutdown, let go t"), "{told}");
}

#[test]
fn one_for_all_tries_the_whole_group_again_when_another_child_fails_to_start() {
    let mut case = Case::up(one_for_all(), permanent(), &ABC);
    case.fails("a");
    case.stops("c");
    case.stops("b");
    case.started("a");
    assert_eq!(case.fails_to_start("b"), "stop a2");
    assert_eq!(case.stops("a"), "");
    assert_eq!(case.state("b"), Some(ChildState::Restarting));
    assert_eq!(case.queue(), "start a3");
    assert_eq!(case.machine.window_used(case.now), (2, 3));
    assert_eq!(case.started("a"), "start b3");
}

#[test]
fn rest_for_one_retries_a_later_child_with_the_rest_and_keeps_the_first() {
    let mut case = Case::up(rest_for_one(), permanent(), &ABC);
    case.fails("a");
    case.stops("c");
    assert_eq!(case.stops("b"), "start a2");
    assert_eq!(case.started("a"), "start b2");
    assert_eq!(case.fails_to_start("b"), "");
    assert_eq!(case.queue(), "start b3");
    assert_eq!(case.state("a"), Some(ChildState::Running));
    assert_eq!(case.started("b"), "start c2");
    assert_eq!(case.machine.window_used(case.now), (2, 3));
}

#[test]
fn a_restart_that_fails_to_start_is_tried_again_through_the_queue_and_each_try_counts() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    assert_eq!(case.fails("a"), "start a2");
    assert_eq!(case.fails_to_start("a"), "");
    assert_eq!(case.state("a"), Some(ChildState::Restarting));
    assert_eq!(case.queue(), "start a3");
    assert_eq!(case.fails_to_start("a"), "");
    assert_eq!(case.queue(), "start a4");
    assert_eq!(case.machine.window_used(case.now), (3, 3));
    assert_eq!(case.fails_to_start("a"), "end Escalated");
}

#[test]
fn a_transient_child_whose_restart_fails_to_start_is_tried_again() {
    let mut case = Case::up(one_for_one(), transient(), &["a"]);
    case.fails("a");
    assert_eq!(case.fails_to_start("a"), "");
    assert_eq!(case.queue(), "start a3");
}

#[test]
fn a_restart_that_ignores_leaves_the_child_down() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.fails("a");
    assert_eq!(case.ignores("a"), "");
    assert_eq!(case.state("a"), Some(ChildState::Down));
}

#[test]
fn a_restart_that_is_overdue_is_killed_and_tried_again() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.fails("a");
    assert_eq!(case.wait(5 * SECOND), "kill a2 Overdue");
    assert_eq!(case.exits("a", ExitReason::Killed(KillCause::Overdue)), "");
    assert_eq!(case.queue(), "start a3");
    assert!(case.told().contains("ended a2 StartOverdue, restarting a attempt 2"));
}

#[test]
fn further_exits_during_a_group_stop_are_folded_into_it() {
    let mut case = Case::up(one_for_all(), permanent(), &ABC);
    assert_eq!(case.fails("b"), "stop c1");
    assert_eq!(case.fails("a"), "");
    assert_eq!(case.stops("c"), "start a2");
    assert_eq!(case.machine.window_used(case.now), (1, 3));
}

#[test]
fn a_failure_while_the_group_starts_again_counts_and_begins_it_anew() {
    let mut case = Case::up(one_for_all(), permanent(), &ABC);
    case.fails("a");
    case.stops("c");
    case.stops("b");
    case.started("a");
    assert_eq!(case.fails("a"), "stop b2");
    assert_eq!(case.stops("b"), "start a3");
    assert_eq!(case.machine.window_used(case.now), (2, 3));
}

#[test]
fn a_failure_before_the_group_enlarges_it_to_begin_there() {
    let mut case = Case::up(rest_for_one(), permanent(), &["a", "b", "c", "d"]);
    assert_eq!(case.fails("c"), "stop d1");
    assert_eq!(case.fails("b"), "");
    assert_eq!(case.stops("d"), "start b2");
    assert_eq!(case.started("b"), "start c2");
    assert_eq!(case.started("c"), "start d2");
    assert_eq!(case.machine.window_used(case.now), (2, 3));
    assert_eq!(case.state("a"), Some(ChildState::Running));
}

#[test]
fn a_failure_before_a_group_in_backoff_stops_those_between() {
    let policy = SupervisorPolicy {
        backoff: Backoff {
            jitter: 0.0,
            ..Backoff::exponential(SECOND, SECOND)
        },
        ..rest_for_one()
    };
    let mut case = Case::up(policy, permanent(), &ABC);
    assert_eq!(case.fails("c"), "");
    case.wait(SECOND / 2);
    assert_eq!(case.fails("a"), "stop b1");
    assert_eq!(case.stops("b"), "");
    assert_eq!(case.wait(SECOND / 2), "");
    assert_eq!(case.wait(SECOND / 2), "start a2");
    assert_eq!(case.started("a"), "start b2");
    assert_eq!(case.started("b"), "start c2");
}

#[test]
fn a_group_restart_starts_terminated_siblings_as_well() {
    let mut case = Case::up(one_for_all(), permanent(), &ABC);
    case.terminate("b");
    case.stops("b");
    assert_eq!(case.fails("a"), "stop c1");
    assert!(case.told().contains("restarting a attempt 1 after 0ns with 2"));
    assert_eq!(case.stops("c"), "start a2");
    assert_eq!(case.started("a"), "start b2");
    assert_eq!(case.started("b"), "start c2");
}

#[test]
fn a_group_restart_leaves_a_quarantined_sibling_where_it_is() {
    let policy = SupervisorPolicy {
        intensity: Intensity::new(1, 10 * SECOND),
        ..one_for_all()
    };
    let mut case = Case::all_up(policy, &[("a", permanent()), ("q", quarantining())]);
    case.fails("q");
    case.stops("a");
    case.started("a");
    case.started("q");
    assert_eq!(case.fails("q"), "");
    assert_eq!(case.state("q"), Some(ChildState::Quarantined));
    case.told();
    assert_eq!(case.fails("a"), "start a3");
    assert!(case.told().contains("with 0"));
    assert_eq!(case.started("a"), "");
    assert_eq!(case.state("q"), Some(ChildState::Quarantined));
}

#[test]
fn a_child_quarantined_while_its_group_starts_leaves_its_turn_to_the_next() {
    let policy = SupervisorPolicy {
        intensity: Intensity::new(1, 10 * SECOND),
        ..one_for_all()
    };
    let mut case = Case::all_up(policy, &[("a", permanent()), ("q", quarantining()), ("c", permanent())]);
    case.fails("a");
    case.stops("c");
    case.stops("q");
    assert_eq!(case.started("a"), "start q2");
    assert_eq!(case.fails_to_start("q"), "start c2");
    assert_eq!(case.started("c"), "");
}

#[test]
fn a_child_terminated_during_a_group_stop_stays_down_and_the_group_goes_on() {
    let mut case = Case::up(one_for_all(), permanent(), &ABC);
    assert_eq!(case.fails("a"), "stop c1");
    assert_eq!(case.terminate("b"), "stop b1");
    assert_eq!(case.stops("b"), "#1 Terminated");
    assert_eq!(case.terminate("c"), "");
    assert_eq!(case.stops("c"), "#2 Terminated, start a2");
    assert_eq!(case.started("a"), "");
    assert_eq!(case.state("b"), Some(ChildState::Down));
    assert_eq!(case.state("c"), Some(ChildState::Down));
}

#[test]
fn a_child_being_terminated_when_a_group_restart_begins_stays_down() {
    let mut case = Case::up(one_for_all(), permanent(), &ABC);
    assert_eq!(case.terminate("b"), "stop b1");
    assert_eq!(case.fails("a"), "stop c1");
    assert_eq!(case.stops("c"), "");
    assert_eq!(case.stops("b"), "#1 Terminated, start a2");
    assert_eq!(case.started("a"), "start c2");
    assert!(case.told().contains("restarting a attempt 1 after 0ns with 1"));
}

#[test]
fn the_failing_child_may_be_terminated_while_its_group_waits() {
    let mut case = Case::up(rest_for_one(), permanent(), &ABC);
    assert_eq!(case.fails("b"), "stop c1");
    assert_eq!(case.terminate("b"), "#1 Terminated");
    assert_eq!(case.delete("b"), "forget b, #2 Deleted");
    assert_eq!(case.stops("c"), "start c2");
}

#[test]
fn a_child_that_a_caller_restarts_while_its_group_stops_waits_for_the_group() {
    let mut case = Case::up(one_for_all(), permanent(), &["a", "b"]);
    assert_eq!(case.fails("a"), "stop b1");
    assert_eq!(case.terminate("a"), "#1 Terminated");
    assert_eq!(case.restart("a"), "");
    assert_eq!(case.stops("b"), "start a2");
    assert_eq!(case.started("a"), "#2 Running(2), start b2");
}

#[test]
fn a_child_that_a_caller_restarts_behind_the_start_of_its_group_starts_at_once() {
    let mut case = Case::up(one_for_all(), permanent(), &["a", "b"]);
    case.fails("a");
    assert_eq!(case.stops("b"), "start a2");
    assert_eq!(case.started("a"), "start b2");
    case.terminate("a");
    assert_eq!(case.stops("a"), "#1 Terminated");
    assert_eq!(case.restart("a"), "start a3");
}

#[test]
fn a_group_that_is_up_again_makes_no_child_wait_for_another() {
    let mut case = Case::up(one_for_all(), permanent(), &["a"]);
    case.fails("a");
    case.started("a");
    assert_eq!(case.start_child("d", permanent()), "start d1");
    assert_eq!(case.start_child("e", permanent()), "start e1");
}

#[test]
fn a_child_added_during_a_group_restart_starts_in_its_turn() {
    let mut case = Case::up(one_for_all(), permanent(), &["a", "b"]);
    assert_eq!(case.fails("a"), "stop b1");
    assert_eq!(case.start_child("d", permanent()), "");
    assert_eq!(case.stops("b"), "start a2");
    assert_eq!(case.started("a"), "start b2");
    assert_eq!(case.started("b"), "start d1");
    assert_eq!(case.started("d"), "#1 Running(1)");
}

#[test]
fn a_child_added_while_the_last_of_a_group_starts_is_not_forgotten() {
    let mut case = Case::up(one_for_all(), permanent(), &["a"]);
    assert_eq!(case.fails("a"), "start a2");
    assert_eq!(case.start_child("d", permanent()), "");
    assert_eq!(case.started("a"), "start d1");
}

#[test]
fn a_pending_start_call_survives_a_group_restart() {
    let mut case = Case::up(one_for_all(), permanent(), &["a"]);
    assert_eq!(case.start_child("d", permanent()), "start d1");
    assert_eq!(case.fails("a"), "stop d1");
    assert_eq!(case.fails_to_start("d"), "start a2");
    assert_eq!(case.started("a"), "start d2");
    assert_eq!(case.started("d"), "#1 Running(2)");
}

#[test]
fn a_pending_start_call_of_a_temporary_child_is_interrupted_by_a_group_restart() {
    let mut case = Case::up(one_for_all(), permanent(), &["a"]);
    assert_eq!(case.start_child("d", temporary()), "start d1");
    assert_eq!(case.fails("a"), "stop d1");
    assert_eq!(case.stops("d"), "#1 Interrupted, forget d, start a2");
}

#[test]
fn a_child_restarted_by_a_caller_fails_alone_in_a_group_restart() {
    let mut case = Case::up(one_for_all(), permanent(), &["a", "b"]);
    case.terminate("b");
    case.stops("b");
    assert_eq!(case.restart("b"), "start b2");
    assert_eq!(case.fails("a"), "stop b2");
    assert_eq!(case.fails_to_start("b"), "start a2");
    assert_eq!(case.started("a"), "start b3");
    assert_eq!(case.fails_to_start("b"), "#2 NotStarted");
    assert_eq!(case.state("b"), Some(ChildState::Down));
    assert_eq!(case.state("a"), Some(ChildState::Running));
}

#[test]
fn a_stuck_child_is_killed_and_restarted_as_failed_whatever_its_exit_says() {
    let mut case = Case::up(one_for_one(), transient(), &["a"]);
    assert_eq!(case.is_stuck("a"), "kill a1 Stuck");
    assert_eq!(case.is_stuck("a"), "");
    assert_eq!(case.exits("a", ExitReason::Normal), "start a2");
    assert!(
        case.told()
            .starts_with("killed a1 Stuck, ended a1 Killed, restarting a")
    );
}

#[test]
fn the_restart_of_a_stuck_child_says_that_it_was_stuck() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.is_stuck("a");
    case.exits("a", ExitReason::Killed(KillCause::Overdue));
    let stuck = ExitReason::Killed(KillCause::Stuck);
    let says_so = |decision: &Decision| matches!(decision, Decision::Restarting { reason, .. } if *reason == stuck);
    assert!(case.decisions.iter().any(says_so));
}

#[test]
fn a_stuck_temporary_child_is_let_go() {
    let mut case = Case::up(one_for_one(), temporary(), &["a"]);
    case.is_stuck("a");
    assert_eq!(case.fails("a"), "forget a");
}

#[test]
fn no_replacement_starts_while_the_old_incarnation_may_be_alive() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.is_stuck("a");
    assert_eq!(case.wait(100 * SECOND), "");
    assert_eq!(case.told(), "killed a1 Stuck, unkillable a1");
    assert_eq!(case.state("a"), Some(ChildState::Stopping));
    assert_eq!(case.fails("a"), "start a2");
}

#[test]
fn a_group_waits_for_an_unkillable_sibling_until_somebody_terminates_it() {
    let mut case = Case::up(one_for_all(), permanent(), &ABC);
    assert_eq!(case.fails("a"), "stop c1");
    case.stops("c");
    assert_eq!(case.wait(50 * SECOND), "kill b1 Overdue");
    assert_eq!(case.terminate("b"), "start a2");
    assert_eq!(case.started("a"), "start c2");
    assert_eq!(case.stops("b"), "#1 Terminated");
}
