//! Claims tasks for agents, hands them over as posts, and tells the queue what became of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};
use triarch_supervision::address::Refusal as NotSent;
use triarch_supervision::agent::AgentKind;
use triarch_supervision::clock::Seeded;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::{Observer, Phase};
use triarch_teams::receipt::Stage;
use triarch_teams::{Post, PostId, PostOffice, RECALL};

use super::brief::{Results, as_value};
use super::falls;
use super::hands::said_late;
use super::heard::{Asking, Heard, claim, tell};
use super::holding::{Effect, Messages};
use super::lost::{Lost, PAGE};
use super::roster::{Roster, TakingTeam};
use super::shared::{Sent, Shared};
use crate::error::{Refusal, TaskError};
use crate::machine::{Event, Mend, View};
use crate::queue::{Request, TaskAddress, Word};
use crate::room::Events;
use crate::task::Claim;
use crate::words::{Fence, Worker};

/// The kind of the posts by which agents get tasks.
const TASK: &str = "task";
/// Who it is that sends them.
const SENDER: &str = "work/dispatcher";
/// How often it is looked how far tasks are, and who is there.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The same where nobody takes tasks; whoever comes is told by the roster.
const LOOK_SELDOM: Duration = Duration::from_hours(1);
/// Where it is looked so much later than it was to be, the whole process stood still, or nearly.
const LATE: Duration = Duration::from_secs(5);
/// So many of those who are there are looked for at a time, one after the other; of those who are not, all.
const LOOKED_FOR: usize = 256;
/// In this share of a lease it is prolonged.
const BEATS: u32 = 3;
/// Where so many claims are refused at once, each waits for so much longer before it is tried again.
const CROWD: usize = 1_024;

/// What each incarnation starts from.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) tasks: TaskAddress,
    pub(crate) events: Events,
    pub(crate) roster: Roster,
    pub(crate) office: Arc<PostOffice>,
    pub(crate) lease: Duration,
    pub(crate) shared: Shared,
}

/// What a turn was woken by.
enum Woken {
    Stage(PostId, Stage),
    Heard(Heard),
    Event(Result<Event, broadcast::error::RecvError>),
    Roster,
    Look,
}

/// Brings tasks and agents together.
pub struct Dispatcher {
    settings: Settings,
    roster: watch::Receiver<Arc<[TakingTeam]>>,
    events: broadcast::Receiver<Event>,
    asking: FuturesUnordered<Asking>,
    chance: Seeded,
    looks_at: Moment,
    beats_at: Moment,
    /// By which those who wait for tasks are told to wait no more.
    withdrawals: BTreeMap<Worker, watch::Sender<()>>,
    /// Why the queue last gave nobody a task, where it refused.
    refused: Option<String>,
    /// Where the round of those who are looked for goes on.
    round: Option<Worker>,
    /// How far each task was when the queue was last told.
    shown: BTreeMap<Fence, u8>,
    lost: Lost,
    /// Who had the posts that were lost in this turn, and got them in hand at what time.
    lost_by: BTreeMap<Fence, (Worker, Moment)>,
    results: Results,
    /// What stands on every post of a task, made once.
    sender: Arc<str>,
    kind: Arc<str>,
}

impl Agent for Dispatcher {
    type Message = Nothing;
    type Spec = Settings;

    async fn start(settings: Settings, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let now = Moment::now();
        let mut dispatcher = Self {
            roster: settings.roster.watch(),
            events: settings.events.hear(),
            asking: FuturesUnordered::new(),
            chance: Seeded::new(u64::from(std::process::id())),
            looks_at: now,
            beats_at: now,
            withdrawals: BTreeMap::new(),
            refused: None,
            round: None,
            shown: BTreeMap::new(),
            lost: Lost::default(),
            lost_by: BTreeMap::new(),
            results: Results::default(),
            sender: SENDER.into(),
            kind: TASK.into(),
            settings,
        };
        let mut effects = Vec::new();
        dispatcher.begin_anew(&mut effects);
        dispatcher.staff(&mut effects);
        dispatcher.perform(effects, &ctx.observer());
        dispatcher.ask_who_had_what(false);
        Ok(dispatcher)
    }

    async fn handle(&mut self, nothing: Nothing, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match nothing {}
    }

    async fn attend(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        let woken = self.wait().await;
        let mut effects = Vec::new();
        // What came meanwhile is followed in the same turn, and before it is judged who has not begun.
        if matches!(woken, Woken::Look) {
            self.follow_stages(&mut effects);
        }
        self.follow(woken, &ctx.observer(), &mut effects);
        self.follow_stages(&mut effects);
        self.perform(effects, &ctx.observer());
        Ok(())
    }

