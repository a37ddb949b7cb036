//! Starting a process.

use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

use super::plan::Parts;
use crate::error::ProgramError;
use crate::logs::Notebook;
use crate::sys::Process;

/// After so long it is told that a program has not begun yet.
const TOLD_AFTER: Duration = Duration::from_secs(5);

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
    let launched = telling(Box::pin(Process::launch(launch)), || {
        let waited = TOLD_AFTER.as_secs();
        notebook.event(format!(
            "waits for {waited}s to begin: where a program or its folder lies, a disk may not answer"
        ));
        notebook.flush();
    })
    .await;
    let (process, enforcement) = launched.map_err(|error| {
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

/// Waits for a program to begin, and has it told once where this takes long.
async fn telling<T>(launching: impl Future<Output = T>, tell: impl FnOnce()) -> T {
    let mut launching = pin!(launching);
    if let Ok(launched) = timeout(TOLD_AFTER, &mut launching).await {
        return launched;
    }
    tell();
    launching.await
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn that_a_program_waits_to_begin_is_told_once_and_only_where_it_waits_long() {
        let mut told = 0;
        for waits in [TOLD_AFTER / 2, TOLD_AFTER * 10] {
            telling(sleep(waits), || told += 1).await;
        }
        assert_eq!(told, 1);
    }
}
