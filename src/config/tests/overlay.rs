//! What the environment sets, what is shown, and what changes.

use super::*;

fn told(text: &str, variables: &[(&str, &str)]) -> String {
    read_with(text, variables).unwrap_err().to_string()
}

#[test]
fn the_variables_of_this_process_are_read_with_their_values() {
    let path = std::env::var("PATH").unwrap();
    assert_eq!(variable("PATH"), Some(path.clone()));
    assert!(variables().any(|pair| pair == ("PATH".to_owned(), path.clone())));
    assert_eq!(variable("TRIARCH_THAT_NOBODY_SETS"), None);
}

#[test]
fn the_environment_goes_before_the_file_and_the_file_before_the_default() {
    let text = "[runtime]\nspan = 3\nlog.level = \"warn\"\n";
    let variables = [
        ("TRIARCH_RUNTIME__SPAN", "20"),
        ("TRIARCH_RUNTIME__LOG__FORMAT", "json"),
        ("TRIARCH_RUNTIME__STATE_DIR", "12"),
        ("TRIARCH_GATEWAY__HTTP", "false"),
        ("TRIARCH_SEED", "7"),
        ("OTHER_RUNTIME__SPAN", "x"),
    ];
    let loaded = read_with(text, &variables).unwrap();
    assert_eq!(loaded.config.runtime.span.get(), 20);
    assert_eq!(loaded.config.runtime.state_dir, "12", "a text needs no quotes");
    assert!(!loaded.config.gateway.http);
    let origins: Vec<_> = loaded
        .show()
        .settings
        .into_iter()
        .take(5)
        .map(|setting| format!("{}: {}", setting.path, setting.origin))
        .collect();
    assert_eq!(
        origins,
        [
            "runtime.state_dir: environment TRIARCH_RUNTIME__STATE_DIR",
            "runtime.span: environment TRIARCH_RUNTIME__SPAN",
            "runtime.stop_within: default",
            "runtime.log.format: environment TRIARCH_RUNTIME__LOG__FORMAT",
            "runtime.log.level: t.toml:3",
        ]
    );
}

#[test]
fn a_whole_table_may_come_from_the_environment_and_be_overlaid_in_turn() {
    let variables = [
        ("TRIARCH_RUNTIME__LOG__LEVEL", "error"),
        ("TRIARCH_RUNTIME__LOG", "{ level = \"error\", format = \"json\" }"),
    ];
    let log = read_with("", &variables).unwrap().config.runtime.log;
    assert_eq!((log.level, log.format), (LogLevel::Error, LogFormat::Json));
}

#[test]
fn a_variable_that_cannot_be_followed_is_shown_with_what_to_write() {
    let table = [
        (
            ("TRIARCH_RUNTIME__STATE_DIR", "/srv/\u{fffd}"),
            "environment TRIARCH_RUNTIME__STATE_DIR: there are bytes in it that are no text\n   | TRIARCH_RUNTIME__STATE_DIR=/srv/\u{fffd}\n   |                            ^^^^^^\n  write it in UTF-8, or unset it",
        ),
        (
            ("TRIARCH_RUNTIME__SPAM", "1"),
            "environment TRIARCH_RUNTIME__SPAM: unknown key `spam` in [runtime]\n   | TRIARCH_RUNTIME__SPAM=1\n   | ^^^^^^^^^^^^^^^^^^^^^\n  write TRIARCH_RUNTIME__SPAN",
        ),
        (
            ("TRIARCH_RUNTIME__SPAN", "0"),
            "environment TRIARCH_RUNTIME__SPAN: `span` is 0, which is less than 1\n   | TRIARCH_RUNTIME__SPAN=0\n   |                       ^\n  give it 1 or more",
        ),
        (
            ("TRIARCH_RUNTIME__SPAN", "ten"),
            "environment TRIARCH_RUNTIME__SPAN: this is no value that TOML knows\n   | TRIARCH_RUNTIME__SPAN=ten\n   |                       ^^^\n  write it as TOML does, as in TRIARCH_RUNTIME__SPAN=10 or TRIARCH_RUNTIME__SPAN=true",
        ),
        (
            ("TRIARCH_RUNTIME_SPAN", "10"),
            "environment TRIARCH_RUNTIME_SPAN: TRIARCH_RUNTIME_SPAN sets nothing: two underscores stand between one key and the next\n   | TRIARCH_RUNTIME_SPAN=10\n   | ^^^^^^^^^^^^^^^^^^^^\n  write TRIARCH_RUNTIME__SPAN, or unset it",
        ),
        (
            ("TRIARCH_TEAM__NAME", "cats"),
            "environment TRIARCH_TEAM__NAME: a variable cannot say which [[team]] it is about\n   | TRIARCH_TEAM__NAME=cats\n   | ^^^^^^^^^^^^^^^^^^\n  set it under [[team]] in the file",
        ),
        (
            ("TRIARCH_RUNTIM__SPAN", "1"),
            "environment TRIARCH_RUNTIM__SPAN: unknown key `runtim`\n   | TRIARCH_RUNTIM__SPAN=1\n   | ^^^^^^^^^^^^^^^^^^^^\n  write TRIARCH_RUNTIME__SPAN",
        ),
    ];
    for (variable, expected) in table {
        assert_eq!(told("", &[variable]), expected, "\n{}", told("", &[variable]));
    }
}

