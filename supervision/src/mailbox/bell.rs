//! What a sender rings when it wakes an idle agent.

use std::task::Waker;

use crate::sync::{Mutex, lock};

/// Wakes the task of the agent's ractor actor. It stays set from one ring to the next.
#[derive(Debug, Default)]
pub(crate) struct Bell(Mutex<Option<Waker>>);

impl Bell {
    /// From now on `waker` is woken.
    pub(crate) fn answer_with(&self, waker: &Waker) {
        *lock(&self.0) = Some(waker.clone());
    }

    /// From now on nobody is woken.
    pub(crate) fn mute(&self) {
        lock(&self.0).take();
    }

    /// Wakes whoever answers.
    pub(crate) fn ring(&self) {
        if let Some(waker) = &*lock(&self.0) {
            waker.wake_by_ref();
        }
    }
}
