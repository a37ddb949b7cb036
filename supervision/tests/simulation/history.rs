//! What the events say of each supervisor, held against its description.

use std::collections::{BTreeMap, VecDeque};

use triarch_supervision::clock::Moment;
use triarch_supervision::policy::{Intensity, Restart};
use triarch_supervision::supervisor::Decision;
use triarch_supervision::tree::{Event, Fact};

use crate::ledger::Book;
use crate::plan::Team;

/// One life of one supervisor.
#[derive(Default)]
struct Past {
    restarts: VecDeque<(Moment, String)>,
    starts: BTreeMap<String, u64>,
    caused: BTreeMap<String, u64>,
    all_caused: u64,
}

pub(crate) struct History<'a> {
    pub(crate) teams: &'a [Team],
    pub(crate) root_intensity: Intensity,
    /// Starts that somebody asked for, by path.
    pub(crate) asked_starts: &'a BTreeMap<String, u64>,
}

impl History<'_> {
    /// Checks S8 and S9 and returns what is wrong.
    pub(crate) fn check(&self, events: &[Event], book: &Book) -> Vec<String> {
        let policies: BTreeMap<&str, Restart> = book.slots.iter().map(|slot| (&*slot.path, slot.restart)).collect();
        let mut pasts: BTreeMap<String, Past> = BTreeMap::new();
        let mut lives: BTreeMap<String, u64> = BTreeMap::new();
        let mut faults = Vec::new();
        for event in events {
            let Fact::Decision(decision) = &event.fact else {
                continue;
            };
            if let (Decision::Ended { child, .. }, "root") = (decision, &*event.supervisor) {
                pasts.remove(child.as_str());
            }
            let past = pasts.entry(event.supervisor.to_string()).or_default();
            self.check_intensity(event, decision, past, &mut faults);
            let path = |child: &str| format!("{}/{child}", event.supervisor);
            match decision {
                Decision::Restarting { child, reason, .. } => {
                    let policy = policies.get(&*path(child.as_str()));
                    let is_wrong = policy == Some(&Restart::Temporary)
                        || (policy == Some(&Restart::Transient) && !reason.is_failure());
                    if is_wrong {
                        faults.push(format!(
                            "S9 {} is {policy:?} and restarts after it {reason}",
                            path(child.as_str())
                        ));
                    }
                }
                Decision::Started { child, incarnation } => {
                    let path = path(child.as_str());
                    if lives
                        .insert(path.clone(), *incarnation)
                        .is_some_and(|before| before >= *incarnation)
                    {
                        faults.push(format!("S3 {path} started as life {incarnation} after a later one"));
                    }
                    self.check_start(&path, child.as_str(), past, policies.get(&*path).copied(), &mut faults);
                }
                _ => {}
            }
        }
        faults
    }

    fn intensity_of(&self, supervisor: &str) -> Option<Intensity> {
        if supervisor == "root" {
            return Some(self.root_intensity);
        }
        self.teams
            .iter()
            .find(|team| team.path == supervisor)
            .map(|team| team.intensity)
    }

    fn check_intensity(&self, event: &Event, decision: &Decision, past: &mut Past, faults: &mut Vec<String>) {
        let Some(intensity) = self.intensity_of(&event.supervisor) else {
            return;
        };
        past.restarts.retain(|(at, _)| event.at.since(*at) <= intensity.period);
        let supervisor = &event.supervisor;
        match decision {
            Decision::Restarting { child, .. } => {
                past.restarts.push_back((event.at, child.to_string()));
                *past.caused.entry(child.to_string()).or_default() += 1;
                past.all_caused += 1;
                if past.restarts.len() > intensity.restarts as usize {
                    faults.push(format!("S8 {supervisor} restarted more than {intensity:?} allows"));
                }
            }
            Decision::Quarantined { child, .. } => past.restarts.retain(|(_, other)| other != child.as_str()),
            Decision::Escalated(_) if past.restarts.len() < intensity.restarts as usize => {
                faults.push(format!(
                    "S8 {supervisor} gave up after {} of {intensity:?}",
                    past.restarts.len()
                ));
            }
            _ => {}
        }
    }

    fn check_start(&self, path: &str, child: &str, past: &mut Past, policy: Option<Restart>, faults: &mut Vec<String>) {
        let starts = past.starts.entry(child.to_owned()).or_default();
        *starts += 1;
        let asked = self.asked_starts.get(path).copied().unwrap_or(0);
        let is_group = self
            .teams
            .iter()
            .any(|team| path.starts_with(&format!("{}/", team.path)) && team.restarts_groups());
        let caused = if is_group {
            past.all_caused
        } else {
            past.caused.get(child).copied().unwrap_or(0)
        };
        if *starts > 1 + caused + asked {
            faults.push(format!(
                "S9 {path} started {starts} times for {caused} restarts and {asked} wishes"
            ));
        }
        if policy == Some(Restart::Temporary) && *starts > 1 {
            faults.push(format!("S9 {path} is temporary and started {starts} times"));
        }
    }
}
