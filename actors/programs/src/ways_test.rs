use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

/// A home with a state folder and a fleet in it, as most have it.
struct House {
    folder: TempDir,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["me/fleet/inner", "me/state", "you"] {
            fs::create_dir_all(folder.path().join(part)).unwrap();
        }
        Self { folder }
    }

    fn path(&self, part: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(part)
    }

    fn write(&self, part: &str, mode: u32) {
        fs::write(self.path(part), "").unwrap();
        fs::set_permissions(self.path(part), Permissions::from_mode(mode)).unwrap();
    }

    fn ways(&self, description: &str, settings: Value) -> Result<Ways, Vec<String>> {
        let places = Places {
            seen: triarch_teams::Places {
                description: self.path(description),
                home: Some(self.path("me")),
            },
            state: Some(self.path("me/state")),
        };
        let settings: ProgramSettings = serde_json::from_value(settings).unwrap();
        let env = settings.env.iter().map(|(name, value)| (name.into(), value.into()));
        let mut faults = Vec::new();
        let ways = Ways::of(&settings, &places, &env.collect::<Vec<_>>(), &mut faults);
        let house = format!("{}/", self.path("").display()).replace("//", "/");
        let told = |fault: &SettingError| format!("{}: {fault}", fault.key.as_deref().unwrap_or_default());
        let told: Vec<_> = faults.iter().map(|fault| told(fault).replace(&house, "")).collect();
        ways.filter(|_| told.is_empty()).ok_or(told)
    }
}

fn written(ways: &Ways) -> &[PathBuf] {
    match &ways.sandbox {
        Sandbox::Standard { write, .. } => write,
        Sandbox::None => &[],
    }
}

#[test]
fn the_folder_of_the_description_is_opened_where_none_is_named_and_it_is_fit() {
    let house = House::new();
    let ways = house.ways("me/fleet", json!({ "command": ["/bin/sh"] })).unwrap();
    assert_eq!(
        (&ways.dir, written(&ways)),
        (&house.path("me/fleet"), &[house.path("me/fleet")][..])
    );
    assert_eq!(ways.closed, Closed::default());
    let inner = house
        .ways("me/fleet", json!({ "command": ["/bin/sh"], "dir": "inner" }))
        .unwrap();
    assert_eq!(written(&inner), [house.path("me/fleet/inner")]);
}

#[test]
fn a_working_folder_that_nobody_named_is_not_opened_where_it_holds_too_much() {
    let house = House::new();
    for (description, why) in [
        ("me", "is the home folder"),
        ("", "holds the home folder"),
        ("me/state", "is the state folder"),
    ] {
        let ways = house.ways(description, json!({ "command": ["/bin/sh"] })).unwrap();
        assert!(written(&ways).is_empty(), "{description}");
        assert_eq!(ways.dir, house.path(description));
        assert!(
            ways.closed
                .folder
                .iter()
                .any(|words| words.contains(why) && words.contains("with dir")),
            "{:?}",
            ways.closed
        );
    }
    let ways = house.ways("/", json!({ "command": ["/bin/sh"] })).unwrap();
    assert!(
        written(&ways).is_empty()
            && ways
                .closed
                .folder
                .unwrap()
                .contains("its working folder / is not open to it")
    );
}

#[test]
fn a_working_folder_that_is_named_and_holds_too_much_is_refused_with_a_remedy() {
    let house = House::new();
    for (dir, why) in [
        ("/", "/ is all of the machine"),
        ("~", "me is the home folder"),
        ("..", "me is the home folder"),
        ("~/state", "me/state is the state folder"),
        ("/etc", "/etc is a folder of the system"),
    ] {
        let expected = format!(
            "dir: {why}, and the sandbox would open it to the program; name a folder of its own, or let sandbox.kind be \"none\""
        );
        assert_eq!(
            house
                .ways("me/fleet", json!({ "command": ["/bin/sh"], "dir": dir }))
                .unwrap_err(),
            [expected]
        );
        let open = json!({ "command": ["/bin/sh"], "dir": dir, "sandbox": { "kind": "none" } });
        assert!(house.ways("me/fleet", open).is_ok());
    }
}

