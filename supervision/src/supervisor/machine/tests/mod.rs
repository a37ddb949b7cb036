//! Sentences about the machine, each a test. Effects are compared as text, so that a test reads as a script.

mod admin;
mod autoshutdown;
mod backoff;
mod crowds;
mod groups;
mod intensity;
mod invariants;
mod properties;
pub(super) mod scale;
mod shutdown;
mod stale;
mod startup;
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::clock::Seeded;
use crate::name::Name;
use crate::policy::{Backoff, Intensity, OnLimit, Shutdown};
use crate::reason::{Escalation, Failure, KillCause};

const SECOND: Duration = Duration::from_secs(1);
const NANOSECOND: Duration = Duration::from_nanos(1);

fn just_under(time: Duration) -> Duration {
    time.saturating_sub(NANOSECOND)
}

fn name(text: &str) -> Name {
    match Name::new(text) {
        Ok(name) => name,
        Err(error) => panic!("{error}"),
    }
}

fn failure() -> ExitReason {
    ExitReason::Error(Failure::new("broken"))
}

/// What a child's specification says in most tests: permanent, two seconds to stop, five to start.
fn permanent() -> ChildPolicy {
    ChildPolicy {
        shutdown: Shutdown::Within(2 * SECOND),
        start_within: Some(5 * SECOND),
        ..ChildPolicy::default()
    }
}

fn transient() -> ChildPolicy {
    ChildPolicy {
        restart: Restart::Transient,
        ..permanent()
    }
}

fn temporary() -> ChildPolicy {
    ChildPolicy {
        restart: Restart::Temporary,
        ..permanent()
    }
}

fn significant(policy: ChildPolicy) -> ChildPolicy {
    ChildPolicy {
        significant: true,
        ..policy
    }
}

fn stops_by(shutdown: Shutdown) -> ChildPolicy {
    ChildPolicy {
        shutdown,
        ..permanent()
    }
}

fn quarantining() -> ChildPolicy {
    ChildPolicy {
        on_limit: OnLimit::Quarantine,
        ..permanent()
    }
}

fn supervisor(strategy: Strategy) -> SupervisorPolicy {
    SupervisorPolicy {
        strategy,
        intensity: Intensity::new(3, 10 * SECOND),
        ..SupervisorPolicy::default()
    }
}

fn one_for_one() -> SupervisorPolicy {
    supervisor(Strategy::OneForOne)
}

fn one_for_all() -> SupervisorPolicy {
    supervisor(Strategy::OneForAll)
}

fn rest_for_one() -> SupervisorPolicy {
    supervisor(Strategy::RestForOne)
}

fn dynamic() -> SupervisorPolicy {
    supervisor(Strategy::SimpleOneForOne)
}

/// Chance that counts how often it was asked.
struct Even {
    drawn: usize,
}

impl Chance for Even {
    fn unit(&mut self) -> f64 {
        self.drawn += 1;
        0.5
    }
}

/// A machine, a clock, and the alarms it asked for.
struct Case {
    machine: Machine,
    now: Moment,
    chance: Even,
    alarms: Vec<(Moment, Alarm)>,
    names: BTreeMap<ChildKey, String>,
    decisions: Vec<Decision>,
    next_key: u64,
    next_call: u64,
}

impl Case {
    fn new(policy: SupervisorPolicy, children: &[(&str, ChildPolicy)]) -> Self {
        let listed: Vec<_> = children
            .iter()
            .zip(1..)
            .map(|((text, policy), key)| (ChildKey(key), name(text), *policy))
            .collect();
        let names = listed.iter().map(|(key, name, _)| (*key, name.to_string())).collect();
        let machine = match Machine::new(policy, listed) {
            Ok(machine) => machine,
            Err(error) => panic!("{error}"),
        };
        Self {
            machine,
            now: Moment::from_nanos(1_000_000_000_000),
            chance: Even { drawn: 0 },
            alarms: Vec::new(),
            names,
            decisions: Vec::new(),
            next_key: 1000,
            next_call: 0,
        }
    }

