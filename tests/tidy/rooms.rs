//! Every room is built to one plan, so that whoever knows one finds their way in all.

use std::collections::BTreeSet;

use crate::repository::Repository;
use crate::rule::Fault;

/// What a room has, whatever it does.
const ROOM: [&str; 5] = ["lib.rs", "room.rs", "config.rs", "error.rs", "metrics.rs"];
/// What an actor has that is a folder; with less it is one file.
const ACTOR: [&str; 3] = ["mod.rs", "message.rs", "actor.rs"];
/// What an actor that is told nothing says of itself: it has no messages of its own to lay down.
const TOLD_NOTHING: &str = "type Message = Nothing;";
/// The folder of a room that is no actor: what it asks of the system.
const SYSTEM: &str = "sys";

/// A folder of small agents, each in one file, that are described alike.
const GALLERY: &str = "natives";

/// Folders of rooms that are no actors: what several of a room's actors, and whoever reads without them, work with.
const PARTS: [&str; 6] = ["client", "disk", "exchange", "index", "search", "space"];

/// Rooms and actors that lack a file of the plan.
pub(crate) fn off_plan(repository: &Repository) -> Vec<Fault> {
    let mut folders = BTreeSet::new();
    for source in repository.files.iter().filter(|source| source.is_rust()) {
        if let ["actors", room, "src", inner @ ..] = source.path.split('/').collect::<Vec<_>>().as_slice() {
            folders.insert((format!("actors/{room}/src"), &ROOM[..]));
            if let [actor, _, ..] = inner
                && *actor != SYSTEM
            {
                let plan = if *actor == GALLERY || PARTS.contains(actor) {
                    &ACTOR[..1]
                } else {
                    &ACTOR[..]
                };
                folders.insert((format!("actors/{room}/src/{actor}"), plan));
            }
        }
    }
    folders
        .iter()
        .flat_map(|(folder, plan)| missing(repository, folder, plan))
        .collect()
}

fn missing(repository: &Repository, folder: &str, plan: &[&str]) -> Vec<Fault> {
    let actor = repository.file(&format!("{folder}/actor.rs"));
    let needs = |name: &&&str| **name != "message.rs" || actor.is_none_or(|source| !source.code.contains(TOLD_NOTHING));
    let lacks = |name: &&&str| repository.file(&format!("{folder}/{name}")).is_none();
    let fault = |name: &&str| Fault::new("rooms to plan", folder, 1, format!("{name} is missing"));
    plan.iter().filter(needs).filter(lacks).map(fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(paths: &[&str]) -> Vec<String> {
        let files: Vec<_> = paths.iter().map(|path| (*path, "")).collect();
        off_plan(&Repository::of(&files))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_room_to_plan_is_no_fault() {
        let room = ROOM.map(|name| format!("actors/bus/src/{name}"));
        let actor = ACTOR.map(|name| format!("actors/bus/src/topic/{name}"));
        let small = ["actors/bus/src/letters.rs", "supervision/src/mailbox/lane.rs"].map(str::to_owned);
        let paths: Vec<_> = room.iter().chain(&actor).chain(&small).map(String::as_str).collect();
        assert!(found(&paths).is_empty());
    }

    #[test]
    fn what_a_room_asks_of_the_system_is_no_actor() {
        let room = ROOM.map(|name| format!("actors/bus/src/{name}"));
        let system = ["sys/mod.rs", "sys/pipe.rs"].map(|path| format!("actors/bus/src/{path}"));
        let paths: Vec<_> = room.iter().chain(&system).map(String::as_str).collect();
        assert!(found(&paths).is_empty());
    }

    #[test]
    fn a_gallery_needs_nothing_but_its_entrance() {
        let room = ROOM.map(|name| format!("actors/teams/src/{name}"));
        let natives = ["actors/teams/src/natives/echo.rs", "actors/teams/src/natives/mod.rs"].map(str::to_owned);
        let mut paths: Vec<_> = room.iter().chain(&natives).map(String::as_str).collect();
        assert!(found(&paths).is_empty());
        paths.pop();
        let expected = ["actors/teams/src/natives:1: mod.rs is missing [rooms to plan]"];
        assert_eq!(found(&paths), expected);
    }

    #[test]
    fn an_actor_that_is_told_nothing_needs_no_messages() {
        let room = ROOM.map(|name| (format!("actors/bus/src/{name}"), ""));
        let found = |actor: &str| {
            let of_actor = [
                ("actors/bus/src/bell/mod.rs", ""),
                ("actors/bus/src/bell/actor.rs", actor),
            ];
            let room = room.iter().map(|(path, text)| (path.as_str(), *text));
            off_plan(&Repository::of(&room.chain(of_actor).collect::<Vec<_>>())).len()
        };
        assert_eq!(found("type Message = Nothing;"), 0);
        assert_eq!(found("type Message = Ring; // type Message = Nothing;"), 1);
    }

    #[test]
    fn each_missing_file_is_a_fault() {
        let paths = [
            "lib.rs",
            "room.rs",
            "config.rs",
            "error.rs",
            "topic/mod.rs",
            "topic/message.rs",
        ];
        let paths = paths.map(|path| format!("actors/bus/src/{path}"));
        let expected = [
            "actors/bus/src:1: metrics.rs is missing [rooms to plan]",
            "actors/bus/src/topic:1: actor.rs is missing [rooms to plan]",
        ];
        assert_eq!(found(&paths.each_ref().map(String::as_str)), expected);
    }
}
