//! The runtime's own agents, through which an operator is heard.

use crate::running::House;
use crate::text;

#[test]
fn the_runtimes_own_agents_are_neither_stopped_nor_paused_and_say_what_to_do_instead() {
    let house = House::new();
    let _runtime = house.up(&[]);
    for verb in ["stop", "pause"] {
        for agent in [
            "gateway/socket",
            "gateway/http",
            "telemetry/health",
            "telemetry/lifecycle",
        ] {
            let refused = house.run(&["agent", verb, agent]);
            let said = text(&refused.stderr);
            assert_eq!(refused.status.code(), Some(5), "{verb} {agent}: {said}");
            assert!(said.contains("`triarch agent restart`"), "{said}");
        }
    }
    let troubles = house.json(&["status"])["troubles"].clone();
    assert_eq!(troubles, serde_json::json!([]));
    assert_eq!(house.json(&["agent", "restart", "gateway/http"])["incarnation"], 2);
    house.json(&["agent", "kill", "telemetry/health"]);
}
