//! What is sent over the bus to one agent, to several, or to a team: by programs and by the command line.

use serde_json::{Value, json};

use crate::bus::crew;
use crate::running::{House, until};
use crate::text;

impl House {
    /// To whom the command line has sent something.
    fn sends(&self, to: &str, more: &[&str]) -> Vec<Value> {
        let sent = self.json(&[&["bus", "send", to], more].concat());
        sent.as_array().unwrap().iter().map(|one| one["to"].clone()).collect()
    }

    /// The bodies of the events that the program which writes to `file` was told of.
    fn bodies_in(&self, file: &str) -> Vec<Value> {
        let told = self.told(file).into_iter();
        let events = told.filter(|line| line["kind"] == "event" && line.get("ok").is_none());
        events.map(|line| line["body"]["body"].clone()).collect()
    }

    fn dead(&self) -> Vec<Value> {
        self.json(&["bus", "dead"]).as_array().unwrap().clone()
    }
}

#[test]
fn what_is_sent_reaches_the_agent_that_is_named_with_its_sender_and_no_other() {
    let (house, _runtime) = crew();
    let line = json!({
        "type": "publish", "id": "p", "to": "crew/hears", "body": { "a": 1 }, "kind": "hello", "key": "k", "priority": "high",
    });
    house.has_say("says", &json!([line]));
    let answer = house.answer("said", "p");
    assert_eq!(
        (&answer["ok"], &answer["result"][0]["to"]),
        (&json!(true), &json!("crew/hears")),
        "{answer}"
    );
    until("it came", || !house.events().is_empty());
    let event = &house.events()[0];
    assert_eq!(
        (&event["to"], &event["from"], &event["id"]),
        (&json!("crew/hears"), &json!("crew/says"), &answer["result"][0]["id"])
    );
    assert_eq!(
        (&event["body"], &event["kind"], &event["key"], &event["priority"]),
        (&json!({ "a": 1 }), &json!("hello"), &json!("k"), &json!("high"))
    );
    assert_eq!(event.get("topic"), None);
    assert_eq!(house.sends("crew/hears", &["7"]), ["crew/hears"]);
    until("it came", || house.bodies().contains(&json!(7)));
    assert_eq!(house.events()[1]["from"], "operator");
    assert_eq!(house.bodies_in("said"), [] as [Value; 0]);
}

#[test]
fn a_list_and_a_team_get_it_once_each() {
    let (house, _runtime) = crew();
    assert_eq!(house.sends("crew/says,crew/hears", &["1"]), ["crew/says", "crew/hears"]);
    assert_eq!(house.sends("crew", &["2"]).len(), 2);
    assert_eq!(house.sends("crew,crew/hears", &["3"]).len(), 2);
    let lines = json!([
        { "type": "publish", "id": "l", "to": ["crew/hears", "crew/says"], "body": 4 },
        { "type": "publish", "id": "t", "to": "crew", "body": 5 },
    ]);
    house.has_say("says", &lines);
    for id in ["l", "t"] {
        assert_eq!(house.answer("said", id)["result"].as_array().unwrap().len(), 2);
    }
    let all = (1..=5).map(Value::from).collect::<Vec<_>>();
    until("all came to both", || {
        house.bodies() == all && house.bodies_in("said") == all
    });
}

