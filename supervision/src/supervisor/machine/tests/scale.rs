//! The contract: many children, counted in effects and looks at children, not in seconds.

use std::cell::Cell;

use super::*;
use crate::supervisor::machine::children::Child;

const MANY: u64 = 100_000;

thread_local! {
    static LOOKS: Cell<usize> = const { Cell::new(0) };
}

/// Called by the table of children whenever somebody looks at a child.
pub(in super::super) fn count_look() {
    LOOKS.set(LOOKS.get() + 1);
}

/// How many children `work` looks at.
fn looks(work: impl FnOnce()) -> usize {
    let before = LOOKS.get();
    work();
    LOOKS.get() - before
}

/// No input needs more looks than this for each child that it moves.
const LOOKS_PER_CHILD: usize = 20;

fn many(policy: SupervisorPolicy, child: ChildPolicy) -> Machine {
    let children = (0..MANY)
        .map(|key| (ChildKey(key), name(&format!("c{key}")), child))
        .collect();
    match Machine::new(policy, children) {
        Ok(machine) => machine,
        Err(error) => panic!("{error}"),
    }
}

/// Gives the machine inputs that answer its effects until there are none left; counts the effects.
fn play(machine: &mut Machine, first: Input) -> usize {
    let mut chance = any_chance();
    let (mut inputs, mut effects, mut count) = (vec![first], Vec::new(), 0);
    while let Some(input) = inputs.pop().or_else(|| machine.holds_back().then_some(Input::GoOn)) {
        machine.step(input, Moment::from_nanos(1_000_000_000), &mut chance, &mut effects);
        count += effects.len();
        inputs.extend(effects.drain(..).filter_map(|effect| match effect {
            Effect::Start { key, incarnation } => Some(Input::Started { key, incarnation }),
            Effect::Stop { key, incarnation } => Some(Input::Exited {
                key,
                incarnation,
                reason: ExitReason::Shutdown,
            }),
            _ => None,
        }));
    }
    count
}

#[test]
fn a_hundred_thousand_static_children_start_and_stop_with_a_few_effects_each() {
    let per_child = usize::try_from(MANY).unwrap_or(usize::MAX);
    for (start_order, stop_order) in [
        (StartOrder::InOrder, StopOrder::InOrder),
        (StartOrder::Parallel, StopOrder::Parallel),
    ] {
        let policy = SupervisorPolicy {
            start_order,
            stop_order,
            ..one_for_one()
        };
        let mut machine = many(policy, permanent());
        let looks = looks(|| {
            // Start, alarm and decision for each, and `Ready`.
            assert_eq!(play(&mut machine, Input::Boot), 3 * per_child + 1);
            assert_eq!(machine.counts().active, per_child);
            // Stop, alarm and decision for each, and `End`.
            assert_eq!(play(&mut machine, Input::Stop), 3 * per_child + 1);
        });
        assert!(looks < 2 * LOOKS_PER_CHILD * per_child, "{looks}");
        assert!(machine.has_ended());
    }
}

#[test]
fn a_hundred_thousand_children_restart_as_a_group() {
    let mut machine = many(one_for_all(), permanent());
    play(&mut machine, Input::Boot);
    let exit = Input::Exited {
        key: ChildKey(MANY / 2),
        incarnation: 1,
        reason: failure(),
    };
    let per_child = usize::try_from(MANY).unwrap_or(usize::MAX);
    // The failing child is not stopped, but its failure makes two decisions.
    assert_eq!(play(&mut machine, exit), 6 * per_child - 1);
}

#[test]
fn a_restart_takes_as_many_effects_among_many_siblings_as_alone() {
    let mut machine = many(one_for_one(), permanent());
    play(&mut machine, Input::Boot);
    let exit = Input::Exited {
        key: ChildKey(7),
        incarnation: 1,
        reason: failure(),
    };
    let mut effects = Vec::new();
    let looks = looks(|| machine.step(exit, Moment::from_nanos(2_000_000_000), &mut any_chance(), &mut effects));
    assert!(looks < LOOKS_PER_CHILD, "{looks}");
    let incarnation = 2;
    assert!(effects.contains(&Effect::Start {
        key: ChildKey(7),
        incarnation
    }));
    assert_eq!(effects.len(), 4);
}

#[test]
fn dynamic_children_that_come_and_go_leave_nothing_behind() {
    let mut machine = match Machine::new(dynamic(), Vec::new()) {
        Ok(machine) => machine,
        Err(error) => panic!("{error}"),
    };
    play(&mut machine, Input::Boot);
    for key in 1..=10_000 {
        let request = Request::Start {
            key: ChildKey(key),
            name: name(&format!("c{key}")),
            policy: temporary(),
        };
        let call = CallId(key);
        play(&mut machine, Input::Call { call, request });
        let exit = Input::Exited {
            key: ChildKey(key),
            incarnation: 1,
            reason: failure(),
        };
        play(&mut machine, exit);
    }
    assert_eq!(machine.counts(), Counts::default());
    assert_eq!(machine.children().count(), 0);
    assert!(machine.starters.is_empty() && machine.terminators.is_empty());
}

#[test]
fn a_child_takes_little_memory() {
    assert!(size_of::<Child>() <= 104, "{}", size_of::<Child>());
}

#[test]
fn like_children_share_one_policy() {
    let machine = many(one_for_one(), permanent());
    let policies: Vec<_> = machine
        .children()
        .map(|child| std::ptr::from_ref(child.policy))
        .collect();
    assert!(policies.windows(2).all(|pair| pair.first() == pair.last()));
}
