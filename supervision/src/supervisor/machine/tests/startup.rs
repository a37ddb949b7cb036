//! The contract: starts left to right; a failing start undoes those started.

use super::*;

fn parallel(policy: SupervisorPolicy) -> SupervisorPolicy {
    SupervisorPolicy {
        start_order: StartOrder::Parallel,
        ..policy
    }
}

fn abc(policy: SupervisorPolicy) -> Case {
    Case::new(policy, &[("a", permanent()), ("b", permanent()), ("c", permanent())])
}

#[test]
fn children_start_left_to_right_each_finished_before_the_next() {
    let mut case = abc(one_for_one());
    assert_eq!(case.boot(), "start a1");
    assert_eq!(case.started("a"), "start b1");
    assert_eq!(case.started("b"), "start c1");
    assert_eq!(case.started("c"), "ready");
    assert_eq!(case.told(), "started a1, started b1, started c1");
    assert_eq!(case.machine.counts().active, 3);
}

#[test]
fn a_child_whose_turn_has_not_come_shows_as_starting_and_has_no_incarnation() {
    let mut case = abc(one_for_one());
    case.boot();
    let view = |case: &Case, child| case.machine.child(child).map(|view| (view.state, view.incarnation));
    assert_eq!(view(&case, "a"), Some((ChildState::Starting, Some(1))));
    assert_eq!(view(&case, "b"), Some((ChildState::Starting, None)));
}

#[test]
fn a_child_that_had_lives_before_this_supervisor_is_numbered_after_them_and_is_new_otherwise() {
    let mut case = Case::new(one_for_one(), &[("a", permanent())]);
    case.machine.continue_numbering(ChildKey(1), 7);
    let view = |case: &Case| {
        let view = case.machine.child("a");
        view.map(|view| (view.state, view.incarnation, view.restarts))
    };
    assert_eq!(view(&case), Some((ChildState::Starting, None, 0)));
    assert_eq!(case.boot(), "start a8");
    case.started("a");
    assert_eq!(view(&case), Some((ChildState::Running, Some(8), 0)));
    assert_eq!(case.fails("a"), "start a9");
    assert_eq!(view(&case), Some((ChildState::Starting, Some(9), 1)));
}

#[test]
fn declared_parallel_they_start_all_at_once_and_are_ready_when_the_last_is_up() {
    let mut case = abc(parallel(one_for_one()));
    assert_eq!(case.boot(), "start a1, start b1, start c1");
    assert_eq!(case.started("c"), "");
    assert_eq!(case.started("a"), "");
    assert_eq!(case.started("b"), "ready");
}

#[test]
fn a_supervisor_without_children_is_ready_at_once() {
    let mut case = Case::new(one_for_one(), &[]);
    assert_eq!(case.boot(), "ready");
    assert_eq!(case.boot(), "");
    assert_eq!(case.stop(), "end Shutdown");
}

#[test]
fn a_failing_start_undoes_those_started_in_reverse() {
    let mut case = abc(one_for_all());
    case.boot();
    case.started("a");
    case.started("b");
    assert_eq!(case.fails_to_start("c"), "stop b1");
    assert_eq!(case.stops("b"), "stop a1");
    assert_eq!(case.stops("a"), "end ChildNotStarted");
    assert!(case.machine.has_ended());
}

#[test]
fn a_failing_start_is_told_with_the_nested_reason() {
    let mut case = Case::new(one_for_one(), &[("a", permanent())]);
    case.boot();
    let mut effects = Vec::new();
    let input = Input::NotStarted {
        key: ChildKey(1),
        incarnation: 1,
        why: NotStarted::Failed(failure()),
    };
    case.machine.step(input, case.now, &mut any_chance(), &mut effects);
    let reason = ExitReason::ChildNotStarted {
        child: name("a"),
        reason: Box::new(failure()),
    };
    let overdue = Vec::new();
    assert_eq!(effects.last(), Some(&Effect::End { reason, overdue }));
}

