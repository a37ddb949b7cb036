//! Results that tasks wait for: how much room they take, and may.
//!
//! For each task that waits for one that is still to be done, room for a short result is set aside. So a short one is always
//! taken, and only a long one may be refused.

use std::collections::BTreeSet;

use crate::error::Refusal;
use crate::record::Entrant;
use crate::words::TaskId;

use super::Tasks;
use super::kept::{RESERVE, SHORT, input_bytes};

impl Tasks {
    /// What results take that somebody waits for, those to come counted.
    pub(super) fn inputs_bytes(&self) -> usize {
        self.indexes.inputs_bytes + self.waits.len() * RESERVE
    }

    /// Whether there is room for what new tasks wait for.
    pub(super) fn has_room_for_inputs(&self, tasks: &[Entrant]) -> Result<(), Refusal> {
        let (mut to_come, mut kept) = (0, BTreeSet::new());
        for earlier in tasks
            .iter()
            .filter_map(|task| task.more.as_ref())
            .flat_map(|more| &more.after)
        {
            match self.by_id.get(earlier).and_then(|task| task.end()) {
                None => to_come += 1,
                Some(end) if end.pins == 0 => {
                    kept.insert((*earlier, end.input_bytes()));
                }
                Some(_) => {}
            }
        }
        let more = to_come * RESERVE + kept.iter().map(|(_, bytes)| bytes).sum::<usize>();
        if more == 0 {
            Ok(())
        } else {
            self.allows_inputs(self.inputs_bytes() + more)
        }
    }

    /// Whether there is room for a result of so many bytes.
    pub(super) fn has_room_for_result(&self, task: TaskId, bytes: usize) -> Result<(), Refusal> {
        let waiting = self.followers(task).len();
        if waiting == 0 || bytes <= SHORT {
            return Ok(());
        }
        if input_bytes(bytes) > self.config.inputs_bytes_max {
            let most = self.config.inputs_bytes_max.saturating_sub(input_bytes(0));
            return Err(Refusal::Unfit {
                place: 0,
                problem: format!("a result of {bytes} bytes that tasks wait for, more than {most}"),
                remedy: "keep it elsewhere, and hand on where",
            });
        }
        self.allows_inputs(self.inputs_bytes() - waiting * RESERVE + input_bytes(bytes))
    }

    fn allows_inputs(&self, bytes: usize) -> Result<(), Refusal> {
        let most = self.config.inputs_bytes_max;
        if bytes > most {
            let may_ease = self.indexes.fed > 0;
            return Err(Refusal::Inputs { bytes, most, may_ease });
        }
        Ok(())
    }
}
