//! Durable topics through the binary: what outlives kills, and what is forgotten.

use std::fs;

use serde_json::json;

use crate::PATIENCE;
use crate::bus::crew;
use crate::running::until;
use crate::text;

#[test]
fn a_durable_topic_outlives_a_kill_and_a_named_subscription_goes_on_where_it_was() {
    let (house, mut runtime) = crew();
    for number in 0..3 {
        let published = house.json(&["bus", "publish", "log.a", &number.to_string()]);
        assert_eq!(published["offset"], number);
    }
    let wish = json!({ "pattern": "log.*", "name": "mine", "from": "first" });
    house.subscribes(&wish);
    until("all three were heard", || house.events().len() == 3);
    until("they are settled", || {
        house.json(&["bus", "show", "log.a"])["cursors"][0]["lag"] == 0
    });
    // Whoever gets this acknowledged knows that what was settled before is on disk.
    house.json(&["bus", "publish", "log.b", "3"]);
    until("the fourth was heard", || house.events().len() == 4);
    runtime.kill();
    let _next = house.up(&[]);
    fs::remove_file(house.path().join("heard")).unwrap();
    house.json(&["agent", "restart", "hears"]);
    house.json(&["bus", "publish", "log.a", "4"]);
    house.subscribes(&wish);
    until("it went on", || house.bodies().contains(&json!(4)));
    assert!(
        house.bodies().iter().all(|body| body.as_u64() >= Some(3)),
        "{:?}",
        house.bodies()
    );
    assert_eq!(house.logged(5), [0, 1, 2, 3, 4]);
}

#[test]
fn a_dead_letter_of_a_durable_topic_outlives_kills_and_is_replayed_once() {
    let (house, mut runtime) = crew();
    house.write("refuses", "");
    let wish = json!({ "pattern": "log.*", "name": "mine", "from": "first" });
    house.subscribes(&wish);
    house.json(&["bus", "publish", "log.a", "7"]);
    let dead = || house.json(&["bus", "dead"]);
    until("it is dead", || dead()[0]["letter"].is_u64());
    let letter = dead()[0].clone();
    assert_eq!((&letter["cause"], &letter["name"]), (&json!("failed"), &json!("mine")));
    assert_eq!(house.json(&["status"])["bus_dead_letters"], 1);
    // Whoever gets this acknowledged knows that what died before is on disk.
    house.json(&["bus", "publish", "log.b", "8"]);
    runtime.kill();
    let mut runtime = house.up(&[]);
    assert_eq!(dead()[0], letter);
    let number = letter["letter"].to_string();
    let nobody = house.run(&["bus", "replay", &number]);
    assert_eq!(nobody.status.code(), Some(5), "{}", text(&nobody.stderr));
    fs::remove_file(house.path().join("refuses")).unwrap();
    fs::remove_file(house.path().join("heard")).unwrap();
    house.json(&["agent", "restart", "hears"]);
    house.subscribes(&wish);
    until("the other comes", || house.bodies().contains(&json!(8)));
    assert_eq!(house.json(&["bus", "replay", &number]), json!({ "sent": 1, "kept": 0 }));
    until("it was heard again", || house.bodies().contains(&json!(7)));
    until("both are settled", || house.delivered("log.a") == 2);
    house.json(&["bus", "publish", "log.b", "9"]);
    runtime.kill();
    let _next = house.up(&[]);
    assert_eq!(dead(), json!([]));
    assert_eq!(house.run(&["bus", "replay", &number]).status.code(), Some(4));
}

#[test]
fn what_is_to_be_published_later_on_durable_topics_outlives_kills_and_an_orderly_end() {
    let (house, mut runtime) = crew();
    let later = |body: &str, after: &str| {
        let planned = house.json(&["bus", "publish", "log.a", body, "--after", after]);
        planned["schedule"].to_string()
    };
    // The first is due about when nothing runs, the second never.
    later("1", "200ms");
    let off = later("2", "1h");
    let late = later("3", "1h");
    house.json(&["bus", "publish", "plain", "4", "--after", "1h"]);
    house.json(&["bus", "cancel", &off]);
    runtime.kill();
    let mut runtime = house.up(&[]);
    until("it comes", || house.next_offset() == 1);
    assert_eq!(house.logged(1), [1]);
    assert_eq!(house.run(&["bus", "cancel", &off]).status.code(), Some(4));
    let beat = house.json(&["bus", "publish", "log.a", "5", "--every", "50ms"])["schedule"].to_string();
    until("it beats", || house.next_offset() > 1);
    house.json(&["down"]);
    runtime.end(PATIENCE);
    let _next = house.up(&[]);
    let before = house.next_offset();
    until("it goes on", || house.next_offset() > before + 1);
    house.json(&["bus", "cancel", &beat]);
    let count = usize::try_from(house.next_offset()).unwrap();
    let all = house.logged(count);
    assert!(all[0] == 1 && all[1..].iter().all(|body| *body == 5), "{all:?}");
    house.json(&["bus", "cancel", &late]);
}

