//! Plans by table, and by property: whatever is described, its steps lead there and stop nobody who stays.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use triarch_teams::TeamConfig;

use super::*;
use crate::config::Config;

fn config(teams: &Value) -> Config {
    let teams: Vec<TeamConfig> = serde_json::from_value(teams.clone()).unwrap();
    Config {
        teams,
        ..Config::default()
    }
}

fn running(teams: &Value) -> Running {
    Running::of(config(teams))
}

fn done(running: &Running, plan: &Plan) -> Running {
    let mut done = running.clone();
    let acts = plan.steps.iter().flat_map(|step| &step.acts);
    acts.for_each(|act| act.apply(&mut done));
    done
}

/// An act in a few words.
fn word(act: &Act) -> String {
    match act {
        Act::Settings(_) => "settings".to_owned(),
        Act::RemoveTeam(team) | Act::TakeTeamDown(team) => format!("-{team}"),
        Act::AddTeam(team) => format!("+{}", team.rules.name),
        Act::Adjust(rules) => format!("~{}", rules.name),
        Act::Remove { team, name } => format!("-{team}/{name}"),
        Act::Add { team, agent } => format!("+{team}/{}", agent.name),
        Act::Describe { team, agent } => format!("={team}/{}", agent.name),
        Act::Arrange { team, names } => format!("{team}: {}", names.join(" ")),
        Act::ArrangeTeams(names) => names.join(" "),
    }
}

/// What is told and done where one description takes the place of another; that it leads there is seen to.
fn planned(old: &Running, new: &Running) -> Vec<(String, String)> {
    let plan = plan(old, new);
    assert_eq!(done(old, &plan), *new);
    let acts = |step: &Step| step.acts.iter().map(word).collect::<Vec<_>>().join(", ");
    let steps = plan.steps.iter();
    steps.map(|step| (step.change.told().join("; "), acts(step))).collect()
}

fn agents(agents: &Value) -> Running {
    running(&json!([{ "name": "t", "agent": agents }]))
}

#[track_caller]
fn assert_planned(old: &Running, new: &Running, steps: &[(&str, &str)]) {
    let steps: Vec<_> = steps
        .iter()
        .map(|(told, acts)| ((*told).to_owned(), (*acts).to_owned()))
        .collect();
    assert_eq!(planned(old, new), steps);
}

#[test]
fn what_is_the_same_takes_no_step() {
    let same = agents(&json!([{ "name": "a", "kind": "k", "replicas": 3, "role": "r" }]));
    assert_planned(&same, &same, &[]);
}

#[test]
fn agents_come_and_go_one_by_one_from_the_right_and_the_left() {
    let old = agents(&json!([{ "name": "a", "kind": "k", "replicas": 2 }, { "name": "b", "kind": "k" }]));
    let new = agents(&json!([{ "name": "b", "kind": "k" }, { "name": "c", "kind": "k", "replicas": 2 }]));
    assert_planned(
        &old,
        &new,
        &[
            ("agent t/a goes", "-t/a-2, -t/a-1"),
            ("agent t/c comes", "+t/c-1, +t/c-2"),
        ],
    );
}

#[test]
fn replicas_change_at_their_right_end_and_those_that_stay_stay() {
    let of = |replicas: Value| agents(&json!([{ "name": "a", "kind": "k", "replicas": replicas }]));
    let more = [("agent t/a: replicas: 2 → 4", "+t/a-3, +t/a-4")];
    assert_planned(&of(json!(2)), &of(json!(4)), &more);
    let fewer = [("agent t/a: replicas: 4 → 2", "-t/a-4, -t/a-3")];
    assert_planned(&of(json!(4)), &of(json!(2)), &fewer);
    let named = [("agent t/a: replicas: one → 1", "-t/a, +t/a-1")];
    assert_planned(&of(Value::Null), &of(json!(1)), &named);
}

#[test]
fn replicas_whose_settings_change_are_replaced_one_after_the_other() {
    let old = agents(&json!([{ "name": "a", "kind": "k", "replicas": 2, "x": 1 }]));
    let new = agents(&json!([{ "name": "a", "kind": "k", "replicas": 3, "x": 2, "shutdown": "1s" }]));
    let acts = "-t/a-1, +t/a-1, -t/a-2, +t/a-2, +t/a-3";
    assert_planned(&old, &new, &[("agent t/a: shutdown, x, replicas", acts)]);
}

