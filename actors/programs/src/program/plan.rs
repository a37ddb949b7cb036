//! What each life of a program's agent starts from.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use triarch_supervision::prelude::*;
use triarch_supervision::sync::lock;
use triarch_teams::receipt::Failures;
use triarch_teams::{PostOffice, Span};

use super::machine::{Bounds, Carried};
use crate::command::Recipe;
use crate::heartbeat::Limits;
use crate::logs::{Backlog, Notebook, Write};
use crate::metrics::Metrics;
use crate::pulse::Beating;
use crate::records::Records;
use crate::services::Services;
use crate::settings::{Mode, ProgramSettings};
use crate::sys::{Owner, Tag};

/// What all programs share.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    pub(crate) owner: Owner,
    pub(crate) office: Arc<PostOffice>,
    pub(crate) scribe: Address<Write>,
    pub(crate) records: Records,
    pub(crate) metrics: Metrics,
    pub(crate) services: Arc<dyn Services>,
}

/// What each life of one agent starts from.
#[derive(Clone, Debug)]
pub struct Plan(pub(super) Arc<Parts>);

#[derive(Debug)]
pub(super) struct Parts {
    pub(super) path: Arc<str>,
    pub(super) mode: Mode,
    pub(super) recipe: Recipe,
    pub(super) links: Links,
    pub(super) wall: Option<Span>,
    /// How long it may say nothing, where it declares a heartbeat.
    pub(super) heartbeat: Option<Limits>,
    pub(super) line_max: usize,
    /// How long the program may take to stop before it is killed.
    pub(super) patience: Duration,
    /// How long all of its end may take with what it has said last, so that time is left to tell of it.
    pub(super) last_words: Duration,
    unanswered_max: usize,
    answers: bool,
    /// How many of its posts came to nothing, as its mailbox counts those that it handled: in all lives that begin from this.
    pub(super) failures: Failures,
    carried: Mutex<Carried>,
    /// What waits to be written to its log.
    backlog: Backlog,
}

impl Plan {
    /// The agent at `path` has `shutdown` to stop, in which the last of its processes must be killed too.
    pub(crate) fn new(
        path: Arc<str>,
        settings: &ProgramSettings,
        recipe: Recipe,
        shutdown: Duration,
        links: Links,
    ) -> Self {
        let rest = (shutdown / 4).min(Duration::from_secs(1));
        let patience = shutdown.saturating_sub(rest);
        Self(Arc::new(Parts {
            path,
            mode: settings.mode,
            recipe,
            links,
            wall: settings.limits.wall,
            heartbeat: settings.heartbeat.map(|heartbeat| heartbeat.limits()),
            line_max: settings.line_max.bytes(),
            patience,
            last_words: patience + rest / 2,
            unanswered_max: settings.unanswered_max.get(),
            answers: settings.answers,
            failures: Failures::default(),
            carried: Mutex::default(),
            backlog: Backlog::default(),
        }))
    }
}

impl Parts {
    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            unanswered_max: self.unanswered_max,
            line: self.line_max,
            answers: self.answers,
        }
    }

    pub(super) fn tag(&self, incarnation: u64) -> Tag {
        Tag::new(&self.links.owner, &self.path, incarnation)
    }

    /// Shows how its program is, for as long as what is returned lives.
    pub(super) fn beating(&self, incarnation: u64) -> Beating {
        let pulse = self.links.records.pulse(&self.path);
        pulse.begin(incarnation, self.heartbeat, Moment::now())
    }

    pub(super) fn notebook(&self, incarnation: u64) -> Notebook {
        let Links { scribe, metrics, .. } = &self.links;
        let path = Arc::clone(&self.path);
        Notebook::new(scribe.clone(), metrics.clone(), path, incarnation, self.backlog.clone())
    }

    /// What the last life could not hand to its program.
    pub(super) fn take_carried(&self) -> Carried {
        std::mem::take(&mut *lock(&self.carried)).wanted(Moment::now())
    }

    pub(super) fn carry(&self, carried: Carried) {
        *lock(&self.carried) = carried;
    }
}
