//! What has to be true whenever nobody has anything left to do.

use std::collections::BTreeMap;

use triarch_supervision::dead_letter::{DeadReason, KEPT_LETTERS};
use triarch_supervision::supervisor::ChildState;
use triarch_supervision::supervisor::ChildStatus;
use triarch_supervision::tree::{NodeView, Observer, Phase};

use crate::ledger::{Book, Slot};

type Letters = BTreeMap<(String, DeadReason), u64>;

fn letters(observer: &Observer) -> Option<Letters> {
    let letters = observer.dead_letters();
    if letters.total() > KEPT_LETTERS as u64 {
        return None;
    }
    let mut counts = Letters::new();
    for letter in letters.list() {
        *counts.entry((letter.to.to_string(), letter.reason)).or_default() += 1;
    }
    Some(counts)
}

/// Checks S1, S4, S10 and S14 of a tree at rest.
pub(crate) fn at_rest(book: &mut Book, observer: &Observer) {
    let snapshot: BTreeMap<_, _> = observer
        .snapshot()
        .into_iter()
        .map(|node| (node.path.to_string(), node))
        .collect();
    let letters = letters(observer);
    let mut faults = Vec::new();
    for slot in &book.slots {
        if let Some(letters) = &letters {
            check_messages(slot, letters, &mut faults);
        }
        check_bound(slot, &mut faults);
        check_view(slot, snapshot.get(&slot.path), &mut faults);
        check_progress(slot, snapshot.get(&slot.path), &mut faults);
    }
    check_questions(book, &snapshot, &mut faults);
    book.violations.extend(faults);
}

fn check_messages(slot: &Slot, letters: &Letters, faults: &mut Vec<String>) {
    let (path, figures, record) = (&slot.path, slot.line.figures(), &slot.record);
    let dead = |reason| letters.get(&(path.clone(), reason)).copied().unwrap_or(0);
    let failed = dead(DeadReason::Crashed) + dead(DeadReason::Poison);
    let dropped = dead(DeadReason::Full) + dead(DeadReason::Closed) + dead(DeadReason::Expired);
    let again = if slot.line.is_closed() { 0 } else { record.again };
    let known = record.done + failed + dropped + figures.depth + record.in_hand;
    // One that was to be handed out again may have become a dead letter instead.
    if !(known..=known + again).contains(&figures.enqueued) {
        faults.push(format!(
            "S1 {path} took in {}: {} done, {failed} failed, {dropped} dropped, {} wait, {} in hand, {again} again",
            figures.enqueued, record.done, figures.depth, record.in_hand
        ));
    }
    let counted = (figures.handled, figures.failed, figures.dropped);
    if counted != (record.done, failed, dropped) {
        faults.push(format!(
            "S1 {path} counts {counted:?} handled, failed and dropped of {} done, {failed} failed and {dropped} dropped",
            record.done
        ));
    }
    let waiting = figures.enqueued.saturating_sub(record.begun + dropped);
    if !slot.line.is_closed() && waiting > slot.capacity {
        faults.push(format!(
            "S4 {waiting} messages wait for {path} of capacity {}",
            slot.capacity
        ));
    }
}

fn check_bound(slot: &Slot, faults: &mut Vec<String>) {
    let figures = slot.line.figures();
    if figures.depth > slot.capacity || figures.high_water > slot.capacity {
        faults.push(format!("S4 {} has {figures:?}", slot.path));
    }
}

fn check_view(slot: &Slot, view: Option<&NodeView>, faults: &mut Vec<String>) {
    let (path, alive) = (&slot.path, slot.record.alive);
    let shown = view.filter(|view| view.state.is_alive()).map(|view| view.incarnation);
    if shown != alive {
        let state = view.map(|view| view.state);
        faults.push(format!(
            "S10 the snapshot shows {path} as {state:?} in life {shown:?}, and it lives as {alive:?}"
        ));
    }
    if view.is_some() && slot.line.is_closed() {
        faults.push(format!("S11 the tree has {path} and its address is closed"));
    }
}

fn check_progress(slot: &Slot, view: Option<&NodeView>, faults: &mut Vec<String>) {
    let figures = slot.line.figures();
    let is_free = view.is_some_and(|view| matches!(view.state, Phase::Idle | Phase::Busy)) && slot.record.in_hand == 0;
    if is_free && figures.depth > 0 {
        faults.push(format!("S14 {} rests while {} wait", slot.path, figures.depth));
    }
}

fn check_questions(book: &Book, snapshot: &BTreeMap<String, NodeView>, faults: &mut Vec<String>) {
    for (id, (to, is_endless)) in &book.asks {
        let slot = &book.slots[*to];
        let is_idle = snapshot.get(&slot.path).is_some_and(|view| view.state == Phase::Idle);
        let is_served = is_idle && slot.record.in_hand == 0 && slot.record.again == 0 && slot.line.figures().depth == 0;
        if *is_endless && is_served && !book.was_begun(*id) {
            faults.push(format!(
                "S5 question {id} waits for {}, which has nothing to do",
                slot.path
            ));
        }
    }
}

/// What a supervisor says of its children against who lives.
pub(crate) fn children(book: &mut Book, supervisor: &str, children: &[ChildStatus]) {
    let mut faults = Vec::new();
    for child in children {
        let path = format!("{supervisor}/{}", child.name);
        let Some(slot) = book.slots.iter().find(|slot| slot.path == path) else {
            continue;
        };
        let exists = matches!(
            child.state,
            ChildState::Starting | ChildState::Running | ChildState::Stopping
        );
        let alive = slot.record.alive;
        let is_wrong = if exists {
            child.incarnation != alive && child.state != ChildState::Starting
        } else {
            alive.is_some()
        };
        if is_wrong {
            faults.push(format!(
                "S10 {supervisor} lists {path} as {:?} {:?}, and it lives as {alive:?}",
                child.state, child.incarnation
            ));
        }
        if slot.line.is_closed() {
            faults.push(format!(
                "S11 {supervisor} lists {path} as {:?} and its address is closed",
                child.state
            ));
        }
    }
    book.violations.extend(faults);
}

/// Checks that nothing and nobody is left when the tree has ended.
pub(crate) fn at_the_end(book: &mut Book, observer: &Observer) {
    let mut faults = Vec::new();
    let letters = letters(observer);
    for slot in &book.slots {
        if let Some(life) = slot.record.alive {
            faults.push(format!("S7 life {life} of {} outlives its tree", slot.path));
        }
        if !slot.line.is_closed() {
            faults.push(format!(
                "S7 the address of {} is open though its tree has ended",
                slot.path
            ));
        }
        if slot.line.figures().depth > 0 {
            faults.push(format!(
                "S1 {} keeps {} messages for ever",
                slot.path,
                slot.line.figures().depth
            ));
        }
        if let Some(letters) = &letters {
            check_messages(slot, letters, &mut faults);
        }
    }
    faults.extend(
        book.asks
            .iter()
            .map(|(id, (to, _))| format!("S5 question {id} to {} is open for ever", book.slots[*to].path)),
    );
    faults.extend(
        book.calls
            .iter()
            .map(|call| format!("S6 call {call} is never answered")),
    );
    book.violations.extend(faults);
}
