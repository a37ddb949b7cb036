//! What agents are, as metrics and screens tell them apart.

use serde::{Serialize, Serializer};

/// What an agent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AgentKind {
    /// Rust in this process.
    Native,
    /// A child process.
    Program,
}

impl AgentKind {
    /// The word for it: one of [`AGENT_KIND`](crate::metrics::families::AGENT_KIND).
    pub fn label(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Program => "program",
        }
    }
}

impl Serialize for AgentKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}
