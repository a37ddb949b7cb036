//! Agents: their callbacks, timers, watches, failures and time budgets.

use std::time::Duration;

use triarch_supervision::dead_letter::DeadReason;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::{Fact, Observation};

use crate::agents::{Log, Puppet, Say, Script, Start, Stop, grow, pause, puppet, scripted, team};
use crate::patience::{MILLI, SECOND, node_until, quiet, soon, until};

struct Stage {
    log: Log,
    tree: Tree,
    address: Address<Say>,
}

async fn stage(shape: impl FnOnce(Child<Puppet>) -> Child<Puppet>) -> Stage {
    let log = Log::default();
    let child = shape(puppet("a", &log));
    let address = child.address();
    Stage {
        tree: grow(team().child(child)).await,
        log,
        address,
    }
}

fn timer(set: impl FnOnce(&mut Puppet, &mut Context<Puppet>) + Send + 'static) -> Say {
    Say::act(move |puppet, ctx| {
        set(puppet, ctx);
        Box::pin(async { Ok(()) })
    })
}

#[tokio::test(start_paused = true)]
async fn an_agent_starts_handles_and_stops_and_is_told_why() {
    let stage = stage(|child| child).await;
    stage.address.send(Say::Note(1)).await.unwrap();
    until("it is handled", || stage.log.has("a note 1")).await;
    stage.tree.stop().await;
    let expected = [
        "a starts 1",
        "a note 1",
        "a stops: was asked to stop",
        "a stopped",
        "a drops 1",
    ];
    assert_eq!(stage.log.lines(), expected);
}

