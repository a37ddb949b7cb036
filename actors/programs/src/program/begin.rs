//! Starting a process.

use super::plan::Parts;
use crate::error::ProgramError;
use crate::logs::Notebook;
use crate::sys::Process;

/// Starts a process of an agent, with `more` in its environment, and tells of it in its log.
pub(super) async fn begin(
    plan: &Parts,
    incarnation: u64,
    more: &[(&str, String)],
    notebook: &mut Notebook,
) -> Result<Process, ProgramError> {
    let begun = launched(plan, incarnation, more, notebook).await;
    match &begun {
        Ok(process) => {
            plan.links.metrics.started(plan.mode.label());
            notebook.event(format!("the program has begun as process {}", process.pid()));
        }
        Err(error) => {
            plan.links.metrics.exited("launch_failed");
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
    notebook: &mut Notebook,
) -> Result<Process, ProgramError> {
    let tag = plan.tag(incarnation);
    let launch = plan.recipe.launch(&plan.path, incarnation, tag, more);
    let launch = launch.map_err(ProgramError::Secret)?;
    let (process, enforcement) = Process::launch(launch).await.map_err(ProgramError::Launch)?;
    for (what, why) in &enforcement.not_enforced {
        notebook.event(format!("not enforced: {what}: {why}"));
    }
    Ok(process)
}