    /// A case whose children, all of one policy, are up.
    fn up(policy: SupervisorPolicy, child: ChildPolicy, names: &[&str]) -> Self {
        let children: Vec<_> = names.iter().map(|name| (*name, child)).collect();
        Self::all_up(policy, &children)
    }

    fn all_up(policy: SupervisorPolicy, children: &[(&str, ChildPolicy)]) -> Self {
        let mut case = Self::new(policy, children);
        case.boot();
        for (name, _) in children {
            case.started(name);
        }
        case.decisions.clear();
        case
    }

    fn give(&mut self, input: Input) -> String {
        let mut effects = Vec::new();
        self.machine.step(input, self.now, &mut self.chance, &mut effects);
        let words: Vec<_> = effects.into_iter().filter_map(|effect| self.note(effect)).collect();
        words.join(", ")
    }

    /// Keeps alarms and decisions; puts the rest in words.
    fn note(&mut self, effect: Effect) -> Option<String> {
        match effect {
            Effect::Arm { alarm, at } => self.alarms.push((at, alarm)),
            Effect::Tell(decision) => self.decisions.push(decision),
            Effect::Start { key, incarnation } => return Some(format!("start {}{incarnation}", self.names[&key])),
            Effect::Stop { key, incarnation } => return Some(format!("stop {}{incarnation}", self.names[&key])),
            Effect::Kill {
                key,
                incarnation,
                cause,
            } => return Some(format!("kill {}{incarnation} {cause:?}", self.names[&key])),
            Effect::Forget { key } => return Some(format!("forget {}", self.names[&key])),
            Effect::Ready => return Some("ready".into()),
            Effect::Answer { call, result } => {
                return Some(match result {
                    Ok(outcome) => format!("#{} {outcome:?}", call.0),
                    Err(error) => format!("#{} {}", call.0, variant(&error)),
                });
            }
            Effect::End { reason, overdue } => {
                let overdue = overdue.iter().map(in_report).collect::<String>();
                return Some(format!("end {}{overdue}", variant(&reason)));
            }
        }
        None
    }

    fn key(&self, child: &str) -> ChildKey {
        match self.names.iter().rfind(|(_, name)| *name == child) {
            Some((key, _)) => *key,
            None => panic!("no child {child}"),
        }
    }

    /// The incarnation that was last started.
    fn last(&self, child: &str) -> (ChildKey, Incarnation) {
        let key = self.key(child);
        let incarnation = self.machine.children.get(key).map_or(0, |child| child.incarnation);
        (key, incarnation)
    }

    fn boot(&mut self) -> String {
        self.give(Input::Boot)
    }

    fn started(&mut self, child: &str) -> String {
        let (key, incarnation) = self.last(child);
        self.give(Input::Started { key, incarnation })
    }

    fn not_started(&mut self, child: &str, why: NotStarted) -> String {
        let (key, incarnation) = self.last(child);
        self.give(Input::NotStarted { key, incarnation, why })
    }

    fn fails_to_start(&mut self, child: &str) -> String {
        self.not_started(child, NotStarted::Failed(failure()))
    }

    fn ignores(&mut self, child: &str) -> String {
        self.not_started(child, NotStarted::Ignored)
    }

    fn exits(&mut self, child: &str, reason: ExitReason) -> String {
        let (key, incarnation) = self.last(child);
        self.give(Input::Exited {
            key,
            incarnation,
            reason,
        })
    }

    fn fails(&mut self, child: &str) -> String {
        self.exits(child, failure())
    }

    fn stops(&mut self, child: &str) -> String {
        self.exits(child, ExitReason::Shutdown)
    }

    fn is_stuck(&mut self, child: &str) -> String {
        let (key, incarnation) = self.last(child);
        self.give(Input::Stuck { key, incarnation })
    }

