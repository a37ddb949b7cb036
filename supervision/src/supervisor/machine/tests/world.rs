//! A world that answers the machine's effects, well or badly, and remembers what it saw.

use std::collections::BTreeSet;

use super::*;

/// An incarnation as the world knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Living {
    pub(super) incarnation: Incarnation,
    pub(super) has_started: bool,
    pub(super) is_asked: bool,
    /// No kill ends it.
    pub(super) is_immortal: bool,
}

pub(super) struct World {
    pub(super) machine: Machine,
    pub(super) now: Moment,
    pub(super) chance: Seeded,
    pub(super) living: BTreeMap<ChildKey, Living>,
    pub(super) alarms: BTreeSet<(Moment, u64, ChildKey)>,
    pub(super) specified: BTreeMap<ChildKey, (Name, ChildPolicy)>,
    pub(super) last: BTreeMap<ChildKey, Incarnation>,
    pub(super) forgotten: BTreeSet<ChildKey>,
    pub(super) unanswered: BTreeMap<CallId, Request>,
    pub(super) restarts: Vec<(Moment, Name)>,
    pub(super) ends_told: BTreeSet<(Name, Incarnation)>,
    pub(super) unkillable: BTreeSet<(Name, Incarnation)>,
    /// Children that may be down: terminated, let go, declined, or refused to a caller.
    pub(super) excused: BTreeSet<Name>,
    pub(super) terminated: BTreeSet<Name>,
    pub(super) for_callers: BTreeSet<ChildKey>,
    pub(super) last_in_turn: Option<ChildKey>,
    pub(super) is_ready: bool,
    pub(super) has_ended: bool,
    pub(super) is_ending: bool,
    /// Every so many incarnations one is immortal.
    pub(super) immortal_every: u64,
    pub(super) started: u64,
    pub(super) next: u64,
}

impl World {
    pub(super) fn new(policy: SupervisorPolicy, children: &[ChildPolicy], immortal_every: u64) -> Self {
        let listed: Vec<_> = (1..)
            .zip(children)
            .map(|(number, policy)| (ChildKey(number), name(&format!("c{number}")), *policy))
            .collect();
        let specified = listed.iter().map(|(key, name, policy)| (*key, (name.clone(), *policy)));
        let specified = specified.collect();
        let mut machine = match Machine::new(policy, listed) {
            Ok(machine) => machine,
            Err(error) => panic!("{error}"),
        };
        // Few enough that others often have their turn in between.
        machine.in_portions_of(2);
        Self {
            specified,
            machine,
            now: Moment::from_nanos(1_000_000_000_000),
            chance: Seeded::new(7),
            living: BTreeMap::new(),
            alarms: BTreeSet::new(),
            last: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            unanswered: BTreeMap::new(),
            restarts: Vec::new(),
            ends_told: BTreeSet::new(),
            unkillable: BTreeSet::new(),
            excused: BTreeSet::new(),
            terminated: BTreeSet::new(),
            for_callers: BTreeSet::new(),
            last_in_turn: None,
            is_ready: false,
            has_ended: false,
            is_ending: false,
            immortal_every,
            started: 0,
            next: 100,
        }
    }

    pub(super) fn give(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.machine.step(input, self.now, &mut self.chance, &mut effects);
        for effect in effects {
            self.perform(effect);
        }
        self.is_ending = self.machine.is_ending();
        self.check_parallel_stop();
        self.check_tallies();
        self.check_waiting();
    }

    pub(super) fn call(&mut self, request: Request) {
        self.next += 1;
        let call = CallId(self.next);
        self.unanswered.insert(call, request.clone());
        match &request {
            Request::Start { key, name, policy } => {
                self.specified.insert(*key, (name.clone(), *policy));
                self.for_callers.insert(*key);
            }
            Request::Place(children) => {
                let placed = children.iter().cloned();
                self.specified
                    .extend(placed.map(|(key, name, policy)| (key, (name, policy))));
            }
            Request::Terminate(name) => {
                self.terminated.insert(name.clone());
            }
            Request::StartPlaced(name) | Request::Restart(name) | Request::Retry(name) => {
                if let Some(view) = self.machine.child(name.as_str())
                    && matches!(view.state, ChildState::Down | ChildState::Quarantined)
                {
                    self.for_callers.insert(view.key);
                    self.terminated.remove(name);
                }
            }
            Request::Delete(_) => {}
        }
        self.give(Input::Call { call, request });
    }

