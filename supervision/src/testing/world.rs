//! A world of its own: one thread, a clock that stands still while anybody works, a seed.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::sync::broadcast::{self, error::TryRecvError};

use super::trace::Trace;
use crate::clock::{Moment, OwnZero, Seeded};
use crate::error::StartError;
use crate::sync::lock;
use crate::tree::{Event, Root, Shared, Tree, random_seed};

/// The environment variable that [`World::any`] takes its seed from.
pub const SEED_VARIABLE: &str = "TRIARCH_SEED";

/// How long a story may take by its own time; where nobody has anything to do, that passes at once.
const STORY_LIMIT: Duration = Duration::from_hours(365 * 24);

/// A test's own runtime: deterministic, with a paused clock. See the [module](super) for an example.
///
/// It is a runtime, so it runs in a plain `#[test]`, not within `#[tokio::test]`. It has no sockets: the clock would run
/// ahead of them. Test what reads a line over `tokio::io::duplex`, and the socket itself under `#[tokio::test]`.
pub struct World {
    seed: u64,
    is_chosen: bool,
    state: Arc<State>,
}

/// What the world shares with its runtime.
#[derive(Default)]
struct State {
    began: Mutex<Moment>,
    trees: Mutex<Vec<Watched>>,
    trace: Mutex<Trace>,
    events: Mutex<Vec<Event>>,
    /// Who waits until nobody has anything left to do.
    settling: Mutex<Vec<Waker>>,
    /// How often nobody had anything left to do.
    rests: AtomicU64,
}