    fn state(&self) -> Option<Value> {
        let hands = self.settings.shared.hands();
        let (takers, here) = hands.takers().fold((0, 0), |(all, here), (_, is_here)| {
            (all + 1, here + usize::from(is_here))
        });
        let (results, bytes) = hands.crowd();
        Some(json!({
            "takers": takers,
            "here": here,
            "held": hands.count(),
            "left_behind": self.lost.state(),
            "refused": self.refused,
            "without_room": { "results": results, "bytes": bytes },
        }))
    }
}

impl Dispatcher {
    async fn wait(&mut self) -> Woken {
        let stages = &self.settings.shared.stages.1;
        tokio::select! {
            biased;
            // First, so that leases are prolonged however much else there is.
            () = tokio::time::sleep_until(self.looks_at.instant()) => Woken::Look,
            Ok((post, stage)) = stages.recv_async() => Woken::Stage(post, stage),
            Some(heard) = self.asking.next() => Woken::Heard(heard),
            event = self.events.recv() => Woken::Event(event),
            Ok(()) = self.roster.changed() => Woken::Roster,
        }
    }

    fn follow(&mut self, woken: Woken, observer: &Observer, effects: &mut Vec<Effect>) {
        match woken {
            Woken::Stage(post, stage) => self.staged(post, stage, effects),
            Woken::Heard(Heard::Claims { worker, most, claims }) => {
                // Where the queue takes no claims for now, it is asked again when it is looked who is there.
                self.refused = claims.as_ref().err().map(ToString::to_string);
                let claims = claims.unwrap_or_default();
                self.settings.shared.hands().claimed(&worker, most, claims, effects);
            }
            Woken::Heard(Heard::Nothing { request, withdrawal }) => {
                let worker = request.worker.clone();
                // Before what others give back for it, which whoever asks next would get.
                self.claim(Request { waits: true, ..request }, withdrawal);
                self.settings.shared.hands().in_vain(&worker, effects);
            }
            Woken::Heard(Heard::Told {
                fence,
                was_last,
                outcome,
            }) => self.told(fence, was_last, &outcome, effects),
            Woken::Heard(Heard::Listed(listed)) => self.look_through(listed, effects),
            Woken::Event(Ok(Event::Revoked { fence, .. })) => self.settings.shared.hands().revoked(fence, effects),
            // Of leases whose ends were missed it is told when they are to be prolonged.
            Woken::Event(_) => {}
            Woken::Roster => self.staff(effects),
            Woken::Look => self.look(observer, effects),
        }
    }

    fn follow_stages(&mut self, effects: &mut Vec<Effect>) {
        while let Ok((post, stage)) = self.settings.shared.stages.1.try_recv() {
            self.staged(post, stage, effects);
        }
    }

    fn begin_anew(&self, effects: &mut Vec<Effect>) {
        let posts = self.settings.shared.posts();
        let has_post = |fence| posts.by_fence.contains_key(&fence);
        self.settings.shared.hands().begins_anew(has_post, effects);
    }

    fn staff(&mut self, effects: &mut Vec<Effect>) {
        let teams = Arc::clone(&self.roster.borrow_and_update());
        self.settings.shared.hands().staff(&teams, effects);
        self.looks_at = Moment::now();
    }

