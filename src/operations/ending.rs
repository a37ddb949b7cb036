//! How far the end of the runtime is.

use std::collections::BTreeMap;

use triarch_supervision::tree::Phase;

use crate::fleet::Fleet;

/// That the runtime stops and how far it is, where agents of teams are in such states.
pub(super) fn told(fleet: &Fleet, agents: &BTreeMap<String, usize>) -> Option<String> {
    fleet.ground().is_stopping().then(|| how_far(agents))
}

fn how_far(agents: &BTreeMap<String, usize>) -> String {
    let gone = [Phase::Specified, Phase::Stopped, Phase::Backoff, Phase::Failed].map(Phase::label);
    let left = agents.iter().filter(|(state, _)| !gone.contains(&state.as_str()));
    match (left.map(|(_, count)| count).sum(), agents.values().sum::<usize>()) {
        (0, _) => "the runtime is stopping: all agents have stopped".to_owned(),
        (left, of) => {
            format!("the runtime is stopping: {left} of {of} agents are still there; `triarch tree` shows which")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_an_end_is_counts_those_who_are_still_there() {
        let told = |states: &[(&str, usize)]| {
            let agents = states.iter().map(|(state, count)| ((*state).to_owned(), *count));
            how_far(&agents.collect())
        };
        assert_eq!(
            told(&[("stopped", 8), ("stopping", 1), ("failed", 1)]),
            "the runtime is stopping: 1 of 10 agents are still there; `triarch tree` shows which"
        );
        assert_eq!(
            told(&[("stopped", 8)]),
            "the runtime is stopping: all agents have stopped"
        );
    }
}
