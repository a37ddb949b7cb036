//! The contract's calls, in each state of the child they name.

use super::*;

/// A child in each state that a call may meet, under `one_for_one`.
fn in_state(state: ChildState) -> Case {
    let policy = SupervisorPolicy {
        intensity: Intensity::new(if state == ChildState::Quarantined { 0 } else { 3 }, SECOND),
        backoff: Backoff::exponential(SECOND, SECOND),
        ..one_for_one()
    };
    let own = ChildPolicy {
        on_limit: OnLimit::Quarantine,
        ..permanent()
    };
    let mut case = Case::up(policy, own, &["a"]);
    match state {
        ChildState::Running => {}
        ChildState::Starting => {
            case.fails("a");
            case.wait(SECOND);
        }
        ChildState::Stopping => {
            case.is_stuck("a");
        }
        ChildState::Restarting | ChildState::Quarantined => {
            case.fails("a");
        }
        ChildState::Down => {
            case.terminate("a");
            case.stops("a");
        }
    }
    assert_eq!(case.state("a"), Some(state));
    case.next_call = 0;
    case
}

#[test]
fn every_call_is_answered_as_the_childs_state_demands() {
    use ChildState::{Down, Quarantined, Restarting, Running, Starting, Stopping};
    let table = [
        (
            Running,
            "#1 AlreadyStarted",
            "stop a1",
            "#1 Running",
            "#1 Running",
            "#1 NotQuarantined",
        ),
        (
            Starting,
            "#1 AlreadyStarted",
            "stop a2",
            "#1 Restarting",
            "#1 Restarting",
            "#1 NotQuarantined",
        ),
        (
            Stopping,
            "#1 AlreadyStarted",
            "",
            "#1 Restarting",
            "#1 Restarting",
            "#1 NotQuarantined",
        ),
        (
            Restarting,
            "#1 AlreadyPresent",
            "#1 Terminated",
            "#1 Restarting",
            "#1 Restarting",
            "#1 NotQuarantined",
        ),
        (
            Down,
            "#1 AlreadyPresent",
            "#1 Terminated",
            "start a2",
            "forget a, #1 Deleted",
            "#1 NotQuarantined",
        ),
        (
            Quarantined,
            "#1 AlreadyPresent",
            "#1 Terminated",
            "start a2",
            "forget a, #1 Deleted",
            "start a2",
        ),
    ];
    for (state, start, terminate, restart, delete, retry) in table {
        assert_eq!(in_state(state).start_child("a", permanent()), start, "start {state:?}");
        assert_eq!(in_state(state).terminate("a"), terminate, "terminate {state:?}");
        assert_eq!(in_state(state).restart("a"), restart, "restart {state:?}");
        assert_eq!(in_state(state).delete("a"), delete, "delete {state:?}");
        assert_eq!(in_state(state).retry("a"), retry, "retry {state:?}");
    }
}

#[test]
fn an_unknown_name_is_an_error() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    assert_eq!(case.terminate("x"), "#1 NotFound");
    assert_eq!(case.restart("x"), "#2 NotFound");
    assert_eq!(case.delete("x"), "#3 NotFound");
    assert_eq!(case.retry("x"), "#4 NotFound");
}

#[test]
fn start_child_answers_when_the_child_runs_and_adds_it_at_the_right_end() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    assert_eq!(case.start_child("d", permanent()), "start d1");
    assert_eq!(case.started("d"), "#1 Running(1)");
    let names: Vec<_> = case.machine.children().map(|child| child.name.to_string()).collect();
    assert_eq!(names, ["a", "d"]);
    assert_eq!(case.stop(), "stop d1");
}

#[test]
fn a_start_child_that_fails_keeps_no_specification_and_counts_no_restart() {
    for policy in [permanent(), transient(), temporary()] {
        let mut case = Case::up(one_for_one(), permanent(), &["a"]);
        case.start_child("d", policy);
        assert_eq!(case.fails_to_start("d"), "forget d, #1 NotStarted");
        assert_eq!(case.state("d"), None);
        assert_eq!(case.machine.window_used(case.now), (0, 3));
    }
}

#[test]
fn a_start_child_that_is_overdue_is_told_so() {
    let mut case = Case::up(one_for_one(), permanent(), &[]);
    case.start_child("d", permanent());
    assert_eq!(case.wait(5 * SECOND), "kill d1 Overdue");
    assert_eq!(case.exits("d", ExitReason::Normal), "forget d, #1 NotStarted");
    assert_eq!(case.told(), "killed d1 Overdue, ended d1 StartOverdue");
}

