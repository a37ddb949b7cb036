//! Fleets that start and stop, again and again.

use std::time::Instant;

use crate::yard::{ECHO, Yard, rounds, until};

/// Does not end when it is asked to, and neither does its helper in a session of its own.
const STUBBORN: &str = r#"
trap '' TERM HUP INT
setsid sh -c 'trap "" TERM HUP; while :; do sleep 600; done' "$1" &
"#;

/// Leaves a daemon: in a session of its own, without its environment, and without its parents.
const DAEMON: &str = r#"
(setsid env -i sh -c 'trap "" TERM HUP; while :; do /bin/sleep 600; done' "$1" </dev/null >/dev/null 2>&1 & )
"#;

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
    eprintln!("{rounds} starts and stops, up to {most} processes, 0 survivors, {:.1?}", begun.elapsed());
}
