//! Whose turn it is to look through the store: of whoever asks for much, others wait for no more than one search.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::Semaphore;
use triarch_memory::Identity;
use triarch_supervision::sync::lock;

use super::super::Trouble;

/// The searches of the command line and of programs.
pub(super) static SEARCHES: Turns = Turns::new(3, 2);

/// So many are at work at once; others wait for their turn.
pub(super) struct Turns {
    /// Those of programs, of which each has one.
    programs: Semaphore,
    /// Those of the runtime itself, and so of the command line.
    runtime: Semaphore,
    /// Whose search is at work, or waits for it.
    own: Mutex<Option<HashMap<Arc<str>, Weak<Semaphore>>>>,
}

impl Turns {
    const fn new(programs: usize, runtime: usize) -> Self {
        Self {
            programs: Semaphore::const_new(programs),
            runtime: Semaphore::const_new(runtime),
            own: Mutex::new(None),
        }
    }

    /// Works on a thread that may block, once it is the turn of `who`.
    pub(super) async fn aside<T: Send + 'static>(
        &'static self,
        who: &Identity,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Trouble> {
        let (own, shared) = if who.is_system {
            (None, self.runtime.acquire().await)
        } else {
            let own = self.own(&who.who).acquire_owned().await;
            (Some(own), self.programs.acquire().await)
        };
        let worked = tokio::task::spawn_blocking(move || {
            // Who asked may have gone; the thread is busy until the work is done.
            let _permits = (own, shared);
            work()
        });
        worked
            .await
            .map_err(|error| Trouble::failed(format!("the search ended early: {error}")))
    }

    /// The one turn of a program.
    fn own(&self, who: &Arc<str>) -> Arc<Semaphore> {
        let mut own = lock(&self.own);
        let own = own.get_or_insert_default();
        if let Some(there) = own.get(who).and_then(Weak::upgrade) {
            return there;
        }
        own.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::new(Semaphore::new(1));
        own.insert(Arc::clone(who), Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use futures_util::future::join_all;

    use super::*;

    fn agent(name: &str) -> Identity {
        Identity::agent(&Arc::from(name))
    }

    #[tokio::test]
    async fn no_more_searches_are_at_work_at_once_than_there_is_room_for() {
        static ROOM: Turns = Turns::new(2, 1);
        static AT_WORK: AtomicUsize = AtomicUsize::new(0);
        let (go_on, waits) = mpsc::sync_channel::<()>(6);
        let (begun, begins) = mpsc::sync_channel(6);
        let waits = Arc::new(Mutex::new(waits));
        let who: Vec<_> = (0..6).map(|number| agent(&format!("team/{number}"))).collect();
        let work = |who| {
            let (waits, begun) = (waits.clone(), begun.clone());
            ROOM.aside(who, move || {
                let at_work = AT_WORK.fetch_add(1, Ordering::SeqCst) + 1;
                begun.send(at_work).unwrap();
                waits.lock().unwrap().recv().unwrap();
                AT_WORK.fetch_sub(1, Ordering::SeqCst);
            })
        };
        let mut all = Box::pin(join_all(who.iter().map(work)));
        assert!((&mut all).now_or_never().is_none());
        assert_eq!(
            ROOM.programs.available_permits(),
            0,
            "as many are at work as there is room for"
        );
        (0..6).for_each(|_| go_on.send(()).unwrap());
        for done in all.await {
            done.unwrap();
        }
        let most = begins.try_iter().max();
        assert!(most.is_some_and(|most| most <= 2), "{most:?} at once");
        assert_eq!(ROOM.programs.available_permits(), 2);
    }

    #[tokio::test]
    async fn whoever_asks_for_much_holds_up_no_other_program_and_not_the_runtime() {
        static ROOM: Turns = Turns::new(2, 1);
        let (go_on, waits) = mpsc::sync_channel::<()>(64);
        let waits = Arc::new(Mutex::new(waits));
        let greedy = agent("team/greedy");
        let work = || {
            let waits = waits.clone();
            ROOM.aside(&greedy, move || waits.lock().unwrap().recv().unwrap())
        };
        let mut all = Box::pin(join_all((0..64).map(|_| work())));
        assert!((&mut all).now_or_never().is_none());
        for other in [agent("team/modest"), Identity::system()] {
            let done = tokio::time::timeout(Duration::from_mins(1), ROOM.aside(&other, || 7)).await;
            assert_eq!(done.unwrap().unwrap(), 7);
        }
        (0..64).for_each(|_| go_on.send(()).unwrap());
        for done in all.await {
            done.unwrap();
        }
        let modest = ROOM.own(&Arc::from("team/modest"));
        let own = ROOM.own.lock().unwrap();
        assert_eq!(own.as_ref().unwrap().len(), 1, "nobody who is done is kept in mind");
        drop((own, modest));
    }
}
