//! The actor that keeps a tree's time: ractor ends it with the root, and the root starts another where it ends before.

use std::sync::Arc;

use ractor::{ActorCell, ActorId, ActorProcessingErr, ActorRef, SpawnErr};

use crate::child::spawn_linked;
use crate::tree::Shared;

struct Keeper;

#[derive(Debug)]
pub(super) struct Keep;

impl ractor::Actor for Keeper {
    type Msg = Keep;
    type State = Arc<Shared>;
    type Arguments = Arc<Shared>;

    async fn pre_start(&self, _myself: ActorRef<Keep>, shared: Arc<Shared>) -> Result<Arc<Shared>, ActorProcessingErr> {
        Ok(shared)
    }

    async fn handle(&self, _: ActorRef<Keep>, _: Keep, shared: &mut Arc<Shared>) -> Result<(), ActorProcessingErr> {
        shared.timekeeper.keep().await;
        Ok(())
    }
}

/// Starts a keeper of the tree's time, linked to its root.
pub(crate) fn start_keeper(shared: Arc<Shared>, root: ActorCell) -> Result<ActorId, SpawnErr> {
    let keeper = spawn_linked(Keeper, shared, root)?;
    keeper
        .cell
        .send_message(Keep)
        .map_err(|error| SpawnErr::StartupFailed(error.into()))?;
    Ok(keeper.cell.get_id())
}

#[cfg(not(shuttle))]
#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::clock::Moment;
    use crate::supervisor::Reception;
    use crate::sync::lock;
    use crate::time::Due;
    use crate::tree::{Root, Tree};

    const SECOND: Duration = Duration::from_secs(1);

    async fn tree() -> (Tree, Arc<Shared>) {
        let seen = Mutex::default();
        let tree = Root::new()
            .start_seen(|shared| *lock(&seen) = Some(Arc::clone(shared)), std::future::pending())
            .await
            .unwrap();
        let shared = lock(&seen).take().unwrap();
        (tree, shared)
    }

    fn keepers(shared: &Shared) -> Vec<ActorCell> {
        let door = shared.find("root").unwrap().door;
        let root = door.as_any().downcast::<Reception>().unwrap().cell().unwrap();
        let is_keeper = |actor: &ActorCell| actor.is_message_type_of::<Keep>() == Some(true);
        root.get_children().into_iter().filter(is_keeper).collect()
    }

    /// Counts in `fired` a second from now.
    fn arm(shared: &Shared, fired: &Arc<AtomicU64>) {
        let fired = Arc::clone(fired);
        let count = move || {
            fired.fetch_add(1, Ordering::Relaxed);
        };
        shared
            .timekeeper
            .arm(Moment::now() + SECOND, Due::Call(Box::new(count)));
    }

    #[tokio::test(start_paused = true)]
    async fn time_goes_on_when_its_keeper_dies() {
        let (tree, shared) = tree().await;
        let fired = Arc::default();
        for round in 1..=3 {
            arm(&shared, &fired);
            let [keeper] = &keepers(&shared)[..] else {
                panic!("one keeper at a time")
            };
            keeper.kill();
            tokio::time::sleep(2 * SECOND).await;
            assert_eq!(fired.load(Ordering::Relaxed), round);
        }
        assert!(tree.stop().await.is_orderly());
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_in_what_falls_due_keeps_nothing_else_from_it() {
        let (tree, shared) = tree().await;
        let fired = Arc::default();
        arm(&shared, &fired);
        let at = Moment::now() + SECOND;
        shared.timekeeper.arm(at, Due::Call(Box::new(|| panic!("not now"))));
        arm(&shared, &fired);
        tokio::time::sleep(2 * SECOND).await;
        assert_eq!(fired.load(Ordering::Relaxed), 2);
        tree.stop().await;
    }
}
