//! Who may publish on a topic and hear what is published on it.

use std::sync::Arc;

use crate::topic::{Pattern, Topic};

/// Topics that some teams have to themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The topics.
    pub topics: Pattern,
    /// The teams that may publish and subscribe there.
    pub teams: Vec<Arc<str>>,
}

/// Somebody may not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{who} may not {what} {topic}: {limit} is for {teams} alone; ask through one of these, or have the limit changed"
)]
pub struct NotAllowed {
    /// Who.
    pub who: Arc<str>,
    /// `publish on` or `subscribe to`.
    pub what: &'static str,
    /// The topic.
    pub topic: Topic,
    /// The topics that are limited.
    pub limit: Pattern,
    /// For whom they are.
    pub teams: String,
}

/// All limits: a topic that none stands for is open to all, and one that several stand for to those all of them name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access(pub(crate) Vec<Limit>);

impl Access {
    /// The limit that keeps `who` from `topic`.
    pub(crate) fn limit(&self, who: &str, topic: &Topic) -> Option<&Limit> {
        let team = team_of(who);
        let keeps_out = |limit: &&Limit| limit.topics.matches(topic) && !limit.teams.iter().any(|one| **one == *team);
        self.0.iter().find(keeps_out)
    }

    pub(crate) fn check(&self, who: &Arc<str>, what: &'static str, topic: &Topic) -> Result<(), NotAllowed> {
        self.limit(who, topic).map_or(Ok(()), |limit| {
            Err(NotAllowed {
                who: Arc::clone(who),
                what,
                topic: topic.clone(),
                limit: limit.topics.clone(),
                teams: limit.teams.join(", "),
            })
        })
    }
}

/// The team of an agent, by its path: parts of a team that was split are the team.
pub(crate) fn team_of(path: &str) -> &str {
    let supervisor = path.split('/').next().unwrap_or(path);
    supervisor.split('.').next().unwrap_or(supervisor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limited_topic_is_for_the_teams_that_every_limit_on_it_names() {
        let limit = |topics: &str, teams: &[&str]| Limit {
            topics: Pattern::new(topics).unwrap(),
            teams: teams.iter().map(|team| Arc::from(*team)).collect(),
        };
        let access = Access(vec![
            limit("plant.**", &["plant", "office"]),
            limit("plant.pay.*", &["office"]),
        ]);
        for (who, topic, may) in [
            ("plant/pump", "plant.readings", true),
            ("plant.2/pump", "plant.readings", true),
            ("planted/pump", "plant.readings", false),
            ("shop/till", "plant.readings", false),
            ("shop/till", "shop.sales", true),
            ("plant/pump", "plant.pay.slips", false),
            ("office", "plant.pay.slips", true),
        ] {
            let checked = access.check(&Arc::from(who), "publish on", &Topic::new(topic).unwrap());
            assert_eq!(checked.is_ok(), may, "{who} {topic}");
        }
        let refused = access.check(&Arc::from("shop/till"), "publish on", &Topic::new("plant.x").unwrap());
        assert_eq!(
            refused.unwrap_err().to_string(),
            "shop/till may not publish on plant.x: plant.** is for plant, office alone; ask through one of these, or have \
             the limit changed"
        );
    }
}
