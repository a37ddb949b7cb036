//! A program that runs.

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::apart::apart;
use super::birth;
use super::census::Entry;
use super::cgroups::Cgroups;
use super::household::Household;
use super::hunt::{self, Funeral, Survey, Tally};
use super::launch::{Enforcement, Launch, LaunchError};
use super::shared;
use super::spawner;

/// The pauses between looks at whether the last one has gone.
const LOOK_FIRST: Duration = Duration::from_millis(5);
const LOOK_LAST: Duration = Duration::from_millis(250);

/// A program that runs, and all that it started. Dropped, all of them are killed.
#[derive(Debug)]
pub(crate) struct Process {
    /// What it reads; taken by whoever writes to it.
    pub(crate) stdin: Option<Sender>,
    /// What it prints.
    pub(crate) stdout: Option<Receiver>,
    /// What it complains of.
    pub(crate) stderr: Option<Receiver>,
    pidfd: AsyncFd<Arc<OwnedFd>>,
    household: Arc<Household>,
    exit: Option<Exit>,
    funeral: Option<Funeral>,
}

/// How a program ended, and what it and those it waited for had used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Its exit code, if it ended by itself.
    pub(crate) code: Option<i32>,
    /// The signal that ended it, if one did.
    pub(crate) signal: Option<i32>,
    /// Processor time in its own code.
    pub(crate) cpu_user: Duration,
    /// Processor time in the kernel.
    pub(crate) cpu_system: Duration,
    /// The most bytes of memory it had at a time.
    pub(crate) max_rss: u64,
}

impl Exit {
    /// An end that nobody has seen.
    pub(crate) const UNSEEN: Self = Self {
        code: None,
        signal: None,
        cpu_user: Duration::ZERO,
        cpu_system: Duration::ZERO,
        max_rss: 0,
    };

    /// Processor time in all.
    pub(crate) fn cpu(&self) -> Duration {
        self.cpu_user + self.cpu_system
    }
}

impl Process {
    /// Starts a program; says what of its limits and its sandbox holds. A launch that is given up is undone.
    pub(crate) async fn launch(launch: Launch) -> Result<(Self, Enforcement), LaunchError> {
        Self::launch_on(Cgroups::found().clone(), launch).await
    }

    pub(super) async fn launch_on(cgroups: Cgroups, launch: Launch) -> Result<(Self, Enforcement), LaunchError> {
        let born = spawner::spawn(launch, cgroups).await?;
        let streams = |source| LaunchError::Preparation {
            what: "its streams",
            source,
        };
        let mut funeral = born.funeral;
        let (household, pidfd) = funeral.of().ok_or(LaunchError::Ended)?;
        let process = Self {
            stdin: Some(Sender::from_owned_fd(born.stdin).map_err(streams)?),
            stdout: Some(Receiver::from_owned_fd(born.stdout).map_err(streams)?),
            stderr: Some(Receiver::from_owned_fd(born.stderr).map_err(streams)?),
            pidfd: birth::watched(pidfd).map_err(streams)?,
            household,
            exit: None,
            funeral: funeral.claim(),
        };
        Ok((process, born.enforcement))
    }

    #[cfg(test)]
    pub(super) fn household(&self) -> &Household {
        &self.household
    }

    /// The number of the program's own process.
    pub(crate) fn pid(&self) -> i32 {
        self.household.leader
    }

    /// Whether some process of it was killed because all of them together used more memory than they may. Nobody knows once
    /// it was stopped.
    pub(crate) fn was_short_of_memory(&self) -> bool {
        self.household.enclosure.was_short_of_memory()
    }

    /// Waits for the program's own end; those it started may be left. May be given up and asked again.
    pub(crate) async fn ended(&mut self) -> Exit {
        poll_fn(|cx| self.poll_ended(cx)).await
    }

    /// Whether it has; wakes who asked last.
    pub(crate) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Exit> {
        loop {
            if let Some(exit) = self.exit {
                return Poll::Ready(exit);
            }
            let Ok(mut ready) = ready!(self.pidfd.poll_read_ready(cx)) else {
                return Poll::Ready(self.lost());
            };
            match birth::ended(self.pidfd.get_ref(), false) {
                Ok(None) => ready.clear_ready(),
                Ok(exit) => self.exit = exit,
                Err(_) => return Poll::Ready(self.lost()),
            }
        }
    }

