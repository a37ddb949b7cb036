//! Two of everything: two who want one task, one folder, one name, one end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};
use triarch::gateway::Answer;

use crate::PATIENCE;
use crate::running::Running;
use crate::yard::{Caller, Yard, rounds, until};

const FLEET: &str = r#"
[work]
late_max = 1000

[[bus.durable]]
topics = "log.**"

[[team]]
name = "team"
"#;

/// Writes down each line that it hears, with who it is. A task is answered at once, or once there is a file that says so.
const CLERK: &str = r#"
while read -r line; do
    printf '%s %s\n' "$TRIARCH_AGENT" "$line" >>"$2"
    id=${line#*'"id":"'}
    id=${id%%'"'*}
    case $line in
    *'"kind":"cancel"'*) ;;
    *'"kind":"task"'*)
        while [ -e "$2.wait" ] && ! [ -e "$2.go" ]; do sleep 0.01; done
        printf '{"type":"done","id":"%s","body":"late"}\n' "$id"
        ;;
    *'"kind":"event"'*) printf '{"type":"done","id":"%s","ok":true}\n' "$id" ;;
    *'"kind":"message"'*) printf '{"type":"subscribe","id":"s","pattern":"log.*","name":"desk","from":"first"}\n{"type":"done","id":"%s"}\n' "$id" ;;
    esac
done
"#;

/// A team of so many clerks, who write to one file.
fn clerks(more: &str) -> Yard {
    let yard = Yard::new();
    let script = yard.script("clerk", CLERK);
    let heard = yard.path().join("heard");
    let agent = format!(
        "[[team.agent]]\nname = \"clerk\"\nkind = \"program\"\ncommand = [\"sh\", \"{}\", \"{}\", \"{}\"]\n\
         capabilities = [\"write\"]\nsandbox = {{ kind = \"none\" }}\n{more}\n",
        script.display(),
        yard.mark(),
        heard.display(),
    );
    yard.house.write("triarch.toml", &[FLEET, &agent].concat());
    yard
}

/// What each of them heard.
fn heard(yard: &Yard) -> Vec<(String, Value)> {
    let text = fs::read_to_string(yard.path().join("heard")).unwrap_or_default();
    let lines = text.lines().map(|line| line.split_once(' ').unwrap());
    let heard = lines.map(|(who, line)| (who.to_owned(), serde_json::from_str(line).unwrap()));
    heard.collect()
}

fn submit(caller: &mut Caller, count: usize) -> Vec<u64> {
    let tasks = vec![json!({ "kind": "build", "needs": ["write"] }); count];
    let submitted = caller.ask("task.submit", &json!({ "tasks": tasks })).unwrap();
    let submitted = submitted.as_array().unwrap().iter();
    submitted.map(|task| task["task"].as_u64().unwrap()).collect()
}

#[test]
fn of_two_who_want_one_task_one_gets_it_and_both_get_some() {
    let yard = clerks("replicas = 2");
    let runtime = yard.up();
    let mut caller = yard.caller();
    until("both may have tasks", || {
        let dispatcher = json!({ "agent": "work/dispatcher" });
        caller.ask("agent.show", &dispatcher).unwrap()["shown"]["here"] == 2
    });
    let tasks = submit(&mut caller, rounds(300, 10_000));
    let waited = caller.ask("task.wait", &json!({ "within": "100s" })).unwrap();
    assert_eq!(waited["troubles"], json!([]));
    let mut who_had = BTreeMap::new();
    for (who, line) in heard(&yard) {
        let task = line["task"]["id"].as_u64().unwrap();
        assert_eq!(who_had.insert(task, who), None, "task {task} was given to two");
    }
    assert_eq!(who_had.keys().copied().collect::<Vec<_>>(), tasks);
    let both: BTreeSet<_> = who_had.values().collect();
    assert_eq!(both.len(), 2, "{both:?}");
    yard.down(runtime);
}

