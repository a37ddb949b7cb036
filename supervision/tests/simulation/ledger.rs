//! What the agents and senders of a simulated tree tell of themselves, beside what the tree tells of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use triarch_supervision::clock::Moment;
use triarch_supervision::policy::Restart;

use crate::post::Line;

/// One child specification.
pub(crate) struct Slot {
    pub(crate) path: String,
    /// Its supervisor's place from the left, and its own under it.
    pub(crate) rank: (usize, usize),
    pub(crate) in_order: bool,
    pub(crate) restart: Restart,
    pub(crate) capacity: u64,
    pub(crate) redeliveries: u32,
    pub(crate) resumes: bool,
    pub(crate) line: Arc<dyn Line>,
    pub(crate) record: Record,
}

/// What became of one child and its messages.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) alive: Option<u64>,
    /// Messages that some handler began, each counted once.
    pub(crate) begun: u64,
    /// Messages whose handler returned well.
    pub(crate) done: u64,
    pub(crate) in_hand: u64,
    /// A message that crashed its handler and is to be handed out again.
    pub(crate) again: u64,
    /// Somebody asked for its end, out of its turn.
    pub(crate) terminated: bool,
    /// It stands in the tree, so that others may know its address.
    pub(crate) is_known: bool,
    pub(crate) latest: BTreeMap<(u64, usize), u64>,
}

#[derive(Default)]
pub(crate) struct Book {
    pub(crate) slots: Vec<Slot>,
    pub(crate) violations: Vec<String>,
    /// Open questions: to whom, and whether they wait without limit.
    pub(crate) asks: BTreeMap<u64, (usize, bool)>,
    pub(crate) calls: BTreeSet<u64>,
    /// Since when the clock has not jumped.
    pub(crate) steady_since: Moment,
    begun: HashMap<u64, u32>,
    returned: BTreeSet<u64>,
    orders: HashMap<(u64, usize), u64>,
    last_id: u64,
    hasher: DefaultHasher,
    /// The tree was asked to stop; what follows has to be in order over all supervisors.
    pub(crate) stopping: Option<Vec<usize>>,
    pub(crate) out_of_order: Vec<(usize, usize)>,
}

/// The shared record of one simulated world.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Book>>);

impl Ledger {
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap()
    }

    pub(crate) fn violate(&self, what: String) {
        self.book().violations.push(what);
    }

    pub(crate) fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.book().violations)
    }

    pub(crate) fn fresh(&self) -> u64 {
        self.book().fresh()
    }

    pub(crate) fn hash(&self) -> u64 {
        self.book().hasher.finish()
    }

    pub(crate) fn line(&self, slot: usize) -> Arc<dyn Line> {
        Arc::clone(&self.book().slots[slot].line)
    }
}

impl Book {
    pub(crate) fn fresh(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The children whose addresses others may know.
    pub(crate) fn known(&self) -> impl Iterator<Item = usize> {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.record.is_known)
            .map(|(index, _)| index)
    }

    /// The next number of a sender's messages to one receiver.
    pub(crate) fn next_order(&mut self, from: u64, to: usize) -> u64 {
        let order = self.orders.entry((from, to)).or_default();
        *order += 1;
        *order
    }

    /// A sender was given these messages back.
    pub(crate) fn note_returned(&mut self, ids: &[u64]) {
        for id in ids {
            if self.begun.contains_key(id) {
                self.violations
                    .push(format!("S1 message {id} came back to its sender and was handled"));
            }
        }
        self.returned.extend(ids);
    }

    pub(crate) fn was_begun(&self, id: u64) -> bool {
        self.begun.contains_key(&id)
    }

    fn log(&mut self, what: &str, slot: usize, id: u64) {
        (Moment::now().as_nanos(), what, slot, id).hash(&mut self.hasher);
    }
}

/// A message as its handler sees it begin.
pub(crate) struct Begun {
    pub(crate) id: u64,
    pub(crate) slot: usize,
    pub(crate) from: u64,
    pub(crate) order: u64,
    pub(crate) lane: usize,
    pub(crate) until: Option<Moment>,
}

/// A message in a handler's hand. Dropped unfinished, it crashed there.
pub(crate) struct InHand {
    ledger: Ledger,
    id: u64,
    slot: usize,
    is_open: bool,
}

impl InHand {
    pub(crate) fn begin(ledger: &Ledger, message: &Begun) -> Self {
        let mut book = ledger.book();
        book.log("begin", message.slot, message.id);
        check_begin(&mut book, message);
        let times = book.begun.entry(message.id).or_default();
        *times += 1;
        let is_first = *times == 1;
        let record = &mut book.slots[message.slot].record;
        record.begun += u64::from(is_first);
        record.again -= u64::from(!is_first).min(record.again);
        record.in_hand += 1;
        drop(book);
        Self {
            ledger: ledger.clone(),
            id: message.id,
            slot: message.slot,
            is_open: true,
        }
    }

