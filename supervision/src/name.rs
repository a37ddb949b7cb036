//! Names of agents, supervisors and rooms.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The longest name, in bytes.
pub const NAME_LENGTH_MAX: usize = 63;

/// A name that stands as one segment of a path: `[a-z0-9][a-z0-9_-]{0,62}`.
#[derive(Clone)]
pub struct Name(Text);

/// So many bytes fit into what the way to a longer text takes.
const SHORT: usize = 14;

/// A text that takes room of its own only where it is long: most names are not, and there are as many as agents.
#[derive(Clone)]
enum Text {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Arc<Box<str>>),
}

const _: () = assert!(size_of::<Text>() == 16, "a name takes two words");

impl Text {
    fn of(text: &str) -> Self {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(room), Ok(length)) => {
                room.copy_from_slice(text.as_bytes());
                Self::Short { length, bytes }
            }
            _ => Self::Long(Arc::new(text.into())),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(text) => text.as_bytes(),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Short { .. } => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Self::Long(text) => text,
        }
    }
}

// As texts are: what looks names up by texts relies on it.
impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes() == other.0.as_bytes()
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.as_bytes().cmp(other.0.as_bytes())
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The text is empty.
    #[error("a name is empty; give it one to {NAME_LENGTH_MAX} of a-z, 0-9, _ and -")]
    Empty,
    /// The text is too long.
    #[error("the name {name:?} has {length} bytes; shorten it to {NAME_LENGTH_MAX} or fewer")]
    TooLong {
        /// The refused text.
        name: String,
        /// Its length in bytes.
        length: usize,
    },
    /// A character is not allowed where it stands.
    #[error(
        "the name {name:?} has {found:?} at position {position}; use a-z, 0-9, _ and -, and begin with a letter or digit"
    )]
    Forbidden {
        /// The refused text.
        name: String,
        /// The first character that is not allowed.
        found: char,
        /// Where it stands, in characters from 0.
        position: usize,
    },
    /// The word names a level of the tree itself.
    #[error("the name {name:?} is reserved for the tree itself; choose another")]
    Reserved {
        /// The refused text.
        name: String,
    },
}

impl Name {
    /// Checks `text` and makes a name of it.
    pub fn new(text: impl AsRef<str>) -> Result<Self, NameError> {
        let text = text.as_ref();
        Self::check(text).map(|()| Self::unchecked(text))
    }

    /// Whether `text` is a name.
    pub(crate) fn check(text: &str) -> Result<(), NameError> {
        first_fault(text).map_or(Ok(()), Err)
    }

    /// The name of the `part`-th supervisor of a team that was split: `team`, `team.1`, `team.2` …
    ///
    /// The full stop is what users cannot write, so a part never clashes with a name of theirs.
    pub(crate) fn part(&self, part: usize) -> Self {
        if part == 0 {
            self.clone()
        } else {
            Self::unchecked(&format!("{self}.{part}"))
        }
    }

    /// A name that a call asks for; also a part has one.
    pub(crate) fn asked_for(text: &str) -> Result<Self, NameError> {
        Self::check(team_of(text)).map(|()| Self::unchecked(text))
    }

    /// A text as it is, to stand in an error until it is refused.
    pub(crate) fn unchecked(text: &str) -> Self {
        Self(Text::of(text))
    }

    /// The name of the root itself, which no child may bear.
    pub(crate) fn root() -> Self {
        Self::unchecked(RESERVED)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// The team that a supervisor is one part of: `team` for `team.17`, and for `team`, its first part.
pub fn team_of(supervisor: &str) -> &str {
    match supervisor.rsplit_once('.') {
        Some((team, part)) if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) => team,
        _ => supervisor,
    }
}

/// The path of an agent as if its team were not split: `team/a` for `team.17/a`. Other paths are left as they are.
pub fn without_part(path: &str) -> Cow<'_, str> {
    let Some((supervisor, agent)) = path.split_once('/') else {
        return path.into();
    };
    let team = team_of(supervisor);
    if team.len() == supervisor.len() {
        path.into()
    } else {
        [team, "/", agent].concat().into()
    }
}

