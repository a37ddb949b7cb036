//! Who waits for a task to claim.
//!
//! Nobody looks at all who wait to claim. Who is able to do the same waits in one row; a task that becomes ready is given to the
//! first of those rows that are able to do it, or to the worker it is reserved for. Where that is one of a team that ranks those who
//! wait, whoever has the lowest rank of them is served in its place, and who was passed over takes the other place: a team gets
//! neither more nor less by its ranks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::award::Award;
use super::machine::is_subset;
use super::message::{Answer, Rank, Request};
use crate::words::{Capability, Worker};

/// The most who wait.
const WAITING_MAX: usize = 100_000;

/// The place of one who waits to claim: who came first has the lowest.
pub(super) type Ticket = u64;
pub(super) type Claimant = (Request, Answer<Award>);

/// A team that ranks who waits, and what those of it are able to do who wait in this row.
type Row = (Arc<str>, Vec<Capability>);

#[derive(Debug, Default)]
pub(super) struct Waiting {
    claims: BTreeMap<Ticket, Claimant>,
    /// Those who wait to claim, by what they are able to do, which ascends.
    rows: BTreeMap<Vec<Capability>, BTreeSet<Ticket>>,
    by_worker: BTreeMap<Worker, BTreeSet<Ticket>>,
    /// The rows of teams that rank who waits, by their ranks.
    ranked: BTreeMap<Row, BTreeSet<(u64, Ticket)>>,
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
        if let Some(Rank { team, place }) = &request.rank {
            let row = (Arc::clone(team), request.able.clone());
            self.ranked.entry(row).or_default().insert((*place, ticket));
        }
        self.claims.insert(ticket, claimant);
    }

    /// The first who waits for a task that needs so much, and is reserved for that worker where one is named. Who gave up is
    /// not looked at again.
    pub(super) fn first_for(&mut self, needs: &[Capability], reserved: Option<&Worker>) -> Option<(Ticket, Claimant)> {
        loop {
            let first = match reserved {
                Some(worker) => self.first_of(worker, needs),
                None if needs.is_empty() => self.claims.keys().next().copied(),
                None => self.first_able(needs),
            }?;
            let chosen = match reserved {
                Some(_) => first,
                None => self.lowest_like(first, needs).unwrap_or(first),
            };
            let claimant = self.take(chosen)?;
            if !claimant.1.is_wanted() {
                continue;
            }
            if chosen != first
                && let Some(passed_over) = self.take(first)
            {
                self.put(chosen, passed_over);
            }
            return Some((first, claimant));
        }
    }

    /// Who has the lowest rank of those in the team of whoever has that place.
    fn lowest_like(&self, first: Ticket, needs: &[Capability]) -> Option<Ticket> {
        let team = &self.claims.get(&first)?.0.rank.as_ref()?.team;
        let rows = self.ranked.range((Arc::clone(team), Vec::new())..);
        let of_team = rows.take_while(|((other, _), _)| other == team);
        let able = of_team.filter(|((_, able), _)| is_subset(needs, able));
        let (_, ticket) = able.filter_map(|(_, row)| row.first()).min()?;
        Some(*ticket)
    }

    /// Gives the claims with which a worker waits these ranks, the first of them the first. Those that it has given up are gone.
    pub(super) fn rank(&mut self, worker: &Worker, places: &[u64]) {
        let tickets: Vec<_> = self.by_worker.get(worker).into_iter().flatten().copied().collect();
        let mut places = places.iter();
        for ticket in tickets {
            let Some((mut request, answer)) = self.take(ticket).filter(|(_, answer)| answer.is_wanted()) else {
                continue;
            };
            let Some(new) = places.next() else {
                self.put(ticket, (request, answer));
                continue;
            };
            if let Some(rank) = &mut request.rank {
                rank.place = *new;
            }
            self.put(ticket, (request, answer));
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
        let (request, _) = &claimant;
        remove(&mut self.rows, &request.able, &ticket);
        remove(&mut self.by_worker, &request.worker, &ticket);
        if let Some(Rank { team, place }) = &request.rank {
            let row = (Arc::clone(team), request.able.clone());
            remove(&mut self.ranked, &row, &(*place, ticket));
        }
        Some(claimant)
    }
}

fn remove<K: Ord, V: Ord>(tickets: &mut BTreeMap<K, BTreeSet<V>>, key: &K, ticket: &V) {
    if let Some(of_key) = tickets.get_mut(key) {
        of_key.remove(ticket);
        if of_key.is_empty() {
            tickets.remove(key);
        }
    }
}
