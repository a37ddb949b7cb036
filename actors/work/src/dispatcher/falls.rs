//! Whether an agent that ended with a task in hand fell, or was made to end.

use std::time::Duration;

use triarch_supervision::prelude::*;
use triarch_supervision::reason::KillCause;
use triarch_supervision::tree::Observer;

use crate::queue::Word;
use crate::words::Worker;

/// How often it is looked whether it is known how an agent ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// After so many looks it is taken for one that goes on, and only dropped the task.
const LOOKS: u32 = 50;

/// What the queue is told of a task whose agent left it for that reason, in that life; told again, it is nobody's fault.
pub(super) async fn judged(observer: &Observer, lost_by: Option<(Worker, u64)>, why: String) -> Word {
    let Some((worker, life)) = lost_by else {
        return Word::Abandoned { why };
    };
    for _ in 0..LOOKS {
        let Ok(history) = observer.history(worker.as_str()) else {
            break;
        };
        let mut of_life = history.into_iter().rev().filter(|change| change.incarnation == life);
        match of_life.find_map(|change| change.reason) {
            Some(reason) if is_its_own(&reason) => return Word::Fell { why },
            Some(_) => break,
            // A task is lost just before it is told how its agent ended.
            None => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
    Word::Abandoned { why }
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
