//! Level 3: the agent that takes to disk what is published on durable topics, and where named subscriptions have come.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use triarch_journal::{Gathering, JournalAddress, WriteError, Writer};
use triarch_supervision::prelude::*;
use triarch_supervision::sync::{lock, unpoisoned};

use super::copyist::WriteSnapshot;
use super::cursor::CursorKey;
use super::doubt::Ending;
use super::doubt::OnItsWay;
use super::group::{Group, Pending, PendingEnd, PendingPlan, record_weight, weight};
use super::later::{self, Later};
use super::message::{Order, Planner, Waiter};
use super::outcome::answer;
use super::record::Record;
use super::replay::Replay;
use super::rest::Rest;
use super::unkept::Unkept;
use crate::agenda::{Placed, Plan, ScheduleId};
use crate::codec::encode;
use crate::envelope::Envelope;
use crate::error::{ArchiveError, ForgetError, PublishError};
use crate::hub::Hub;
use crate::metrics::Refusal;
use crate::topic::Pattern;

/// With so many bytes gathered the next envelope waits for the next group.
const GROUP_BYTES: usize = 1 << 20;
/// What a group needs of a record of the journal.
pub(crate) const GROUP_NEEDS: usize = 2 * GROUP_BYTES;
/// How often what has moved and could not be written is tried again, and a journal that does not open.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// For so long cursors and dead letters, which nobody waits for, wait for something to go to disk with.
const UNAWAITED: Duration = Duration::from_millis(5);

/// What each incarnation starts from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) hub: Arc<Hub>,
    pub(crate) journal: JournalAddress,
    pub(crate) copyist: Address<WriteSnapshot>,
    /// What a batch of records may have in all.
    pub(crate) record_bytes_max: usize,
}

/// Writes the journal of the bus.
#[derive(Debug)]
pub(crate) struct Archivist {
    settings: Settings,
    writer: Writer,
    /// While the journal is closed.
    rest: Rest,
    group: Vec<Pending>,
    plans: Vec<PendingPlan>,
    ends: Vec<PendingEnd>,
    group_bytes: usize,
    gathering: Gathering,
    /// Since when there is something to write that nobody waits for.
    unawaited: Option<Moment>,
    unkept: Unkept,
}

impl Agent for Archivist {
    type Message = Order;
    type Spec = Settings;

    async fn start(settings: Settings, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let (writer, unkept) = recover(&settings).await?;
        ctx.send_in_step(TRY_EVERY, || Order::Moved);
        let archivist = Self {
            settings,
            writer,
            rest: Rest::default(),
            group: Vec::new(),
            plans: Vec::new(),
            ends: Vec::new(),
            group_bytes: 0,
            gathering: Gathering::default(),
            unawaited: None,
            unkept: Unkept::of(unkept),
        };
        archivist.hub().tell_all_followers();
        Ok(archivist)
    }

    async fn handle(&mut self, order: Order, ctx: &mut Context<Self>) -> Result<(), Failure> {
        match order {
            Order::Store(log, envelope, waiter) => self.gather(log, envelope, waiter, None).await?,
            Order::Due(log, envelope, number) => self.gather(log, envelope, None, Some(number)).await?,
            Order::Plan(planned, reply) => self.plan(*planned, reply).await?,
            Order::Cancel(number, reply) => reply.send(self.cancel(number).await?),
            Order::Over(number, ending) => self.end(number, ending).await?,
            Order::Moved if self.is_closed() && self.rest.is_over(Moment::now()) => self.reopen().await,
            // It is written before it rests.
            Order::Moved => {}
            Order::Forget(key, reply) => reply.send(self.forget(&key).await?),
            Order::Empty(log, reply) => reply.send(self.empty(&log).await?),
            Order::Copied { number, is_written } => self.unkept.ended(number, is_written),
        }
        if self.group_bytes >= GROUP_BYTES {
            self.flush().await?;
        }
        self.copy_if_due(ctx)
    }

