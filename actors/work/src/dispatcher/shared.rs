//! What agents have of a dispatcher, whoever that is now.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use triarch_supervision::sync::lock;
use triarch_teams::receipt::{StageSender, Stages};
use triarch_teams::{Errand, PostId};

use super::hands::Hands;
use crate::withheld::Withheld;
use crate::words::{Fence, TaskId, Worker};

/// So many stages of posts wait to be followed: each post has four at most, and agents have fewer than a quarter million tasks.
const STAGES: usize = 1 << 20;

/// What outlives an incarnation: agents go on with what they have.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    hands: Arc<Mutex<Hands>>,
    posts: Arc<Mutex<Posts>>,
    pub(super) stages: (StageSender, Stages),
}

impl Shared {
    pub(crate) fn new(withheld: Withheld) -> Self {
        let hands = Hands {
            withheld,
            ..Hands::default()
        };
        Self {
            hands: Arc::new(Mutex::new(hands)),
            posts: Arc::default(),
            stages: flume::bounded(STAGES),
        }
    }

    /// A dispatcher that panicked may have left a change half made. What agents have is not forgotten for that: its next life goes on
    /// with it by [`Hands::begins_anew`].
    pub(crate) fn hands(&self) -> MutexGuard<'_, Hands> {
        lock(&self.hands)
    }

    pub(super) fn posts(&self) -> MutexGuard<'_, Posts> {
        lock(&self.posts)
    }
}

/// The posts that agents have.
#[derive(Debug, Default)]
pub(super) struct Posts {
    pub(super) by_id: BTreeMap<PostId, Fence>,
    pub(super) by_fence: BTreeMap<Fence, Sent>,
}

#[derive(Debug)]
pub(super) struct Sent {
    pub(super) post: PostId,
    pub(super) worker: Worker,
    pub(super) task: TaskId,
    pub(super) errand: Errand,
}
