//! Who subscribes again, before what is on disk was read and with another bell.

use std::sync::atomic::AtomicBool;

use triarch_supervision::metrics::Instruments;

use super::*;
use crate::config::{Config, DurableConfig};
use crate::metrics::BUS;

fn bus() -> Bus {
    let durable = |topics: &str| DurableConfig {
        topics: topics.to_owned(),
        ..DurableConfig::default()
    };
    let config = Config {
        durable: vec![durable("log.*"), durable("other.*")],
        ..Config::default()
    };
    Bus::new(config, 1, &Instruments::with_tree(&[BUS]).unwrap()).unwrap()
}

fn all_of(pattern: &str) -> Subscribe {
    Subscribe::new(Pattern::new(pattern).unwrap(), "team/one")
}

/// Sees at its end whether others may look into the table.
struct Spy {
    hub: Arc<Hub>,
    was_free: Arc<AtomicBool>,
}

impl Bell for Spy {
    fn ring(&self, arrivals: Arrivals) {
        drop(arrivals);
    }

    fn is_gone(&self) -> bool {
        false
    }
}

impl Drop for Spy {
    fn drop(&mut self) {
        let is_free = self.hub.table.try_read().is_ok();
        self.was_free.store(is_free, Ordering::SeqCst);
    }
}

#[test]
fn a_bell_that_another_takes_the_place_of_ends_while_nothing_is_held() {
    for again in [all_of("a"), all_of("a").terms(Terms::of(Class::AtLeastOnce))] {
        let (bus, was_free) = (bus(), Arc::new(AtomicBool::new(false)));
        let bell = || {
            Arc::new(Spy {
                hub: Arc::clone(&bus.0),
                was_free: Arc::clone(&was_free),
            })
        };
        bus.add(all_of("a"), bell(), true).unwrap();
        bus.add(again, bell(), true).unwrap();
        assert!(was_free.load(Ordering::SeqCst));
    }
}

#[test]
fn a_name_is_of_one_log_before_the_disk_was_read_too() {
    let bus = bus();
    let mut one = bus.listen(all_of("log.*").named("n")).unwrap();
    let other = bus.listen(all_of("other.*").named("n")).unwrap_err();
    assert!(
        matches!(&other, SubscribeError::OtherLog { log, .. } if log.as_str() == "log.*"),
        "{other}"
    );
    assert!(bus.listen(all_of("log.a").named("n")).is_ok());
    assert!(one.try_next().is_none());
}
