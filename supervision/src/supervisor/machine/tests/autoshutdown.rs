//! The contract: significant children and auto-shutdown.

use super::*;

fn any() -> SupervisorPolicy {
    SupervisorPolicy {
        auto_shutdown: AutoShutdown::AnySignificant,
        ..one_for_one()
    }
}

fn all() -> SupervisorPolicy {
    SupervisorPolicy {
        auto_shutdown: AutoShutdown::AllSignificant,
        ..one_for_one()
    }
}

fn case(policy: SupervisorPolicy) -> Case {
    let children = [
        ("a", permanent()),
        ("s", significant(transient())),
        ("t", significant(temporary())),
    ];
    Case::all_up(policy, &children)
}

#[test]
fn any_significant_ends_the_supervisor_when_one_ends_by_itself() {
    let mut case = case(any());
    assert_eq!(case.exits("s", ExitReason::Normal), "stop t1");
    assert_eq!(case.stops("t"), "forget t, stop a1");
    assert_eq!(case.stops("a"), "end AutoShutdown");
    assert!(case.told().contains("let go s, auto-shutdown s"));
}

#[test]
fn a_significant_temporary_child_counts_however_it_ends() {
    assert_eq!(case(any()).fails("t"), "forget t, stop s1");
}

#[test]
fn a_significant_transient_child_that_fails_is_restarted_instead() {
    assert_eq!(case(any()).fails("s"), "start s2");
}

#[test]
fn an_insignificant_child_ends_nothing() {
    let mut case = Case::all_up(any(), &[("a", transient()), ("s", significant(transient()))]);
    assert_eq!(case.exits("a", ExitReason::Normal), "");
}

#[test]
fn all_significant_waits_for_the_last_of_them() {
    let mut case = case(all());
    assert_eq!(case.exits("s", ExitReason::Normal), "");
    assert_eq!(case.fails("t"), "forget t, stop a1");
    assert_eq!(case.stops("a"), "end AutoShutdown");
}

#[test]
fn all_significant_counts_one_that_is_being_restarted_as_present() {
    let policy = SupervisorPolicy {
        backoff: Backoff::exponential(SECOND, SECOND),
        ..all()
    };
    let mut case = case(policy);
    case.fails("s");
    assert_eq!(case.fails("t"), "forget t");
}

#[test]
fn an_end_that_the_supervisor_caused_ends_nothing() {
    let mut case = case(any());
    case.terminate("s");
    assert_eq!(case.exits("s", ExitReason::Normal), "#1 Terminated");
    case.terminate("t");
    assert_eq!(case.stops("t"), "forget t, #2 Terminated");
    assert!(!case.told().contains("auto-shutdown"));
}

#[test]
fn all_significant_ends_when_the_last_goes_by_itself_even_if_others_were_terminated() {
    let mut case = case(all());
    case.terminate("t");
    case.stops("t");
    assert_eq!(case.exits("s", ExitReason::Normal), "stop a1");
}

#[test]
fn a_significant_sibling_stopped_by_a_group_restart_ends_nothing() {
    let policy = SupervisorPolicy {
        strategy: Strategy::OneForAll,
        ..any()
    };
    let mut case = case(policy);
    assert_eq!(case.fails("a"), "stop t1");
    assert_eq!(case.stops("t"), "forget t, stop s1");
    assert_eq!(case.stops("s"), "start a2");
}

#[test]
fn significant_and_permanent_is_refused() {
    let error = |policy, child| Machine::new(policy, vec![(ChildKey(1), name("a"), child)]).err();
    let refused = Some(SpecificationError::Significant { child: name("a") });
    assert_eq!(error(any(), significant(permanent())), refused);
    assert_eq!(case(any()).start_child("d", significant(permanent())), "#1 Significant");
}

#[test]
fn significant_under_never_is_refused() {
    let error = |policy, child| Machine::new(policy, vec![(ChildKey(1), name("a"), child)]).err();
    let refused = Some(SpecificationError::Significant { child: name("a") });
    assert_eq!(error(one_for_one(), significant(transient())), refused);
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    assert_eq!(case.start_child("d", significant(temporary())), "#1 Significant");
}
