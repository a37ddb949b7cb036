//! What programs and people can say to the bus beside plain events: urgency, questions, times, groups, terms, and which dead letters.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::PATIENCE;
use crate::bus::{crew, crew_with};
use crate::running::{House, until};
use crate::text;

impl House {
    /// What the program is answered that it cannot have.
    fn refused(&self, line: &Value) -> String {
        self.has_say("says", &json!([line]));
        let answer = self.answer("said", line["id"].as_str().unwrap());
        assert_eq!(answer["ok"], false, "{answer}");
        answer["error"].as_str().unwrap().to_owned()
    }

    /// What the command line says where it does not do it, and its exit code.
    fn fails(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        said
    }

    pub(crate) fn letters(&self, query: &[&str]) -> Vec<Value> {
        let told = self.json(&[&["bus", "dead"], query].concat());
        told.as_array().unwrap().clone()
    }
}

#[test]
fn an_event_says_how_urgent_it_is_and_what_it_came_of() {
    let (house, _runtime) = crew();
    house.subscribes(&json!({ "pattern": "plant.*", "filter": "priority eq \"high\" and ttl eq 60000" }));
    let mut tap = house.begin(&["bus", "tap"]);
    until("the tap listens", || {
        house.json(&["bus", "publish", "plant.x", "0"])["matched"] == 1
    });
    let first = house.json(&["bus", "publish", "plant.y", "1", "--priority", "low"])["id"].clone();
    let line = json!({
        "type": "publish", "id": "p", "topic": "plant.pump", "body": 2, "priority": "high", "ttl_ms": 60000,
        "correlation": first, "causation": first,
    });
    house.has_say("says", &json!([line]));
    until("it was heard", || !house.events().is_empty());
    let event = &house.events()[0];
    assert_eq!(
        (&event["body"], &event["priority"], &event["ttl_ms"]),
        (&json!(2), &json!("high"), &json!(60000))
    );
    assert_eq!((&event["correlation"], &event["causation"]), (&first, &first));
    assert_eq!(event["id"], house.answer("said", "p")["result"]["id"]);
    assert!(tap.said_with("plant.y", PATIENCE).ends_with("operator 1 (low)"));
    let told = tap.said_with("plant.pump", PATIENCE);
    assert!(told.contains("crew/says 2 (high, for 1m, of "), "{told}");
    house.json(&["bus", "publish", "plant.z", "3", "--priority", "high", "--ttl", "1m"]);
    until("it was heard", || house.bodies() == [2, 3]);
    let said = house.fails(&["bus", "publish", "plant.z", "--priority", "soon"], 2);
    assert!(
        said.contains("expected one of `critical`, `high`, `normal`, `low`, `background`"),
        "{said}"
    );
    let told = house.refused(&json!({ "type": "publish", "id": "q", "topic": "a", "ttl_ms": -1 }));
    assert!(
        told.contains("a length of time, as in \"30s\", or a number of milliseconds"),
        "{told}"
    );
    let told = house.refused(&json!({ "type": "publish", "id": "r", "topic": "a", "correlation": "me" }));
    assert!(told.contains("\"me\" is no id of an envelope"), "{told}");
}

#[test]
fn a_question_is_answered_by_who_hears_the_topic() {
    let (house, _runtime) = crew();
    house.subscribes(&json!({ "pattern": "plant.*" }));
    let line = json!({ "type": "request", "id": "q", "topic": "plant.ask", "body": 7, "timeout_ms": 30000 });
    house.has_say("says", &json!([line]));
    let answer = house.answer("said", "q");
    assert_eq!(
        (&answer["ok"], &answer["result"]["body"], &answer["result"]["from"]),
        (&json!(true), &json!({ "got": 7 }), &json!("crew/hears")),
        "{answer}"
    );
    let asked = &house.events()[0];
    assert_eq!(
        (&asked["id"], &asked["from"], &asked["is_request"]),
        (&answer["result"]["correlation"], &json!("crew/says"), &json!(true))
    );
    let answered = house.json(&["bus", "request", "plant.ask", "8"]);
    assert_eq!(answered["body"], json!({ "got": 8 }));
    house.subscribes(&json!({ "pattern": "once", "class": "at_most_once" }));
    assert_eq!(
        house.json(&["bus", "request", "once", "9"])["body"],
        json!({ "got": 9 })
    );
    until("what was answered is acknowledged", || {
        house.delivered("plant.ask") == 2
    });
    assert_eq!(house.letters(&[]), [] as [Value; 0]);
}

