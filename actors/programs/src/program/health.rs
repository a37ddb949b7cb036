//! Whether a program that declares a heartbeat lives, by how long nothing came of it.
//!
//! ```text
//!              2 s            5 s             10 s, seen twice
//!   healthy ────────▶ degraded ────▶ critical ────────────────▶ failed: it is killed
//!      ▲                  │              │
//!      └── a sign of life ┴──────────────┘
//! ```
//!
//! Silence is counted in time that was watched. A look that comes far too late proves nothing but that nobody looked: this
//! process was stopped, or the machine slept. What is not judged, of a paused agent or of one that is not listened to because
//! others keep it waiting, counts nothing. One that is not listened to because it leaves its answers unread lives as long as it
//! reads. Before its first sign of life a program is still starting, and not judged either.

use std::time::Duration;

use triarch_supervision::clock::Moment;

use crate::heartbeat::Limits;
use crate::pulse::Health;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// The program said something.
    Sign,
    /// It was time to look; whether what is seen says anything.
    Look { is_judged: bool },
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It is in another state of health, after so long without a word.
    Show(Health, Duration),
    /// It is to be killed.
    Fail,
}

/// What is known of a program's signs of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signs {
    limits: Limits,
    health: Health,
    /// How long nothing came while somebody watched.
    silence: Duration,
    /// Until when silence is counted.
    counted: Moment,
    /// When to look next.
    next: Moment,
    /// Whether the last look saw more silence than may be.
    is_suspect: bool,
}

impl Signs {
    pub(super) fn new(limits: Limits, now: Moment) -> Self {
        Self {
            limits,
            health: Health::Unknown,
            silence: Duration::ZERO,
            counted: now,
            next: now + limits.pace,
            is_suspect: false,
        }
    }

    /// When to look next.
    pub(super) fn next(&self) -> Moment {
        self.next
    }

    /// How long nothing came, as far as somebody watched.
    pub(super) fn silence(&self) -> Duration {
        self.silence
    }

    pub(super) fn step(&mut self, input: Input, now: Moment) -> Option<Effect> {
        match input {
            Input::Sign => {
                let silence = std::mem::take(&mut self.silence);
                self.counted = now;
                self.is_suspect = false;
                self.becomes(Health::Healthy, silence)
            }
            Input::Look { is_judged } => self.look(is_judged, now),
        }
    }

    fn look(&mut self, is_judged: bool, now: Moment) -> Option<Effect> {
        let passed = now.since(self.counted);
        self.counted = now;
        self.next = now + self.limits.pace;
        let was_away = passed > self.limits.pace * 2;
        if !is_judged || was_away || self.health == Health::Unknown {
            self.is_suspect = false;
            return None;
        }
        self.silence += passed;
        let is_over = self.silence >= self.limits.failed;
        let was_suspect = std::mem::replace(&mut self.is_suspect, is_over);
        if is_over && was_suspect {
            self.health = Health::Failed;
            return Some(Effect::Fail);
        }
        self.becomes(self.of_silence(), self.silence)
    }

    fn of_silence(&self) -> Health {
        if self.silence >= self.limits.critical {
            Health::Critical
        } else if self.silence >= self.limits.degraded {
            Health::Degraded
        } else {
            self.health
        }
    }

    fn becomes(&mut self, health: Health, silence: Duration) -> Option<Effect> {
        let before = std::mem::replace(&mut self.health, health);
        (before != health).then_some(Effect::Show(health, silence))
    }
}

#[cfg(test)]
#[path = "health_test.rs"]
mod tests;