    /// Restarts of the period that ends now are borne in mind, as many of the newest as are allowed from now on.
    pub(super) fn adjust(&mut self, adjustment: Adjustment) {
        if !self.machine.has_ended() {
            let period = self.machine.policy.intensity.period;
            self.restarts.retain(|(at, _)| self.now.since(*at) <= period);
            let allowed = usize::try_from(adjustment.intensity.restarts).unwrap();
            let beyond = self.restarts.len().saturating_sub(allowed);
            self.restarts.drain(..beyond);
        }
        self.give(Input::Adjust(adjustment));
    }

    pub(super) fn start_child(&mut self, number: u64, policy: ChildPolicy) {
        self.next += 1;
        let request = Request::Start {
            key: ChildKey(self.next),
            name: name(&format!("c{number}")),
            policy,
        };
        self.call(request);
    }

    /// The world's end of an incarnation, told to the machine.
    pub(super) fn end(&mut self, key: ChildKey, reason: ExitReason) {
        let Some(living) = self.living.remove(&key) else {
            return;
        };
        let incarnation = living.incarnation;
        let had_ended = self.has_ended;
        self.give(if living.has_started {
            Input::Exited {
                key,
                incarnation,
                reason,
            }
        } else if reason == ExitReason::Normal {
            Input::NotStarted {
                key,
                incarnation,
                why: NotStarted::Ignored,
            }
        } else {
            Input::NotStarted {
                key,
                incarnation,
                why: NotStarted::Failed(reason),
            }
        });
        let child = self.specified.get(&key).map(|(name, _)| (name.clone(), incarnation));
        assert!(
            had_ended || child.is_none_or(|end| self.ends_told.contains(&end)),
            "I15: untold end of {key:?}"
        );
    }

    pub(super) fn starts(&mut self, key: ChildKey) {
        if let Some(living) = self.living.get_mut(&key).filter(|living| !living.has_started) {
            living.has_started = true;
            let incarnation = living.incarnation;
            self.give(Input::Started { key, incarnation });
        }
    }

    /// Lets time pass until the next alarm, and gives it; false where there is none.
    pub(super) fn next_alarm(&mut self) -> bool {
        let Some((at, serial, key)) = self.alarms.pop_first() else {
            return false;
        };
        self.now = self.now.max(at);
        self.give(Input::Alarm(Alarm { serial, key }));
        true
    }

    /// Gives an input that is stale, and holds the machine to not caring.
    pub(super) fn give_stale(&mut self, input: &Input) {
        let before = format!("{:?}", self.machine);
        let mut effects = Vec::new();
        self.machine
            .step(input.clone(), self.now, &mut self.chance, &mut effects);
        assert!(effects.is_empty(), "I10: {input:?} did {effects:?}");
        assert_eq!(before, format!("{:?}", self.machine), "I10: {input:?}");
    }

    fn perform(&mut self, effect: Effect) {
        let is_late = matches!(
            effect,
            Effect::Answer {
                result: Err(AdminError::Ending),
                ..
            }
        );
        assert!(!self.has_ended || is_late, "I5: {effect:?}");
        match effect {
            Effect::Start { key, incarnation } => self.start(key, incarnation),
            Effect::Stop { key, incarnation } => self.stop(key, incarnation, None),
            Effect::Kill {
                key,
                incarnation,
                cause,
            } => self.stop(key, incarnation, Some(cause)),
            Effect::Arm { alarm, at } => {
                assert!(self.alarms.iter().all(|(_, serial, _)| *serial != alarm.serial));
                self.alarms.insert((at, alarm.serial, alarm.key));
            }
            Effect::Answer { call, result } => self.answer(call, &result),
            Effect::Forget { key } => {
                assert!(!self.living.contains_key(&key), "I11: {key:?} lives");
                assert!(self.forgotten.insert(key), "I11: {key:?} twice");
                self.forget_name(key);
            }
            Effect::Tell(decision) => self.tell(&decision),
            Effect::Ready => {
                assert!(!self.is_ready && !self.is_ending, "I12");
                self.is_ready = true;
                self.last_in_turn = None;
            }
            Effect::End { overdue, .. } => self.finish(&overdue),
        }
    }

    fn start(&mut self, key: ChildKey, incarnation: Incarnation) {
        assert!(!self.living.contains_key(&key), "I1: {key:?} lives");
        let last = self.last.insert(key, incarnation).unwrap_or(0);
        assert!(incarnation > last, "I1: {incarnation} after {last}");
        assert!(!self.forgotten.contains(&key), "I11: {key:?} came back");
        assert!(
            !self.machine.is_ending() || !self.is_ending,
            "nothing starts while ending"
        );
        let Some((name, policy)) = self.specified.get(&key).cloned() else {
            panic!("{key:?} is unknown")
        };
        assert!(incarnation == 1 || policy.restart != Restart::Temporary, "I9: {name}");
        self.check_start_order(key);
        self.excused.remove(&name);
        self.started += 1;
        // What is asked without limit is never killed, so it must end when asked.
        let is_killable = policy.shutdown != Shutdown::Infinity;
        let living = Living {
            incarnation,
            has_started: false,
            is_asked: false,
            is_immortal: is_killable && self.immortal_every > 0 && self.started.is_multiple_of(self.immortal_every),
        };
        self.living.insert(key, living);
    }

