//! The store as somebody uses it: reading without asking anybody, writing through the one order of each namespace.

mod drawer;
mod page;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::sync::Arc;

pub use drawer::Drawer;
pub use page::Page;
use serde::Serialize;
use triarch_supervision::prelude::*;

use crate::access::{Identity, Level, Verb};
use crate::config::{Retention, Rules};
use crate::disk::Seal;
use crate::error::Error;
use crate::exchange::backup::{BackedUp, ExchangeError, RestoreReport, back_up, restore};
use crate::exchange::{Conflicts, Exported, Intake, export};
use crate::metrics::Metrics;
use crate::name::Namespace;
use crate::retention::{Instant, Retained, choose};
use crate::search::{Found, Query, Search};
use crate::snapshots::{Keep, Snapshots};
use crate::space::{Extent, Space};
use crate::store::Store;
use crate::sweeper::take;
use crate::writer::{Waiting, Wish};

/// What of the room a client reaches.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    pub(crate) store: Store,
    pub(crate) writer: Address<Wish>,
    /// How much waits for the writer.
    pub(crate) waiting: Waiting,
    pub(crate) snapshots: Option<Address<<Snapshots as Agent>::Message>>,
    pub(crate) seal: Seal,
    pub(crate) metrics: Metrics,
}

/// The store, in the name of somebody. Cloned, it is the same store in the same name.
#[derive(Clone, Debug)]
pub struct Client {
    reach: Arc<Reach>,
    who: Identity,
}

/// A namespace as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    /// Which.
    pub namespace: Namespace,
    /// How it is.
    pub rules: Rules,
    /// How much it holds; nothing said to those who may see a part of it alone.
    pub extent: Option<Extent>,
}

impl Client {
    pub(crate) fn new(reach: Reach, who: Identity) -> Self {
        Self {
            reach: Arc::new(reach),
            who,
        }
    }

    /// The same store in the name of `who`, as a door vouches for them.
    #[must_use]
    pub fn named(&self, who: Identity) -> Self {
        Self {
            reach: Arc::clone(&self.reach),
            who,
        }
    }

    /// In whose name.
    pub fn who(&self) -> &Identity {
        &self.who
    }

    /// The store itself.
    pub fn store(&self) -> &Store {
        &self.reach.store
    }

    /// A namespace, to work with. Who may do what there is asked each time.
    pub fn open(&self, namespace: &str) -> Result<Drawer, Error> {
        let space = self.reach.store.space(namespace)?;
        Ok(Drawer::new(Arc::clone(&self.reach), space, self.who.clone()))
    }

    /// All namespaces that may be read.
    pub fn namespaces(&self) -> Vec<Shown> {
        let readable = self.readable().into_iter();
        readable
            .map(|space| Shown {
                namespace: space.name().clone(),
                rules: Rules::clone(&space.rules()),
                extent: space.is_open_to(&self.who).then(|| space.extent()),
            })
            .collect()
    }

    /// Entries of these namespaces, or of all that may be read.
    pub fn search(&self, namespaces: &[Namespace], query: &Query) -> Result<Found, Error> {
        let begun = Moment::now();
        let mut spaces = self.readable();
        if !namespaces.is_empty() {
            // One that is named twice is looked in once.
            let names: BTreeSet<_> = namespaces.iter().collect();
            let admitted = names.into_iter().map(|name| self.admitted(name.as_str(), Verb::Read));
            spaces = admitted.collect::<Result<_, _>>()?;
        }
        let mut search = Search::new(query, self.reach.store.clock());
        for space in spaces {
            search.look_in(&space, self.sees_only(&space).as_deref());
        }
        let found = search.end();
        self.reach.metrics.searched(Moment::now().since(begun));
        Ok(found)
    }

    /// Makes a namespace, or gives the one that is there other rules; for the runtime, and whoever administers it.
    pub async fn define(&self, namespace: &Namespace, rules: Rules) -> Result<(), Error> {
        self.administers(namespace)?;
        self.reach.store.may_write(namespace)?;
        let asked = self
            .reach
            .writer
            .ask(|reply| Wish::Define(namespace.clone(), rules, reply));
        asked.await.map_err(|fault| unanswered(namespace, &fault))?
    }

    /// Takes a namespace away with all that is in it; tells whether it was there.
    pub async fn forget(&self, namespace: &Namespace) -> Result<bool, Error> {
        self.administers(namespace)?;
        self.reach.store.may_write(namespace)?;
        let asked = self.reach.writer.ask(|reply| Wish::Forget(namespace.clone(), reply));
        asked.await.map_err(|fault| unanswered(namespace, &fault))?
    }

    /// What retention takes of a namespace, or would take of it in a dry run.
    pub async fn retain(&self, namespace: &Namespace, rules: &Retention, is_dry: bool) -> Result<Retained, Error> {
        let space = self.admitted(namespace.as_str(), Verb::Administer)?;
        let store = &self.reach.store;
        let (looking, now, rules) = (Arc::clone(&space), Instant::of(store.clock()), *rules);
        let chosen = tokio::task::spawn_blocking(move || choose(looking.all(), &rules, now));
        let fault = |fault: String| Error::Unanswered {
            namespace: namespace.clone(),
            fault,
        };
        let going = chosen.await.map_err(|gone| fault(gone.to_string()))?;
        if going.is_empty() {
            return Ok(Retained::default());
        }
        // What is read and not written keeps what it has.
        space.held_back().map_or(Ok(()), Err)?;
        if is_dry {
            let mut would = Retained::default();
            would.count(&going);
            return Ok(would);
        }
        take(&space, &going, store, &self.reach.writer).await
    }

