//! Words of which there are few, in answers that hold many of them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};
use triarch_supervision::agent::AgentKind;
use triarch_supervision::tree::{Level, Phase};

/// A word of a fixed list; one that is read takes room of its own only where it is not on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Word(Cow<'static, str>);

impl From<&'static str> for Word {
    fn from(word: &'static str) -> Self {
        Self(Cow::Borrowed(word))
    }
}

impl Deref for Word {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Reading)
    }
}

struct Reading;

impl Visitor<'_> for Reading {
    type Value = Word;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word")
    }

    fn visit_str<E: Error>(self, read: &str) -> Result<Word, E> {
        let phases = Phase::ALL.iter().map(|phase| phase.label());
        let kinds = [
            AgentKind::Native.label(),
            AgentKind::Program.label(),
            Level::Supervisor.label(),
        ];
        let known = phases.chain(kinds).find(|word| *word == read);
        Ok(Word(known.map_or_else(|| read.to_owned().into(), Cow::Borrowed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_word_is_read_without_room_of_its_own_and_any_other_as_it_is() {
        let read: Vec<Word> = serde_json::from_str(r#"["idle","native","supervisor","id\u006ce","new"]"#).unwrap();
        let are_known = read.iter().map(|word| matches!(word.0, Cow::Borrowed(_)));
        assert_eq!(are_known.collect::<Vec<_>>(), [true, true, true, true, false]);
        assert_eq!(
            read.iter().map(|word| &**word).collect::<Vec<_>>(),
            ["idle", "native", "supervisor", "idle", "new"]
        );
    }
}
