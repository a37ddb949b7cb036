//! Where deviations are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use triarch_supervision::clock::Moment;
use triarch_supervision::sync::lock;
use triarch_teams::Kinds;

use super::{Deed, Deviations, coming};
use crate::reload::{Act, Running};

/// That agents are about to be there, for as long as it is so: one change is made at a time.
#[must_use]
pub(crate) struct Coming<'a>(&'a Ledger);

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        lock(&self.0.coming).clear();
    }
}

/// The deviations of this runtime, and the file that the next one reads.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    now: Mutex<Deviations>,
    /// The agents that are about to be there: what is done to them by hand is kept.
    coming: Mutex<BTreeSet<String>>,
    /// Since when agents are paused that this runtime was told to pause: no change of their state says it.
    paused: Mutex<BTreeMap<String, Moment>>,
    /// What the file says, where that is known; held while it is written.
    written: Mutex<Option<Deviations>>,
}

impl Ledger {
    /// In that folder. Nothing is touched yet.
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self {
            path: state_dir.join("deviations.json"),
            now: Mutex::default(),
            coming: Mutex::default(),
            paused: Mutex::default(),
            written: Mutex::default(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn now(&self) -> Deviations {
        lock(&self.now).clone()
    }

    /// Somebody did something.
    pub(crate) fn follow(&self, deed: Deed) {
        let mut paused = lock(&self.paused);
        if let Deed::Paused(path) = &deed {
            paused.entry(path.clone()).or_insert_with(Moment::now);
        }
        let mut now = lock(&self.now);
        now.follow(deed);
        paused.retain(|path, _| now.agents_paused.contains(path));
    }

    /// Since when the agent at that path is paused, where that is known.
    pub(crate) fn paused_since(&self, path: &str) -> Option<Moment> {
        lock(&self.paused).get(path).copied()
    }

    /// Something is about to be done for whatever reason.
    pub(crate) fn begin(&self, act: &Act) -> Coming<'_> {
        lock(&self.now).make_way(act);
        *lock(&self.coming) = coming(act);
        Coming(self)
    }

    /// Goes on with what the runtime before this one left, as far as it fits `running`, which is as it is described.
    /// Returns what is lost, in words.
    pub(crate) fn restore(&self, running: &mut Running, kinds: &Kinds) -> Vec<String> {
        let mut left = match self.left() {
            Ok(left) => left,
            Err(error) => return vec![self.set_aside(&error)],
        };
        *lock(&self.written) = Some(left.clone());
        let mut lost = left.restore(running, kinds);
        if !lost.is_empty() {
            lost.push(self.copied_aside());
        }
        *lock(&self.now) = left;
        lost
    }

    /// What is to be said where it stays as it is.
    pub(crate) fn left_alone(&self) -> Option<String> {
        self.path.exists().then(|| {
            let kept = self.path.display();
            format!("the built-in demo runs: what was done by hand to another fleet stays in {kept}")
        })
    }

    /// A description may be the wrong one, or wrong for a while.
    fn copied_aside(&self) -> String {
        let aside = self.path.with_extension("earlier.json");
        match fs::copy(&self.path, &aside) {
            Ok(_) => format!("what was done by hand before is set aside as {}", aside.display()),
            Err(error) => format!("what was done by hand before cannot be set aside: {error}"),
        }
    }

    fn left(&self) -> io::Result<Deviations> {
        match fs::read(&self.path) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Deviations::default()),
            Err(error) => Err(error),
        }
    }

    /// Nobody can read it, so that it is kept for whoever wants to look.
    fn set_aside(&self, error: &io::Error) -> String {
        let aside = self.path.with_extension("unreadable");
        let fate = match fs::rename(&self.path, &aside) {
            Ok(()) => format!("it is set aside as {}", aside.display()),
            Err(error) => format!("it cannot be set aside: {error}"),
        };
        format!(
            "what was done by hand is not known, and all is as described: {}: {error}; {fate}",
            self.path.display()
        )
    }

    /// Writes what holds now, unless the file says so already.
    pub(crate) fn write(&self, running: impl FnOnce() -> Running) -> io::Result<()> {
        let mut written = lock(&self.written);
        let now = {
            let running = running();
            let mut now = lock(&self.now);
            now.see(&running, &lock(&self.coming));
            now.clone()
        };
        if written.as_ref() == Some(&now) {
            return Ok(());
        }
        *written = None;
        placed(&self.path, &serde_json::to_vec_pretty(&now)?)?;
        *written = Some(now);
        Ok(())
    }
}

