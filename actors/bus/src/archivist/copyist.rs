//! Level 3: the agent that writes snapshots of the logs beside the journal, so that publishing goes on meanwhile.

use std::io::Write;
use std::sync::Arc;

use triarch_journal::{Ack, Draft, Writer};
use triarch_supervision::prelude::*;

use super::message::Order;

/// A snapshot to be written.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) draft: Ack<Draft>,
    pub(crate) records: Vec<Arc<[u8]>>,
    pub(crate) writer: Writer,
    /// Who is told that it is written, or is not.
    pub(crate) archivist: Address<Order>,
}

impl Message for Copy {
    const OVERFLOW: Overflow = Overflow::Reject;
}

/// Writes one snapshot after the other.
#[derive(Debug)]
pub(crate) struct Copyist;

impl Agent for Copyist {
    type Message = Copy;
    type Spec = ();

    async fn start((): (), _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn handle(&mut self, copy: Copy, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        let Copy {
            draft,
            records,
            writer,
            archivist,
        } = copy;
        let mut is_written = false;
        if let Ok(draft) = draft.await {
            is_written = writer.snapshot(draft, move |file| fill(&records, file)).await.is_ok();
        }
        archivist.send(Order::Copied { is_written }).await?;
        Ok(())
    }
}

fn fill(records: &[Arc<[u8]>], file: &mut dyn Write) -> std::io::Result<()> {
    for record in records {
        let length = u32::try_from(record.len()).map_err(std::io::Error::other)?;
        file.write_all(&length.to_le_bytes())?;
        file.write_all(record)?;
    }
    Ok(())
}
