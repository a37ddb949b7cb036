//! Topics and patterns: what is published on, and what is subscribed to.
//!
//! ```text
//! topic      team.alpha.status
//! pattern    team.*.status        `*` is one part, whatever it is
//!            team.**              `**`, or `#`, is the rest, also where there is none
//! ```

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest topic or pattern, in bytes.
pub const TOPIC_LENGTH_MAX: usize = 255;
/// The most parts of one.
pub const PARTS_MAX: usize = 16;

pub(crate) const ONE: &str = "*";
pub(crate) const REST: &str = "**";

/// A topic: parts of letters, digits, `_`, `-` and `:`, with dots between them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(Arc<str>);

/// A pattern over topics. `#` is read as `**`, so that two ways to write one are one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(Arc<str>);

/// Why a text is no topic or no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}: {fault}")]
pub struct TopicError {
    /// `topic` or `pattern`.
    pub what: &'static str,
    /// The text, shortened where it is long.
    pub text: String,
    /// What is wrong, where, and what to do.
    pub fault: TopicFault,
}

/// What is wrong with a topic or pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopicFault {
    /// There is nothing.
    #[error("it is empty; write parts with dots between them, as in team.alpha.status")]
    Empty,
    /// Too many bytes.
    #[error("it has {0} bytes; shorten it to {TOPIC_LENGTH_MAX} or fewer")]
    TooLong(usize),
    /// Too many parts.
    #[error("it has {0} parts; use {PARTS_MAX} or fewer")]
    TooManyParts(usize),
    /// Two dots in a row, or one at an end.
    #[error("part {0} is empty; remove a dot or write something between the two")]
    EmptyPart(usize),
    /// A character that is not allowed.
    #[error("part {part} has {found:?} at position {position}; use letters, digits, _, - and :")]
    Forbidden {
        /// Which part, from 1.
        part: usize,
        /// The first character that is not allowed.
        found: char,
        /// Where it stands in the whole, in characters from 1.
        position: usize,
    },
    /// A wildcard in a topic.
    #[error("part {part} is the wildcard {wildcard}, which only patterns have; name one topic")]
    Wildcard {
        /// Which part, from 1.
        part: usize,
        /// What stands there.
        wildcard: String,
    },
    /// The rest is not the last part.
    #[error("part {0} stands for the rest, and more follows; put it last, or use * for one part")]
    RestNotLast(usize),
}

