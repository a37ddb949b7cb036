//! A thousand programs.

use std::fs;
use std::time::Instant;

use serde_json::json;

use crate::programs::ECHO;
use crate::yard::{Yard, rounds, until};

fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

#[test]
fn of_a_thousand_programs_each_answers_and_none_is_left() {
    let yard = Yard::new();
    let count = rounds(200, 1000);
    yard.describe("");
    let runtime = yard.up();
    let before = descriptors(runtime.pid());
    let begun = Instant::now();
    yard.describe(&yard.agent("one", ECHO, &format!("replicas = {count}")));
    yard.ask("reload", &json!({})).unwrap();
    let started = begun.elapsed();
    let mut caller = yard.caller();
    for number in 1..=count {
        assert_eq!(caller.reply(&format!("one-{number}")), "pong");
    }
    let answered = begun.elapsed();
    assert_eq!(yard.living().len(), count);
    caller.ask("team.stop", &json!({ "team": "team" })).unwrap();
    drop(caller);
    let stopped = begun.elapsed();
    assert!(yard.living().is_empty());
    until("no descriptor is left", || descriptors(runtime.pid()) <= before);
    yard.down(runtime);
    eprintln!(
        "{count} programs: all started after {started:.1?}, all answered after {answered:.1?}, stopped in {:.1?}",
        stopped.checked_sub(answered).unwrap()
    );
}
