//! Programs that escape in every way there is, and are found all the same.

mod crowd;
mod escapes;
mod exhausted;
mod leftovers;
mod life;
mod limits;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::{sleep, timeout};

use super::cgroups::Cgroups;
use super::launch::Enforcement;
use super::{Launch, LaunchError, Limits, Owner, Process, Sandbox, Tag};

/// What no wait of a test exceeds, unless something is broken.
const DEADLINE: Duration = Duration::from_mins(2);

/// A runtime's folder of its own, and a mark that its programs carry in their command lines.
struct Yard {
    dir: PathBuf,
    owner: Owner,
    mark: String,
    cgroups: Cgroups,
}

impl Yard {
    fn new(cgroups: Cgroups) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let mark = format!("yard-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(&mark);
        fs::create_dir_all(&dir).unwrap();
        Self {
            owner: Owner::of(&dir).unwrap(),
            dir,
            mark,
            cgroups,
        }
    }

    fn tag(&self) -> Tag {
        Tag::new(&self.owner, "team/agent", 1)
    }

    /// A script of Bash, with `$MARK` to be carried by whoever it starts.
    fn bash(&self, script: &str) -> Launch {
        let command = ["bash", "-c", script, &self.mark];
        Launch {
            command: command.map(OsString::from).to_vec(),
            dir: self.dir.clone(),
            env: vec![
                ("PATH".into(), "/usr/bin:/bin".into()),
                ("MARK".into(), (&self.mark).into()),
            ],
            tag: self.tag(),
            limits: Limits::default(),
            sandbox: Sandbox::None,
        }
    }

    async fn try_launch(&self, launch: Launch) -> Result<(Process, Enforcement), LaunchError> {
        Process::launch_on(self.cgroups.clone(), launch).await
    }

    /// A script that is under way: it has printed a line.
    async fn start(&self, script: &str) -> Process {
        let (mut process, _) = self.try_launch(self.bash(script)).await.unwrap();
        assert_eq!(lines(&mut process, 1).await, ["ready"]);
        process
    }

    /// The living processes that carry the mark, found in no way that the code under test knows.
    fn marked(&self) -> Vec<i32> {
        let pids = fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let is_marked = |pid: &i32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&self.mark)
        };
        pids.filter(is_marked).collect()
    }

    /// How many of them have become what they were to become: their command lines begin with the mark.
    fn exiles(&self) -> usize {
        let begins = |pid: &i32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.starts_with(self.mark.as_bytes())
        };
        self.marked().iter().filter(|pid| begins(pid)).count()
    }

    async fn until_exiles(&self, count: usize) {
        until(|| self.exiles() == count, || format!("{} exiles", self.exiles())).await;
    }

    async fn until_marked(&self, is_enough: impl Fn(usize) -> bool) {
        until(
            || is_enough(self.marked().len()),
            || format!("{:?} are marked", self.marked()),
        )
        .await;
    }

    /// The control groups of this runtime that are there.
    fn groups(&self) -> Vec<PathBuf> {
        let Cgroups {
            unified,
            pids,
            memory,
            freezer,
        } = &self.cgroups;
        let bases = [unified, pids, memory, freezer].into_iter().flatten();
        bases
            .map(|base| base.join(self.owner.group()))
            .filter(|group| group.exists())
            .collect()
    }
}

/// Waits until `is_so`, and says what is instead if it never is.
async fn until(is_so: impl Fn() -> bool, what_is: impl Fn() -> String) {
    let waited = timeout(DEADLINE, async {
        while !is_so() {
            sleep(Duration::from_millis(2)).await;
        }
    });
    assert!(waited.await.is_ok(), "{}", what_is());
}

impl Drop for Yard {
    fn drop(&mut self) {
        let begun = std::time::Instant::now();
        super::leftovers::reap_on(&self.cgroups, &self.owner);
        // A process that was dropped just now may still be on its way out.
        while !self.groups().is_empty() && begun.elapsed() < DEADLINE {
            super::leftovers::reap_on(&self.cgroups, &self.owner);
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl Cgroups {
    /// Whether processes can be found again by their group.
    fn tracks(&self) -> bool {
        [&self.unified, &self.pids, &self.memory, &self.freezer]
            .into_iter()
            .any(Option::is_some)
    }
}

/// What the machine offers, less and less of it; the last is a machine without control groups.
fn offers() -> Vec<Cgroups> {
    let found = Cgroups::found().clone();
    let first_only = Cgroups {
        unified: None,
        ..found.clone()
    };
    let mut offers = vec![found, first_only, Cgroups::default()];
    offers.dedup();
    offers
}

/// The next lines that a program prints.
async fn lines(process: &mut Process, count: usize) -> Vec<String> {
    let mut reader = BufReader::new(process.stdout.as_mut().unwrap()).lines();
    let mut lines = Vec::new();
    while lines.len() < count {
        match timeout(DEADLINE, reader.next_line())
            .await
            .expect("it prints nothing")
            .unwrap()
        {
            Some(line) => lines.push(line),
            None => break,
        }
    }
    lines
}

/// All that a program prints, until it closes its output.
async fn output(process: &mut Process) -> Vec<String> {
    lines(process, usize::MAX).await
}