    fn is_killed(&mut self, child: &str) -> String {
        let (key, incarnation) = self.last(child);
        self.give(Input::Kill { key, incarnation })
    }

    fn withdraw(&mut self, child: &str) -> String {
        let key = self.key(child);
        self.give(Input::Withdraw { key })
    }

    fn stop(&mut self) -> String {
        self.give(Input::Stop)
    }

    fn call(&mut self, request: Request) -> String {
        self.next_call += 1;
        self.give(Input::Call {
            call: CallId(self.next_call),
            request,
        })
    }

    fn start_child(&mut self, child: &str, policy: ChildPolicy) -> String {
        self.next_key += 1;
        let key = ChildKey(self.next_key);
        let existing = self.machine.child(child).is_some();
        if !existing {
            self.names.insert(key, child.into());
        }
        self.call(Request::Start {
            key,
            name: name(child),
            policy,
        })
    }

    fn terminate(&mut self, child: &str) -> String {
        self.call(Request::Terminate(name(child)))
    }

    fn restart(&mut self, child: &str) -> String {
        self.call(Request::Restart(name(child)))
    }

    fn delete(&mut self, child: &str) -> String {
        self.call(Request::Delete(name(child)))
    }

    fn retry(&mut self, child: &str) -> String {
        self.call(Request::Retry(name(child)))
    }

    /// Lets time pass; alarms that come due are given in their order.
    fn wait(&mut self, time: Duration) -> String {
        let until = self.now + time;
        let mut words = Vec::new();
        loop {
            self.alarms.sort_by_key(|(at, alarm)| (*at, alarm.serial));
            match self.alarms.first().copied() {
                Some((at, alarm)) if at <= until => {
                    self.alarms.remove(0);
                    self.now = self.now.max(at);
                    words.push(self.give(Input::Alarm(alarm)));
                }
                _ => break,
            }
        }
        self.now = until;
        words.retain(|words| !words.is_empty());
        words.join(", ")
    }

    /// What waits in the supervisor's own queue.
    fn queue(&mut self) -> String {
        self.wait(Duration::ZERO)
    }

    fn state(&self, child: &str) -> Option<ChildState> {
        self.machine.child(child).map(|view| view.state)
    }

    /// The decisions since the last look, each as its kind and child.
    fn told(&mut self) -> String {
        let words: Vec<_> = std::mem::take(&mut self.decisions).iter().map(in_words).collect();
        words.join(", ")
    }
}

fn in_report(overdue: &Overdue) -> String {
    let end = if overdue.ended { "killed" } else { "left" };
    format!(
        " {}{} {end} after {:?}",
        overdue.child, overdue.incarnation, overdue.waited
    )
}

fn in_words(decision: &Decision) -> String {
    match decision {
        Decision::Started { child, incarnation } => format!("started {child}{incarnation}"),
        Decision::Ignored { child } => format!("ignored {child}"),
        Decision::Ended {
            child,
            incarnation,
            reason,
        } => format!("ended {child}{incarnation} {}", variant(reason)),
        Decision::Restarting {
            child,
            attempt,
            delay,
            siblings,
            restarts: used,
            allowed,
            ..
        } => format!("restarting {child} attempt {attempt} after {delay:?} with {siblings} ({used}/{allowed})"),
        Decision::LetGo { child, .. } => format!("let go {child}"),
        Decision::Quarantined { child, .. } => format!("quarantined {child}"),
        Decision::Killed {
            child,
            incarnation,
            cause,
        } => format!("killed {child}{incarnation} {cause:?}"),
        Decision::Unkillable { child, incarnation } => format!("unkillable {child}{incarnation}"),
        Decision::Escalated(escalation) => format!("escalated {}", escalation.child),
        Decision::AutoShutdown { child } => format!("auto-shutdown {child}"),
    }
}

/// The name of a variant, without what it holds.
fn variant(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

/// Chance for cases that do not care.
fn any_chance() -> Seeded {
    Seeded::new(1)
}