    /// The handler returns; an error is survived where the child resumes.
    pub(crate) fn end(mut self, is_good: bool) {
        self.is_open = false;
        self.close(is_good, !is_good);
    }

    fn close(&self, is_good: bool, is_error: bool) {
        let mut book = self.ledger.book();
        book.log(if is_good { "done" } else { "crash" }, self.slot, self.id);
        let times = book.begun.get(&self.id).copied().unwrap_or(0);
        let slot = &mut book.slots[self.slot];
        slot.record.in_hand -= 1;
        slot.record.done += u64::from(is_good);
        let is_kept = !is_good && times <= slot.redeliveries && !(is_error && slot.resumes);
        slot.record.again += u64::from(is_kept);
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        if self.is_open {
            self.close(false, false);
        }
    }
}

fn check_begin(book: &mut Book, message: &Begun) {
    let Begun {
        id,
        slot,
        from,
        order,
        lane,
        until,
    } = *message;
    let path = book.slots[slot].path.clone();
    let times = book.begun.get(&id).copied().unwrap_or(0);
    if times > book.slots[slot].redeliveries {
        book.violations
            .push(format!("S1 {path} was handed message {id} once too often"));
    }
    if book.returned.contains(&id) {
        book.violations.push(format!(
            "S1 {path} was handed message {id}, which had come back to its sender"
        ));
    }
    if book.slots[slot].record.in_hand > 0 {
        book.violations.push(format!("S3 {path} handles two messages at once"));
    }
    if until.is_some_and(|until| Moment::now() > until) {
        book.violations
            .push(format!("S13 {path} was handed message {id} after its deadline"));
    }
    let latest = book.slots[slot].record.latest.entry((from, lane)).or_default();
    let is_late = if times > 0 { order < *latest } else { order <= *latest };
    *latest = order.max(*latest);
    if is_late {
        book.violations.push(format!(
            "S2 {path} was handed message {order} of sender {from} after a later one"
        ));
    }
}

/// An incarnation that lives. It is on the list from the first line of its start to the end of its drop.
pub(crate) struct Alive {
    ledger: Ledger,
    pub(crate) slot: usize,
    incarnation: u64,
}

impl Alive {
    pub(crate) fn begin(ledger: &Ledger, slot: usize, incarnation: u64) -> Self {
        let mut book = ledger.book();
        book.log("start", slot, incarnation);
        book.slots[slot].record.is_known = true;
        if let Some(other) = book.slots[slot].record.alive.replace(incarnation) {
            let path = book.slots[slot].path.clone();
            book.violations.push(format!(
                "S3 life {incarnation} of {path} began while life {other} was there"
            ));
        }
        drop(book);
        Self {
            ledger: ledger.clone(),
            slot,
            incarnation,
        }
    }

    /// It was asked to stop: nobody to its right may be left.
    pub(crate) fn check_turn(&self) {
        let mut book = self.ledger.book();
        book.log("stop", self.slot, self.incarnation);
        let own = &book.slots[self.slot];
        if own.record.terminated {
            return;
        }
        let orderly = book.stopping.clone().unwrap_or_default();
        let is_wrong = |other: &&Slot| {
            let both = other.record.alive.is_some() && !other.record.terminated;
            let beside = other.rank.0 == own.rank.0 && own.in_order && other.rank.1 > own.rank.1;
            let across = other.rank.0 > own.rank.0 && orderly.contains(&own.rank.0) && orderly.contains(&other.rank.0);
            both && (beside || across)
        };
        let wrong: Vec<_> = book
            .slots
            .iter()
            .filter(is_wrong)
            .map(|other| (own.rank.0, other.rank.0))
            .collect();
        book.out_of_order.extend(wrong);
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        let mut book = self.ledger.book();
        book.log("gone", self.slot, self.incarnation);
        let record = &mut book.slots[self.slot].record;
        if record.alive == Some(self.incarnation) {
            record.alive = None;
        }
    }
}

/// A question or call that somebody waits for. Dropped, nobody waits any more.
pub(crate) struct Waiting {
    ledger: Ledger,
    id: u64,
}

impl Waiting {
    pub(crate) fn for_answer(ledger: &Ledger, id: u64, from: usize, limit: Option<Duration>) -> Self {
        ledger.book().asks.insert(id, (from, limit.is_none()));
        Self {
            ledger: ledger.clone(),
            id,
        }
    }

    pub(crate) fn for_call(ledger: &Ledger) -> Self {
        let mut book = ledger.book();
        let id = book.fresh();
        book.calls.insert(id);
        drop(book);
        Self {
            ledger: ledger.clone(),
            id,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut book = self.ledger.book();
        book.asks.remove(&self.id);
        book.calls.remove(&self.id);
    }
}
