//! Level 3: the agent that writes snapshots of tasks beside the journal, so that the queue goes on meanwhile.

use std::io::{self, Write};
use std::sync::Arc;

use triarch_journal::{Ack, Draft, Writer};
use triarch_supervision::prelude::*;

use crate::machine::Image;

/// A snapshot to be written.
#[derive(Debug)]
pub(crate) struct WriteSnapshot {
    pub(crate) draft: Ack<Draft>,
    pub(crate) image: Image,
    pub(crate) writer: Writer,
    /// Gone when it is written, or will not be.
    pub(crate) token: Arc<()>,
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
            draft,
            image,
            writer,
            token: _token,
        } = snapshot;
        // Where it cannot be written the journal keeps its records, and the next one is tried after as many again.
        if let Ok(draft) = draft.await {
            let fill = move |file: &mut dyn Write| {
                let bytes = image.encode().map_err(io::Error::other)?;
                file.write_all(&bytes)
            };
            drop(writer.snapshot(draft, fill).await);
        }
        Ok(())
    }
}
