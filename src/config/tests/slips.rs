//! What is told of names that nobody bears, and of secrets that are not there.

use super::*;

const NAMES: &str = r#"
[[bus.access]]
topics = "pay.**"
teams = ["crew", "offise", "operator", "work"]

[[memory.namespace]]
name = "plans"
team = "crw"
owner = "crew/cluck"

[[memory.namespace]]
name = "notes"
owner = "ada"

[[memory.project]]
name = "moon"
teams = ["crew", "zebra"]

[[team]]
name = "crew"

[[team.agent]]
name = "clock"
kind = "timer"
every = "1s"
to = ["echo-1", "echo-3", "crew/echo", "office/desk", "ofice/desk"]

[[team.agent]]
name = "echo"
kind = "echo"
replicas = 2

[[team]]
name = "office"

[[team.agent]]
name = "desk"
kind = "load"
rate = 1
to = ["crew/echo-02", "desk", "scribe"]
"#;

/// The lines that are told of, each with its problem and what to do.
fn told(errors: &ConfigErrors) -> Vec<String> {
    let line = |error: &ConfigError| match error.spot.as_ref().map(|spot| &spot.origin) {
        Some(SpotOrigin::File { line, .. }) => *line,
        _ => 0,
    };
    let told = |error: &ConfigError| format!("{}: {}; {}", line(error), error.problem, error.remedy);
    errors.0.iter().map(told).collect()
}

#[test]
fn a_name_that_nobody_bears_is_told_with_the_one_that_was_probably_meant() {
    let source = source(NAMES);
    let loaded = load(&source, &natives(), []).unwrap();
    let slips = loaded.slips(&source, |_| None);
    let expected = [
        "4: there is no team \"offise\"; write \"office\"",
        "8: there is no team \"crw\"; write \"crew\"",
        "9: the team \"crew\" has no agent \"cluck\"; write \"crew/clock\"",
        "13: \"ada\" is no path of an agent; write it as in \"team/agent\"",
        "17: there is no team \"zebra\"; see whether it is misspelt, or describe the team",
        "26: the team \"crew\" has no agent \"echo-3\"; write \"echo-1\"",
        "26: the team \"crew\" has no agent \"echo\"; write \"crew/echo-1\"",
        "26: there is no team \"ofice\"; write \"office\"",
        "40: the team \"crew\" has no agent \"echo-02\"; write \"crew/echo-1\"",
        "40: the team \"office\" has no agent \"scribe\"; see whether it is misspelt, or add it with `triarch agent spawn`",
    ];
    assert_eq!(told(&slips), expected);
    assert_eq!(
        slips.0[0].to_string(),
        "t.toml:4:18: there is no team \"offise\"\n  4 | teams = [\"crew\", \"offise\", \"operator\", \"work\"]\n    \
         |                  ^^^^^^^^\n  write \"office\""
    );
}

#[test]
fn a_secret_that_is_not_there_is_told_with_the_setting_that_names_it_and_shown_to_nobody() {
    let folder = Folder::new();
    folder.write("key", "hush");
    let here = folder.path.join("key");
    let text = format!(
        "[memory]\nsealed_by = {{ env = \"NO_KEY\" }}\n[[team]]\nname = \"a\"\n[[team.agent]]\nname = \"b\"\nkind = \"program\"\n\
         command = [\"true\"]\n[team.agent.secrets]\nSET.env = \"IS_SET\"\nUNSET.env = \"IS_UNSET\"\nBESIDE.file = \"key\"\n\
         WHOLE.file = {here:?}\nGONE.file = \"gone\"\nHOME.file = \"~/gone\"\n"
    );
    folder.write("triarch.toml", &text);
    let variable = |name: &str| ["IS_SET", "HOME"].contains(&name).then(|| "/nowhere".to_owned());
    let from_file = Source::File(folder.path.join("triarch.toml"));
    let loaded = load(&from_file, &natives(), []).unwrap();
    let slips = loaded.slips(&from_file, variable);
    let expected = [
        "2: `memory.sealed_by` is to be in the variable NO_KEY, which is not set here; set it for whoever starts the runtime, or \
         correct `memory.sealed_by`",
        "11: `secrets.UNSET` is to be in the variable IS_UNSET, which is not set here; set it for whoever starts the runtime, or \
         correct `secrets.UNSET`",
        "14: `secrets.GONE` is to be in gone, which is not there; put it there before the agent starts, or correct `secrets.GONE`",
        "15: `secrets.HOME` is to be in ~/gone, which is not there; put it there before the agent starts, or correct `secrets.HOME`",
    ];
    assert_eq!(told(&slips), expected);
    assert!(
        slips.0[1].to_string().contains("UNSET.env = (hidden)"),
        "{}",
        slips.0[1]
    );
    // Of a text that lies nowhere nobody knows what is beside it.
    let text = source(&text);
    let slips = load(&text, &natives(), []).unwrap().slips(&text, variable);
    assert_eq!(told(&slips).len(), 3, "{slips}");
}

#[test]
fn what_is_built_in_and_what_is_written_to_begin_with_have_no_slip() {
    let demo = load(&Source::Demo, &natives(), []).unwrap();
    assert_eq!(demo.slips(&Source::Demo, |_| None).0, []);
    let template = source(&template(&natives()));
    let loaded = load(&template, &natives(), []).unwrap();
    assert_eq!(loaded.slips(&template, |_| None).0, []);
}
