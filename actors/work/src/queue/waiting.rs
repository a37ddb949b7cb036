//! Who waits for a task to claim.
//!
//! Nobody looks at all who wait to claim. Who is able to do the same waits in one row; a task that becomes ready is given to the
//! first of those rows that are able to do it, or to the worker it is reserved for.

use std::collections::{BTreeMap, BTreeSet};

use super::award::Award;
use super::machine::is_subset;
use super::message::{Answer, Request};
use crate::words::{Capability, Worker};

/// The most who wait.
const WAITING_MAX: usize = 100_000;

/// The place of one who waits to claim: who came first has the lowest.
pub(super) type Ticket = u64;
pub(super) type Claimant = (Request, Answer<Award>);

#[derive(Debug, Default)]
pub(super) struct Waiting {
    claims: BTreeMap<Ticket, Claimant>,
    /// Those who wait to claim, by what they are able to do, which ascends.
    rows: BTreeMap<Vec<Capability>, BTreeSet<Ticket>>,
    by_worker: BTreeMap<Worker, BTreeSet<Ticket>>,
    next: Ticket,
}

impl Waiting {
    /// Lets somebody wait for a task to claim; gives the answer back where there is no room.
    pub(super) fn claim(&mut self, request: Request, answer: Answer<Award>) -> Result<(), Answer<Award>> {
        if self.claims.len() >= WAITING_MAX {
            let gone = self.claims.iter().filter(|(_, (_, answer))| !answer.is_wanted());
            for ticket in gone.map(|(ticket, _)| *ticket).collect::<Vec<_>>() {
                self.take(ticket);
            }
        }
        if self.claims.len() >= WAITING_MAX {
            return Err(answer);
        }
        self.next += 1;
        self.put(self.next, (request, answer));
        Ok(())
    }

    /// Lets somebody wait on at the place they had.
    pub(super) fn put(&mut self, ticket: Ticket, claimant: Claimant) {
        let (request, _) = &claimant;
        self.rows.entry(request.able.clone()).or_default().insert(ticket);
        self.by_worker.entry(request.worker.clone()).or_default().insert(ticket);
        self.claims.insert(ticket, claimant);
    }

    /// The first who waits for a task that needs so much, and is reserved for that worker where one is named. Who gave up is
    /// not looked at again.
    pub(super) fn first_for(&mut self, needs: &[Capability], reserved: Option<&Worker>) -> Option<(Ticket, Claimant)> {
        loop {
            let ticket = match reserved {
                Some(worker) => self.first_of(worker, needs),
                None if needs.is_empty() => self.claims.keys().next().copied(),
                None => self.first_able(needs),
            }?;
            let claimant = self.take(ticket)?;
            if claimant.1.is_wanted() {
                return Some((ticket, claimant));
            }
        }
    }

    fn first_of(&self, worker: &Worker, needs: &[Capability]) -> Option<Ticket> {
        let mut tickets = self.by_worker.get(worker)?.iter().copied();
        tickets.find(|ticket| {
            self.claims
                .get(ticket)
                .is_some_and(|(request, _)| is_subset(needs, &request.able))
        })
    }

    fn first_able(&self, needs: &[Capability]) -> Option<Ticket> {
        let rows = self.rows.iter().filter(|(able, _)| is_subset(needs, able));
        rows.filter_map(|(_, tickets)| tickets.first()).min().copied()
    }

    /// Whether nobody waits to claim.
    pub(super) fn is_idle(&self) -> bool {
        self.claims.is_empty()
    }

    /// Who waits to claim behind that place, one after the other.
    pub(super) fn next_after(&mut self, ticket: Ticket) -> Option<(Ticket, Claimant)> {
        let mut last = ticket;
        loop {
            let next = self.claims.range(last + 1..).next().map(|(next, _)| *next)?;
            let claimant = self.take(next)?;
            if claimant.1.is_wanted() {
                return Some((next, claimant));
            }
            last = next;
        }
    }

    fn take(&mut self, ticket: Ticket) -> Option<Claimant> {
        let claimant = self.claims.remove(&ticket)?;
        remove(&mut self.rows, &claimant.0.able, ticket);
        remove(&mut self.by_worker, &claimant.0.worker, ticket);
        Some(claimant)
    }
}

fn remove<K: Ord>(tickets: &mut BTreeMap<K, BTreeSet<Ticket>>, key: &K, ticket: Ticket) {
    if let Some(of_key) = tickets.get_mut(key) {
        of_key.remove(&ticket);
        if of_key.is_empty() {
            tickets.remove(key);
        }
    }
}
