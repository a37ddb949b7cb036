//! What programs and agents of own kinds have subscribed to: a round for each. It is known beside the courier, and outlives its lives.
//!
//! ```text
//!   agent ─▶ sheaf ─▶ pattern, group, name ─▶ round ◀─number─▶ vacant: nobody makes it yet, or any more
//!     │          └──▶ name ────┘               ▲
//!     └──▶ what is sent to its path ───────────┘
//! ```
//!
//! What somebody subscribed to ends with its life. What is sent to an agent's path is for whatever life it is in: that round begins
//! with the first of it, and ends when the agent has left the tree.
//!
//! Whoever begins or ends one looks at that one alone, however many there are; who asks for more room than usual, at all of its agent.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

use tokio::sync::{Notify, watch};
use triarch_bus::{Bus, Class, Directory, Listener, Subscribe, SubscribeError, SubscriptionId, Terms};
use triarch_supervision::name::{team_of, without_part};
use triarch_supervision::sync::lock;
use triarch_supervision::tree::{Level, Observer};
use triarch_teams::{Post, PostOffice};

use super::bus::{Manner, Wish};
use super::sheaf::{Aim, Sheaf};
use super::terms::usual;
use crate::operations::{Code, Trouble};

/// So many subscriptions one program may have.
const SUBSCRIPTIONS_MAX: usize = 10_000;
/// So many events may wait for one program in all, where it asks for more room than all have.
const WAITING_MAX: usize = 10_240_000;
/// From so many agents on that something was sent to it is looked which of them have left the tree.
const SWEPT_FROM: usize = 256;

/// What programs have subscribed to.
#[derive(Clone)]
pub(crate) struct Rounds(Arc<Shared>);

struct Shared {
    bus: Bus,
    office: Arc<PostOffice>,
    book: Mutex<Book>,
    /// Rung when there is a round that nobody makes.
    new: Notify,
    /// The tree, once the courier is in it: before the first agent that somebody may send to.
    tree: OnceLock<Observer>,
}

#[derive(Default)]
struct Book {
    by_agent: HashMap<Arc<str>, Sheaf<String, Wished>>,
    /// What is sent to the paths of agents.
    by_path: HashMap<Arc<str>, Round>,
    /// How many of these there may be before it is looked who has left.
    swept_from: usize,
    /// Those that nobody makes, by their numbers. What comes for them waits with their listeners.
    vacant: BTreeMap<u64, Vacant>,
    next: u64,
}

/// What an agent subscribed to.
struct Wished {
    manner: Manner,
    round: Round,
}

/// One subscription.
struct Round {
    number: u64,
    id: SubscriptionId,
    /// How many events may wait for it.
    bound: usize,
    /// Dropped when it is over, while the book is held.
    _goes_on: watch::Sender<()>,
}

/// A round that nobody makes: what the courier needs to make it.
pub(super) struct Vacant {
    pub(super) number: u64,
    pub(super) listener: Listener,
    pub(super) agent: Arc<str>,
    pub(super) terms: Terms,
    /// Fails once the round is over.
    pub(super) goes_on: watch::Receiver<()>,
}

impl Book {
    /// A round that nobody makes yet.
    fn open(&mut self, agent: &Arc<str>, listener: Listener, terms: Terms) -> Round {
        let (number, id) = (self.next, listener.subscription());
        self.next += 1;
        let (goes_on, receiver) = watch::channel(());
        self.vacant.insert(
            number,
            Vacant {
                number,
                listener,
                agent: Arc::clone(agent),
                terms,
                goes_on: receiver,
            },
        );
        Round {
            number,
            id,
            bound: terms.bound,
            _goes_on: goes_on,
        }
    }

    fn sheaf(&mut self, agent: &Arc<str>) -> &mut Sheaf<String, Wished> {
        self.by_agent.entry(Arc::clone(agent)).or_default()
    }

    /// Takes out what is sent to the paths of those who have left.
    fn take_gone(&mut self, is_there: impl Fn(&str) -> bool) -> Vec<Round> {
        let gone = self.by_path.extract_if(|agent, _| !is_there(agent));
        let gone = gone.map(|(_, round)| round).collect();
        // All are looked at again once as many have come as were left.
        self.swept_from = 2 * self.by_path.len();
        gone
    }
}

impl Rounds {
    pub(crate) fn new(bus: Bus, office: Arc<PostOffice>) -> Self {
        Self(Arc::new(Shared {
            bus,
            office,
            book: Mutex::default(),
            new: Notify::new(),
            tree: OnceLock::new(),
        }))
    }

