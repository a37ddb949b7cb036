//! Level 3: the agent that takes away what goes by itself, and keeps the store's figures.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use triarch_supervision::prelude::*;

use crate::client::unanswered;
use crate::config::Durability;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::retention::{Chosen, Instant, Retained, choose};
use crate::space::Space;
use crate::store::Store;
use crate::writer::Wish;

/// So often it looks whose time has come; also how exact it is when an entry was read.
const SWEEP_EVERY: Duration = Duration::from_millis(100);

/// So often figures are brought up to date.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// So many entries go at once, before writers have their turn.
const EXPIRED_AT_ONCE: usize = 512;

/// So many entries retention takes at once.
const RETAINED_AT_ONCE: usize = 512;

/// What each incarnation starts from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) store: Store,
    pub(crate) writer: Address<Wish>,
    pub(crate) retain_every: Duration,
    pub(crate) metrics: Metrics,
}

/// Takes away what goes by itself.
pub(crate) struct Sweeper {
    settings: Settings,
    /// Retention at work: a disk that is slow to take what goes holds up nothing else.
    retaining: Option<Retaining>,
}

type Retaining = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// What it is reminded of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Beat {
    Sweep,
    Sample,
    Retain,
}

impl Message for Beat {}

impl Agent for Sweeper {
    type Message = Beat;
    type Spec = Settings;

    async fn start(settings: Settings, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        // Whoever looks before the first beat sees figures too.
        settings.metrics.sample(&settings.store);
        ctx.send_in_step(SWEEP_EVERY, || Beat::Sweep);
        ctx.send_in_step(SAMPLE_EVERY, || Beat::Sample);
        ctx.send_every(settings.retain_every, || Beat::Retain);
        Ok(Self {
            settings,
            retaining: None,
        })
    }

    async fn handle(&mut self, beat: Beat, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match beat {
            Beat::Sweep => sweep(&self.settings.store).await,
            Beat::Sample => self.settings.metrics.sample(&self.settings.store),
            Beat::Retain if self.retaining.is_none() => self.retaining = Some(Box::pin(retain(self.settings.clone()))),
            // The one before is not done yet.
            Beat::Retain => {}
        }
        Ok(())
    }

    async fn attend(&mut self, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        let Some(retaining) = &mut self.retaining else {
            return std::future::pending().await;
        };
        let retained = retaining.await;
        self.retaining = None;
        retained
    }
}

/// Of what is durable the writer takes care.
async fn sweep(store: &Store) {
    let now = store.clock().now();
    for space in store.spaces() {
        if space.durability() == Durability::Journal {
            continue;
        }
        while space.has_due(now) && !space.expire(now, EXPIRED_AT_ONCE) {
            tokio::task::yield_now().await;
        }
    }
}

async fn retain(settings: Settings) -> Result<(), Failure> {
    for space in settings.store.spaces() {
        let retention = space.with_rules(|rules| rules.retention);
        // What is read and not written keeps what it has.
        if retention.is_nothing() || space.held_back().is_some() {
            continue;
        }
        let (looking, now) = (Arc::clone(&space), Instant::of(settings.store.clock()));
        let chosen = tokio::task::spawn_blocking(move || choose(looking.all(), &retention, now));
        let going = chosen.await?;
        // What the disk does not take now is chosen again the next time.
        let _taken = take(&space, &going, &settings.store, &settings.writer).await;
    }
    Ok(())
}

/// Takes away what retention chose, a few at a time; tells what went.
pub(crate) async fn take(
    space: &Arc<Space>,
    going: &[Chosen],
    store: &Store,
    writer: &Address<Wish>,
) -> Result<Retained, Error> {
    let mut gone = Retained::default();
    for some in going.chunks(RETAINED_AT_ONCE) {
        if space.durability() == Durability::Journal {
            store.may_write(space.name())?;
            let (wished, some) = (Arc::clone(space), some.to_vec());
            let taken = writer.ask(|reply| Wish::Retain(wished, some, reply)).await;
            gone.count(&taken.map_err(|fault| unanswered(space.name(), &fault))??);
        } else {
            gone.count(&space.retain(some, store.clock().now()));
            tokio::task::yield_now().await;
        }
    }
    Ok(gone)
}