#[test]
fn a_question_that_nobody_answers_says_why() {
    let (house, _runtime) = crew();
    house.subscribes(&json!({ "pattern": "plant.*" }));
    let said = house.fails(&["bus", "request", "plant.ask", "hang", "--within", "50ms"], 3);
    assert!(
        said.contains("no answer from plant.ask within 50ms; allow more time"),
        "{said}"
    );
    let said = house.fails(&["bus", "request", "nowhere", "1"], 4);
    assert!(said.contains("nobody hears requests on nowhere; "), "{said}");
    let said = house.fails(&["bus", "request", "log.a", "1"], 2);
    assert!(
        said.contains("log.a is a durable topic, and those are not asked; "),
        "{said}"
    );
    assert_eq!(house.fails(&["bus", "request", "pay.slips"], 5).lines().count(), 1);
    let told =
        house.refused(&json!({ "type": "request", "id": "q", "topic": "plant.ask", "body": "hang", "timeout_ms": 50 }));
    assert!(told.contains("no answer from plant.ask within 50ms"), "{told}");
    let told = house.refused(&json!({ "type": "request", "id": "r", "topic": "plant.ask", "timeout_ms": true }));
    assert!(told.contains("write it as in {\"type\":\"request\""), "{told}");
    // What failed is not tried again once nobody waits for it.
    house.write("refuses", "");
    house.fails(&["bus", "request", "plant.ask", "8", "--within", "60ms"], 3);
    until("its time is over", || house.letters(&["--cause", "expired"]).len() == 1);
    assert_eq!(house.letters(&["--cause", "expired"])[0]["body"], 8);
}

#[test]
fn what_nobody_needs_any_more_is_not_given_to_a_program_out_of_its_mailbox() {
    let (house, _runtime) = crew();
    house.subscribes(&json!({ "pattern": "plant.*" }));
    house.json(&["agent", "pause", "crew/hears"]);
    let begun = Instant::now();
    let time = Duration::from_millis(1_500);
    for number in 0..10 {
        house.json(&["bus", "publish", "plant.pump", &number.to_string(), "--ttl", "1500ms"]);
    }
    let mailbox = || house.json(&["agent", "show", "crew/hears"])["mailbox"]["depth"].clone();
    until("they are in its mailbox", || mailbox() == 8 || begun.elapsed() > time);
    // Those that the mailbox has no room for are not held back longer.
    until("the rest is dead", || house.letters(&["--cause", "expired"]).len() == 2);
    house.json(&["bus", "publish", "plant.pump", "10"]);
    until("the time of all is over", || begun.elapsed() > 2 * time);
    house.json(&["agent", "resume", "crew/hears"]);
    until("it was heard", || !house.events().is_empty());
    assert_eq!(house.bodies(), [10]);
    until("all are dead", || house.letters(&["--cause", "expired"]).len() == 10);
    let letters = house.letters(&[]);
    assert!(
        letters.len() == 10 && letters.iter().all(|letter| letter["failures"] == 0),
        "{letters:?}"
    );
    let shown = house.json(&["bus", "show", "plant.pump"]);
    assert_eq!(shown["subscriptions"][0]["breaker"], "closed", "{shown}");
}

