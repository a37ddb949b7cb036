//! Program agents of the release binary: how soon they run, and run again.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use triarch_benches::Scale;
use triarch_benches::figure::percentiles;

use crate::cases::{KILLS, RUNS, Times};
use crate::commands::timed;
use crate::house::House;
use crate::processes::{Watch, is_gone, pause, signal, until};

/// How many programs there are, on both sides.
pub(crate) const PROGRAMS: usize = 100;
/// What each of them is, on both sides: it does nothing, and starts nothing.
pub(crate) const PROGRAM: &str = "sleep";
/// For longer than anything takes.
pub(crate) const SLEEPING: &str = "86400";
/// Between one kill and the next, so that none is counted twice.
pub(crate) const BETWEEN_KILLS: Duration = Duration::from_millis(5);

/// In the standard sandbox. What bounds restarts is out of the way; the wait before each is the least that can be asked for.
fn house() -> House {
    House::described(&format!(
        r#"
[[team]]
name = "team"
intensity = {{ restarts = 1000000, within = "1s" }}
backoff = {{ first = "1ms", max = "1ms" }}

  [[team.agent]]
  name = "sleeper"
  kind = "program"
  command = ["{PROGRAM}", "{SLEEPING}"]
  answers = false
  replicas = {PROGRAMS}
"#
    ))
}

/// From the start of `triarch up` until all programs run, in milliseconds.
pub(crate) fn start(_: &Scale) -> Vec<f64> {
    let house = house();
    let (begun, process) = house.start();
    let took = until_all_run(&mut Watch::children_of(process.pid()), begun).1;
    vec![took.as_secs_f64() * 1e3]
}

/// From a kill until the next life is a process, and until the death was seen: p50 and p99 of each in milliseconds.
pub(crate) fn respawns(scale: &Scale) -> Vec<f64> {
    let begun = Instant::now();
    let running = house().up();
    let mut watch = Watch::children_of(running.pid());
    let (programs, _) = until_all_run(&mut watch, begun);
    killed_in_turn(programs, &mut watch, KILLS.of(scale))
}

/// The command that lists them: p50 and p95 in milliseconds.
pub(crate) fn list(scale: &Scale) -> Vec<f64> {
    let begun = Instant::now();
    let running = house().up();
    until_all_run(&mut Watch::children_of(running.pid()), begun);
    let last = format!("/sleeper-{PROGRAMS} ");
    timed(RUNS.of(scale), || running.command(&["agent", "list"]), &last)
}

/// Waits until all programs run; their pids, and how long that took.
pub(crate) fn until_all_run(watch: &mut Watch, begun: Instant) -> (Vec<u32>, Duration) {
    let mut programs = Vec::with_capacity(PROGRAMS);
    until("all programs to run", || {
        programs.extend(watch.seen(Some(PROGRAM)));
        (programs.len() >= PROGRAMS).then_some(())
    });
    (programs, begun.elapsed())
}

/// Kills one program after the other, each for the first time before any for the second: p50 and p99 in milliseconds until
/// its supervisor has made another, and until it has seen that one is dead.
pub(crate) fn killed_in_turn(mut programs: Vec<u32>, watch: &mut Watch, times: Times) -> Vec<f64> {
    let (mut respawned, mut seen) = (Vec::with_capacity(times.recorded), Vec::with_capacity(times.recorded));
    for kill in 0..times.all() {
        let victim = kill % programs.len();
        let begun = Instant::now();
        signal(programs[victim], Signal::KILL);
        let mut gone = None;
        let successors = until("the next life of a killed program", || {
            if gone.is_none() && is_gone(programs[victim]) {
                gone = Some(begun.elapsed());
            }
            let seen = watch.seen(None);
            (!seen.is_empty()).then_some(seen)
        });
        let elapsed = begun.elapsed();
        assert!(successors.len() == 1, "one kill made {} processes", successors.len());
        programs[victim] = successors[0];
        if kill >= times.unrecorded {
            // Whoever was replaced was seen before, at the latest now.
            let both = [(&mut respawned, elapsed), (&mut seen, gone.unwrap_or(elapsed))];
            for (nanos, took) in both {
                nanos.push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            }
        }
        pause(BETWEEN_KILLS);
    }
    [respawned, seen]
        .map(|nanos| percentiles(nanos, [50, 99], 1e6))
        .concat()
}
