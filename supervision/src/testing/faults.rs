//! What goes wrong, where, and when: a plan that a test and a faulty agent share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::reason::Failure;
use crate::sync::lock;

/// A callback of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Callback {
    /// Its start.
    Start,
    /// The handling of a message.
    Handle,
    /// Its stop.
    Stop,
    /// The drop of an incarnation.
    Drop,
}

/// What goes wrong. In [`Callback::Drop`] only a panic can; in [`Callback::Stop`] an error has no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// It panics.
    Panic,
    /// It returns an error before the agent sees the call.
    Error,
    /// It never returns: it hangs at an await, where a kill can end it.
    Hang,
    /// It takes this long, then goes on as if nothing were wrong.
    Delay(Duration),
}

/// A plan of faults; clones are the same plan. It outlives the incarnations it strikes.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug, Default)]
struct Plan {
    callbacks: BTreeMap<Callback, Course>,
    struck: BTreeMap<(Callback, Fault), u64>,
}

/// What is planned for one callback.
#[derive(Debug, Default)]
struct Course {
    calls: u64,
    planned: BTreeMap<u64, Fault>,
    always: Option<Fault>,
}

impl Faults {
    /// A plan in which nothing goes wrong.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next call of `callback` that has no fault yet meets `fault`.
    pub fn next(&self, callback: Callback, fault: Fault) {
        self.times(1, callback, fault);
    }

    /// The next `count` calls of `callback` that have no fault yet meet `fault`.
    pub fn times(&self, count: u64, callback: Callback, fault: Fault) {
        let mut plan = lock(&self.plan);
        let course = plan.callbacks.entry(callback).or_default();
        for _ in 0..count {
            let mut number = course.calls + 1;
            while course.planned.contains_key(&number) {
                number += 1;
            }
            course.planned.insert(number, fault);
        }
    }

    /// The `number`-th call of `callback`, from 1 and counted over all incarnations, meets `fault`.
    pub fn at(&self, number: u64, callback: Callback, fault: Fault) {
        lock(&self.plan)
            .callbacks
            .entry(callback)
            .or_default()
            .planned
            .insert(number, fault);
    }

    /// Each call of `callback` meets `fault`, unless another is planned for it.
    pub fn always(&self, callback: Callback, fault: Fault) {
        lock(&self.plan).callbacks.entry(callback).or_default().always = Some(fault);
    }

    /// Nothing goes wrong any more. Who hangs already goes on hanging.
    pub fn clear(&self) {
        for course in lock(&self.plan).callbacks.values_mut() {
            course.planned.clear();
            course.always = None;
        }
    }

    /// How often `callback` was called.
    pub fn calls(&self, callback: Callback) -> u64 {
        lock(&self.plan)
            .callbacks
            .get(&callback)
            .map_or(0, |course| course.calls)
    }

    /// How many faults have struck.
    pub fn struck(&self) -> u64 {
        lock(&self.plan).struck.values().sum()
    }

    /// How many faults of one kind have struck in one callback.
    pub fn struck_by(&self, callback: Callback, fault: Fault) -> u64 {
        lock(&self.plan).struck.get(&(callback, fault)).copied().unwrap_or(0)
    }

    /// Counts a call and says what it meets.
    fn meet(&self, callback: Callback) -> Option<Fault> {
        let mut plan = lock(&self.plan);
        let course = plan.callbacks.entry(callback).or_default();
        course.calls += 1;
        let fault = course.planned.remove(&course.calls).or(course.always)?;
        *plan.struck.entry((callback, fault)).or_default() += 1;
        Some(fault)
    }

    /// Counts a call of `callback` and meets what is planned for it; for agents that are not wrapped.
    ///
    /// # Panics
    /// Where that is the fault.
    #[expect(clippy::panic, reason = "the panic is the fault")]
    pub async fn strike(&self, callback: Callback) -> Result<(), Failure> {
        match self.meet(callback) {
            None => Ok(()),
            Some(Fault::Panic) => panic!("a fault was injected in {callback:?}"),
            Some(Fault::Error) => Err(Failure::new(format!("a fault was injected in {callback:?}"))),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Delay(time)) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
        }
    }

    /// As [`Faults::strike`] in [`Callback::Drop`], where nothing can be awaited.
    ///
    /// # Panics
    /// Where that is the fault, unless a panic is under way already.
    pub fn strike_drop(&self) {
        let fault = self.meet(Callback::Drop);
        assert!(
            fault != Some(Fault::Panic) || std::thread::panicking(),
            "a fault was injected in Drop"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_meet_the_calls_they_are_planned_for() {
        let faults = Faults::new();
        faults.at(2, Callback::Handle, Fault::Error);
        faults.times(2, Callback::Handle, Fault::Panic);
        let met: Vec<_> = (0..4).map(|_| faults.meet(Callback::Handle)).collect();
        assert_eq!(met, [Some(Fault::Panic), Some(Fault::Error), Some(Fault::Panic), None]);
        assert_eq!((faults.calls(Callback::Handle), faults.struck()), (4, 3));
        assert_eq!(faults.struck_by(Callback::Handle, Fault::Panic), 2);
    }

    #[test]
    fn a_cleared_plan_strikes_nobody() {
        let faults = Faults::new();
        faults.always(Callback::Start, Fault::Hang);
        assert_eq!(faults.meet(Callback::Start), Some(Fault::Hang));
        faults.clear();
        assert_eq!(faults.meet(Callback::Start), None);
    }
}
