//! Many programs that stop at once.

use std::process::Command;

use futures_util::future::join_all;

use super::super::looks;
use super::*;

/// Tells the test binary to be the runtime of these: nobody else is to look around meanwhile.
const ROLE: &str = "TRIARCH_TEST_CROWD";

const COUNT: usize = 40;
const PATIENCE: Duration = Duration::from_millis(300);
/// How long a look takes where hundreds of processes are.
const LOOK_MILLIS: u64 = 50;
/// By itself each would need five.
const LOOKS_MOST: usize = COUNT * 2;

#[test]
fn many_that_ignore_the_wish_to_stop_are_looked_for_and_killed_together() {
    if std::env::var(ROLE).is_ok() {
        return be_many();
    }
    let name = std::thread::current().name().unwrap().to_owned();
    let mut many = Command::new(std::env::current_exe().unwrap());
    let told = many.args(["--exact", &name, "--nocapture"]).env(ROLE, "yes").output();
    let told = told.unwrap();
    assert!(told.status.success(), "{told:?}");
    let said = String::from_utf8_lossy(&told.stdout);
    assert!(said.contains("1 passed"), "it was not run: {said}");
}

fn be_many() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        // No control group, which would tell more.
        let yards: Vec<_> = (0..COUNT).map(|_| Yard::new(Cgroups::default())).collect();
        let script = "trap '' TERM; echo ready; while :; do sleep 1; done";
        let mut programs = join_all(yards.iter().map(|yard| yard.start(script))).await;
        looks::take_longer(LOOK_MILLIS);
        looks::count();
        let surveys = join_all(programs.iter_mut().map(|program| program.stop(PATIENCE))).await;
        let count = looks::count();
        looks::take_longer(0);
        for (yard, survey) in yards.iter().zip(surveys) {
            assert_eq!((yard.marked(), survey.survivors), (vec![], 0));
            assert!(survey.killed > 0, "{survey:?}");
        }
        assert!(count < LOOKS_MOST, "{count} looks");
    });
}
