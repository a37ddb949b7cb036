//! How the writer flushes: what is not on disk yet goes there part by part, and between two parts whoever waits has their
//! turn.

use std::collections::{HashMap, VecDeque};
use std::iter::Peekable;
use std::sync::Arc;
use std::vec;

use triarch_journal::WriteError;
use triarch_supervision::prelude::*;

use super::actor::{StoreWriter, refusal};
use super::message::Wish;
use crate::disk::{Flushed, Image, Images, Place, Record, Seal};
use crate::entry::Entry;
use crate::error::Error;
use crate::name::{Key, Namespace};
use crate::snapshots::RETRY_AFTER;
use crate::space::{Space, Taken};
use crate::time::StoreTime;

type Answer = Reply<Result<(), Error>>;
type State = (Key, Option<Arc<Entry>>);

/// A flush that is under way, or none.
#[derive(Debug, Default)]
pub(super) struct Flushing {
    /// The number of the last flush of a namespace.
    pub(super) last: u64,
    /// Namespaces whose turn is to come.
    to_come: VecDeque<Arc<Space>>,
    present: Option<Present>,
    /// What went wrong first.
    fault: Option<Error>,
    waiting: Vec<Answer>,
    /// Who came when it was under way, and may have written what is not in it.
    behind: Vec<Answer>,
    /// Whether the writer has reminded itself of it.
    is_called: bool,
    /// Until when namespaces are not flushed of which a part found no room.
    unfit: HashMap<Namespace, Moment>,
}

/// The flush of one namespace, as of one instant.
#[derive(Debug)]
struct Present {
    space: Arc<Space>,
    number: u64,
    at: StoreTime,
    revision: u64,
    left: Peekable<vec::IntoIter<State>>,
    taken: Option<Taken>,
    /// How many parts are on disk.
    parts: u64,
}

impl Flushing {
    fn is_under_way(&self) -> bool {
        self.present.is_some() || !self.to_come.is_empty()
    }

    fn answer(&mut self) {
        let fault = self.fault.take();
        for answer in self.waiting.drain(..) {
            answer.send(fault.clone().map_or(Ok(()), Err));
        }
    }

    /// What is on disk has been read: what is otherwise there is known by that, and flushed by the next.
    pub(super) fn abandon(&mut self) {
        let present = self.present.take().map(|present| present.space);
        let space = present.or_else(|| self.to_come.pop_front());
        // Where nobody waits for this one, it would be the answer to the next.
        if let Some(space) = space.filter(|_| !self.waiting.is_empty()) {
            self.fault.get_or_insert(refusal(space.name(), &WriteError::Stale));
        }
        self.to_come.clear();
    }
}

impl StoreWriter {
    /// Takes namespaces that are flushed to disk, each as of one instant. One that cannot be holds up no other, and waits a
    /// while unless somebody asks: the parts that have room would take it from those who write little.
    pub(super) async fn flush(&mut self, asked: Option<Answer>, ctx: &mut Context<Self>) {
        if self.flushing.is_under_way() {
            return self.flushing.behind.extend(asked);
        }
        self.begin_flush(asked.is_some());
        self.flushing.waiting.extend(asked);
        self.flush_more(ctx).await;
    }

    /// The next part; if that was not all, goes on behind those who wait.
    pub(super) async fn flush_more(&mut self, ctx: &mut Context<Self>) {
        self.flush_some().await;
        // Where there is no room for it the next beat does it.
        self.flushing.is_called = self.flushing.is_under_way() && ctx.address().try_send(Wish::FlushMore).is_ok();
    }

    pub(super) async fn flush_in_time(&mut self, ctx: &mut Context<Self>) {
        let is_awaited = self.flushing.is_under_way() || !self.flushing.waiting.is_empty();
        if is_awaited && !self.flushing.is_called {
            self.flush_more(ctx).await;
        }
    }

    /// All at once, at the end.
    pub(super) async fn flush_all(&mut self) {
        while self.flushing.is_under_way() {
            self.flush_some().await;
        }
        self.begin_flush(true);
        while self.flushing.is_under_way() {
            self.flush_some().await;
        }
    }

    fn begin_flush(&mut self, is_asked: bool) {
        let (mut unflushed, now) = (self.settings.store.spaces(), Moment::now());
        let unfit = &mut self.flushing.unfit;
        unfit.retain(|_, until| *until > now && !is_asked);
        unflushed.retain(|space| space.has_unflushed() && !unfit.contains_key(space.name()));
        self.flushing.to_come = unflushed.into();
    }