#[test]
fn a_log_is_read_again_from_a_time() {
    let (house, _runtime) = crew();
    for number in 0..3 {
        house.json(&["bus", "publish", "log.a", &number.to_string()]);
    }
    let read = |from: &str, count: &str| {
        let told = house.run(&["bus", "subscribe", "log.**", "--from", from, "--count", count, "--json"]);
        let lines = text(&told.stdout);
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect::<Vec<Value>>()
    };
    let second = read("first", "3")[1]["at"].as_str().unwrap().to_owned();
    let bodies: Vec<_> = read(&second, "2").iter().map(|event| event["body"].clone()).collect();
    assert_eq!(bodies, [1, 2]);
    house.subscribes(&json!({ "pattern": "log.*", "from": second }));
    until("both were heard", || house.events().len() == 2);
    assert_eq!(house.bodies(), [1, 2]);
    let may_stand =
        "first, next, the number of a place, or a time: in UTC such as 2026-11-22T08:00:00Z, or 1h for an hour ago";
    let said = house.fails(&["bus", "subscribe", "log.**", "--from", "yesterday"], 2);
    assert!(said.contains(may_stand), "{said}");
    for (id, from) in [("a", json!("yesterday")), ("b", json!(true)), ("c", json!({}))] {
        let told = house.refused(&json!({ "type": "subscribe", "id": id, "pattern": "log.*", "from": from }));
        assert!(told.contains(may_stand), "{told}");
    }
}

#[test]
fn a_group_finds_the_one_as_its_founder_says() {
    let (house, _runtime) = crew();
    let wish = json!({ "pattern": "jobs", "group": "g", "pick": "least_busy" });
    house.subscribes(&wish);
    house.has_subscribe("says", "said", &wish);
    let publish = || assert_eq!(house.json(&["bus", "publish", "jobs", "hang"])["matched"], 1);
    let settled = |count: u64| until("the other has done it", || house.delivered("jobs") == count);
    // The first never answers: the turn comes to it by the second event, and no more once it has that.
    let mut done = 0;
    while house.events().is_empty() {
        publish();
        until("somebody has it", || {
            !house.events().is_empty() || house.delivered("jobs") > done
        });
        done = house.delivered("jobs");
    }
    for more in 1..=6 {
        publish();
        settled(done + more);
    }
    assert_eq!(house.events().len(), 1);
    let told = house.refused(&json!({ "type": "subscribe", "id": "t", "pattern": "jobs", "pick": "random" }));
    assert!(
        told.contains("there is no group; name the group, or leave out pick"),
        "{told}"
    );
}

#[test]
fn subscriptions_of_the_command_line_share_what_is_published_as_a_group() {
    let (house, _runtime) = crew();
    let asked = [
        "bus",
        "subscribe",
        "jobs",
        "--group",
        "g",
        "--class",
        "at_least_once",
        "--count",
        "2",
        "--json",
    ];
    let mut both = [house.begin(&asked), house.begin(&asked)];
    let listeners = || house.run(&["bus", "show", "jobs", "--json"]);
    until("both listen", || {
        let shown: Value = serde_json::from_slice(&listeners().stdout).unwrap_or_default();
        shown["subscriptions"]
            .as_array()
            .is_some_and(|all| all.len() == 2 && all[0]["class"] == "at_least_once")
    });
    for number in 0..4 {
        assert_eq!(
            house.json(&["bus", "publish", "jobs", &number.to_string()])["matched"],
            1
        );
    }
    for one in &mut both {
        assert_eq!(one.said().lines().count(), 2);
    }
    assert_eq!(house.letters(&[]), [] as [Value; 0]);
    house.fails(&["bus", "subscribe", "jobs", "--pick", "random"], 2);
}

#[test]
fn a_subscription_has_the_terms_that_a_program_asks_for() {
    let (house, _runtime) = crew();
    house.write("refuses", "");
    let few = json!({ "retry": { "tries": 2, "first": "1ms", "most": "1ms" } });
    house.subscribes(&json!({ "pattern": "few", "terms": few }));
    house.json(&["bus", "publish", "few", "1"]);
    until("it is dead", || house.letters(&[]).len() == 1);
    assert_eq!(
        (&house.letters(&[])[0]["failures"], house.events().len()),
        (&json!(2), 2)
    );
    std::fs::remove_file(house.path().join("refuses")).unwrap();
    let hasty = json!({ "ack_within": "50ms", "retry": { "tries": 1 }, "bound": 3 });
    house.subscribes(&json!({ "pattern": "hasty", "terms": hasty }));
    house.json(&["bus", "publish", "hasty", "hang"]);
    until("it was too late", || {
        house.letters(&["--cause", "unacknowledged"]).len() == 1
    });
    assert_eq!(house.json(&["bus", "show", "hasty"])["subscriptions"][0]["bound"], 3);
    let refused = |id: &str, terms: Value| {
        house.refused(&json!({ "type": "subscribe", "id": id, "pattern": "a", "terms": terms }))
    };
    assert_eq!(
        refused("a", json!({ "bound": 0 })),
        "terms.bound is 0; say 1 to 100000, or leave it out"
    );
    assert!(refused("b", json!({ "brake": 1 })).contains("unknown field `brake`, expected one of `ack_within`"));
}

