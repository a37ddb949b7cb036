//! The end of a tree: each of its agents within its own time, and all teams within that of the whole.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;
use triarch_supervision::name::team_of;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::{Late, Level, NodeView, Phase, RootEnd};

use crate::rooms::ROOMS;

/// Somebody did not wait for those who had not stopped yet.
const OUT_OF_ORDER: u8 = 130;

/// So many agents that were killed for the time of the whole are named.
const NAMED: usize = 10;

/// Stops everybody in order, unless somebody is impatient. Returns the exit code.
pub(crate) async fn stop(
    tree: &Tree,
    limit: Duration,
    impatience: impl Future<Output = ()>,
    complain: impl Fn(&str),
) -> u8 {
    tokio::select! {
        biased;
        end = stop_within(tree, limit, &complain) => conclude(&end, complain),
        () = impatience => {
            complain("stopped without waiting for those who had not stopped yet");
            OUT_OF_ORDER
        }
    }
}

/// Teams that are still there when the limit is over are killed; the rooms stop in order all the same.
async fn stop_within(tree: &Tree, limit: Duration, complain: impl Fn(&str)) -> RootEnd {
    let mut stop = pin!(tree.stop());
    if let Ok(end) = timeout(limit, &mut stop).await {
        return end;
    }
    let (end, ()) = tokio::join!(stop, kill_teams(tree, limit, complain));
    end
}

async fn kill_teams(tree: &Tree, limit: Duration, complain: impl Fn(&str)) {
    let nodes = tree.observer().snapshot();
    let left = nodes
        .iter()
        .filter(|node| is_of_team(node) && node.level == Level::Agent && is_alive(node));
    let paths: Vec<_> = left.map(|node| &*node.path).collect();
    if !paths.is_empty() {
        complain(&out_of_time(&paths, limit));
    }
    let Ok(root) = tree.observer().supervisor("root") else {
        return;
    };
    // Also those that have nobody at this moment: somebody may be about to start.
    let teams = nodes
        .iter()
        .filter(|node| is_of_team(node) && node.level == Level::Supervisor && is_alive(node));
    let teams: BTreeSet<_> = teams.map(|node| team_of(&node.path)).collect();
    for team in teams {
        // One that has ended meanwhile needs no kill.
        let _killed = root.kill_child(team).await;
    }
}

fn is_of_team(node: &NodeView) -> bool {
    let supervisor = node.path.split('/').next().unwrap_or_default();
    !ROOMS.contains(&supervisor)
}

fn is_alive(node: &NodeView) -> bool {
    !matches!(
        node.state,
        Phase::Stopped | Phase::Specified | Phase::Failed | Phase::Backoff
    )
}

