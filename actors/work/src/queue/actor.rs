//! Decides by the machine, writes by the journal, and acknowledges what is on disk.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use triarch_journal::{Batch, JournalAddress, Recovered, Writer};
use triarch_supervision::clock::Seeded;
use triarch_supervision::prelude::*;

use super::machine::{Event, Tasks, Turn, View};
use super::message::{Answer, Order, Request, Wanted, Word};
use super::outcome::{Broken, Outcome};
use super::waiting::Waiting;
use crate::config::Config;
use crate::error::{Refusal, TaskError};
use crate::metrics::Metrics;
use crate::sight;
use crate::snapshots::Copy;
use crate::task::{Claim, State};
use crate::time::Timepiece;
use crate::words::{Fence, TaskId};

/// How often what the clocks outside show is noted, and gauges are set.
const NOTE_EVERY: Duration = Duration::from_secs(5);
/// How soon it is tried again whether the disk takes something.
const TRY_EVERY: Duration = Duration::from_millis(500);

/// What each incarnation of a queue starts from.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) config: Config,
    pub(crate) journal: JournalAddress,
    pub(crate) copyist: Address<Copy>,
    pub(crate) metrics: Metrics,
    pub(crate) events: broadcast::Sender<Event>,
}

/// Keeps all tasks.
#[derive(Debug)]
pub struct Queue {
    settings: Settings,
    tasks: Tasks,
    turn: Turn,
    timepiece: Timepiece,
    writer: Writer,
    waiting: Waiting,
    broken: Arc<Broken>,
    /// Why nothing is written for now.
    closed: Option<String>,
    /// Whether what the journal has is not what is known here.
    is_behind: bool,
    /// Whether something has become ready since it was last looked who waits for that.
    has_news: bool,
    looks_at: Moment,
    notes_at: Moment,
    /// Bytes of records since the last snapshot.
    written: usize,
    is_copying: bool,
}

impl Agent for Queue {
    type Message = Order;
    type Spec = Settings;

    async fn start(settings: Settings, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let (tasks, writer) = recovered(&settings).await?;
        let now = Moment::now();
        let time = tasks.time_of(&sight::look());
        let chance = Seeded::new(time.as_millis() ^ u64::from(std::process::id()) << 32);
        let mut queue = Self {
            turn: Turn::new(time, chance),
            timepiece: Timepiece::new(time, now),
            broken: Arc::default(),
            waiting: Waiting::default(),
            closed: None,
            is_behind: false,
            has_news: false,
            looks_at: now,
            notes_at: now,
            written: 0,
            is_copying: false,
            settings,
            tasks,
            writer,
        };
        queue.tasks.resume(&mut queue.turn)?;
        queue.hand_over(Vec::new()).await;
        Ok(queue)
    }

    async fn handle(&mut self, Order(wanted): Order, ctx: &mut Context<Self>) -> Result<(), Failure> {
        if let Some(why) = self.broken.take() {
            self.begin_anew(why).await;
        }
        self.turn.now = self.timepiece.at(Moment::now());
        self.perform(wanted).await?;
        self.serve_waiting().await;
        self.copy_where_due(ctx)
    }

    async fn attend(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        let due = self.timepiece.moment_of(self.tasks.next_due());
        let at = if self.closed.is_some() {
            self.looks_at
        } else {
            due.min(self.notes_at)
        };
        tokio::select! {
            () = tokio::time::sleep_until(at.instant()) => {}
            () = self.broken.rings() => {}
        }
        // Where its mailbox is full, what comes next looks too.
        drop(ctx.address().try_send(Order(Wanted::Look)));
        Ok(())
    }

    async fn stop(&mut self, _reason: &ExitReason, _ctx: &mut Context<Self>) {
        self.turn.now = self.timepiece.at(Moment::now());
        let noted = self.closed.is_none() && self.tasks.anchor(&mut self.turn, sight::look()).is_ok();
        if noted {
            // The next life then knows to the millisecond for how long nobody was here.
            drop(self.writer.write(std::mem::take(&mut self.turn.records)).await);
        }
    }

    fn state(&self) -> Option<serde_json::Value> {
        let overview = serde_json::to_value(self.tasks.overview()).ok()?;
        Some(serde_json::json!({ "tasks": overview, "closed": self.closed }))
    }
}

