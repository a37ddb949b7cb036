//! Names of agents, supervisors and rooms.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The longest name, in bytes.
pub const NAME_LENGTH_MAX: usize = 63;

/// A name that stands as one segment of a path: `[a-z0-9][a-z0-9_-]{0,62}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Name(Arc<str>);

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
        Self::check(text).map(|()| Self(Arc::from(text)))
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
            Self(Arc::from(format!("{}.{part}", self.0)))
        }
    }

    /// A name that a call asks for; also a part has one.
    pub(crate) fn asked_for(text: &str) -> Result<Self, NameError> {
        match text.rsplit_once('.') {
            Some((team, part)) if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) => {
                Self::new(team).map(|_| Self::unchecked(text))
            }
            _ => Self::new(text),
        }
    }

    /// A text as it is, to stand in an error until it is refused.
    pub(crate) fn unchecked(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The name of the root itself, which no child may bear.
    pub(crate) fn root() -> Self {
        Self(Arc::from(RESERVED))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
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
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
