//! Tasks through the binary: submitted, handed to agents of each kind, done once, and kept whatever ends.

use std::fs;

use serde_json::{Value, json};

use crate::running::{House, Running, until};
use crate::text;

pub(crate) const FLEET: &str = r#"
[[team]]
name = "crew"
backoff = { first = "10ms", max = "50ms" }

  [[team.agent]]
  name = "echo"
  kind = "echo"
  capabilities = ["echo"]
  replicas = 2
  tasks = { at_once = 20 }

  [[team.agent]]
  name = "shell"
  kind = "program"
  mode = "exec"
  command = ["sh", "-c", "cat; echo \" $TRIARCH_TASK_KIND $TRIARCH_TASK_ATTEMPT $TRIARCH_TASK_INPUTS\""]
  capabilities = ["shell"]
  sandbox = { kind = "none" }

  [[team.agent]]
  name = "python"
  kind = "program"
  command = ["python3", "-u", "agent.py"]
  capabilities = ["python"]
  sandbox = { kind = "none" }
"#;

/// Does as the body says, and writes down what it heard.
const AGENT: &str = r#"
import json, os, sys
heard = open("heard", "a", buffering=1)
lingering = set()
def say(**words): print(json.dumps(words))
for line in sys.stdin:
    post = json.loads(line)
    heard.write(line)
    if post["kind"] == "cancel" and post["body"]["id"] in lingering: say(type="done", id=post["body"]["id"], body="too late")
    if post["kind"] != "task": continue
    body, id = post["body"], post["id"]
    if body == "fail": say(type="failed", id=id, error="no ink")
    elif body == "die": os._exit(3) if post["task"]["attempt"] == 1 else say(type="done", id=id, body="alive")
    elif body == "poison": os._exit(3)
    elif body == "long": say(type="done", id=id, body="x" * 5000)
    elif body in ("hang", "linger"):
        if body == "linger": lingering.add(id)
        say(type="progress", id=id, percent=40)
    else: say(type="done", id=id, body={"got": body, "task": post["task"]})
"#;

pub(crate) fn crew() -> (House, Running) {
    crew_of(FLEET)
}

pub(crate) fn crew_of(fleet: &str) -> (House, Running) {
    let house = House::new();
    house.write("triarch.toml", fleet);
    house.write("agent.py", AGENT);
    let runtime = house.up(&[]);
    (house, runtime)
}

impl House {
    /// Submits one task; returns its number.
    pub(crate) fn submit(&self, arguments: &[&str]) -> String {
        let submitted = self.json(&[&["task", "submit"], arguments].concat());
        submitted[0]["task"].to_string()
    }

    fn task(&self, task: &str) -> Value {
        self.json(&["task", "show", task])
    }

    /// Once the task has ended.
    pub(crate) fn ended(&self, task: &str) -> Value {
        let _how = self.run(&["task", "wait", task, "--within", "30s"]);
        self.task(task)
    }