    /// Has what is sent to the paths of agents brought to them.
    pub(crate) fn introduce(&self) {
        // The bus must not hold what holds it.
        let directory = Agents(Arc::downgrade(&self.0));
        self.0.bus.introduce(Arc::new(directory));
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.0.book)
    }

    /// Begins a round, in the place of one for the same pattern and group, which goes on where this cannot begin. One that is
    /// the same goes on as it is.
    pub(super) fn begin(&self, agent: &Arc<str>, wish: Wish, what: Subscribe) -> Result<(), Trouble> {
        let terms = wish.terms;
        let (aim, manner) = wish.parted();
        let mut book = self.book();
        let sheaf = book.sheaf(agent);
        if sheaf.get(&aim).is_some_and(|wished| wished.manner == manner) {
            return Ok(());
        }
        if sheaf.len() >= SUBSCRIPTIONS_MAX && !sheaf.has_in_the_place_of(&aim) {
            return Err(too_many());
        }
        check_room(sheaf, &aim, terms.bound)?;
        // Where it is to begin elsewhere in its log it is another.
        let listener = if manner.begins_anew() {
            self.0.bus.listen(what)?
        } else {
            self.0.bus.listen_again(what)?
        };
        let round = book.open(agent, listener, terms);
        let id = round.id;
        if let Some(Wished { round: before, .. }) = book.sheaf(agent).put(aim, Wished { manner, round }) {
            book.vacant.remove(&before.number);
            // Mostly it is the same subscription, which goes on.
            if before.id != id {
                self.0.bus.unsubscribe(before.id);
            }
        }
        self.0.new.notify_one();
        Ok(())
    }

    /// Begins the round of what is sent to an agent's path, if it `is_there` and has none.
    fn begin_at(&self, agent: &str, is_there: impl Fn(&str) -> bool) -> Result<(), SubscribeError> {
        let mut book = self.book();
        if book.by_path.len() >= book.swept_from.max(SWEPT_FROM) {
            self.sweep(&mut book, &is_there);
        }
        if book.by_path.contains_key(agent) || !is_there(agent) {
            return Ok(());
        }
        let (agent, terms) = (Arc::from(agent), usual(Class::AtLeastOnce));
        let listen = || self.0.bus.listen_at(Arc::clone(&agent), terms);
        let listener = match listen() {
            // Those who have left may hold the places that are missing.
            Err(SubscribeError::Full { .. }) if self.sweep(&mut book, &is_there) > 0 => listen(),
            listener => listener,
        }?;
        let round = book.open(&agent, listener, terms);
        book.by_path.insert(agent, round);
        self.0.new.notify_one();
        Ok(())
    }

    /// Ends what is sent to the paths of those who have left; returns how many they were.
    fn sweep(&self, book: &mut Book, is_there: impl Fn(&str) -> bool) -> usize {
        let gone = book.take_gone(is_there);
        let count = gone.len();
        self.end_each(book, gone);
        count
    }

    /// Ends the round of what is sent to an agent's path, unless it `is_there`; whether there was one.
    fn end_at(&self, agent: &str, is_there: impl FnOnce(&str) -> bool) -> bool {
        let mut book = self.book();
        // One that has come meanwhile goes on with it.
        if is_there(agent) {
            return false;
        }
        let over = book.by_path.remove(agent);
        let was_one = over.is_some();
        self.end_each(&mut book, over);
        was_one
    }

    /// Ends the rounds of that pattern; returns how many there were.
    pub(super) fn end(&self, agent: &Arc<str>, pattern: &str) -> usize {
        let mut book = self.book();
        let Some(sheaf) = book.by_agent.get_mut(agent) else {
            return 0;
        };
        let over = sheaf.take_all_of(&pattern.to_owned());
        let count = over.len();
        self.end_each(&mut book, over.into_iter().map(|wished| wished.round));
        count
    }

    /// Ends all that a life of an agent has begun, at once: its next life begins others.
    pub(crate) fn end_all(&self, agent: &Arc<str>) {
        self.end_wished(&mut self.book(), agent);
    }

    /// Ends all that agents of a team have begun.
    pub(super) fn end_all_of_team(&self, team: &str) {
        let mut book = self.book();
        let is_of_team = |agent: &Arc<str>| agent.split_once('/').is_some_and(|(of, _)| of == team);
        let agents: Vec<_> = book
            .by_agent
            .keys()
            .filter(|agent| is_of_team(agent))
            .cloned()
            .collect();
        for agent in agents {
            self.end_wished(&mut book, &agent);
        }
    }

    /// Ends all rounds to an agent where it `is_gone`. One that has taken its place is in the tree before it begins any, so those
    /// stay.
    pub(super) fn end_all_of_the_gone(&self, agent: &Arc<str>, is_gone: impl FnOnce() -> bool) {
        let mut book = self.book();
        if is_gone() {
            self.end_wished(&mut book, agent);
            let sent = book.by_path.remove(agent);
            self.end_each(&mut book, sent);
        }
    }

    fn end_wished(&self, book: &mut Book, agent: &Arc<str>) {
        let sheaf = book.by_agent.remove(agent);
        let over = sheaf.into_iter().flat_map(Sheaf::into_all);
        self.end_each(book, over.map(|wished| wished.round));
    }

    fn end_each(&self, book: &mut Book, over: impl IntoIterator<Item = Round>) {
        for round in over {
            // Whoever makes it takes in what has become of its posts, and then ends it.
            self.0.bus.retire(round.id);
            if book.vacant.remove(&round.number).is_some() {
                self.0.bus.unsubscribe(round.id);
            }
        }
    }

    // ---- for the courier ----

    /// One that nobody makes.
    pub(super) fn next_vacant(&self) -> Option<Vacant> {
        self.book().vacant.pop_first().map(|(_, vacant)| vacant)
    }

    /// Nobody makes it any more. One that is over ends here.
    pub(super) fn give_back(&self, vacant: Vacant) {
        let mut book = self.book();
        if vacant.goes_on.has_changed().is_ok() {
            book.vacant.insert(vacant.number, vacant);
            self.0.new.notify_one();
        }
    }

    /// Returns once there may be one that nobody makes.
    pub(super) async fn wait_for_vacant(&self) {
        self.0.new.notified().await;
    }

    /// A life of the courier begins, in this tree: what the one before left waits for it.
    pub(super) fn ring(&self, tree: Observer) {
        // It is the same for all lives.
        let _first = self.0.tree.set(tree);
        self.0.new.notify_one();
    }

    pub(super) fn bus(&self) -> &Bus {
        &self.0.bus
    }

    pub(super) fn office(&self) -> &Arc<PostOffice> {
        &self.0.office
    }
}

