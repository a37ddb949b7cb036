//! Storms, crowds, slow consumers.

use std::time::Duration;

use futures_util::future::{FutureExt, join_all};
use triarch_supervision::dead_letter::DeadReason;
use triarch_supervision::prelude::*;
use triarch_supervision::supervisor::Decision;
use triarch_supervision::tree::{Events, Phase};

use crate::agents::{Log, Puppet, Say, Script, Start, Stop, grow, one_in, pause, puppet, scripted, team};
use crate::patience::{SECOND, decisions, node_until, quiet, soon, until};

/// Children that start well and crash at once, always.
fn crashing(count: usize, log: &Log) -> Vec<Child<Puppet>> {
    let script = Script::new(log).start(Start::ThenCrashes);
    (0..count)
        .map(|number| scripted(&format!("a{number}"), script.clone()))
        .collect()
}

/// Children that crash once told to, and from then on at once, always.
fn crashing_once_told(count: usize, log: &Log) -> Vec<Child<Puppet>> {
    let first_well = |life| if life == 1 { Start::Well } else { Start::ThenCrashes };
    let script = Script::new(log).starts(first_well);
    (0..count)
        .map(|number| scripted(&format!("a{number}"), script.clone()))
        .collect()
}

/// Fails when more events than `most` came before `future` did: a stand-in for time where the clock stands
/// still because somebody is always busy.
async fn before_events<T>(most: usize, events: &mut Events, future: impl Future<Output = T>) -> T {
    let flood = async {
        for _ in 0..most {
            events.next().await;
        }
    };
    tokio::select! {
        value = future => value,
        () = flood => panic!("starved for {most} events"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_answers_and_stops_while_all_its_children_crash_without_a_pause() {
    let log = Log::default();
    let stormy = Supervisor::named("stormy")
        .intensity(Intensity::new(u32::MAX, SECOND))
        .children(crashing(50, &log));
    let tree = grow(stormy.parallel_start()).await;
    let mut events = tree.observer().events();
    let handle = tree.observer().supervisor("stormy").unwrap();
    let children = before_events(50_000, &mut events, handle.which_children())
        .await
        .unwrap();
    assert_eq!(children.len(), 50);
    before_events(50_000, &mut events, handle.start_child(puppet("late", &log)))
        .await
        .unwrap();
    before_events(50_000, &mut events, tree.stop()).await;
    assert_eq!((log.alive(), log.most_alive()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_always_crashing_children_leave_their_neighbours_in_peace() {
    let log = Log::default();
    let backoff = Backoff::exponential(Duration::from_millis(100), 30 * SECOND);
    let stormy = Supervisor::named("stormy")
        .intensity(Intensity::new(1_000_000, SECOND))
        .backoff(backoff)
        .parallel_start()
        .children(crashing(1000, &log));
    let good = puppet("good", &log);
    let address = good.address();
    let tree = Root::new()
        .seed(1)
        .supervisor(stormy)
        .supervisor(team().child(good))
        .start()
        .await
        .unwrap();
    for number in 0..60 {
        tokio::time::sleep(SECOND).await;
        assert_eq!(
            address.ask_within(SECOND, |reply| Say::Echo(number, reply)).await,
            Ok(number)
        );
    }
    log.clear();
    tokio::time::sleep(60 * SECOND).await;
    let starts = log.lines().iter().filter(|line| line.contains("starts")).count();
    assert!(
        (1000..4000).contains(&starts),
        "in steady state one start each in half a minute: {starts}"
    );
    assert_eq!(address.ask(Say::Life).await, Ok(1));
    assert!(soon("it stops", tree.stop()).await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_crashing_children_escalate_once() {
    let log = Log::default();
    let stormy_ones = crashing_once_told(1000, &log);
    let addresses: Vec<_> = stormy_ones.iter().map(Child::address).collect();
    let stormy = Supervisor::named("stormy")
        .intensity(Intensity::new(100, SECOND))
        .children(stormy_ones);
    let good = puppet("good", &log);
    let address = good.address();
    let slow_root = Root::new().seed(1).backoff(Backoff {
        jitter: 0.0,
        ..Backoff::exponential(60 * SECOND, 60 * SECOND)
    });
    let tree = slow_root
        .supervisor(stormy.parallel_start())
        .supervisor(team().child(good))
        .start()
        .await
        .unwrap();
    let mut events = tree.observer().events();
    for one in &addresses {
        one.try_send(Say::Fail).unwrap();
    }
    node_until(&tree, "stormy", |node| node.state == Phase::Backoff).await;
    quiet().await;
    let escalations = decisions(&mut events)
        .iter()
        .filter(|one| matches!(one, Decision::Escalated(_)))
        .count();
    assert_eq!((escalations, address.ask(Say::Life).await), (1, Ok(1)));
    assert!(soon("it stops", tree.stop()).await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn a_kill_storm_through_three_levels_is_bounded_by_all_intensities() {
    let log = Log::default();
    let mut addresses = Vec::new();
    let teams = (0..3).map(|number| {
        let children = crashing_once_told(4, &log);
        addresses.extend(children.iter().map(Child::address));
        Supervisor::named(format!("team{number}"))
            .intensity(Intensity::new(5, 60 * SECOND))
            .children(children)
    });
    let root = teams.fold(Root::new().intensity(Intensity::new(4, 60 * SECOND)), Root::supervisor);
    let tree = root.start().await.unwrap();
    for one in &addresses {
        one.try_send(Say::Fail).unwrap();
    }
    let end = soon("the storm ends", tree.wait()).await;
    assert_eq!(end.exit_code(), 70);
    let starts = log.lines().iter().filter(|line| line.contains("starts")).count();
    assert!(starts <= 3 * 4 + 3 * 5 + 4 * (4 + 5), "{starts}");
    assert_eq!((log.alive(), log.most_alive()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_slow_consumer_hurts_itself_only_and_nothing_is_uncounted() {
    const SENT: u32 = 10_000;
    let log = Log::default();
    let slow = puppet("slow", &log).capacity(16).overflow(Overflow::DropNewest);
    let quick = puppet("quick", &log).capacity(16);
    let (to_slow, to_quick) = (slow.address(), quick.address());
    let tree = grow(team().child(slow).child(quick)).await;
    tree.observer().pause("team/slow").unwrap();
    quiet().await;
    for number in 0..SENT {
        to_slow.send(Say::Note(number)).await.unwrap();
        to_quick.send(Say::Note(number)).await.unwrap();
    }
    until("the quick one has all", || log.count("quick note") == SENT as usize).await;
    tree.observer().resume("team/slow").unwrap();
    until("the slow one has its own", || log.count("slow note") == 16).await;
    let figures = to_slow.figures();
    assert_eq!(
        u64::from(SENT),
        figures.handled + figures.dropped,
        "published = delivered + dropped"
    );
    assert_eq!(tree.observer().dead_letters().count(DeadReason::Full), figures.dropped);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_subscriber_of_events_holds_nobody_up() {
    let tough = team().intensity(Intensity::new(u32::MAX, SECOND));
    let (tree, address) = one_in(tough, puppet("a", &Log::default())).await;
    let mut events = tree.observer().events();
    for _ in 0..3000 {
        address.send(Say::Fail).await.unwrap();
    }
    assert_eq!(soon("the agent goes on", address.ask(Say::Life)).await, Ok(3001));
    let kept = std::iter::from_fn(|| events.try_next()).count();
    assert_eq!(kept, triarch_supervision::tree::EVENTS_KEPT);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_static_children_start_and_stop() {
    const MANY: usize = 100_000;
    let log = Log::default();
    let script = Script::new(&log);
    let children = (0..MANY).map(|number| scripted(&format!("a{number}"), script.clone()).capacity(1));
    let tree = grow(team().children(children)).await;
    assert_eq!(log.alive(), MANY);
    let counts = tree
        .observer()
        .supervisor("team")
        .unwrap()
        .count_children()
        .await
        .unwrap();
    assert_eq!((counts.specified, counts.active), (MANY, MANY));
    assert!(tree.stop().await.is_orderly());
    let lines = log.lines();
    assert_eq!((log.alive(), lines.len()), (0, MANY * 4));
    let starts: Vec<_> = lines.iter().filter(|line| line.ends_with("starts 1")).collect();
    assert!(
        starts
            .iter()
            .zip(0..MANY)
            .all(|(line, number)| line.starts_with(&format!("a{number} ")))
    );
}

#[tokio::test(start_paused = true)]
async fn many_dynamic_children_come_and_go() {
    const MANY: usize = 20_000;
    let log = Log::default();
    let tree = grow(Supervisor::dynamic("team")).await;
    let team = tree.observer().supervisor("team").unwrap();
    let script = Script::new(&log).stop(Stop::Takes(SECOND));
    let starts = join_all((0..MANY).map(|number| team.start_child(scripted(&format!("a{number}"), script.clone()))));
    assert!(starts.await.iter().all(Result::is_ok));
    assert_eq!(team.count_children().await.unwrap().active, MANY);
    let begun = tokio::time::Instant::now();
    assert!(tree.stop().await.is_orderly());
    assert_eq!((log.alive(), begun.elapsed().as_secs()), (0, 1));
}

/// Sends in every way there is and gives up on some; how many messages were taken.
async fn flood(address: Address<Say>) -> u64 {
    let mut taken = 0;
    for number in 0..2000 {
        let say = || {
            if number % 97 == 0 {
                Say::Panic
            } else {
                Say::Note(number)
            }
        };
        match number % 5 {
            0 => taken += u64::from(address.send(say()).await.is_ok()),
            1 => taken += u64::from(address.try_send(say()).is_ok()),
            2 => taken += u64::from(address.send(say()).now_or_never().is_some()),
            3 => {
                address.send_many((0..3).map(|_| say()).collect()).await.unwrap();
                taken += 3;
            }
            _ => {
                let mut given_up = Box::pin(address.send(say()));
                let sent = (&mut given_up).now_or_never();
                tokio::task::yield_now().await;
                taken += u64::from(sent.is_some() || given_up.now_or_never().is_some());
            }
        }
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_accounted_for_whatever_is_cancelled_crashed_and_killed() {
    let log = Log::default();
    let tough = team().intensity(Intensity::new(u32::MAX, SECOND));
    let (tree, address) = one_in(tough, puppet("a", &log).capacity(7)).await;
    let team = tree.observer().supervisor("team").unwrap();
    let senders = (0..3).map(|_| {
        let (address, runtime) = (address.clone(), tokio::runtime::Handle::current());
        tokio::task::spawn_blocking(move || runtime.block_on(flood(address)))
    });
    let mut flooding = Box::pin(join_all(senders));
    let taken = loop {
        tokio::select! {
            taken = &mut flooding => break taken.into_iter().map(Result::unwrap).sum::<u64>(),
            // It may be between two lives.
            _killed = team.kill_child("a") => tokio::task::yield_now().await,
        }
    };
    soon("the last life answers", address.ask(Say::Life)).await.unwrap();
    // An answer is there a moment before the question counts as handled.
    until("all are accounted for", || {
        let figures = address.figures();
        figures.enqueued == figures.handled + figures.failed
    })
    .await;
    pause(&tree).await;
    let figures = address.figures();
    assert_eq!((figures.depth, figures.enqueued), (0, taken + 1));
    assert_eq!(
        tree.observer().dead_letters().count(DeadReason::Crashed),
        figures.failed
    );
    assert_eq!(crate::bounds::fill(&address), 7, "no room has leaked, none was doubled");
    assert_eq!(log.most_alive(), 1);
    soon("it stops", tree.stop()).await;
}
