//! A million tasks that wait: what they take, and that nobody looks at all of them.

use super::*;

const MANY: usize = 1_000_000;

/// Memory of this process that is in use, in bytes.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size()
}

fn fill(room: &mut Room, make: impl Fn(usize) -> Submission) {
    for first in (0..MANY).step_by(BATCH_MAX) {
        let batch = (first..first + BATCH_MAX).map(&make).collect();
        room.tasks.submit(&mut room.turn, batch).unwrap();
        room.turn.records.clear();
        room.turn.events.clear();
    }
}
