//! Who waits for an answer.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use triarch_supervision::sync::{Mutex, lock};

use crate::envelope::{Envelope, EnvelopeId};

/// Requests without an answer yet.
#[derive(Debug)]
pub(crate) struct Requests {
    waiting: Mutex<HashMap<EnvelopeId, oneshot::Sender<Arc<Envelope>>>>,
    most: usize,
}

/// One that waits; dropped, it waits no more.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    requests: &'a Requests,
    id: EnvelopeId,
    pub(crate) answer: oneshot::Receiver<Arc<Envelope>>,
}

impl Requests {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            most,
        }
    }

    /// Waits for an answer to `id`, where there is room for one more.
    pub(crate) fn wait(&self, id: EnvelopeId) -> Option<Waiting<'_>> {
        let mut waiting = lock(&self.waiting);
        if waiting.len() >= self.most {
            return None;
        }
        let (sender, answer) = oneshot::channel();
        waiting.insert(id, sender);
        Some(Waiting {
            requests: self,
            id,
            answer,
        })
    }

    /// Hands an answer to who waits for it; tells whether anybody does.
    pub(crate) fn answer(&self, id: EnvelopeId, answer: Envelope) -> bool {
        let sender = lock(&self.waiting).remove(&id);
        sender.is_some_and(|sender| sender.send(Arc::new(answer)).is_ok())
    }

    pub(crate) fn is_waiting(&self, id: EnvelopeId) -> bool {
        lock(&self.waiting).contains_key(&id)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.requests.waiting).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_gives_up_waits_no_more_and_makes_room_for_another() {
        let (requests, id) = (Requests::new(1), EnvelopeId::new(1, 1));
        let waiting = requests.wait(id).unwrap();
        assert!(requests.is_waiting(id) && !requests.is_waiting(EnvelopeId::new(1, 2)));
        assert!(requests.wait(EnvelopeId::new(1, 2)).is_none());
        drop(waiting);
        assert!(!requests.is_waiting(id) && requests.wait(id).is_some());
    }
}
