//! Bad input: each is a typed error that names the thing and the remedy, when the tree is built where it can be
//! known there.

use std::time::Duration;

use triarch_supervision::error::{BuildError, ChildFault};
use triarch_supervision::metrics::{Catalogue, InstrumentError, Instruments, TELEMETRY};
use triarch_supervision::name::NameError;
use triarch_supervision::prelude::*;
use triarch_supervision::supervisor::{AdminError, CallError};

use crate::agents::{Log, Puppet, Say, Script, Start, grow, puppet, scripted, team};
use crate::patience::{SECOND, soon};

fn child(name: &str) -> Child<Puppet> {
    puppet(name, &Log::default())
}

async fn refused(root: Root) -> String {
    match soon("the start fails", root.start()).await {
        Err(StartError::Build(error)) => error.to_string(),
        other => panic!("not refused when built: {other:?}"),
    }
}

async fn refused_team(team: Supervisor) -> String {
    refused(Root::new().supervisor(team)).await
}

#[tokio::test(start_paused = true)]
async fn two_children_of_one_name() {
    let text = refused_team(team().child(child("a")).child(child("b")).child(child("a"))).await;
    assert_eq!(text, "child a of supervisor team is there twice; rename one of them");
}

#[tokio::test(start_paused = true)]
async fn two_supervisors_of_one_name() {
    let text = refused(Root::new().supervisor(team()).supervisor(team())).await;
    assert_eq!(text, "child team of supervisor root is there twice; rename one of them");
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_without_room() {
    let text = refused_team(team().child(child("a").capacity(0))).await;
    assert_eq!(
        text,
        "child a of supervisor team has a mailbox of capacity 0; give it at least 1"
    );
}

#[tokio::test(start_paused = true)]
async fn an_intensity_without_a_period() {
    let text = refused_team(Supervisor::named("team").intensity(Intensity::new(3, Duration::ZERO))).await;
    assert_eq!(
        text,
        "supervisor team allows 3 restarts within no time; give its intensity a period"
    );
    let text = refused(Root::new().intensity(Intensity::new(1, Duration::ZERO))).await;
    assert_eq!(
        text,
        "supervisor root allows 1 restart within no time; give its intensity a period"
    );
}

#[tokio::test(start_paused = true)]
async fn a_significant_child_that_is_permanent() {
    let team = team()
        .auto_shutdown(AutoShutdown::AnySignificant)
        .child(child("a").significant());
    let text = refused_team(team).await;
    let expected = "child a of supervisor team is significant, which needs restart transient or temporary, and a supervisor with auto_shutdown";
    assert_eq!(text, expected);
}

#[tokio::test(start_paused = true)]
async fn a_significant_child_under_a_supervisor_that_never_shuts_down_for_it() {
    let text = refused_team(team().child(child("a").restart(Restart::Transient).significant())).await;
    assert!(
        text.starts_with("child a of supervisor team is significant, which needs"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_significant_supervisor_under_a_root_that_never_shuts_down_for_it() {
    let text = refused_team(team().restart(Restart::Transient).significant()).await;
    assert!(
        text.starts_with("child team of supervisor root is significant, which needs"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn names_with_forbidden_characters() {
    for (name, text) in [
        ("", "a name is empty; give it one to 63 of a-z, 0-9, _ and -"),
        (
            "A",
            "the name \"A\" has 'A' at position 0; use a-z, 0-9, _ and -, and begin with a letter or digit",
        ),
        (
            "a/b",
            "the name \"a/b\" has '/' at position 1; use a-z, 0-9, _ and -, and begin with a letter or digit",
        ),
        (
            "a#b",
            "the name \"a#b\" has '#' at position 1; use a-z, 0-9, _ and -, and begin with a letter or digit",
        ),
        (
            "root",
            "the name \"root\" is reserved for the tree itself; choose another",
        ),
    ] {
        let of_team = format!("a child of supervisor team cannot bear its name: {text}");
        assert_eq!(refused_team(team().child(child(name))).await, of_team);
        assert_eq!(refused_team(Supervisor::named(name)).await, text);
    }
    let long = "x".repeat(64);
    let text = refused_team(team().child(child(&long))).await;
    assert!(text.ends_with("has 64 bytes; shorten it to 63 or fewer"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_allowed_no_time() {
    let text = refused_team(team().child(child("a").handle_within(Duration::ZERO, OnStuck::Report))).await;
    assert_eq!(
        text,
        "child a of supervisor team allows its handlers no time at all; give handle_within more than 0"
    );
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_allowed_no_time() {
    let text = refused_team(team().child(child("a").start_within(Duration::ZERO))).await;
    assert_eq!(
        text,
        "child a of supervisor team allows its start no time at all; give start_within more than 0"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_is_allowed_no_time() {
    let none = Shutdown::Within(Duration::ZERO);
    let text = "is given no time at all to stop; give shutdown more than 0, or say BrutalKill";
    assert_eq!(
        refused_team(team().child(child("a").shutdown(none))).await,
        format!("child a of supervisor team {text}")
    );
    assert_eq!(
        refused_team(team().shutdown(none)).await,
        format!("child team of supervisor root {text}")
    );
}

#[tokio::test(start_paused = true)]
async fn a_supervisors_start_that_is_allowed_no_time() {
    assert_eq!(
        refused_team(team().start_within(Duration::ZERO)).await,
        "child team of supervisor root allows its start no time at all; give start_within more than 0"
    );
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_shaped_after_its_address_was_taken() {
    let child = child("a");
    let _address = child.address();
    let text = refused_team(team().child(child.capacity(3))).await;
    assert_eq!(
        text,
        "child a of supervisor team got another capacity or overflow policy after its address was taken; set them first"
    );
}

#[tokio::test(start_paused = true)]
async fn a_backoff_that_is_none() {
    let good = Backoff::exponential(SECOND, 2 * SECOND);
    for (backoff, text) in [
        (
            Backoff { factor: 0.5, ..good },
            "child a of supervisor team has a backoff with a factor below 1; give a factor of 1 or more",
        ),
        (
            Backoff {
                factor: f64::NAN,
                ..good
            },
            "child a of supervisor team has a backoff with a factor below 1; give a factor of 1 or more",
        ),
        (
            Backoff { jitter: 1.5, ..good },
            "child a of supervisor team has a backoff with a jitter outside 0 to 1; give the share of the wait that chance may move",
        ),
        (
            Backoff {
                max: SECOND / 2,
                ..good
            },
            "child a of supervisor team has a backoff with a first wait beyond its maximum; raise the maximum or lower the first wait",
        ),
    ] {
        assert_eq!(refused_team(team().child(child("a").backoff(backoff))).await, text);
    }
    let text = "supervisor team has a backoff with a factor below 1; give a factor of 1 or more";
    assert_eq!(
        refused_team(team().backoff(Backoff { factor: 0.5, ..good })).await,
        text
    );
}

#[tokio::test(start_paused = true)]
async fn a_group_that_hangs_together_and_is_to_be_split() {
    let children = ["a", "b", "c"].map(child);
    let text = refused_team(team().strategy(Strategy::OneForAll).span(2).children(children)).await;
    assert_eq!(
        text,
        "supervisor team restarts its children together and has 3 of them, more than its span 2; raise the span, or make several supervisors"
    );
    assert_eq!(
        refused_team(team().span(0)).await,
        "supervisor team has span 0; give each supervisor room for at least 1 child"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_tree_leaves_no_address_to_wait_at() {
    let good = child("good").capacity(1);
    let address = good.address();
    refused_team(team().child(good).child(child("bad").capacity(0))).await;
    assert!(address.is_closed(), "nobody will ever read it");
    let error = soon("an asker is told", address.ask(Say::Life)).await.unwrap_err();
    assert!(matches!(
        error,
        AskError::NotSent {
            why: Refusal::Closed,
            ..
        }
    ));
}

#[tokio::test(start_paused = true)]
async fn a_factory_that_panics() {
    let script = Script::new(&Log::default()).start(Start::Panics);
    let error = Root::new()
        .supervisor(team().child(scripted("a", script)))
        .start()
        .await
        .unwrap_err();
    let text = error.to_string();
    let expected = "the tree did not start, and nothing of it runs: child team did not start: child a did not start: panicked: start of a went wrong (";
    assert!(text.starts_with(expected) && text.contains("agents.rs:"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_start_that_panics_before_its_first_await() {
    struct Rash;
    impl Agent for Rash {
        type Message = Say;
        type Spec = bool;
        fn start(panics: bool, _: &mut Context<Self>) -> impl Future<Output = Result<Self, Failure>> + Send {
            assert!(!panics, "too rash");
            async { Ok(Self) }
        }
        async fn handle(&mut self, _: Say, _: &mut Context<Self>) -> Result<(), Failure> {
            Ok(())
        }
    }
    let error = Root::new()
        .supervisor(team().child(Child::of::<Rash>("a", true)))
        .start()
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("child a did not start: panicked: too rash"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_start_that_never_returns() {
    let script = Script::new(&Log::default()).start(Start::Hangs);
    let child = scripted("a", script.clone()).start_within(7 * SECOND);
    let begun = tokio::time::Instant::now();
    let error = Root::new().supervisor(team().child(child)).start().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tree did not start, and nothing of it runs: child team did not start: child a did not start: did not start \
         within 7s; allow its start more by start_within, or have it do less before it runs; see to that, then start it again"
    );
    assert_eq!(begun.elapsed().as_secs(), 7);
    assert_eq!(script.log.alive(), 0, "it is gone");
    let begun = tokio::time::Instant::now();
    Root::new()
        .supervisor(team().child(scripted("a", script)))
        .start()
        .await
        .unwrap_err();
    assert_eq!(begun.elapsed().as_secs(), 30, "where nothing is said");
}

#[tokio::test(start_paused = true)]
async fn unknown_and_double_children_in_calls() {
    let tree = grow(team().child(child("a"))).await;
    let team = tree.observer().supervisor("team").unwrap();
    let unknown = "no child is named ghost; list the children to see who there is";
    assert_eq!(team.terminate_child("ghost").await.unwrap_err().to_string(), unknown);
    assert_eq!(team.restart_child("ghost").await.unwrap_err().to_string(), unknown);
    assert_eq!(team.delete_child("ghost").await.unwrap_err().to_string(), unknown);
    assert_eq!(team.retry_child("ghost").await.unwrap_err().to_string(), unknown);
    assert_eq!(team.kill_child("ghost").await.unwrap_err().to_string(), unknown);
    assert_eq!(team.child_policy("ghost").await.unwrap_err().to_string(), unknown);
    assert_eq!(
        team.start_child(child("a")).await.unwrap_err().to_string(),
        "child a already runs; choose another name or terminate it first"
    );
    team.terminate_child("a").await.unwrap();
    assert_eq!(
        team.start_child(child("a")).await.unwrap_err().to_string(),
        "child a is already specified but down; restart it, or delete it first"
    );
    let CallError::Build(BuildError::Child { supervisor, fault, .. }) = team.start_child(child("B")).await.unwrap_err()
    else {
        panic!("a name that is none is known before it is built");
    };
    assert_eq!(supervisor.as_str(), "team");
    assert!(matches!(
        fault,
        ChildFault::Name(NameError::Forbidden { found: 'B', .. })
    ));
    let significant = team
        .start_child(child("s").restart(Restart::Temporary).significant())
        .await
        .unwrap_err();
    assert!(
        matches!(significant, CallError::Refused(AdminError::Significant { .. })),
        "{significant}"
    );
    let error = tree.observer().supervisor("ghost").unwrap_err().to_string();
    assert_eq!(
        error,
        "nothing in the tree is called ghost; its snapshot lists what there is"
    );
    let error = tree.observer().supervisor("team/a").unwrap_err().to_string();
    assert_eq!(
        error,
        "team/a is an agent, Puppet, which has no children; name the supervisor above it"
    );
    assert_eq!(
        tree.observer().address::<Say>("team").unwrap_err().to_string(),
        "team is a Supervisor, which handles no messages; name one of its agents"
    );
    tree.stop().await;
    assert_eq!(
        team.count_children().await.unwrap_err().to_string(),
        "supervisor team is down or has left the tree; ask again if its parent restarts it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_tree_does_not_start_with_instruments_that_lack_its_families() {
    let instruments = Instruments::new(Catalogue::new(&[TELEMETRY]).unwrap());
    let refused = Root::new().instruments(instruments).start().await.unwrap_err();
    let StartError::Instruments(InstrumentError::NotInCatalogue { family }) = &refused else {
        panic!("{refused:?}");
    };
    let (said, remedy) = (refused.to_string(), "add the section that declares it");
    assert!(said.contains(family) && said.contains(remedy), "{said}");
    assert!(
        said.contains("a tree counts in the sections of metrics::families::TREE"),
        "{said}"
    );
}

/// What is said where a tree is started without what it lives on.
fn refused_by(start: impl Future<Output = Result<Tree, StartError>>) -> StartError {
    let mut start = std::pin::pin!(start);
    let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
    match start.as_mut().poll(&mut nobody) {
        std::task::Poll::Ready(Err(error)) => error,
        told => panic!("{told:?}"),
    }
}

#[test]
fn a_tree_does_not_start_where_there_is_no_runtime_or_one_without_a_clock() {
    let refused = refused_by(Root::new().start());
    assert_eq!(refused, StartError::NoRuntime);
    assert!(refused.to_string().contains("there is none here"), "{refused}");

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let refused = runtime.block_on(async { refused_by(Root::new().start()) });
    assert_eq!(refused, StartError::NoClock);
    assert!(refused.to_string().contains("build it with `enable_time`"), "{refused}");
}
