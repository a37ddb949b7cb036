//! Who gets what is published on each topic, found without a lock by whoever publishes.

use std::sync::Arc;

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;

use triarch_supervision::sync::AtomicU64;

use crate::table::Target;
use crate::topic::Topic;

/// How many topics are remembered with their routes; of others the route is looked up each time.
const TOPICS_MAX: usize = 1 << 17;

/// Who gets what is published on one topic, as of one generation of the table.
#[derive(Debug, Default)]
pub(crate) struct Route {
    pub(crate) generation: u64,
    pub(crate) targets: Vec<Target>,
}

/// A topic that somebody published on.
#[derive(Debug)]
pub(crate) struct TopicEntry {
    pub(crate) topic: Topic,
    pub(crate) label: u16,
    pub(crate) published: AtomicU64,
    pub(crate) route: ArcSwap<Route>,
}

impl TopicEntry {
    fn new(topic: &Topic, label: u16) -> Arc<Self> {
        Arc::new(Self {
            topic: topic.clone(),
            label,
            published: AtomicU64::new(0),
            route: ArcSwap::default(),
        })
    }

    pub(crate) fn set_route(&self, route: &Arc<Route>) {
        // Another publisher may have found a newer one meanwhile.
        self.route.rcu(|known| {
            let newest = if known.generation < route.generation {
                route
            } else {
                known
            };
            Arc::clone(newest)
        });
    }
}

/// The topics that are remembered.
#[derive(Debug, Default)]
pub(crate) struct Topics(papaya::HashMap<Topic, Arc<TopicEntry>, RandomState>);

impl Topics {
    /// The entry of a topic; one that is not remembered where there are too many.
    pub(crate) fn entry(&self, topic: &Topic, label: impl FnOnce() -> u16) -> Arc<TopicEntry> {
        let entries = self.0.pin();
        if let Some(entry) = entries.get(topic) {
            return Arc::clone(entry);
        }
        let entry = TopicEntry::new(topic, label());
        if entries.len() >= TOPICS_MAX {
            return entry;
        }
        Arc::clone(entries.get_or_insert(topic.clone(), entry))
    }

    pub(crate) fn all(&self) -> Vec<Arc<TopicEntry>> {
        self.0.pin().values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_one_entry_and_beyond_the_bound_none_is_remembered() {
        let topics = Topics::default();
        let entry = |number: usize| topics.entry(&Topic::new(format!("t.{number}")).unwrap(), || 7);
        assert!(Arc::ptr_eq(&entry(0), &entry(0)) && entry(0).label == 7);
        for number in 0..TOPICS_MAX + 9 {
            entry(number);
        }
        assert_eq!(topics.all().len(), TOPICS_MAX);
        let beyond = TOPICS_MAX + 1;
        assert!(!Arc::ptr_eq(&entry(beyond), &entry(beyond)));
        assert!(Arc::ptr_eq(&entry(1), &entry(1)));
    }

    #[test]
    fn an_older_route_never_takes_the_place_of_a_newer_one() {
        let entry = TopicEntry::new(&Topic::new("t").unwrap(), 0);
        for (generation, expected) in [(2, 2), (1, 2), (3, 3)] {
            let targets = Vec::new();
            entry.set_route(&Arc::new(Route { generation, targets }));
            assert_eq!(entry.route.load().generation, expected);
        }
    }
}
