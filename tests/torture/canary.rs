//! A secret in each place of a description that may have one, and a look at everything that the runtime shows.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use crate::PATIENCE;
use crate::kin::Process;
use crate::yard::{Yard, until};

/// What is looked for.
const CANARY: &str = "canary4f7d21";

/// The same where only hexadecimal digits may stand: the key that seals what the store has on disk.
const KEY: &str = "c4a4a27f4d21c4a4a27f4d21c4a4a27f4d21c4a4a27f4d21c4a4a27f4d210000";

const SEALED: &str = "[memory]\nsealed_by = { env = \"HOUSE_KEY\" }\n\
                      [[memory.namespace]]\nname = \"notes\"\ndurability = \"journal\"\n";

/// Says how many of its secrets it has, and fails when it is told to.
const HOLDER: &str = r#"
has=0
for secret in "$FROM_FILE" "$FROM_ENV" "$API_TOKEN" "$DATABASE_URL"; do
    case $secret in *canary4f7d21*) has=$((has+1)) ;; esac
done
while read -r line; do
    case $line in *fail*) exit 3 ;; esac
    id=${line#*'"id":"'}
    printf '{"type":"reply","id":"%s","body":%s}\n' "${id%%'"'*}" "$has"
done
"#;

/// Where a secret may stand: by reference, under a name that says so, and in an address.
fn fields(yard: &Yard) -> String {
    let file = yard.house.write("outside", CANARY);
    let aside = yard.path().with_extension("secret");
    fs::rename(file, &aside).unwrap();
    format!(
        "secrets = {{ FROM_FILE = {{ file = \"{}\" }}, FROM_ENV = {{ env = \"HOUSE_SECRET\" }} }}\n\
         [team.agent.env]\nAPI_TOKEN = \"{CANARY}\"\nDB_PASSWORD = \"{CANARY}\"\n\
         DATABASE_URL = \"postgres://user:{CANARY}@127.0.0.1/db?password={CANARY}\"\n",
        aside.display()
    )
}

const CHECK: &str = "[[team.agent]]\nname = \"check\"\nkind = \"http-check\"\nevery = \"100ms\"\nfailures = 1\nnotify = [\"holder\"]\n\
                     url = \"http://127.0.0.1:9/health?token=canary4f7d21&a=1\"\n";

fn holder(yard: &Yard, more: &str) -> String {
    let script = yard.script("holder", HOLDER);
    format!(
        "[[team.agent]]\nname = \"holder\"\nkind = \"program\"\ncommand = [\"sh\", \"{}\", \"{}\"]\ndir = \"{}\"\n{more}",
        script.display(),
        yard.mark(),
        script.parent().unwrap().display()
    )
}

struct Cage {
    yard: Yard,
    hits: Vec<String>,
}

impl Cage {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.yard.house.command(arguments);
        command
            .env("HOUSE_SECRET", CANARY)
            .env("HOUSE_KEY", KEY)
            .env("RUST_BACKTRACE", "1");
        command
    }

    fn look(&mut self, place: &str, text: &str) {
        let has_any = |line: &&str| line.contains(CANARY) || line.contains(&KEY[..24]);
        for line in text.lines().filter(has_any) {
            self.hits.push(format!("{place}: {line}"));
        }
    }

    fn run(&mut self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        for bytes in [&output.stdout, &output.stderr] {
            self.look(&arguments.join(" "), &String::from_utf8_lossy(bytes));
        }
        output
    }

    /// All that can be asked for.
    fn ask_everything(&mut self) {
        for arguments in [
            &["status"][..],
            &["tree"],
            &["tree", "--format", "dot"],
            &["why", "holder"],
            &["why", "check"],
            &["agent", "list"],
            &["agent", "show", "holder"],
            &["agent", "show", "check"],
            &["agent", "ask", "holder", "\"hello\""],
            &["team", "list"],
            &["team", "show", "team"],
            &["logs", "holder"],
            &["config", "show"],
            &["config", "check"],
            &["config", "schema"],
            &["memory", "put", "notes", "k", "1"],
            &["memory", "stats"],
            &["memory", "namespaces"],
            &["doctor"],
            &["reload"],
        ] {
            let output = self.run(arguments);
            assert!(
                output.status.success(),
                "{arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            self.run(&[arguments, &["--json"]].concat());
        }
        let (head, page) = self.yard.house.get("/metrics");
        self.look("metrics", &(head + &page));
        let (head, page) = self.yard.house.get("/health/ready");
        self.look("health", &(head + &page));
    }

    /// The command lines of all processes: the runtime's own and those it starts.
    fn look_at_command_lines(&mut self) {
        for process in Process::all().values() {
            self.look("ps", &process.arguments);
        }
    }

    fn look_into(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                self.look_into(&entry.path());
            } else if kind.is_file() {
                let bytes = fs::read(entry.path()).unwrap();
                self.look(&entry.path().display().to_string(), &String::from_utf8_lossy(&bytes));
            }
        }
    }
}

