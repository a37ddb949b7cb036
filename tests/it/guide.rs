//! The guide of agent authors: what it shows is tried as it stands there.

use std::fs;

use serde_json::{Value, json};
use triarch_bus::{Destination, Envelope, EnvelopeId, Filter, Payload, Timestamp, Topic};
use triarch_supervision::message::Priority;

use crate::running::{House, Running, until};
use crate::text;

const GUIDE: &str = include_str!("../../docs/AGENTS.md");

/// The pieces of the guide that are written in `language`.
fn shown(language: &str) -> Vec<&'static str> {
    let pieces = GUIDE.split("```").skip(1).step_by(2);
    pieces
        .filter_map(|piece| piece.strip_prefix(language)?.strip_prefix('\n'))
        .collect()
}

/// The first one of them with `words` in it.
fn shown_with(language: &str, words: &str) -> &'static str {
    let found = shown(language).into_iter().find(|piece| piece.contains(words));
    found.unwrap_or_else(|| panic!("the guide shows no {language} with {words:?}"))
}

/// A runtime with this fleet in a folder of its own, begun elsewhere; the system's own Python is the one that is found.
fn up(house: &House, fleet: &str) -> Running {
    fs::create_dir_all(house.path().join("fleet")).unwrap();
    house.write("fleet/echo.py", shown_with("python", "reply"));
    let description = house.write("fleet/triarch.toml", fleet);
    let mut command = house.command(&["--config", description.to_str().unwrap(), "up"]);
    command.env("PATH", "/usr/bin:/bin");
    House::up_by(command)
}

#[test]
fn the_programs_of_the_guide_answer_as_it_says() {
    let house = House::new();
    let fleet = [
        shown_with("toml", "replicas = 3"),
        shown_with("toml", "mode = \"exec\""),
    ]
    .concat();
    let _runtime = up(&house, &fleet);
    assert_eq!(house.ask("echo-1", r#"{"hello":1}"#), json!({ "hello": 1 }));
    assert_eq!(house.ask("upper", "hello"), "HELLO");
    let printed = house.run(&["agent", "ask", "upper", "hello"]).stdout;
    let said = format!("`triarch agent ask upper hello` prints `{}`", text(&printed).trim_end());
    assert!(GUIDE.contains(&said), "{said}");
}

#[test]
fn a_program_receives_what_the_guide_shows() {
    let house = House::new();
    let mirror = "import json, sys\nfor line in sys.stdin:\n    post = json.loads(line)\n    \
                  print(json.dumps({\"type\": \"reply\", \"id\": post[\"id\"], \"body\": post}), flush=True)\n";
    fs::create_dir_all(house.path().join("fleet")).unwrap();
    house.write("fleet/mirror.py", mirror);
    let _runtime = up(
        &house,
        &shown_with("toml", "replicas = 3").replace("echo.py", "mirror.py"),
    );
    let mut line = house.ask("echo-1", r#"{"hello":1}"#);
    let mut example: Value = serde_json::from_str(shown("json")[0]).unwrap();
    let keys = |post: &Value| post.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&line), keys(&example));
    for key in keys(&example) {
        assert!(GUIDE.contains(&format!("\n| `{key}` |")), "{key} is not explained");
    }
    for differs in ["id", "deadline_ms"] {
        line[differs].take();
        example[differs].take();
    }
    assert_eq!(line, example);
}

#[test]
fn a_program_finds_the_variables_that_the_guide_names() {
    let house = House::new();
    let exec = shown_with("toml", "mode = \"exec\"");
    let exec = exec.replace(r#"["tr", "a-z", "A-Z"]"#, r#"["env"]"#);
    let _runtime = up(&house, &format!("{exec}\ncapabilities = [\"letters\"]\n"));
    let submit = ["task", "submit", "letters", "--needs", "letters", "--wait"];
    house.json(&submit);
    house.json(&[&submit[..], &["--after", "1"]].concat());
    let found = house.json(&["task", "show", "2"])["result"].take();
    let names = found
        .as_str()
        .unwrap()
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0));
    let mut found: Vec<_> = names.filter(|name| name.starts_with("TRIARCH_")).collect();
    let told = GUIDE
        .lines()
        .filter_map(|line| line.strip_prefix("| `TRIARCH_")?.split_once('`'));
    let mut told: Vec<_> = told.map(|(name, _)| format!("TRIARCH_{name}")).collect();
    found.sort_unstable();
    told.sort_unstable();
    assert_eq!(found, told);
}