const RESERVED: &str = "root";

fn first_fault(text: &str) -> Option<NameError> {
    let name = || text.to_owned();
    if text.is_empty() {
        return Some(NameError::Empty);
    }
    let misplaced = |(position, found): &(usize, char)| !is_allowed(*found, *position);
    if let Some((position, found)) = text.chars().enumerate().find(misplaced) {
        return Some(NameError::Forbidden {
            name: name(),
            found,
            position,
        });
    }
    if text.len() > NAME_LENGTH_MAX {
        return Some(NameError::TooLong {
            name: name(),
            length: text.len(),
        });
    }
    (text == RESERVED).then(|| NameError::Reserved { name: name() })
}

fn is_allowed(found: char, position: usize) -> bool {
    matches!(found, 'a'..='z' | '0'..='9') || (position > 0 && matches!(found, '_' | '-'))
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;

    #[test]
    fn names_of_every_length_are_kept_compared_and_found_as_texts_are() {
        let texts: Vec<String> = (0..=NAME_LENGTH_MAX)
            .flat_map(|most| ["x".repeat(most), "é".repeat(most / 2)])
            .collect();
        let names: Vec<Name> = texts.iter().map(|text| Name::unchecked(text)).collect();
        let (sorted, hashed): (BTreeSet<_>, HashSet<_>) =
            (names.iter().cloned().collect(), names.iter().cloned().collect());
        for (name, text) in names.iter().zip(&texts) {
            assert_eq!(name.as_str(), text);
            assert!(
                sorted.contains(text.as_str()) && hashed.contains(text.as_str()),
                "{text}"
            );
            for (other, said) in names.iter().zip(&texts) {
                assert_eq!(name.cmp(other), text.cmp(said));
                assert_eq!(name == other, text == said);
            }
        }
    }

    #[test]
    fn a_name_is_lower_case_letters_digits_underscore_and_hyphen() {
        for good in ["a", "7", "echo-1", "a_b-c", &"x".repeat(NAME_LENGTH_MAX)] {
            assert_eq!(Name::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn a_bad_name_is_refused_with_the_first_fault() {
        assert_eq!(Name::new(""), Err(NameError::Empty));
        for (bad, found, position) in [
            ("Echo", 'E', 0),
            ("-a", '-', 0),
            ("a/b", '/', 1),
            ("a.1", '.', 1),
            ("aé", 'é', 1),
        ] {
            assert_eq!(
                Name::new(bad),
                Err(NameError::Forbidden {
                    name: bad.into(),
                    found,
                    position
                }),
                "{bad}"
            );
        }
        let long = "x".repeat(NAME_LENGTH_MAX + 1);
        assert_eq!(
            Name::new(&long),
            Err(NameError::TooLong {
                name: long.clone(),
                length: NAME_LENGTH_MAX + 1
            })
        );
        assert_eq!(Name::new("root"), Err(NameError::Reserved { name: "root".into() }));
    }

    #[test]
    fn a_call_may_ask_for_a_part_too() {
        for good in ["team", "team.0", "team.17"] {
            assert_eq!(Name::asked_for(good).unwrap().as_str(), good);
        }
        for bad in ["", "team.", "team.x", ".1", "team.1.2", "Team.1", "root", "root.1"] {
            assert!(Name::asked_for(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_part_of_a_split_group_bears_a_number_that_no_user_can_write() {
        let team = Name::new("team").unwrap();
        assert_eq!(team.part(0).as_str(), "team");
        assert_eq!(team.part(2).as_str(), "team.2");
    }

    #[test]
    fn parts_of_a_team_belong_to_it_and_paths_lead_there() {
        let teams = ["team", "team.1", "team.12", "a.b", "team.", ""].map(team_of);
        assert_eq!(teams, ["team", "team", "team", "a.b", "team.", ""]);
        let paths = ["team.2/a", "team/a", "team.2", "root", "a.b/c"].map(without_part);
        assert_eq!(paths, ["team/a", "team/a", "team.2", "root", "a.b/c"]);
    }
}
