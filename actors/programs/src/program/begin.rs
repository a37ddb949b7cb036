//! Starting a process.

use super::plan::Parts;
use crate::error::ProgramError;
use crate::logs::Notebook;
use crate::sys::Process;

/// Starts a process of an agent, with `more` in its environment, and tells of it in its log; the first of a life also tells
/// what holds for all of them.
pub(super) async fn begin(
    plan: &Parts,
    incarnation: u64,
    more: &[(&str, String)],
    is_first: bool,
    notebook: &mut Notebook,
) -> Result<Process, ProgramError> {
    let begun = launched(plan, incarnation, more, is_first, notebook).await;
    match &begun {
        Ok(process) => {
            plan.links.metrics.started(plan.mode.label());
            notebook.event(format!("the program has begun as process {}", process.pid()));
        }
        Err(error) => {
            plan.links.metrics.not_started();
            notebook.event(error.to_string());
        }
    }
    notebook.flush();
    begun
}

async fn launched(
    plan: &Parts,
    incarnation: u64,
    more: &[(&str, String)],
    is_first: bool,
    notebook: &mut Notebook,
) -> Result<Process, ProgramError> {
    let tag = plan.tag(incarnation);
    let launch = plan.recipe.launch(&plan.path, incarnation, tag, more);
    let launch = launch.map_err(ProgramError::Secret)?;
    let (process, enforcement) = Process::launch(launch).await.map_err(|error| {
        if plan.recipe.is_in_sandbox() && error.is_for_a_file() {
            ProgramError::Kept(error)
        } else {
            ProgramError::Launch(error)
        }
    })?;
    if is_first {
        for (what, why) in &enforcement.not_enforced {
            notebook.event(format!("not enforced: {what}: {why}"));
        }
        plan.recipe.closed().all().for_each(|closed| notebook.event(closed));
    }
    Ok(process)
}
