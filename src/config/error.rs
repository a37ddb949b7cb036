//! What can be wrong with a description, and how a person is told.

use std::fmt;

use serde::Serialize;

use super::node::Place;

/// All that is wrong with a description, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ConfigErrors(pub Vec<ConfigError>);

/// One thing that is wrong with a description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigError {
    /// Where it stands, where it stands somewhere.
    pub spot: Option<Spot>,
    /// What is wrong.
    pub problem: String,
    /// Where the other thing stands that it does not go with, in words and place.
    pub other: Option<(String, Spot)>,
    /// What to do.
    pub remedy: String,
}

/// A place in a file or in the environment, with what stands there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spot {
    /// The file, or the variable.
    #[serde(flatten)]
    pub origin: SpotOrigin,
    /// The line, with a caret under the key or value that it is about; secrets are left out.
    pub excerpt: String,
}

/// Which place of which text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SpotOrigin {
    /// A place in a file.
    File {
        /// Its name.
        name: String,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
    },
    /// A variable of the environment.
    Environment {
        /// Its name.
        variable: String,
    },
}

/// One thing that is wrong, before it is shown to anybody.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) place: Place,
    pub(super) problem: String,
    pub(super) other: Option<(String, Place)>,
    pub(super) remedy: String,
    /// Whether what stands there is not to be shown.
    pub(super) is_secret: bool,
}

impl Fault {
    pub(super) fn new(place: Place, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            place,
            problem: problem.into(),
            other: None,
            remedy: remedy.into(),
            is_secret: false,
        }
    }
}

impl std::error::Error for ConfigErrors {}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("\n\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.spot {
            Some(spot) => write!(f, "{}: {}\n{}", spot.origin, self.problem, spot.excerpt)?,
            None => f.write_str(&self.problem)?,
        }
        if let Some((what, spot)) = &self.other {
            write!(f, "\n{}: {what}\n{}", spot.origin, spot.excerpt)?;
        }
        write!(f, "\n  {}", self.remedy)
    }
}

impl fmt::Display for SpotOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line, column } => write!(f, "{name}:{line}:{column}"),
            Self::Environment { variable } => write!(f, "environment {variable}"),
        }
    }
}
