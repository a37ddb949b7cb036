//! State folders on a disk that is full, or cannot be written. The disk is small, in memory, and mounted for the runtime alone,
//! so that it goes with it.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::json;

use crate::programs::ECHO;
use crate::running::Running;
use crate::small_disk::{entering, fill, unshare};
use crate::yard::{Caller, Yard, until, wrapped};

/// Says a line at each post, and replies.
const CHATTER: &str = r#"
while read -r line; do
    id=${line#*'"id":"'}
    echo 'a line that the log is to have, and that is long enough to fill what little room there may be in its last block'
    printf '{"type":"reply","id":"%s","body":"pong"}\n' "${id%%'"'*}"
done
"#;

/// A yard whose state folder is a disk of its own.
struct Disk {
    yard: Yard,
    /// What enters a mount namespace, as far as this user may.
    unshare: &'static [&'static str],
}

impl Disk {
    /// `None`, with a word about it, where this user may mount nothing.
    fn new() -> Option<Self> {
        let unshare = unshare()?;
        let yard = Yard::new();
        yard.describe(&[yard.agent("chatter", CHATTER, ""), yard.agent("calm", ECHO, "")].concat());
        fs::create_dir(yard.path().join("state")).unwrap();
        Some(Self { yard, unshare })
    }

    /// `up`, after the disk was mounted and `more` was done.
    fn command(&self, more: &str) -> Command {
        let script = format!("mount -t tmpfs -o size=256k,mode=700 none state && {more} exec \"$@\"");
        let before = [self.unshare, &["sh", "-c", &script, "sh"]].concat();
        wrapped(&before, &self.yard.house.command(&["up"]))
    }

    fn up(&self) -> Running {
        self.yard.up_by(&self.command(""))
    }

    /// `up` on a disk to which `done` was done, which has to fail.
    fn refused(&self, done: &str) -> (Option<i32>, String) {
        let Output { status, stderr, .. } = self.command(done).output().unwrap();
        (status.code(), String::from_utf8(stderr).unwrap())
    }

    /// The state folder as the runtime sees it.
    fn state(&self, runtime: &Running) -> PathBuf {
        let path = self.yard.path().join("state");
        PathBuf::from(format!("/proc/{}/root", runtime.pid())).join(path.strip_prefix("/").unwrap())
    }

    fn reply(&self, runtime: &Running, agent: &str) {
        assert_eq!(Caller::of(&self.state(runtime)).reply(agent), "pong");
    }

    fn lost(&self) -> f64 {
        self.yard
            .metric("triarch_program_log_lines_dropped_total{reason=\"disk\"}")
    }

    fn written(&self) -> f64 {
        self.yard.metric("triarch_program_log_lines_total")
    }

    /// The agents are as they were, and so is the runtime.
    fn is_unharmed(&self, runtime: &Running) {
        let mut caller = Caller::of(&self.state(runtime));
        for agent in ["team/chatter", "team/calm", "programs/logs"] {
            let shown = caller.ask("agent.show", &json!({ "agent": agent })).unwrap();
            assert_eq!(
                (&shown["incarnation"], &shown["restarts"]),
                (&json!(1), &json!(0)),
                "{shown}"
            );
        }
    }
}

/// Does something in the runtime's mount namespace.
fn within(runtime: &Running, command: &str) {
    let entering = entering(runtime.pid());
    let entered = Command::new(&entering[0])
        .args(&entering[1..])
        .args(["sh", "-c", command])
        .output()
        .unwrap();
    assert!(entered.status.success(), "{entered:?}");
}

