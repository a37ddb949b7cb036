//! Decides by the machine, writes by the journal, and acknowledges what is on disk.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Weak};

use triarch_journal::{Batch, JournalAddress, Seq, WriteError, Writer};
use triarch_supervision::clock::Seeded;
use triarch_supervision::prelude::*;

use super::award::{Award, Untaken};
use super::ends::Ends;
use super::looking::{anchor_first, is_last_stop};
use super::machine::{Event, Tasks, Turn, Undo};
use super::message::{Answer, Order, Request, Wanted, Word};
use super::outcome::{Broken, Crossing, Outcome};
use super::portions::portions;
use super::recovered::{Rebuilt, rebuild};
use super::teller::Teller;
use super::waiting::{Claimant, Ticket, Waiting};
use crate::config::Config;
use crate::error::{Refusal, TaskError};
use crate::sight;
use crate::snapshots::WriteSnapshot;
use crate::task::Claim;
use crate::time::Timepiece;
use crate::withheld::Withheld;
use crate::words::{Capability, Fence, TaskId};

/// What each incarnation of a queue starts from.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) config: Config,
    pub(crate) withheld: Withheld,
    pub(crate) journal: JournalAddress,
    pub(crate) copyist: Address<WriteSnapshot>,
    /// The most bytes that the journal takes as one batch.
    pub(crate) portion: usize,
    pub(crate) teller: Teller,
}

/// Keeps all tasks.
#[derive(Debug)]
pub struct Queue {
    pub(super) settings: Settings,
    pub(super) tasks: Tasks,
    pub(super) turn: Turn,
    pub(super) timepiece: Timepiece,
    pub(super) writer: Writer,
    waiting: Waiting,
    pub(super) ends: Ends,
    pub(super) broken: Arc<Broken>,
    pub(super) crossing: Crossing,
    /// What tasks were before what is on its way, the first first.
    pub(super) undos: VecDeque<Undo>,
    pub(super) untaken: Arc<Untaken>,
    /// Why nothing is written for now.
    pub(super) closed: Option<String>,
    /// Why records of this turn were not taken: from then on nothing is written, since it would rest on them.
    pub(super) lost: Option<WriteError>,
    /// Whether what the journal has is not what is known here.
    pub(super) is_behind: bool,
    /// What has become ready since it was last looked who waits for that.
    pub(super) ready: BTreeSet<TaskId>,
    /// Whether anything may have become ready.
    pub(super) is_rebuilt: bool,
    pub(super) looks_at: Moment,
    pub(super) notes_at: Moment,
    /// Bytes of records since the last snapshot.
    pub(super) written: usize,
    /// Whoever writes a snapshot has the token.
    copying: Weak<()>,
}

impl Agent for Queue {
    type Message = Order;
    type Spec = Settings;

    async fn start(settings: Settings, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let Rebuilt { tasks, writer, written } = rebuild(&settings).await?;
        let now = Moment::now();
        let time = tasks.time_of(&sight::look());
        let chance = Seeded::new(time.as_millis() ^ u64::from(std::process::id()) << 32);
        let mut queue = Self {
            turn: Turn::new(time, chance).shedding_later(),
            timepiece: Timepiece::new(time, now),
            broken: Arc::default(),
            crossing: Crossing::default(),
            undos: VecDeque::new(),
            untaken: Arc::default(),
            waiting: Waiting::default(),
            ends: Ends::default(),
            closed: None,
            lost: None,
            is_behind: false,
            ready: BTreeSet::new(),
            is_rebuilt: false,
            looks_at: now,
            notes_at: now,
            written,
            copying: Weak::new(),
            settings,
            tasks,
            writer,
        };
        queue.tasks.begin_undo();
        queue.tasks.resume(&mut queue.turn)?;
        queue.hand_over(Vec::new()).await;
        Ok(queue)
    }

