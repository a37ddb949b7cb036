//! Whom an agent writes to, and what came of it.

use std::sync::Arc;

use serde_json::{Value, json};
use triarch_supervision::address::Refusal;
use triarch_supervision::name::{Name, NameError};
use triarch_supervision::tree::Observer;

use crate::error::SettingError;
use crate::post::Post;

/// Paths of agents, in the order they are written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Recipients(Arc<[Arc<str>]>);

impl Recipients {
    /// What the setting `key` of an agent of `team` says.
    pub(super) fn read(key: &str, written: &[String], team: &str) -> Result<Self, SettingError> {
        let path = |text: &String| path(text, team).map_err(|fault| no_path(key, text, &fault));
        written.iter().map(path).collect::<Result<_, _>>().map(Self)
    }

    /// As [`Recipients::read`], where there must be one.
    pub(super) fn read_some(key: &str, written: &[String], team: &str) -> Result<Self, SettingError> {
        if written.is_empty() {
            let problem = format!("`{key}` names nobody");
            return Err(SettingError::of(key, problem, "name an agent, as in \"team/agent\""));
        }
        Self::read(key, written, team)
    }

    /// Whose turn the `number`-th is, from 0, where they take turns.
    pub(super) fn in_turn(&self, number: u64) -> Option<&Arc<str>> {
        let count = u64::try_from(self.0.len()).ok()?;
        let index = usize::try_from(number.checked_rem(count)?).ok()?;
        self.0.get(index)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.iter()
    }
}

fn path(text: &str, team: &str) -> Result<Arc<str>, NameError> {
    let (team, agent) = text.split_once('/').unwrap_or((team, text));
    Name::new(team)?;
    Name::new(agent)?;
    Ok(format!("{team}/{agent}").into())
}

fn no_path(key: &str, text: &str, fault: &NameError) -> SettingError {
    SettingError::of(
        key,
        format!("`{key}` has {text:?}, which is no path of an agent: {fault}"),
        "write \"team/agent\", or \"agent\" for one of the same team",
    )
}

/// What became of the posts an agent sent.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    sent: u64,
    refused: u64,
    last_refusal: Option<String>,
}

impl Outgoing {
    /// Sends without waiting; returns whether the post was queued.
    pub(super) fn send(&mut self, tree: &Observer, to: &str, post: Post) -> bool {
        let Err(error) = tree.try_send_to(to, post) else {
            self.sent += 1;
            return true;
        };
        self.refused += 1;
        let why = match error.why {
            Refusal::NoSuchAgent => {
                format!("cannot send to {to}: nobody stands there; `triarch agent list` shows who does")
            }
            _ => error.to_string(),
        };
        error.message.receipt.failed(why.clone());
        self.last_refusal = Some(why);
        false
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    pub(super) fn shown(&self) -> Value {
        json!({ "sent": self.sent, "refused": self.refused, "last_refusal": self.last_refusal })
    }
}

#[cfg(test)]
mod tests {
    use triarch_supervision::testing::World;

    use super::super::stage::Scene;
    use super::*;

    #[test]
    fn an_agent_of_a_team_that_was_split_is_found_by_the_path_it_is_described_by() {
        World::new(1).run(async |world| {
            let echo = json!({ "name": "echo", "kind": "echo", "replicas": 25 });
            let scene = Scene::new(world, &json!([echo])).await;
            let (tree, mut outgoing) = (scene.tree.observer(), Outgoing::default());
            for (name, is_there) in [
                ("echo-1", true),
                ("echo-11", true),
                ("echo-25", true),
                ("echo-26", false),
            ] {
                let post = scene.office.post("me", "ask", Value::Null);
                let is_sent = outgoing.send(&tree, &format!("team/{name}"), post);
                assert_eq!(is_sent, is_there, "{name}: {}", outgoing.shown());
            }
            world.settle().await;
            assert_eq!(scene.office.ended(), [3, 1, 0], "done, failed, lost");
            let refusal = outgoing.shown()["last_refusal"].to_string();
            assert!(refusal.contains("team/echo-26"), "{refusal}");
            scene.end().await;
        });
    }

    fn read(written: &[&str]) -> Result<Vec<String>, SettingError> {
        let written: Vec<_> = written.iter().map(ToString::to_string).collect();
        let recipients = Recipients::read_some("to", &written, "own")?;
        Ok(recipients.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_name_alone_is_one_of_the_same_team() {
        assert_eq!(read(&["a", "other/b-1"]).unwrap(), ["own/a", "other/b-1"]);
    }

    #[test]
    fn what_is_no_path_names_the_key_and_the_remedy() {
        for text in ["", "a/b/c", "/a", "Other/a"] {
            let fault = read(&["a", text]).unwrap_err();
            assert_eq!(fault.key.as_deref(), Some("to"), "{text}");
            assert!(fault.problem.contains(&format!("{text:?}")), "{fault}");
            assert!(fault.remedy.contains("team/agent"), "{fault}");
        }
        assert_eq!(read(&[]).unwrap_err().problem, "`to` names nobody");
    }

    #[test]
    fn recipients_take_turns() {
        let three = Recipients::read("to", &["a", "b", "c"].map(str::to_owned), "t").unwrap();
        let turns: Vec<_> = (2..6)
            .filter_map(|number| three.in_turn(number))
            .map(|path| &**path)
            .collect();
        assert_eq!(turns, ["t/c", "t/a", "t/b", "t/c"]);
        assert_eq!(Recipients(Arc::default()).in_turn(0), None);
    }
}
