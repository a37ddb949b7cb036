//! What an agent is at, and for how long, as far as anybody knows.

use crate::running::House;
use crate::{PATIENCE, until};

/// Answers its posts once the file `go` is there.
const PATIENT: &str = r#"
import json, os, sys, time
for line in sys.stdin:
    post = json.loads(line)
    while not os.path.exists("go"):
        time.sleep(0.01)
    print(json.dumps({"type": "reply", "id": post["id"], "body": 1}), flush=True)
"#;

fn house(mode: &str, command: &str) -> House {
    let house = House::new();
    house.write("patient.py", PATIENT);
    let agents = format!(
        "[[team]]\nname = \"t\"\n[[team.agent]]\nname = \"worker\"\nkind = \"program\"\nmode = \"{mode}\"\ncommand = {command}\n\
         sandbox = {{ kind = \"none\" }}\n[[team.agent]]\nname = \"unused\"\nkind = \"echo\"\n"
    );
    house.write("triarch.toml", &agents);
    house
}

#[test]
fn a_program_is_at_its_posts_from_the_first_to_the_last_and_then_tells_when_it_answered() {
    for (mode, command) in [
        ("lines", r#"["python3", "-u", "patient.py"]"#),
        (
            "exec",
            r#"["sh", "-c", "until test -e go; do sleep 0.01; done; echo 1"]"#,
        ),
    ] {
        let house = house(mode, command);
        let _triarch = house.up(&[]);
        let mut asking = house.begin(&["agent", "ask", "worker", "1", "--kind", "review", "--within", "30s"]);
        until("it has the post", || {
            house.json(&["agent", "show", "worker"])["posts"] == 1
        });
        let why = house.json(&["why", "worker"]);
        assert_eq!(
            (&why["posts"], &why["at"]["kind"]),
            (&1.into(), &"review".into()),
            "{why}"
        );
        assert_eq!(why["for_ms"], why["at"]["for_ms"]);
        let listed = crate::text(&house.run(&["agent", "list"]).stdout);
        let row = listed.lines().find(|line| line.contains("t/worker")).unwrap();
        assert!(!row.contains("idle"), "{row}");
        house.write("go", "");
        assert_eq!(asking.end(PATIENCE), Some(0));
        until("it has answered", || {
            house.json(&["agent", "show", "worker"])["posts"] == 0
        });
        let why = house.json(&["why", "worker"]);
        assert!(why["at"].is_null() && why["for_ms"].is_u64(), "{why}");
        assert_eq!(why["for_ms"], why["health"]["last_answer_ms"]);
    }
}

#[test]
fn how_long_an_idle_agent_had_nothing_to_do_is_told_where_that_is_known() {
    let house = house("lines", r#"["python3", "-u", "patient.py"]"#);
    let _triarch = house.up(&[]);
    assert!(
        house.json(&["why", "unused"])["for_ms"].is_u64(),
        "since its life began"
    );
    house.ask("unused", "1");
    assert!(
        house.json(&["why", "unused"])["for_ms"].is_null(),
        "nobody noted when it was done"
    );
}