#[test]
fn paths_are_seen_from_where_they_belong() {
    let house = House::new();
    house.write("me/fleet/inner/agent", 0o755);
    house.write("me/tool", 0o755);
    let ways = |command: &str| {
        house.ways(
            "me/fleet",
            json!({
                "command": [command], "dir": "inner", "sandbox": { "read": ["..", "~/fleet"], "write": ["."] },
                "secrets": { "A": { "file": "key" }, "B": { "file": "~/key" } },
            }),
        )
    };
    let seen = ways("./agent").unwrap();
    let inner = house.path("me/fleet/inner");
    let expected = Sandbox::Standard {
        read: vec![inner.join(".."), house.path("me/fleet")],
        write: vec![inner.clone(), inner.join(".")],
    };
    assert_eq!(seen.sandbox, expected);
    let files = ["me/fleet/key", "me/key"].map(|file| SecretSource::File(house.path(file)));
    assert_eq!(
        seen.secrets.into_iter().map(|(_, source)| source).collect::<Vec<_>>(),
        files
    );
    assert_eq!(ways("~/tool").unwrap().program, house.path("me/tool"));
    assert!(ways("~you/tool").unwrap_err()[0].starts_with("command: ~you/tool is in the home of somebody else"));
}

#[test]
fn what_leads_nowhere_is_told_all_at_once() {
    let house = House::new();
    house.write("me/fleet/agent", 0o644);
    let told = house.ways("me/fleet", json!({
        "command": ["./agent"], "sandbox": { "read": ["no", "~you"], "write": ["nor"] }, "secrets": { "A": { "file": "~you/key" } },
    }));
    assert_eq!(
        told.unwrap_err(),
        [
            "secrets: ~you/key is in the home of somebody else; write the whole path, or ./ before it where it is called so",
            "sandbox.read: ~you is in the home of somebody else; write the whole path, or ./ before it where it is called so",
            "sandbox.read: there is no folder me/fleet/no; make it, or remove it from the list",
            "sandbox.write: there is no folder me/fleet/nor; make it, or remove it from the list",
            "command: the file me/fleet/./agent may not be run; allow it with `chmod +x`, or name its interpreter before it, \
             as in [\"python3\", \"agent.py\"]",
        ]
    );
    assert_eq!(
        house
            .ways("me/fleet", json!({ "command": ["cat"], "dir": "no" }))
            .unwrap_err(),
        ["dir: there is no folder me/fleet/no; make it, or name another"]
    );
}

#[test]
fn a_program_that_is_not_there_is_refused() {
    let house = House::new();
    house.write("me/fleet/agent", 0o644);
    let path = format!("{}:/bin", house.path("me/fleet").display());
    let told = |program: &str| {
        let told = house.ways("me/fleet", json!({ "command": [program], "env": { "PATH": path } }));
        told.unwrap_err().pop().unwrap()
    };
    for program in ["no-such-program", "agent"] {
        assert_eq!(
            told(program),
            format!(
                "command: there is no program {program:?} that may be run in PATH, which is me/fleet:/bin; install it, or name it by its whole path"
            ),
        );
    }
    assert_eq!(
        told("./no"),
        "command: there is no file me/fleet/./no; correct the path; it is seen from dir"
    );
}

#[test]
fn a_program_or_an_interpreter_that_lies_outside_is_told() {
    let house = House::new();
    house.write("you/tool", 0o755);
    house.write("me/fleet/own", 0o755);
    fs::write(
        house.path("me/fleet/script"),
        format!("#! {} -x\n", house.path("you/tool").display()),
    )
    .unwrap();
    fs::set_permissions(house.path("me/fleet/script"), Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink(house.path("you/tool"), house.path("me/fleet/link")).unwrap();
    let closed = |program: &str, read: &[&str]| {
        let settings = json!({ "command": [program], "sandbox": { "read": read } });
        house.ways("me/fleet", settings).unwrap().closed.program
    };
    let outside = format!(
        "{} lies outside what the sandbox opens",
        house.path("you/tool").display()
    );
    for program in ["./script", "./link", "../../you/tool"] {
        assert!(closed(program, &[]).unwrap().starts_with(&outside), "{program}");
        assert!(closed(program, &["../../you"]).is_none(), "{program}");
    }
    assert!(closed("./own", &[]).is_none());
    assert!(closed("/bin/sh", &[]).is_none());
}
