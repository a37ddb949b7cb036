//! What one runtime leaves, the next one goes on with, as far as it fits.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::config::Config;
use crate::config::tests::natives;

fn described() -> Running {
    let teams = json!([
        { "name": "tools", "agent": [
            { "name": "echo", "kind": "echo", "replicas": 2 },
            { "name": "one", "kind": "echo" },
        ] },
        { "name": "others", "strategy": "one_for_all" },
    ]);
    let mut config = Config {
        teams: serde_json::from_value(teams).unwrap(),
        ..Config::default()
    };
    config.runtime.span = 3.try_into().unwrap();
    Running::of(config)
}

fn agent(name: &str, kind: &str) -> AgentConfig {
    serde_json::from_value(json!({ "name": name, "kind": kind, "delay": "5ms" })).unwrap()
}

fn spawned(team: &str, name: &str, kind: &str) -> Spawned {
    Spawned {
        team: team.to_owned(),
        agent: agent(name, kind),
    }
}

fn count(replicas: u32) -> NonZeroU32 {
    NonZeroU32::new(replicas).unwrap()
}

fn scaled(agent: &str, replicas: u32) -> Deed {
    Deed::Scaled {
        agent: agent.to_owned(),
        replicas: count(replicas),
    }
}

/// As the next runtime reads it.
fn read(deviations: &Deviations) -> Deviations {
    serde_json::from_slice(&serde_json::to_vec(deviations).unwrap()).unwrap()
}

fn after(deeds: impl IntoIterator<Item = Deed>) -> Deviations {
    let mut deviations = Deviations::default();
    deeds.into_iter().for_each(|deed| deviations.follow(deed));
    read(&deviations)
}

/// The paths of all that runs next, and what is lost.
fn restored(deviations: &mut Deviations) -> (Vec<String>, Vec<String>) {
    let mut running = described();
    let lost = deviations.restore(&mut running, &natives());
    (running.teams.iter().flat_map(paths).collect(), lost)
}

#[test]
fn what_was_added_and_scaled_is_there_again() {
    let mut deviations = after([scaled("tools/echo", 3)]);
    deviations.spawned = vec![spawned("others", "new", "echo")];
    let (paths, lost) = restored(&mut deviations);
    let expected = [
        "tools/echo-1",
        "tools/echo-2",
        "tools/one",
        "tools/echo-3",
        "others/new",
    ];
    assert_eq!(paths, expected);
    assert_eq!(lost, Vec::<String>::new());
    assert_eq!(deviations.words().as_deref(), Some("1 added, 1 scaled"));
}

#[test]
fn what_does_not_fit_the_description_any_more_is_forgotten_and_said() {
    let own = |path: &str| path.to_owned();
    let mut deviations = after([
        scaled("tools/one", 3),
        scaled("gone/echo", 3),
        Deed::AgentStopped(own("tools/gone")),
        Deed::Paused(own("tools/gone")),
        Deed::TeamStopped(own("gone")),
    ]);
    deviations.spawned = vec![
        spawned("tools", "one", "echo"),
        spawned("gone", "new", "echo"),
        spawned("others", "strange", "nothing"),
    ];
    deviations
        .spawned
        .extend(["a", "b", "c", "d"].map(|name| spawned("others", name, "echo")));
    let (paths, lost) = restored(&mut deviations);
    assert_eq!(
        paths,
        [
            "tools/echo-1",
            "tools/echo-2",
            "tools/one",
            "others/a",
            "others/b",
            "others/c"
        ]
    );
    let beginnings = [
        "tools/one is not added again: its name stands in the description",
        "gone/new is not added again: its team is gone",
        "others/strange is not added again: ",
        "others/d is not added again: its team restarts together",
        "gone/echo is not scaled again: its team is gone",
        "tools/one is not scaled again: it is not described with `replicas`",
        "tools/gone is not stopped again: there is no such agent any more",
        "tools/gone is not paused again: there is no such agent any more",
        "gone is not stopped again: there is no such team any more",
    ];
    assert_eq!(lost.len(), beginnings.len(), "{lost:?}");
    for (said, beginning) in lost.iter().zip(beginnings) {
        assert!(said.starts_with(beginning), "{said}");
    }
    assert_eq!(deviations.words().as_deref(), Some("3 added"));
}

