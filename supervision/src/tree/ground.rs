//! What a tree lives on: a tokio runtime with a clock.

use std::sync::Arc;
use std::time::Duration;

use super::node::Node;
use crate::agent::current::Working;
use crate::error::StartError;
use crate::panics;

/// Whether a tree can live here. tokio tells that a clock is missing by a panic, which is kept quiet in the name of `root`.
pub(super) fn check(root: &Arc<Node>) -> Result<(), StartError> {
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(StartError::NoRuntime);
    }
    let mut root = Some(Arc::clone(root));
    let _working = Working::enter(&mut root);
    let mut has_clock = false;
    panics::quietly(|| {
        drop(tokio::time::sleep(Duration::ZERO));
        has_clock = true;
    });
    if has_clock { Ok(()) } else { Err(StartError::NoClock) }
}
