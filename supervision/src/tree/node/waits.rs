//! For whom an agent's handler waits, so that no circle of agents waits for ever.

use std::ptr;
use std::sync::Arc;

use super::Node;

/// What a handler waits for. It may have come before the handler runs again and knows it.
pub(crate) trait Awaited: Send + Sync {
    fn has_come(&self) -> bool;
}

pub(super) struct Wait {
    target: Arc<Node>,
    what: Arc<dyn Awaited>,
}

impl Node {
    /// Notes that this agent's handler waits for `what` of `target`, beside others it may wait for.
    pub(crate) fn wait_for(&self, target: Arc<Self>, what: Arc<dyn Awaited>) {
        self.records().rare().waits_for.push(Wait { target, what });
    }

    /// The wait for `what` is over.
    pub(crate) fn wait_no_longer(&self, what: &Arc<dyn Awaited>) {
        let mut records = self.records();
        let waits_for = &mut records.rare().waits_for;
        let is_it = |wait: &Wait| ptr::addr_eq(Arc::as_ptr(&wait.what), Arc::as_ptr(what));
        let index = waits_for.iter().position(is_it);
        let gone = index.map(|index| waits_for.swap_remove(index));
        drop(records);
        drop(gone);
    }

    /// Those that it waits for, and that have not done yet what it waits for.
    fn waits_for(&self) -> Vec<Arc<Self>> {
        let records = self.records();
        let waits = records.rare.iter().flat_map(|rare| &rare.waits_for);
        let lasting = waits.filter(|wait| !wait.what.has_come());
        lasting.map(|wait| Arc::clone(&wait.target)).collect()
    }

    /// The paths from `self` round to `self`, if waiting for `target` closes a circle.
    pub(crate) fn circle_through(self: &Arc<Self>, target: &Arc<Self>) -> Option<Vec<Arc<str>>> {
        let mut way = vec![Arc::clone(self)];
        let closes = target.leads_to(self, &mut way, &mut Vec::new());
        closes.then(|| way.iter().map(|node| node.path()).collect())
    }

    /// Whether `self` waits for `goal`, itself or through others; `way` then ends there.
    fn leads_to(self: &Arc<Self>, goal: &Self, way: &mut Vec<Arc<Self>>, seen: &mut Vec<u64>) -> bool {
        const LONGEST: usize = 64;
        way.push(Arc::clone(self));
        if self.id == goal.id {
            return true;
        }
        if way.len() <= LONGEST && !seen.contains(&self.id) {
            seen.push(self.id);
            if self.waits_for().iter().any(|next| next.leads_to(goal, way, seen)) {
                return true;
            }
        }
        way.pop();
        false
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::name::Name;
    use crate::tree::Level;

    impl Awaited for AtomicBool {
        fn has_come(&self) -> bool {
            self.load(Ordering::SeqCst)
        }
    }

    fn node(name: &str) -> Arc<Node> {
        Node::new(Level::Agent, Name::unchecked(name), "A")
    }

    fn waits(waiter: &Node, target: &Arc<Node>) -> Arc<AtomicBool> {
        let what = Arc::new(AtomicBool::new(false));
        waiter.wait_for(Arc::clone(target), Arc::clone(&what) as Arc<dyn Awaited>);
        what
    }

    #[test]
    fn a_circle_of_waits_is_named_from_its_beginning() {
        let [a, b, c] = ["a", "b", "c"].map(node);
        waits(&b, &c);
        assert_eq!(a.circle_through(&b), None);
        waits(&c, &a);
        let circle = a.circle_through(&b).unwrap();
        assert_eq!(
            circle.iter().map(|path| &**path).collect::<Vec<_>>(),
            ["a", "b", "c", "a"]
        );
        assert_eq!(a.circle_through(&a).unwrap().len(), 2);
    }

    #[test]
    fn who_has_what_it_waited_for_closes_no_circle_and_still_does_where_it_waits_for_more() {
        let [a, b] = ["a", "b"].map(node);
        let (first, second) = (waits(&b, &a), waits(&b, &a));
        first.store(true, Ordering::SeqCst);
        assert!(a.circle_through(&b).is_some());
        b.wait_no_longer(&(Arc::clone(&first) as Arc<dyn Awaited>));
        assert!(a.circle_through(&b).is_some());
        second.store(true, Ordering::SeqCst);
        assert_eq!(a.circle_through(&b), None);
    }
}