    async fn idle(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        if !self.is_closed() && self.gathering.waits(self.gathered()) && ctx.address().try_send(Order::Moved).is_ok() {
            // Whoever was just answered runs, and may come with the next.
            tokio::task::yield_now().await;
            return Ok(());
        }
        if self.waits_for_company(ctx) {
            return Ok(());
        }
        self.flush_all().await
    }

    async fn stop(&mut self, _reason: &ExitReason, _ctx: &mut Context<Self>) {
        let _last = self.flush_all().await;
    }

    fn state(&self) -> Option<Value> {
        let (unkept, closed) = (&self.unkept, self.hub().archive.closed());
        Some(json!({ "unkept_bytes": unkept.bytes(), "is_copying": unkept.is_copying(), "closed": closed }))
    }
}

/// Reads what is on disk, and wins the right to write there; tells how many bytes of records no snapshot stands for.
async fn recover(settings: &Settings) -> Result<(Writer, u64), Failure> {
    let (writer, recovered) = settings.journal.recover().await?;
    let rules = settings.hub.archive.rules().to_vec();
    let replay = tokio::task::spawn_blocking(move || Replay::of(recovered, &rules)).await??;
    let unkept = replay.unkept();
    settings.hub.take_up(replay);
    Ok((writer, unkept))
}

impl Archivist {
    fn hub(&self) -> &Arc<Hub> {
        &self.settings.hub
    }

    /// How many wait for the disk.
    fn gathered(&self) -> usize {
        self.group.len() + self.plans.len() + self.ends.len()
    }

    async fn gather(
        &mut self,
        log: Pattern,
        envelope: Box<Envelope>,
        waiter: Option<Waiter>,
        number: Option<u64>,
    ) -> Result<(), Failure> {
        let bytes = match encode(&envelope) {
            Ok(bytes) => bytes,
            Err(refused) => {
                answer(waiter, Err(refused.into()));
                return Ok(());
            }
        };
        let weight = weight(&log, &bytes);
        if let Err(why) = self.make_room(weight).await? {
            self.hub().was_not_stored(waiter, number, why.into());
            return Ok(());
        }
        // It may have been called off meanwhile, or be in this group already.
        if number.is_some_and(|number| !lock(&self.hub().agenda).meet(number)) {
            return Ok(());
        }
        self.group_bytes += weight;
        self.group.push(Pending {
            log,
            envelope,
            bytes,
            waiter,
            number,
        });
        Ok(())
    }

    /// What does not go with the others goes alone. Those before it may have closed the journal.
    async fn make_room(&mut self, bytes: usize) -> Result<Result<(), ArchiveError>, Failure> {
        if self.group_bytes + bytes > GROUP_BYTES {
            self.flush().await?;
        }
        Ok(self.open())
    }

    async fn plan(&mut self, (placed, plan): (Placed, Plan), planner: Planner) -> Result<(), Failure> {
        let written = match self.number(&plan) {
            Ok((number, record)) => match self.make_room(record_weight(&record)).await? {
                Ok(()) => Ok((number, record)),
                Err(closed) => {
                    lock(&self.hub().agenda).release(number);
                    Err(closed.into())
                }
            },
            Err(refused) => Err(refused),
        };
        match written {
            Ok((number, record)) => {
                self.group_bytes += record_weight(&record);
                self.plans.push(PendingPlan {
                    number,
                    placed,
                    plan,
                    record,
                    planner,
                });
            }
            Err(refused) => planner.send(Err(refused)),
        }
        Ok(())
    }

    /// Gives a plan its number, and writes it out.
    fn number(&self, plan: &Plan) -> Result<(u64, Vec<u8>), PublishError> {
        self.open()?;
        let hub = self.hub();
        let reserved = lock(&hub.agenda).reserve(plan);
        let number = reserved.inspect_err(|_| hub.metrics.refused(Refusal::Full))?;
        let record = later::planned(number, plan).inspect_err(|_| lock(&hub.agenda).release(number))?;
        Ok((number, record))
    }