impl Borrow<str> for Topic {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Topic {
    /// Checks `text` and makes a topic of it.
    pub fn new(text: impl AsRef<str>) -> Result<Self, TopicError> {
        let text = text.as_ref();
        match checked(text, Wildcards::Refused) {
            Ok(()) => Ok(Self(Arc::from(text))),
            Err(fault) => Err(error("topic", text, fault)),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Pattern {
    /// Checks `text` and makes a pattern of it.
    pub fn new(text: impl AsRef<str>) -> Result<Self, TopicError> {
        let text = text.as_ref();
        checked(text, Wildcards::Allowed).map_err(|fault| error("pattern", text, fault))?;
        let plain = match text.strip_suffix('#') {
            Some(head) => Arc::from([head, REST].concat()),
            None => Arc::from(text),
        };
        Ok(Self(plain))
    }

    /// The text, with `**` for the rest.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a topic: it has no wildcard.
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// Whether all topics that `other` stands for are among those it stands for.
    pub fn covers(&self, other: &Self) -> bool {
        let mut parts = other.0.split('.');
        for wanted in self.0.split('.') {
            if wanted == REST {
                return true;
            }
            match parts.next() {
                Some(REST) | None => return false,
                Some(part) if wanted == ONE || wanted == part => {}
                Some(_) => return false,
            }
        }
        parts.next().is_none()
    }

    /// Whether there may be a topic that both stand for.
    pub fn meets(&self, other: &Self) -> bool {
        let mut parts = other.0.split('.');
        for wanted in self.0.split('.') {
            match parts.next() {
                part if wanted == REST || part == Some(REST) => return true,
                Some(part) if wanted == ONE || part == ONE || wanted == part => {}
                _ => return false,
            }
        }
        parts.next().is_none_or(|part| part == REST)
    }

    /// Whether `topic` is one of those it stands for.
    pub fn matches(&self, topic: &Topic) -> bool {
        let mut parts = topic.as_str().split('.');
        for wanted in self.0.split('.') {
            if wanted == REST {
                return true;
            }
            match parts.next() {
                Some(part) if wanted == ONE || wanted == part => {}
                _ => return false,
            }
        }
        parts.next().is_none()
    }
}

impl From<&Topic> for Pattern {
    fn from(topic: &Topic) -> Self {
        Self(Arc::clone(&topic.0))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wildcards {
    Allowed,
    Refused,
}

fn error(what: &'static str, text: &str, fault: TopicFault) -> TopicError {
    let text = text.chars().take(TOPIC_LENGTH_MAX).collect();
    TopicError { what, text, fault }
}

fn checked(text: &str, wildcards: Wildcards) -> Result<(), TopicFault> {
    if text.is_empty() {
        return Err(TopicFault::Empty);
    }
    if text.len() > TOPIC_LENGTH_MAX {
        return Err(TopicFault::TooLong(text.len()));
    }
    let count = text.split('.').count();
    if count > PARTS_MAX {
        return Err(TopicFault::TooManyParts(count));
    }
    let mut before = 0;
    for (part, number) in text.split('.').zip(1..) {
        check_part(part, number, before, wildcards)?;
        if is_rest(part) && number < count {
            return Err(TopicFault::RestNotLast(number));
        }
        before += part.chars().count() + 1;
    }
    Ok(())
}

fn check_part(part: &str, number: usize, before: usize, wildcards: Wildcards) -> Result<(), TopicFault> {
    if part.is_empty() {
        return Err(TopicFault::EmptyPart(number));
    }
    if part == ONE || is_rest(part) {
        return match wildcards {
            Wildcards::Allowed => Ok(()),
            Wildcards::Refused => Err(TopicFault::Wildcard {
                part: number,
                wildcard: part.to_owned(),
            }),
        };
    }
    let is_allowed = |found: char| found.is_ascii_alphanumeric() || matches!(found, '_' | '-' | ':');
    let misplaced = part.chars().enumerate().find(|(_, found)| !is_allowed(*found));
    misplaced.map_or(Ok(()), |(position, found)| {
        Err(TopicFault::Forbidden {
            part: number,
            found,
            position: before + position + 1,
        })
    })
}

fn is_rest(part: &str) -> bool {
    part == REST || part == "#"
}

/// What both kinds of text have in common.
macro_rules! text {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = TopicError;

            fn from_str(text: &str) -> Result<Self, TopicError> {
                Self::new(text)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text!(Topic);
text!(Pattern);

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> TopicFault {
        Topic::new(text).unwrap_err().fault
    }

    #[test]
    fn a_topic_is_parts_with_dots_between_them() {
        for good in ["a", "a.b", "Team-1.x_y.v:2", &["p"; PARTS_MAX].join(".")] {
            assert_eq!(Topic::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn topics_and_patterns_are_read_and_written_as_their_texts() {
        let (topic, pattern): (Topic, Pattern) = ("a.b".parse().unwrap(), "a.*".parse().unwrap());
        assert_eq!((topic.to_string(), pattern.to_string()), ("a.b".into(), "a.*".into()));
        assert_eq!(format!("{topic:?} {pattern:?}"), r#""a.b" "a.*""#);
        assert_eq!(serde_json::to_string(&(&topic, &pattern)).unwrap(), r#"["a.b","a.*"]"#);
        let read: (Topic, Pattern) = serde_json::from_str(r#"["a.b","a.*"]"#).unwrap();
        assert_eq!(read, (topic, pattern));
        assert!("a.*".parse::<Topic>().is_err() && serde_json::from_str::<Pattern>(r#""**.a""#).is_err());
    }

    #[test]
    fn what_is_no_topic_is_refused_with_its_place() {
        assert_eq!(fault(""), TopicFault::Empty);
        assert_eq!(fault(&"x".repeat(256)), TopicFault::TooLong(256));
        assert_eq!(fault(&["p"; 17].join(".")), TopicFault::TooManyParts(17));
        for (text, part) in [(".a", 1), ("a.", 2), ("a..b", 2)] {
            assert_eq!(fault(text), TopicFault::EmptyPart(part), "{text}");
        }
        let wildcard = |part, wildcard: &str| TopicFault::Wildcard {
            part,
            wildcard: wildcard.to_owned(),
        };
        assert_eq!(fault("a.*"), wildcard(2, "*"));
        assert_eq!(fault("**"), wildcard(1, "**"));
        assert_eq!(fault("#"), wildcard(1, "#"));
        for (text, part, found, position) in [("a.b c", 2, ' ', 4), ("é", 1, 'é', 1), ("a.b*", 2, '*', 4)] {
            let expected = TopicFault::Forbidden { part, found, position };
            assert_eq!(fault(text), expected, "{text}");
        }
        assert_eq!(
            Topic::new("a.é").unwrap_err().to_string(),
            "\"a.é\" is no topic: part 2 has 'é' at position 3; use letters, digits, _, - and :"
        );
    }

    #[test]
    fn the_rest_stands_last_and_has_two_spellings() {
        assert_eq!(Pattern::new("a.**.b").unwrap_err().fault, TopicFault::RestNotLast(2));
        assert_eq!(Pattern::new("#.b").unwrap_err().fault, TopicFault::RestNotLast(1));
        assert_eq!(Pattern::new("a.#").unwrap(), Pattern::new("a.**").unwrap());
        assert_eq!(Pattern::new("#").unwrap().as_str(), "**");
        assert!(!Pattern::new("a.*").unwrap().is_exact());
        assert!(Pattern::new("a.b").unwrap().is_exact());
    }

    #[test]
    fn a_pattern_covers_those_of_which_it_matches_every_topic() {
        for (one, other, covers) in [
            ("a.**", "a.b", true),
            ("a.**", "a.*", true),
            ("a.**", "a.**", true),
            ("a.**", "a", true),
            ("a.**", "*.b", false),
            ("a.*", "a.b", true),
            ("a.*", "a.*", true),
            ("a.*", "a.**", false),
            ("a.*", "a.b.c", false),
            ("a.b", "a.*", false),
            ("a.b", "a.b", true),
            ("a.b", "a", false),
            ("**", "x.**", true),
        ] {
            let covered = Pattern::new(one).unwrap().covers(&Pattern::new(other).unwrap());
            assert_eq!(covered, covers, "{one} {other}");
        }
    }

    #[test]
    fn patterns_meet_where_a_topic_could_be_of_both() {
        for (one, other, meet) in [
            ("a.b", "a.b", true),
            ("a.b", "a.c", false),
            ("a.*", "*.b", true),
            ("a.*", "a", false),
            ("a.*", "a.b.c", false),
            ("a.**", "a", true),
            ("a.**", "*.*.*", true),
            ("a.**", "b.**", false),
            ("a.b", "**", true),
        ] {
            let (one, other) = (Pattern::new(one).unwrap(), Pattern::new(other).unwrap());
            assert_eq!((one.meets(&other), other.meets(&one)), (meet, meet), "{one} {other}");
        }
    }

    #[test]
    fn a_pattern_matches_part_by_part() {
        let table = [
            ("a.b", "a.b", true),
            ("a.b", "a.b.c", false),
            ("a.b.c", "a.b", false),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("*.b", "a.b", true),
            ("*", "a.b", false),
            ("a.**", "a.b.c", true),
            ("a.**", "a", true),
            ("a.**", "b", false),
            ("a.*.**", "a", false),
            ("**", "x", true),
        ];
        for (pattern, topic, is_match) in table {
            let matches = Pattern::new(pattern).unwrap().matches(&Topic::new(topic).unwrap());
            assert_eq!(matches, is_match, "{pattern} {topic}");
        }
    }
}
