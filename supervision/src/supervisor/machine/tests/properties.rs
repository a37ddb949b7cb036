//! Random histories against the invariants of [`super::world`].

use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest};

use super::world::{Living, World};
use super::*;

#[derive(Clone, Copy, Debug)]
enum Event {
    Starts(usize),
    FailsToStart(usize),
    Ignores(usize),
    Exits(usize, u8),
    StopsAsAsked(usize),
    Alarm,
    GoesOn,
    Pass(u64),
    StartChild(u64, ChildPolicy),
    Terminate(u64),
    Restart(u64),
    Delete(u64),
    Retry(u64),
    Stuck(usize),
    Kill(usize),
    Stale(u64, u64, u8),
    Adjust(SupervisorPolicy),
    Stop,
}

fn reasons(which: u8) -> ExitReason {
    match which % 4 {
        0 => ExitReason::Normal,
        1 => ExitReason::Shutdown,
        2 => ExitReason::Killed(KillCause::Outside),
        _ => failure(),
    }
}

fn backoffs() -> impl Strategy<Value = Backoff> {
    prop_oneof![
        2 => Just(Backoff::none()),
        1 => Just(Backoff::exponential(SECOND / 2, 4 * SECOND)),
    ]
}

fn children(is_significance_allowed: bool) -> impl Strategy<Value = ChildPolicy> {
    let restart = prop_oneof![
        3 => Just(Restart::Permanent),
        2 => Just(Restart::Transient),
        1 => Just(Restart::Temporary),
    ];
    let shutdown = prop_oneof![
        4 => Just(Shutdown::Within(2 * SECOND)),
        1 => Just(Shutdown::BrutalKill),
        1 => Just(Shutdown::Infinity),
    ];
    (
        restart,
        shutdown,
        any::<bool>(),
        proptest::bool::weighted(0.3),
        proptest::option::weighted(0.2, backoffs()),
    )
        .prop_map(
            move |(restart, shutdown, significant, quarantines, backoff)| ChildPolicy {
                restart,
                shutdown,
                significant: significant && is_significance_allowed && restart != Restart::Permanent,
                on_limit: if quarantines {
                    OnLimit::Quarantine
                } else {
                    OnLimit::Escalate
                },
                backoff,
                stops_along: false,
                start_within: Some(5 * SECOND),
            },
        )
}

fn supervisors() -> impl Strategy<Value = SupervisorPolicy> {
    let strategy = prop_oneof![
        Just(super::Strategy::OneForOne),
        Just(super::Strategy::OneForAll),
        Just(super::Strategy::RestForOne),
        Just(super::Strategy::SimpleOneForOne),
    ];
    let auto_shutdown = prop_oneof![
        4 => Just(AutoShutdown::Never),
        1 => Just(AutoShutdown::AnySignificant),
        1 => Just(AutoShutdown::AllSignificant),
    ];
    let start_order = prop_oneof![Just(StartOrder::InOrder), Just(StartOrder::Parallel)];
    let stop_order = prop_oneof![3 => Just(StopOrder::InOrder), 1 => Just(StopOrder::Parallel)];
    let orders = (start_order, stop_order);
    (strategy, 0..6_u32, 1..8_u32, backoffs(), auto_shutdown, orders).prop_map(
        |(strategy, restarts, seconds, backoff, auto_shutdown, (start_order, stop_order))| SupervisorPolicy {
            strategy,
            intensity: Intensity::new(restarts, seconds * SECOND),
            backoff,
            auto_shutdown,
            start_order,
            stop_order,
        },
    )
}

fn events() -> impl Strategy<Value = Event> {
    let some = 0..8_usize;
    let named = 1..9_u64;
    prop_oneof![
        12 => some.clone().prop_map(Event::Starts),
        1 => supervisors().prop_map(Event::Adjust),
        2 => some.clone().prop_map(Event::FailsToStart),
        1 => some.clone().prop_map(Event::Ignores),
        5 => (some.clone(), any::<u8>()).prop_map(|(which, reason)| Event::Exits(which, reason)),
        5 => some.clone().prop_map(Event::StopsAsAsked),
        5 => Just(Event::Alarm),
        5 => Just(Event::GoesOn),
        3 => (0..3000_u64).prop_map(Event::Pass),
        2 => (named.clone(), children(false)).prop_map(|(which, policy)| Event::StartChild(which, policy)),
        2 => named.clone().prop_map(Event::Terminate),
        2 => named.clone().prop_map(Event::Restart),
        1 => named.clone().prop_map(Event::Delete),
        1 => named.prop_map(Event::Retry),
        1 => some.clone().prop_map(Event::Stuck),
        1 => some.prop_map(Event::Kill),
        2 => (0..9_u64, 0..4_u64, any::<u8>()).prop_map(|(key, back, kind)| Event::Stale(key, back, kind)),
    ]
}

/// A stop is rare, or most histories would be short.
fn histories() -> impl Strategy<Value = Vec<Event>> {
    vec(prop_oneof![200 => events(), 1 => Just(Event::Stop)], 0..120)
}

fn cases() -> impl Strategy<Value = (SupervisorPolicy, Vec<ChildPolicy>, u64)> {
    supervisors().prop_flat_map(|policy| {
        let is_significance_allowed = policy.auto_shutdown != AutoShutdown::Never;
        let immortal_every = prop_oneof![3 => Just(0_u64), 1 => Just(5)];
        (
            Just(policy),
            vec(children(is_significance_allowed), 0..6),
            immortal_every,
        )
    })
}

