//! What changes while the runtime runs: a plan first, then one act after the other, each noted once it is done.

mod change;
mod perform;
mod plan;
mod running;

use crate::config;
use crate::deviations::Deed;
use crate::fleet::Fleet;
use crate::operations::{Code, NotDone, Reloaded, Trouble};
use plan::{Plan, Step, plan};

pub(crate) use perform::staff_beginning;
pub(crate) use plan::Act;
pub(crate) use running::{Running, RunningAgent, RunningTeam};

/// Reads the description again and takes up what can be taken up.
///
/// What cannot be followed changes nothing. Where something fails on the way the rest is done all the same, and what
/// failed is tried again by the next reload. To a description without any team it goes only where that `may_be_empty`.
pub(crate) async fn reload(fleet: &Fleet, may_be_empty: bool) -> Result<Reloaded, Trouble> {
    let ground = fleet.ground();
    let loaded = config::load(&ground.source, fleet.kinds(), config::variables())?;
    let running = ground.running();
    let wanted = running.wanted(loaded.config);
    if wanted.teams.is_empty() && !running.teams.is_empty() && !may_be_empty {
        return Err(empty(&ground.source.name()));
    }
    let plan = plan(&running, &wanted);
    perform::check(fleet, &plan, running.settings.runtime.span.get())?;
    let mut reloaded = Reloaded {
        needs_restart: plan.needs_restart.iter().map(|setting| setting.key.clone()).collect(),
        ..Reloaded::default()
    };
    for step in &plan.steps {
        take(fleet, step, &mut reloaded).await;
    }
    fleet.follow(Deed::Reloaded).await;
    Ok(reloaded)
}

/// An editor may have emptied the file to write it anew.
fn empty(source: &str) -> Trouble {
    Trouble::new(
        Code::Refused,
        format!("{source} describes no team, and a reload would stop all that run"),
        "reload again when the file is whole, or stop them with `triarch reload --empty`",
    )
}

async fn take(fleet: &Fleet, step: &Step, reloaded: &mut Reloaded) {
    let told = step.change.told();
    match perform::take(fleet, step).await {
        Ok(()) => {
            let news = told.into_iter().filter(|line| !reloaded.changed.contains(line));
            reloaded.changed.extend(news.collect::<Vec<_>>());
        }
        // Where somebody belongs in the order is no news, and is tried again all the same.
        Err(_) if told.is_empty() => {}
        Err(broken) => reloaded.failed.push(NotDone {
            change: told.join("; "),
            done: broken.done,
            of: step.acts.len(),
            why: broken.trouble.message,
            remedy: broken.trouble.remedy,
        }),
    }
}

/// Changes what runs into what `wanted` makes of it; the first thing that fails ends it.
pub(crate) async fn change(
    fleet: &Fleet,
    wanted: impl FnOnce(&mut Running) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let running = fleet.ground().running();
    let mut changed = running.clone();
    wanted(&mut changed)?;
    let Plan { steps, .. } = plan(&running, &changed);
    let plan = Plan {
        steps,
        needs_restart: Vec::new(),
    };
    perform::check(fleet, &plan, running.settings.runtime.span.get())?;
    let mut done = Ok(());
    for step in &plan.steps {
        done = perform::take(fleet, step).await.map_err(|broken| broken.trouble);
        if done.is_err() {
            break;
        }
    }
    fleet.keep().await;
    done
}
