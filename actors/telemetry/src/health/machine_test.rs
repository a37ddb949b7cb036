//! Tables of what happened and what is reported.

use triarch_supervision::clock::Moment;
use triarch_supervision::name::Name;
use triarch_supervision::reason::{ExitReason, Failure};

use super::*;

fn machine() -> Machine {
    Machine::new(["bus".to_owned()].into())
}

fn node(path: &str, level: Level, state: Phase) -> NodeView {
    let mut node = NodeView::new(path, level);
    node.state = state;
    node.incarnation = 1;
    node
}

fn surveyed(bus: Phase, team: Phase) -> Input {
    Input::Surveyed(vec![
        node("root", Level::Root, Phase::Idle),
        node("bus", Level::Supervisor, bus),
        node("team", Level::Supervisor, team),
        node("team/a", Level::Agent, Phase::Idle),
    ])
}

fn seen(supervisor: &str, decision: Decision) -> Input {
    Input::Seen(Event::new(Moment::from_nanos(1), supervisor, Fact::Decision(decision)))
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn started(supervisor: &str, child: &str) -> Input {
    let child = name(child);
    seen(supervisor, Decision::Started { child, incarnation: 2 })
}

fn ended(supervisor: &str, child: &str) -> Input {
    ended_with(supervisor, child, ExitReason::Error(Failure::new("no ink")))
}

fn ended_with(supervisor: &str, child: &str, reason: ExitReason) -> Input {
    let (child, incarnation) = (name(child), 1);
    seen(
        supervisor,
        Decision::Ended {
            child,
            incarnation,
            reason,
        },
    )
}

fn quarantined(supervisor: &str, child: &str) -> Input {
    let (child, reason) = (name(child), ExitReason::Error(Failure::new("no ink")));
    seen(supervisor, Decision::Quarantined { child, reason })
}

/// The state, whether it is ready, and the reasons, in short.
fn told(machine: &Machine) -> (State, bool, Vec<(Cause, String)>) {
    let report = machine.report();
    let reasons = report.reasons.into_iter();
    (
        report.state,
        report.is_ready,
        reasons.map(|reason| (reason.cause, reason.subject)).collect(),
    )
}

fn because(cause: Cause, subject: &str) -> Vec<(Cause, String)> {
    vec![(cause, subject.to_owned())]
}

/// A machine for which everybody has started, and then this.
fn after(inputs: impl IntoIterator<Item = Input>) -> Machine {
    let mut machine = machine();
    machine.step(surveyed(Phase::Idle, Phase::Idle));
    inputs.into_iter().for_each(|input| machine.step(input));
    machine
}

#[test]
fn nothing_is_ready_before_anything_is_known() {
    assert_eq!(
        told(&machine()),
        (State::Starting, false, because(Cause::Starting, "root"))
    );
}

#[test]
fn it_is_ready_once_everybody_has_started() {
    let mut machine = machine();
    machine.step(surveyed(Phase::Starting, Phase::Specified));
    let both = [because(Cause::Starting, "bus"), because(Cause::Starting, "team")].concat();
    assert_eq!(told(&machine), (State::Starting, false, both));
    machine.step(started("root", "bus"));
    assert_eq!(
        told(&machine),
        (State::Starting, false, because(Cause::Starting, "team"))
    );
    machine.step(started("root", "team"));
    assert_eq!(told(&machine), (State::Ready, true, vec![]));
}

#[test]
fn a_room_that_is_down_forbids_work_until_it_is_up_again() {
    let mut machine = after([ended("root", "bus")]);
    assert_eq!(told(&machine), (State::Ready, false, because(Cause::RoomDown, "bus")));
    machine.step(started("root", "bus"));
    assert_eq!(told(&machine), (State::Ready, true, vec![]));
    assert!(!told(&after([quarantined("root", "bus")])).1);
}

#[test]
fn a_team_that_is_down_or_in_quarantine_degrades_only() {
    assert_eq!(
        told(&after([ended("root", "team")])),
        (State::Ready, true, because(Cause::TeamDown, "team"))
    );
    assert_eq!(
        told(&after([quarantined("root", "team")])),
        (State::Ready, true, because(Cause::Quarantined, "team"))
    );
    let message = after([quarantined("root", "team")])
        .report()
        .reasons
        .swap_remove(0)
        .message;
    assert!(
        message.ends_with("mend it, then `triarch team start team`"),
        "{message}"
    );
}

#[test]
fn a_team_that_somebody_stopped_is_told_as_such_until_it_is_started() {
    let stopped = |supervisor: &str| ended_with("root", supervisor, ExitReason::Shutdown);
    let mut machine = after([stopped("team")]);
    let told_so = (State::Ready, true, because(Cause::TeamStopped, "team"));
    assert_eq!(told(&machine), told_so);
    let message = &machine.report().reasons[0].message;
    assert_eq!(
        message,
        "the team team was stopped by hand; `triarch team start team` starts it"
    );
    let mut down = node("team", Level::Supervisor, Phase::Stopped);
    down.last_exit = Some(ExitReason::Shutdown);
    machine.step(Input::Surveyed(vec![down]));
    assert_eq!(told(&machine), told_so);
    machine.step(started("root", "team"));
    assert_eq!(told(&machine), (State::Ready, true, vec![]));
    assert!(!told(&after([stopped("bus")])).1, "a room is no team");
}

#[test]
fn an_agent_in_quarantine_is_named_until_it_runs_again_or_is_gone() {
    let mut machine = after([quarantined("team", "a"), quarantined("team", "b")]);
    let both = [
        because(Cause::Quarantined, "team/a"),
        because(Cause::Quarantined, "team/b"),
    ]
    .concat();
    assert_eq!(told(&machine), (State::Ready, true, both));
    assert_eq!(machine.unwell().collect::<Vec<_>>(), ["team/a", "team/b"]);
    let message = machine.report().reasons.swap_remove(0).message;
    assert!(
        message.ends_with("mend it, then `triarch agent restart team/a`"),
        "{message}"
    );
    machine.step(started("team", "a"));
    machine.step(Input::Cleared("team/b".to_owned()));
    assert_eq!(told(&machine), (State::Ready, true, vec![]));
}

#[test]
fn an_agent_that_is_down_for_a_moment_is_none_of_its_business() {
    assert_eq!(told(&after([ended("team", "a")])), (State::Ready, true, vec![]));
}

#[test]
fn a_team_that_comes_later_holds_up_nobody() {
    let mut machine = after([]);
    machine.step(surveyed(Phase::Idle, Phase::Starting));
    assert_eq!(told(&machine), (State::Ready, true, vec![]));
}

#[test]
fn a_team_that_left_the_tree_is_forgotten() {
    let machine = after([ended("root", "team"), Input::Cleared("team".to_owned())]);
    assert_eq!(told(&machine), (State::Ready, true, vec![]));
}

#[test]
fn a_survey_corrects_what_was_missed() {
    let machine = after([
        ended("root", "bus"),
        quarantined("team", "a"),
        surveyed(Phase::Idle, Phase::Backoff),
    ]);
    assert_eq!(told(&machine), (State::Ready, true, because(Cause::TeamDown, "team")));
}

#[test]
fn a_flood_of_quarantines_keeps_the_report_small() {
    let flood = (0..500).map(|index| quarantined("team", &format!("agent-{index}")));
    assert_eq!(told(&after(flood)).2.len(), QUARANTINED_MAX);
}

#[test]
fn of_more_than_are_named_the_others_are_looked_for_before_all_that_are_have_gone() {
    let names: Vec<_> = (0..150).map(|index| format!("agent-{index:03}")).collect();
    let mut machine = after(names.iter().map(|name| quarantined("team", name)));
    assert!(!machine.is_to_survey(), "as many are named as may be");
    let mut restarted = names.iter();
    while !machine.is_to_survey() {
        machine.step(started("team", restarted.next().unwrap()));
    }
    assert!(
        !machine.report().reasons.is_empty(),
        "it was never said that all are well"
    );
    let nodes = restarted.map(|name| node(&format!("team/{name}"), Level::Agent, Phase::Failed));
    let nodes: Vec<_> = nodes.collect();
    assert!(nodes.len() >= 50);
    machine.step(Input::Surveyed(nodes));
    assert_eq!(machine.report().reasons.len(), 100);
    // A survey of all that were left, of whom the last is known.
    let last = node("team/agent-149", Level::Agent, Phase::Failed);
    machine.step(Input::Surveyed(vec![last]));
    assert!(!machine.is_to_survey());
    machine.step(started("team", "agent-149"));
    assert_eq!((machine.is_to_survey(), machine.report().reasons.len()), (false, 0));
}