#[test]
fn a_name_is_forgotten_once_nobody_listens_under_it() {
    let (house, _runtime) = crew();
    house.subscribes(&json!({ "pattern": "log.*", "name": "mine" }));
    let published = house.json(&["bus", "publish", "log.a", "1"]);
    assert_eq!((&published["matched"], &published["readers"]), (&json!(0), &json!(1)));
    assert_eq!(house.json(&["bus", "topics"])[0]["subscriptions"], 1);
    let told = text(&house.run(&["bus", "publish", "log.a", "2"]).stdout);
    assert_eq!(told, "log.a: on disk at 1, for 1 subscription, 1 of them by the log\n");
    let cursors = || house.json(&["bus", "show", "log.a"])["cursors"].clone();
    assert_eq!(
        (&cursors()[0]["name"], &cursors()[0]["is_attended"]),
        (&json!("mine"), &json!(true))
    );
    let attended = house.run(&["bus", "forget", "mine"]);
    assert_eq!(attended.status.code(), Some(5), "{}", text(&attended.stderr));
    assert!(text(&attended.stderr).contains("crew/hears listens as \"mine\" now; end that subscription first"));
    let other = house.run(&["bus", "forget", "mine", "--subscriber", "operator"]);
    assert_eq!(other.status.code(), Some(4), "{}", text(&other.stderr));
    house.has_say(
        "hears",
        &json!([{ "type": "unsubscribe", "id": "u", "pattern": "log.*" }]),
    );
    assert_eq!(house.answer("heard", "u")["ok"], true);
    until("nobody listens", || cursors()[0]["is_attended"] == false);
    let forgotten = house.json(&["bus", "forget", "mine"]);
    assert_eq!(
        (&forgotten["subscriber"], &forgotten["name"]),
        (&json!("crew/hears"), &json!("mine"))
    );
    assert_eq!(cursors(), json!([]));
    assert_eq!(house.run(&["bus", "forget", "mine"]).status.code(), Some(4));
}

#[test]
fn a_log_that_the_description_names_no_more_is_told_at_the_start_and_can_be_forgotten() {
    let (house, mut runtime) = crew();
    house.json(&["bus", "publish", "log.a", "1"]);
    let named = house.run(&["bus", "forget", "log.**"]);
    assert_eq!(named.status.code(), Some(5), "{}", text(&named.stderr));
    assert!(
        text(&named.stderr).contains("is one of `bus.durable`"),
        "{}",
        text(&named.stderr)
    );
    assert_eq!(house.json(&["bus", "topics"])[0]["log"], "log.**");
    house.json(&["down"]);
    runtime.end(PATIENCE);
    let file = house.path().join("triarch.toml");
    let description = fs::read_to_string(&file).unwrap();
    let other = description.replace("\"log.**\"", "\"other.**\"");
    assert_ne!(other, description);
    fs::write(&file, other).unwrap();
    let mut runtime = house.up(&[]);
    runtime.line_with(
        "the log log.** is in no `bus.durable` any more, and what it has, 1 in ",
        PATIENCE,
    );
    house.json(&["bus", "publish", "log.a", "2"]);
    assert_eq!(house.json(&["bus", "topics"])[0]["log"], json!(null));
    assert_eq!(house.json(&["bus", "show", "log.a"])["log"]["is_named"], false);
    let forgotten = house.json(&["bus", "forget", "log.**"]);
    assert_eq!(forgotten, json!({ "subscriber": null, "name": "log.**", "lag": 1 }));
    assert_eq!(house.run(&["bus", "forget", "log.**"]).status.code(), Some(4));
    house.json(&["down"]);
    runtime.end(PATIENCE);
    let _next = house.up(&[]);
    let nothing = house.run(&["bus", "show", "log.a"]);
    assert_eq!(nothing.status.code(), Some(4), "{}", text(&nothing.stdout));
}
