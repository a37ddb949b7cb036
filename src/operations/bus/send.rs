//! Sending to agents by their paths.

use std::collections::HashSet;
use std::convert::Infallible;
use std::str::FromStr;
use std::sync::Arc;

use clap::Args;
use serde::{Deserialize, Serialize};
use triarch_bus::{Bus, PublishError};

use super::super::meant::{find_agent, find_team};
use super::super::posts::SENDER;
use super::super::{Code, Operation, Trouble};
use super::words::{Marks, Words};
use crate::fleet::Fleet;

/// So many may be named at once.
const NAMES_MAX: usize = 1_000;

/// Sends to one agent, to several or to a whole team; each gets it as an event, until it has answered it.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BusSend {
    /// Who gets it: the path of an agent, such as crew/clerk, or a team; several with commas between them.
    pub(crate) to: Addressees,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) words: Words,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) marks: Marks,
}

/// Who is sent to: paths of agents, and teams.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub(crate) struct Addressees(Vec<String>);

/// One, or a list.
#[derive(Deserialize)]
#[serde(untagged, expecting = "the path of an agent, the name of a team, or a list of such")]
enum Written {
    One(String),
    Several(Vec<String>),
}

impl From<Written> for Addressees {
    fn from(written: Written) -> Self {
        Self(match written {
            Written::One(one) => vec![one],
            Written::Several(several) => several,
        })
    }
}

impl FromStr for Addressees {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.split(',').map(str::to_owned).collect()))
    }
}

impl Addressees {
    /// The paths of all who are named, each once, in the order they are named in.
    fn paths(&self, mut members: impl FnMut(&str) -> Result<Vec<Arc<str>>, Trouble>) -> Result<Vec<Arc<str>>, Trouble> {
        let mut seen = HashSet::new();
        let names: Vec<&str> = self
            .0
            .iter()
            .map(|name| &**name)
            .filter(|name| seen.insert(*name))
            .collect();
        if names.len() > NAMES_MAX {
            let message = format!("{} are named, and {NAMES_MAX} is the most for one event", names.len());
            let remedy = "name a team in the place of its agents, or send it to some at a time";
            return Err(Trouble::new(Code::Usage, message, remedy));
        }
        let (mut known, mut paths) = (HashSet::new(), Vec::new());
        for name in names {
            let meant = if name.contains('/') {
                vec![Arc::from(name)]
            } else {
                members(name)?
            };
            // Whoever is named twice gets it once.
            paths.extend(meant.into_iter().filter(|path| known.insert(Arc::clone(path))));
        }
        Ok(paths)
    }
}

/// What was sent to one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SentTo {
    pub(crate) to: String,
    pub(crate) id: String,
}

impl Operation for BusSend {
    const NAME: &'static str = "bus.send";
    type Output = Vec<SentTo>;

    async fn perform(self, fleet: &Fleet) -> Result<Vec<SentTo>, Trouble> {
        send(fleet.bus()?, Some(fleet), SENDER, &self)
    }
}

/// Sends for `from`: to all of them, or to nobody. Where the fleet is known, whoever is not there is told from who was meant.
pub(crate) fn send(bus: &Bus, fleet: Option<&Fleet>, from: &str, asked: &BusSend) -> Result<Vec<SentTo>, Trouble> {
    let paths = asked.to.paths(|team| members(bus, fleet, team))?;
    let sent = bus.multicast(from, &paths, &asked.marks.on(asked.words.draft()));
    let sent = sent.map_err(|error| match error {
        PublishError::NoSuchAgent { path } => nobody(fleet, &path),
        error => error.into(),
    })?;
    let seen = paths.iter().zip(sent).map(|(path, published)| SentTo {
        to: path.to_string(),
        id: published.id.to_string(),
    });
    Ok(seen.collect())
}

/// The agents of a team.
fn members(bus: &Bus, fleet: Option<&Fleet>, team: &str) -> Result<Vec<Arc<str>>, Trouble> {
    let members = bus.team(team);
    if members.is_empty() {
        fleet.map_or_else(|| Err(Trouble::no_such_team(team)), |fleet| find_team(fleet, team))?;
    }
    Ok(members)
}

/// Why nobody takes what is sent to that path.
fn nobody(fleet: Option<&Fleet>, path: &str) -> Trouble {
    match fleet.map(|fleet| find_agent(fleet, path)) {
        None => Trouble::no_such_agent(path),
        Some(Err(trouble)) => trouble,
        // It is there, and is no agent of a team; or a part of its team was named.
        Some(Ok(place)) if place.plain() == path => Trouble::takes_no_posts(path),
        Some(Ok(place)) => {
            let message = format!("what is sent to {path} is for {}", place.plain());
            Trouble::new(Code::Usage, message, "name it so")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_is_named_or_several() {
        let several = Addressees(vec!["crew/a".to_owned(), "office".to_owned()]);
        assert_eq!("crew/a,office".parse(), Ok(several.clone()));
        let read = |to| serde_json::from_value::<BusSend>(json!({ "to": to })).map(|asked| asked.to);
        assert_eq!(read(json!(["crew/a", "office"])).unwrap(), several);
        assert_eq!(read(json!("crew/a")).unwrap(), Addressees(vec!["crew/a".to_owned()]));
        assert_eq!(serde_json::to_value(&several).unwrap(), json!(["crew/a", "office"]));
        let wrong = read(json!(7)).unwrap_err().to_string();
        assert!(
            wrong.contains("the path of an agent, the name of a team, or a list"),
            "{wrong}"
        );
    }

    #[test]
    fn a_name_is_looked_up_once_however_often_it_is_said_and_so_many_may_be_said() {
        let mut asked = 0;
        let mut crew = |team: &str| {
            asked += 1;
            Ok(["a", "b"].map(|agent| format!("{team}/{agent}").into()).to_vec())
        };
        let mut names = vec!["crew/b".to_owned()];
        names.extend(vec!["crew".to_owned(); 250_000]);
        let paths = Addressees(names).paths(&mut crew).unwrap();
        assert_eq!(paths, ["crew/b", "crew/a"].map(Arc::from));
        let many = |count: usize| Addressees((0..count).map(|number| format!("crew/{number}")).collect());
        assert_eq!(many(NAMES_MAX).paths(&mut crew).unwrap().len(), NAMES_MAX);
        let refused = many(NAMES_MAX + 1).paths(&mut crew).unwrap_err();
        assert_eq!(refused.code, Code::Usage);
        assert_eq!(
            refused.told(),
            "1001 are named, and 1000 is the most for one event; name a team in the place of its agents, or send it to some at a time"
        );
        assert_eq!(asked, 1);
    }

    #[test]
    fn an_option_that_means_nothing_is_refused() {
        for (key, value) in [
            ("topic", json!("a")),
            ("after", json!("1s")),
            ("prority", json!("high")),
        ] {
            let told = serde_json::from_value::<BusSend>(json!({ "to": "crew/a", key: value }));
            let told = told.unwrap_err().to_string();
            assert!(told.contains(&format!("unknown field `{key}`")), "{told}");
        }
    }
}
