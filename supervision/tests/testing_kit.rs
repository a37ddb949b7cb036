//! The testing kit tests others, and here itself.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "all of it is a test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use triarch_supervision::clock::Moment;
use triarch_supervision::prelude::*;
use triarch_supervision::testing::{Callback, Fault, Faults, Faulty, Probe, Trace, World};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, PartialEq)]
struct Number(u32);

impl Message for Number {}

/// Passes numbers on.
struct Relay(Address<Number>);

impl Agent for Relay {
    type Message = Number;
    type Spec = Address<Number>;

    async fn start(to: Address<Number>, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(to))
    }

    async fn handle(&mut self, number: Number, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.0.send(number).await?;
        Ok(())
    }
}

struct Scene {
    tree: Tree,
    relay: Address<Number>,
    probe: Probe<Number>,
    faults: Faults,
}

async fn scene(world: &World, shape: impl FnOnce(Child<Faulty<Relay>>) -> Child<Faulty<Relay>>) -> Scene {
    let (ear, probe) = Probe::child("ear");
    let faults = Faults::new();
    let relay = shape(Faulty::<Relay>::child("relay", probe.address(), &faults));
    let address = relay.address();
    let team = Supervisor::named("team")
        .intensity(Intensity::new(100, SECOND))
        .backoff(Backoff::exponential(SECOND, 60 * SECOND))
        .child(ear)
        .child(relay);
    let tree = world.start(Root::new().supervisor(team)).await.unwrap();
    Scene {
        tree,
        relay: address,
        probe,
        faults,
    }
}

/// What a panicking closure said.
fn panic_of(run: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = std::panic::catch_unwind(run).expect_err("nothing panicked");
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap()
}

fn stormy(seed: u64) -> Trace {
    World::new(seed).run(async |world| {
        let scene = scene(world, |child| child).await;
        scene.faults.times(5, Callback::Handle, Fault::Panic);
        scene.faults.times(3, Callback::Start, Fault::Error);
        for number in 0..20 {
            scene.relay.send(Number(number)).await.unwrap();
        }
        world.advance(300 * SECOND).await;
        scene.tree.stop().await;
        world.trace()
    })
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    let (one, two, other) = (stormy(1), stormy(1), stormy(2));
    assert_eq!(one.first_difference(&two), None);
    assert_eq!(one.hash(), two.hash());
    assert_ne!(one.hash(), other.hash(), "jitter comes from the seed");
    assert!(
        one.lines()
            .iter()
            .filter(|line| line.contains("\"restarting\""))
            .count()
            >= 8,
        "{one}"
    );
}

#[test]
fn time_passes_only_when_it_is_let() {
    World::new(1).run(async |world| {
        let began = Moment::now();
        let scene = scene(world, |child| child).await;
        scene.relay.send(Number(1)).await.unwrap();
        world.settle().await;
        assert_eq!(scene.probe.waiting(), 1);
        assert_eq!(Moment::now(), began);
        world.advance(SECOND).await;
        assert_eq!(Moment::now(), began + SECOND);
        scene.tree.stop().await;
    });
}

#[test]
fn what_falls_due_while_time_advances_happens_at_its_own_moment_and_after_a_jump_late() {
    for (jumps, at) in [(false, 1), (true, 5)] {
        let woken = Arc::new(Mutex::new(None));
        World::new(1).run(async |world| {
            let began = Moment::now();
            let sleeper = async {
                tokio::time::sleep(SECOND).await;
                *woken.lock().unwrap() = Some(Moment::now().since(began));
            };
            let clock = async {
                if jumps {
                    world.jump(5 * SECOND).await;
                } else {
                    world.advance(5 * SECOND).await;
                }
            };
            futures_util::join!(sleeper, clock);
        });
        assert_eq!(*woken.lock().unwrap(), Some(at * SECOND), "jumps: {jumps}");
    }
}

#[test]
fn a_world_that_leaves_somebody_alive_fails_with_their_names() {
    let said = panic_of(|| {
        World::new(1).run(async |world| {
            scene(world, |child| child).await;
        });
    });
    assert!(
        said.contains("root") && said.contains("team/ear") && said.contains("team/relay"),
        "{said}"
    );
}

#[test]
fn a_probe_that_waits_in_vain_says_where_and_what_was_missing() {
    let said = panic_of(|| {
        World::new(1).run(async |world| {
            let mut scene = scene(world, |child| child).await;
            scene.probe.expect_next_within(SECOND).await;
        });
    });
    assert!(
        said.contains("testing_kit.rs") && said.contains("team/ear within 1s"),
        "{said}"
    );
}

#[test]
fn a_probe_that_hears_something_unexpected_says_what() {
    let said = panic_of(|| {
        World::new(1).run(async |world| {
            let mut scene = scene(world, |child| child).await;
            scene.relay.send(Number(7)).await.unwrap();
            scene.probe.expect_none_within(SECOND).await;
        });
    });
    assert!(said.contains("Number(7) came"), "{said}");
}

#[test]
fn a_handler_that_hangs_is_ended_by_the_kill_after_its_shutdown_time() {
    World::new(1).run(async |world| {
        let scene = scene(world, |child| child.shutdown(Shutdown::Within(2 * SECOND))).await;
        scene.faults.next(Callback::Handle, Fault::Hang);
        scene.relay.send(Number(1)).await.unwrap();
        world.settle().await;
        let began = Moment::now();
        let end = scene.tree.stop().await;
        assert_eq!((end.late.len(), &*end.late[0].supervisor), (1, "team"));
        assert!((2 * SECOND..3 * SECOND).contains(&Moment::now().since(began)));
    });
}

