//! Tells in the log what was in vain: whom the store did not let through, whom messages were for that is not there, what the disk
//! had no room for, and which programs did not stop in time. It is the agent `memory/auditor`.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::{Value, json};
use triarch_memory::{Client, Clock, Namespace, Refusal, StoreTime, Verb};
use triarch_programs::Forced;
use triarch_supervision::prelude::*;

use super::strays::Strays;
use crate::fleet::Ground;
use crate::full_disks::Counted;
use crate::operations::memory::RefusalSeen;

/// So often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same is told again after that time at the soonest, with how often it was meanwhile.
const QUIET_FOR: Duration = Duration::from_mins(1);
/// So many lines are written at a time; of others it is told how many there are.
const LINES_MAX: usize = 10;
/// Of so many that were told it is known when.
const TOLD_MAX: usize = 1_024;

/// What each life of it starts from.
#[derive(Clone)]
pub(crate) struct Books {
    pub(crate) store: Client,
    pub(crate) ground: Weak<Ground>,
}

/// Writes down what was in vain.
pub(crate) struct Auditor {
    books: Books,
    audit: Audit,
    strays: Strays,
}

impl Auditor {
    /// The agent that does.
    pub(crate) fn child(books: Books) -> Child<Self> {
        Child::of::<Self>("auditor", books).capacity(1)
    }
}

/// That it is to look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look;

impl Message for Look {}

impl Agent for Auditor {
    type Message = Look;
    type Spec = Books;

    async fn start(books: Books, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        ctx.send_in_step(LOOK_EVERY, || Look);
        // What was refused before this life was told by the last one, or is not worth a word any more.
        let audit = Audit {
            seen: books.store.store().refused(),
            ..Audit::default()
        };
        let strays = Strays::from_now(&ctx.observer().dead_letters());
        Ok(Self { books, audit, strays })
    }

    async fn handle(&mut self, _look: Look, ctx: &mut Context<Self>) -> Result<(), Failure> {
        let store = self.books.store.store();
        let (refused, new) = store.refusals_after(self.audit.seen);
        let mut lines = self.audit.lines(refused, &new, store.clock());
        let letters = ctx.observer().dead_letters();
        lines.extend(self.strays.look(&letters, Moment::now()));
        if let Some(ground) = self.books.ground.upgrade() {
            let counted = Counted::all(ctx.observer().instruments());
            lines.extend(ground.full_disks.look(&counted, Moment::now()));
            lines.extend(overdue(ground.programs.records().take_forced()));
        }
        if !lines.is_empty() {
            let ground = self.books.ground.clone();
            // Where nobody reads the log, that holds up nobody but who writes it.
            tokio::task::spawn_blocking(move || tell(&ground, &lines)).await?;
        }
        Ok(())
    }

    async fn stop(&mut self, _reason: &ExitReason, _ctx: &mut Context<Self>) {
        // Teams stop before the rooms, and what is told of their programs now nobody else tells.
        if let Some(ground) = self.books.ground.upgrade() {
            let lines = overdue(ground.programs.records().take_forced());
            let ground = self.books.ground.clone();
            let _told = tokio::task::spawn_blocking(move || tell(&ground, &lines)).await;
        }
    }

    fn state(&self) -> Option<Value> {
        Some(json!({ "refused": self.audit.seen }))
    }
}

/// The programs that were killed since they did not stop in time.
fn overdue(forced: Forced) -> Vec<String> {
    let more = (forced.untold > 0).then(|| format!("so it went with {} more programs", forced.untold));
    let told = forced.told.into_iter();
    told.map(|(path, how)| format!("{path} was asked to stop: {how}"))
        .chain(more)
        .collect()
}

fn tell(ground: &Weak<Ground>, lines: &[String]) {
    let Some(ground) = ground.upgrade() else { return };
    for line in lines {
        ground.complain(line);
    }
}

/// What of refusals is told.
#[derive(Default)]
struct Audit {
    /// How many there were.
    seen: u64,
    /// How many were not told one by one, and when that was last said.
    untold: u64,
    said: Option<StoreTime>,
    told: HashMap<(Arc<str>, Verb, Namespace), Told>,
}

struct Told {
    at: StoreTime,
    /// How often since.
    silent: u64,
}