#[test]
fn a_failing_start_among_parallel_ones_stops_those_still_starting_too() {
    let mut case = abc(parallel(one_for_one()));
    case.boot();
    case.started("a");
    assert_eq!(case.fails_to_start("b"), "stop c1");
    assert_eq!(case.fails_to_start("c"), "stop a1");
    assert_eq!(case.stops("a"), "end ChildNotStarted");
}

#[test]
fn a_child_that_ignores_is_listed_without_an_incarnation() {
    let mut case = abc(one_for_one());
    case.boot();
    assert_eq!(case.ignores("a"), "start b1");
    assert_eq!(case.state("a"), Some(ChildState::Down));
    assert_eq!(case.machine.child("a").and_then(|view| view.incarnation), None);
    assert_eq!(case.told(), "ignored a");
}

#[test]
fn a_child_that_ignores_is_not_kept_if_temporary_or_dynamic() {
    let mut case = Case::new(one_for_one(), &[("a", temporary())]);
    case.boot();
    assert_eq!(case.ignores("a"), "forget a, ready");
    assert_eq!(case.state("a"), None);
    let mut case = Case::new(dynamic(), &[("a", permanent())]);
    case.boot();
    assert_eq!(case.ignores("a"), "forget a, ready");
}

#[test]
fn a_start_that_takes_too_long_is_killed_and_counts_as_failed_for_being_overdue() {
    let mut case = abc(one_for_one());
    case.boot();
    case.started("a");
    assert_eq!(case.wait(5 * SECOND), "kill b1 Overdue");
    assert_eq!(case.exits("b", ExitReason::Normal), "stop a1");
    assert_eq!(case.stops("a"), "end ChildNotStarted");
    assert!(case.told().contains("killed b1 Overdue, ended b1 StartOverdue"));
}

#[test]
fn a_start_within_its_time_is_not_killed() {
    let mut case = abc(one_for_one());
    case.boot();
    assert_eq!(case.wait(just_under(5 * SECOND)), "");
    assert_eq!(case.started("a"), "start b1");
    assert_eq!(case.wait(NANOSECOND), "");
}

#[test]
fn a_start_without_limit_is_never_overdue() {
    let patient = ChildPolicy {
        start_within: None,
        ..permanent()
    };
    let mut case = Case::new(one_for_one(), &[("a", patient), ("b", permanent())]);
    case.boot();
    assert_eq!(case.wait(Duration::MAX), "");
    assert_eq!(case.started("a"), "start b1");
}

#[test]
fn a_boot_does_not_wait_for_an_overdue_start_that_cannot_be_killed() {
    let mut case = abc(one_for_one());
    case.boot();
    case.started("a");
    assert_eq!(case.wait(6 * SECOND), "kill b1 Overdue, stop a1");
    assert_eq!(case.stops("a"), "end ChildNotStarted b1 left after 5s");
}

#[test]
fn a_restart_that_is_overdue_and_cannot_be_killed_does_not_fail_the_boot() {
    let mut case = abc(one_for_one());
    case.boot();
    case.started("a");
    assert_eq!(case.fails("a"), "start a2");
    case.wait(4 * SECOND);
    assert_eq!(case.started("b"), "start c1");
    assert_eq!(case.wait(2 * SECOND), "kill a2 Overdue");
    assert!(case.told().ends_with("unkillable a2"));
    assert_eq!(case.started("c"), "ready");
}

#[test]
fn stop_during_boot_stops_the_starting_child_first_and_starts_no_other() {
    let mut case = abc(one_for_one());
    case.boot();
    case.started("a");
    assert_eq!(case.stop(), "stop b1");
    assert_eq!(case.fails_to_start("b"), "stop a1");
    assert_eq!(case.stops("a"), "end Shutdown");
}

#[test]
fn stop_before_boot_ends_at_once() {
    let mut case = abc(one_for_one());
    assert_eq!(case.stop(), "end Shutdown");
    assert_eq!(case.boot(), "");
}

#[test]
fn a_child_that_fails_during_boot_is_restarted_at_once_if_it_restarts_alone() {
    let mut case = abc(one_for_one());
    case.boot();
    case.started("a");
    assert_eq!(case.fails("a"), "start a2");
    assert_eq!(case.started("b"), "start c1");
    assert_eq!(case.started("c"), "ready");
    assert_eq!(case.started("a"), "");
}