#[test]
fn a_stop_that_hangs_and_a_drop_that_panics_are_survived() {
    for (place, fault) in [
        (Callback::Stop, Fault::Hang),
        (Callback::Stop, Fault::Panic),
        (Callback::Drop, Fault::Panic),
    ] {
        World::new(1).run(async |world| {
            let scene = scene(world, |child| child).await;
            scene.faults.next(place, fault);
            scene.tree.stop().await;
            assert_eq!(scene.faults.struck_by(place, fault), 1);
        });
    }
}

#[test]
fn a_start_that_never_returns_is_tried_again_after_its_limit() {
    World::new(1).run(async |world| {
        let mut scene = scene(world, |child| child.start_within(SECOND)).await;
        scene.faults.next(Callback::Handle, Fault::Panic);
        scene.faults.next(Callback::Start, Fault::Hang);
        for number in [1, 2] {
            scene.relay.send(Number(number)).await.unwrap();
        }
        assert_eq!(scene.probe.expect_next().await, Number(2));
        assert_eq!(scene.faults.calls(Callback::Start), 3);
        scene.tree.stop().await;
    });
}

#[test]
fn a_delayed_start_and_a_delayed_handler_take_their_time() {
    World::new(1).run(async |world| {
        let mut scene = scene(world, |child| child).await;
        scene.faults.next(Callback::Handle, Fault::Delay(3 * SECOND));
        scene.relay.send(Number(1)).await.unwrap();
        scene.probe.expect_none_within(2 * SECOND).await;
        assert_eq!(scene.probe.expect_next().await, Number(1));
        scene.tree.stop().await;
    });
}

#[test]
fn timers_and_wishes_of_a_wrapped_agent_work_through_its_wrapper() {
    struct Ticker;

    impl Agent for Ticker {
        type Message = Number;
        type Spec = ();

        async fn start(_spec: (), ctx: &mut Context<Self>) -> Result<Self, Failure> {
            ctx.send_after(SECOND, Number(0));
            Ok(Self)
        }

        async fn handle(&mut self, Number(count): Number, ctx: &mut Context<Self>) -> Result<(), Failure> {
            if count == 2 {
                ctx.stop();
            } else {
                let _timer = ctx.send_after(SECOND, Number(count + 1));
            }
            Ok(())
        }
    }

    World::new(1).run(async |world| {
        let faults = Faults::new();
        let ticker = Faulty::<Ticker>::child("ticker", (), &faults).restart(Restart::Transient);
        let tree = world
            .start(Root::new().supervisor(Supervisor::named("team").child(ticker)))
            .await
            .unwrap();
        world.advance(10 * SECOND).await;
        assert_eq!(faults.calls(Callback::Handle), 3);
        assert_eq!(
            tree.observer().node("team/ticker").unwrap().last_exit,
            Some(ExitReason::Normal)
        );
        tree.stop().await;
    });
}

#[test]
fn a_story_that_waits_for_what_never_comes_fails_and_says_where_messages_wait() {
    let told = std::panic::catch_unwind(|| {
        World::new(5).run(async |world| {
            let scene = scene(world, |relay| relay).await;
            scene.tree.observer().pause("team/relay").unwrap();
            scene.relay.send(Number(1)).await.unwrap();
            std::future::pending::<()>().await;
        });
    });
    let said = *told.unwrap_err().downcast::<String>().unwrap();
    assert!(said.contains("what never comes"), "{said}");
    assert!(said.ends_with("messages wait: 1 at team/relay"), "{said}");
}

/// Reports each five seconds that nothing disturbs it, and passes numbers on, each after a second.
struct Watchman(Address<Number>);

impl Agent for Watchman {
    type Message = Number;
    type Spec = Address<Number>;

    const KIND: AgentKind = AgentKind::Program;
    const HANDED: Option<fn(&Number)> = Some(|number| assert!(number.0 != 13, "an unlucky number"));
    const EMPTIES_ITS_MAILBOX: bool = true;

    async fn start(to: Address<Number>, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        for seconds in [1, 9] {
            ctx.send_after(seconds * SECOND, Number(seconds));
        }
        Ok(Self(to))
    }

    async fn handle(&mut self, number: Number, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        tokio::time::sleep(SECOND).await;
        self.0.send(number).await?;
        Ok(())
    }

    async fn attend(&mut self, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        tokio::time::sleep(5 * SECOND).await;
        self.0.send(Number(5)).await?;
        Ok(())
    }
}

#[test]
fn a_wrapped_agent_attends_and_stops_as_it_does_unwrapped() {
    let heard_by = |is_wrapped: bool| {
        World::new(1).run(async |world| {
            let (ear, mut probe) = Probe::child("ear");
            let team = Supervisor::named("team").child(ear);
            let (team, address) = if is_wrapped {
                let child = Faulty::<Watchman>::child("watchman", probe.address(), &Faults::new());
                let address = child.address();
                (team.child(child), address)
            } else {
                let child = Child::of::<Watchman>("watchman", probe.address());
                let address = child.address();
                (team.child(child), address)
            };
            let tree = world.start(Root::new().supervisor(team)).await.unwrap();
            assert_eq!(
                tree.observer().node("team/watchman").unwrap().agent_kind,
                Some(AgentKind::Program)
            );
            world.advance(18 * SECOND).await;
            for number in [20, 21, 22] {
                address.send(Number(number)).await.unwrap();
            }
            tree.stop().await;
            std::iter::from_fn(|| probe.try_next()).collect::<Vec<_>>()
        })
    };
    let heard = heard_by(false);
    assert_eq!(heard, [1, 5, 9, 5, 20, 21, 22].map(Number));
    assert_eq!(heard_by(true), heard);
    assert!(<Faulty<Watchman> as Agent>::HANDED.is_some());
}
