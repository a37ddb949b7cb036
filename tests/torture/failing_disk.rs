//! Disks that fail: each write, each sync, or one now and then, from one moment to the next while the runtime runs.
//!
//! libfiu stands between the binary and the C library, and is told by a pipe what fails with "Input/output error" from now
//! on. Journals reach the disk through the standard library, which calls the C library, so nothing of theirs passes it by:
//! each test sees writes refused first. What goes to the kernel without the C library are clocks and namespaces alone.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use triarch::gateway::Code;

use crate::ledger::{FLEET, Ledger, PLACES, Refused};
use crate::running::Running;
use crate::yard::{Caller, Yard, rounds, until, wrapped};

/// What can fail that a journal needs.
const SYNC: &str = "posix/io/sync/*";
const WRITE: &str = "posix/io/rw/pwrite";
const TRUNCATE: &str = "posix/io/rw/ftruncate";
const NAME: &str = "posix/io/dir/rename";

/// Longer than rooms bear it whose agents fail again and again.
const FOR_LONG: Duration = Duration::from_secs(5);

struct Faulty(Yard);

impl Faulty {
    /// `None`, with a word about it, where there is no libfiu.
    fn new() -> Option<Self> {
        if Command::new("fiu-run").arg("-h").output().is_err() {
            eprintln!("UNTESTED: there is no libfiu here, so no disk failed; install fiu-utils");
            return None;
        }
        let yard = Yard::new();
        yard.house.write("triarch.toml", FLEET);
        Some(Self(yard))
    }

    /// Where the pipes are by which it is told what fails.
    fn pipes(&self) -> String {
        self.0.path().join("fiu").display().to_string()
    }

    fn command(&self) -> Command {
        let before = ["fiu-run", "-x", "-f", &self.pipes()];
        wrapped(&before, &self.0.house.command(&["up"]))
    }

    fn up(&self) -> Running {
        self.0.up_by(&self.command())
    }

    fn tell(&self, runtime: &Running, words: &str) {
        let told = Command::new("fiu-ctrl")
            .args(["-f", &self.pipes(), "-c", words, &runtime.pid().to_string()])
            .output()
            .unwrap();
        assert!(told.status.success() && told.stderr.is_empty(), "{told:?}");
    }

    /// From now on that fails.
    fn fails(&self, runtime: &Running, what: &str) {
        self.tell(runtime, &format!("enable name={what},failinfo=5"));
    }

    /// It does so again and again.
    fn fails_at_random(&self, runtime: &Running, what: &str) {
        let words = format!("enable_random name={what},probability=0.2,failinfo=5");
        self.tell(runtime, &words);
    }

    fn mends(&self, runtime: &Running, what: &str) {
        self.tell(runtime, &format!("disable name={what}"));
    }
}

fn begun(faulty: &Faulty) -> (Running, Ledger, Caller) {
    let runtime = faulty.up();
    let (mut caller, mut ledger) = (faulty.0.caller(), Ledger::of_weight(300));
    for place in PLACES {
        for _ in 0..20 {
            ledger.write(&mut caller, place, Refused::InDoubt).unwrap();
        }
    }
    ledger.look_when_done(&mut caller);
    (runtime, ledger, caller)
}

/// Each is refused, and says where; what is closed says so.
fn is_refused(faulty: &Faulty, ledger: &mut Ledger, caller: &mut Caller) {
    for (place, folder) in PLACES.into_iter().zip(["work", "memory", "bus"]) {
        let folder = faulty.0.path().join("state").join(folder).display().to_string();
        let said = ledger.write(caller, place, Refused::InDoubt).unwrap_err();
        assert_eq!(said.code, Code::Failed, "{said}");
        let said = said.to_string();
        assert!(
            said.contains(&folder) && said.contains("Input/output error"),
            "{place:?}: {said}"
        );
    }
}

fn goes_on(ledger: &mut Ledger, caller: &mut Caller) {
    for place in PLACES {
        until("it is written again", || {
            ledger.write(caller, place, Refused::InDoubt).is_ok()
        });
    }
    ledger.look_when_done(caller);
}

/// Nobody failed because of it but the disk.
fn is_unharmed(caller: &mut Caller) {
    for agent in [
        "bus/archivist",
        "bus/scribe",
        "memory/writer",
        "work/queue",
        "crew/echo",
    ] {
        let shown = caller.ask("agent.show", &json!({ "agent": agent })).unwrap();
        assert_eq!(shown["restarts"], 0, "{shown}");
    }
}

#[test]
fn while_each_sync_fails_nothing_is_acknowledged_all_is_read_and_all_goes_on_when_they_succeed() {
    while_it_fails(&[SYNC]);
}

#[test]
fn while_each_write_fails_nothing_is_acknowledged_all_is_read_and_all_goes_on_when_they_succeed() {
    while_it_fails(&[WRITE]);
}