#[test]
fn a_canary_in_each_field_is_seen_nowhere() {
    let yard = Yard::new();
    let all = fields(&yard);
    yard.describe(&[CHECK, &holder(&yard, &all), SEALED].concat());
    let mut cage = Cage { yard, hits: Vec::new() };
    let runtime = cage.yard.up_by(&cage.command(&["up"]));
    assert_eq!(cage.yard.reply("holder"), 4, "the program has all its secrets");
    cage.ask_everything();
    cage.look_at_command_lines();
    // An end, and what is told of it.
    cage.run(&["agent", "ask", "holder", "\"fail\""]);
    until("it lives again", || cage.yard.try_reply("holder").is_some());
    cage.ask_everything();
    // A start that fails for its secret.
    let aside = cage.yard.path().with_extension("secret");
    fs::write(&aside, format!("{CANARY}\0{CANARY}")).unwrap();
    cage.run(&["agent", "restart", "holder"]);
    until("it has failed", || {
        let shown = cage.yard.ask("agent.show", &json!({ "agent": "holder" })).unwrap();
        shown["restarts"].as_u64() > Some(1)
    });
    cage.run(&["why", "holder"]);
    cage.run(&["logs", "holder"]);
    fs::write(&aside, CANARY).unwrap();
    cage.run(&["agent", "spawn", "team", "late", "--kind", "echo", "--set", "delay=1ms"]);
    broken(&mut cage, &all);
    cage.yard.living();
    let mut runtime = runtime;
    runtime.signal("TERM");
    assert_eq!(runtime.end(PATIENCE), Some(0));
    let log = cage.yard.log();
    assert!(!log.contains("panicked"), "{log}");
    cage.look("log", &log);
    let state = cage.yard.path().join("state");
    cage.look_into(&state);
    fs::remove_file(aside).unwrap();
    assert!(cage.hits.is_empty(), "{} hits: {:#?}", cage.hits.len(), cage.hits);
}

/// Descriptions with a fault in the very line that has the secret, and in those beside it.
fn broken(cage: &mut Cage, all: &str) {
    let breaks = [
        ("API_TOKEN = \"", "API_TOKEN = 5 \""),
        ("DB_PASSWORD = \"", "DB_PASSWORD \""),
        ("DATABASE_URL = \"", "DATABASE_URL = 'a' 'b' \""),
        ("[team.agent.env]\n", "[team.agent.evn]\n"),
        ("[team.agent.env]\n", "[team.agent.env\n"),
        ("API_TOKEN = \"", "\"A=B_TOKEN\" = \""),
        ("url = \"http", "url = \"https"),
        ("url = \"http://", "url = \"http://canary4f7d21@"),
        ("url = \"http", "ulr = \"http"),
        ("every = \"100ms\"", "every = \"canary\""),
        ("FROM_FILE = {", "FROM_FILE = { text = \"canary4f7d21\","),
        ("FROM_ENV = { env = \"HOUSE_SECRET\" }", "FROM_ENV = \"canary4f7d21\""),
        // Values of several lines.
        ("API_TOKEN = \"", "API_TOKEN = \"\"\"\n\\q canary4f7d21\n\"\"\" # \""),
        ("API_TOKEN = \"", "API_TOKEN = '''\na = 1\ncanary4f7d21\u{1}\n''' # \""),
        (
            "DB_PASSWORD = \"",
            "DB_PASSWORD = \"\"\"\n[canary4f7d21]\n\\q canary4f7d21\n\"\"\" # \"",
        ),
        ("DB_PASSWORD = \"", "DB_PASSWORD =\n\""),
        ("DB_PASSWORD = \"", "DB_PASSWORD = \"hush\n"),
        ("FROM_FILE = {", "FROM_FILE = {\n  text = \"\\q canary4f7d21\",\n"),
        ("secrets = {", "secrets = {\n  EARLIER = \"\\q canary4f7d21\",\n"),
        ("secrets = {", "secrets.\"EARLIER\" = \"\\q canary4f7d21\"\nothers = {"),
    ];
    for (whole, broken) in breaks {
        let text = [CHECK, &holder(&cage.yard, all)].concat();
        assert!(text.contains(whole), "{whole}");
        cage.yard.describe(&text.replacen(whole, broken, 1));
        let code = cage.run(&["config", "check"]).status.code();
        assert_eq!(code, Some(2), "{broken}");
        cage.run(&["config", "check", "--json"]);
        cage.run(&["config", "show"]);
        cage.run(&["reload"]);
        cage.run(&["doctor"]);
    }
}
