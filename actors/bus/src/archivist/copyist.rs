//! Level 3: the agent that writes snapshots of the logs beside the journal, so that publishing goes on meanwhile.

use std::io::{self, Write};
use std::sync::Arc;

use triarch_journal::{Ack, Draft, Writer};
use triarch_supervision::prelude::*;

use super::later::Later;
use super::message::Order;

/// A snapshot to be written.
#[derive(Debug)]
pub(crate) struct WriteSnapshot {
    pub(super) number: u64,
    pub(crate) draft: Ack<Draft>,
    pub(crate) records: Vec<Arc<[u8]>>,
    pub(super) later: Later,
    pub(crate) writer: Writer,
    /// Who is told that it is written, or is not.
    pub(crate) archivist: Address<Order>,
}

impl Message for WriteSnapshot {
    const OVERFLOW: Overflow = Overflow::Reject;
}

/// Writes one snapshot after the other.
#[derive(Debug)]
pub(crate) struct Copyist;

impl Agent for Copyist {
    type Message = WriteSnapshot;
    type Spec = ();

    async fn start((): (), _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn handle(&mut self, snapshot: WriteSnapshot, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        let WriteSnapshot {
            number,
            draft,
            records,
            later,
            writer,
            archivist,
        } = snapshot;
        let mut is_written = false;
        if let Ok(draft) = draft.await {
            is_written = writer
                .snapshot(draft, move |file| fill(&records, &later, file))
                .await
                .is_ok();
        }
        archivist.send(Order::Copied { number, is_written }).await?;
        Ok(())
    }
}

fn fill(records: &[Arc<[u8]>], later: &Later, file: &mut dyn Write) -> io::Result<()> {
    let mut put = |record: &[u8]| {
        let length = u32::try_from(record.len()).map_err(io::Error::other)?;
        file.write_all(&length.to_le_bytes())?;
        file.write_all(record)
    };
    records.iter().try_for_each(|record| put(record))?;
    later
        .records()
        .try_for_each(|record| put(&record.map_err(io::Error::other)?))
}