#[test]
fn a_secret_in_the_environment_is_not_repeated() {
    let told = told("", &[("TRIARCH_GATEWAY__TOKEN", "abc")]);
    assert!(
        told.contains("TRIARCH_GATEWAY__TOKEN= (hidden)") && !told.contains("abc"),
        "{told}"
    );
}

#[test]
fn what_is_shown_is_a_description_that_says_the_same() {
    let first = read(WHOLE).unwrap();
    let shown = first.show().to_string();
    let second = read(&shown).unwrap_or_else(|errors| panic!("{errors}\n{shown}"));
    let values = |loaded: &Loaded| {
        let shown = loaded.show().settings;
        let values = shown.into_iter().map(|setting| (setting.path, setting.value));
        values.collect::<std::collections::BTreeMap<_, _>>()
    };
    assert_eq!(values(&second), values(&first));
    assert_eq!(second.config.runtime, first.config.runtime);
    for line in [
        "span = 3  # t.toml:4",
        "limits.free = 9  # t.toml:9",
        "limits.pause = \"1s\"  # default",
        "[[team.agent]]",
        "prefix = \"x # \\\"y\\\"\"  # t.toml:24",
        "mailbox.overflow = \"wait\"  # default",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
}

#[test]
fn secrets_are_hidden_wherever_they_stand() {
    let text = "[[team]]\nname = \"a\"\n[[team.agent]]\nname = \"b\"\nkind = \"program\"\ncommand = [\"x\"]\nsecrets = { KEY = { file = \"/etc/hush\" } }\n";
    let shown = read(text).unwrap().show();
    assert!(
        shown.to_string().contains("\nsecrets = \"(hidden)\"  # t.toml:7\n"),
        "{shown}"
    );
    let json = shown.to_json();
    assert_eq!(json["config"]["team"][0]["agent"][0]["secrets"], "(hidden)");
    assert_eq!(json["origins"]["team[0].agent[0].secrets"]["file"]["line"], 7);
    assert!(!json.to_string().contains("hush"));
}

#[test]
fn what_is_shown_as_json_is_nested_as_the_file_is() {
    let json = read(WHOLE).unwrap().show().to_json();
    assert_eq!(json["config"]["runtime"]["log"]["format"], "json");
    assert_eq!(json["config"]["team"][0]["agent"][1]["name"], "flock");
    assert_eq!(json["config"]["team"][1]["name"], "cats");
    assert_eq!(json["origins"]["runtime.span"]["file"]["name"], "t.toml");
    assert_eq!(json["origins"]["gateway.http"], "default");
}

fn reload(change: impl FnOnce(&mut Config)) -> (Vec<String>, Vec<String>) {
    let old = read(WHOLE).unwrap().config;
    let mut new = old.clone();
    change(&mut new);
    let Difference { live, needs_restart } = difference(&old, &new);
    let [live, needs_restart] = [live, needs_restart].map(|settings| settings.iter().map(Setting::to_string).collect());
    (live, needs_restart)
}

#[test]
fn what_is_the_same_changes_nothing() {
    assert_eq!(reload(|_| {}), (vec![], vec![]));
}

#[test]
fn what_the_process_was_started_with_needs_a_restart() {
    let (live, needs_restart) = reload(|new| {
        new.runtime.state_dir = "/other".to_owned();
        new.runtime.span = std::num::NonZeroUsize::MIN;
        new.runtime.log = LogConfig::default();
        new.gateway.listen.set_port(81);
        new.gateway.http_connections += 1;
        new.telemetry = TelemetryConfig::default();
        new.teams.clear();
    });
    assert_eq!(
        needs_restart,
        [
            "runtime.state_dir: \"/s\" → \"/other\"",
            "runtime.span: 3 → 1",
            "gateway.listen: \"[::1]:80\" → \"[::1]:81\"",
        ]
    );
    assert_eq!(
        live,
        [
            "runtime.log.format: \"json\" → \"text\"",
            "runtime.log.level: \"warn\" → \"info\"",
            "telemetry.look_every: \"1s\" → \"50ms\"",
            "telemetry.limits.free: 9 → 5",
            "gateway.http_connections: 256 → 257",
        ]
    );
}
