//! Fleets that start and stop, again and again.

use std::time::Instant;

use crate::programs::{DAEMON, ECHO, STUBBORN};
use crate::yard::{Yard, rounds, until};

#[test]
fn of_fleets_that_start_and_stop_nobody_is_left() {
    let yard = Yard::new();
    let short = "replicas = 2\nshutdown = \"100ms\"";
    let agents = [
        yard.agent("plain", ECHO, ""),
        yard.agent("stubborn", &[STUBBORN, ECHO].concat(), short),
        yard.agent("daemon", &[DAEMON, ECHO].concat(), short),
    ];
    yard.describe(&agents.concat());
    let begun = Instant::now();
    let rounds = rounds(20, 500);
    let mut most = 0;
    for round in 0..rounds {
        let runtime = yard.up();
        // Some are stopped while they have hardly begun.
        if round % 4 != 0 {
            for agent in ["plain", "stubborn-1", "stubborn-2", "daemon-1", "daemon-2"] {
                assert_eq!(yard.reply(agent), "pong");
            }
            until("daemons and helpers are there", || yard.living().len() >= 9);
        }
        most = most.max(yard.living().len());
        yard.down(runtime);
    }
    assert!(most >= 9, "there were at most {most} processes");
    eprintln!(
        "{rounds} starts and stops, up to {most} processes, 0 survivors, {:.1?}",
        begun.elapsed()
    );
}

#[test]
fn who_does_not_wait_leaves_nobody_either() {
    let yard = Yard::new();
    let agent = yard.agent(
        "slow",
        &[STUBBORN, DAEMON, ECHO].concat(),
        "replicas = 3\nshutdown = \"10m\"",
    );
    yard.describe(&agent);
    for _ in 0..rounds(3, 50) {
        let mut runtime = yard.up();
        for agent in ["slow-1", "slow-2", "slow-3"] {
            assert_eq!(yard.reply(agent), "pong");
        }
        until("all are there", || yard.living().len() == 15);
        runtime.signal("TERM");
        until("it is stopping", || !yard.is_ready());
        assert_eq!(runtime.insist("TERM"), Some(130), "{}", yard.log());
        yard.is_left_by_all();
    }
}
