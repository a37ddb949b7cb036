//! Whoever looks on: at a screen, or at a log as it grows.

use std::process::{Command, Output};

use crate::PATIENCE;
use crate::running::House;

/// Says what it is told.
const PARROT: &str = r#"
[[team]]
name = "t"

  [[team.agent]]
  name = "parrot"
  kind = "program"
  command = ["sh", "-c", "echo begins >&2; while read -r line; do echo \"$line\" >&2; done"]
  sandbox = { kind = "none" }
"#;

fn house() -> House {
    let house = House::new();
    house.write("triarch.toml", PARROT);
    house
}

/// Runs a program on a terminal of its own until it has shown something, presses a key, and tells all that it showed.
const ON_A_TERMINAL: &str = r#"
import fcntl, os, pty, struct, sys, termios
wanted, key = sys.argv[1].encode(), sys.argv[2].encode()
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    os.execv(sys.argv[3], sys.argv[3:])
shown, is_pressed = b"", False
while True:
    try:
        piece = os.read(terminal, 65536)
    except OSError:
        piece = b""
    if not piece:
        break
    shown += piece
    if wanted in shown and not is_pressed:
        is_pressed = True
        os.write(terminal, key)
os.write(1, shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

fn on_a_terminal(house: &House, arguments: &[&str], wanted: &str, key: &str) -> Output {
    let asked = house.command(arguments);
    let mut command = Command::new("timeout");
    let environment = asked.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command
        .args([
            &PATIENCE.as_secs().to_string(),
            "python3",
            "-c",
            ON_A_TERMINAL,
            wanted,
            key,
        ])
        .arg(asked.get_program())
        .args(asked.get_args())
        .env_clear()
        .envs(environment)
        .env("TERM", "xterm-256color")
        .current_dir(house.path());
    command.output().unwrap()
}

#[test]
fn top_shows_the_tree_on_a_terminal_until_somebody_has_seen_enough() {
    let house = house();
    let _triarch = house.up(&[]);
    let output = on_a_terminal(&house, &["top"], "t/parrot", "q");
    let shown = crate::text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(shown.contains("t/parrot"), "{shown}");
    assert!(shown.contains("\u{1b}[?1049l"), "the screen is left as it was: {shown}");
}

#[test]
fn a_log_is_followed_as_it_grows_until_the_runtime_stops() {
    let house = house();
    let _triarch = house.up(&[]);
    let mut following = house.begin(&["logs", "parrot", "-f"]);
    following.said_with("begins", PATIENCE);
    for word in ["first", "second"] {
        house.json(&["agent", "send", "parrot", &format!("\"{word}\"")]);
        following.said_with(word, PATIENCE);
    }
    house.json(&["down"]);
    assert_eq!(following.end(PATIENCE), Some(69));
}