#[test]
fn a_restart_that_fails_during_boot_is_tried_again_and_does_not_fail_the_boot() {
    let mut case = abc(one_for_one());
    case.boot();
    case.started("a");
    case.fails("a");
    assert_eq!(case.fails_to_start("a"), "");
    assert_eq!(case.queue(), "start a3");
}

#[test]
fn a_group_restart_waits_for_the_boot_to_complete() {
    let mut case = abc(one_for_all());
    case.boot();
    case.started("a");
    assert_eq!(case.fails("a"), "");
    assert_eq!(case.state("a"), Some(ChildState::Restarting));
    assert_eq!(case.started("b"), "start c1");
    assert_eq!(case.started("c"), "ready, stop c1");
    assert_eq!(case.stops("c"), "stop b1");
    assert_eq!(case.stops("b"), "start a2");
}

#[test]
fn two_failures_during_boot_make_one_group_restart() {
    let mut case = abc(one_for_all());
    case.boot();
    case.started("a");
    case.fails("a");
    case.started("b");
    case.fails("b");
    assert_eq!(case.started("c"), "ready, stop c1");
    assert_eq!(case.stops("c"), "start a2");
    assert_eq!(case.machine.window_used(case.now), (1, 3));
}

#[test]
fn of_failures_during_boot_only_the_first_that_is_too_many_escalates() {
    let policy = SupervisorPolicy {
        intensity: Intensity::new(0, SECOND),
        ..one_for_all()
    };
    let mut case = abc(policy);
    case.boot();
    for child in ["a", "b"] {
        case.started(child);
        case.fails(child);
    }
    case.told();
    assert_eq!(case.started("c"), "ready, stop c1");
    assert_eq!(case.told(), "started c1, escalated a");
}

#[test]
fn of_two_failures_of_one_child_during_boot_the_later_is_told_as_the_reason() {
    let mut case = abc(one_for_all());
    case.boot();
    case.started("a");
    case.fails("a");
    case.terminate("a");
    assert_eq!(case.restart("a"), "start a2");
    case.started("a");
    let late = ExitReason::Killed(KillCause::Outside);
    case.exits("a", late.clone());
    case.started("b");
    case.told();
    assert_eq!(case.started("c"), "ready, stop c1");
    let is_it = |decision: &Decision| matches!(decision, Decision::Restarting { reason, .. } if *reason == late);
    assert!(case.decisions.iter().any(is_it));
}

#[test]
fn a_boot_goes_on_without_an_unkillable_child_that_was_terminated() {
    let mut case = abc(one_for_one());
    case.boot();
    assert_eq!(case.terminate("a"), "stop a1");
    assert_eq!(case.wait(3 * SECOND), "kill a1 Overdue, start b1");
}

#[test]
fn a_boot_that_fails_does_not_restart_what_fell_meanwhile() {
    let mut case = abc(one_for_all());
    case.boot();
    case.started("a");
    case.fails("a");
    assert_eq!(case.fails_to_start("b"), "end ChildNotStarted");
}

#[test]
fn a_child_terminated_during_boot_leaves_its_turn_to_the_next() {
    let mut case = abc(one_for_one());
    case.boot();
    assert_eq!(case.terminate("b"), "#1 Terminated");
    assert_eq!(case.terminate("a"), "stop a1");
    assert_eq!(case.fails_to_start("a"), "#2 Terminated, start c1");
    assert_eq!(case.started("c"), "ready");
}

#[test]
fn a_child_added_during_boot_starts_when_the_boot_is_complete() {
    let mut case = abc(one_for_one());
    case.boot();
    assert_eq!(case.start_child("d", permanent()), "");
    assert_eq!(case.state("d"), Some(ChildState::Starting));
    case.started("a");
    case.started("b");
    assert_eq!(case.started("c"), "ready, start d1");
    assert_eq!(case.started("d"), "#1 Running(1)");
}

#[test]
fn a_child_added_before_the_boot_starts_in_its_turn() {
    let mut case = Case::new(one_for_one(), &[("a", permanent())]);
    assert_eq!(case.start_child("d", permanent()), "");
    assert_eq!(case.boot(), "start a1");
    assert_eq!(case.started("a"), "start d1");
    assert_eq!(case.started("d"), "#1 Running(1), ready");
}

