//! Who seldom has something to say knocks, and is looked at only then.
//!
//! A talk waits for its program's lines, and for much that seldom comes: the program's end, its complaints, moments. To
//! ask all of them at each line costs more than the line, so each of them gets a waker of its own, which notes that
//! it was used before it wakes the agent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

/// Whether one of those who seldom have something has it.
#[derive(Debug, Default)]
pub(super) struct Knock(Option<Door>);

#[derive(Debug)]
struct Door {
    noted: Arc<Noted>,
    /// The same, as those who knock hold it.
    waker: Waker,
}

#[derive(Debug)]
struct Noted {
    has_knocked: AtomicBool,
    task: Waker,
}

impl Wake for Noted {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_knocked.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl Knock {
    /// The waker to ask all of them with, where one has knocked since they were asked last, or nobody has asked them for
    /// this task.
    pub(super) fn heard(&mut self, task: &Waker) -> Option<Waker> {
        match &self.0 {
            Some(door) if door.noted.task.will_wake(task) => {
                let has_knocked = &door.noted.has_knocked;
                let is_heard = has_knocked.load(Ordering::Relaxed) && has_knocked.swap(false, Ordering::Acquire);
                is_heard.then(|| door.waker.clone())
            }
            _ => {
                let noted = Arc::new(Noted {
                    has_knocked: AtomicBool::new(false),
                    task: task.clone(),
                });
                let waker = Waker::from(Arc::clone(&noted));
                let door = self.0.insert(Door { noted, waker });
                Some(door.waker.clone())
            }
        }
    }

    /// There is more to ask them than they were asked.
    pub(super) fn again(&self) {
        if let Some(door) = &self.0 {
            door.noted.has_knocked.store(true, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn they_are_asked_at_first_and_after_each_knock_only() {
        let task = Waker::from(Arc::new(Nobody));
        let mut knock = Knock::default();
        let waker = knock.heard(&task).unwrap();
        assert!(knock.heard(&task).is_none());
        waker.wake_by_ref();
        assert!(knock.heard(&task).is_some());
        assert!(knock.heard(&task).is_none());
        knock.again();
        assert!(knock.heard(&task).is_some());
    }

    #[test]
    fn another_task_asks_them_anew() {
        let mut knock = Knock::default();
        let _first = knock.heard(&Waker::from(Arc::new(Nobody)));
        let other = Waker::from(Arc::new(Nobody));
        assert!(knock.heard(&other).is_some());
        assert!(knock.heard(&other).is_none());
    }
}