    fn heard(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path().join("heard")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn agents_of_each_kind_do_the_tasks_that_they_are_able_to() {
    let (house, _runtime) = crew();
    let echo = house.submit(&["build", r#"{"a":1}"#, "--needs", "echo"]);
    let shell = house.submit(&["count", "seven words", "--needs", "shell"]);
    let python = house.submit(&["tell", "hello", "--needs", "python", "--budget", "9"]);
    assert_eq!(house.ended(&echo)["result"], json!({ "a": 1 }));
    assert_eq!(house.ended(&shell)["result"], "seven words count 1");
    let task = json!({ "id": python.parse::<u64>().unwrap(), "kind": "tell", "attempt": 1, "budget": 9 });
    assert_eq!(house.ended(&python)["result"], json!({ "got": "hello", "task": task }));
    let nobody = house.submit(&["fly", "--needs", "wings"]);
    let nobody = house.task(&nobody);
    assert_eq!(
        (&nobody["state"], &nobody["is_for_nobody"]),
        (&json!("ready"), &json!(true))
    );
}

#[test]
fn a_task_is_begun_after_those_it_waits_for_and_gets_their_results() {
    let (house, _runtime) = crew();
    let first = house.submit(&["one", "1", "--needs", "echo"]);
    let second = house.submit(&["two", "2", "--needs", "echo", "--after", &first]);
    let python = house.submit(&["sum", "--needs", "python", "--after", &first, "--after", &second]);
    let inputs = json!([{ "task": 1, "result": 1 }, { "task": 2, "result": 2 }]);
    assert_eq!(house.ended(&python)["result"]["task"]["inputs"], inputs);
    let shell = house.submit(&["sum", "--needs", "shell", "--after", &first]);
    let expected = r#" sum 1 [{"task":1,"result":1}]"#;
    assert_eq!(house.ended(&shell)["result"], expected);
}

#[test]
fn a_task_that_fails_is_tried_as_often_as_it_may_be_and_again_when_somebody_says_so() {
    let (house, _runtime) = crew();
    let task = house.submit(&[
        "print",
        "fail",
        "--needs",
        "python",
        "--retries",
        "2",
        "--retry-after",
        "10ms",
    ]);
    let ended = house.ended(&task);
    assert_eq!((&ended["state"], &ended["why"]), (&json!("dead"), &json!("no ink")));
    assert_eq!(ended["past"].as_array().unwrap().len(), 3);
    assert_eq!(house.json(&["task", "dead"])[0]["task"], ended["task"]);
    house.json(&["task", "retry", &task]);
    until("it was tried again", || house.heard().len() > 3);
    let once = house.submit(&["print", "fail", "--needs", "python"]);
    assert_eq!(house.ended(&once)["state"], "failed");
    assert_eq!(house.run(&["task", "wait", &once]).status.code(), Some(1));
    assert_eq!(house.run(&["task", "show", "999"]).status.code(), Some(4));
}

#[test]
fn a_task_whose_agent_ends_is_done_by_its_next_life() {
    let (house, _runtime) = crew();
    let task = house.submit(&["print", "die", "--needs", "python"]);
    let ended = house.ended(&task);
    assert_eq!((&ended["state"], &ended["result"]), (&json!("done"), &json!("alive")));
    assert_eq!(ended["attempts"], 2);
    let why = ended["past"][0]["why"].as_str().unwrap();
    assert!(why.starts_with("the program ended with code 3"), "{why}");
}

#[test]
fn a_task_by_which_agents_fall_is_dead_before_they_are_given_up() {
    let (house, _runtime) = crew_of(&format!("{FLEET}replicas = 2\n"));
    let poison = house.submit(&["print", "poison", "--needs", "python"]);
    let ended = house.ended(&poison);
    let past = ended["past"].as_array().unwrap().iter();
    let fell: Vec<_> = past.map(|attempt| attempt["why"].as_str().unwrap()).collect();
    let by_it = fell.iter().filter(|why| why.contains("the program ended with code 3"));
    assert_eq!((&ended["state"], by_it.count()), (&json!("dead"), 3), "{fell:?}");
    let why = ended["why"].as_str().unwrap();
    assert!(
        why.starts_with("so many agents have fallen with it in hand: 3; the last: the program ended with code 3"),
        "{why}"
    );
    let next = house.submit(&["print", "hello", "--needs", "python"]);
    let next = house.ended(&next);
    assert_eq!(next["state"], "done");
    assert!(next["worker"].as_str().unwrap().starts_with("crew/python-"), "{next}");
}

#[test]
fn some_tasks_are_called_off_by_a_range_and_each_counts_once() {
    let (house, _runtime) = crew();
    for _ in 0..5 {
        house.submit(&["fly", "--needs", "wings"]);
    }
    let cancelled = house.json(&["task", "cancel", "2..4", "3", "3"]);
    assert_eq!(cancelled["tasks"], json!([2, 3, 4]));
    assert_eq!(house.json(&["task", "drop", "2..3"])["tasks"], json!([2, 3]));
    let open = house.json(&["task", "list", "--state", "ready"]);
    let open: Vec<_> = open.as_array().unwrap().iter().map(|task| &task["task"]).collect();
    assert_eq!(open, [1, 5]);
    let refused = house.run(&["task", "cancel", "4..3"]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn of_a_range_those_are_called_off_that_have_not_ended_and_it_is_told_of_the_others() {
    let (house, _runtime) = crew();
    let tasks = ["wings", "echo", "wings"].map(|needs| house.submit(&["build", "1", "--needs", needs]));
    assert_eq!(house.ended(&tasks[1])["state"], "done");
    let refused = house.run(&["task", "cancel", &format!("{}..{}", tasks[0], tasks[2])]);
    assert!(!refused.status.success());
    let told = text(&refused.stderr);
    let expected = format!("2 of them were cancelled, but: task {} is done", tasks[1]);
    assert!(told.contains(&expected), "{told}");
    for (task, state) in tasks.iter().zip(["cancelled", "done", "cancelled"]) {
        assert_eq!(house.task(task)["state"], state);
    }
}

#[test]
fn what_lies_in_the_mailbox_of_an_agent_that_a_reload_replaces_is_done_by_the_next() {
    let two_at_once = |command: &str| {
        let shell = FLEET.replace("cat; echo", command);
        shell.replace(r#"["shell"]"#, "[\"shell\"]\n  tasks = { at_once = 2 }")
    };
    let (house, _runtime) = crew_of(&two_at_once("sleep 1000; echo"));
    let tasks = ["first", "second"].map(|body| house.submit(&["count", body, "--needs", "shell"]));
    let standings = || {
        let why = house.json(&["why", "crew/shell"]);
        let of = |number: usize| why["tasks"][number]["standing"].as_str().map(str::to_owned);
        (of(0), of(1))
    };
    let (begun, handed) = (Some("begun".to_owned()), Some("handed".to_owned()));
    until("one is begun and one lies in the mailbox", || {
        standings() == (begun.clone(), handed.clone())
    });
    house.write("triarch.toml", &two_at_once("cat; echo"));
    house.json(&["reload"]);
    for (task, body) in tasks.iter().zip(["first", "second"]) {
        let ended = house.ended(task);
        assert_eq!(ended["state"], "done", "{ended}");
        assert!(ended["result"].as_str().unwrap().starts_with(body), "{ended}");
    }
}

#[test]
fn how_far_a_task_is_shows_and_a_cancel_reaches_whoever_has_it() {
    let (house, _runtime) = crew();
    let task = house.submit(&["print", "linger", "--needs", "python"]);
    until("it is so far", || house.task(&task)["percent"] == 40);
    let why = house.json(&["why", "crew/python"]);
    assert_eq!(why["tasks"], json!([{ "task": 1, "standing": "begun" }]));
    assert_eq!(why["taking"], "full");
    house.json(&["task", "cancel", &task, "--why", "not now"]);
    let shown = house.task(&task);
    assert_eq!(
        (&shown["state"], &shown["why"]),
        (&json!("cancelled"), &json!("not now"))
    );
    until("it was told", || house.heard().len() == 2);
    let heard = house.heard();
    assert_eq!(
        (&heard[1]["kind"], &heard[1]["body"]["id"]),
        (&json!("cancel"), &heard[0]["id"])
    );
    until("what it says then is kept", || {
        house.task(&task)["late"][0]["said"] == "too late"
    });
    let shown = house.run(&["task", "show", &task]);
    assert!(text(&shown.stdout).contains("too late, under lease 1: done: \"too late\""));
    let done = house.submit(&["build", "--needs", "echo"]);
    house.ended(&done);
    for end in [&task, &done] {
        assert_eq!(house.run(&["task", "retry", end]).status.code(), Some(5), "it is final");
    }
}

#[test]
fn what_a_paused_agent_has_not_begun_goes_to_another() {
    let (house, _runtime) = crew();
    house.json(&["agent", "pause", "crew/echo-1"]);
    let tasks: Vec<_> = (0..40).map(|_| house.submit(&["build", "--needs", "echo"])).collect();
    for task in tasks {
        assert_eq!(house.ended(&task)["state"], "done");
    }
}

#[test]
fn agents_that_come_while_it_runs_get_tasks_and_those_that_go_leave_theirs() {
    let (house, runtime) = crew();
    let task = house.submit(&["fly", "--needs", "wings"]);
    let hung = house.submit(&["print", "hang", "--needs", "python"]);
    until("it is begun", || house.task(&hung)["state"] == "running");
    let fleet = FLEET.replace("[\"shell\"]", "[\"shell\", \"wings\"]");
    let (before, _python) = fleet.split_once("  [[team.agent]]\n  name = \"python\"").unwrap();
    house.write("triarch.toml", before);
    house.json(&["reload"]);
    assert_eq!(house.ended(&task)["state"], "done");
    until("it waits for another", || house.task(&hung)["state"] == "ready");
    drop(runtime);
}

#[test]
fn an_agent_that_is_to_take_no_more_tasks_is_told_to_leave_the_one_it_has() {
    let (house, _runtime) = crew();
    let hung = house.submit(&["print", "hang", "--needs", "python"]);
    until("it is begun", || house.task(&hung)["state"] == "running");
    house.write("triarch.toml", &FLEET.replace("capabilities = [\"python\"]\n", ""));
    house.json(&["reload"]);
    until("it was told", || house.heard().len() == 2);
    assert_eq!(house.heard()[1]["kind"], "cancel");
    until("it waits for another", || house.task(&hung)["state"] == "ready");
}

#[test]
fn a_drain_takes_no_more_and_lets_what_is_open_go_on() {
    let (house, _runtime) = crew();
    house.json(&["task", "drain"]);
    let refused = house.run(&["task", "submit", "build"]);
    assert_eq!(refused.status.code(), Some(5), "{}", text(&refused.stderr));
    assert_eq!(house.json(&["status"])["by_hand"], json!(["no tasks taken"]));
    let ready = || {
        let (head, body) = house.get("/health/ready");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        serde_json::from_str::<Value>(&body).unwrap()["reasons"].take()
    };
    let reasons = ready();
    assert_eq!(
        (&reasons[0]["cause"], &reasons[0]["subject"]),
        (&json!("tasks_drained"), &json!("work")),
        "{reasons}"
    );
    let stats = house.json(&["task", "drain", "--end"]);
    assert_eq!((&stats["is_draining"], &stats["open"]), (&json!(false), &json!(0)));
    assert_eq!(house.json(&["status"])["by_hand"], json!([]));
    assert_eq!(ready(), json!([]));
    house.submit(&["build", "--needs", "echo"]);
}

#[test]
fn many_are_submitted_from_a_file_and_one_that_is_none_is_told_by_its_line() {
    let (house, _runtime) = crew();
    let line =
        |index: usize| format!("{{\"kind\":\"build\",\"body\":{index},\"needs\":[\"echo\"],\"key\":\"k{index}\"}}\n");
    house.write("many", &(0..2_500).map(line).collect::<String>());
    let waited = house.json(&["task", "submit", "--file", "many", "--wait"]);
    assert_eq!(
        (&waited["tasks"], &waited["ended"]),
        (&json!(2_500), &json!({ "done": 2_500 }))
    );
    let again = house.json(&["task", "submit", "--file", "many"]);
    let known = again
        .as_array()
        .unwrap()
        .iter()
        .filter(|submitted| submitted["is_known"] == true);
    assert_eq!(known.count(), 2_500, "a key makes it the same task");
    house.write("bad", "{\"kind\":\"build\"}\n\n{\"kind\":\"build\",\"prio\":1}\n");
    let refused = house.run(&["task", "submit", "--file", "bad"]);
    let said = text(&refused.stderr);
    assert!(
        refused.status.code() == Some(2) && said.contains("line 3 is no task"),
        "{said}"
    );
}

#[test]
fn tasks_that_ended_so_long_ago_that_they_are_kept_no_more_are_waited_for_no_more() {
    let (house, _runtime) = crew_of(&format!("{FLEET}\n[work]\nended_max = 50\n"));
    let line = |index: usize| format!("{{\"kind\":\"build\",\"body\":{index},\"needs\":[\"echo\"]}}\n");
    house.write("many", &(0..2_500).map(line).collect::<String>());
    let waited = house.json(&["task", "submit", "--file", "many", "--wait"]);
    let of = |waited: &Value| waited["ended"]["done"].as_u64().unwrap() + waited["kept_no_more"].as_u64().unwrap();
    assert_eq!((&waited["tasks"], of(&waited)), (&json!(2_500), 2_500), "{waited}");
    let waited = house.json(&["task", "wait", "1..2500"]);
    assert_eq!(
        (&waited["ended"], &waited["kept_no_more"]),
        (&json!({ "done": 50 }), &json!(2_450))
    );
    let told = house.run(&["task", "wait", "1..2500", "2500"]);
    assert!(
        text(&told.stdout).starts_with("2500 tasks")
            && text(&told.stdout).contains("50 done, 2450 ended and kept no more")
    );
    let refused = house.run(&["task", "wait", "1..2501"]);
    assert_eq!(refused.status.code(), Some(4), "there never was a task 2501");
}

#[test]
fn whoever_of_the_room_ends_meanwhile_all_is_done_and_no_agent_is_left_without_work() {
    let (house, _runtime) = crew();
    let line = |index: usize| format!("{{\"kind\":\"build\",\"body\":{index},\"needs\":[\"echo\"]}}\n");
    house.write("many", &(0..1_000).map(line).collect::<String>());
    for agent in ["work/dispatcher", "work/queue", "work/scribe", "work/dispatcher"] {
        house.json(&["task", "submit", "--file", "many"]);
        house.json(&["agent", "kill", agent]);
        until("it lives again", || house.run(&["task", "stats"]).status.success());
    }
    let waited = house.json(&["task", "wait", "1..4000", "--within", "60s"]);
    assert_eq!(waited["ended"], json!({ "done": 4_000 }));
    let last = house.submit(&["build", "--needs", "echo"]);
    assert_eq!(house.ended(&last)["state"], "done");
}

#[test]
fn a_program_submits_tasks_of_its_own() {
    let house = House::new();
    let (_, python) = FLEET.split_once("  [[team.agent]]\n  name = \"python\"").unwrap();
    house.write(
        "triarch.toml",
        &format!("[[team]]\nname = \"crew\"\n\n  [[team.agent]]\n  name = \"python\"{python}"),
    );
    let agent = r#"
import json, sys
for line in sys.stdin:
    heard = json.loads(line)
    if heard.get("kind") == "task":
        if heard["body"] == "split":
            asked = heard["id"]
            print(json.dumps({"type": "submit", "id": "s", "kind": "part", "body": 7, "needs": ["python"]}))
        else: print(json.dumps({"type": "done", "id": heard["id"], "body": heard["body"] + 1}))
    elif heard.get("type") == "submit": print(json.dumps({"type": "done", "id": asked, "body": heard}))
"#;
    house.write("agent.py", agent);
    let _runtime = house.up(&[]);
    let whole = house.submit(&["whole", "split", "--needs", "python"]);
    let heard = json!({ "type": "submit", "id": "s", "ok": true, "result": { "task": 2, "is_known": false } });
    assert_eq!(house.ended(&whole)["result"], heard);
    assert_eq!(house.ended("2")["result"], 8);
}

#[test]
fn a_program_that_submits_a_task_for_an_agent_that_there_is_not_is_told_so() {
    let (house, _runtime) = {
        let house = House::new();
        house.write("triarch.toml", FLEET);
        let agent = r#"
import json, sys
for line in sys.stdin:
    heard = json.loads(line)
    if heard.get("kind") == "task":
        asked = heard["id"]
        print(json.dumps({"type": "submit", "id": "s", **heard["body"]}))
    elif heard.get("type") == "submit": print(json.dumps({"type": "done", "id": asked, "body": heard}))
"#;
        house.write("agent.py", agent);
        let runtime = house.up(&[]);
        (house, runtime)
    };
    let submitted = |body: &str| {
        let task = house.submit(&["hand-on", body, "--needs", "python"]);
        house.ended(&task)["result"].clone()
    };
    let misspelt = r#"{"kind": "part", "affinity": {"worker": "crew/pyton"}}"#;
    let told = submitted(misspelt);
    assert_eq!(told["ok"], false, "{told}");
    let why = told["error"].as_str().unwrap();
    assert!(
        why.contains("there is no agent \"crew/pyton\"") && why.contains("write crew/python"),
        "{why}"
    );
    let later = misspelt.replace("\"affinity\"", "\"for_later\": true, \"affinity\"");
    assert_eq!(submitted(&later)["ok"], true);
    let odd = submitted(&later.replace("true", "\"true\""));
    assert_eq!(
        odd["error"].as_str().map(|why| why.contains("neither true nor false")),
        Some(true),
        "{odd}"
    );
    assert_eq!(submitted(&misspelt.replace("pyton", "shell"))["ok"], true);
}

#[test]
fn a_runtime_that_is_killed_in_the_middle_goes_on_and_all_is_done_once() {
    let slow = FLEET.replace("kind = \"echo\"", "kind = \"echo\"\n  delay = \"4ms\"");
    let (house, mut runtime) = crew_of(&slow);
    let line = |index: usize| format!("{{\"kind\":\"build\",\"body\":{index},\"needs\":[\"echo\"]}}\n");
    house.write("many", &(0..5_000).map(line).collect::<String>());
    let submitted = house.json(&["task", "submit", "--file", "many"]);
    let hung = house.submit(&["print", "hang", "--needs", "python"]);
    until("it is begun", || house.task(&hung)["state"] == "running");
    runtime.kill();
    let _next = house.up(&[]);
    let open = house.json(&["task", "stats"])["open"].as_u64().unwrap();
    assert!(open > 1, "it was killed in the middle");
    until("somebody has it again", || house.task(&hung)["attempts"] == 2);
    house.json(&["task", "cancel", &hung]);
    let first = submitted[0]["task"].to_string();
    let all = format!("{first}..{}", submitted[4_999]["task"]);
    let waited = house.json(&["task", "wait", &all, "--within", "100s"]);
    assert_eq!(waited["ended"], json!({ "done": 5_000 }));
    let stats = house.json(&["task", "stats"]);
    let counts = ["submitted", "done", "cancelled", "open", "late_kept"].map(|key| stats[key].as_u64().unwrap());
    assert_eq!(counts, [5_001, 5_000, 1, 0, 0]);
}
