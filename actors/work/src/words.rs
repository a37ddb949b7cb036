//! Names and texts that tasks bear, checked where they come in.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use triarch_supervision::name::{Name, NameError};

/// The longest text of a worker, a key or a label, in bytes.
pub const TEXT_LENGTH_MAX: usize = 128;

/// Why a text is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WordError {
    /// It is no name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It is empty.
    #[error("a {what} is empty; give it 1 to {TEXT_LENGTH_MAX} bytes, or leave it out")]
    Empty {
        /// What it was to be.
        what: &'static str,
    },
    /// It is too long.
    #[error("a {what} has {length} bytes; shorten it to {TEXT_LENGTH_MAX} or fewer")]
    TooLong {
        /// What it was to be.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
    },
    /// It has a character that moves the cursor of whoever reads it.
    #[error("the {what} {text:?} has a control character; leave it out")]
    Control {
        /// What it was to be.
        what: &'static str,
        /// The refused text.
        text: String,
    },
}

fn checked(text: &str, what: &'static str) -> Result<(), WordError> {
    let length = text.len();
    if length == 0 {
        Err(WordError::Empty { what })
    } else if length > TEXT_LENGTH_MAX {
        Err(WordError::TooLong { what, length })
    } else if text.chars().any(char::is_control) {
        let text = text.to_owned();
        Err(WordError::Control { what, text })
    } else {
        Ok(())
    }
}

macro_rules! word {
    ($(#[$doc:meta])* $word:ident($inner:ty), $make:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $word($inner);

        impl $word {
            /// Checks `text`.
            pub fn new(text: impl AsRef<str>) -> Result<Self, WordError> {
                let make: fn(&str) -> Result<$inner, WordError> = $make;
                make(text.as_ref()).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                self.0.as_ref()
            }
        }

        impl TryFrom<String> for $word {
            type Error = WordError;

            fn try_from(text: String) -> Result<Self, WordError> {
                Self::new(text)
            }
        }

        impl From<$word> for String {
            fn from(word: $word) -> Self {
                word.as_str().to_owned()
            }
        }

        impl fmt::Display for $word {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $word {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.as_str())
            }
        }
    };
}

word!(
    /// What sort of work a task is: `[a-z0-9][a-z0-9_-]{0,62}`.
    Kind(Name),
    |text| Ok(Name::new(text)?)
);
word!(
    /// What a worker must be able to do: `[a-z0-9][a-z0-9_-]{0,62}`.
    Capability(Name),
    |text| Ok(Name::new(text)?)
);
word!(
    /// Who claims tasks: the path of an agent, or what somebody outside calls itself.
    Worker(Arc<str>),
    |text| checked(text, "worker").map(|()| Arc::from(text))
);
word!(
    /// What makes a task the same task however often it is submitted.
    Key(Arc<str>),
    |text| checked(text, "key").map(|()| Arc::from(text))
);
word!(
    /// One half of a label.
    Tag(Box<str>),
    |text| checked(text, "label").map(|()| Box::from(text))
);

macro_rules! number {
    ($(#[$doc:meta])* $number:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $number(u64);

        impl $number {
            /// The one of that number.
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// Its number.
            pub const fn number(self) -> u64 {
                self.0
            }

            pub(crate) const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $number {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

number!(
    /// The number of a task: given once, in the order of submission.
    TaskId
);
number!(
    /// The number of a lease: no two leases ever have the same one, and a later one is higher.
    Fence
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_refused_with_what_to_do() {
        let long = "x".repeat(TEXT_LENGTH_MAX + 1);
        assert!(Kind::new("Build").is_err() && Capability::new("").is_err());
        assert_eq!(
            Key::new("").unwrap_err().to_string(),
            "a key is empty; give it 1 to 128 bytes, or leave it out"
        );
        assert_eq!(
            Worker::new(&long).unwrap_err().to_string(),
            "a worker has 129 bytes; shorten it to 128 or fewer"
        );
        assert_eq!(
            Tag::new("a\nb").unwrap_err().to_string(),
            "the label \"a\\nb\" has a control character; leave it out"
        );
        assert!(Key::new(&long[1..]).is_ok());
    }

    #[test]
    fn words_and_numbers_are_shown_as_they_are_read_and_within_quotes_where_one_looks_for_faults() {
        let worker = Worker::new("a \"worker\"").unwrap();
        assert_eq!(
            (worker.to_string(), format!("{worker:?}")),
            ("a \"worker\"".to_owned(), r#""a \"worker\"""#.to_owned())
        );
        assert_eq!(Kind::new(Kind::new("build").unwrap().to_string()), Kind::new("build"));
        let (task, fence) = (TaskId::new(u64::MAX), Fence::new(7));
        assert_eq!(
            (task.to_string(), fence.to_string()),
            (u64::MAX.to_string(), "7".to_owned())
        );
        assert_eq!(
            (task.next(), fence.next().number()),
            (task, 8),
            "a number that has no next one stays"
        );
    }

    #[test]
    fn a_word_is_checked_wherever_it_is_read() {
        assert!(serde_json::from_str::<Kind>("\"build\"").is_ok());
        assert!(serde_json::from_str::<Kind>("\"Build it\"").is_err());
        assert!(postcard::from_bytes::<Key>(&postcard::to_stdvec("").unwrap()).is_err());
        let worker = Worker::new("team/worker-1").unwrap();
        assert_eq!(serde_json::to_string(&worker).unwrap(), "\"team/worker-1\"");
    }
}