/// A failed letter of `few.a` and of `few.b` each.
fn buried(house: &House) {
    house.write("refuses", "");
    let few = json!({ "retry": { "tries": 1 } });
    house.subscribes(&json!({ "pattern": "few.*", "terms": few }));
    for (topic, body) in [("few.a", "1"), ("few.b", "2")] {
        house.json(&["bus", "publish", topic, body]);
    }
    until("both are dead", || house.letters(&[]).len() == 2);
    std::fs::remove_file(house.path().join("refuses")).unwrap();
}

#[test]
fn dead_letters_are_found_by_how_long_ago_they_died() {
    let (house, _runtime) = crew();
    buried(&house);
    let count = |query: &[&str]| house.letters(query).len();
    assert_eq!((count(&["--after", "1h"]), count(&["--before", "1h"])), (2, 0));
}

#[test]
fn dead_letters_are_listed_replayed_and_dropped_by_what_is_known_of_them() {
    let (house, _runtime) = crew();
    buried(&house);
    let found = |query: &[&str]| {
        house
            .letters(query)
            .iter()
            .map(|one| one["body"].clone())
            .collect::<Vec<_>>()
    };
    let died = house
        .letters(&[])
        .iter()
        .map(|one| one["at"].as_str().unwrap().to_owned())
        .collect::<Vec<_>>();
    assert_eq!(found(&["--cause", "failed", "--topic", "*.b"]), [2]);
    assert_eq!(found(&["--cause", "expired"]), [] as [i32; 0]);
    assert_eq!(found(&["--filter", "payload lt 2"]), [1]);
    assert_eq!(
        (found(&["--after", &died[1]]), found(&["--before", &died[1]])),
        (vec![json!(2)], vec![json!(1)])
    );
    assert_eq!(found(&["--subscriber", "crew/says"]), [] as [i32; 0]);
    let replayed = house.json(&["bus", "replay", "--topic", "few.a"]);
    assert_eq!(replayed, json!({ "sent": 1, "kept": 0 }));
    until("it was acknowledged", || house.delivered("few.a") == 1);
    assert_eq!(found(&[]), [2]);
    assert_eq!(
        house.json(&["bus", "drop", "--before", &died[0]]),
        json!({ "dropped": 0 })
    );
    assert_eq!(
        house.json(&["bus", "drop", "--cause", "failed"]),
        json!({ "dropped": 1 })
    );
    assert_eq!(found(&[]), [] as [i32; 0]);
    house.fails(&["bus", "request", "few.a", "--within", "2days"], 2);
    let said = house.fails(&["bus", "drop", "2"], 4);
    assert!(said.contains("there is no dead letter 2; "), "{said}");
    for verb in ["replay", "drop"] {
        house.fails(&["bus", verb], 2);
        house.fails(&["bus", verb, "2", "--topic", "few.a"], 2);
    }
    let said = house.fails(&["bus", "replay", "--cause", "poison"], 2);
    assert!(said.contains("replay each by its number"), "{said}");
    let said = house.fails(&["bus", "dead", "--after", "noon"], 2);
    assert!(
        said.contains("is no time; write it in UTC, as in 2026-11-22T08:00:00Z, or as 1h for an hour ago"),
        "{said}"
    );
}

