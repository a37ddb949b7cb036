//! Watching over a program: its signs of life, and how long its answers take.

use std::time::Duration;

use triarch_supervision::clock::Moment;

use super::health::{Effect, Input, Signs};
use super::plan::Parts;
use crate::logs::Notebook;
use crate::pulse::{Beating, Health, time};

/// What one life of a program is watched by.
#[derive(Debug)]
pub(super) struct Vigil {
    /// Where it declares a heartbeat.
    signs: Option<Signs>,
    beating: Beating,
    /// Whether it said something that was not noted yet.
    has_signed: bool,
    /// Whether its program is being ended because it failed.
    is_failing: bool,
}

impl Vigil {
    pub(super) fn of(plan: &Parts, incarnation: u64) -> Self {
        Self {
            signs: plan.heartbeat.map(|limits| Signs::new(limits, Moment::now())),
            beating: plan.beating(incarnation),
            has_signed: false,
            is_failing: false,
        }
    }

    /// When to look at it next.
    pub(super) fn next(&self) -> Option<Moment> {
        self.signs.as_ref().map(Signs::next)
    }

    /// It said something, whatever it was.
    pub(super) fn heard(&mut self) {
        self.has_signed = true;
    }

    /// Notes what it said by now.
    pub(super) fn note(&mut self, notebook: &mut Notebook) {
        let has_signed = std::mem::take(&mut self.has_signed);
        let Some(signs) = self.signs.as_mut().filter(|_| has_signed) else {
            return;
        };
        let now = Moment::now();
        let effect = signs.step(Input::Sign, now);
        self.beating.sign(now);
        self.show(effect, notebook);
    }

    /// Looks at it; returns whether it has failed.
    pub(super) fn look(&mut self, is_judged: bool, notebook: &mut Notebook) -> bool {
        let Some(signs) = &mut self.signs else { return false };
        let effect = signs.step(Input::Look { is_judged }, Moment::now());
        self.beating.silent_for(signs.silence());
        self.show(effect, notebook);
        effect == Some(Effect::Fail)
    }

    fn show(&self, effect: Option<Effect>, notebook: &mut Notebook) {
        let silence = self.signs.as_ref().map(Signs::silence).unwrap_or_default();
        match effect {
            None => {}
            Some(Effect::Fail) => self.beating.show(Health::Failed, silence),
            Some(Effect::Show(health, before)) => {
                self.beating.show(health, silence);
                match health {
                    Health::Healthy if before.is_zero() => {}
                    Health::Healthy => notebook.event(format!("gives signs of life again after {}", time(before))),
                    worse => {
                        let worse = worse.label();
                        notebook.event(format!("is {worse}: no sign of life for {}", time(before)));
                    }
                }
            }
        }
    }

    /// It answered a post; returns how long after its fall that was, where it is the first one since.
    pub(super) fn answered(&self, took: Duration, is_failure: bool) -> Option<Duration> {
        if self.is_failing {
            self.beating.answered_last(took, is_failure);
            return None;
        }
        self.beating.answered(took, is_failure)
    }

    /// It is ended because it failed: what it answers from now on is no sign that it is well again.
    pub(super) fn fails(&mut self) {
        self.is_failing = true;
    }

    /// It has ended, or was about to be ended at that moment; the oldest of the posts it leaves it has had since `asked`.
    pub(super) fn ends(&self, is_failure: bool, asked: Option<Moment>, at: Moment) {
        let asked = asked.map_or(Duration::ZERO, |since| at.since(since));
        self.beating.ends(is_failure, asked, at);
    }
}