#[test]
fn a_start_child_that_ignores_is_kept_down_unless_temporary_or_dynamic() {
    let mut case = Case::up(one_for_one(), permanent(), &[]);
    case.start_child("d", permanent());
    assert_eq!(case.ignores("d"), "#1 Ignored");
    assert_eq!(case.state("d"), Some(ChildState::Down));
    case.start_child("t", temporary());
    assert_eq!(case.ignores("t"), "forget t, #2 Ignored");
    let mut case = Case::up(dynamic(), permanent(), &[]);
    case.start_child("d", permanent());
    assert_eq!(case.ignores("d"), "forget d, #1 Ignored");
}

#[test]
fn a_key_that_is_taken_is_refused() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    let request = Request::Start {
        key: ChildKey(1),
        name: name("b"),
        policy: permanent(),
    };
    assert_eq!(case.call(request), "#1 AlreadyPresent");
}

#[test]
fn terminate_child_keeps_the_specification_unless_temporary_or_dynamic() {
    let mut case = Case::all_up(one_for_one(), &[("a", permanent()), ("t", temporary())]);
    case.terminate("a");
    assert_eq!(case.stops("a"), "#1 Terminated");
    case.terminate("t");
    assert_eq!(case.stops("t"), "forget t, #2 Terminated");
    let mut case = Case::up(dynamic(), permanent(), &["a"]);
    case.terminate("a");
    assert_eq!(case.stops("a"), "forget a, #1 Terminated");
}

#[test]
fn terminate_child_restarts_nothing_whatever_the_exit_says() {
    let mut case = Case::up(one_for_all(), permanent(), &["a", "b"]);
    case.terminate("a");
    assert_eq!(case.fails("a"), "#1 Terminated");
    assert!(!case.told().contains("restarting"));
}

#[test]
fn terminate_child_kills_when_the_time_is_over() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    assert_eq!(case.terminate("a"), "stop a1");
    assert_eq!(case.wait(2 * SECOND), "kill a1 Overdue");
    assert_eq!(case.fails("a"), "#1 Terminated");
}

#[test]
fn all_who_wait_for_the_same_termination_are_answered() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.terminate("a");
    assert_eq!(case.terminate("a"), "");
    assert_eq!(case.stops("a"), "#1 Terminated, #2 Terminated");
}

#[test]
fn a_termination_interrupts_whoever_waits_for_the_start() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.start_child("d", permanent());
    assert_eq!(case.terminate("d"), "#1 Interrupted, stop d1");
    assert_eq!(case.fails_to_start("d"), "#2 Terminated");
    assert_eq!(case.restart("d"), "start d2");
    assert_eq!(case.terminate("d"), "#3 Interrupted, stop d2");
}

#[test]
fn a_termination_overrules_the_restart_of_a_stuck_or_overdue_child() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.is_stuck("a");
    case.terminate("a");
    assert_eq!(case.fails("a"), "#1 Terminated");
    assert_eq!(case.state("a"), Some(ChildState::Down));
    case.restart("a");
    case.wait(5 * SECOND);
    assert_eq!(case.terminate("a"), "#2 Interrupted");
    assert_eq!(case.fails_to_start("a"), "#3 Terminated");
}

#[test]
fn a_child_on_its_way_down_counts_as_running_for_other_callers() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.terminate("a");
    assert_eq!(case.restart("a"), "#2 Running");
    assert_eq!(case.delete("a"), "#3 Running");
}

#[test]
fn restart_child_answers_when_the_child_runs() {
    let mut case = in_state(ChildState::Down);
    assert_eq!(case.restart("a"), "start a2");
    assert_eq!(case.started("a"), "#1 Running(2)");
    assert_eq!(case.machine.child("a").map(|view| view.restarts), Some(0));
}

#[test]
fn a_restart_child_that_fails_leaves_it_down() {
    let mut case = in_state(ChildState::Down);
    case.restart("a");
    assert_eq!(case.fails_to_start("a"), "#1 NotStarted");
    assert_eq!(case.state("a"), Some(ChildState::Down));
}

#[test]
fn a_restart_child_that_ignores_leaves_it_down() {
    let mut case = in_state(ChildState::Down);
    case.restart("a");
    assert_eq!(case.ignores("a"), "#1 Ignored");
    assert_eq!(case.state("a"), Some(ChildState::Down));
}

#[test]
fn a_retry_brings_a_quarantined_child_back_with_a_clean_record() {
    let policy = SupervisorPolicy {
        intensity: Intensity::new(1, 10 * SECOND),
        backoff: Backoff {
            jitter: 0.0,
            ..Backoff::exponential(SECOND, 60 * SECOND)
        },
        ..one_for_one()
    };
    let mut case = Case::up(policy, quarantining(), &["a"]);
    case.fails("a");
    case.wait(SECOND);
    case.started("a");
    case.fails("a");
    assert_eq!(case.retry("a"), "start a3");
    assert_eq!(case.started("a"), "#1 Running(3)");
    case.told();
    case.fails("a");
    assert!(case.told().contains("attempt 1 after 1s with 0 (1/1)"));
}

