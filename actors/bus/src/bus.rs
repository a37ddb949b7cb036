//! The handle of a bus: publishing, asking.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use triarch_supervision::metrics::Instruments;
use triarch_supervision::sync::Ordering;

use crate::access::NotAllowed;
use crate::account::Tally;
use crate::codec::{check_word, within};
use crate::config::Config;
use crate::envelope::{Destination, Draft, Envelope, EnvelopeId, Payload};
use crate::error::{Error, PublishError, ReplyError, RequestError};
use crate::hub::Hub;
use crate::metrics::Refusal;
use crate::route::{Route, TopicEntry};
use crate::topic::Topic;

/// Where refusals are told: who may not do what, on which topic.
pub const REFUSALS: &str = "bus.refused";

/// A bus. Cheap to clone; made before the tree starts, and there for as long as anybody holds it.
///
/// Publishing asks nobody and waits for nobody: when it returns, the envelope lies in the inbox of everybody it is for,
/// or was dropped there by the terms of that subscription.
#[derive(Clone, Debug)]
pub struct Bus(pub(crate) Arc<Hub>);

/// What was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// Its id.
    pub id: EnvelopeId,
    /// How many subscriptions it was for; a group is one.
    pub matched: usize,
}

impl Bus {
    /// A bus for one life of a runtime; `run` is different for each.
    pub fn new(config: Config, run: u64, instruments: &Instruments) -> Result<Self, Error> {
        Hub::new(config, run, instruments).map(Self)
    }

    /// For an agent that publishes often on one topic.
    pub fn publisher(&self, from: impl Into<Arc<str>>, topic: &Topic) -> Result<Publisher, PublishError> {
        let from = from.into();
        let entry = self.entry(&from, topic)?;
        Ok(Publisher {
            route: self.0.route(&entry),
            hub: Arc::clone(&self.0),
            from,
            entry,
        })
    }

    /// A topic that `from` may publish on without the disk.
    fn entry(&self, from: &Arc<str>, topic: &Topic) -> Result<Arc<TopicEntry>, PublishError> {
        self.check(from, topic)?;
        if self.0.archive.log_of(topic).is_some() {
            return Err(PublishError::Durable { topic: topic.clone() });
        }
        Ok(self.0.topic(topic))
    }

    /// Publishes on a topic.
    pub fn publish(&self, from: impl Into<Arc<str>>, topic: &Topic, draft: Draft) -> Result<Published, PublishError> {
        let from = from.into();
        let entry = self.entry(&from, topic)?;
        self.0.check_draft(&from, &draft)?;
        let envelope = self.0.seal(draft, &from, Destination::Topic(topic.clone()));
        let route = entry.route.load();
        if route.generation == self.0.generation.load(Ordering::Acquire) {
            return Ok(self.0.publish(&entry, &route, envelope));
        }
        Ok(self.0.publish(&entry, &self.0.route(&entry), envelope))
    }

    // ---- asking ----

    /// Publishes a question and waits for the first answer.
    pub async fn request(
        &self,
        from: impl Into<Arc<str>>,
        topic: &Topic,
        draft: Draft,
        within: Duration,
    ) -> Result<Arc<Envelope>, RequestError> {
        let publisher = self.publisher(from, topic)?;
        let hub = &self.0;
        hub.check_draft(&publisher.from, &draft)?;
        let envelope = hub.seal(draft, &publisher.from, Destination::Topic(topic.clone()));
        let (entry, route) = (&publisher.entry, &publisher.route);
        let deliver = |envelope| hub.publish(entry, route, envelope);
        self.ask(envelope, topic.as_str(), within, deliver).await
    }

    /// Sends a question to one agent and waits for its answer.
    pub async fn request_from(
        &self,
        from: impl Into<Arc<str>>,
        path: &str,
        draft: Draft,
        within: Duration,
    ) -> Result<Arc<Envelope>, RequestError> {
        let (from, hub) = (from.into(), &self.0);
        hub.check_draft(&from, &draft)?;
        let to = hub.agent_at(path)?;
        let envelope = hub.seal(draft, &from, Destination::Agent(path.into()));
        self.ask(envelope, path, within, |envelope| hub.deliver_to(to, envelope))
            .await
    }

