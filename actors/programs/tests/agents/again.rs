//! Programs that are removed and come back under the same name.

use std::time::Duration;

use serde_json::{Value, json};
use triarch_supervision::supervisor::SupervisorHandle;
use triarch_teams::receipt::Stage;
use triarch_teams::{AgentConfig, Kinds, member};

use crate::fleet::{Fleet, bash, within};

/// Answers, and goes only when it is killed.
const STUBBORN: &str = r#"
trap '' TERM
while read -r line; do
    id=${line#*'"id":"'}
    printf '{"type":"reply","id":"%s","body":"here"}\n' "${id%%'"'*}"
done
sleep 1000
"#;

const TIMES: u64 = 30;

async fn remove(team: &SupervisorHandle) {
    within("the stop", team.terminate_child("a")).await.unwrap();
    team.delete_child("a").await.unwrap();
}

async fn add(team: &SupervisorHandle, agent: &Value, kinds: &Kinds) {
    let agent: AgentConfig = serde_json::from_value(agent.clone()).unwrap();
    let member = member("team", &agent, "a", kinds).unwrap();
    within("the start", member.join_running(team)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_one_that_was_removed_is_not_that_of_the_next_of_its_name() {
    let agent = json!({
        "name": "a", "kind": "program", "sandbox": { "kind": "none" },
        // Too short for its end, which goes on when it is not waited for any more.
        "command": bash(STUBBORN), "shutdown": "20ms",
    });
    let fleet = Fleet::of(json!([agent])).await;
    let team = fleet.tree.observer().supervisor("team").unwrap();
    let kinds = Kinds::new().with(fleet.programs.clone());
    for time in 1..=TIMES {
        assert_eq!(fleet.ask(json!(time)).await, Stage::Done(json!("here")));
        assert_eq!(fleet.incarnation(), 1, "the {time}. was ended with the one before it");
        remove(&team).await;
        add(&team, &agent, &kinds).await;
    }
    remove(&team).await;
    assert_eq!(fleet.count("triarch_program_exits_total", "signal"), 0);
    let _end = fleet.tree.stop().await;
    assert_eq!(fleet.programs.await_ends(Duration::from_mins(1)), 0);
}
