//! Kills without warning: of a program, of what it started, of the runtime; and runtimes side by side.

use std::process::Command;

use serde_json::{Value, json};

use crate::kin::Process;
use crate::programs::{DAEMON, ECHO, STUBBORN};
use crate::yard::{Yard, rounds, until};

/// A yard with one of each: a program, its helper, and a daemon that it left.
fn household() -> Yard {
    let yard = Yard::new();
    yard.describe(&yard.agent("one", &[STUBBORN, DAEMON, ECHO].concat(), "shutdown = \"100ms\""));
    yard
}

/// Program, helper and daemon, and what each of them waits for.
const MEMBERS: usize = 5;

fn settled(yard: &Yard) -> Vec<Process> {
    assert_eq!(yard.reply("one"), "pong");
    until("all of the household are there", || yard.living().len() == MEMBERS);
    yard.living()
}

fn kill(pid: i32) {
    let pid = pid.to_string();
    assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
}

fn shown(yard: &Yard) -> Value {
    yard.ask("agent.show", &json!({ "agent": "one" })).unwrap()
}

#[test]
fn a_program_that_is_killed_comes_back_and_its_household_goes_with_it() {
    let yard = household();
    let runtime = yard.up();
    for life in 1..=rounds(5, 50) {
        let before = settled(&yard);
        let pid = shown(&yard)["pid"].as_i64().unwrap();
        kill(i32::try_from(pid).unwrap());
        until("the next life has begun", || shown(&yard)["incarnation"] == life + 1);
        let after = settled(&yard);
        for process in before {
            assert!(
                after.iter().all(|other| other.pid != process.pid),
                "{process:?} outlived the life that it belongs to"
            );
        }
    }
    yard.down(runtime);
}

#[test]
fn a_helper_that_is_killed_is_its_programs_business() {
    let yard = household();
    let runtime = yard.up();
    let before = settled(&yard);
    let leader = shown(&yard)["pid"].as_i64().unwrap();
    let helpers = before.iter().filter(|process| i64::from(process.pid) != leader);
    helpers.for_each(|process| kill(process.pid));
    until("only the program is left", || yard.living().len() == 1);
    assert_eq!(yard.reply("one"), "pong");
    assert_eq!(
        (&shown(&yard)["pid"], &shown(&yard)["incarnation"]),
        (&json!(leader), &json!(1))
    );
    yard.down(runtime);
}

#[test]
fn what_a_killed_runtime_leaves_is_reported_and_reaped_by_the_next() {
    let yard = household();
    for round in 0..rounds(5, 50) {
        let mut runtime = yard.up();
        let leader = (round % 2 == 0).then(|| {
            settled(&yard);
            shown(&yard)["pid"].as_i64().unwrap()
        });
        let before = yard.living();
        runtime.kill();
        until("the program has died with its runtime", || {
            yard.living().iter().all(|process| leader != Some(process.pid.into()))
        });
        let told = yard.log().len();
        let next = yard.up();
        let after = yard.living();
        for process in before {
            assert!(
                after.iter().all(|other| other.pid != process.pid),
                "{process:?} is left"
            );
        }
        if round % 2 == 0 {
            // The helper and the daemon, and what each waits for: the program itself dies with its runtime.
            let words = "had left 4 processes running; they were killed";
            until("they are told of", || yard.log()[told..].contains(words));
        }
        yard.down(next);
    }
}

#[test]
fn a_second_runtime_on_one_folder_touches_nothing_of_the_first() {
    let yard = household();
    let runtime = yard.up();
    let before = settled(&yard);
    for _ in 0..3 {
        let refused = yard.house.run(&["up"]);
        assert_eq!(refused.status.code(), Some(5), "{refused:?}");
    }
    let after = settled(&yard);
    let pids = |processes: &[Process]| processes.iter().map(|process| process.pid).collect::<Vec<_>>();
    assert_eq!(pids(&before), pids(&after));
    assert_eq!(shown(&yard)["incarnation"], 1);
    yard.down(runtime);
}

#[test]
fn two_runtimes_on_two_folders_leave_each_others_programs_alone() {
    let (left, right) = (household(), household());
    let stays = right.up();
    let before = settled(&right);
    for _ in 0..3 {
        let mut killed = left.up();
        settled(&left);
        killed.kill();
        let next = left.up();
        settled(&left);
        left.down(next);
    }
    let after = settled(&right);
    let pids = |processes: &[Process]| processes.iter().map(|process| process.pid).collect::<Vec<_>>();
    assert_eq!(pids(&before), pids(&after));
    right.down(stays);
}
