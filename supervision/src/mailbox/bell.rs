//! What a sender rings when it wakes an idle agent.

use std::task::Waker;

use crate::sync::Spin;

/// Wakes the task of the agent's ractor actor. It stays set from one ring to the next.
#[derive(Debug)]
pub(crate) struct Bell(Spin<Option<Waker>>);

impl Default for Bell {
    fn default() -> Self {
        Self(Spin::new(None))
    }
}

impl Bell {
    /// From now on `waker` is woken.
    pub(crate) fn answer_with(&self, waker: &Waker) {
        let waker = waker.clone();
        let before = self.0.lock().replace(waker);
        drop(before);
    }

    /// From now on nobody is woken.
    pub(crate) fn mute(&self) {
        let before = self.0.lock().take();
        drop(before);
    }

    /// Wakes whoever answers.
    pub(crate) fn ring(&self) {
        if let Some(waker) = &*self.0.lock() {
            waker.wake_by_ref();
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_bell_wakes_at_each_ring_whoever_answered_last_and_nobody_once_it_is_mute() {
        let (bell, counts) = (Bell::default(), [(); 2].map(|()| Arc::new(Count::default())));
        bell.ring();
        for count in &counts {
            bell.answer_with(&Arc::clone(count).into());
            bell.ring();
            bell.ring();
        }
        bell.mute();
        bell.ring();
        assert_eq!(counts.map(|count| count.0.load(Ordering::Relaxed)), [2, 2]);
    }
}
