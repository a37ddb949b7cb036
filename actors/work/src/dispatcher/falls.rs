//! Whether an agent that ended with a task in hand fell, or was made to end.

use std::time::Duration;

use tokio::time::timeout;
use triarch_supervision::name::Name;
use triarch_supervision::prelude::*;
use triarch_supervision::reason::KillCause;
use triarch_supervision::supervisor::Decision;
use triarch_supervision::tree::{Event, Fact, Observer, Phase};

use crate::queue::Word;
use crate::words::Worker;

/// One of which it is not told for so long how it ended is taken for one that goes on, and only dropped the task.
const TOLD_WITHIN: Duration = Duration::from_millis(500);

/// What the queue is told of a task whose agent left it for that reason, and had got it in hand at that time; told again, it is
/// nobody's fault.
pub(super) async fn judged(observer: &Observer, lost_by: Option<(Worker, Moment)>, why: String) -> Word {
    let begun = lost_by.and_then(|(worker, at)| {
        let history = observer.history(worker.as_str()).ok()?;
        let lives = history.iter().map(|change| (change.at, change.incarnation));
        Some((life_at(lives, at)?, worker))
    });
    let Some((life, worker)) = begun else {
        return Word::Abandoned { why };
    };
    // A task is lost just before its agent stops, and only then it is told how that ended.
    let ended = loop {
        match timeout(TOLD_WITHIN, end_of(observer, &worker, life)).await {
            Ok(ended) => break ended,
            Err(_) if is_ending(observer, &worker, life) => {}
            Err(_) => break None,
        }
    };
    if ended.is_some_and(|reason| is_its_own(&reason)) {
        Word::Fell { why }
    } else {
        Word::Abandoned { why }
    }
}

/// In which life an agent was at that time. A post may wait in its mailbox through several.
fn life_at(mut changes: impl Iterator<Item = (Moment, u64)>, at: Moment) -> Option<u64> {
    // Where it changed so often since that it is not known any more, it has been the same since.
    let (_, oldest) = changes.next()?;
    Some(
        changes
            .take_while(|(then, _)| *then <= at)
            .last()
            .map_or(oldest, |(_, life)| life),
    )
}

/// Whether an agent's life of that number is at its last words, for which its rules give it a time.
fn is_ending(observer: &Observer, worker: &Worker, life: u64) -> bool {
    let node = observer.node(worker.as_str());
    node.is_ok_and(|node| node.incarnation == life && node.state == Phase::Stopping)
}

/// How an agent's life ended, once it has; nothing where there is no such agent any more.
async fn end_of(observer: &Observer, worker: &Worker, life: u64) -> Option<ExitReason> {
    // From before the first look, so that no end comes between the two.
    let mut events = observer.events();
    loop {
        let history = observer.history(worker.as_str()).ok()?;
        let mut of_life = history.into_iter().rev().filter(|change| change.incarnation == life);
        if let Some(reason) = of_life.find_map(|change| change.reason) {
            return Some(reason);
        }
        let missed = events.missed();
        while !is_end_of(&events.next().await?, worker, life) && events.missed() == missed {}
    }
}

/// Whether an agent's life of that number ended, or all of it.
fn is_end_of(event: &Event, worker: &Worker, life: u64) -> bool {
    let is_worker = |child: &Name| worker.as_str().rsplit_once('/') == Some((&*event.supervisor, child.as_str()));
    match &event.fact {
        Fact::Decision(Decision::Ended { child, incarnation, .. }) => *incarnation == life && is_worker(child),
        Fact::Decision(Decision::LetGo { child, .. }) => is_worker(child),
        _ => false,
    }
}

/// Whether nobody else made it end.
fn is_its_own(reason: &ExitReason) -> bool {
    use KillCause::{Brutal, Outside, Overdue};
    !matches!(
        reason,
        ExitReason::Shutdown | ExitReason::Killed(Brutal | Outside | Overdue)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_found_by_when_it_was_and_of_long_ago_by_the_first_that_is_known() {
        let at = Moment::from_nanos;
        let history = [(at(10), 4), (at(20), 4), (at(30), 5)];
        for (nanos, life) in [(5, 4), (10, 4), (29, 4), (30, 5), (99, 5)] {
            assert_eq!(life_at(history.into_iter(), at(nanos)), Some(life), "{nanos}");
        }
        assert_eq!(life_at(std::iter::empty(), at(5)), None);
    }

    #[test]
    fn who_ended_by_itself_fell_and_who_was_made_to_end_did_not() {
        let killed = ExitReason::Killed;
        for (reason, expected) in [
            (ExitReason::Error(std::io::Error::other("no ink").into()), true),
            (ExitReason::Normal, true),
            (killed(KillCause::Stuck), true),
            (killed(KillCause::Outside), false),
            (killed(KillCause::Overdue), false),
            (killed(KillCause::Brutal), false),
            (ExitReason::Shutdown, false),
        ] {
            assert_eq!(is_its_own(&reason), expected, "{reason}");
        }
    }
}