/// Puts a whole file in the place of another: whoever reads finds one or the other, after a loss of power too.
fn placed(path: &Path, text: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::config::tests::natives;
    use crate::reload::RunningAgent;

    fn scaled(ledger: &Ledger) {
        ledger.follow(Deed::Scaled {
            agent: "tools/echo".to_owned(),
            replicas: NonZeroU32::MIN,
        });
    }

    #[test]
    fn the_next_ledger_reads_what_one_wrote_and_no_other_file_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(folder.path());
        assert_eq!(ledger.left().unwrap(), Deviations::default());
        scaled(&ledger);
        ledger.write(Running::default).unwrap();
        assert_eq!(Ledger::new(folder.path()).left().unwrap(), ledger.now());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_done_by_hand_to_one_that_is_about_to_be_there_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(folder.path());
        let path = || "tools/echo".to_owned();
        let act = Act::Add {
            team: "tools".to_owned(),
            agent: serde_json::from_str(r#"{ "name": "echo", "kind": "echo" }"#)
                .map(RunningAgent::spawned)
                .unwrap(),
        };
        ledger.follow(Deed::AgentStopped(path()));
        let coming = ledger.begin(&act);
        assert_eq!(ledger.now(), Deviations::default(), "another had that name");
        ledger.follow(Deed::Paused(path()));
        ledger.write(Running::default).unwrap();
        assert_eq!(ledger.left().unwrap().words().as_deref(), Some("1 paused"));
        drop(coming);
        ledger.write(Running::default).unwrap();
        assert_eq!(ledger.left().unwrap(), Deviations::default(), "it did not come");
    }

    #[test]
    fn a_pause_is_as_old_as_its_first_wish_and_over_with_it() {
        let ledger = Ledger::new(Path::new("/nowhere"));
        let path = || "tools/echo".to_owned();
        ledger.follow(Deed::Paused(path()));
        let since = ledger.paused_since("tools/echo");
        assert!(since.is_some());
        ledger.follow(Deed::Paused(path()));
        assert_eq!(ledger.paused_since("tools/echo"), since);
        ledger.follow(Deed::Resumed(path()));
        assert_eq!(ledger.paused_since("tools/echo"), None);
    }

    #[test]
    fn the_file_is_written_where_something_has_changed_and_not_else() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(folder.path());
        scaled(&ledger);
        ledger.write(Running::default).unwrap();
        fs::remove_file(ledger.path()).unwrap();
        ledger.write(Running::default).unwrap();
        assert!(!ledger.path().exists(), "nothing has changed");
        ledger.follow(Deed::Reloaded);
        ledger.write(Running::default).unwrap();
        assert!(ledger.path().exists());
    }

    #[test]
    fn what_could_not_be_written_is_written_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(&folder.path().join("later"));
        scaled(&ledger);
        assert!(ledger.write(Running::default).is_err());
        fs::create_dir(folder.path().join("later")).unwrap();
        ledger.write(Running::default).unwrap();
        assert_eq!(ledger.left().unwrap(), ledger.now());
    }

    #[test]
    fn a_file_that_nobody_can_read_is_set_aside_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(folder.path());
        fs::write(ledger.path(), "{").unwrap();
        let said = ledger.restore(&mut Running::default(), &natives());
        assert!(said.len() == 1 && said[0].contains("deviations.unreadable"), "{said:?}");
        assert_eq!(
            fs::read_to_string(ledger.path.with_extension("unreadable")).unwrap(),
            "{"
        );
        assert!(ledger.restore(&mut Running::default(), &natives()).is_empty());
    }
}