    /// The end of a program that somebody else waited for, or that cannot be waited for as the runtime ends.
    fn lost(&mut self) -> Exit {
        *self.exit.insert(Exit::UNSEEN)
    }

    /// Asks all to end who were not asked before; returns who is alive.
    async fn ask(&self, tally: &Tally, is_first: bool) -> io::Result<Vec<Entry>> {
        // Only a control group keeps those together whom the program leaves behind when it ends at once. Who has left even
        // that is found when the others are gone.
        let is_tracked = self.household.enclosure.tracks();
        let census = if is_first || is_tracked {
            None
        } else {
            Some(shared::fresh().await?)
        };
        if let Some(census) = &census {
            let living = self.household.living(census)?;
            if living.iter().all(|entry| tally.has(entry)) {
                return Ok(living.into_iter().cloned().collect());
            }
        }
        let household = self.household.clone();
        let asked_before = tally.clone();
        let asked = move || {
            let living: Vec<Entry> = match &census {
                Some(census) => household.living(census)?.into_iter().cloned().collect(),
                None if is_tracked => household.living(&household.look()?)?.into_iter().cloned().collect(),
                None => hunt::freeze(&household)?,
            };
            // Who is stopped hears nothing until he goes on.
            for entry in living.iter().filter(|entry| !asked_before.has(entry)) {
                hunt::signal(entry, Signal::TERM);
                hunt::signal(entry, Signal::CONT);
            }
            Ok(living)
        };
        spawn_blocking(|| apart(asked)).await.map_err(io::Error::other)?
    }

    /// Signals the program itself, which needs nothing that is not at hand.
    fn signal(&self, signal: Signal) {
        // Who has ended needs none.
        let _ = pidfd_send_signal(self.pidfd.get_ref(), signal);
    }

    /// Asks the program and all it started to end, gives them `patience`, and kills who is left.
    pub(crate) async fn stop(&mut self, patience: Duration) -> Survey {
        let mut tally = Tally::default();
        if !patience.is_zero() {
            let _ = timeout_at(Instant::now() + patience, self.ask_until_all_are_gone(&mut tally)).await;
        }
        let mut survivors = self.kill_all(&mut tally).await;
        self.signal(Signal::KILL);
        self.ended().await;
        if survivors == 0 && !self.settle() {
            survivors = 1;
        }
        tally.survey(survivors)
    }

    /// Waits until the program and all it started have ended; who is born meanwhile is asked too.
    async fn ask_until_all_are_gone(&mut self, tally: &mut Tally) {
        match self.ask(tally, true).await {
            Ok(living) => tally.find(&living),
            Err(_) => self.signal(Signal::TERM),
        }
        let mut pause = LOOK_FIRST;
        loop {
            let has_ended = timeout(pause, self.ended()).await.is_ok();
            if let Ok(living) = self.ask(tally, false).await {
                tally.find(&living);
                if has_ended && living.is_empty() {
                    return;
                }
            }
            if has_ended {
                sleep(pause).await;
            }
            pause = (pause * 2).min(LOOK_LAST);
        }
    }

    /// Kills whoever is left; returns how many withstood it.
    async fn kill_all(&mut self, tally: &mut Tally) -> usize {
        let household = self.household.clone();
        let before = tally.clone();
        let kill = move || {
            let mut so_far = before.clone();
            let survivors = hunt::end(&household, &mut so_far);
            (survivors, so_far)
        };
        // Who could not be looked for may be there.
        match spawn_blocking(|| apart(kill)).await {
            Ok((survivors, so_far)) => {
                *tally = so_far;
                survivors.unwrap_or(1)
            }
            Err(_) => 1,
        }
    }

    /// Nothing is left of it, but where its group says otherwise.
    fn settle(&mut self) -> bool {
        let enclosure = &self.household.enclosure;
        enclosure.remove();
        if enclosure.is_populated() == Some(true) {
            return false;
        }
        if let Some(mut funeral) = self.funeral.take() {
            funeral.cancel();
        }
        true
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(funeral) = self.funeral.take() {
            funeral.hold();
        }
    }
}