    /// A snapshot now, so that the journal is short; for the runtime alone.
    pub async fn compact(&self) -> Result<(), ExchangeError> {
        self.is_system()?;
        let Some(snapshots) = &self.reach.snapshots else {
            return Ok(());
        };
        let kept = snapshots.ask(Keep::Now).await;
        let kept = kept.unwrap_or_else(|fault| Err(fault.to_string()));
        kept.map_err(|fault| ExchangeError::Snapshot { fault })
    }

    /// All that is flushed now and then is on disk once this returns; for the runtime alone.
    pub async fn flush(&self) -> Result<(), Error> {
        let all = Namespace::new("all")?;
        self.is_system_in(&all)?;
        self.reach.store.may_write(&all)?;
        let asked = self.reach.writer.ask(Wish::FlushNow).await;
        asked.map_err(|fault| unanswered(&all, &fault))?
    }

    /// Writes the whole store to a new file, sealed as it is, and reads it again before it says so. Others go on
    /// meanwhile. For the runtime alone.
    pub async fn back_up(&self, to: File) -> Result<BackedUp, ExchangeError> {
        self.is_system()?;
        let (store, seal) = (self.reach.store.clone(), self.reach.seal.clone());
        blocking(move || back_up(&store, &to, &seal)).await
    }

    /// Takes up a backup, all of which is verified before anything of it is taken. For the runtime alone.
    pub async fn restore(
        &self,
        mut from: File,
        conflicts: Conflicts,
        is_dry: bool,
    ) -> Result<RestoreReport, ExchangeError> {
        self.is_system()?;
        let seal = self.reach.seal.clone();
        let read = blocking(move || restore(&mut from, &seal)).await?;
        Box::pin(read.take_up(self, conflicts, is_dry)).await
    }

    /// Writes a namespace as lines of JSON; tells how many.
    pub async fn export(&self, namespace: &Namespace, to: impl Write + Send + 'static) -> Result<u64, ExchangeError> {
        let space = self.admitted(namespace.as_str(), Verb::Administer)?;
        let store = self.reach.store.clone();
        blocking(move || export(&space, &store, BufWriter::new(to))).await
    }

    /// Takes up lines of JSON into a namespace. Where some are no entries, all others are taken up before that is told.
    pub async fn import(
        &self,
        namespace: &Namespace,
        from: impl Read + Send + 'static,
        conflicts: Conflicts,
        is_dry: bool,
    ) -> Result<Exported, ExchangeError> {
        let mut intake = self.intake(namespace, conflicts, is_dry)?;
        intake.take(from).await?;
        let refused = intake.take_refused();
        match refused.first.first() {
            None => Ok(intake.taken()),
            Some(line) => Err(ExchangeError::LeftOut {
                count: refused.count,
                fault: line.to_string(),
            }),
        }
    }

    /// The same for lines that come in several pieces.
    pub fn intake(&self, namespace: &Namespace, conflicts: Conflicts, is_dry: bool) -> Result<Intake, ExchangeError> {
        self.admitted(namespace.as_str(), Verb::Administer)?;
        Intake::new(self, namespace, conflicts, is_dry)
    }

    /// A namespace that nobody else has, and nothing is in.
    pub(crate) fn apart(&self, namespace: &Namespace, rules: &Rules) -> Drawer {
        let space = self.reach.store.apart(namespace, rules);
        Drawer::new(Arc::clone(&self.reach), space, self.who.clone())
    }

    /// Whether what is to be on disk can be.
    pub(crate) fn has_journal(&self) -> bool {
        self.reach.snapshots.is_some()
    }

    fn readable(&self) -> Vec<Arc<Space>> {
        let mut spaces = self.reach.store.spaces();
        spaces.retain(|space| {
            space.with_rules(|rules| {
                let level = rules.access.read;
                level == Level::Private || level.admits(&self.who, &rules.belonging, None)
            })
        });
        spaces
    }

    /// Whose entries alone may be seen: the own, where reading is private.
    fn sees_only(&self, space: &Space) -> Option<Arc<str>> {
        let is_private = space.with_rules(|rules| rules.access.read == Level::Private);
        (is_private && !self.who.is_system).then(|| Arc::clone(&self.who.who))
    }

    fn admitted(&self, namespace: &str, verb: Verb) -> Result<Arc<Space>, Error> {
        let space = self.reach.store.space(namespace)?;
        self.reach.store.admit(&self.who, verb, &space)?;
        Ok(space)
    }

    /// What is not there yet only the runtime makes.
    fn administers(&self, namespace: &Namespace) -> Result<(), Error> {
        match self.admitted(namespace.as_str(), Verb::Administer) {
            Err(Error::NoSuchNamespace { .. }) => self.is_system_in(namespace),
            admitted => admitted.map(drop),
        }
    }

    fn is_system_in(&self, namespace: &Namespace) -> Result<(), Error> {
        if self.who.is_system {
            return Ok(());
        }
        self.reach
            .store
            .refuse(&self.who, Verb::Administer, namespace, Level::System);
        Err(Error::Refused {
            who: self.who.who.as_ref().to_owned(),
            verb: Verb::Administer.label(),
            namespace: namespace.clone(),
            level: Level::System.label(),
        })
    }

    fn is_system(&self) -> Result<(), ExchangeError> {
        Ok(self.is_system_in(&Namespace::new("all")?)?)
    }
}

pub(crate) fn unanswered(namespace: &Namespace, fault: &AskError) -> Error {
    Error::Unanswered {
        namespace: namespace.clone(),
        fault: fault.to_string(),
    }
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ExchangeError> + Send + 'static,
) -> Result<T, ExchangeError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|gone| ExchangeError::Snapshot {
            fault: gone.to_string(),
        })?
}