impl Audit {
    /// The lines of those that are new, where there were `refused` ever.
    fn lines(&mut self, refused: u64, new: &[Refusal], clock: &Clock) -> Vec<String> {
        self.untold += refused.saturating_sub(self.seen).saturating_sub(new.len() as u64);
        self.seen = self.seen.max(refused);
        let mut lines = Vec::new();
        for refusal in new {
            if lines.len() >= LINES_MAX {
                self.untold += 1;
                continue;
            }
            let Some(silent) = self.is_due(refusal) else { continue };
            let seen = RefusalSeen::of(refusal, clock);
            let more = match silent {
                0 => String::new(),
                silent => format!(", and {silent} times before"),
            };
            lines.push(format!("{} at {}{more}", seen.told(), seen.at));
        }
        let now = clock.now();
        let is_quiet = self.said.is_some_and(|said| now.since(said) < QUIET_FOR);
        if self.untold > 0 && !is_quiet {
            let untold = std::mem::take(&mut self.untold);
            self.said = Some(now);
            lines.push(format!(
                "the store refused {untold} times more; see `triarch memory stats`"
            ));
        }
        lines
    }

    /// Whether it is time to tell of it, and how often it was without a word.
    fn is_due(&mut self, refusal: &Refusal) -> Option<u64> {
        let same = (Arc::clone(&refusal.who), refusal.verb, refusal.namespace.clone());
        if let Some(told) = self.told.get_mut(&same)
            && refusal.at.since(told.at) < QUIET_FOR
        {
            told.silent += 1;
            return None;
        }
        if self.told.len() >= TOLD_MAX {
            self.told.retain(|_, told| refusal.at.since(told.at) < QUIET_FOR);
        }
        let now = Told {
            at: refusal.at,
            silent: 0,
        };
        if self.told.len() >= TOLD_MAX && !self.told.contains_key(&same) {
            self.untold += 1;
            return None;
        }
        let before = self.told.insert(same, now);
        Some(before.map_or(0, |told| told.silent))
    }
}

#[cfg(test)]
mod tests {
    use triarch_memory::Level;

    use super::*;

    fn refusal(who: &str, seconds: u64) -> Refusal {
        Refusal {
            at: StoreTime::from_millis(seconds * 1_000),
            who: who.into(),
            verb: Verb::Read,
            namespace: Namespace::new("plans").unwrap(),
            level: Level::Team,
        }
    }

    #[test]
    fn the_same_refusal_is_told_once_a_minute_with_how_often_it_was() {
        let (mut audit, clock) = (Audit::default(), Clock::by_hand());
        let first = audit.lines(3, &[refusal("a/b", 1), refusal("a/b", 2), refusal("a/c", 2)], &clock);
        assert_eq!(first.len(), 2, "{first:?}");
        assert!(
            first[0].starts_with("a/b may not read in plans, where that is team at 1970-"),
            "{first:?}"
        );
        assert!(audit.lines(4, &[refusal("a/b", 30)], &clock).is_empty());
        let again = audit.lines(5, &[refusal("a/b", 61)], &clock);
        assert!(
            again.len() == 1 && again[0].ends_with(", and 2 times before"),
            "{again:?}"
        );
    }

    #[test]
    fn a_flood_of_refusals_is_a_few_lines_that_say_how_many_there_were() {
        let (mut audit, clock) = (Audit::default(), Clock::by_hand());
        let flood: Vec<_> = (0..256).map(|who| refusal(&format!("a/{who}"), 1)).collect();
        let lines = audit.lines(5_000, &flood, &clock);
        assert_eq!(lines.len(), LINES_MAX + 1);
        assert!(
            lines[LINES_MAX].contains(&format!("{} times more", 5_000 - LINES_MAX)),
            "{lines:?}"
        );
        assert!(audit.lines(5_000, &[], &clock).is_empty());
        assert!(audit.lines(9_000, &[], &clock).is_empty(), "so much was said just now");
        clock.set(StoreTime::from_millis(61_000));
        let later = audit.lines(9_001, &[refusal("a/0", 2)], &clock);
        assert!(later.len() == 1 && later[0].contains(" 4000 times more"), "{later:?}");
        for minute in 1..9 {
            let others: Vec<_> = (0..256)
                .map(|who| refusal(&format!("{minute}/{who}"), minute * 61))
                .collect();
            audit.lines(5_000 + minute * 256, &others, &clock);
        }
        assert!(audit.told.len() <= TOLD_MAX);
    }
}