#[test]
fn of_runtimes_that_start_at_once_on_one_folder_one_runs_and_is_named_to_who_comes_later() {
    let yard = Yard::new();
    yard.house.write("triarch.toml", FLEET);
    for _ in 0..rounds(3, 50) {
        let mut all: Vec<Running> = (0..4).map(|_| yard.house.begin(&["up", "--json"])).collect();
        until("all but one have ended", || {
            all.iter_mut().filter_map(|one| one.runs().then_some(())).count() == 1
        });
        let place = all.iter_mut().position(Running::runs).unwrap();
        let mut first = all.swap_remove(place);
        first.said_with("triarch top", PATIENCE);
        let pid = first.pid().to_string();
        for mut other in all {
            assert_eq!(other.end(PATIENCE), Some(5));
            // Who was there a moment before may not have written down who it is.
            assert!(other.rest_with("another runtime").is_some());
        }
        let refused = yard.house.run(&["up"]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(refused.status.code() == Some(5) && said.contains(&pid), "{said}");
        let status = yard.ask("status", &json!({})).unwrap();
        assert_eq!((&status["pid"], &status["troubles"]), (&json!(first.pid()), &json!([])));
        first.signal("TERM");
        assert_eq!(first.end(PATIENCE), Some(0));
    }
}

#[test]
fn two_programs_with_one_name_for_their_places_have_each_a_place_of_its_own() {
    let yard = clerks("replicas = 2");
    let runtime = yard.up();
    let mut caller = yard.caller();
    for number in 0..10 {
        caller
            .ask("bus.publish", &json!({ "topic": "log.a", "body": number }))
            .unwrap();
    }
    // Each subscribes twice by that name, which is one subscription.
    for clerk in ["team/clerk-1", "team/clerk-2", "team/clerk-1", "team/clerk-2"] {
        caller
            .ask("agent.ask", &json!({ "agent": clerk, "within": "60s" }))
            .unwrap();
    }
    let got = |clerk: &str| -> Vec<Value> {
        let events = heard(&yard)
            .into_iter()
            .filter(|(who, line)| who == clerk && line["kind"] == "event");
        events.map(|(_, line)| line["body"]["body"].clone()).collect()
    };
    let all: Vec<_> = (0..10).map(Value::from).collect();
    for clerk in ["team/clerk-1", "team/clerk-2"] {
        until("it heard all", || got(clerk).len() >= all.len());
    }
    until("all is settled", || {
        let shown = caller.ask("bus.show", &json!({ "topic": "log.a" })).unwrap();
        let cursors = shown["cursors"].as_array().unwrap().clone();
        cursors.len() == 2 && cursors.iter().all(|cursor| cursor["lag"] == 0)
    });
    for clerk in ["team/clerk-1", "team/clerk-2"] {
        assert_eq!(got(clerk), all, "each once, in its order");
    }
    yard.down(runtime);
}

#[test]
fn two_who_call_off_one_task_at_once_do_it_once_and_its_late_result_does_not_count() {
    let yard = clerks("");
    yard.house.write("heard.wait", "");
    let runtime = yard.up();
    let mut caller = yard.caller();
    let rounds = rounds(20, 500) as u64;
    for round in 1..=rounds {
        let task = submit(&mut caller, 1)[0];
        until("it is begun", || {
            heard(&yard).iter().any(|(_, line)| line["task"]["id"] == task)
        });
        let mut callers: Vec<_> = (0..2).map(|_| yard.caller()).collect();
        for (number, caller) in callers.iter_mut().enumerate() {
            let asked = json!({ "tasks": [task], "why": format!("called off by {number}") });
            caller.send("task.cancel", &asked);
        }
        let answers: Vec<_> = callers.iter_mut().map(|caller| caller.hear().unwrap()).collect();
        let is_cancelled =
            |answer: &Answer<Value>| matches!(answer, Answer::Output(output) if output["tasks"] == json!([task]));
        assert!(answers.iter().all(is_cancelled), "{answers:?}");
        yard.house.write("heard.go", "");
        until("its result came", || {
            let stats = caller.ask("task.stats", &json!({})).unwrap();
            stats["late_kept"] == round
        });
        fs::remove_file(yard.path().join("heard.go")).unwrap();
        let shown = caller.ask("task.show", &json!({ "task": task })).unwrap();
        assert_eq!(
            (&shown["state"], &shown["result"]),
            (&json!("cancelled"), &Value::Null),
            "{shown}"
        );
        let why = shown["why"].as_str().unwrap();
        assert!(["called off by 0", "called off by 1"].contains(&why), "{why}");
    }
    let told = || heard(&yard).iter().filter(|(_, line)| line["kind"] == "cancel").count() as u64;
    until("it was told of each", || told() >= rounds);
    assert_eq!(told(), rounds, "once of each");
    let stats = caller.ask("task.stats", &json!({})).unwrap();
    assert_eq!(
        (&stats["cancelled"], &stats["done"]),
        (&json!(rounds), &json!(0)),
        "{stats}"
    );
    yard.down(runtime);
}
