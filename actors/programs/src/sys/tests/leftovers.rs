//! A runtime that is killed, and the next one.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::super::leftovers::reap_on;
use super::super::reap_leftovers;
use super::*;

/// Tells the test binary to be the runtime that is killed: the folder of its state.
const ROLE: &str = "TRIARCH_TEST_STATE_DIR";
const MARK: &str = "TRIARCH_TEST_MARK";
const OFFER: &str = "TRIARCH_TEST_OFFER";

/// One program and one that left it, with and without a tag.
const SCRIPT: &str = "trap '' TERM; (setsid bash -c 'exec -a $MARK sleep 1000' &)
                      [ $HIDES = no ] || (setsid env -i bash -c 'exec -a $0 sleep 1000' $MARK &)
                      echo ready; sleep 1000; :";

#[test]
fn what_a_killed_runtime_left_is_found_and_killed_by_the_next() {
    if let Ok(dir) = std::env::var(ROLE) {
        be_killed(dir.into());
        return;
    }
    for (number, cgroups) in offers().into_iter().enumerate() {
        let hides = cgroups.tracks();
        let yard = Yard::new(cgroups);
        let name = std::thread::current().name().unwrap().to_owned();
        let mut runtime = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &name, "--nocapture"])
            .env(ROLE, &yard.dir)
            .env(MARK, &yard.mark)
            .env(OFFER, number.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut printed = BufReader::new(runtime.stdout.take().unwrap()).lines();
        assert!(printed.any(|line| line.unwrap().contains("under way")));
        let expected = if hides { 2 } else { 1 };
        assert_eq!(yard.exiles(), expected);
        runtime.kill().unwrap();
        runtime.wait().unwrap();
        let survey = reap_on(&yard.cgroups, &yard.owner);
        assert_eq!((yard.marked(), survey.survivors), (vec![], 0));
        assert!((expected..=expected + 3).contains(&survey.found), "{survey}");
        assert_eq!(reap_leftovers(&yard.owner), super::super::Survey::default());
    }
}

fn be_killed(dir: PathBuf) {
    let offer: usize = std::env::var(OFFER).unwrap().parse().unwrap();
    let yard = Yard {
        owner: Owner::of(&dir).unwrap(),
        dir,
        mark: std::env::var(MARK).unwrap(),
        cgroups: offers().swap_remove(offer),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut launch = yard.bash(SCRIPT);
        let hides = if yard.cgroups.tracks() { "yes" } else { "no" };
        launch.env.push(("HIDES".into(), hides.into()));
        let (mut process, _) = yard.try_launch(launch).await.unwrap();
        lines(&mut process, 1).await;
        yard.until_exiles(if yard.cgroups.tracks() { 2 } else { 1 }).await;
        println!("under way");
        std::io::stdout().flush().unwrap();
        process.ended().await;
    });
}

#[test]
fn processes_of_others_are_left_alone() {
    let [ours, theirs] = [Yard::new(Cgroups::default()), Yard::new(Cgroups::default())];
    let tagged = |tag: &Tag| {
        let mut command = Command::new("sleep");
        command.arg("1000").env("TRIARCH_TAG", tag.to_string()).spawn().unwrap()
    };
    let mut left = tagged(&ours.tag());
    let mut foreign = tagged(&theirs.tag());
    let survey = reap_on(&ours.cgroups, &ours.owner);
    assert_eq!((survey.found, survey.killed, survey.survivors), (1, 1, 0));
    assert!(left.wait().unwrap().code().is_none());
    assert!(foreign.try_wait().unwrap().is_none());
    foreign.kill().unwrap();
    foreign.wait().unwrap();
}
