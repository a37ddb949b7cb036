//! Does what a plan says, and notes what was done.

use std::fmt;

use triarch_supervision::Supervisor;
use triarch_supervision::supervisor::{AdminError, CallError, Started};
use triarch_teams::{Kinds, Member, TeamError, member, staffed};

use super::plan::{Act, Plan, Step};
use super::running::{RunningAgent, RunningTeam};
use crate::fleet::Fleet;
use crate::operations::{Code, Trouble};

/// A step of which not all was done.
pub(super) struct Broken {
    /// How many of its acts were.
    pub(super) done: usize,
    pub(super) trouble: Trouble,
}

/// Refuses a plan of which something is known to fail before anything is done.
pub(super) fn check(fleet: &Fleet, plan: &Plan, span: usize) -> Result<(), Trouble> {
    for act in plan.steps.iter().flat_map(|step| &step.acts) {
        match act {
            Act::Add { team, agent } => {
                member(team, &agent.described, &agent.name, fleet.kinds()).map_err(|error| cannot_follow(&error))?;
            }
            Act::AddTeam(team) => {
                staff(team, fleet.kinds(), span).map_err(|error| cannot_follow(&error))?;
                if !team.fits(span) {
                    let agents = team.agents.len();
                    let message = format!(
                        "the {agents} agents of team {} restart together, and a supervisor has at most {span} as the \
                         runtime was started",
                        team.rules.name
                    );
                    return Err(Trouble::new(
                        Code::Refused,
                        message,
                        "raise runtime.span and start it again",
                    ));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// One act after the other, until one fails.
pub(super) async fn take(fleet: &Fleet, step: &Step) -> Result<(), Broken> {
    let taken = act(fleet, step).await;
    fleet.ground().call_the_roll();
    taken
}

async fn act(fleet: &Fleet, step: &Step) -> Result<(), Broken> {
    for (done, act) in step.acts.iter().enumerate() {
        let _coming = fleet.ground().begin(act);
        perform(fleet, act).await.map_err(|trouble| Broken { done, trouble })?;
        fleet.ground().note(act);
    }
    Ok(())
}

async fn perform(fleet: &Fleet, act: &Act) -> Result<(), Trouble> {
    match act {
        Act::Settings(settings) => fleet.ground().tune(settings),
        Act::RemoveTeam(team) | Act::TakeTeamDown(team) => remove_team(fleet, team).await,
        Act::AddTeam(team) => add_team(fleet, team).await,
        Act::Adjust(rules) => {
            let (intensity, backoff) = (rules.intensity.into(), rules.backoff.into());
            let adjusted = fleet.team(&rules.name)?.adjust(intensity, backoff).await;
            adjusted.map_err(|error| of_team(&rules.name, error))
        }
        Act::Remove { team, name } => {
            let removed = remove(fleet, team, name).await;
            removed.map_err(|error| of_team(team, error))
        }
        Act::Add { team, agent } => {
            let made = || {
                let made = member(team, &agent.described, &agent.name, fleet.kinds());
                made.map_err(|error| cannot_follow(&error))
            };
            let handle = fleet.team(team)?;
            let joined = match made()?.join_running(&handle).await {
                Err(error) if is_there(&error) => {
                    // What nobody knows of is what an earlier change left behind that was broken off.
                    remove(fleet, team, &agent.name).await?;
                    made()?.join_running(&handle).await
                }
                joined => joined,
            };
            joined.map(drop).map_err(|error| of_team(team, error))
        }
        Act::Describe { .. } | Act::ArrangeTeams(_) => Ok(()),
        Act::Arrange { team, names } => {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let arranged = fleet.team(team)?.arrange_children(&names).await;
            arranged.map_err(|error| of_team(team, error))
        }
    }
}

/// The team with the agents that it is to have.
fn staff(team: &RunningTeam, kinds: &Kinds, span: usize) -> Result<Supervisor, TeamError> {
    staff_beginning(team, kinds, span, |member| member)
}

/// The same, whose agents begin as they are told.
pub(crate) fn staff_beginning(
    team: &RunningTeam,
    kinds: &Kinds,
    span: usize,
    begin: impl Fn(Member) -> Member,
) -> Result<Supervisor, TeamError> {
    let made = |agent: &RunningAgent| member(&team.rules.name, &agent.described, &agent.name, kinds).map(&begin);
    let members = team.agents.iter().map(made).collect::<Result<_, _>>()?;
    Ok(staffed(&team.rules, members, span))
}

async fn add_team(fleet: &Fleet, team: &RunningTeam) -> Result<(), Trouble> {
    let span = fleet.ground().running().settings.runtime.span.get();
    let start = async || -> Result<Result<Started, CallError>, Trouble> {
        let supervisor = staff(team, fleet.kinds(), span).map_err(|error| cannot_follow(&error))?;
        Ok(fleet.observer().start_supervisor(supervisor).await)
    };
    match start().await? {
        Err(error) if is_there(&error) => {
            remove_team(fleet, &team.rules.name).await?;
            start().await??;
        }
        started => drop(started?),
    }
    Ok(())
}

async fn remove_team(fleet: &Fleet, team: &str) -> Result<(), Trouble> {
    let root = fleet.team("root")?;
    or_gone(root.terminate_child(team).await)?;
    or_gone(root.delete_child(team).await)?;
    fleet.ground().services.team_gone(team);
    Ok(())
}

async fn remove(fleet: &Fleet, team: &str, name: &str) -> Result<(), CallError> {
    let Ok(handle) = fleet.team(team) else { return Ok(()) };
    or_gone(handle.terminate_child(name).await)?;
    // A temporary one has left with its end.
    or_gone(handle.delete_child(name).await)?;
    fleet.ground().services.gone(&format!("{team}/{name}"));
    Ok(())
}

/// Who is gone already need not go.
fn or_gone(done: Result<(), CallError>) -> Result<(), CallError> {
    match done {
        Err(CallError::Refused(AdminError::NotFound { .. })) => Ok(()),
        done => done,
    }
}

fn is_there(error: &CallError) -> bool {
    use AdminError::{AlreadyPresent, AlreadyStarted};
    matches!(error, CallError::Refused(AlreadyStarted { .. } | AlreadyPresent { .. }))
}

fn of_team(team: &str, error: CallError) -> Trouble {
    match error {
        CallError::Down { .. } => Trouble::new(
            Code::Refused,
            format!("team {team} is down"),
            format!("start it with `triarch team start {team}`, and reload then"),
        ),
        error => error.into(),
    }
}

fn cannot_follow(error: &dyn fmt::Display) -> Trouble {
    Trouble::new(Code::Usage, error.to_string(), "mend the description")
}