#[test]
fn a_dead_letter_that_was_dropped_does_not_come_back_from_the_disk() {
    let (house, mut runtime) = crew();
    house.write("refuses", "");
    let few = json!({ "retry": { "tries": 1 } });
    house.subscribes(&json!({ "pattern": "log.*", "name": "mine", "from": "first", "terms": few }));
    house.json(&["bus", "publish", "log.a", "7"]);
    house.json(&["bus", "publish", "log.a", "8"]);
    until("both are dead", || house.letters(&[]).len() == 2);
    let first = house.letters(&[])[0]["letter"].to_string();
    assert_eq!(house.json(&["bus", "drop", &first]), json!({ "dropped": 1 }));
    // Whoever gets this acknowledged knows that what was dropped before is off the disk.
    house.json(&["bus", "publish", "log.b", "9"]);
    runtime.kill();
    let _next = house.up(&[]);
    let left: Vec<_> = house
        .letters(&["--topic", "log.a"])
        .iter()
        .map(|one| one["body"].clone())
        .collect();
    assert_eq!(left, [8]);
}

#[test]
fn what_is_to_be_published_later_is_listed_soonest_first() {
    let (house, _runtime) = crew();
    let planned = |arguments: &[&str]| house.json(&[&["bus", "publish"], arguments].concat())["schedule"].clone();
    let daily = planned(&["log.a", "1", "--daily", "06:30,18:00 mon-fri +02:00"]);
    let hourly = planned(&["plain", "2", "--every", "1h", "--after", "1ms"]);
    let once = planned(&["plain", "3", "--after", "1s", "--kind", "late"]);
    let line = json!({ "type": "publish", "id": "p", "topic": "plain", "daily": "07:00" });
    house.has_say("says", &json!([line]));
    let said = house.answer("said", "p")["result"]["schedule"].clone();
    let all = house.json(&["bus", "planned"]);
    let of = |schedule: &Value| {
        all.as_array()
            .unwrap()
            .iter()
            .find(|one| one["schedule"] == *schedule)
            .unwrap()
    };
    assert_eq!(
        (&of(&daily)["again"], &of(&daily)["is_durable"]),
        (&json!("daily 06:30,18:00 mon,tue,wed,thu,fri +02:00"), &json!(true))
    );
    assert_eq!(
        (&of(&hourly)["again"], &of(&hourly)["is_durable"]),
        (&json!("every 1h"), &json!(false))
    );
    assert_eq!(
        (&of(&said)["again"], &of(&said)["from"]),
        (&json!("daily 07:00 Z"), &json!("crew/says"))
    );
    let next: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["next"].as_str().unwrap())
        .collect();
    assert!(next.is_sorted(), "{next:?}");
    for schedule in [&daily, &hourly, &said] {
        house.json(&["bus", "cancel", &schedule.to_string()]);
    }
    until("all came or were called off", || {
        house.json(&["bus", "planned"]) == json!([])
    });
    assert_eq!(house.run(&["bus", "cancel", &once.to_string()]).status.code(), Some(4));
    house.fails(&["bus", "publish", "a", "--daily", "06:30", "--every", "1h"], 2);
    let said = house.fails(&["bus", "publish", "a", "--daily", "noon"], 2);
    assert!(said.contains("\"noon\" says no times of day: "), "{said}");
    let told = house.refused(&json!({ "type": "publish", "id": "q", "topic": "a", "daily": "06:30", "after": "1s" }));
    assert!(told.contains("leave out after and every, or daily"), "{told}");
}

#[test]
fn who_hears_some_of_the_topics_that_are_counted_is_counted_with_them() {
    let (house, _runtime) = crew_with("[bus]\ncounted = [\"plant.**\"]\n");
    house.subscribes(&json!({ "pattern": "plant.*" }));
    house.json(&["agent", "pause", "crew/hears"]);
    for number in 0..20 {
        house.json(&["bus", "publish", "plant.pump", &number.to_string()]);
    }
    let shows = |line: &str| house.get("/metrics").1.lines().any(|shown| shown == line);
    until("it is counted", || {
        shows("triarch_bus_subscribers{topic=\"plant.**\"} 1")
    });
    until("its lag is seen", || {
        shows("triarch_bus_lag_messages{topic=\"plant.**\"} 20")
    });
    assert!(shows("triarch_bus_lag_messages{topic=\"other\"} 0"));
}
