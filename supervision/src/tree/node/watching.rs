//! Who is told of an end: each watcher once, of the next end there is, or of the last where none follows.

use std::sync::{Arc, Weak};

use super::{Node, Records};
use crate::panics::{drop_quietly, quietly};
use crate::reason::ExitReason;

/// Somebody who wants to be told of an incarnation's end, for as long as its own incarnation lasts.
pub(crate) struct Watcher {
    pub(crate) who: Weak<Node>,
    pub(crate) incarnation: u64,
    pub(crate) tell: Box<dyn FnOnce(&ExitReason) + Send>,
}

impl Watcher {
    /// Whether its own incarnation lasts. Its node goes to `seen`, to be dropped where no lock is held: it may be
    /// the last to hold it, and with it what others watch for.
    fn is_current(&self, seen: &mut Vec<Arc<Node>>) -> bool {
        let Some(who) = self.who.upgrade() else { return false };
        let is_current = who.is_there(self.incarnation);
        seen.push(who);
        is_current
    }

    fn tell(self, reason: &ExitReason) {
        // What it makes of the news is the watcher's own code, and runs in the name of who ended.
        quietly(|| (self.tell)(reason));
    }
}

/// Watchers to be told where no lock is held, for their values are the users'.
type Owed = (ExitReason, Vec<Watcher>);

impl Node {
    /// Takes in a watcher. One that came after the last end is told of that at once.
    pub(crate) fn watch(&self, watcher: Watcher) {
        let mut seen = Vec::new();
        let mut records = self.records();
        let watchers = &mut records.rare().watchers;
        let outdated: Vec<_> = watchers.extract_if(.., |known| !known.is_current(&mut seen)).collect();
        watchers.push(watcher);
        let due = self.due_at_last(&mut records);
        drop(records);
        drop_quietly(outdated);
        drop_quietly(seen);
        tell_due(due);
    }

    /// It has left the tree: unless an incarnation of it is still there to end, no other end will be told.
    pub(crate) fn depart(&self) {
        let mut records = self.records();
        records.rare().has_departed = true;
        let due = self.due_at_last(&mut records);
        drop(records);
        tell_due(due);
    }

    /// It is part of the tree again.
    pub(crate) fn arrive(&self) {
        if let Some(rare) = &mut self.records().rare {
            rare.has_departed = false;
        }
    }

    /// Whoever watches for an end that will not come, with the last there was.
    fn due_at_last(&self, records: &mut Records) -> Option<Owed> {
        let rare = records
            .rare
            .as_mut()
            .filter(|rare| rare.has_departed && !self.is_alive())?;
        let reason = rare.last_exit.as_ref().map(|(_, reason)| ExitReason::clone(reason));
        // One that never ran was wanted gone before it began.
        Some((
            reason.unwrap_or(ExitReason::Shutdown),
            std::mem::take(&mut rare.watchers),
        ))
    }
}

fn tell_due(due: Option<Owed>) {
    if let Some((reason, watchers)) = due {
        tell(&reason, watchers);
    }
}

/// Tells those whose own incarnation lasts.
pub(super) fn tell(reason: &ExitReason, watchers: Vec<Watcher>) {
    let mut seen = Vec::new();
    for watcher in watchers {
        if watcher.is_current(&mut seen) {
            watcher.tell(reason);
        } else {
            drop_quietly(watcher);
        }
    }
    drop_quietly(seen);
}

#[cfg(not(shuttle))]
#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::sync::mpsc::{Receiver, sync_channel};

    use super::super::Level;
    use super::*;
    use crate::clock::Moment;
    use crate::name::Name;

    fn node(name: &str) -> Arc<Node> {
        let node = Node::new(Level::Agent, Name::unchecked(name), "Type");
        node.begin(1, Moment::default());
        node
    }

    fn watch(by: &Arc<Node>, other: &Node) -> Receiver<ExitReason> {
        let (tell, told) = sync_channel(1);
        other.watch(Watcher {
            who: Arc::downgrade(by),
            incarnation: by.incarnation(),
            tell: Box::new(move |reason| tell.send(reason.clone()).unwrap()),
        });
        told
    }

    #[test]
    fn who_watches_what_has_departed_is_told_its_last_end_at_once() {
        let [a, b] = ["a", "b"].map(node);
        b.ended(1, ExitReason::Normal, Moment::default());
        let early = watch(&a, &b);
        assert!(early.try_recv().is_err(), "it may come back");
        b.depart();
        assert_eq!(early.try_recv(), Ok(ExitReason::Normal));
        assert_eq!(watch(&a, &b).try_recv(), Ok(ExitReason::Normal));
        b.arrive();
        assert!(watch(&a, &b).try_recv().is_err());
    }

    #[test]
    fn who_watches_what_departs_before_its_end_is_told_that_end() {
        let [a, b] = ["a", "b"].map(node);
        let early = watch(&a, &b);
        b.depart();
        let late = watch(&a, &b);
        assert!(early.try_recv().is_err() && late.try_recv().is_err());
        b.ended(1, ExitReason::AutoShutdown, Moment::default());
        assert_eq!(
            [early, late].map(|told| told.try_recv()),
            [Ok(ExitReason::AutoShutdown), Ok(ExitReason::AutoShutdown)]
        );
    }

    /// Looks at a node when it is dropped.
    struct Curious(Arc<Node>);

    impl Drop for Curious {
        fn drop(&mut self) {
            assert!(self.0.records.try_lock().is_ok(), "dropped under the lock of its node");
            LOOKS.fetch_add(1, Ordering::Relaxed);
        }
    }

    static LOOKS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

    #[test]
    fn what_an_outdated_watcher_holds_is_dropped_outside_of_the_lock() {
        let [a, b] = ["a", "b"].map(node);
        let curious = Curious(Arc::clone(&b));
        b.watch(Watcher {
            who: Arc::downgrade(&a),
            incarnation: 1,
            tell: Box::new(move |_| drop(curious)),
        });
        a.begin(2, Moment::default());
        let told = watch(&a, &b);
        assert_eq!(LOOKS.load(Ordering::Relaxed), 1);
        assert!(told.try_recv().is_err());
    }
}
