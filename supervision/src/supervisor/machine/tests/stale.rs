//! The contract: what is late or unknown changes nothing.

use super::*;

fn given(case: &mut Case, input: Input) -> (String, bool) {
    let before = format!("{:?}", case.machine.children().collect::<Vec<_>>());
    let words = case.give(input);
    (
        words,
        before == format!("{:?}", case.machine.children().collect::<Vec<_>>()),
    )
}

fn changes_nothing(case: &mut Case, input: Input) {
    let shown = format!("{input:?}");
    assert_eq!(given(case, input), (String::new(), true), "{shown}");
}

#[test]
fn a_late_exit_of_an_earlier_incarnation_never_restarts_the_present_one() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.fails("a");
    case.started("a");
    let late = Input::Exited {
        key: ChildKey(1),
        incarnation: 1,
        reason: failure(),
    };
    changes_nothing(&mut case, late);
}

#[test]
fn inputs_about_unknown_children_and_other_incarnations_change_nothing() {
    let mut case = Case::up(one_for_all(), permanent(), &["a", "b"]);
    case.fails("b");
    for (key, incarnation) in [(9, 1), (1, 0), (1, 2), (2, 1)] {
        let key = ChildKey(key);
        let failed = NotStarted::Failed(failure());
        let inputs = [
            Input::Started { key, incarnation },
            Input::NotStarted {
                key,
                incarnation,
                why: failed,
            },
            Input::NotStarted {
                key,
                incarnation,
                why: NotStarted::Ignored,
            },
            Input::Exited {
                key,
                incarnation,
                reason: failure(),
            },
            Input::Stuck { key, incarnation },
            Input::Alarm(Alarm { serial: 999, key }),
        ];
        for input in inputs {
            changes_nothing(&mut case, input);
        }
    }
}

#[test]
fn an_alarm_of_a_start_that_succeeded_kills_nothing() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    assert_eq!(case.wait(100 * SECOND), "");
    assert_eq!(case.state("a"), Some(ChildState::Running));
}

#[test]
fn an_alarm_of_an_earlier_start_does_not_kill_the_present_one() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.wait(SECOND);
    case.fails("a");
    assert_eq!(case.wait(4 * SECOND), "");
    assert_eq!(case.wait(SECOND), "kill a2 Overdue");
}

#[test]
fn an_alarm_of_an_earlier_stop_does_not_press_the_present_one() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.terminate("a");
    case.wait(SECOND);
    case.stops("a");
    case.restart("a");
    case.started("a");
    case.terminate("a");
    assert_eq!(case.wait(SECOND), "");
    assert_eq!(case.wait(SECOND), "kill a2 Overdue");
}

#[test]
fn the_same_alarm_twice_starts_once() {
    let policy = SupervisorPolicy {
        backoff: Backoff::exponential(SECOND, SECOND),
        ..one_for_one()
    };
    let mut case = Case::up(policy, permanent(), &["a"]);
    case.fails("a");
    let alarms = case.alarms.clone();
    let started: Vec<_> = alarms
        .iter()
        .chain(&alarms)
        .map(|(_, alarm)| case.give(Input::Alarm(*alarm)))
        .collect();
    assert_eq!(started.iter().filter(|words| *words == "start a2").count(), 1);
}

#[test]
fn an_exit_told_twice_restarts_once() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    let exit = Input::Exited {
        key: ChildKey(1),
        incarnation: 1,
        reason: failure(),
    };
    assert_eq!(case.give(exit.clone()), "start a2");
    changes_nothing(&mut case, exit);
}

#[test]
fn inputs_after_the_end_change_nothing() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.stop();
    case.stops("a");
    let (key, incarnation) = (ChildKey(1), 1);
    for input in [
        Input::Boot,
        Input::Stop,
        Input::Started { key, incarnation },
        Input::Stuck { key, incarnation },
    ] {
        changes_nothing(&mut case, input);
    }
}

#[test]
fn the_exit_of_a_child_that_was_given_up_changes_nothing_after_the_end() {
    let mut case = Case::up(one_for_one(), temporary(), &["a"]);
    case.stop();
    assert_eq!(case.wait(3 * SECOND), "kill a1 Overdue, end Shutdown a1 left after 2s");
    let late = Input::Exited {
        key: ChildKey(1),
        incarnation: 1,
        reason: failure(),
    };
    changes_nothing(&mut case, late);
}

#[test]
fn an_exit_without_a_start_report_counts_as_a_start_that_failed() {
    let mut case = Case::up(one_for_one(), permanent(), &["a"]);
    case.fails("a");
    assert_eq!(case.fails("a"), "");
    assert_eq!(case.queue(), "start a3");
}

#[test]
fn a_child_that_runs_cannot_decline_its_start_any_more_and_has_ended_normally() {
    let mut case = Case::up(one_for_one(), transient(), &["a"]);
    assert_eq!(case.ignores("a"), "");
    assert_eq!(case.told(), "ended a1 Normal, let go a");
}