    /// Whether what there is to write may wait for others. It would take a sync of its own after each of theirs.
    fn waits_for_company(&mut self, ctx: &mut Context<Self>) -> bool {
        let has_some = || self.hub().archive.has_unwritten() || lock(&self.hub().dead).has_news();
        if self.gathered() > 0 || self.is_closed() || !has_some() {
            self.unawaited = None;
            return false;
        }
        let now = Moment::now();
        let Some(since) = self.unawaited else {
            self.unawaited = Some(now);
            ctx.send_after(UNAWAITED, Order::Moved);
            return true;
        };
        let waits = now.since(since) < UNAWAITED;
        self.unawaited = waits.then_some(since);
        waits
    }

    /// Takes to disk all that has gathered, and all that has moved until it fails.
    async fn flush_all(&mut self) -> Result<(), Failure> {
        while self.flush().await? && lock(&self.hub().dead).has_news() {}
        Ok(())
    }

    /// Takes to disk all that has gathered, and then lets it be seen; false where it was not written.
    async fn flush(&mut self) -> Result<bool, Failure> {
        if self.is_closed() {
            return Ok(false);
        }
        self.gathering.written(self.gathered());
        self.group_bytes = 0;
        let stored = std::mem::take(&mut self.group);
        let (planned, ended) = (std::mem::take(&mut self.plans), std::mem::take(&mut self.ends));
        let mut group = Group::of(self.hub(), stored, (planned, ended), self.settings.record_bytes_max)?;
        let records = std::mem::take(&mut group.records);
        if records.is_empty() {
            return Ok(true);
        }
        let bytes: usize = records.iter().map(Vec::len).sum();
        let on_its_way = OnItsWay::new(self.hub(), group);
        let written = self.writer.write(records).await;
        let group = on_its_way.arrived();
        match written {
            Ok(_) => {
                self.unkept.add(bytes as u64);
                self.hub().show(group);
                Ok(true)
            }
            Err(why) => {
                self.hub().take_back(group, &why);
                self.go_on_after(&why).await;
                Ok(false)
            }
        }
    }

    fn open(&self) -> Result<(), ArchiveError> {
        self.hub().archive.open()
    }

    fn is_closed(&self) -> bool {
        self.open().is_err()
    }

    async fn go_on_after(&mut self, why: &WriteError) {
        match why {
            WriteError::Full(_) if self.writer.renew().is_ok() => {}
            WriteError::Refused(_) => {}
            _ => self.reopen().await,
        }
    }

    /// Begins anew from what is on disk. Where that cannot be had, publishers are told so until it can.
    async fn reopen(&mut self) {
        match recover(&self.settings).await {
            Ok((writer, unkept)) => {
                (self.writer, self.unkept) = (writer, Unkept::of(unkept));
                self.rest = Rest::default();
                // Something may be there that nobody was told of.
                self.hub().tell_all_followers();
            }
            Err(failed) => {
                self.hub().archive.close(failed.to_string());
                self.rest.begin(Moment::now());
            }
        }
    }

    /// Calls off what stands on disk; it is off here once it is off there.
    async fn cancel(&mut self, number: u64) -> Result<Result<bool, ArchiveError>, Failure> {
        self.flush().await?;
        if let Err(closed) = self.open() {
            return Ok(Err(closed));
        }
        let id = ScheduleId::new(number);
        if !lock(&self.hub().agenda).is_durable(id) {
            return Ok(Ok(false));
        }
        if let Err(why) = self.write(&Record::CalledOff { number }).await? {
            return Ok(Err(ArchiveError::Disk(why)));
        }
        Ok(Ok(lock(&self.hub().agenda).cancel(id)))
    }