#[test]
fn a_retry_that_fails_leaves_the_child_in_quarantine() {
    let mut case = in_state(ChildState::Quarantined);
    case.retry("a");
    assert_eq!(case.fails_to_start("a"), "#1 NotStarted");
    assert_eq!(case.state("a"), Some(ChildState::Quarantined));
}

#[test]
fn a_restart_child_that_fails_leaves_a_quarantined_child_in_quarantine() {
    let mut case = in_state(ChildState::Quarantined);
    case.restart("a");
    assert_eq!(case.fails_to_start("a"), "#1 NotStarted");
    assert_eq!(case.state("a"), Some(ChildState::Quarantined));
}

#[test]
fn a_termination_does_not_take_a_child_out_of_quarantine() {
    let mut case = in_state(ChildState::Quarantined);
    assert_eq!(case.terminate("a"), "#1 Terminated");
    assert_eq!(case.state("a"), Some(ChildState::Quarantined));
    assert_eq!(case.retry("a"), "start a2");
}

#[test]
fn dynamic_supervisors_neither_restart_nor_delete() {
    let mut case = Case::up(dynamic(), permanent(), &["a"]);
    assert_eq!(case.restart("a"), "#1 Dynamic");
    assert_eq!(case.delete("a"), "#2 Dynamic");
}

#[test]
fn a_dynamic_child_in_quarantine_may_be_retried_or_terminated() {
    let policy = SupervisorPolicy {
        intensity: Intensity::new(0, SECOND),
        ..dynamic()
    };
    let mut case = Case::up(policy, quarantining(), &["a", "b"]);
    case.fails("a");
    case.fails("b");
    assert_eq!(case.retry("a"), "start a2");
    assert_eq!(case.terminate("b"), "forget b, #2 Terminated");
}

#[test]
fn a_deleted_name_may_be_used_again() {
    let mut case = in_state(ChildState::Down);
    case.delete("a");
    assert_eq!(case.start_child("a", permanent()), "start a1");
}

#[test]
fn observation_shows_the_children_as_they_are() {
    let mut case = Case::all_up(one_for_one(), &[("a", permanent()), ("b", transient())]);
    case.exits("b", ExitReason::Normal);
    case.fails("a");
    case.started("a");
    let Some(view) = case.machine.child("a") else {
        panic!("no a")
    };
    assert_eq!(
        (view.state, view.incarnation, view.restarts),
        (ChildState::Running, Some(2), 1)
    );
    assert_eq!(*view.policy, permanent());
    let counts = case.machine.counts();
    assert_eq!((counts.specified, counts.active, counts.down), (2, 1, 1));
    assert_eq!(case.machine.child("b").and_then(|view| view.incarnation), None);
}

#[test]
fn one_that_is_withdrawn_ends_and_is_forgotten_wherever_it_stands() {
    let mut case = Case::up(one_for_one(), permanent(), &["a", "b"]);
    assert_eq!(case.withdraw("a"), "stop a1");
    assert_eq!(case.stops("a"), "forget a");
    assert_eq!(case.terminate("b"), "stop b1");
    assert_eq!(case.stops("b"), "#1 Terminated");
    assert_eq!(case.withdraw("b"), "forget b");
    assert_eq!(case.start_child("c", permanent()), "start c1");
    assert_eq!(case.withdraw("c"), "#2 Interrupted, stop c1");
    assert_eq!(
        case.not_started("c", NotStarted::Failed(ExitReason::Shutdown)),
        "forget c"
    );
    assert_eq!(case.machine.counts().specified, 0);
}

#[test]
fn one_that_was_placed_and_that_somebody_else_has_started_is_up_all_the_same() {
    let mut case = Case::new(one_for_one(), &[]);
    case.boot();
    let placed = [("a", 7), ("b", 8)].map(|(child, key)| {
        case.names.insert(ChildKey(key), child.into());
        (ChildKey(key), name(child), permanent())
    });
    assert_eq!(case.call(Request::Place(placed.to_vec())), "#1 Terminated");
    let start = |case: &mut Case, child| case.call(Request::StartPlaced(name(child)));
    assert_eq!(start(&mut case, "a"), "start a1");
    assert_eq!(case.started("a"), "#2 Running(1)");
    assert_eq!(case.restart("b"), "start b1");
    assert_eq!(start(&mut case, "b"), "#4 Running(1)");
    assert_eq!(case.started("b"), "#3 Running(1)");
    assert_eq!(start(&mut case, "b"), "#5 Running(1)");
    assert_eq!(case.terminate("b"), "stop b1");
    assert_eq!(start(&mut case, "b"), "#7 Running");
}
