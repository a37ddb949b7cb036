//! The contract: of many that start at once a portion does, and then others have their turn.

use super::*;
use crate::supervisor::machine::PORTION;

/// More than two portions.
const CROWD: usize = 2 * PORTION + 44;

/// Children of whom none waits for another.
fn crowd(policy: SupervisorPolicy) -> (Case, Vec<String>) {
    let policy = SupervisorPolicy {
        start_order: StartOrder::Parallel,
        ..policy
    };
    let names: Vec<String> = (0..CROWD).map(|n| format!("c{n}")).collect();
    let children: Vec<_> = names.iter().map(|name| (name.as_str(), permanent())).collect();
    (Case::new(policy, &children), names)
}

fn starts(words: &str) -> usize {
    words.matches("start ").count()
}

impl Case {
    fn goes_on(&mut self) -> String {
        self.give(Input::GoOn)
    }

    /// Has the walk under way end, and each of them start; tells how many portions it took and what was said last.
    fn all_start(&mut self, names: &[String], first: &str) -> (Vec<usize>, String) {
        let mut portions = vec![starts(first)];
        while self.machine.holds_back() {
            let portion = self.goes_on();
            portions.push(starts(&portion));
        }
        let said = names.iter().map(|name| self.started(name)).collect::<String>();
        (portions, said)
    }
}

const PORTIONS: [usize; 3] = [PORTION, PORTION, CROWD - 2 * PORTION];

#[test]
fn a_portion_starts_and_the_next_when_others_have_had_their_turn() {
    let (mut case, names) = crowd(one_for_one());
    let first = case.boot();
    assert_eq!(case.all_start(&names, &first), (PORTIONS.to_vec(), "ready".into()));
    assert!(!case.machine.holds_back());
    assert_eq!(case.goes_on(), "");
}

#[test]
fn who_has_started_makes_no_room_for_others_before_that() {
    let (mut case, names) = crowd(one_for_one());
    assert_eq!(starts(&case.boot()), PORTION);
    for name in &names[..PORTION] {
        assert_eq!(case.started(name), "");
        assert!(case.machine.holds_back());
    }
    assert_eq!(starts(&case.goes_on()), PORTION);
}

#[test]
fn a_group_starts_again_in_portions_and_is_complete_with_the_last() {
    let (mut case, names) = crowd(one_for_all());
    let first = case.boot();
    case.all_start(&names, &first);
    case.fails("c0");
    let mut first = String::new();
    for name in names.iter().skip(1).rev() {
        first = case.stops(name);
    }
    assert_eq!(starts(&first), PORTION);
    for name in &names[..PORTION] {
        case.started(name);
    }
    // It is still under way: a caller's child waits for its turn in it.
    assert!(case.machine.group.is_some());
    let (portions, _) = case.all_start(&names[PORTION..], "");
    assert_eq!(portions[1..], PORTIONS[1..]);
    assert!(case.machine.group.is_none());
}

#[test]
fn a_start_that_fails_between_two_portions_ends_it_and_no_other_starts() {
    let (mut case, names) = crowd(one_for_one());
    case.boot();
    assert_eq!(starts(&case.fails_to_start(&names[3])), 0);
    assert!(case.machine.is_ending());
    assert!(!case.machine.holds_back());
    assert_eq!(starts(&case.goes_on()), 0);
}
