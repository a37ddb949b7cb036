//! Tasks as their journal has them.

use std::sync::Arc;

use triarch_journal::{Recovered, Seq, Writer};

use super::actor::Settings;
use super::machine::{Event, Tasks};
use crate::config::Config;
use crate::error::TaskError;

/// What a life of the queue begins from, and what it goes on from after a failure of the disk.
#[derive(Debug)]
pub(super) struct Rebuilt {
    pub(super) tasks: Tasks,
    pub(super) writer: Writer,
    /// Bytes of records behind the snapshot.
    pub(super) written: usize,
}

/// Rebuilds tasks from the journal. What it holds of which nobody was told is told now.
pub(super) async fn rebuild(settings: &Settings) -> Result<Rebuilt, TaskError> {
    let (writer, recovered) = settings.journal.recover().await?;
    let (config, told) = (settings.config.clone(), settings.teller.told());
    let replaying = tokio::task::spawn_blocking(move || replayed(config, recovered, told));
    let replayed = replaying.await;
    let replayed = replayed.map_err(|gone| TaskError::Gone { why: gone.to_string() })??;
    settings.teller.tell(replayed.last, replayed.untold);
    Ok(Rebuilt {
        tasks: replayed.tasks,
        writer,
        written: replayed.written,
    })
}

struct Replayed {
    tasks: Tasks,
    written: usize,
    last: Seq,
    untold: Vec<Event>,
}

fn replayed(config: Config, recovered: Recovered, told: Option<Seq>) -> Result<Replayed, TaskError> {
    let mut replayed = match recovered.snapshot {
        Some(snapshot) => Replayed::of(Tasks::restore(config, &snapshot.bytes)?, snapshot.seq),
        None => Replayed::of(Tasks::new(config), Seq::default()),
    };
    for record in recovered.records {
        let record = record.map_err(Arc::new)?;
        replayed.written += record.bytes.len();
        replayed.last = record.seq;
        if told.is_some_and(|told| told < record.seq) {
            replayed.tasks.replay_heard(&record.bytes, &mut replayed.untold)?;
        } else {
            replayed.tasks.replay(&record.bytes)?;
        }
    }
    Ok(replayed)
}

impl Replayed {
    fn of(tasks: Tasks, last: Seq) -> Self {
        Self {
            tasks,
            written: 0,
            last,
            untold: Vec::new(),
        }
    }
}