#[test]
fn who_was_stopped_or_paused_is_so_until_somebody_says_otherwise() {
    let own = |path: &str| path.to_owned();
    let mut deviations = after([
        Deed::AgentStopped(own("tools/one")),
        Deed::Paused(own("tools/echo-1")),
        Deed::TeamStopped(own("others")),
        Deed::AgentStopped(own("tools/echo-2")),
        Deed::AgentStarted(own("tools/echo-2")),
    ]);
    assert_eq!(deviations.words().as_deref(), Some("2 stopped, 1 paused"));
    let paths = ["tools/one", "tools/echo-1", "tools/echo-2", "others/any"];
    assert_eq!(paths.map(|path| deviations.is_down(path)), [true, false, false, true]);
    deviations.follow(Deed::TeamStarted(own("tools")));
    assert_eq!(deviations.words().as_deref(), Some("1 stopped, 1 paused"));
    deviations.follow(Deed::Resumed(own("tools/echo-1")));
    deviations.follow(Deed::TeamStarted(own("others")));
    assert_eq!(deviations, Deviations::default());
}

#[test]
fn who_comes_by_a_change_is_neither_stopped_nor_paused() {
    let own = |path: &str| path.to_owned();
    let stopped = |path: &str| [Deed::AgentStopped(own(path)), Deed::Paused(own(path))];
    let deeds = ["tools/one", "others/new"].map(stopped);
    let mut deviations = after(deeds.into_iter().flatten().chain([Deed::TeamStopped(own("others"))]));
    deviations.make_way(&Act::Add {
        team: own("tools"),
        agent: RunningAgent::spawned(agent("one", "echo")),
    });
    assert_eq!(deviations.words().as_deref(), Some("2 stopped, 1 paused"));
    deviations.make_way(&Act::AddTeam(described().team("others").unwrap().clone()));
    assert_eq!(deviations, Deviations::default());
}

#[test]
fn who_has_gone_or_belongs_to_the_runtime_itself_is_not_kept() {
    let own = |path: &str| path.to_owned();
    let mut deviations = after([
        Deed::AgentStopped(own("telemetry/health")),
        Deed::Paused(own("telemetry/health")),
        Deed::AgentStopped(own("tools/gone")),
        Deed::AgentStopped(own("tools/one")),
        Deed::TeamStopped(own("gone")),
    ]);
    deviations.see(&described(), &BTreeSet::new());
    assert_eq!(deviations, after([Deed::AgentStopped(own("tools/one"))]));
}

#[test]
fn a_reload_forgets_what_was_scaled_and_keeps_what_was_added() {
    let mut running = described();
    let other = running.team_mut("others").unwrap();
    other.agents.push(RunningAgent::spawned(agent("new", "echo")));
    let mut deviations = after([scaled("tools/echo", 9), Deed::Reloaded]);
    deviations.see(&running, &BTreeSet::new());
    assert_eq!(deviations.words().as_deref(), Some("1 added"));
}

#[test]
fn who_was_spawned_in_a_team_that_is_to_come_back_is_kept() {
    let mut running = described();
    let other = running.team_mut("others").unwrap();
    other.agents.push(RunningAgent::spawned(agent("new", "echo")));
    Act::TakeTeamDown("others".to_owned()).apply(&mut running);
    let mut deviations = Deviations::default();
    deviations.see(&running, &BTreeSet::new());
    assert_eq!(deviations.words().as_deref(), Some("1 added"));
}

/// What somebody does to what runs.
#[derive(Clone, Debug)]
enum Doing {
    Spawn(&'static str, &'static str),
    Forget(&'static str, &'static str),
    Scale(u32),
}

fn any_doing() -> impl Strategy<Value = Doing> {
    let place = |names: [&'static str; 3]| {
        (
            prop::sample::select(vec!["tools", "others"]),
            prop::sample::select(names.to_vec()),
        )
    };
    prop_oneof![
        place(["a", "echo", "echo-3"]).prop_map(|(team, name)| Doing::Spawn(team, name)),
        // Where one with the name of a replica goes, the replica that it stood in for comes with the next start.
        place(["a", "echo", "b"]).prop_map(|(team, name)| Doing::Forget(team, name)),
        (1..5u32).prop_map(Doing::Scale),
    ]
}