struct Watched {
    shared: Arc<Shared>,
    events: broadcast::Receiver<Event>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl World {
    /// The world of `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            is_chosen: true,
            state: Arc::default(),
        }
    }

    /// The world of the seed that [`SEED_VARIABLE`] names, else of any.
    pub fn any() -> Self {
        let named = std::env::var(SEED_VARIABLE).ok().and_then(|seed| seed.parse().ok());
        Self {
            seed: named.unwrap_or_else(random_seed),
            is_chosen: false,
            state: Arc::default(),
        }
    }

    /// What determines all chance in it.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// A generator of chance that its seed determines, for the test itself. Each call gives the same one.
    pub fn chance(&self) -> Seeded {
        Seeded::new(self.seed)
    }

    /// Runs `story` to its end.
    ///
    /// # Panics
    /// When the story does, when it leaves an agent alive in one of its trees, and when it has not ended after a year of
    /// its time, because it waits for what never comes; prints the seed then.
    pub fn run<T>(self, story: impl AsyncFnOnce(&Self) -> T) -> T {
        let told = std::panic::catch_unwind(AssertUnwindSafe(|| self.run_inside(story)));
        told.unwrap_or_else(|panic| {
            eprintln!("{}", self.how_to_replay());
            std::panic::resume_unwind(panic)
        })
    }

    fn run_inside<T>(&self, story: impl AsyncFnOnce(&Self) -> T) -> T {
        let runtime = self.runtime();
        let _zero = runtime.block_on(async { OwnZero::begin(tokio::time::Instant::now()) });
        *lock(&self.state.began) = runtime.block_on(async { Moment::now() });
        let told = runtime.block_on(async {
            let told = tokio::select! {
                biased;
                told = story(self) => told,
                () = tokio::time::sleep(STORY_LIMIT) => self.never_ends(),
            };
            self.settle().await;
            self.check_that_nobody_is_left();
            told
        });
        drop(runtime);
        told
    }

    #[expect(clippy::panic, reason = "a test without a runtime has nothing to go on with")]
    fn runtime(&self) -> tokio::runtime::Runtime {
        let state = Arc::clone(&self.state);
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .on_thread_park(move || state.at_rest())
            .build()
            .unwrap_or_else(|error| panic!("no runtime for this test: {error}"))
    }

    fn how_to_replay(&self) -> String {
        let seed = self.seed;
        if self.is_chosen {
            return format!("the world of seed {seed} failed; World::new({seed}) does the same each time");
        }
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        format!("the world of seed {seed} failed; again with: {SEED_VARIABLE}={seed} cargo test {test}")
    }

    // ---- trees ----

    /// Starts a tree whose chance is this world's, and whose events go to its trace.
    pub async fn start(&self, root: Root) -> Result<Tree, StartError> {
        let number = lock(&self.state.trees).len() as u64;
        let seed = Seeded::new(self.seed ^ number.rotate_right(8)).next_u64();
        root.seed(seed)
            .start_seen(|shared| self.watch(shared), std::future::pending())
            .await
    }

    fn watch(&self, shared: &Arc<Shared>) {
        let watched = Watched {
            shared: Arc::clone(shared),
            events: shared.subscribe(),
        };
        lock(&self.state.trees).push(watched);
    }

    /// The paths of all agents that are alive in any tree started here, and of all mailboxes that are read.
    pub fn alive(&self) -> Vec<Arc<str>> {
        let trees = lock(&self.state.trees);
        let nodes = trees.iter().flat_map(|tree| tree.shared.roll());
        let is_alive = |node: &Arc<crate::tree::Node>| {
            node.phase().is_alive() || node.figures().is_some_and(|mailbox| mailbox.is_read())
        };
        nodes.filter(is_alive).map(|node| node.path()).collect()
    }

    #[expect(clippy::panic, reason = "the test would wait for ever")]
    fn never_ends(&self) -> ! {
        let trees = lock(&self.state.trees);
        let nodes = trees.iter().flat_map(|tree| tree.shared.roll());
        let waiting = nodes.filter_map(|node| {
            let depth = node.figures()?.read().depth;
            (depth > 0).then(|| format!("{depth} at {}", node.path()))
        });
        let waiting: Vec<_> = waiting.collect();
        let waiting = if waiting.is_empty() {
            "nowhere".to_owned()
        } else {
            waiting.join(", ")
        };
        panic!("the story waits for what never comes: a year of its time has passed; messages wait: {waiting}");
    }

    fn check_that_nobody_is_left(&self) {
        let alive = self.alive();
        assert!(
            alive.is_empty(),
            "the story ended and these are still alive: {}; stop their trees",
            alive.join(", ")
        );
    }

    // ---- time ----

    /// Now.
    pub fn now(&self) -> Moment {
        Moment::now()
    }

    /// Lets all that can run, run, while no time passes.
    pub async fn settle(&self) {
        let begun = self.state.rests.load(Ordering::Relaxed);
        std::future::poll_fn(|cx| {
            // Somebody else may have woken this very task.
            if self.state.rests.load(Ordering::Relaxed) != begun {
                return Poll::Ready(());
            }
            lock(&self.state.settling).push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Lets time pass: what falls due on the way happens at its own moment.
    pub async fn advance(&self, time: Duration) {
        tokio::time::sleep(time).await;
        self.settle().await;
    }

    /// Lets the clock jump, as after a machine slept: what fell due on the way happens late.
    pub async fn jump(&self, time: Duration) {
        tokio::time::advance(time).await;
        self.settle().await;
    }

    // ---- trace ----

    /// Adds a line to the trace.
    pub fn note(&self, what: &str) {
        self.state.collect();
        let at = Moment::now().since(*lock(&self.state.began));
        lock(&self.state.trace).add(at, "-", what);
    }

    /// The events of its trees up to now, from the first.
    pub fn events(&self) -> Vec<Event> {
        self.state.collect();
        lock(&self.state.events).clone()
    }

    /// What happened up to now, as text.
    pub fn trace(&self) -> Trace {
        self.state.collect();
        lock(&self.state.trace).clone()
    }
}

impl State {
    /// Nobody has anything left to do.
    fn at_rest(&self) {
        self.collect();
        self.rests.fetch_add(1, Ordering::Relaxed);
        let settling = std::mem::take(&mut *lock(&self.settling));
        settling.into_iter().for_each(Waker::wake);
    }

    /// Writes down what the trees told since the last time.
    fn collect(&self) {
        let began = *lock(&self.began);
        let (mut trace, mut events) = (lock(&self.trace), lock(&self.events));
        for tree in &mut *lock(&self.trees) {
            loop {
                match tree.events.try_recv() {
                    Ok(event) => {
                        write_down(&mut trace, began, &event);
                        events.push(event);
                    }
                    Err(TryRecvError::Lagged(missed)) => {
                        trace.add(Duration::ZERO, "-", &format!("{missed} events missed"));
                    }
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                }
            }
        }
    }
}

fn write_down(trace: &mut Trace, began: Moment, event: &Event) {
    let what = serde_json::to_string(&event.fact).unwrap_or_else(|error| error.to_string());
    trace.add(event.at.since(began), &event.supervisor, &what);
}