    async fn flush_some(&mut self) {
        if self.flushing.is_under_way() {
            // What waits was decided on what is there, and where this fails something else may be.
            let _told = self.commit().await;
            if let Err(fault) = self.flush_part().await {
                self.flushing.fault.get_or_insert(fault);
            }
        }
        while !self.flushing.is_under_way() {
            self.flushing.answer();
            if self.flushing.behind.is_empty() {
                return;
            }
            self.flushing.waiting = std::mem::take(&mut self.flushing.behind);
            self.begin_flush(true);
        }
    }

    async fn flush_part(&mut self) -> Result<(), Error> {
        let Some(mut present) = self.next_flush()? else {
            return Ok(());
        };
        match self.put_part(&mut present).await {
            Ok(is_last) => {
                self.flushing.present = (!is_last).then_some(present);
                Ok(())
            }
            Err(fault) => {
                // Of a flush in parts that did not end nothing counts.
                let is_certain = !matches!(fault, Error::Unanswered { .. });
                present.space.give_back_unflushed(present.taken, is_certain);
                Err(fault)
            }
        }
    }

    /// The one that is under way, or the next; none where the namespace has gone meanwhile.
    fn next_flush(&mut self) -> Result<Option<Present>, Error> {
        let present = self.flushing.present.take();
        let space = match &present {
            Some(present) => Arc::clone(&present.space),
            None => match self.flushing.to_come.pop_front() {
                Some(space) => space,
                None => return Ok(None),
            },
        };
        if space.is_there().is_err() {
            return Ok(None);
        }
        if let Err(closed) = self.ready(space.name()) {
            space.give_back_unflushed(present.and_then(|present| present.taken), true);
            self.flushing.to_come.clear();
            return Err(closed);
        }
        Ok(Some(present.unwrap_or_else(|| self.take(space))))
    }

    fn take(&mut self, space: Arc<Space>) -> Present {
        self.flushing.last += 1;
        let flush = space.take_unflushed();
        Present {
            number: self.flushing.last,
            at: self.now(),
            revision: flush.revision,
            left: flush.states.into_iter().peekable(),
            taken: flush.taken,
            parts: 0,
            space,
        }
    }

    /// Takes the next part to disk; tells whether it was the last.
    async fn put_part(&mut self, present: &mut Present) -> Result<bool, Error> {
        let part = present.part(&self.settings.seal, self.settings.bytes_max / 2)?;
        let is_last = present.left.peek().is_none();
        if let Err(fault) = self.put(vec![part]).await {
            self.mend(&fault);
            let name = present.space.name();
            if (present.parts > 0 || !is_last) && matches!(fault, WriteError::Full(_)) {
                self.flushing.unfit.insert(name.clone(), Moment::now() + RETRY_AFTER);
            }
            return Err(refusal(name, &fault));
        }
        present.parts += 1;
        Ok(is_last)
    }
}

impl Present {
    /// The next record, of which only the last ends the flush.
    fn part(&mut self, seal: &Seal, most: usize) -> Result<Vec<u8>, Error> {
        let (mut states, mut bytes) = (Vec::new(), 0);
        while let Some(state) = self.left.next_if(|state| bytes == 0 || bytes + weight(state) <= most) {
            bytes += weight(&state);
            states.push(state);
        }
        let (revision, is_last) = (self.revision, self.left.peek().is_none());
        let all = states.iter().map(|(key, entry)| {
            let version = entry.as_ref().map_or(revision, |entry| entry.version());
            Image::of(key, version, entry.as_deref())
        });
        let images = Images {
            namespace: self.space.name().clone(),
            at: self.at,
            revision,
            is_last,
            is_cut: false,
            all: all.collect(),
        };
        let flush = self.number;
        let record = Record::Flushed(Flushed { flush, images });
        record.encode(seal, Place::Journal).map_err(|fault| Error::Disk {
            namespace: self.space.name().clone(),
            fault: fault.to_string(),
        })
    }
}

/// About how many bytes it takes on disk.
fn weight((key, entry): &State) -> usize {
    let size = entry.as_ref().map_or(0, |entry| entry.size(key)) + 512;
    usize::try_from(size).unwrap_or(usize::MAX)
}
