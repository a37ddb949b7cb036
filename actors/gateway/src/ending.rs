//! The end of a runtime, as those see it who are no part of it.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::claim::is_held_by;

/// How often is looked whether the folder is held.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A process that has let go of its folder has nothing left to do. One that is still there so much later is another, whose
/// number only looks the same from here, as out of a container.
const LAST_MOMENT: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Waits until the runtime that calls itself the process `pid` has let go of its state folder and has ended.
///
/// It does not wait for another that has taken the folder meanwhile.
#[expect(
    clippy::disallowed_methods,
    reason = "a command has one thread, and nothing else to do"
)]
pub fn await_end(state_dir: &Path, pid: u32) {
    let process = process(pid);
    while is_held_by(state_dir, pid) {
        thread::sleep(LOOK_EVERY);
    }
    let _is_over = process.is_none_or(|process| has_ended(&process, &LAST_MOMENT));
}

/// One that lives, or has not been waited for; nothing where the system has no such thing as a descriptor of a process.
fn process(pid: u32) -> Option<OwnedFd> {
    let pid = Pid::from_raw(pid.try_into().ok()?)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// Whether it ends within `patience`.
fn has_ended(process: &OwnedFd, patience: &Timespec) -> bool {
    loop {
        match poll(&mut [PollFd::new(process, PollFlags::IN)], Some(patience)) {
            Err(Errno::INTR) => {}
            ready => return ready.is_ok_and(|ready| ready > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// One that lives until it can read.
    fn reader() -> Child {
        Command::new("cat").stdin(Stdio::piped()).spawn().unwrap()
    }

    #[test]
    fn a_process_has_ended_when_it_has_and_not_before() {
        let mut child = reader();
        let process = process(child.id()).unwrap();
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        assert!(!has_ended(&process, &at_once));
        drop(child.stdin.take());
        let minute = Timespec { tv_sec: 60, tv_nsec: 0 };
        assert!(has_ended(&process, &minute), "also where nobody waited for it");
        child.wait().unwrap();
        assert!(super::process(0).is_none() && super::process(u32::MAX).is_none());
    }

    #[test]
    fn the_end_of_one_whose_folder_is_free_is_its_own() {
        let mut child = reader();
        let pid = child.id();
        let folder = tempfile::tempdir().unwrap();
        let mut stdin = child.stdin.take();
        let ending = thread::scope(|scope| {
            let waiting = scope.spawn(|| await_end(folder.path(), pid));
            drop(stdin.take());
            waiting.join()
        });
        ending.unwrap();
        assert!(child.try_wait().unwrap().is_some(), "it has ended");
    }
}
