//! Durable tasks: submitted once, claimed under a lease with a fencing number, done once.
//!
//! ```text
//!  customer ──submit──▶ ┌───────┐ ──claim──▶ worker      what is acknowledged is on disk;
//!           ◀──wait──── │ Queue │ ◀──tell─── worker      what is said under an old lease does not count
//!                       └───┬───┘
//!                    records│ ▲ snapshot and records, at the start
//!                           ▼ │
//!                        journal
//! ```
//!
//! All tasks are in memory, in a [machine](machine::Tasks) that decides; the agent [`Queue`] writes what it decided, and then
//! tells. Others have a [`TaskAddress`]:
//!
//! ```
//! # use std::sync::Arc;
//! use triarch_journal::RealDisk;
//! use triarch_supervision::metrics::Instruments;
//! use triarch_supervision::prelude::*;
//! use triarch_work::config::Config;
//! use triarch_work::task::{State, Submission};
//! use triarch_work::words::{Kind, Worker};
//! use triarch_work::{Request, Word, metrics};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("work");
//! let instruments = Instruments::with_tree(&[metrics::WORK, triarch_journal::metrics::JOURNALS])?;
//! let disk = Arc::new(RealDisk::at(path)?);
//! let work = triarch_work::room(Config::default(), disk, triarch_journal::Config::default(), &instruments)?;
//! let tree = Root::new().instruments(instruments).supervisor(work.room).start().await?;
//!
//! let accepted = work.tasks.submit(vec![Submission::of(Kind::new("build")?)]).await?;
//! let worker = Worker::new("team/worker-1")?;
//! let request = Request { worker, able: Vec::new(), most: 1, lease: None, waits: true, rank: None };
//! for claim in work.tasks.claim(request).await? {
//!     let result = b"built".to_vec();
//!     work.tasks.tell(claim.task, claim.fence, Word::Done { result }).await?;
//! }
//! let view = work.tasks.wait(accepted[0].task).await?;
//! assert_eq!(view.state, State::Done);
//! # tree.stop().await;
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which task is next
//!
//! Of the tasks that are ready and that a worker is able to do, first the class of priority is chosen: by its oldest task,
//! where each class has a [head start](config::Config::head_starts) before those below it. So a class waits for a more urgent
//! one, and not for ever. Within the class the earliest deadline is next; a task without one is ordered by its
//! [patience](config::Config::patience). No task is looked at for that but those at the heads.
//!
//! # What happens to a task that is not done
//!
//! | what happens | the task | what the worker says later |
//! |---|---|---|
//! | the worker fails it | is ready again after a wait, as often as its retries allow; then it is dead, or failed where it has none | - |
//! | no heartbeat within the lease | is ready again at once, at its place where nobody began; dead after [so many](config::Config::lapses) | refused, kept as a late result |
//! | the worker falls with it in hand | the same; dead after [so many](config::Config::deaths) | refused, kept as a late result |
//! | an attempt takes longer than its timeout | as if the worker had failed it | refused, kept as a late result |
//! | the worker gives it back | is ready again at its place, and nothing is counted | - |
//! | its deadline passes | goes on, or is expired where it says so | refused, kept as a late result |
//! | somebody cancels it | is cancelled, for good | refused, kept as a late result |
//! | a task that it waits for does not succeed | is cancelled | - |
//! | a task is failed or dead | is kept with its body until it is retried, dropped, or there are too many | - |
//! | the runtime is down for a while | its lease is prolonged by that; its deadline is not | counts as ever |
//!
//! # What a disk that refuses means
//!
//! Nothing is told that is not on disk: no answer, no refusal, no event, no figure. So whoever looks at tasks waits for what these
//! came to and is on its way there: the sync of a batch or two under load, and nothing where nothing is on its way. Only the state
//! of the agent, for who looks into the runtime itself, is what is in memory, and says how much of it is on its way.
//!
//! Where a write fails, tasks are built anew from the journal, and are shown and not changed until it takes something again; then
//! leases are prolonged by all that time, as after a restart. While the journal cannot be opened, tasks are shown as it is known to
//! have them: what was on its way is taken back. What turns out to be on disk though its writer was told otherwise is told then.
//!
//! # A drain and the end of the runtime
//!
//! A drain outlives a crash: who drains does not want work to come in because something failed meanwhile. It ends with an orderly
//! stop of the whole runtime: one drains in order to stop, and starts again in order to work. Until then it is shown in the
//! [overview](machine::Overview::is_draining), and can be ended.
//!
//! From the [wish to stop](Withheld) on nobody is given a task, however long others take to stop: leases go on, and what nobody has is
//! ready for the next runtime.
//!
//! # What is bounded
//!
//! Open tasks and the bytes of all that is said of them, sets of capabilities, workers that tasks are kept for, batches, bodies and
//! results, results that open tasks wait for, ended tasks and their bytes, late results, who waits.
//!
//! A result is in memory once, however many tasks get it: what is claimed and what is on its way to an agent share it. A result
//! that has no room among those that others wait for stays with the dispatcher, and while these have 64 MiB no agent asks for more
//! tasks. Where for five minutes nobody was at a task that makes room by its end, or for an hour in any case, one of them
//! fails its task, which makes room for others; one that would not fit even alone does so at once.
#![forbid(unsafe_code)]

mod bytes;
mod codec;
pub mod config;
pub mod dispatch;
pub mod dispatcher;
pub mod error;
pub mod metrics;
mod queue;
mod record;
mod room;
mod sight;
mod snapshots;
pub mod task;
pub mod time;
mod withheld;
pub mod words;

pub use codec::CodecError;
pub use config::Config;
pub use dispatcher::as_value;
pub use queue::{Order, Queue, Rank, Request, TaskAddress, Word, machine};
pub use record::{Attempt, LateResult};
pub use room::{Events, InHands, Work, room};
pub use withheld::Withheld;