#[tokio::test(start_paused = true)]
async fn stop_is_called_after_an_error_and_a_wish_and_not_after_a_panic() {
    let stage = stage(|child| child).await;
    for end in [Say::Fail, Say::Stop, Say::Panic] {
        stage.address.send(end).await.unwrap();
        stage.address.ask(Say::Life).await.unwrap();
    }
    assert_eq!(stage.log.after("a stops: "), ["failed: told to fail", "ended normally"]);
    stage.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_stop_ends_that_agent_only() {
    let log = Log::default();
    let bad = scripted("bad", Script::new(&log).stop(Stop::Panics));
    let (address, good) = (bad.address(), puppet("good", &log));
    let sibling = good.address();
    let tree = grow(team().child(bad).child(good)).await;
    address.send(Say::Stop).await.unwrap();
    let exit = node_until(&tree, "team/bad", |node| node.incarnation == 2)
        .await
        .last_exit
        .unwrap();
    assert!(exit.to_string().starts_with("panicked: stop went wrong"), "{exit}");
    assert_eq!(sibling.ask(Say::Life).await, Ok(1));
    assert!(soon("it stops", tree.stop()).await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn idle_is_called_when_nothing_waits_and_may_fail() {
    let log = Log::default();
    let script = Script::new(&log).starts(|life| if life == 1 { Start::ThenCrashes } else { Start::Well });
    let tree = grow(team().child(scripted("a", script))).await;
    let exit = node_until(&tree, "team/a", |node| node.incarnation == 2)
        .await
        .last_exit
        .unwrap();
    assert_eq!(exit.to_string(), "failed: crashes always");
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_timer_fires_once_at_its_time_and_can_be_called_off() {
    let stage = stage(|child| child).await;
    let set = timer(|puppet, ctx| {
        ctx.send_after(3 * SECOND, Say::Note(3));
        ctx.send_after(SECOND, Say::Note(1));
        puppet.timer = Some(ctx.send_after(2 * SECOND, Say::Note(2)));
    });
    stage.address.send(set).await.unwrap();
    let cancel = timer(|puppet, ctx| {
        let timer = puppet.timer.unwrap();
        let (first, second) = (ctx.cancel(timer), ctx.cancel(timer));
        puppet.write(format_args!("cancels {first} {second}"));
    });
    stage.address.send(cancel).await.unwrap();
    tokio::time::sleep(999 * MILLI).await;
    assert_eq!(stage.log.count("a note"), 0);
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(stage.log.after("a note "), ["1", "3"]);
    assert!(stage.log.has("a cancels true false"));
    stage.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_repeated_timer_beats_until_it_is_called_off_and_skips_what_it_missed() {
    let stage = stage(|child| child).await;
    let set = timer(|puppet, ctx| puppet.timer = Some(ctx.send_every(SECOND, || Say::Note(1))));
    stage.address.send(set).await.unwrap();
    tokio::time::sleep(Duration::from_millis(3500)).await;
    assert_eq!(stage.log.count("a note"), 3);
    let slow = Say::act(|_, _| {
        Box::pin(async {
            tokio::time::sleep(3 * SECOND).await;
            Ok(())
        })
    });
    stage.address.send(slow).await.unwrap();
    tokio::time::sleep(Duration::from_millis(3200)).await;
    assert_eq!(
        stage.log.count("a note"),
        4,
        "three beats passed in the handler, one message came of them"
    );
    let cancel = timer(|puppet, ctx| {
        ctx.cancel(puppet.timer.unwrap());
    });
    stage.address.send(cancel).await.unwrap();
    tokio::time::sleep(5 * SECOND).await;
    assert!(stage.log.count("a note") <= 5);
    stage.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn timers_in_step_fire_together_whenever_they_were_set() {
    let stage = stage(|child| child).await;
    for _ in 0..3 {
        let set = timer(|_, ctx| {
            ctx.send_in_step(SECOND, || {
                let millis = Moment::now().as_nanos() / 1_000_000;
                Say::Note(u32::try_from(millis).unwrap())
            });
        });
        stage.address.send(set).await.unwrap();
        tokio::time::sleep(50 * MILLI).await;
    }
    tokio::time::sleep(2 * SECOND).await;
    let mut fired = stage.log.after("a note ");
    fired.sort_unstable();
    fired.dedup();
    assert!(
        (2..=3).contains(&fired.len()),
        "two beats, or three, of three timers: {fired:?}"
    );
    stage.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_repeated_timer_without_a_period_starves_nobody() {
    let stage = stage(|child| child).await;
    let set = timer(|_, ctx| {
        ctx.send_every(Duration::ZERO, || Say::Note(1));
    });
    stage.address.send(set).await.unwrap();
    assert_eq!(stage.address.ask(|reply| Say::Echo(5, reply)).await, Ok(5));
    let before = stage.log.count("a note 1");
    tokio::time::sleep(100 * MILLI).await;
    let beats = stage.log.count("a note 1") - before;
    assert!((90..=110).contains(&beats), "each takes a millisecond: {beats}");
    assert!(soon("it stops", stage.tree.stop()).await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn a_busy_agent_still_serves_its_timers() {
    let stage = stage(|child| child.capacity(100_000)).await;
    pause(&stage.tree).await;
    stage
        .address
        .send_many((0..5000).map(|_| Say::Note(0)).collect())
        .await
        .unwrap();
    stage.tree.observer().resume("team/a").unwrap();
    until("all are handled", || stage.log.count("a note 0") == 5000).await;
    stage.log.clear();
    let set = timer(|_, ctx| {
        ctx.send_after(Duration::ZERO, Say::Note(9));
    });
    stage.address.send(set).await.unwrap();
    stage
        .address
        .send_many((0..1000).map(|_| Say::Note(0)).collect())
        .await
        .unwrap();
    until("all are handled", || stage.log.count("a note") == 1001).await;
    let place = stage.log.lines().iter().position(|line| line == "a note 9").unwrap();
    assert!(place < 64, "{place}");
    stage.tree.stop().await;
}

fn watch(other: &Address<Say>) -> Say {
    let other = other.clone();
    Say::act(move |_, ctx| {
        ctx.watch(&other, |down| {
            let text = format!("sees {} {}", down.path, down.reason);
            Say::act(move |puppet: &mut Puppet, _| {
                puppet.write(text);
                Box::pin(async { Ok(()) })
            })
        });
        Box::pin(async { Ok(()) })
    })
}

async fn watched(shape: impl FnOnce(Child<Puppet>) -> Child<Puppet>) -> (Stage, Address<Say>) {
    let log = Log::default();
    let (watcher, other) = (shape(puppet("a", &log)), puppet("b", &log));
    let (address, to_other) = (watcher.address(), other.address());
    let tree = grow(team().child(watcher).child(other)).await;
    (Stage { log, tree, address }, to_other)
}

#[tokio::test(start_paused = true)]
async fn a_watcher_is_told_once_of_a_failure_a_wish_and_a_kill() {
    let (stage, other) = watched(|child| child).await;
    for (end, text) in [
        (Say::Fail, "failed: told to fail"),
        (Say::Stop, "ended normally"),
        (Say::Hang, "was killed: from outside its supervisor"),
    ] {
        stage.log.clear();
        stage.address.send(watch(&other)).await.unwrap();
        quiet().await;
        other.send(end).await.unwrap();
        quiet().await;
        if text.contains("killed") {
            stage
                .tree
                .observer()
                .supervisor("team")
                .unwrap()
                .kill_child("b")
                .await
                .unwrap();
        }
        until("it is told", || stage.log.has(&format!("a sees team/b {text}"))).await;
        other.send(Say::Stop).await.unwrap();
        quiet().await;
        assert_eq!(stage.log.count("a sees"), 1, "told once");
    }
    stage.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_watches_an_agent_that_has_left_the_tree_is_told_its_last_end_at_once() {
    let (stage, other) = watched(|child| child).await;
    let team = stage.tree.observer().supervisor("team").unwrap();
    team.terminate_child("b").await.unwrap();
    stage.address.send(watch(&other)).await.unwrap();
    quiet().await;
    assert_eq!(stage.log.count("a sees"), 0, "it may be restarted");
    team.delete_child("b").await.unwrap();
    until("it is told", || stage.log.has("a sees team/b was asked to stop")).await;
    stage.log.clear();
    let brief = puppet("brief", &stage.log).restart(Restart::Temporary);
    let (to_brief, _) = team.start_child(brief).await.unwrap();
    to_brief.send(Say::Fail).await.unwrap();
    until("it has left the tree", || to_brief.is_closed()).await;
    stage.address.send(watch(&to_brief)).await.unwrap();
    until("it is told at once", || {
        stage.log.has("a sees team/brief failed: told to fail")
    })
    .await;
    assert_eq!(stage.log.count("a sees"), 1, "told once");
    stage.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_watchers_next_life_is_not_told_what_the_former_watched_for() {
    let (stage, other) = watched(|child| child).await;
    stage.address.send(watch(&other)).await.unwrap();
    quiet().await;
    pause(&stage.tree).await;
    other.send(Say::Stop).await.unwrap();
    quiet().await;
    assert_eq!(stage.log.count("a sees"), 0, "a paused agent handles nothing");
    stage
        .tree
        .observer()
        .supervisor("team")
        .unwrap()
        .kill_child("a")
        .await
        .unwrap();
    node_until(&stage.tree, "team/a", |node| node.incarnation == 2).await;
    stage.tree.observer().resume("team/a").unwrap();
    stage.address.send(watch(&other)).await.unwrap();
    quiet().await;
    assert_eq!(stage.log.count("a sees"), 0);
    other.send(Say::Fail).await.unwrap();
    until("it is told what it watched for itself", || {
        stage.log.has("a sees team/b failed: told to fail")
    })
    .await;
    assert_eq!(stage.log.count("a sees"), 1);
    stage.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_what_a_watcher_makes_of_an_end_touches_nobody_else() {
    let (stage, other) = watched(|child| child).await;
    let target = other.clone();
    let rash = Say::act(move |_, ctx| {
        ctx.watch(&target, |_| panic!("rash watcher"));
        Box::pin(async { Ok(()) })
    });
    stage.address.send(rash).await.unwrap();
    stage.address.send(watch(&other)).await.unwrap();
    quiet().await;
    other.send(Say::Stop).await.unwrap();
    until("the other watch is told", || {
        stage.log.has("a sees team/b ended normally")
    })
    .await;
    let node = node_until(&stage.tree, "team/b", |node| node.incarnation == 2).await;
    assert_eq!(node.last_exit, Some(ExitReason::Normal));
    assert_eq!(stage.tree.observer().node("team").unwrap().incarnation, 1);
    stage.tree.stop().await;
}

async fn observation(events: &mut triarch_supervision::tree::Events) -> Observation {
    let next = async {
        loop {
            if let Fact::Observation(seen) = events.next().await.unwrap().fact {
                return seen;
            }
        }
    };
    soon("an observation", next).await
}

#[tokio::test(start_paused = true)]
async fn a_handler_beyond_its_budget_is_reported_once_and_goes_on() {
    let stage = stage(|child| child.handle_within(SECOND, OnStuck::Report)).await;
    let mut events = stage.tree.observer().events();
    let slow = Say::act(|puppet: &mut Puppet, _| {
        Box::pin(async move {
            tokio::time::sleep(60 * SECOND).await;
            puppet.write("is done");
            Ok(())
        })
    });
    stage.address.send(slow).await.unwrap();
    let Observation::Stuck {
        agent,
        incarnation,
        running_for,
        budget,
    } = observation(&mut events).await
    else {
        panic!("not stuck")
    };
    assert_eq!((&*agent, incarnation, budget), ("team/a", 1, SECOND));
    assert!(running_for > SECOND && running_for < 2 * SECOND, "{running_for:?}");
    until("it goes on", || stage.log.has("a is done")).await;
    assert!(std::iter::from_fn(|| events.try_next()).next().is_none(), "told once");
    assert_eq!(stage.tree.observer().node("team/a").unwrap().incarnation, 1);
    stage.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stuck_handler_is_restarted_if_the_child_says_so() {
    let stage = stage(|child| child.handle_within(SECOND, OnStuck::Restart)).await;
    stage.address.send(Say::Hang).await.unwrap();
    stage.address.send(Say::Note(1)).await.unwrap();
    until("the next life goes on", || stage.log.has("a note 1")).await;
    let exit = stage.tree.observer().node("team/a").unwrap().last_exit.unwrap();
    assert_eq!(exit.to_string(), "was killed: its handler was stuck");
    stage.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn many_handlers_within_their_budget_are_not_stuck() {
    let stage = stage(|child| child.handle_within(SECOND, OnStuck::Restart)).await;
    for _ in 0..20 {
        let brisk = Say::act(|_, _| {
            Box::pin(async {
                tokio::time::sleep(950 * MILLI).await;
                Ok(())
            })
        });
        stage.address.send(brisk).await.unwrap();
    }
    assert_eq!(soon("all are handled", stage.address.ask(Say::Life)).await, Ok(1));
    stage.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_resumes_keeps_its_state_counts_the_failure_and_tells_it() {
    let stage = stage(|child| child.on_error(OnError::Resume)).await;
    let mut events = stage.tree.observer().events();
    stage.address.send(Say::Fail).await.unwrap();
    assert_eq!(stage.address.ask(Say::Life).await, Ok(1));
    let Observation::Resumed {
        agent,
        incarnation,
        failure,
    } = observation(&mut events).await
    else {
        panic!("not resumed")
    };
    assert_eq!(
        (&*agent, incarnation, failure.to_string()),
        ("team/a", 1, "told to fail".to_owned())
    );
    assert_eq!(stage.address.figures().failed, 1);
    assert_eq!(stage.tree.observer().dead_letters().count(DeadReason::Crashed), 1);
    let ask = stage.address.ask(|reply: Reply<u32>| {
        Say::act(move |_, _| {
            drop(reply);
            Box::pin(async { Err(Failure::new("no")) })
        })
    });
    let error = soon("the asker is told", ask).await.unwrap_err();
    assert!(matches!(
        error,
        AskError::NotAnswered {
            why: NoAnswer::Crashed,
            ..
        }
    ));
    stage.address.send(Say::Panic).await.unwrap();
    assert_eq!(
        stage.address.ask(Say::Life).await,
        Ok(2),
        "a panic always ends the incarnation"
    );
    stage.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn stop_does_not_wait_behind_a_million_messages() {
    const QUEUED: u32 = 1_000_000;
    let stage = stage(|child| child.capacity(QUEUED as usize)).await;
    pause(&stage.tree).await;
    stage
        .address
        .send_many((0..QUEUED).map(Say::Note).collect())
        .await
        .unwrap();
    stage.tree.observer().resume("team/a").unwrap();
    let end = soon("it stops", stage.tree.stop()).await;
    assert!(end.is_orderly());
    let handled = stage.log.count("a note");
    assert!(handled <= 2 * 8192, "more than the rest of one streak: {handled}");
    assert_eq!(
        stage.tree.observer().dead_letters().count(DeadReason::Closed),
        u64::from(QUEUED) - handled as u64
    );
}

#[tokio::test(start_paused = true)]
async fn an_agent_finds_others_through_its_tree() {
    let stage = stage(|child| child).await;
    let look = Say::act(|puppet: &mut Puppet, ctx| {
        let found = ctx.observer().address::<Say>("team/a").unwrap();
        puppet.write(format_args!("finds {} {}", found.path(), found == ctx.address()));
        Box::pin(async { Ok(()) })
    });
    stage.address.send(look).await.unwrap();
    until("it finds itself", || stage.log.has("a finds team/a true")).await;
    stage.tree.stop().await;
}
