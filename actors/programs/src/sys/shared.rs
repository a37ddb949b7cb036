//! Looks at many processes, shared by all who ask for one at the same time: one of them looks for all.

use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use triarch_supervision::sync::{lock, unpoisoned};

use super::apart::apart;
use super::census::{Census, Groups, children};

/// The looks at everybody.
static ALL: Shared = Shared::new();
/// The looks at the children of this process.
static OWN: Shared = Shared::new();

/// Who is first of those that wait for a look and must not block.
static FIRST: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A census of all that began after this was called.
pub(super) fn of_all() -> io::Result<Arc<Census>> {
    ALL.look(|| Census::take(Groups::OfOrphans))
}

/// The same for who must not block.
pub(super) async fn fresh() -> io::Result<Arc<Census>> {
    let asked = Instant::now();
    let _first = FIRST.lock().await;
    if let Some(census) = lock(&ALL.state).since(asked) {
        return Ok(census);
    }
    let looked = tokio::task::spawn_blocking(|| apart(of_all)).await;
    looked.map_err(io::Error::other)?
}

/// A census of this process's children, with those that lead their sessions, that began after this was called.
pub(super) fn of_own_children() -> io::Result<Arc<Census>> {
    OWN.look(|| Census::of(children(), Groups::OfOrphans))
}

/// Looks of one kind.
struct Shared {
    state: Mutex<State>,
    looked: Condvar,
}

struct State {
    /// The latest, and when it began.
    latest: Option<(Instant, Arc<Census>)>,
    /// Whether somebody looks now.
    is_under_way: bool,
}

/// Somebody looks, until this is dropped.
struct UnderWay<'a>(&'a Shared);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).is_under_way = false;
        self.0.looked.notify_all();
    }
}

impl State {
    /// The latest, where it began then or later.
    fn since(&self, asked: Instant) -> Option<Arc<Census>> {
        let (begun, census) = self.latest.as_ref()?;
        (*begun >= asked).then(|| Arc::clone(census))
    }
}

impl Shared {
    const fn new() -> Self {
        Self {
            state: Mutex::new(State {
                latest: None,
                is_under_way: false,
            }),
            looked: Condvar::new(),
        }
    }

    /// One that began after this was called.
    fn look(&self, look: impl FnOnce() -> io::Result<Census>) -> io::Result<Arc<Census>> {
        let asked = Instant::now();
        let mut state = lock(&self.state);
        while state.is_under_way {
            state = unpoisoned(self.looked.wait(state));
            if let Some(census) = state.since(asked) {
                return Ok(census);
            }
        }
        state.is_under_way = true;
        drop(state);
        let under_way = UnderWay(self);
        let begun = Instant::now();
        let census = Arc::new(look()?);
        lock(&self.state).latest = Some((begun, Arc::clone(&census)));
        drop(under_way);
        Ok(census)
    }
}
