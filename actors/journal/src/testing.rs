//! The testing kit: a disk in memory that loses what was not synced, and fails on demand.
//!
//! ```
//! use std::sync::Arc;
//! use triarch_journal::testing::SimDisk;
//! use triarch_journal::{Config, Journal};
//!
//! let disk = Arc::new(SimDisk::new(7));
//! let (mut journal, _) = Journal::open(disk.clone(), Config::default())?;
//! journal.append(b"kept")?;
//! journal.commit()?;
//! journal.append(b"not committed")?;
//! disk.cut_power();
//! assert!(journal.commit().is_err());
//! drop(journal);
//! let (_journal, recovered) = Journal::open(disk, Config::default())?;
//! assert_eq!(recovered.records.count(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Barrier;

pub use crate::sys::holds::Hold;
pub use crate::sys::simulated::{Call, Fault, SimDisk};

/// Two ways for a disk to take nothing for long: it is full, or each sync fails. `space(None)` and [`SimDisk::heal`] end them.
pub const REFUSING: [fn(&SimDisk); 2] = [
    |disk| disk.space(Some(disk.used())),
    |disk| (0..10_000).for_each(|_| disk.fail(Call::Sync, 0, Fault::Io)),
];

/// How many syncs of a disk it takes while so many parties, each a task of its own, do something so often, one time after the
/// other. They begin together: else the first one would be alone while the others are not there yet.
///
/// # Panics
///
/// Where one of them does.
#[expect(
    clippy::disallowed_methods,
    reason = "each is a task that the scheduler runs when it likes"
)]
pub async fn syncs_of_rounds<F: Future<Output = ()> + Send>(
    disk: &SimDisk,
    (parties, rounds): (usize, u64),
    step: impl Fn(usize, u64) -> F + Send + Sync + 'static,
) -> u64 {
    let before = disk.syncs();
    let (step, all_are_there) = (Arc::new(step), Arc::new(Barrier::new(parties)));
    let take_part = |party: usize| {
        let (step, all_are_there) = (Arc::clone(&step), Arc::clone(&all_are_there));
        tokio::spawn(async move {
            all_are_there.wait().await;
            for round in 0..rounds {
                step(party, round).await;
            }
        })
    };
    for party in (0..parties).map(take_part).collect::<Vec<_>>() {
        if let Err(failed) = party.await {
            std::panic::resume_unwind(failed.into_panic());
        }
    }
    disk.syncs() - before
}