#[test]
fn while_nothing_can_be_written_synced_cut_or_named_nothing_is_acknowledged_and_all_goes_on_when_it_can() {
    while_it_fails(&[SYNC, WRITE, TRUNCATE, NAME]);
}

fn while_it_fails(what: &[&str]) {
    let Some(faulty) = Faulty::new() else { return };
    let (runtime, mut ledger, mut caller) = begun(&faulty);
    for what in what {
        faulty.fails(&runtime, what);
    }
    // The first has failed; the next are refused because of it.
    for place in PLACES {
        let _first = ledger.write(&mut caller, place, Refused::InDoubt).unwrap_err();
    }
    let begun = Instant::now();
    until("it fails for long", || {
        is_refused(&faulty, &mut ledger, &mut caller);
        ledger.look(&mut caller);
        begun.elapsed() > FOR_LONG
    });
    until("status tells of it", || {
        let _refused = ledger.write(&mut caller, PLACES[0], Refused::InDoubt);
        let status = caller.ask("status", &json!({})).unwrap();
        status["troubles"]
            .to_string()
            .contains("writes nothing since its disk failed")
    });
    until("it is not ready", || !faulty.0.is_ready());
    for what in what {
        faulty.mends(&runtime, what);
    }
    goes_on(&mut ledger, &mut caller);
    assert!(faulty.0.is_ready());
    let status = caller.ask("status", &json!({})).unwrap();
    assert_eq!(status["troubles"], json!([]));
    is_unharmed(&mut caller);
    faulty.0.down(runtime);
    let runtime = faulty.up();
    ledger.look_when_done(&mut faulty.0.caller());
    faulty.0.down(runtime);
}

#[test]
fn after_one_sync_that_failed_what_is_on_disk_is_verified_before_anything_more_is_written() {
    let Some(faulty) = Faulty::new() else { return };
    let (runtime, mut ledger, mut caller) = begun(&faulty);
    for place in PLACES {
        faulty.fails(&runtime, SYNC);
        let refused = ledger.write(&mut caller, place, Refused::InDoubt);
        let said = refused.unwrap_err().to_string();
        faulty.mends(&runtime, SYNC);
        assert!(
            said.contains("not known") || said.contains("may have been done"),
            "{said}"
        );
        until("it is written again", || {
            ledger.write(&mut caller, place, Refused::InDoubt).is_ok()
        });
        ledger.look(&mut caller);
    }
    for journal in ["work", "memory", "bus"] {
        let failed = format!("triarch_journal_failures_total{{journal=\"{journal}\",reason=\"failed\"}}");
        let open = format!("triarch_journal_open{{journal=\"{journal}\"}}");
        assert!(
            faulty.0.metric(&failed) >= 1.0 && faulty.0.metric(&open) >= 1.0,
            "{journal}"
        );
    }
    ledger.look_when_done(&mut caller);
    is_unharmed(&mut caller);
    faulty.0.down(runtime);
}

#[test]
fn a_disk_that_fails_now_and_then_and_a_runtime_that_is_killed_lose_nothing_that_was_acknowledged() {
    let Some(faulty) = Faulty::new() else { return };
    let (mut runtime, mut ledger, mut caller) = begun(&faulty);
    let mut refused = 0;
    for round in 0..rounds(8, 200) {
        let what = [SYNC, WRITE][round / 2 % 2];
        faulty.fails_at_random(&runtime, what);
        for number in 0..60 {
            let place = PLACES[number % PLACES.len()];
            refused += usize::from(ledger.write(&mut caller, place, Refused::InDoubt).is_err());
        }
        ledger.look(&mut caller);
        if round % 2 == 0 {
            faulty.mends(&runtime, what);
            goes_on(&mut ledger, &mut caller);
        }
        runtime.kill();
        runtime = faulty.up();
        caller = faulty.0.caller();
        ledger.look(&mut caller);
    }
    goes_on(&mut ledger, &mut caller);
    assert!(refused > 0, "nothing failed");
    eprintln!(
        "{refused} writes refused, {} acknowledged, 0 lost",
        ledger.acknowledged()
    );
    faulty.0.down(runtime);
}

#[test]
fn a_disk_that_fails_at_the_start_is_named_and_nothing_of_it_is_harmed() {
    let Some(faulty) = Faulty::new() else { return };
    let (mut runtime, ledger, _caller) = begun(&faulty);
    runtime.kill();
    for what in [SYNC, WRITE] {
        let command = faulty.0.house.command(&["up"]);
        let words = format!("enable name={what},failinfo=5");
        let before = ["fiu-run", "-x", "-f", "", "-c", &words];
        let refused = wrapped(&before, &command).output().unwrap();
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(70), "{what}: {said}");
        let state = faulty.0.path().join("state").display().to_string();
        let last = said.lines().last().unwrap();
        assert!(last.contains(&state) && last.contains("Input/output error"), "{said}");
    }
    let runtime = faulty.up();
    ledger.look_when_done(&mut faulty.0.caller());
    faulty.0.down(runtime);
}
