//! Which posts have ended of late.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use triarch_teams::PostId;

/// How many of them are remembered, to tell a late answer from one that makes no sense, and from one to a notice.
const REMEMBERED: usize = 1024;

/// How a post ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Past {
    Answered,
    /// By being written.
    Notice,
}

/// The last posts that ended, in as many places: a new one takes the place of one of the others.
#[derive(Debug)]
pub(super) struct Recent(Box<[Option<(PostId, Past)>]>);

impl Default for Recent {
    fn default() -> Self {
        Self(vec![None; REMEMBERED].into())
    }
}

impl Recent {
    fn place(id: PostId) -> usize {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(id);
        usize::try_from(hash % REMEMBERED as u64).unwrap_or_default()
    }

    pub(super) fn remember(&mut self, id: PostId, past: Past) {
        self.0[Self::place(id)] = Some((id, past));
    }

    pub(super) fn has(&self, id: PostId) -> Option<Past> {
        let (known, past) = self.0[Self::place(id)]?;
        (known == id).then_some(past)
    }
}