    async fn ask(
        &self,
        envelope: Envelope,
        to: &str,
        within: Duration,
        deliver: impl FnOnce(Envelope) -> Published,
    ) -> Result<Arc<Envelope>, RequestError> {
        let limit = self.0.config.requests;
        let waits = self.0.requests.wait(envelope.id);
        let mut waiting = waits.ok_or(RequestError::Full { limit })?;
        if deliver(envelope).matched == 0 {
            return Err(RequestError::NobodyHears { to: to.to_owned() });
        }
        match tokio::time::timeout(within, &mut waiting.answer).await {
            Ok(Ok(answer)) => Ok(answer),
            _ => Err(RequestError::Timeout {
                to: to.to_owned(),
                within,
            }),
        }
    }

    /// Answers a request.
    pub fn reply(&self, from: impl Into<Arc<str>>, question: &Envelope, draft: Draft) -> Result<(), ReplyError> {
        let from = from.into();
        self.0.check_draft(&from, &draft)?;
        let nobody = ReplyError::NobodyWaits(question.id);
        if !self.0.requests.is_waiting(question.id) {
            return Err(nobody);
        }
        let to = Destination::Agent(Arc::clone(&question.from));
        let answer = self.0.seal(draft.answering(question.id), &from, to);
        if self.0.requests.answer(question.id, answer) {
            Ok(())
        } else {
            Err(nobody)
        }
    }

    /// Whether somebody waits for an answer to it.
    pub fn is_asked(&self, question: &Envelope) -> bool {
        self.0.requests.is_waiting(question.id)
    }

    // ---- beside ----

    /// What became of everything that was for somebody: published × matching subscriptions.
    pub fn tally(&self) -> Tally {
        self.0.tally()
    }

    pub(crate) fn check(&self, from: &Arc<str>, topic: &Topic) -> Result<(), PublishError> {
        let checked = self.0.access.check(from, "publish on", topic);
        checked.map_err(|refused| PublishError::NotAllowed(self.0.refuse(refused)))
    }
}

impl Hub {
    pub(crate) fn check_draft(&self, from: &str, draft: &Draft) -> Result<(), PublishError> {
        let words = check_word("from", from).and_then(|()| check_word("kind", &draft.kind));
        let key = draft.key.as_ref().map_or(Ok(()), |key| check_word("key", key));
        words.and(key).inspect_err(|_| self.metrics.refused(Refusal::Form))?;
        let size = within(draft.payload.len(), self.config.payload_max);
        Ok(size.inspect_err(|_| self.metrics.refused(Refusal::Size))?)
    }

    pub(crate) fn publish(self: &Arc<Self>, entry: &TopicEntry, route: &Route, envelope: Envelope) -> Published {
        entry.published.fetch_add(1, Ordering::Relaxed);
        let id = envelope.id;
        let matched = self.deliver(route, entry.label, envelope);
        Published { id, matched }
    }

    /// Counts a refusal and tells of it.
    pub(crate) fn refuse(self: &Arc<Self>, refused: NotAllowed) -> NotAllowed {
        self.metrics.refused(Refusal::Access);
        if let Ok(topic) = Topic::new(REFUSALS) {
            let told =
                json!({"who": &*refused.who, "what": refused.what, "topic": refused.topic, "limit": refused.limit});
            self.tell(topic, Draft::new("refused", Payload::json(&told)));
        }
        refused
    }
}

/// Publishes for one sender on one topic, and remembers who is to get it.
#[derive(Clone, Debug)]
pub struct Publisher {
    hub: Arc<Hub>,
    from: Arc<str>,
    entry: Arc<TopicEntry>,
    route: Arc<Route>,
}

impl Publisher {
    /// Publishes.
    pub fn publish(&mut self, draft: Draft) -> Result<Published, PublishError> {
        self.hub.check_draft(&self.from, &draft)?;
        if self.route.generation != self.hub.generation.load(Ordering::Acquire) {
            self.route = self.hub.route(&self.entry);
        }
        let to = Destination::Topic(self.entry.topic.clone());
        let envelope = self.hub.seal(draft, &self.from, to);
        Ok(self.hub.publish(&self.entry, &self.route, envelope))
    }
}

#[cfg(test)]
#[path = "bus_test.rs"]
mod tests;
