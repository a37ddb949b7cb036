//! The contract: more restarts than allowed within the period end the supervisor, or quarantine the child.

use super::*;

fn bears(restarts: u32, policy: SupervisorPolicy) -> SupervisorPolicy {
    SupervisorPolicy {
        intensity: Intensity::new(restarts, 5 * SECOND),
        ..policy
    }
}

fn fails_and_returns(case: &mut Case, child: &str) {
    case.fails(child);
    case.started(child);
}

#[test]
fn one_restart_too_many_ends_the_supervisor_right_to_left() {
    let mut case = Case::up(bears(1, one_for_one()), permanent(), &["a", "b", "c"]);
    fails_and_returns(&mut case, "b");
    assert_eq!(case.fails("b"), "stop c1");
    assert_eq!(case.stops("c"), "stop a1");
    assert_eq!(case.stops("a"), "end Escalated");
    assert!(case.told().contains("escalated b"));
}

#[test]
fn the_escalation_names_the_child_its_reason_and_the_intensity() {
    let mut case = Case::up(bears(0, one_for_one()), permanent(), &["a"]);
    case.fails("a");
    let told = case.decisions.pop();
    let escalation = Escalation {
        child: name("a"),
        reason: failure(),
        restarts: 0,
        period: 5 * SECOND,
    };
    assert_eq!(told, Some(Decision::Escalated(Box::new(escalation))));
}

#[test]
fn no_allowed_restart_means_that_the_first_failure_escalates() {
    let mut case = Case::up(bears(0, one_for_one()), permanent(), &["a"]);
    assert_eq!(case.fails("a"), "end Escalated");
}

#[test]
fn restarts_of_different_children_count_together() {
    let mut case = Case::up(bears(2, one_for_one()), permanent(), &["a", "b", "c"]);
    fails_and_returns(&mut case, "a");
    fails_and_returns(&mut case, "b");
    assert_eq!(case.fails("c"), "stop b2");
}

#[test]
fn a_restart_exactly_a_period_ago_still_counts() {
    let mut case = Case::up(bears(1, one_for_one()), permanent(), &["a"]);
    fails_and_returns(&mut case, "a");
    case.wait(5 * SECOND);
    assert_eq!(case.fails("a"), "end Escalated");
}

#[test]
fn a_restart_longer_than_a_period_ago_does_not() {
    let mut case = Case::up(bears(1, one_for_one()), permanent(), &["a"]);
    for incarnation in 2..20 {
        case.wait(5 * SECOND + NANOSECOND);
        assert_eq!(case.fails("a"), format!("start a{incarnation}"));
        case.started("a");
    }
}

#[test]
fn the_window_counts_restarts_not_waits() {
    let policy = SupervisorPolicy {
        backoff: Backoff {
            jitter: 0.0,
            ..Backoff::exponential(4 * SECOND, 4 * SECOND)
        },
        ..bears(1, one_for_one())
    };
    let mut case = Case::up(policy, permanent(), &["a"]);
    case.fails("a");
    case.wait(4 * SECOND);
    case.started("a");
    case.wait(SECOND / 2);
    assert_eq!(case.fails("a"), "end Escalated");
}

#[test]
fn a_child_that_says_quarantine_stays_down_and_its_siblings_go_on() {
    let mut case = Case::all_up(bears(1, one_for_one()), &[("a", permanent()), ("q", quarantining())]);
    fails_and_returns(&mut case, "q");
    assert_eq!(case.fails("q"), "");
    assert_eq!(case.state("q"), Some(ChildState::Quarantined));
    assert_eq!(case.state("a"), Some(ChildState::Running));
    assert!(case.told().ends_with("quarantined q"));
}

#[test]
fn siblings_are_not_punished_for_a_quarantined_child() {
    let mut case = Case::all_up(bears(1, one_for_one()), &[("a", permanent()), ("q", quarantining())]);
    fails_and_returns(&mut case, "q");
    case.fails("q");
    assert_eq!(case.machine.window_used(case.now), (0, 1));
    assert_eq!(case.fails("a"), "start a2");
}

#[test]
fn quarantine_under_a_group_strategy_stops_no_sibling() {
    for policy in [one_for_all(), rest_for_one()] {
        let children = [("q", quarantining()), ("b", permanent())];
        let mut case = Case::all_up(bears(0, policy), &children);
        assert_eq!(case.fails("q"), "");
        assert_eq!(case.state("q"), Some(ChildState::Quarantined));
        assert_eq!(case.state("b"), Some(ChildState::Running));
    }
}

#[test]
fn a_restart_that_keeps_failing_to_start_ends_in_quarantine() {
    let mut case = Case::up(bears(2, one_for_one()), quarantining(), &["q"]);
    case.fails("q");
    case.fails_to_start("q");
    case.queue();
    assert_eq!(case.fails_to_start("q"), "");
    assert_eq!(case.state("q"), Some(ChildState::Quarantined));
}

#[test]
fn a_group_that_keeps_failing_to_start_escalates() {
    let mut case = Case::up(bears(2, one_for_all()), permanent(), &["a", "b"]);
    case.fails("b");
    case.stops("a");
    case.started("a");
    case.fails_to_start("b");
    case.stops("a");
    case.queue();
    case.started("a");
    assert_eq!(case.fails_to_start("b"), "stop a3");
    assert_eq!(case.stops("a"), "end Escalated");
}

#[test]
fn a_start_in_a_group_that_escalates_is_the_last_start() {
    let mut case = Case::up(bears(1, one_for_all()), permanent(), &["a", "b", "c"]);
    case.fails("a");
    case.stops("c");
    case.stops("b");
    assert_eq!(case.started("a"), "start b2");
    assert_eq!(case.fails_to_start("b"), "stop a2");
    assert_eq!(case.stops("a"), "end Escalated");
}

#[test]
fn other_limits_count_from_the_next_failure_on() {
    let mut case = Case::up(bears(1, one_for_one()), permanent(), &["a", "b"]);
    fails_and_returns(&mut case, "a");
    let adjustment = Adjustment {
        intensity: Intensity::new(2, 5 * SECOND),
        backoff: Backoff {
            jitter: 0.0,
            ..Backoff::exponential(SECOND, SECOND)
        },
    };
    assert_eq!(case.give(Input::Adjust(adjustment)), "");
    assert_eq!(case.fails("a"), "", "it waits now");
    assert_eq!(case.wait(SECOND), "start a3");
    case.started("a");
    assert_eq!(case.fails("a"), "stop b1");
}

#[test]
fn a_supervisor_that_ends_is_not_kept_from_it_by_other_limits() {
    let mut case = Case::up(bears(1, one_for_one()), permanent(), &["a"]);
    case.stop();
    let policy = bears(9, one_for_one());
    let adjustment = Adjustment {
        intensity: policy.intensity,
        backoff: policy.backoff,
    };
    assert_eq!(case.give(Input::Adjust(adjustment)), "");
    assert_eq!(case.stops("a"), "end Shutdown");
}
