//! Programs that watch the store: what changes where they watch comes to them as posts, for as long as they run.

use serde_json::{Value, json};

use crate::memory::crew;
use crate::running::{House, until};

impl House {
    fn seen(&self, agent: &str) -> Vec<Value> {
        let told = self.json(&["agent", "ask", agent, "\"seen\""]);
        told["result"].as_array().unwrap().clone()
    }

    fn puts(&self, key: &str, value: &str) {
        self.json(&["memory", "put", "plans", key, value]);
    }
}

#[test]
fn a_program_is_told_each_change_where_it_watches_once_and_in_order() {
    let (house, _runtime) = crew();
    let watch = json!({ "op": "watch", "namespace": "plans", "prefix": "hens/" });
    let began = house.wish("crew/one", &watch);
    assert_eq!(began["ok"], true, "{began}");
    assert_eq!(began["result"], json!({ "namespace": "plans", "prefix": "hens/" }));
    assert_eq!(
        house.wish("crew/one", &watch)["ok"],
        true,
        "the same once more is no second one"
    );
    house.puts("hens/1", "1");
    house.puts("foxes/1", "1");
    house.puts("hens/1", "2");
    house.json(&["memory", "delete", "plans", "hens/1"]);
    until("all changes are there", || house.seen("crew/one").len() >= 3);
    let seen = house.seen("crew/one");
    let told: Vec<_> = seen
        .iter()
        .map(|told| {
            (
                &told["namespace"],
                &told["change"],
                &told["key"],
                &told["entry"]["value"],
            )
        })
        .collect();
    let (plans, hens) = (json!("plans"), json!("hens/1"));
    assert_eq!(
        told,
        [
            (&plans, &json!("put"), &hens, &json!(1)),
            (&plans, &json!("put"), &hens, &json!(2)),
            (&plans, &json!("deleted"), &hens, &Value::Null)
        ]
    );
    assert!(seen[0]["version"].as_u64() < seen[1]["version"].as_u64());
}

#[test]
fn who_may_not_read_may_not_watch_and_what_is_not_watched_cannot_be_ended() {
    let (house, _runtime) = crew();
    let watch = json!({ "op": "watch", "namespace": "plans", "key": "a" });
    let refused = house.wish("guests/stranger", &watch);
    assert!(
        refused["error"].as_str().unwrap().contains("may not read in plans"),
        "{refused}"
    );
    let unwatch = json!({ "op": "unwatch", "namespace": "plans", "key": "a" });
    assert_eq!(house.wish("crew/one", &unwatch)["ok"], false);
    assert_eq!(house.wish("crew/one", &watch)["ok"], true);
    assert_eq!(house.wish("crew/one", &unwatch)["ok"], true);
    let other = json!({ "op": "watch", "namespace": "plans", "key": "b" });
    assert_eq!(house.wish("crew/one", &other)["ok"], true);
    house.puts("a", "1");
    house.puts("b", "1");
    until("the other change is there", || !house.seen("crew/one").is_empty());
    assert_eq!(house.seen("crew/one")[0]["key"], "b");
    for n in 1..64 {
        let more = json!({ "op": "watch", "namespace": "plans", "key": n.to_string() });
        assert_eq!(house.wish("crew/one", &more)["ok"], true, "{n}");
    }
    let most = house.wish("crew/one", &watch);
    assert!(
        most["error"].as_str().unwrap().contains("it watches 64 places"),
        "{most}"
    );
}

#[test]
fn a_watch_ends_with_its_program() {
    let (house, _runtime) = crew();
    let watch = json!({ "op": "watch", "namespace": "plans" });
    assert_eq!(house.wish("crew/one", &watch)["ok"], true);
    house.puts("a", "1");
    until("it is told", || house.seen("crew/one").len() == 1);
    house.json(&["agent", "restart", "crew/one"]);
    until("a new life answers", || house.seen("crew/one").is_empty());
    house.puts("a", "2");
    assert_eq!(house.wish("crew/one", &watch)["ok"], true);
    house.puts("a", "3");
    until("it is told again", || house.seen("crew/one").len() == 1);
    assert_eq!(
        house.seen("crew/one")[0]["entry"]["value"],
        3,
        "what was put between the lives was nobody's"
    );
}

#[test]
fn of_what_changes_where_a_program_watches_that_is_busy_no_more_lies_in_its_mailbox_than_fits() {
    let (house, _runtime) = crew();
    let watch = json!({ "op": "watch", "namespace": "plans", "key": "long" });
    assert_eq!(house.wish("crew/one", &watch)["ok"], true);
    house.json(&["agent", "pause", "crew/one"]);
    house.write("long", &format!("[{}0]", "1,".repeat(150_000)));
    let put = || house.json(&["memory", "put", "plans", "long", "--file", "long"])["version"].clone();
    let versions: Vec<Value> = (0..20).map(|_| put()).collect();
    let mailbox = || house.json(&["agent", "show", "crew/one"])["mailbox"]["depth"].clone();
    until("some are in its mailbox", || mailbox() == 3);
    put();
    assert_eq!(mailbox(), 3, "1 MiB of them");
    house.json(&["agent", "resume", "crew/one"]);
    let told = || house.json(&["agent", "ask", "crew/one", "\"versions\""])["result"].clone();
    until("it is told all", || told().as_array().unwrap().len() == 21);
    assert_eq!(told().as_array().unwrap()[..20], versions);
}
