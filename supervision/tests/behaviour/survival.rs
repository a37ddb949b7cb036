//! What outlives a restart: the address, the queue, its order; and what does not: the state, the timers.

use std::sync::Arc;

use futures_util::future::join_all;
use triarch_supervision::dead_letter::DeadReason;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Phase;

use crate::agents::{Log, Puppet, Say, Script, Start, grow, kill_agent, kill_team, one, puppet, scripted, team};
use crate::patience::{SECOND, decisions, node_until, quiet, soon, until};

fn waits() -> Backoff {
    Backoff {
        jitter: 0.0,
        ..Backoff::exponential(SECOND, SECOND)
    }
}

#[tokio::test(start_paused = true)]
async fn no_message_is_lost_at_a_restart_but_the_one_that_crashed() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    for number in 0..200 {
        let say = match number % 20 {
            7 => Say::Panic,
            13 => Say::Fail,
            17 => Say::Stop,
            _ => Say::Note(number),
        };
        address.send(say).await.unwrap();
    }
    let expected: Vec<_> = (0..200)
        .filter(|n| ![7, 13, 17].contains(&(n % 20)))
        .map(|n| n.to_string())
        .collect();
    until("all are handled", || log.count("a note") == expected.len()).await;
    assert_eq!(log.after("a note "), expected, "same queue, same order");
    let node = node_until(&tree, "team/a", |node| node.incarnation == 31).await;
    assert_eq!(node.restarts, 30);
    assert_eq!(tree.observer().dead_letters().count(DeadReason::Crashed), 20);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn messages_sent_while_the_agent_is_down_wait_for_its_next_life() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log).backoff(waits())).await;
    address.send(Say::Panic).await.unwrap();
    node_until(&tree, "team/a", |node| node.state == Phase::Backoff).await;
    address.send(Say::Note(1)).await.unwrap();
    assert_eq!(soon("the next life answers", address.ask(Say::Life)).await, Ok(2));
    assert!(log.has("a note 1"));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_not_cut_short_by_a_crash_within_it() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    let batch = (0..100)
        .map(|number| if number == 50 { Say::Panic } else { Say::Note(number) })
        .collect();
    address.send_many(batch).await.unwrap();
    until("the rest is handled by the next life", || log.has("a note 99")).await;
    assert_eq!(log.count("a note"), 99);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_line_of_held_back_senders_outlives_the_incarnation_they_waited_for() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log).capacity(1).backoff(waits())).await;
    address.send(Say::Panic).await.unwrap();
    let senders = join_all((0..20).map(|number| address.send(Say::Note(number))));
    let sent = soon("all are queued", senders).await;
    assert!(sent.iter().all(Result::is_ok));
    until("all are handled", || log.count("a note") == 20).await;
    assert_eq!(
        log.after("a note "),
        (0..20).map(|number| number.to_string()).collect::<Vec<_>>()
    );
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn each_life_starts_from_the_specification_and_the_old_state_is_gone_first() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    for end in [Say::Panic, Say::Fail, Say::Stop] {
        address.send(end).await.unwrap();
        address.ask(Say::Life).await.unwrap();
    }
    kill_agent(&tree).await;
    assert_eq!(soon("the last life", address.ask(Say::Life)).await, Ok(5));
    let drops_and_starts: Vec<_> = log
        .lines()
        .into_iter()
        .filter(|line| line.contains("drops") || line.contains("starts"))
        .collect();
    let expected = [
        "a starts 1",
        "a drops 1",
        "a starts 2",
        "a drops 2",
        "a starts 3",
        "a drops 3",
        "a starts 4",
        "a drops 4",
        "a starts 5",
    ];
    assert_eq!(drops_and_starts, expected);
    assert_eq!(log.most_alive(), 1, "two incarnations never overlap");
    tree.stop().await;
    assert_eq!(log.alive(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_incarnations_never_overlap_on_many_threads() {
    let log = Log::default();
    let children: Vec<_> = (0..8)
        .map(|number| puppet(&format!("a{number}"), &log).shutdown(Shutdown::BrutalKill))
        .collect();
    let addresses: Vec<_> = children.iter().map(Child::address).collect();
    let team = Supervisor::named("team")
        .intensity(Intensity::new(1_000_000, SECOND))
        .children(children);
    let tree = grow(team).await;
    let handle = tree.observer().supervisor("team").unwrap();
    for round in 0..100 {
        for (number, address) in addresses.iter().enumerate() {
            match round % 4 {
                0 => address.send(Say::Panic).await.unwrap(),
                1 => address.send(Say::Fail).await.unwrap(),
                2 => address.send(Say::Stop).await.unwrap(),
                _ => {
                    address.send(Say::Hang).await.unwrap();
                    // It may be between two lives.
                    let _killed = handle.kill_child(&format!("a{number}")).await;
                }
            }
        }
    }
    assert_eq!(log.most_alive(), 1);
    soon("it stops", tree.stop()).await;
    assert_eq!(log.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_killed_supervisors_children_are_gone_before_its_next_life_starts_them() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    address.send(Say::Hang).await.unwrap();
    until("it hangs", || log.has("a hangs")).await;
    address.send(Say::Note(5)).await.unwrap();
    kill_team(&tree).await;
    until("the next life goes on with the queue", || log.has("a note 5")).await;
    assert_eq!(log.most_alive(), 1);
    let node = node_until(&tree, "team/a", |node| node.state == Phase::Idle).await;
    assert_eq!(node.incarnation, 2, "its lives are numbered on");
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_killed_supervisors_dynamic_children_leave_the_tree() {
    let log = Log::default();
    let tree = grow(Supervisor::dynamic("team")).await;
    let handle = tree.observer().supervisor("team").unwrap();
    let (address, _) = handle.start_child(puppet("a", &log)).await.unwrap();
    kill_team(&tree).await;
    until("it has left", || address.is_closed()).await;
    assert!(tree.observer().node("team/a").is_err());
    until("its supervisor is back", || {
        tree.observer().node("team").unwrap().incarnation == 2
    })
    .await;
    soon("the name is free", handle.start_child(puppet("a", &log)))
        .await
        .unwrap();
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_supervisors_restart_keeps_its_childrens_mailboxes() {
    let log = Log::default();
    let (left, right) = (puppet("left", &log), puppet("right", &log).capacity(4));
    let (bad, good) = (left.address(), right.address());
    let team = Supervisor::named("team")
        .intensity(Intensity::new(0, SECOND))
        .children([left, right]);
    let tree = grow(team).await;
    tree.observer().pause("team/right").unwrap();
    quiet().await;
    good.send(Say::Note(1)).await.unwrap();
    bad.send(Say::Panic).await.unwrap();
    node_until(&tree, "team/right", |node| node.incarnation == 2).await;
    tree.observer().resume("team/right").unwrap();
    until("it is handled", || log.has("right note 1")).await;
    assert_eq!(soon("the same address", bad.ask(Say::Life)).await, Ok(2));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_supervisors_restart_brings_its_temporary_children_back_reachable() {
    let log = Log::default();
    let (once, other) = (puppet("once", &log).restart(Restart::Temporary), puppet("other", &log));
    let (address, bad) = (once.address(), other.address());
    let tree = grow(
        Supervisor::named("team")
            .intensity(Intensity::new(0, SECOND))
            .children([once, other]),
    )
    .await;
    address.send(Say::Stop).await.unwrap();
    until("it has left", || address.is_closed()).await;
    bad.send(Say::Panic).await.unwrap();
    node_until(&tree, "team", |node| node.incarnation == 2 && node.state == Phase::Idle).await;
    assert!(tree.observer().node("team/once").is_ok(), "who runs is seen");
    assert_eq!(soon("it answers", address.ask(Say::Life)).await, Ok(2));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_late_exit_of_an_earlier_incarnation_restarts_nobody() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    let (mut events, handle) = (tree.observer().events(), tree.observer().supervisor("team").unwrap());
    address.send(Say::Hang).await.unwrap();
    until("it hangs", || log.has("a hangs")).await;
    for _ in 0..5 {
        // Several kills of one incarnation, and its end told once.
        let _killed = tokio::join!(handle.kill_child("a"), handle.kill_child("a"), handle.kill_child("a"));
    }
    quiet().await;
    let ends = decisions(&mut events);
    let ended = ends
        .iter()
        .filter(|one| format!("{one:?}").starts_with("Ended"))
        .count();
    let restarting = ends
        .iter()
        .filter(|one| format!("{one:?}").starts_with("Restarting"))
        .count();
    let node = tree.observer().node("team/a").unwrap();
    assert_eq!((ended, restarting), (restarting, ended), "{ends:?}");
    assert_eq!(u64::try_from(ended).unwrap() + 1, node.incarnation);
    assert_eq!(log.most_alive(), 1);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_with_a_drop_that_panics_is_a_failure_of_that_agent_only() {
    let log = Log::default();
    let bad = scripted("bad", Script::new(&log).drop_panics());
    let good = puppet("good", &log);
    let (address, sibling) = (bad.address(), good.address());
    let tree = grow(team().child(bad).child(good)).await;
    address.send(Say::Note(1)).await.unwrap();
    address.send(Say::Panic).await.unwrap();
    address.send(Say::Note(2)).await.unwrap();
    until("its next life goes on", || log.has("bad note 2")).await;
    assert_eq!(sibling.ask(Say::Life).await, Ok(1));
    let exit = node_until(&tree, "team/bad", |node| node.incarnation == 2)
        .await
        .last_exit
        .unwrap();
    let ExitReason::Panic(report) = exit else {
        panic!("{exit:?}")
    };
    assert_eq!(&*report.message, "told to panic");
    assert!(report.location.unwrap().contains("agents.rs"));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_specification_that_panics_when_cloned_is_a_failure_of_that_agent_only() {
    #[derive(Default)]
    struct Brittle(Arc<std::sync::atomic::AtomicU32>);
    impl Clone for Brittle {
        fn clone(&self) -> Self {
            let before = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            assert!(before != 1, "the second copy is one too many");
            Self(Arc::clone(&self.0))
        }
    }
    struct Copycat;
    impl Agent for Copycat {
        type Message = Say;
        type Spec = Brittle;
        async fn start(_: Brittle, _: &mut Context<Self>) -> Result<Self, Failure> {
            Ok(Self)
        }
        async fn handle(&mut self, say: Say, ctx: &mut Context<Self>) -> Result<(), Failure> {
            match say {
                Say::Life(reply) => reply.send(ctx.incarnation()),
                _ => return Err(Failure::new("told to")),
            }
            Ok(())
        }
    }
    let log = Log::default();
    let (bad, good) = (Child::of::<Copycat>("bad", Brittle::default()), puppet("good", &log));
    let (address, sibling) = (bad.address(), good.address());
    let tree = grow(team().child(bad).child(good)).await;
    address.send(Say::Fail).await.unwrap();
    assert_eq!(soon("a later life answers", address.ask(Say::Life)).await, Ok(3));
    assert_eq!(sibling.ask(Say::Life).await, Ok(1));
    assert_eq!(tree.observer().node("team").unwrap().incarnation, 1);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn timers_end_with_their_incarnation() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    let set = Say::act(|_: &mut Puppet, ctx| {
        ctx.send_after(SECOND, Say::Note(1));
        ctx.send_every(SECOND, || Say::Note(2));
        Box::pin(async { Ok(()) })
    });
    address.send(set).await.unwrap();
    address.send(Say::Panic).await.unwrap();
    assert_eq!(address.ask(Say::Life).await, Ok(2));
    tokio::time::sleep(5 * SECOND).await;
    assert_eq!(log.count("a note"), 0);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_start_that_panics_at_a_restart_is_tried_again() {
    let log = Log::default();
    let (tree, address) = one(scripted(
        "a",
        Script::new(&log).starts(|life| if life == 2 { Start::Panics } else { Start::Well }),
    ))
    .await;
    address.send(Say::Fail).await.unwrap();
    assert_eq!(soon("the third life", address.ask(Say::Life)).await, Ok(3));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_drop_panics_harms_no_supervisor() {
    struct Bomb(#[expect(dead_code, reason = "held, not read")] Reply<u32>);
    impl Message for Bomb {}
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("not even dropped quietly");
        }
    }
    struct Sapper;
    impl Agent for Sapper {
        type Message = Bomb;
        type Spec = ();
        async fn start((): (), _: &mut Context<Self>) -> Result<Self, Failure> {
            Ok(Self)
        }
        async fn handle(&mut self, _: Bomb, _: &mut Context<Self>) -> Result<(), Failure> {
            Ok(())
        }
    }
    let tree = grow(team()).await;
    let team = tree.observer().supervisor("team").unwrap();
    let (address, _) = team
        .start_child(Child::of::<Sapper>("sapper", ()).restart(Restart::Temporary))
        .await
        .unwrap();
    tree.observer().pause("team/sapper").unwrap();
    quiet().await;
    let mut question = Box::pin(address.ask(Bomb));
    crate::patience::not_yet(&mut question).await;
    team.terminate_child("sapper").await.unwrap();
    let error = soon("the asker is told", question).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no answer from team/sapper: it is no longer part of the tree; look its address up again"
    );
    assert_eq!(tree.observer().node("team").unwrap().incarnation, 1);
    tree.stop().await;
}