fn out_of_time(paths: &[&str], limit: Duration) -> String {
    let named = paths.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    let others = match paths.len().saturating_sub(NAMED) {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    format!("not all stopped within the {limit:?} of runtime.stop_within; killed: {named}{others}")
}

/// Tells what was not as it should be; returns the exit code.
pub(crate) fn conclude(end: &RootEnd, complain: impl Fn(&str)) -> u8 {
    end.late.iter().for_each(|late| complain(&overdue(late)));
    if end.reason.is_failure() {
        complain(&format!("the root {}", end.reason));
    }
    end.exit_code()
}

fn overdue(late: &Late) -> String {
    let fate = if late.ended {
        "was killed"
    } else {
        "was killed and still holds a thread"
    };
    format!(
        "{}/{} did not stop within {:?} and {fate}",
        late.supervisor, late.child, late.waited
    )
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use triarch_supervision::supervisor::Decision;
    use triarch_supervision::tree::Fact;

    use super::*;
    use crate::complaint::complain;
    use crate::operations::Code;

    struct Wait;

    impl Message for Wait {}

    /// Fails at the first message, or takes its time to stop.
    struct Stubborn(Duration);

    impl Agent for Stubborn {
        type Message = Wait;
        type Spec = Duration;

        async fn start(patience: Duration, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
            Ok(Self(patience))
        }

        async fn handle(&mut self, _: Wait, _ctx: &mut Context<Self>) -> Result<(), Failure> {
            Err(Failure::new("had enough"))
        }

        async fn stop(&mut self, _reason: &ExitReason, _ctx: &mut Context<Self>) {
            tokio::time::sleep(self.0).await;
        }
    }

    async fn tree(stubborn: Child<Stubborn>) -> Tree {
        let team = Supervisor::named("team")
            .intensity(Intensity::new(0, Duration::ZERO))
            .child(stubborn);
        let root = Root::new()
            .intensity(Intensity::new(0, Duration::ZERO))
            .supervisor(team);
        root.start().await.unwrap()
    }

    #[tokio::test]
    async fn a_root_that_gives_up_is_code_70() {
        let stubborn = Child::of::<Stubborn>("stubborn", Duration::ZERO);
        let address = stubborn.address();
        let tree = tree(stubborn).await;
        address.send(Wait).await.unwrap();
        assert_eq!(conclude(&tree.wait().await, complain), Code::RuntimeFailed.number());
    }

    #[tokio::test]
    async fn one_that_stops_in_order_is_code_0_even_if_somebody_was_late() {
        let soon = Shutdown::Within(Duration::from_millis(1));
        let late = Child::of::<Stubborn>("late", Duration::from_mins(1)).shutdown(soon);
        let tree = tree(late).await;
        assert_eq!(stop(&tree, Duration::MAX, pending(), complain).await, 0);
        let end = tree.wait().await;
        assert_eq!(
            end.late.iter().map(overdue).collect::<Vec<_>>(),
            ["team/late did not stop within 1ms and was killed"]
        );
    }

    #[tokio::test]
    async fn the_impatient_wait_for_nobody() {
        let slow = Child::of::<Stubborn>("slow", Duration::from_secs(1)).shutdown(Shutdown::Infinity);
        let tree = tree(slow).await;
        assert_eq!(stop(&tree, Duration::MAX, ready(()), complain).await, OUT_OF_ORDER);
        tree.wait().await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_not_stopped_when_the_time_of_the_whole_is_over_is_killed_whoever_would_have_been_next() {
        let team = |name: &str| {
            let slow = Child::of::<Stubborn>("slow", Duration::from_hours(1)).shutdown(Shutdown::Infinity);
            Supervisor::named(name).child(slow)
        };
        let root = Root::new().supervisor(Supervisor::named("bus")).supervisor(team("a"));
        let tree = root.supervisor(team("b")).start().await.unwrap();
        let said = std::cell::RefCell::new(Vec::new());
        let complain = |text: &str| said.borrow_mut().push(text.to_owned());
        let begun = tokio::time::Instant::now();
        assert_eq!(stop(&tree, Duration::from_secs(45), pending(), complain).await, 0);
        assert_eq!(begun.elapsed().as_secs(), 45);
        let told = "not all stopped within the 45s of runtime.stop_within; killed: a/slow, b/slow";
        assert_eq!(*said.borrow(), [told]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_team_that_has_nobody_when_the_time_of_the_whole_is_over_is_killed_too() {
        let slow = Child::of::<Stubborn>("slow", Duration::from_hours(1)).shutdown(Shutdown::Infinity);
        let hour = Duration::from_hours(1);
        let fails = Child::of::<Stubborn>("fails", Duration::ZERO).backoff(Backoff::exponential(hour, hour));
        let address = fails.address();
        let empty = Supervisor::named("empty").intensity(Intensity::new(9, hour));
        let root = Root::new()
            .supervisor(Supervisor::named("bus"))
            .supervisor(empty.child(fails));
        let tree = root
            .supervisor(Supervisor::named("full").child(slow))
            .start()
            .await
            .unwrap();
        address.send(Wait).await.unwrap();
        while tree.observer().state("empty/fails") != Ok(Phase::Backoff) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut events = tree.observer().events();
        assert_eq!(stop(&tree, Duration::from_secs(45), pending(), complain).await, 0);
        let told = std::iter::from_fn(|| events.try_next());
        let killed = told.filter_map(|event| match event.fact {
            Fact::Decision(Decision::Killed { child, .. }) if &*event.supervisor == "root" => Some(child.to_string()),
            _ => None,
        });
        assert_eq!(killed.collect::<Vec<_>>(), ["empty", "full"]);
    }

    #[test]
    fn of_many_that_were_killed_the_first_are_named() {
        let told = out_of_time(&["t/a"; 12], Duration::from_secs(1));
        assert!(told.ends_with("t/a, t/a and 2 more"), "{told}");
    }
}
