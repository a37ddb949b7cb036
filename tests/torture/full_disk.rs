//! What is kept on disk where that is full: refused with what to do, read all the same, and written again once there is room.

use std::fs;

use serde_json::{Value, json};
use triarch::gateway::Code;

use crate::ledger::{FLEET, Ledger, PLACES, Refused};
use crate::running::Running;
use crate::small_disk::{SmallDisk, fill};
use crate::yard::{Caller, until};

/// So much is written to each room before the disk is full.
const BEFORE: usize = 20;

/// A runtime on a disk with no room left, that has acknowledged some of all there is.
fn filled(disk: &SmallDisk) -> (Running, Ledger) {
    let runtime = disk.up();
    let (mut caller, mut ledger) = (disk.caller(), Ledger::of_weight(2_000));
    for _ in 0..BEFORE {
        for place in PLACES {
            ledger.write(&mut caller, place, Refused::IsNotThere).unwrap();
        }
    }
    fill(&disk.state().join("filler"));
    (runtime, ledger)
}

/// Writes everywhere until it is refused, which says where and what to do.
fn is_refused(disk: &SmallDisk, caller: &mut Caller, ledger: &mut Ledger) {
    for (place, folder) in PLACES.into_iter().zip(["work", "memory", "bus"]) {
        let mut said = Ok(());
        until("there is no room", || {
            said = ledger.write(caller, place, Refused::IsNotThere);
            said.is_err()
        });
        let said = said.unwrap_err();
        assert_eq!(said.code, Code::Failed, "{place:?}: {said}");
        assert!(is_told(disk, folder, &said.to_string()), "{place:?}: {said}");
    }
}

/// The file that cannot grow, why not, and what to do.
fn is_told(disk: &SmallDisk, folder: &str, said: &str) -> bool {
    let folder = disk.yard.path().join("state").join(folder).display().to_string();
    said.contains(&folder) && said.contains("the disk is full") && said.contains("; free space")
}

/// Whoever looks after the runtime sees it as well.
fn is_shown(caller: &mut Caller) {
    for (room, agent) in [("bus", "archivist"), ("memory", "writer"), ("work", "queue")] {
        let words = format!("the disk has no room for {room}: ");
        until("it is told", || {
            let status = caller.ask("status", &json!({})).unwrap();
            let why = caller
                .ask("why", &json!({ "agent": format!("{room}/{agent}") }))
                .unwrap();
            let refused = why["shown"]["disk_full"]["writes_refused"].as_u64();
            status["troubles"].to_string().contains(&words) && refused > Some(0)
        });
    }
}

fn goes_on(caller: &mut Caller, ledger: &mut Ledger) {
    for place in PLACES {
        until("there is room again", || {
            ledger.write(caller, place, Refused::IsNotThere).is_ok()
        });
    }
    ledger.look_when_done(caller);
}

/// Nobody failed because of it.
fn is_unharmed(caller: &mut Caller) {
    for agent in ["bus/archivist", "memory/writer", "work/queue", "work/dispatcher"] {
        let shown = caller.ask("agent.show", &json!({ "agent": agent })).unwrap();
        let life = (&shown["incarnation"], &shown["restarts"]);
        assert_eq!(life, (&json!(1), &json!(0)), "{shown}");
    }
}

#[test]
fn on_a_full_disk_whoever_writes_is_told_what_to_do_and_whoever_reads_goes_on_until_there_is_room() {
    let Some(disk) = SmallDisk::of("1m", FLEET) else { return };
    let (runtime, mut ledger) = filled(&disk);
    let mut caller = disk.caller();
    is_refused(&disk, &mut caller, &mut ledger);
    for (folder, write) in [
        ("work", &["task", "submit", "build"][..]),
        ("memory", &["memory", "put", "shared", "more"]),
        ("bus", &["bus", "publish", "log.a"]),
    ] {
        // It may be so small that it finds room in the last block.
        let large = "y".repeat(9_000);
        let refused = disk.run(&[write, &[&large]].concat());
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(is_told(&disk, folder, &said), "{said}");
    }
    ledger.look(&mut caller);
    is_shown(&mut caller);
    let looked_at = disk.run(&["doctor"]);
    let said = String::from_utf8(looked_at.stdout).unwrap();
    assert!(
        looked_at.status.code() == Some(1) && said.contains("bad   disk"),
        "{said}"
    );
    for read in [
        &["task", "show", "1"][..],
        &["task", "list"],
        &["memory", "get", "shared", "key-1"],
        &["memory", "list", "shared"],
        &["memory", "search", "--text", "xxx"],
        &["bus", "show", "log.a"],
        &["bus", "subscribe", "log.**", "--from", "first", "--count", "20"],
        &["status"],
    ] {
        let output = disk.run(read);
        assert!(output.status.success(), "{read:?}: {output:?}");
    }
    fs::remove_file(disk.state().join("filler")).unwrap();
    goes_on(&mut caller, &mut ledger);
    is_unharmed(&mut caller);
    disk.yard.down(runtime);
    let runtime = disk.up();
    ledger.look_when_done(&mut disk.caller());
    disk.yard.down(runtime);
}

#[test]
fn who_is_killed_on_a_full_disk_comes_up_there_with_all_that_was_acknowledged_and_writes_once_there_is_room() {
    let Some(disk) = SmallDisk::of("1m", FLEET) else { return };
    let (mut runtime, mut ledger) = filled(&disk);
    for _ in 0..3 {
        is_refused(&disk, &mut disk.caller(), &mut ledger);
        runtime.kill();
        runtime = disk.up();
        ledger.look(&mut disk.caller());
    }
    fs::remove_file(disk.state().join("filler")).unwrap();
    let mut caller = disk.caller();
    goes_on(&mut caller, &mut ledger);
    until("nothing is amiss", || {
        let status: Value = caller.ask("status", &json!({})).unwrap();
        status["troubles"] == json!([])
    });
    disk.yard.down(runtime);
}