#[test]
fn words_for_people_stop_nobody() {
    let old = agents(&json!([{ "name": "a", "kind": "k", "role": "reads" }]));
    let new = agents(&json!([{ "name": "a", "kind": "k", "role": "writes", "capabilities": ["write"] }]));
    assert_planned(&old, &new, &[("agent t/a: capabilities, role", "=t/a")]);
}

#[test]
fn limits_of_a_team_stop_nobody_and_another_strategy_restarts_it() {
    let agent = json!([{ "name": "a", "kind": "k" }]);
    let old = running(&json!([{ "name": "t", "agent": agent }]));
    let limits = json!({ "restarts": 9, "within": "1m" });
    let new = running(&json!([{ "name": "t", "agent": agent, "intensity": limits, "backoff": { "first": "1ms" } }]));
    assert_planned(&old, &new, &[("team t: intensity, backoff", "~t")]);
    let new = running(&json!([{ "name": "t", "agent": agent, "strategy": "one_for_all" }]));
    let told = "team t: strategy, with a restart of all its agents";
    assert_planned(&old, &new, &[(told, "-t, +t")]);
}

#[test]
fn another_order_stops_nobody() {
    let agent = |name: &str| json!({ "name": name, "kind": "k" });
    let of = |names: &[&str]| json!(names.iter().map(|name| agent(name)).collect::<Vec<_>>());
    let told = "agents of team t start in another order, from its next start on";
    assert_planned(
        &agents(&of(&["a", "b"])),
        &agents(&of(&["b", "a"])),
        &[(told, "t: b a")],
    );
    let placed = [("agent t/c comes", "+t/c"), ("", "t: c a b")];
    assert_planned(&agents(&of(&["a", "b"])), &agents(&of(&["c", "a", "b"])), &placed);
    let teams = |names: &[&str]| {
        running(&json!(
            names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>()
        ))
    };
    let told = "teams start in another order, from the next start of the runtime on";
    assert_planned(&teams(&["t", "u"]), &teams(&["u", "t"]), &[(told, "u t")]);
    let steps = [("team u goes", "-u"), ("team v comes", "+v"), ("", "v t")];
    assert_planned(&teams(&["t", "u"]), &teams(&["v", "t"]), &steps);
}

#[test]
fn a_name_is_free_before_another_bears_it() {
    let old = agents(&json!([{ "name": "a", "kind": "k", "replicas": 1 }, { "name": "a-2", "kind": "k" }]));
    let new =
        agents(&json!([{ "name": "a", "kind": "k", "replicas": 2 }, { "name": "a-2", "kind": "k", "replicas": 1 }]));
    let steps = planned(&old, &new);
    assert_eq!(steps[0].1, "-t/a-2");
    assert_eq!(steps[1].1, "+t/a-2");
    assert_eq!(steps[2].1, "+t/a-2-1");
}

fn spawned(name: &str) -> RunningAgent {
    RunningAgent::spawned(serde_json::from_value(json!({ "name": name, "kind": "k" })).unwrap())
}

#[test]
fn agents_that_were_spawned_stay_until_their_team_goes() {
    let mut old = agents(&json!([{ "name": "a", "kind": "k" }]));
    old.teams[0].agents.push(spawned("s"));
    let new = config(&json!([{ "name": "t", "agent": [{ "name": "b", "kind": "k" }] }]));
    let steps = [("agent t/a goes", "-t/a"), ("agent t/b comes", "+t/b"), ("", "t: b s")];
    assert_planned(&old, &old.wanted(new), &steps);
    let strategy = config(&json!([{ "name": "t", "strategy": "rest_for_one" }]));
    let restarted = old.wanted(strategy);
    assert_eq!(restarted.teams[0].agents, [spawned("s")]);
    assert_planned(&old, &old.wanted(config(&json!([]))), &[("team t goes", "-t")]);
}

