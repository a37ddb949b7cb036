//! A runtime that hangs, or ends while somebody looks at it.

use std::time::Instant;

use crate::PATIENCE;
use crate::running::House;
use crate::text;

#[test]
fn a_runtime_that_hangs_is_named_after_a_while_and_the_doctor_sees_it() {
    let house = House::new();
    let runtime = house.up(&[]);
    runtime.signal("STOP");
    let pid = format!("pid {}", runtime.pid());
    let mut asked = house.begin(&["status"]);
    let mut others = [&["down"][..], &["reload"], &["team", "stop", "demo"]].map(|verb| house.begin(verb));
    let mut doctor = house.begin(&["doctor"]);
    assert_eq!(asked.end(PATIENCE), Some(70));
    let said = asked.rest_with("no answer in 10 s").unwrap();
    assert!(said.contains(&pid) && said.contains("hangs"), "{said}");
    for other in &mut others {
        assert_eq!(other.end(PATIENCE), Some(70), "it waits for nobody without a limit");
    }
    doctor.said_with("no answer in 10 s", PATIENCE);
    assert_eq!(doctor.end(PATIENCE), Some(1));
    runtime.signal("CONT");
}

#[test]
fn who_watches_a_runtime_that_is_stopped_is_told_so_with_code_69() {
    let house = House::new();
    let mut runtime = house.up(&[]);
    let mut watching = house.begin(&["tree", "--watch"]);
    watching.said_with("demo/worker-1", PATIENCE);
    house.json(&["down"]);
    runtime.end(PATIENCE);
    assert_eq!(watching.end(PATIENCE), Some(69));
    let said = watching.rest_with("triarch: ").unwrap();
    assert!(said.contains("the runtime has stopped"), "{said}");
}

#[test]
fn one_that_waits_longer_than_a_question_may_take_still_gets_its_answer() {
    let house = House::new();
    let agent = "[[team]]\nname = \"a\"\n[[team.agent]]\nname = \"slow\"\nkind = \"echo\"\ndelay = \"11s\"\nshutdown = \"12s\"\n";
    house.write("triarch.toml", agent);
    let _runtime = house.up(&[]);
    let begun = Instant::now();
    let output = house.run(&["agent", "ask", "slow", "1", "--within", "60s"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(begun.elapsed().as_secs() >= 10);
    // How long the agent takes is no fault of the runtime.
    let (_, page) = house.get("/metrics");
    let bad = page.lines().find(|line| {
        line.starts_with("triarch_slo_events_total") && line.contains("\"api\"") && line.contains("\"bad\"")
    });
    assert!(bad.unwrap().ends_with(" 0"), "{bad:?}");
}