/// The agents that something may be sent to: all that take posts.
struct Agents(Weak<Shared>);

impl Directory for Agents {
    fn attach(&self, path: &str) -> Result<(), SubscribeError> {
        let Some(rounds) = self.0.upgrade().map(Rounds) else {
            return Ok(());
        };
        let Some(tree) = rounds.0.tree.get() else { return Ok(()) };
        rounds.begin_at(path, |path| takes_posts(tree, path))
    }

    fn has_left(&self, path: &str) -> bool {
        let Some(rounds) = self.0.upgrade().map(Rounds) else {
            return false;
        };
        let tree = rounds.0.tree.get();
        // Most are there, and need no look into the book.
        tree.is_some_and(|tree| !takes_posts(tree, path) && rounds.end_at(path, |path| takes_posts(tree, path)))
    }

    fn team(&self, team: &str) -> Vec<Arc<str>> {
        let rounds = self.0.upgrade().map(Rounds);
        let Some(tree) = rounds.as_ref().and_then(|rounds| rounds.0.tree.get()) else {
            return Vec::new();
        };
        let nodes = tree.snapshot();
        let agents = nodes.iter().filter(|node| node.level == Level::Agent);
        let members = agents.filter_map(|node| {
            let (supervisor, _) = node.path.split_once('/')?;
            (team_of(supervisor) == team).then(|| Arc::from(&*without_part(&node.path)))
        });
        members.filter(|path| tree.address::<Post>(path).is_ok()).collect()
    }
}

/// An agent has one place where what is sent to it waits, whatever part of its team it stands in.
fn takes_posts(tree: &Observer, path: &str) -> bool {
    without_part(path) == path && tree.address::<Post>(path).is_ok()
}

/// That so many events may wait for one of that aim beside all others; one with no more room than usual counts for nothing.
fn check_room(sheaf: &Sheaf<String, Wished>, aim: &Aim<String>, bound: usize) -> Result<(), Trouble> {
    if bound <= usual(Class::AtMostOnce).bound {
        return Ok(());
    }
    let others = sheaf.iter().filter(|(other, _)| *other != aim);
    let bounds = others.map(|(_, wished)| wished.round.bound);
    let has: usize = bounds.filter(|bound| *bound > usual(Class::AtMostOnce).bound).sum();
    if has + bound <= WAITING_MAX {
        return Ok(());
    }
    let message = format!(
        "{has} events may wait for its other subscriptions of more than usual, and {WAITING_MAX} is the most for all"
    );
    let remedy = "ask for a lower `bound`, or end some by `unsubscribe`";
    Err(Trouble::new(Code::Refused, message, remedy))
}

fn too_many() -> Trouble {
    let message = format!("it has {SUBSCRIPTIONS_MAX} subscriptions, which is the most a program may have");
    let remedy =
        "subscribe to a broader pattern, such as `plant.**` for all below `plant`, or end some by `unsubscribe`";
    Trouble::new(Code::Refused, message, remedy)
}

#[cfg(test)]
#[path = "rounds_test.rs"]
mod tests;