#[test]
fn where_the_restart_of_a_team_breaks_half_way_the_next_plan_brings_back_who_was_spawned() {
    let mut old = agents(&json!([{ "name": "a", "kind": "k" }]));
    old.teams[0].agents.push(spawned("s"));
    let described = config(&json!([{ "name": "t", "strategy": "rest_for_one" }]));
    let wanted = old.wanted(described.clone());
    let steps = plan(&old, &wanted).steps;
    let mut half = old.clone();
    steps[0].acts[0].apply(&mut half);
    assert!(half.teams.is_empty(), "it was taken down, and does not come back");
    let next = half.wanted(described);
    assert_eq!(next.teams[0].agents, [spawned("s")]);
    assert_planned(&half, &next, &[("team t comes", "+t")]);
    // Where nobody describes it any more, nobody waits for it.
    assert_planned(&half, &half.wanted(config(&json!([]))), &[("team t goes", "-t")]);
}

#[test]
fn an_agent_that_was_spawned_and_then_described_lives_on_and_is_the_descriptions() {
    let mut old = agents(&json!([]));
    old.teams[0].agents.push(spawned("s"));
    let described = config(&json!([{ "name": "t", "agent": [{ "name": "s", "kind": "k" }] }]));
    let new = old.wanted(described);
    assert_planned(&old, &new, &[("agent t/s stands in the description now", "=t/s")]);
    let gone = new.wanted(config(&json!([{ "name": "t" }])));
    assert_planned(&new, &gone, &[("agent t/s goes", "-t/s")]);
}

#[test]
fn what_was_done_of_a_plan_is_not_done_again() {
    let old = agents(&json!([{ "name": "a", "kind": "k", "replicas": 3, "x": 1 }]));
    let new = agents(&json!([{ "name": "a", "kind": "k", "replicas": 3, "x": 2 }]));
    let all = plan(&old, &new);
    let acts: Vec<_> = all.steps.iter().flat_map(|step| &step.acts).collect();
    for broken_at in 0..=acts.len() {
        let mut present = old.clone();
        acts[..broken_at].iter().for_each(|act| act.apply(&mut present));
        let rest = plan(&present, &new);
        assert_eq!(done(&present, &rest), new);
        let rest: Vec<_> = rest
            .steps
            .iter()
            .flat_map(|step| &step.acts)
            .filter(|act| !is_arranging(act))
            .collect();
        assert_eq!(rest.len(), acts.len() - broken_at, "broken at {broken_at}");
    }
}

fn is_arranging(act: &Act) -> bool {
    matches!(act, Act::Arrange { .. } | Act::ArrangeTeams(_))
}

#[test]
fn scaling_leaves_all_others_alone() {
    let old = agents(&json!([{ "name": "a", "kind": "k", "replicas": 2 }, { "name": "b", "kind": "k" }]));
    let scaled = |to: u32| {
        let mut new = old.clone();
        new.teams[0] = old.teams[0].scaled("a", to.try_into().unwrap()).unwrap();
        new
    };
    assert_planned(&old, &scaled(3), &[("agent t/a: replicas: 2 → 3", "+t/a-3")]);
    assert_planned(&old, &scaled(1), &[("agent t/a: replicas: 2 → 1", "-t/a-2")]);
    assert_eq!(old.teams[0].scaled("b", 2.try_into().unwrap()), None, "it is one agent");
}

/// An agent of few names and settings, so that two of them often have much in common.
fn any_agent() -> impl Strategy<Value = Value> {
    let replicas = prop_oneof![Just(Value::Null), (1..4u32).prop_map(Value::from)];
    ("[a-d]|a-1|a-2|b-1", replicas, 0..2u8, 0..2u8).prop_map(|(name, replicas, x, role)| {
        let role = ["", "r"][usize::from(role)];
        json!({ "name": name, "kind": "k", "replicas": replicas, "x": x, "role": role })
    })
}

fn any_team() -> impl Strategy<Value = Value> {
    let strategy = prop_oneof![4 => Just("one_for_one"), 1 => Just("one_for_all")];
    ("[t-v]", strategy, 1..3u32, vec(any_agent(), 0..5)).prop_map(|(name, strategy, restarts, agents)| {
        let intensity = json!({ "restarts": restarts, "within": "1s" });
        json!({ "name": name, "strategy": strategy, "intensity": intensity, "agent": agents })
    })
}