    /// Asks for some of what agents have, or had.
    fn ask_who_had_what(&mut self, is_again: bool) {
        let (tasks, filter) = (self.settings.tasks.clone(), self.lost.filter());
        self.asking.push(Box::pin(async move {
            if is_again {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Heard::Listed(tasks.list(filter, PAGE).await)
        }));
    }

    fn look_through(&mut self, listed: Result<Vec<View>, TaskError>, effects: &mut Vec<Effect>) {
        match listed {
            Ok(page) => {
                let hands = self.settings.shared.hands();
                let is_lost = |worker: &Worker, fence| hands.knows(worker) && !hands.holds(fence);
                self.lost.look_through(page, is_lost, effects);
                drop(hands);
                if !self.lost.is_through() {
                    self.ask_who_had_what(false);
                }
            }
            Err(why) => {
                self.lost.unseen(&why);
                self.ask_who_had_what(true);
            }
        }
    }

    fn staged(&mut self, post: PostId, stage: Stage, effects: &mut Vec<Effect>) {
        let (mut mend, mut task) = (Mend::Possible, None);
        let fence = {
            let mut posts = self.settings.shared.posts();
            let Some(fence) = posts.by_id.get(&post).copied() else {
                return;
            };
            if stage.is_last() {
                posts.by_id.remove(&post);
                let sent = posts.by_fence.remove(&fence);
                task = sent.as_ref().map(|sent| sent.task);
                self.shown.remove(&fence);
                match (&stage, sent) {
                    (Stage::Lost(_), Some(sent)) => {
                        let begun = sent.errand.delivered_at();
                        self.lost_by.extend(begun.map(|at| (fence, (sent.worker, at))));
                        // Where it is sent again from the dead letters, the task is somebody else's by then.
                        sent.errand.recall();
                    }
                    (_, Some(sent)) if sent.errand.is_hopeless() => mend = Mend::Hopeless,
                    _ => {}
                }
            }
            fence
        };
        let mut hands = self.settings.shared.hands();
        if hands.holds(fence) {
            hands.staged(fence, stage, mend, Moment::now(), effects);
        } else if let Some(task) = task {
            effects.extend(said_late(task, fence, stage));
        }
    }

    fn told(&mut self, fence: Fence, was_last: bool, outcome: &Result<(), TaskError>, effects: &mut Vec<Effect>) {
        use Refusal::{Inputs, NoSuchTask, Stale, Unfit};
        if self.lost.told(fence, outcome) {
            return;
        }
        let mut hands = self.settings.shared.hands();
        match outcome {
            Err(TaskError::Refused(Stale { .. } | NoSuchTask { .. })) => hands.heard(fence, was_last, true, effects),
            Err(TaskError::Refused(why @ Unfit { .. })) if was_last => hands.misfit(fence, why.to_string(), effects),
            // There may be room for it later.
            Err(TaskError::Refused(why @ Inputs { may_ease, .. })) => {
                hands.has_no_room(fence, why.to_string(), *may_ease, Moment::now(), effects);
            }
            Ok(()) | Err(TaskError::Refused(_)) => hands.heard(fence, was_last, false, effects),
            // It is not on disk, or was not heard at all.
            Err(_) => hands.unheard(fence),
        }
    }

    fn look(&mut self, observer: &Observer, effects: &mut Vec<Effect>) {
        let now = Moment::now();
        let is_late = now.since(self.looks_at) > LATE;
        let beat = self.settings.lease / BEATS;
        let is_of_use = {
            let hands = self.settings.shared.hands();
            hands.takers().next().is_some() || hands.count() > 0 || self.lost.state().is_some()
        };
        self.looks_at = now + if is_of_use { LOOK_EVERY.min(beat) } else { LOOK_SELDOM };
        self.look_who_is_there(observer, effects);
        let posts = self.settings.shared.posts();
        let percent = |fence: Fence| posts.by_fence.get(&fence).and_then(|sent| sent.errand.percent());
        let mut hands = self.settings.shared.hands();
        if self.beats_at <= now {
            self.beats_at = now + beat;
            hands.beat(percent, effects);
        }
        for (fence, sent) in &posts.by_fence {
            let Some(percent) = sent.errand.percent() else { continue };
            if self.shown.insert(*fence, percent) != Some(percent) {
                effects.extend(hands.progress(*fence, percent));
            }
        }
        hands.try_full();
        hands.tell_again(effects);
        self.lost.tell_again(effects);
        if is_late {
            return hands.looked_away(now);
        }
        let messages = |worker: &Worker| {
            let mailbox = observer.node(worker.as_str()).ok().and_then(|node| node.mailbox);
            mailbox.map_or_else(Messages::default, |mailbox| Messages {
                handled: mailbox.handled + mailbox.failed,
                waiting: mailbox.depth,
            })
        };
        hands.let_go(now, messages, effects);
        hands.relieve(effects);
    }

    fn look_who_is_there(&mut self, observer: &Observer, effects: &mut Vec<Effect>) {
        let mut hands = self.settings.shared.hands();
        let away: Vec<_> = hands
            .takers()
            .filter(|(_, is_here)| !is_here)
            .map(|(worker, _)| worker.clone())
            .collect();
        let here: Vec<_> = hands.here_after(self.round.as_ref(), LOOKED_FOR);
        self.round = if here.len() < LOOKED_FOR {
            None
        } else {
            here.last().cloned()
        };
        for worker in away.into_iter().chain(here) {
            let is_here = observer.node(worker.as_str()).is_ok_and(|node| takes(node.state));
            hands.seen(&worker, is_here, effects);
        }
    }

    fn perform(&mut self, mut effects: Vec<Effect>, observer: &Observer) {
        // Until it is known what nobody is at, what is claimed could be taken for that.
        if self.lost.is_through() {
            self.settings.shared.hands().ask(&mut self.chance, &mut effects);
        }
        // What follows from a post that was refused is done in the same turn.
        while !effects.is_empty() {
            let mut more = Vec::new();
            for effect in effects {
                match effect {
                    Effect::Hand { worker, claim } => self.hand(&worker, claim, observer, &mut more),
                    Effect::Recall(fence) => self.recall(fence, observer),
                    effect => self.tell_queue(effect, observer),
                }
            }
            effects = more;
        }
        self.lost_by.clear();
    }

    fn tell_queue(&mut self, effect: Effect, observer: &Observer) {
        let tasks = self.settings.tasks.clone();
        match effect {
            Effect::Ask {
                worker,
                able,
                most,
                rank,
                tries,
            } => {
                let withdrawal = self.withdrawals.entry(worker.clone()).or_default().subscribe();
                let request = Request {
                    worker,
                    able: able.to_vec(),
                    most,
                    lease: None,
                    waits: !tries,
                    rank,
                };
                self.claim(request, withdrawal);
            }
            Effect::Rank { worker, places } => tasks.rank(worker, places),
            // Whoever waits by it is told by its end.
            Effect::Withdraw(worker) => drop(self.withdrawals.remove(&worker)),
            Effect::Tell {
                task,
                fence,
                word: Word::Fell { why },
            } => {
                let (lost_by, observer) = (self.lost_by.get(&fence).cloned(), observer.clone());
                self.asking.push(Box::pin(async move {
                    let word = falls::judged(&observer, lost_by, why).await;
                    tell(tasks, task, fence, word).await
                }));
            }
            Effect::Tell { task, fence, word } => self.asking.push(Box::pin(tell(tasks, task, fence, word))),
            Effect::Hand { .. } | Effect::Recall(_) => {}
        }
    }

    fn claim(&self, request: Request, withdrawal: watch::Receiver<()>) {
        let pause = LOOK_EVERY * u32::try_from(1 + self.asking.len() / CROWD).unwrap_or(u32::MAX);
        let claiming = claim(self.settings.tasks.clone(), request, withdrawal, pause);
        self.asking.push(Box::pin(claiming));
    }

    fn hand(&mut self, worker: &Worker, claim: Claim, observer: &Observer, effects: &mut Vec<Effect>) {
        {
            let mut hands = self.settings.shared.hands();
            if hands.withheld.is_so() {
                hands.unsent(claim, effects);
                return;
            }
        }
        let body = as_value(&claim.body);
        let sender = self.settings.shared.stages.0.clone();
        let (from, kind) = (Arc::clone(&self.sender), Arc::clone(&self.kind));
        let mut post = self
            .settings
            .office
            .through(sender, from, kind, body)
            .of_task(self.results.brief(&claim));
        if let Some(timeout) = claim.timeout {
            post = post.within(timeout);
        }
        let (id, errand) = (post.id, post.errand());
        {
            let mut posts = self.settings.shared.posts();
            posts.by_id.insert(id, claim.fence);
            let sent = Sent {
                post: id,
                worker: worker.clone(),
                task: claim.task,
                errand,
            };
            posts.by_fence.insert(claim.fence, sent);
        }
        if let Err(refused) = observer.try_send_to(worker.as_str(), post) {
            let mut posts = self.settings.shared.posts();
            posts.by_id.remove(&id);
            posts.by_fence.remove(&claim.fence);
            let is_full = refused.why == NotSent::Full;
            drop((posts, refused));
            self.settings.shared.hands().refused(claim, is_full, effects);
        }
    }

    /// A program is told so by a post, since it sees nothing of ours; others see it by their receipts.
    fn recall(&self, fence: Fence, observer: &Observer) {
        let recalled = {
            let posts = self.settings.shared.posts();
            let Some(sent) = posts.by_fence.get(&fence) else { return };
            sent.errand.recall();
            (sent.worker.clone(), sent.post)
        };
        let (worker, post) = recalled;
        let node = observer.node(worker.as_str());
        if node.is_ok_and(|node| node.agent_kind == Some(AgentKind::Program)) {
            let body = json!({ "id": post.to_string() });
            let told = self.settings.office.post(Arc::clone(&self.sender), RECALL, body);
            // One whose mailbox is full goes on, and what comes of it does not count.
            drop(observer.try_send_to::<Post>(worker.as_str(), told));
        }
    }
}

/// Whether an agent that stands there in its life is given tasks.
fn takes(phase: Phase) -> bool {
    matches!(phase, Phase::Starting | Phase::Idle | Phase::Busy)
}