    async fn handle(&mut self, Order(wanted): Order, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        if let Some(why) = self.broken.take() {
            self.begin_anew(why).await?;
        }
        let now = Moment::now();
        self.turn.now = self.timepiece.at(now);
        self.pass_over_standstill(now).await?;
        self.give_back_untaken().await;
        self.perform(wanted).await?;
        self.serve_waiting().await;
        self.copy_where_due();
        Ok(())
    }

    async fn attend(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        tokio::select! {
            () = tokio::time::sleep_until(self.looks_next().instant()) => {}
            () = self.broken.rings() => {}
            () = self.untaken.rings() => {}
        }
        // Where its mailbox is full, what comes next looks too.
        drop(ctx.address().try_send(Order(Wanted::Look)));
        Ok(())
    }

    async fn stop(&mut self, _reason: &ExitReason, ctx: &mut Context<Self>) {
        if self.closed.is_some() || self.lost.is_some() {
            return;
        }
        self.turn.now = self.timepiece.at(Moment::now());
        let noted = if is_last_stop(&ctx.observer()) {
            self.tasks.rest(&mut self.turn, sight::look())
        } else {
            self.tasks.anchor(&mut self.turn, sight::look())
        };
        if noted.is_ok() {
            // The next life then knows to the millisecond for how long nobody was here.
            for portion in portions(std::mem::take(&mut self.turn.records), self.settings.portion) {
                drop(self.writer.write(portion).await);
            }
        }
    }

    fn state(&self) -> Option<serde_json::Value> {
        let now = self.timepiece.at(Moment::now());
        let overview = self.tasks.overview(now);
        Some(serde_json::json!({ "tasks": overview, "on_their_way": self.crossing.count(), "closed": self.closed }))
    }
}

impl Queue {
    async fn perform(&mut self, wanted: Wanted) -> Result<(), Failure> {
        match wanted {
            Wanted::Submit(batch, answer) => {
                let submit = |tasks: &mut Tasks, turn: &mut Turn| {
                    anchor_first(tasks, turn)?;
                    tasks.submit(turn, batch)
                };
                self.command(answer, submit).await;
            }
            Wanted::Claim(request, answer) => self.claim(request, answer).await,
            Wanted::Tell(task, fence, word, answer) => {
                self.command(answer, |tasks, turn| tell(tasks, turn, task, fence, word))
                    .await;
            }
            Wanted::Abandon(worker, answer) => self.command(answer, |tasks, turn| tasks.abandon(turn, &worker)).await,
            Wanted::Cancel(task, why, answer) => {
                self.command(answer, |tasks, turn| tasks.cancel(turn, task, &why)).await;
            }
            Wanted::Retry(task, answer) => {
                let retry = |tasks: &mut Tasks, turn: &mut Turn| {
                    anchor_first(tasks, turn)?;
                    tasks.retry(turn, task)
                };
                self.command(answer, retry).await;
            }
            Wanted::Drop(task, answer) => self.command(answer, |tasks, turn| tasks.drop_ended(turn, task)).await,
            Wanted::Drain(on, answer) => {
                let drain = |tasks: &mut Tasks, turn: &mut Turn| {
                    tasks.drain(turn, on)?;
                    Ok(tasks.overview(turn.now))
                };
                self.command(answer, drain).await;
            }
            Wanted::Read(question) => self.read(question).await,
            Wanted::Rank(worker, places) => self.waiting.rank(&worker, &places),
            Wanted::Look => self.look().await?,
        }
        Ok(())
    }