    /// Takes off the disk what is due and is for no log. It ends only then, or the disk would bring it once more.
    async fn end(&mut self, number: u64, ending: Ending) -> Result<(), Failure> {
        let ended = PendingEnd::new(number, ending)?;
        if self.make_room(ended.weight()).await?.is_err() {
            self.hub().put_back(number);
            return Ok(());
        }
        // It may have been called off meanwhile, or be in this group already.
        if lock(&self.hub().agenda).meet(number) {
            self.group_bytes += ended.weight();
            self.ends.push(ended);
        }
        Ok(())
    }

    /// Forgets a name that nobody attends to.
    async fn forget(&mut self, key: &CursorKey) -> Result<Result<bool, ForgetError>, Failure> {
        self.flush().await?;
        if let Err(closed) = self.open() {
            return Ok(Err(closed.into()));
        }
        let (subscriber, name) = key;
        let taken = self.hub().archive.forget(key);
        let bookmark = match taken {
            Ok(Some(bookmark)) => bookmark,
            Ok(None) => return Ok(Ok(false)),
            Err(attended) => return Ok(Err(attended)),
        };
        let written = self.write(&Record::Forgotten { subscriber, name }).await?;
        if let Err(why) = written {
            // Otherwise what the disk says of it is found out when the journal is open again.
            if why.is_certain() {
                self.hub().archive.remember(key, bookmark);
            }
            return Ok(Err(why.into()));
        }
        Ok(Ok(true))
    }

    /// Forgets all that is in a log which the configuration names no more.
    async fn empty(&mut self, log: &Pattern) -> Result<Result<bool, ForgetError>, Failure> {
        self.flush().await?;
        if let Err(closed) = self.open() {
            return Ok(Err(closed.into()));
        }
        let archive = &self.hub().archive;
        if archive.is_named(log) {
            return Ok(Err(ForgetError::Named { log: log.clone() }));
        }
        let shared = archive.log(log).filter(|log| !unpoisoned(log.read()).is_empty());
        let Some(shared) = shared else { return Ok(Ok(false)) };
        // No offset is given again: a name may have its place there still.
        let next = unpoisoned(shared.read()).next() + 1;
        let begins = Record::Begins {
            log: log.as_str(),
            next,
        };
        if let Err(why) = self.write(&begins).await? {
            return Ok(Err(why.into()));
        }
        unpoisoned(shared.write()).begin_at(next);
        Ok(Ok(true))
    }

    async fn write(&mut self, record: &Record<'_>) -> Result<Result<(), WriteError>, Failure> {
        let record = record.encode()?;
        let bytes = record.len() as u64;
        match self.writer.write(record).await {
            Ok(_) => {
                self.unkept.add(bytes);
                Ok(Ok(()))
            }
            Err(why) => {
                self.go_on_after(&why).await;
                Ok(Err(why))
            }
        }
    }

    /// Keeps the journal short.
    fn copy_if_due(&mut self, ctx: &Context<Self>) -> Result<(), Failure> {
        let (hub, archive) = (&self.settings.hub, &self.settings.hub.archive);
        let kept = || archive.bytes() + lock(&hub.dead).bytes() + lock(&hub.agenda).bytes();
        if self.is_closed() || !self.unkept.is_due(kept) {
            return Ok(());
        }
        self.unkept.tries();
        // Between two groups what is here is what is on disk. A journal that refuses has failed: the next group hears of it.
        let Ok(draft) = self.writer.rotate() else { return Ok(()) };
        let snapshot = WriteSnapshot {
            number: archive.next_copy(),
            draft,
            records: archive.records()?,
            later: Later::of(&lock(&hub.agenda), &mut lock(&hub.dead)),
            writer: self.writer.clone(),
            archivist: ctx.address().clone(),
        };
        let number = snapshot.number;
        if self.settings.copyist.try_send(snapshot).is_ok() {
            self.unkept.begins(number);
        }
        Ok(())
    }
}