/// The `which`-th living incarnation that is as asked.
fn pick(world: &World, which: usize, is: fn(&Living) -> bool) -> Option<ChildKey> {
    let fitting: Vec<_> = world.living.iter().filter(|(_, living)| is(living)).collect();
    let (key, _) = fitting.get(which % fitting.len().max(1))?;
    Some(**key)
}

fn happen(world: &mut World, event: Event) {
    match event {
        Event::Starts(which) => {
            if let Some(key) = pick(world, which, |living| !living.has_started) {
                world.starts(key);
            }
        }
        Event::FailsToStart(which) => {
            if let Some(key) = pick(world, which, |living| !living.has_started) {
                world.end(key, failure());
            }
        }
        Event::Ignores(which) => {
            if let Some(key) = pick(world, which, |living| !living.has_started) {
                world.end(key, ExitReason::Normal);
            }
        }
        Event::Exits(which, reason) => {
            if let Some(key) = pick(world, which, |living| living.has_started && !living.is_immortal) {
                world.end(key, reasons(reason));
            }
        }
        Event::StopsAsAsked(which) => {
            if let Some(key) = pick(world, which, |living| living.is_asked && !living.is_immortal) {
                world.end(key, ExitReason::Shutdown);
            }
        }
        Event::Alarm => {
            world.next_alarm();
        }
        Event::GoesOn => {
            world.goes_on();
        }
        Event::Pass(millis) => pass(world, Duration::from_millis(millis)),
        Event::StartChild(which, policy) => world.start_child(which, policy),
        Event::Terminate(which) => world.call(Request::Terminate(name(&format!("c{which}")))),
        Event::Restart(which) => world.call(Request::Restart(name(&format!("c{which}")))),
        Event::Delete(which) => world.call(Request::Delete(name(&format!("c{which}")))),
        Event::Retry(which) => world.call(Request::Retry(name(&format!("c{which}")))),
        Event::Stuck(which) => {
            if let Some(key) = pick(world, which, |living| living.has_started) {
                let incarnation = world.living.get(&key).map_or(0, |living| living.incarnation);
                world.give(Input::Stuck { key, incarnation });
            }
        }
        Event::Kill(which) => {
            if let Some(key) = pick(world, which, |_| true) {
                let incarnation = world.living.get(&key).map_or(0, |living| living.incarnation);
                world.give(Input::Kill { key, incarnation });
            }
        }
        Event::Stale(key, back, kind) => world_stale(world, ChildKey(key), back, kind),
        Event::Adjust(SupervisorPolicy { intensity, backoff, .. }) => world.adjust(Adjustment { intensity, backoff }),
        Event::Stop => world.give(Input::Stop),
    }
}

/// Time passes; alarms that fall due are given.
fn pass(world: &mut World, time: Duration) {
    let until = world.now + time;
    while world.alarms.first().is_some_and(|(at, ..)| *at <= until) {
        world.next_alarm();
    }
    world.now = world.now.max(until);
}

fn world_stale(world: &mut World, key: ChildKey, back: u64, kind: u8) {
    let present = world.living.get(&key).map(|living| living.incarnation);
    let incarnation = present.map_or(back, |present| present.saturating_sub(1 + back));
    world.give_stale(&match kind % 7 {
        0 => Input::Started { key, incarnation },
        1 => Input::NotStarted {
            key,
            incarnation,
            why: NotStarted::Failed(failure()),
        },
        2 => Input::NotStarted {
            key,
            incarnation,
            why: NotStarted::Ignored,
        },
        3 => Input::Exited {
            key,
            incarnation,
            reason: failure(),
        },
        4 => Input::Stuck { key, incarnation },
        5 => Input::Kill { key, incarnation },
        _ => Input::Alarm(Alarm { serial: 0, key }),
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_history_keeps_the_invariants((policy, children, immortal_every) in cases(), history in histories()) {
        let mut world = World::new(policy, &children, immortal_every);
        world.give(Input::Boot);
        for event in history {
            happen(&mut world, event);
        }
        world.settle();
        world.check_rest();
        world.give(Input::Stop);
        world.settle();
        world.check_end();
    }

    #[test]
    fn every_history_may_be_cut_short_by_a_stop(
        (policy, children, immortal_every) in cases(),
        history in histories(),
        ending in vec(events(), 0..30),
    ) {
        let mut world = World::new(policy, &children, immortal_every);
        world.give(Input::Boot);
        for event in history {
            happen(&mut world, event);
        }
        world.give(Input::Stop);
        for event in ending {
            happen(&mut world, event);
        }
        world.settle();
        world.check_end();
    }

    #[test]
    fn the_same_history_makes_the_same_decisions((policy, children, _) in cases(), history in histories()) {
        let play = || {
            let mut world = World::new(policy, &children, 0);
            world.give(Input::Boot);
            for event in &history {
                happen(&mut world, *event);
            }
            format!("{:?} {:?} {:?}", world.machine.children().collect::<Vec<_>>(), world.living, world.alarms)
        };
        prop_assert_eq!(play(), play());
    }
}