#[test]
fn the_program_with_a_heartbeat_gives_signs_of_life_in_the_guide_and_among_the_examples() {
    for program in [
        shown_with("python", "heartbeat"),
        include_str!("../../examples/agents/steady.py"),
    ] {
        let house = House::new();
        fs::create_dir_all(house.path().join("fleet")).unwrap();
        house.write("fleet/steady.py", program);
        let _runtime = up(&house, shown_with("toml", "heartbeat"));
        assert_eq!(house.ask("steady", "7"), 7);
        until("it gives signs of life", || {
            house.json(&["why", "steady"])["health"]["state"] == "healthy"
        });
    }
}

#[test]
fn the_description_for_a_tool_of_the_home_can_be_followed() {
    let house = House::new();
    fs::create_dir_all(house.path().join(".pyenv")).unwrap();
    house.write("triarch.toml", shown_with("toml", "~/.pyenv"));
    let checked = house.run(&["config", "check"]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
}

#[test]
fn the_crates_of_a_kind_of_ones_own_are_those_that_the_example_needs() {
    let example = include_str!("../../examples/own_agent.rs");
    let needed = example
        .lines()
        .filter_map(|line| line.strip_prefix("use ")?.split(':').next());
    let manifest = shown_with("toml", "[dependencies]");
    for needed in needed.filter(|needed| *needed != "std") {
        assert!(manifest.contains(&format!("\n{needed} = ")), "{needed}");
    }
}

/// The event of the chapter on filters.
fn filtered(chapter: &str) -> Envelope {
    let piece = chapter.split("```json\n").nth(1).unwrap();
    let event: Value = serde_json::from_str(piece.split("```").next().unwrap()).unwrap();
    let word = |key: &str| event[key].as_str().unwrap();
    Envelope {
        id: EnvelopeId::new(1, 1),
        time: Timestamp(0),
        from: word("from").into(),
        to: Destination::Topic(Topic::new(word("topic")).unwrap()),
        kind: word("kind").into(),
        key: Some(word("key").into()),
        priority: Priority::High,
        ttl_ms: Some(60_000),
        correlation: None,
        causation: None,
        payload: Payload::json(&event["body"]),
    }
}

#[test]
fn each_filter_of_the_guide_accepts_its_event_and_no_other() {
    let chapter = GUIDE.split("\n### Filters\n").nth(1).unwrap();
    let chapter = chapter.split("\n### ").next().unwrap();
    let event = filtered(chapter);
    let other = Envelope {
        from: "somebody".into(),
        kind: "alarm".into(),
        key: None,
        priority: Priority::Normal,
        payload: Payload::json(&json!({ "fahrenheit": 95 })),
        ..event.clone()
    };
    let rows = chapter
        .lines()
        .filter(|line| line.starts_with("| `") || line.starts_with("| fields "));
    let examples: Vec<_> = rows
        .filter_map(|row| row.trim_end_matches("` |").rsplit_once("| `"))
        .collect();
    assert_eq!(examples.len(), 10);
    for (_, example) in examples {
        let filter = Filter::new(example).unwrap_or_else(|error| panic!("{error}"));
        assert!(filter.accepts(&event), "{example}");
        assert!(!filter.accepts(&other), "{example}");
    }
    for word in [
        "eq", "ne", "gt", "ge", "lt", "le", "in", "contains", "matches", "exists", "and", "or", "not",
    ] {
        assert!(chapter.contains(&format!("`{word}`")), "{word} is not explained");
    }
}

#[test]
fn the_lines_to_the_bus_that_the_guide_shows_are_taken() {
    let house = House::new();
    fs::create_dir_all(house.path().join("fleet")).unwrap();
    let lines: Vec<_> = ["\"request\"", "\"terms\""]
        .map(|words| shown_with("json", words).trim())
        .into();
    let says = format!(
        "import json, sys\nprint({:?}, flush=True)\nprint({:?}, flush=True)\nfor line in sys.stdin:\n    heard = json.loads(line)\n    \
         with open(\"heard\", \"a\") as file: file.write(line)\n",
        lines[1], lines[0]
    );
    house.write("fleet/says.py", &says);
    let _runtime = up(
        &house,
        &shown_with("toml", "replicas = 3").replace("echo.py", "says.py"),
    );
    let heard = || fs::read_to_string(house.path().join("fleet/heard")).unwrap_or_default();
    until("the subscription is taken", || {
        heard().contains(r#""id":"s","ok":true"#)
    });
    until("the question is published", || {
        heard().contains(r#""is_request":true"#) || heard().contains("nobody hears")
    });
}
