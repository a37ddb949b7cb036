//! What a runtime left behind that was killed.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use super::census::{Census, Entry, Groups, Roots};
use super::cgroups::{self, Cgroups};
use super::enclosure;
use super::hunt::{self, Found, Survey, Tally};
use super::seen::Seen;
use super::tag::Owner;

/// Finds what an earlier runtime of the same state folder has started and left, and kills it. To be called before the
/// first program is launched, by whoever alone owns the state folder; it waits.
pub(crate) fn reap_leftovers(owner: &Owner) -> Survey {
    reap_on(Cgroups::found(), owner)
}

pub(super) fn reap_on(cgroups: &Cgroups, owner: &Owner) -> Survey {
    let mut tally = Tally::default();
    let survivors = hunt::hunt(
        Groups::OfAll,
        |census| Ok(left_by(owner, census)),
        HashSet::new(),
        &mut tally,
    );
    if let Some(base) = &cgroups.unified {
        // Whoever was gone at each look is still in his group.
        let _ = cgroups::write(&base.join(owner.group()).join("cgroup.kill"), "1");
    }
    for base in [&cgroups.unified, &cgroups.freezer, &cgroups.pids, &cgroups.memory]
        .into_iter()
        .flatten()
    {
        remove(&base.join(owner.group()));
    }
    tally.survey(survivors.unwrap_or(1))
}

fn remove(group: &Path) {
    // A killed runtime may have left its groups frozen.
    for inner in enclosure::folders(group) {
        let _ = cgroups::write(&inner.join("freezer.state"), "THAWED");
    }
    enclosure::remove(group);
}

/// Its processes, wherever their control groups lie.
fn left_by(owner: &Owner, census: &Census) -> Found {
    let group = format!("/{}/", owner.group());
    let kin = census.kin(&Roots {
        is_tag: &|tag| owner.gave(tag),
        is_group: &|groups| groups.lines().any(|line| line.contains(&group)),
        inmates: &BTreeSet::new(),
        seen: &Seen::of([]),
    });
    let (living, ended): (Vec<_>, Vec<_>) = kin.into_iter().partition(|entry| entry.is_alive());
    let ended = ended.into_iter().map(Entry::identity).collect();
    (living.into_iter().cloned().collect(), ended)
}