#[test]
fn a_child_added_during_boot_has_its_turn_in_the_group_restart_that_follows() {
    let mut case = Case::new(one_for_all(), &[("a", permanent()), ("b", permanent())]);
    case.boot();
    case.started("a");
    case.fails("a");
    assert_eq!(case.start_child("d", permanent()), "");
    assert_eq!(case.started("b"), "ready, stop b1");
    assert_eq!(case.stops("b"), "start a2");
    assert_eq!(case.started("a"), "start b2");
    assert_eq!(case.started("b"), "start d1");
    assert_eq!(case.started("d"), "#1 Running(1)");
}

#[test]
fn a_child_added_during_boot_never_starts_if_what_fell_meanwhile_ends_the_supervisor() {
    let policy = SupervisorPolicy {
        intensity: Intensity::new(0, SECOND),
        ..one_for_all()
    };
    let mut case = Case::new(policy, &[("a", permanent()), ("b", permanent())]);
    case.boot();
    case.started("a");
    case.fails("a");
    case.start_child("d", permanent());
    assert_eq!(case.started("b"), "ready, #1 Ending, stop b1");
    assert_eq!(case.stops("b"), "end Escalated");
}

#[test]
fn a_child_terminated_and_restarted_before_its_turn_starts_in_its_turn() {
    let mut case = abc(one_for_one());
    case.boot();
    assert_eq!(case.terminate("b"), "#1 Terminated");
    assert_eq!(case.restart("b"), "");
    assert_eq!(case.started("a"), "start b1");
    assert_eq!(case.started("b"), "#2 Running(1), start c1");
}

#[test]
fn a_boot_does_not_wait_for_a_child_that_a_caller_restarts_behind_it() {
    let mut case = abc(one_for_one());
    case.boot();
    case.started("a");
    case.terminate("a");
    case.stops("a");
    assert_eq!(case.restart("a"), "start a2");
    assert_eq!(case.started("b"), "start c1");
    assert_eq!(case.started("c"), "ready");
    assert_eq!(case.started("a"), "#2 Running(2)");
}

#[test]
fn nor_does_a_parallel_boot_even_if_it_is_the_last_child() {
    let mut case = abc(parallel(one_for_one()));
    assert_eq!(case.terminate("c"), "#1 Terminated");
    assert_eq!(case.boot(), "start a1, start b1");
    assert_eq!(case.restart("c"), "start c1");
    case.started("a");
    assert_eq!(case.started("b"), "ready");
    assert_eq!(case.started("c"), "#2 Running(1)");
}

#[test]
fn a_group_start_does_not_wait_for_a_child_before_it_that_was_added_during_boot() {
    let mut case = Case::new(rest_for_one(), &[("a", permanent())]);
    case.boot();
    case.start_child("d", permanent());
    case.start_child("e", permanent());
    assert_eq!(case.started("a"), "ready, start d1, start e1");
    assert_eq!(case.started("e"), "#2 Running(1)");
    assert_eq!(case.fails("e"), "start e2");
}

#[test]
fn a_child_added_during_boot_that_fails_fails_only_its_caller() {
    let mut case = Case::new(one_for_all(), &[("a", permanent())]);
    case.boot();
    case.start_child("d", permanent());
    assert_eq!(case.started("a"), "ready, start d1");
    assert_eq!(case.fails_to_start("d"), "forget d, #1 NotStarted");
    assert_eq!(case.state("a"), Some(ChildState::Running));
}

#[test]
fn a_duplicate_name_and_a_duplicate_key_are_refused() {
    let two = |key, other| {
        vec![
            (ChildKey(1), name("a"), permanent()),
            (ChildKey(key), name(other), permanent()),
        ]
    };
    let duplicate = |child| SpecificationError::Duplicate { child: name(child) };
    assert_eq!(Machine::new(one_for_one(), two(2, "a")).err(), Some(duplicate("a")));
    assert_eq!(Machine::new(one_for_one(), two(1, "b")).err(), Some(duplicate("b")));
}