fn do_it(doing: &Doing, running: &mut Running, deviations: &mut Deviations) {
    match *doing {
        Doing::Spawn(team, name) => {
            let team = running.team_mut(team).unwrap();
            if team.agent(name).is_none() && team.agents.len() < 5 {
                team.agents.push(RunningAgent::spawned(agent(name, "echo")));
            }
        }
        Doing::Forget(team, name) => {
            let team = running.team_mut(team).unwrap();
            team.agents.retain(|agent| agent.name != name || !agent.is_spawned);
        }
        Doing::Scale(replicas) => {
            let tools = running.team_mut("tools").unwrap();
            *tools = tools.scaled("echo", count(replicas)).unwrap();
            deviations.follow(scaled("tools/echo", replicas));
        }
    }
}

fn by_path(running: &Running) -> BTreeMap<String, RunningAgent> {
    let agents = running
        .teams
        .iter()
        .flat_map(|team| paths(team).zip(team.agents.clone()));
    agents.collect()
}

fn any_path() -> impl Strategy<Value = String> {
    let teams = prop::sample::select(vec!["tools", "others", "gone"]);
    let names = prop::sample::select(vec!["echo", "echo-1", "echo-3", "one", "a", "b", "c", "d"]);
    (teams, names).prop_map(|(team, name)| path(team, name))
}

fn any_deviations() -> impl Strategy<Value = Deviations> {
    let kinds = prop::sample::select(vec!["echo", "echo", "nothing"]);
    let spawned = (any_path(), kinds).prop_map(|(path, kind)| {
        let (team, name) = path.split_once('/').unwrap();
        spawned(team, name, kind)
    });
    let paths = || prop::collection::btree_set(any_path(), 0..4);
    let replicas = prop::collection::btree_map(any_path(), (1..6u32).prop_map(count), 0..4);
    (
        prop::collection::vec(spawned, 0..8),
        replicas,
        paths(),
        paths(),
        paths(),
    )
        .prop_map(|(spawned, replicas, stopped, paused, teams)| Deviations {
            spawned,
            replicas,
            agents_stopped: stopped,
            agents_paused: paused,
            teams_stopped: teams.iter().map(|path| team_of(path).to_owned()).collect(),
        })
}

fn size(deviations: &Deviations) -> usize {
    let Deviations {
        spawned,
        replicas,
        agents_stopped,
        agents_paused,
        teams_stopped,
    } = deviations;
    spawned.len() + replicas.len() + agents_stopped.len() + agents_paused.len() + teams_stopped.len()
}

proptest! {
    #[test]
    fn whatever_is_spawned_scaled_and_forgotten_runs_again(
        doings in prop::collection::vec(any_doing(), 0..12),
    ) {
        let (mut running, mut deviations) = (described(), Deviations::default());
        for doing in &doings {
            do_it(doing, &mut running, &mut deviations);
        }
        deviations.see(&running, &BTreeSet::new());
        let (mut left, mut next) = (read(&deviations), described());
        let lost = left.restore(&mut next, &natives());
        prop_assert_eq!(&lost, &Vec::<String>::new());
        prop_assert_eq!(by_path(&next), by_path(&running));
        left.see(&next, &BTreeSet::new());
        left.spawned.sort_by_key(|spawned| path(&spawned.team, &spawned.agent.name));
        deviations.spawned.sort_by_key(|spawned| path(&spawned.team, &spawned.agent.name));
        prop_assert_eq!(left, deviations);
    }

    #[test]
    fn whatever_was_kept_fits_or_is_forgotten(mut deviations in any_deviations()) {
        let mut running = described();
        let before = read(&deviations);
        let lost = deviations.restore(&mut running, &natives());
        prop_assert_eq!(size(&before), size(&deviations) + lost.len());
        let all: Vec<_> = running.teams.iter().flat_map(paths).collect();
        prop_assert_eq!(by_path(&running).len(), all.len(), "nobody is there twice");
        prop_assert!(running.teams.iter().all(|team| team.fits(3)));
        let stopped = deviations.agents_stopped.iter().chain(&deviations.agents_paused);
        prop_assert!(stopped.into_iter().all(|path| all.contains(path)));
        let (mut again, mut kept) = (described(), deviations.clone());
        prop_assert_eq!(kept.restore(&mut again, &natives()), Vec::<String>::new());
        prop_assert_eq!((again, kept), (running, deviations));
    }
}
