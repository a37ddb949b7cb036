//! What changes, in words.

use crate::config::Setting;

/// What changes while the runtime runs, as people know it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// Settings of the runtime or of its rooms.
    Settings(Vec<Setting>),
    TeamRemoved {
        team: String,
    },
    TeamAdded {
        team: String,
    },
    /// It bears other limits; nobody is stopped for it.
    TeamAdjusted {
        team: String,
        keys: Vec<String>,
    },
    /// All of it is stopped and started.
    TeamRestarted {
        team: String,
        keys: Vec<String>,
    },
    AgentRemoved {
        team: String,
        agent: String,
    },
    AgentAdded {
        team: String,
        agent: String,
    },
    Replicas {
        team: String,
        agent: String,
        from: Option<usize>,
        to: Option<usize>,
    },
    AgentChanged {
        team: String,
        agent: String,
        keys: Vec<String>,
    },
    /// One that was spawned stands in the description now.
    AgentDescribed {
        team: String,
        agent: String,
    },
    /// Agents of a team, or the teams themselves, start in another order.
    Reordered {
        team: Option<String>,
    },
    /// Those that came have the place in the order that they are described at, which is no news.
    Placed {
        team: Option<String>,
    },
}

impl Change {
    /// What there is to tell of it.
    pub(crate) fn told(&self) -> Vec<String> {
        let told = match self {
            Self::Settings(settings) => return settings.iter().map(ToString::to_string).collect(),
            Self::TeamRemoved { team } => format!("team {team} goes"),
            Self::TeamAdded { team } => format!("team {team} comes"),
            Self::TeamAdjusted { team, keys } => format!("team {team}: {}", keys.join(", ")),
            Self::TeamRestarted { team, keys } => {
                format!("team {team}: {}, with a restart of all its agents", keys.join(", "))
            }
            Self::AgentRemoved { team, agent } => format!("agent {team}/{agent} goes"),
            Self::AgentAdded { team, agent } => format!("agent {team}/{agent} comes"),
            Self::Replicas { team, agent, from, to } => {
                let [from, to] = [from, to].map(|count| count.map_or("one".to_owned(), |count| count.to_string()));
                format!("agent {team}/{agent}: replicas: {from} → {to}")
            }
            Self::AgentChanged { team, agent, keys } => format!("agent {team}/{agent}: {}", keys.join(", ")),
            Self::AgentDescribed { team, agent } => format!("agent {team}/{agent} stands in the description now"),
            Self::Reordered { team: None } => {
                "teams start in another order, from the next start of the runtime on".to_owned()
            }
            Self::Reordered { team: Some(team) } => {
                format!("agents of team {team} start in another order, from its next start on")
            }
            Self::Placed { .. } => return Vec::new(),
        };
        vec![told]
    }
}
