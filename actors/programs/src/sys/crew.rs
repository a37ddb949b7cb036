//! The threads that orders are carried out on: more of them where all wait for something that does not come, such as a disk that
//! is far away.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flume::{Receiver, SendError, Sender};
use tokio::time::timeout;
use triarch_supervision::sync::lock;

/// How many there are at first, and at most.
const THREADS: usize = 4;
const THREADS_MAX: usize = 64;
/// So long no order is taken before one that waits has another thread begun.
const PATIENCE: Duration = Duration::from_secs(1);

/// Them, whatever their orders are.
pub(super) struct Crew<T> {
    /// Without room: what waits there is with nobody.
    sender: Sender<T>,
    receiver: Receiver<T>,
    name: &'static str,
    serve: fn(Orders<T>),
    strength: Arc<Mutex<Strength>>,
}

struct Strength {
    threads: usize,
    /// When an order was last taken, or a thread begun.
    moved: Instant,
}

/// The orders as they come to one of them.
pub(super) struct Orders<T> {
    receiver: Receiver<T>,
    strength: Arc<Mutex<Strength>>,
}

impl<T> Iterator for Orders<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let order = self.receiver.recv().ok()?;
        lock(&self.strength).moved = Instant::now();
        Some(order)
    }
}

impl<T: Send + 'static> Crew<T> {
    /// Begins the first; each of them does `serve` for as long as the process lives.
    pub(super) fn begin(name: &'static str, serve: fn(Orders<T>)) -> io::Result<Self> {
        let (sender, receiver) = flume::bounded(0);
        let strength = Strength {
            threads: THREADS,
            moved: Instant::now(),
        };
        let crew = Self {
            sender,
            receiver,
            name,
            serve,
            strength: Arc::new(Mutex::new(strength)),
        };
        for _ in 0..THREADS {
            crew.begin_one()?;
        }
        Ok(crew)
    }

    /// Hands an order to one of them. Given up before one has it, it is nobody's.
    pub(super) async fn order(&self, order: T) -> Result<(), SendError<T>> {
        let mut handing_over = Box::pin(self.sender.send_async(order));
        loop {
            match timeout(PATIENCE, &mut handing_over).await {
                Ok(handed_over) => return handed_over,
                Err(_) => self.reinforce(),
            }
        }
    }

    /// One more, where none of them has come to an order for a while.
    fn reinforce(&self) {
        let mut strength = lock(&self.strength);
        let stands_still = strength.moved.elapsed() >= PATIENCE;
        // What the machine has no room for now is tried again.
        if stands_still && strength.threads < THREADS_MAX && self.begin_one().is_ok() {
            strength.threads += 1;
            strength.moved = Instant::now();
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a child dies with the thread it is born to, and no thread of the tree lives as long as the runtime"
    )]
    fn begin_one(&self) -> io::Result<()> {
        let orders = Orders {
            receiver: self.receiver.clone(),
            strength: Arc::clone(&self.strength),
        };
        let (serve, thread) = (self.serve, std::thread::Builder::new().name(self.name.to_owned()));
        thread.spawn(move || serve(orders)).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Work = Box<dyn FnOnce() + Send>;

    fn crew() -> Crew<Work> {
        Crew::begin("triarch-test", |orders: Orders<Work>| orders.for_each(|work| work())).unwrap()
    }

    /// Orders that never end until what is returned is dropped, as many as there are threads.
    async fn hang(crew: &Crew<Work>) -> Vec<Sender<()>> {
        let mut held = Vec::new();
        for _ in 0..THREADS {
            let (end, is_over) = flume::bounded(1);
            let hangs = Box::new(move || {
                let _over = is_over.recv();
            });
            crew.order(hangs).await.unwrap();
            held.push(end);
        }
        held
    }

    #[tokio::test]
    async fn an_order_is_carried_out_though_all_others_hang() {
        let crew = crew();
        let held = hang(&crew).await;
        let (done, is_done) = tokio::sync::oneshot::channel();
        let ordered = async {
            let work: Work = Box::new(move || done.send(()).unwrap());
            crew.order(work).await.unwrap();
            is_done.await.unwrap();
        };
        timeout(Duration::from_secs(30), ordered).await.unwrap();
        assert_eq!(lock(&crew.strength).threads, THREADS + 1);
        drop(held);
    }

    #[tokio::test]
    async fn an_order_that_is_given_up_while_it_waits_is_nobodys() {
        let crew = crew();
        let held = hang(&crew).await;
        let (mark, is_done) = flume::bounded(1);
        let work: Work = Box::new(move || mark.send(()).unwrap());
        assert!(timeout(Duration::from_millis(20), crew.order(work)).await.is_err());
        drop(held);
        assert!(is_done.recv().is_err());
        assert_eq!(lock(&crew.strength).threads, THREADS);
    }
}
