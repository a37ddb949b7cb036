//! Who is meant by a name, and what to say where nobody is.

use triarch_supervision::name::team_of;
use triarch_supervision::tree::Level;

use super::seen::Place;
use super::{Code, Trouble};
use crate::config::nearest;
use crate::fleet::Fleet;

/// Finds the agent that is meant by its path, or by a name that only one has.
pub(crate) fn find_agent(fleet: &Fleet, meant: &str) -> Result<Place, Trouble> {
    if fleet
        .observer()
        .node(meant)
        .is_ok_and(|node| node.level == Level::Agent)
        && let Some(place) = Place::of(meant)
    {
        return Ok(place);
    }
    let nodes = fleet.observer().snapshot();
    let agents = nodes.iter().filter(|node| node.level == Level::Agent);
    let mut places: Vec<_> = agents.filter_map(|node| Place::of(&node.path)).collect();
    let has_team = |name: &str| fleet.has_team(name);
    let is_room = |name: &str| !has_team(name) && nodes.iter().any(|node| &*node.path == name);
    if !places.iter().any(|place| place.name == meant) {
        return Err(nobody(meant, &places, has_team, is_room));
    }
    places.retain(|place| place.name == meant);
    match <[Place; 1]>::try_from(places) {
        Ok([place]) => Ok(place),
        Err(several) => {
            let paths: Vec<_> = several.iter().map(|place| place.path.as_str()).collect();
            Err(Trouble::new(
                Code::Usage,
                format!("{meant:?} may be any of {}", paths.join(", ")),
                "name it by its path",
            ))
        }
    }
}

/// That there is a team of that name; else whom somebody may have meant by it.
pub(crate) fn find_team(fleet: &Fleet, meant: &str) -> Result<(), Trouble> {
    if fleet.has_team(meant) {
        return Ok(());
    }
    let not_found = |message, remedy| Err(Trouble::new(Code::NotFound, message, remedy));
    if let Ok(place) = find_agent(fleet, meant) {
        return not_found(
            format!("{meant} is an agent, and no team"),
            format!("write {}", place.plain()),
        );
    }
    let teams = fleet.team_names();
    match nearest(meant, teams.iter().map(String::as_str)) {
        Some(near) => not_found(
            format!("there is no team {meant:?}"),
            format!("write {near}, or see `triarch team list`"),
        ),
        None => Err(Trouble::no_such_team(meant)),
    }
}

/// What is said of a name that no agent has: what else has it, or who was probably meant.
fn nobody(meant: &str, places: &[Place], has_team: impl Fn(&str) -> bool, is_room: impl Fn(&str) -> bool) -> Trouble {
    let not_found = |message, remedy| Trouble::new(Code::NotFound, message, remedy);
    if has_team(team_of(meant)) {
        let team = team_of(meant);
        return not_found(
            format!("{team} is a team"),
            format!("`triarch team show {team}` shows it"),
        );
    }
    if is_room(meant) {
        let message = format!("{meant} is a supervisor of the runtime itself");
        return not_found(message, format!("`triarch tree {meant}` shows it"));
    }
    if let Some(replicas) = replicas(meant, places) {
        return not_found(
            format!("{meant} has replicas: {replicas}"),
            "name one of them".to_owned(),
        );
    }
    let known = places
        .iter()
        .flat_map(|place| [place.path.as_str(), place.name.as_str()]);
    match nearest(meant, known) {
        Some(near) => not_found(
            format!("there is no agent {meant:?}"),
            format!("write {near}, or see `triarch agent list`"),
        ),
        None => Trouble::no_such_agent(meant),
    }
}

/// The agents that are numbered replicas of the one that is described as `meant`, in short.
fn replicas(meant: &str, places: &[Place]) -> Option<String> {
    let number = |place: &Place| {
        let (of, number) = place.name.rsplit_once('-')?;
        let is_meant = of == meant || format!("{}/{of}", place.team) == meant;
        number.parse::<u32>().ok().filter(|_| is_meant)
    };
    let mut numbered: Vec<_> = places
        .iter()
        .filter_map(|place| Some((number(place)?, place)))
        .collect();
    numbered.sort_by_key(|(number, _)| *number);
    let (_, first) = numbered.first()?;
    let (last, _) = numbered.last()?;
    Some(if numbered.len() == 1 {
        first.path.clone()
    } else {
        format!("{} … {last}", first.path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_nobody_is_told_who_was_meant() {
        let paths = [
            "tools/echo-2",
            "tools/echo-10",
            "tools.1/echo-1",
            "tools/clock",
            "gateway/http",
        ];
        let places: Vec<_> = paths.iter().filter_map(|path| Place::of(path)).collect();
        let told = |meant: &str| nobody(meant, &places, |name| name == "tools", |name| name == "gateway").told();
        for (meant, expected) in [
            ("echo", "echo has replicas: tools.1/echo-1 … 10; name one of them"),
            (
                "tools/echo",
                "tools/echo has replicas: tools.1/echo-1 … 10; name one of them",
            ),
            ("tools", "tools is a team; `triarch team show tools` shows it"),
            ("tools.1", "tools is a team; `triarch team show tools` shows it"),
            (
                "gateway",
                "gateway is a supervisor of the runtime itself; `triarch tree gateway` shows it",
            ),
            (
                "clokc",
                "there is no agent \"clokc\"; write clock, or see `triarch agent list`",
            ),
            (
                "nobody",
                "there is no agent \"nobody\"; `triarch agent list` shows those there are",
            ),
        ] {
            assert_eq!(told(meant), expected);
        }
    }
}