/// A description without names that are given twice.
fn any_config() -> impl Strategy<Value = Config> {
    (vec(any_team(), 0..4), 1..3usize, 1..3usize).prop_map(|(teams, free, span)| {
        let mut config = config(&json!(teams));
        let mut names = BTreeSet::new();
        config.teams.retain(|team| names.insert(team.name.clone()));
        for team in &mut config.teams {
            while let Some(collision) = team.collisions().first() {
                team.agents.remove(collision.second);
            }
        }
        config.telemetry.limits.free = free;
        config.runtime.span = span.try_into().unwrap();
        config
    })
}

fn agents_in(running: &Running) -> Vec<(&str, &RunningAgent)> {
    running
        .teams
        .iter()
        .flat_map(|team| team.agents.iter().map(|agent| (team.rules.name.as_str(), agent)))
        .collect()
}

proptest! {
    #[test]
    fn the_steps_lead_from_any_description_to_any_other_and_stop_nobody_who_stays(
        old in any_config(), new in any_config(), spawn in 0..3usize, broken_at in 0..12usize,
    ) {
        let mut old = Running::of(old);
        if let Some(team) = old.teams.first_mut() {
            let names = ["s", "a-1", "c"].into_iter().take(spawn);
            for name in names.filter(|name| team.agent(name).is_none()).collect::<Vec<_>>() {
                team.agents.push(spawned(name));
            }
        }
        let wanted = old.wanted(new);
        let plan = plan(&old, &wanted);
        let mut expected = wanted.clone();
        expected.settings = old.settings.clone();
        expected.settings.take_up(&wanted.settings);
        prop_assert_eq!(&done(&old, &plan), &expected);
        let again = super::plan(&expected, &wanted);
        prop_assert!(again.steps.is_empty(), "nothing is left to do: {:?}", again.steps);
        prop_assert_eq!(&again.needs_restart, &plan.needs_restart);
        stays_untouched(&old, &wanted, &plan)?;
        // Wherever it is broken off, what is left leads there too.
        let mut present = old.clone();
        plan.steps.iter().flat_map(|step| &step.acts).take(broken_at).for_each(|act| act.apply(&mut present));
        let rest = super::plan(&present, &wanted);
        prop_assert_eq!(&done(&present, &rest), &expected);
        stays_untouched(&present, &wanted, &rest)?;
    }
}

/// Whoever is the same before and after, in a team whose strategy is the same, is not stopped; nobody is added twice.
fn stays_untouched(old: &Running, wanted: &Running, plan: &Plan) -> Result<(), TestCaseError> {
    let acts: Vec<_> = plan.steps.iter().flat_map(|step| &step.acts).collect();
    for (team, agent) in agents_in(old) {
        let same = wanted.team(team).is_some_and(|wanted| {
            let kept = wanted
                .agent(&agent.name)
                .is_some_and(|other| other.essence() == agent.essence());
            kept && old
                .team(team)
                .is_some_and(|old| old.rules.strategy == wanted.rules.strategy)
        });
        let is_stopped = acts.iter().any(|act| match act {
            Act::Remove { team: of, name } => of == team && *name == agent.name,
            Act::RemoveTeam(of) | Act::TakeTeamDown(of) => of == team,
            _ => false,
        });
        prop_assert!(!(same && is_stopped), "{team}/{} is stopped", agent.name);
    }
    let mut present: BTreeSet<String> = agents_in(old)
        .iter()
        .map(|(team, agent)| format!("{team}/{}", agent.name))
        .collect();
    for act in acts {
        match act {
            Act::Remove { team, name } => {
                let path = format!("{team}/{name}");
                prop_assert!(present.remove(&path), "{} was not there", path);
            }
            Act::Add { team, agent } => {
                let path = format!("{team}/{}", agent.name);
                prop_assert!(present.insert(path.clone()), "{} was there", path);
            }
            _ => {}
        }
    }
    Ok(())
}