    /// Runs a command, and answers once what it wrote is on disk.
    async fn command<T: Send + 'static>(
        &mut self,
        answer: Answer<T>,
        command: impl FnOnce(&mut Tasks, &mut Turn) -> Result<T, Refusal>,
    ) {
        if let Some(why) = &self.closed {
            return answer.send(Err(TaskError::Closed { why: why.clone() }));
        }
        let outcome = Outcome::with(answer, command(&mut self.tasks, &mut self.turn));
        self.hand_over(vec![outcome]).await;
    }

    /// Writes what the turn has left; who waits for it is told once it is on disk, with all that was decided before it.
    pub(super) async fn hand_over(&mut self, outcomes: Vec<Outcome>) {
        let events = std::mem::take(&mut self.turn.events);
        let mut ended = Vec::new();
        for event in &events {
            match event {
                Event::Ended { task, .. } => {
                    let awaiting = self.ends.of(*task);
                    ended.extend(awaiting.map(|awaiting| (awaiting, self.show(*task))));
                }
                Event::Ready { task } if !self.waiting.is_idle() => drop(self.ready.insert(*task)),
                _ => {}
            }
        }
        // Once they are seen whose ends somebody waits for. What cannot go now goes with the next.
        drop(self.tasks.shed(&mut self.turn));
        let records = std::mem::take(&mut self.turn.records);
        if records.is_empty() && outcomes.is_empty() && events.is_empty() {
            return;
        }
        let teller = self.settings.teller.clone();
        let tell = move |upto| {
            teller.tell(upto, events);
            for (awaiting, view) in ended {
                awaiting.tell(&view);
            }
        };
        self.crossing.forget_landed(&mut self.undos);
        if records.is_empty() && self.crossing.is_over() {
            self.tasks.begin_undo();
            tell(Seq::default());
            outcomes.into_iter().for_each(Outcome::succeed);
            return;
        }
        self.crossing.begin();
        self.undos.extend(self.tasks.take_undo());
        let (outcomes, then) = Outcome::when_written(outcomes, tell, &self.broken, &self.crossing);
        if let Err(why) = self.write(records, then).await {
            self.broken.ring(&why);
            outcomes.fail(why.clone());
            self.lost = Some(why);
        }
    }

    /// Hands records to the journal in as many batches as it takes; `then` hears of the last one. The journal writes none
    /// behind one that failed.
    async fn write(
        &mut self,
        records: Vec<Vec<u8>>,
        then: impl FnOnce(Result<Seq, WriteError>) + Send + 'static,
    ) -> Result<(), WriteError> {
        if let Some(why) = &self.lost {
            return Err(why.clone());
        }
        self.written += records.iter().map(Vec::len).sum::<usize>();
        let mut portions = portions(records, self.settings.portion);
        let last = portions.pop().unwrap_or_default();
        for portion in portions {
            let broken = Arc::clone(&self.broken);
            let told = move |written: Result<Seq, WriteError>| {
                if let Err(why) = written {
                    broken.ring(&why);
                }
            };
            self.writer.write_then(Batch::from(portion), told).await?;
        }
        self.writer.write_then(Batch::from(last), then).await
    }

    async fn claim(&mut self, mut request: Request, answer: Answer<Award>) {
        if let Some(why) = &self.closed {
            return answer.send(Err(TaskError::Closed { why: why.clone() }));
        }
        request.able.sort_unstable();
        request.able.dedup();
        let outcome = match self.claims(&request) {
            Err(refusal) => Outcome::refused(answer, refusal),
            Ok(claims) if claims.is_empty() && request.waits && request.most > 0 => {
                if let Err(answer) = self.waiting.claim(request, answer) {
                    answer.send(Err(TaskError::TooManyWait));
                }
                return self.hand_over(Vec::new()).await;
            }
            Ok(claims) => self.award(answer, claims),
        };
        self.hand_over(vec![outcome]).await;
    }

    fn award(&self, answer: Answer<Award>, claims: Vec<Claim>) -> Outcome {
        Outcome::awarded(answer, Award::of(claims, &self.untaken))
    }

    /// Gives back what nobody took who asked for it.
    async fn give_back_untaken(&mut self) {
        if self.is_stopped() {
            return;
        }
        for (task, fence) in self.untaken.take() {
            // What is not under that lease any more need not come back.
            drop(self.tasks.give_back(&mut self.turn, task, fence));
        }
        self.hand_over(Vec::new()).await;
    }

    fn claims(&mut self, request: &Request) -> Result<Vec<Claim>, Refusal> {
        let Request {
            worker,
            able,
            most,
            lease,
            ..
        } = request;
        if self.settings.withheld.is_so() {
            return Ok(Vec::new());
        }
        self.tasks.claim(&mut self.turn, worker, able, *most, *lease)
    }

    /// Gives those who wait what has become ready.
    async fn serve_waiting(&mut self) {
        if std::mem::take(&mut self.is_rebuilt) {
            let mut at = 0;
            while let Some((ticket, claimant)) = self.next_waiting(at) {
                at = ticket;
                self.serve(ticket, claimant).await;
            }
        }
        let mut in_vain = BTreeSet::new();
        while let Some((ticket, claimant)) = self.first_served(&mut in_vain) {
            if !self.serve(ticket, claimant).await {
                self.ready.pop_first();
            }
        }
        if self.closed.is_none() {
            self.hand_over(Vec::new()).await;
        }
    }

    fn next_waiting(&mut self, at: Ticket) -> Option<(Ticket, Claimant)> {
        if self.is_stopped() {
            self.is_rebuilt = true;
            return None;
        }
        self.waiting.next_after(at)
    }

    /// Who gets something of what has become ready. `in_vain` has the needs that nobody meets who waits.
    fn first_served(&mut self, in_vain: &mut BTreeSet<Vec<Capability>>) -> Option<(Ticket, Claimant)> {
        while !self.is_stopped() {
            let task = *self.ready.first()?;
            let asks = self.tasks.asks(task);
            let asks = asks.filter(|(needs, reserved)| reserved.is_some() || !in_vain.contains(*needs));
            let found = asks.and_then(|(needs, reserved)| self.waiting.first_for(needs, reserved));
            if found.is_some() {
                return found;
            }
            if let Some((needs, None)) = asks {
                in_vain.insert(needs.to_vec());
            }
            self.ready.pop_first();
        }
        None
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.closed.is_some() || self.lost.is_some()
    }

    /// Returns whether there was something for it, or something was wrong with it; else it waits on.
    async fn serve(&mut self, ticket: Ticket, (request, answer): Claimant) -> bool {
        let outcome = match self.claims(&request) {
            Ok(claims) if claims.is_empty() => {
                self.waiting.put(ticket, (request, answer));
                return false;
            }
            Ok(claims) => self.award(answer, claims),
            Err(refusal) => Outcome::refused(answer, refusal),
        };
        self.hand_over(vec![outcome]).await;
        true
    }

    /// Lets a snapshot be written where there are many records behind the last one.
    fn copy_where_due(&mut self) {
        let is_due = self.written >= self.settings.config.snapshot_after;
        if !is_due || self.copying.strong_count() > 0 || self.is_stopped() {
            return;
        }
        // A journal that refuses this has failed, and says so elsewhere.
        let Ok(draft) = self.writer.rotate() else { return };
        let token = Arc::new(());
        self.copying = Arc::downgrade(&token);
        let snapshot = WriteSnapshot {
            draft,
            image: self.tasks.image(),
            writer: self.writer.clone(),
            token,
        };
        // Where it is not taken it is tried again after as many records again, as where it cannot be written.
        drop(self.settings.copyist.try_send(snapshot));
        self.written = 0;
    }
}

fn tell(tasks: &mut Tasks, turn: &mut Turn, task: TaskId, fence: Fence, word: Word) -> Result<(), Refusal> {
    match word {
        Word::Began => tasks.begin(turn, task, fence),
        Word::Alive { lease, percent } => tasks.beat(turn, task, fence, lease, percent),
        Word::Done { result } => tasks.complete(turn, task, fence, result),
        Word::Failed { why, mend } => tasks.fail(turn, task, fence, &why, mend),
        Word::GivenBack => tasks.give_back(turn, task, fence),
        Word::Abandoned { why } => tasks.leave(turn, task, fence, &why),
        Word::Fell { why } => tasks.fall(turn, task, fence, &why),
    }
}