#[test]
fn on_a_full_disk_agents_go_on_and_what_the_log_loses_is_counted_until_there_is_room() {
    let Some(disk) = Disk::new() else { return };
    let runtime = disk.up();
    let state = disk.state(&runtime);
    disk.reply(&runtime, "chatter");
    until("a line is written", || disk.written() > 0.0);
    fill(&state.join("filler"));
    until("lines are lost", || {
        disk.reply(&runtime, "chatter");
        disk.reply(&runtime, "calm");
        disk.lost() >= 20.0
    });
    let shown = Caller::of(&state)
        .ask("agent.show", &json!({ "agent": "programs/logs" }))
        .unwrap();
    assert!(shown["shown"]["dropped_disk"].as_u64() >= Some(20), "{shown}");
    fs::remove_file(state.join("filler")).unwrap();
    let before = disk.written();
    until("lines are written again", || {
        disk.reply(&runtime, "chatter");
        disk.written() > before
    });
    let (before, lost) = (disk.written(), disk.lost());
    until("more lines are written", || {
        disk.reply(&runtime, "chatter");
        disk.written() > before
    });
    let log = fs::read_to_string(state.join("logs/team/chatter.log")).unwrap();
    assert!(log.contains("lines are missing here: the disk refused them"), "{log}");
    assert!(disk.lost() <= lost, "{} lines are lost after {lost}", disk.lost());
    disk.is_unharmed(&runtime);
    disk.yard.down(runtime);
}

#[test]
fn logs_that_become_read_only_stop_nothing_and_are_written_again_when_they_may_be() {
    let Some(disk) = Disk::new() else { return };
    let runtime = disk.up();
    // The lock is open for writing, so the disk as a whole cannot become read-only by a command.
    let logs = disk.yard.path().join("state/logs").display().to_string();
    disk.reply(&runtime, "chatter");
    until("a line is written", || disk.written() > 0.0);
    within(&runtime, &format!("mount -t tmpfs -o ro none {logs}"));
    until("lines are lost", || {
        disk.reply(&runtime, "chatter");
        disk.lost() >= 20.0
    });
    disk.is_unharmed(&runtime);
    let mut caller = Caller::of(&disk.state(&runtime));
    let restarted = caller.ask("agent.restart", &json!({ "agent": "calm" })).unwrap();
    assert_eq!(restarted["incarnation"], 2, "{restarted}");
    assert_eq!(caller.reply("calm"), "pong");
    within(&runtime, &format!("umount {logs}"));
    let before = disk.written();
    until("lines are written again", || {
        disk.reply(&runtime, "chatter");
        disk.written() > before
    });
    within(&runtime, &format!("mount -t tmpfs -o ro none {logs}"));
    disk.yard.down(runtime);
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_with_its_name_and_the_remedy() {
    let Some(disk) = Disk::new() else { return };
    let state = disk.yard.path().join("state").display().to_string();
    let inner = "TRIARCH_RUNTIME__STATE_DIR=$TRIARCH_RUNTIME__STATE_DIR/deep/er; ";
    for done in [
        "mount -o remount,ro none state; ".to_owned(),
        ["mount -o remount,ro none state; ", inner].concat(),
        "cat /dev/zero >state/filler 2>&-; ".to_owned(),
        ["cat /dev/zero >state/filler 2>&-; ", inner].concat(),
    ] {
        let (code, said) = disk.refused(&done);
        assert_eq!(code, Some(70), "{done}: {said}");
        assert!(said.contains(&state) && said.contains("; "), "{done}: {said}");
        assert!(said.contains("runtime.state_dir"), "{done}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn a_file_in_the_place_of_a_rooms_folder_is_told_with_its_path_at_the_start_and_by_the_doctor() {
    for folder in ["bus", "memory", "work"] {
        let yard = Yard::new();
        yard.house.write("triarch.toml", "[runtime]\n");
        let state = yard.path().join("state");
        fs::DirBuilder::new().mode(0o700).create(&state).unwrap();
        let path = yard.house.write(&format!("state/{folder}"), "");
        let expected = format!("{} is a file where a folder of the runtime is to be", path.display());
        let refused = yard.house.run(&["up"]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(70), "{said}");
        assert!(said.contains(&expected) && said.contains("; move it away"), "{said}");
        let looked_at = yard.house.run(&["doctor"]);
        let said = String::from_utf8(looked_at.stdout).unwrap();
        assert!(looked_at.status.code() == Some(1) && said.contains(&expected), "{said}");
        fs::remove_file(&path).unwrap();
        let runtime = yard.up();
        yard.down(runtime);
    }
}
