//! Whether an agent that ended with a task in hand fell, or was made to end.

use std::time::Duration;

use triarch_supervision::prelude::*;
use triarch_supervision::reason::KillCause;
use triarch_supervision::tree::{NodeView, Observer, Phase};

use crate::queue::Word;
use crate::words::Worker;

/// How often it is looked whether it is known how an agent ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// After so many looks what is known by then is what counts.
const LOOKS: u32 = 50;

/// What the queue is told of a task whose agent left it for that reason.
pub(super) async fn judged(observer: &Observer, worker: Option<Worker>, why: String) -> Word {
    let mut first = None;
    for _ in 0..LOOKS {
        let node = worker.as_ref().and_then(|worker| observer.node(worker.as_str()).ok());
        let Some(node) = node else { break };
        let life = *first.get_or_insert(node.incarnation);
        match fell(&node, life) {
            Some(true) => return Word::Fell { why },
            Some(false) => break,
            // A task is lost just before whoever supervises its agent hears of that.
            None => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
    Word::Abandoned { why }
}

/// Whether that life fell, once it is known how it ended.
fn fell(node: &NodeView, life: u64) -> Option<bool> {
    match node.state {
        Phase::Stopping => Some(false),
        Phase::Starting | Phase::Idle | Phase::Busy | Phase::Paused if node.incarnation == life => None,
        _ => Some(node.last_exit.as_ref().is_some_and(is_its_own)),
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
    use triarch_supervision::tree::Level;

    use super::*;

    fn node(state: Phase, incarnation: u64, last_exit: Option<ExitReason>) -> NodeView {
        let mut node = NodeView::new("team/a", Level::Agent);
        (node.state, node.incarnation, node.last_exit) = (state, incarnation, last_exit);
        node
    }

    #[test]
    fn who_ended_by_itself_fell_and_who_was_made_to_end_did_not() {
        let error = || Some(ExitReason::Error(std::io::Error::other("no ink").into()));
        let killed = |cause| Some(ExitReason::Killed(cause));
        for (state, incarnation, last_exit, expected) in [
            (Phase::Busy, 1, None, None),
            (Phase::Idle, 1, error(), None),
            (Phase::Backoff, 1, error(), Some(true)),
            (Phase::Failed, 1, error(), Some(true)),
            (Phase::Idle, 2, error(), Some(true)),
            (Phase::Backoff, 1, Some(ExitReason::Normal), Some(true)),
            (Phase::Backoff, 1, killed(KillCause::Stuck), Some(true)),
            (Phase::Backoff, 1, killed(KillCause::Outside), Some(false)),
            (Phase::Stopping, 1, error(), Some(false)),
            (Phase::Stopped, 1, Some(ExitReason::Shutdown), Some(false)),
            (Phase::Idle, 2, Some(ExitReason::Shutdown), Some(false)),
            (Phase::Stopped, 1, killed(KillCause::Overdue), Some(false)),
        ] {
            assert_eq!(
                fell(&node(state, incarnation, last_exit.clone()), 1),
                expected,
                "{state:?}, {last_exit:?}"
            );
        }
    }
}