impl Queue {
    async fn perform(&mut self, wanted: Wanted) -> Result<(), Failure> {
        match wanted {
            Wanted::Submit(batch, answer) => self.command(answer, |tasks, turn| tasks.submit(turn, batch)).await,
            Wanted::Claim(request, answer) => self.claim(request, answer).await,
            Wanted::Tell(task, fence, word, answer) => {
                self.command(answer, |tasks, turn| tell(tasks, turn, task, fence, word))
                    .await;
            }
            Wanted::Abandon(worker, answer) => self.command(answer, |tasks, turn| tasks.abandon(turn, &worker)).await,
            Wanted::Cancel(task, why, answer) => {
                self.command(answer, |tasks, turn| tasks.cancel(turn, task, &why)).await;
            }
            Wanted::Retry(task, answer) => self.command(answer, |tasks, turn| tasks.retry(turn, task)).await,
            Wanted::Drop(task, answer) => self.command(answer, |tasks, turn| tasks.drop_ended(turn, task)).await,
            Wanted::Drain(on, answer) => self.command(answer, |tasks, turn| tasks.drain(turn, on)).await,
            Wanted::Show(task, answer) => answer.send(self.tasks.show(task).map_err(TaskError::Refused)),
            Wanted::List(filter, most, answer) => answer.send(Ok(self.tasks.list(&filter, most))),
            Wanted::Overview(answer) => answer.send(Ok(self.tasks.overview())),
            Wanted::Late(answer) => answer.send(Ok(self.tasks.late().cloned().collect())),
            Wanted::Wait(task, answer) => self.wait(task, answer).await,
            Wanted::Copied => self.is_copying = false,
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
        match command(&mut self.tasks, &mut self.turn) {
            // Also what writes nothing may say something of what is not on disk yet.
            Ok(done) => self.hand_over(vec![Outcome::of(answer, done)]).await,
            Err(refusal) => {
                self.hand_over(Vec::new()).await;
                answer.send(Err(refusal.into()));
            }
        }
    }

    /// Writes what the turn has left; who waits for it is told once it is on disk.
    async fn hand_over(&mut self, mut outcomes: Vec<Outcome>) {
        let records = std::mem::take(&mut self.turn.records);
        let events = std::mem::take(&mut self.turn.events);
        for event in &events {
            self.settings.metrics.count(event);
            match event {
                Event::Ended { task, .. } => outcomes.extend(self.ended(*task)),
                Event::Ready { .. } => self.has_news = true,
                _ => {}
            }
        }
        if records.is_empty() && outcomes.is_empty() {
            return;
        }
        self.written += records.iter().map(Vec::len).sum::<usize>();
        let hearers = self.settings.events.clone();
        let tell = move || {
            if hearers.receiver_count() > 0 {
                for event in events {
                    drop(hearers.send(event));
                }
            }
        };
        let (outcomes, then) = Outcome::when_written(outcomes, tell, Arc::clone(&self.broken));
        if let Err(why) = self.writer.write_then(Batch::from(records), then).await {
            self.broken.ring(&why);
            outcomes.fail(why);
        }
    }

    fn ended(&mut self, task: TaskId) -> Vec<Outcome> {
        let answers = self.waiting.ended(task);
        let Ok(view) = self.tasks.show(task) else {
            return Vec::new();
        };
        answers
            .into_iter()
            .map(|answer| Outcome::of(answer, view.clone()))
            .collect()
    }

    async fn wait(&mut self, task: TaskId, answer: Answer<View>) {
        match self.tasks.show(task) {
            Ok(view) if view.state.is_end() => self.hand_over(vec![Outcome::of(answer, view)]).await,
            Ok(_) => {
                if let Err(answer) = self.waiting.end(task, answer) {
                    answer.send(Err(TaskError::TooManyWait));
                }
            }
            Err(refusal) => answer.send(Err(refusal.into())),
        }
    }

    async fn claim(&mut self, request: Request, answer: Answer<Vec<Claim>>) {
        if let Some(why) = &self.closed {
            return answer.send(Err(TaskError::Closed { why: why.clone() }));
        }
        match self.claims(&request) {
            Err(refusal) => {
                self.hand_over(Vec::new()).await;
                answer.send(Err(refusal.into()));
            }
            Ok(claims) if claims.is_empty() => {
                self.hand_over(Vec::new()).await;
                if !request.waits {
                    answer.send(Ok(claims));
                } else if let Err(answer) = self.waiting.claim(request, answer) {
                    answer.send(Err(TaskError::TooManyWait));
                }
            }
            Ok(claims) => self.hand_over(vec![Outcome::of(answer, claims)]).await,
        }
    }

    fn claims(&mut self, request: &Request) -> Result<Vec<Claim>, Refusal> {
        let Request {
            worker,
            able,
            most,
            lease,
            ..
        } = request;
        self.tasks.claim(&mut self.turn, worker, able, *most, *lease)
    }

    /// Gives those who wait what has become ready.
    async fn serve_waiting(&mut self) {
        if self.closed.is_some() || !std::mem::take(&mut self.has_news) {
            return;
        }
        let mut still = VecDeque::new();
        for (request, answer) in self.waiting.claims() {
            match self.claims(&request) {
                Ok(claims) if claims.is_empty() => still.push_back((request, answer)),
                Ok(claims) => self.hand_over(vec![Outcome::of(answer, claims)]).await,
                Err(refusal) => answer.send(Err(refusal.into())),
            }
        }
        self.waiting.still(still);
        self.hand_over(Vec::new()).await;
    }

    async fn look(&mut self) -> Result<(), Failure> {
        let now = Moment::now();
        if self.closed.is_some() {
            if self.looks_at <= now {
                self.try_again().await;
            }
            return Ok(());
        }
        self.tasks.tick(&mut self.turn)?;
        if self.notes_at <= now {
            self.notes_at = now + NOTE_EVERY;
            self.tasks.anchor(&mut self.turn, sight::look())?;
            self.settings.metrics.gauge(&self.tasks);
        }
        self.hand_over(Vec::new()).await;
        Ok(())
    }

    /// Something was not written: what nobody was told of is taken back, and nothing is changed until the disk takes
    /// something again.
    async fn begin_anew(&mut self, why: String) {
        self.closed = Some(why);
        self.turn.records.clear();
        self.turn.events.clear();
        self.has_news = true;
        self.is_behind = true;
        self.try_again().await;
    }

    /// Goes on where the disk takes something; else what is known is shown, and nothing is changed.
    async fn try_again(&mut self) {
        self.looks_at = Moment::now() + TRY_EVERY;
        self.closed = self.gone_on().await.err().map(|failed| failed.to_string());
    }

    async fn gone_on(&mut self) -> Result<(), TaskError> {
        if self.is_behind || self.writer.renew().is_err() {
            (self.tasks, self.writer) = recovered(&self.settings).await?;
            self.is_behind = false;
            self.tell_ended();
        }
        let note = self.tasks.note(self.timepiece.at(Moment::now()), sight::look())?;
        self.writer.write(note.clone()).await?;
        Ok(self.tasks.replay(&note)?)
    }

    /// The journal may have the end of a task of which nobody was told.
    fn tell_ended(&mut self) {
        for task in self.waiting.awaited() {
            if self.tasks.state(task).is_none_or(State::is_end) {
                for answer in self.waiting.ended(task) {
                    answer.send(self.tasks.show(task).map_err(TaskError::Refused));
                }
            }
        }
    }

    /// Lets a snapshot be written where there are many records behind the last one.
    fn copy_where_due(&mut self, ctx: &Context<Self>) -> Result<(), Failure> {
        let is_due = self.written >= self.settings.config.snapshot_after;
        if !is_due || self.is_copying || self.closed.is_some() {
            return Ok(());
        }
        // A journal that refuses this has failed, and says so elsewhere.
        let Ok(draft) = self.writer.rotate() else { return Ok(()) };
        let copy = Copy {
            draft,
            snapshot: self.tasks.snapshot()?,
            writer: self.writer.clone(),
            queue: ctx.address(),
        };
        self.is_copying = self.settings.copyist.try_send(copy).is_ok();
        self.written = 0;
        Ok(())
    }
}

fn tell(tasks: &mut Tasks, turn: &mut Turn, task: TaskId, fence: Fence, word: Word) -> Result<(), Refusal> {
    match word {
        Word::Began => tasks.begin(turn, task, fence),
        Word::Alive { lease, percent } => tasks.beat(turn, task, fence, lease, percent),
        Word::Done { result } => tasks.complete(turn, task, fence, result),
        Word::Failed { why, mend } => tasks.fail(turn, task, fence, &why, mend),
        Word::GivenBack => tasks.give_back(turn, task, fence),
        Word::Abandoned => tasks.leave(turn, task, fence),
    }
}

/// Tasks as the journal has them, and the right to write it.
async fn recovered(settings: &Settings) -> Result<(Tasks, Writer), TaskError> {
    let (writer, recovered) = settings.journal.recover().await?;
    let config = settings.config.clone();
    let rebuilding = tokio::task::spawn_blocking(move || rebuilt(config, recovered));
    let tasks = rebuilding
        .await
        .map_err(|gone| TaskError::Gone { why: gone.to_string() })??;
    Ok((tasks, writer))
}

fn rebuilt(config: Config, recovered: Recovered) -> Result<Tasks, TaskError> {
    let mut tasks = match recovered.snapshot {
        Some(snapshot) => Tasks::restore(config, &snapshot.bytes)?,
        None => Tasks::new(config),
    };
    for record in recovered.records {
        tasks.replay(&record.map_err(Arc::new)?.bytes)?;
    }
    Ok(tasks)
}
