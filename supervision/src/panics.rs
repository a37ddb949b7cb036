//! What a panic in an agent said, and where.
//!
//! The standard hook prints each panic and, with `RUST_BACKTRACE=1`, spends half a millisecond on symbols. A
//! panic of an agent is its supervisor's business and is told as an event, so [`install_hook`] keeps it quiet
//! and short; panics elsewhere go to the hook that was there before.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::{Arc, Once};

use crate::agent::current;
use crate::reason::PanicReport;

thread_local! {
    static LATEST: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// Makes panics of agents quiet and tells where they happened. Starting a tree does it; calling it twice is
/// harmless.
pub fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| note(panic, &before)));
    });
}

fn note(panic: &PanicHookInfo<'_>, before: &dyn Fn(&PanicHookInfo<'_>)) {
    if !current::is_working() {
        before(panic);
        return;
    }
    let location = panic.location().map(|place| Arc::from(place.to_string()));
    // A panic while the thread's locals are being dropped has nowhere to be noted, and needs none.
    let _noted = LATEST.try_with(|latest| latest.replace(location));
}

/// Runs what belongs to an agent in the name of somebody else, whom its panic must not touch.
pub(crate) fn quietly(run: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(run)) {
        drop_payload(payload);
    }
}

/// Drops what belongs to an agent in the name of somebody else.
pub(crate) fn drop_quietly<T>(value: T) {
    quietly(|| drop(value));
}

/// What a panic carried may panic when it is dropped, and what that carries too: the second is let lie.
fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(another);
    }
}

/// The report of a caught panic.
pub(crate) fn report(payload: Box<dyn Any + Send>) -> PanicReport {
    let text = payload.downcast_ref::<&'static str>().copied();
    let message = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let report = PanicReport {
        message: Arc::from(message.unwrap_or("a value that is no text")),
        location: LATEST.with(RefCell::take),
    };
    drop_payload(payload);
    report
}
