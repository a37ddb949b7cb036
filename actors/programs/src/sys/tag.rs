//! How a process shows whose it is.

use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The variable that carries the tag.
pub(crate) const VARIABLE: &str = "TRIARCH_TAG";

/// The runtime of one state folder, through all of its starts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owner(Arc<str>);

/// One launch of an agent's program: what all of its processes have in their environment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tag {
    owner: Owner,
    agent: Arc<str>,
    incarnation: u64,
    /// An agent that is removed and comes back counts its incarnations anew, and the last of the old may still be ending.
    launch: u64,
}

/// How many tags there were.
static LAUNCHES: AtomicU64 = AtomicU64::new(0);

impl Owner {
    /// One that owns nothing.
    pub(crate) fn nobody() -> Self {
        Self(Arc::from(""))
    }

    /// The runtime whose state lies in `state_dir`, which must be there.
    pub(crate) fn of(state_dir: &Path) -> io::Result<Self> {
        let path = state_dir.canonicalize()?;
        Ok(Self(
            format!("{:016x}", fingerprint(path.as_os_str().as_bytes())).into(),
        ))
    }

    /// Whether a tag found in an environment is of this runtime.
    pub(super) fn gave(&self, tag: &str) -> bool {
        tag.strip_prefix(&*self.0).is_some_and(|rest| rest.starts_with(':'))
    }

    /// The control group that holds those of all its agents.
    pub(super) fn group(&self) -> String {
        format!("triarch-{}", self.0)
    }
}

impl Tag {
    /// The tag of a launch in an agent's incarnation, as no other launch has it; `agent` is its path in the tree.
    pub(crate) fn new(owner: &Owner, agent: &str, incarnation: u64) -> Self {
        Self {
            owner: owner.clone(),
            agent: agent.into(),
            incarnation,
            launch: LAUNCHES.fetch_add(1, Ordering::Relaxed) + 1,
        }
    }

    pub(super) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The name of its control group: one folder, whatever the agent's path is.
    pub(super) fn group(&self) -> String {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
        let agent: String = self.agent.chars().map(|c| if is_plain(c) { c } else { '+' }).collect();
        format!("agent-{agent}.{}.{}", self.incarnation, self.launch)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            owner,
            agent,
            incarnation,
            launch,
        } = self;
        write!(f, "{}:{agent}:{incarnation}:{launch}", owner.0)
    }
}

/// FNV-1a: the same in every build, so that the next version still knows what the last one left.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_tells_owner_agent_and_incarnation_apart() {
        let owner = Owner("00ff".into());
        let tag = Tag {
            launch: 12,
            ..Tag::new(&owner, "reviewers/claude", 3)
        };
        assert_eq!(tag.to_string(), "00ff:reviewers/claude:3:12");
        assert_eq!(tag.group(), "agent-reviewers+claude.3.12");
        assert!(owner.gave(&tag.to_string()));
        assert!(owner.gave("00ff:reviewers/claude:3"), "as earlier versions wrote it");
        assert!(!owner.gave("00ff1:reviewers/claude:3:12"));
        assert!(!Owner("00f".into()).gave(&tag.to_string()));
    }

    #[test]
    fn no_two_launches_have_one_tag_or_one_group() {
        let tag = || Tag::new(&Owner("00ff".into()), "team/agent", 1);
        let (first, second) = (tag(), tag());
        assert_ne!(first.to_string(), second.to_string());
        assert_ne!(first.group(), second.group());
    }

    #[test]
    fn the_fingerprint_is_that_of_fnv() {
        assert_eq!(fingerprint(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn one_folder_has_one_owner_however_it_is_written() {
        let folder = std::env::temp_dir();
        let same = Owner::of(&folder.join(".")).unwrap();
        assert_eq!(Owner::of(&folder).unwrap(), same);
        assert_ne!(Owner::of(Path::new("/")).unwrap(), same);
    }
}