#[test]
fn whoever_is_not_there_is_named_with_who_was_meant_and_nobody_gets_it() {
    let (house, _runtime) = crew();
    let refused = |to: &str, code: i32| {
        let output = house.run(&["bus", "send", to, "1"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{to}: {said}");
        said
    };
    for (to, code, told) in [
        (
            "crew/hears,crew/heras",
            4,
            "there is no agent \"crew/heras\"; write crew/hears",
        ),
        ("crwe", 4, "there is no team \"crwe\"; write crew"),
        ("hears", 4, "hears is an agent, and no team; write crew/hears"),
        (
            "bus/courier",
            5,
            "bus/courier is an agent of the runtime itself, which takes no posts",
        ),
    ] {
        let said = refused(to, code);
        assert!(said.contains(told), "{said}");
    }
    let lines = json!([
        { "type": "publish", "id": "n", "to": ["crew/hears", "crew/heras"], "body": 1 },
        { "type": "publish", "id": "b", "to": "crew/hears", "topic": "news", "body": 1 },
        { "type": "publish", "id": "w", "to": 7 },
    ]);
    house.has_say("says", &lines);
    for (id, told) in [
        ("n", "there is no agent \"crew/heras\"; write crew/hears"),
        ("b", "unknown field `topic`"),
        ("w", "write it as in {\"type\":\"publish\",\"to\":\"team/agent\""),
    ] {
        let answer = house.answer("said", id);
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(answer["ok"] == false && error.contains(told), "{answer}");
    }
    assert_eq!(house.sends("crew/hears", &["2"]).len(), 1);
    until("it came", || !house.events().is_empty());
    assert_eq!(house.bodies(), [2]);
}

#[test]
fn what_an_agent_cannot_do_is_a_dead_letter_that_can_be_replayed() {
    let (house, _runtime) = crew();
    house.write("refuses", "");
    let id = house.json(&["bus", "send", "crew/hears", "7"])[0]["id"].clone();
    until("it is dead", || !house.dead().is_empty());
    let letter = house.dead()[0].clone();
    assert_eq!(
        (&letter["cause"], &letter["why"], &letter["subscriber"], &letter["id"]),
        (&json!("failed"), &json!("no ink"), &json!("crew/hears"), &id)
    );
    let tries = house.events().len();
    assert_eq!(tries, 5);
    std::fs::remove_file(house.path().join("refuses")).unwrap();
    let number = letter["letter"].to_string();
    assert_eq!(house.json(&["bus", "replay", &number]), json!({ "sent": 1, "kept": 0 }));
    until("it came again", || house.events().len() == tries + 1);
    assert_eq!(house.dead(), [] as [Value; 0]);
}

#[test]
fn what_is_sent_outlives_the_life_that_had_it_and_dies_with_an_agent_that_leaves() {
    let (house, _runtime) = crew();
    // Its first life ends with it in hand, and the second does it.
    house.write("dies-once", "");
    house.json(&["bus", "send", "crew/hears", "once"]);
    until("the next life got it", || house.bodies() == ["once", "once"]);
    assert_eq!(house.json(&["agent", "show", "crew/hears"])["incarnation"], 2);
    assert_eq!(house.dead(), [] as [Value; 0]);
    house.json(&["agent", "pause", "crew/hears"]);
    for number in 0..20 {
        house.sends("crew/hears", &[&number.to_string()]);
    }
    house.json(&["agent", "stop", "crew/hears"]);
    house.sends("crew/hears", &["20"]);
    assert_eq!(house.dead(), [] as [Value; 0], "it may be started again");
    let described = std::fs::read_to_string(house.path().join("triarch.toml")).unwrap();
    house.write("triarch.toml", &described.replace("\"hears\"", "\"other\""));
    house.json(&["reload"]);
    until("all are dead", || house.dead().len() == 21);
    assert!(
        house.dead().iter().all(|letter| letter["cause"] == "closed"),
        "{:?}",
        house.dead()
    );
    let said = text(&house.run(&["bus", "send", "crew/hears", "1"]).stderr);
    assert!(said.contains("there is no agent \"crew/hears\""), "{said}");
}

#[test]
fn one_that_has_left_with_nothing_waiting_is_not_there_and_a_letter_of_its_is_for_the_one_that_comes_back() {
    let (house, _runtime) = crew();
    house.sends("crew/hears", &["1"]);
    until("it is done", || house.bodies() == [1]);
    house.write("refuses", "");
    house.sends("crew/hears", &["2"]);
    until("it is dead", || house.dead().len() == 1);
    std::fs::remove_file(house.path().join("refuses")).unwrap();
    let described = std::fs::read_to_string(house.path().join("triarch.toml")).unwrap();
    house.write("triarch.toml", &described.replace("\"hears\"", "\"other\""));
    house.json(&["reload"]);
    let refused = house.run(&["bus", "send", "crew/hears,crew/says", "3"]);
    let said = text(&refused.stderr);
    assert!(
        refused.status.code() == Some(4) && said.contains("there is no agent \"crew/hears\""),
        "{said}"
    );
    let number = house.dead()[0]["letter"].to_string();
    assert!(!house.run(&["bus", "replay", &number]).status.success());
    assert_eq!(house.dead().len(), 1);
    house.write("triarch.toml", &described);
    house.json(&["reload"]);
    let tries = house.events().len();
    assert_eq!(house.json(&["bus", "replay", &number]), json!({ "sent": 1, "kept": 0 }));
    until("it came again", || house.events().len() == tries + 1);
    assert_eq!(house.bodies_in("said"), [] as [Value; 0]);
    assert_eq!(house.dead(), [] as [Value; 0]);
}

#[test]
fn what_lies_in_the_mailbox_of_a_paused_agent_lies_there_once_and_is_not_late() {
    let (house, _runtime) = crew();
    let terms = json!({ "ack_within": "400ms", "retry": { "first": "1ms", "most": "1ms", "tries": 2 } });
    let subscribes = json!([{ "type": "subscribe", "id": "s", "pattern": "slow", "terms": terms }]);
    house.has_say("hears", &subscribes);
    assert_eq!(house.answer("heard", "s")["ok"], true);
    house.json(&["agent", "pause", "crew/hears"]);
    for number in 0..3 {
        house.json(&["bus", "publish", "slow", &number.to_string()]);
    }
    house.has_say("says", &json!([{ "type": "subscribe", "id": "s", "pattern": "later" }]));
    assert_eq!(house.answer("said", "s")["ok"], true);
    house.json(&["bus", "publish", "later", "1", "--after", "3s"]);
    until("the time for an answer is over several times", || {
        house.bodies_in("said") == [1]
    });
    assert_eq!(house.dead(), [] as [Value; 0]);
    house.json(&["agent", "resume", "crew/hears"]);
    house.sends("crew/hears", &["3"]);
    until("all came", || house.bodies().contains(&json!(3)));
    assert_eq!(house.bodies(), [0, 1, 2, 3]);
    assert_eq!(house.dead(), [] as [Value; 0]);
}

/// Subscribes, and writes down what it hears; it answers nothing.
const EAR: &str = r#"
import json, sys
print(json.dumps({"type": "subscribe", "id": "s", "pattern": "news.*"}))
heard = open("heard", "a", buffering=1)
for line in sys.stdin: heard.write(line)
"#;

/// One that never answers, and this besides.
fn an_ear(more: &str) -> House {
    let house = House::new();
    house.write("ear.py", EAR);
    let ear = "[[team]]\nname = \"crew\"\n[[team.agent]]\nname = \"hears\"\nkind = \"program\"\nanswers = false\n\
               command = [\"python3\", \"-u\", \"ear.py\"]\nsandbox = { kind = \"none\" }\n";
    house.write("triarch.toml", &[ear, more].concat());
    house
}

#[test]
fn a_program_that_never_answers_hears_each_event_once_and_takes_no_tasks() {
    let refused = an_ear("capabilities = [\"hear\"]\n").run(&["config", "check"]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("takes tasks, and never says that one is done"), "{said}");
    let house = an_ear("");
    let _runtime = house.up(&[]);
    assert_eq!(house.answer("heard", "s")["ok"], true);
    house.json(&["bus", "publish", "news.today", "1"]);
    until("it is done", || house.delivered("news.today") == 1);
    house.sends("crew/hears", &["2"]);
    until("it came", || house.bodies_in("heard").len() > 1);
    house.json(&["bus", "publish", "news.today", "3"]);
    until("it is done", || house.delivered("news.today") == 2);
    assert_eq!(house.bodies_in("heard"), [1, 2, 3]);
    assert_eq!(house.dead(), [] as [Value; 0]);
}