    fn stop(&mut self, key: ChildKey, incarnation: Incarnation, cause: Option<KillCause>) {
        let is_first = self.living.get(&key).is_some_and(|living| !living.is_asked);
        if is_first && matches!(cause, None | Some(KillCause::Brutal)) {
            self.check_stop_order(key);
        }
        let Some(living) = self.living.get_mut(&key) else {
            panic!("I14: {key:?} is not alive")
        };
        assert_eq!(living.incarnation, incarnation, "I14");
        living.is_asked = true;
    }

    fn answer(&mut self, call: CallId, result: &Result<Outcome, AdminError>) {
        let Some(request) = self.unanswered.remove(&call) else {
            panic!("I2: {call:?} answered twice: {result:?}")
        };
        let (Request::Terminate(child) | Request::Restart(child) | Request::Retry(child)) = request else {
            return;
        };
        match result {
            Ok(Outcome::Terminated) => {
                self.terminated.remove(&child);
                self.excused.insert(child);
            }
            Err(AdminError::NotStarted { .. } | AdminError::Interrupted { .. }) => {
                self.excused.insert(child);
            }
            _ => {}
        }
    }

    fn forget_name(&mut self, key: ChildKey) {
        if let Some((name, _)) = self.specified.get(&key) {
            self.terminated.remove(name);
            self.excused.remove(name);
            // A later child of that name begins with a first incarnation of its own.
            self.ends_told.retain(|(told, _)| told != name);
            self.unkillable.retain(|(told, _)| told != name);
        }
        self.specified.remove(&key);
    }

    fn tell(&mut self, decision: &Decision) {
        match decision {
            Decision::Restarting {
                child,
                restarts,
                allowed,
                ..
            } => {
                self.last_in_turn = None;
                self.restarts.push((self.now, child.clone()));
                let intensity = self.machine.policy.intensity;
                let used = self
                    .restarts
                    .iter()
                    .filter(|(at, _)| self.now.since(*at) <= intensity.period);
                let used = u32::try_from(used.count()).unwrap_or(u32::MAX);
                assert!(used <= intensity.restarts, "I3: {used} restarts");
                assert_eq!((*restarts, *allowed), (used, intensity.restarts), "I3");
            }
            Decision::Quarantined { child, .. } => self.restarts.retain(|(_, name)| name != child),
            Decision::Ended { child, incarnation, .. } => self.tell_end(child, *incarnation),
            Decision::Ignored { child } => {
                let incarnation = self.machine_incarnation(child);
                self.tell_end(child, incarnation);
                self.excused.insert(child.clone());
            }
            Decision::LetGo { child, .. } => {
                self.excused.insert(child.clone());
            }
            Decision::Unkillable { child, incarnation } => {
                assert!(
                    self.unkillable.insert((child.clone(), *incarnation)),
                    "I15: twice {child}"
                );
            }
            _ => {}
        }
    }

    fn machine_incarnation(&self, child: &Name) -> Incarnation {
        let key = self
            .specified
            .iter()
            .rfind(|(key, (name, _))| name == child && self.last.contains_key(key));
        key.and_then(|(key, _)| self.last.get(key)).copied().unwrap_or(0)
    }

    fn tell_end(&mut self, child: &Name, incarnation: Incarnation) {
        assert!(
            self.ends_told.insert((child.clone(), incarnation)),
            "I15: {child}{incarnation} ended twice"
        );
    }

    /// Has it go on with what it holds back; tells whether there was anything.
    pub(super) fn goes_on(&mut self) -> bool {
        let holds_back = self.machine.holds_back();
        if holds_back {
            self.give(Input::GoOn);
        }
        holds_back
    }

    /// Answers whatever is under way, well, until nothing is.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            let open = |living: &Living| !living.has_started || living.is_asked;
            let ends = |living: &Living| living.is_asked && !living.is_immortal;
            let next = self
                .living
                .iter()
                .find(|(_, living)| open(living) && (ends(living) || !living.has_started));
            match next.map(|(key, living)| (*key, ends(living))) {
                Some((key, true)) => self.end(key, ExitReason::Shutdown),
                Some((key, false)) => self.starts(key),
                None if self.goes_on() || self.next_alarm() => {}
                None => return,
            }
        }
        panic!("the machine does not come to rest");
    }
}
