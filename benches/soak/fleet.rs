//! A fleet that does something of everything, with all that it keeps bounded so narrowly that the bounds are reached while it warms up.

/// The description.
pub(crate) fn described(echo: &str) -> String {
    format!("{STORES}{NATIVES}{}", PROGRAMS.replace("ECHO", echo))
}

/// Whose answers are timed.
pub(crate) const ASKED: &str = "crew/clerk-1";
/// A program that is talked to by lines.
pub(crate) const LINES: &str = "tools/echo";
/// A program that runs once for each post.
pub(crate) const RUNS: &str = "tools/upper";
/// What agents are able to do that take tasks.
pub(crate) const SKILLS: [&str; 2] = ["turn", "carry"];
/// A topic whose log is on disk.
pub(crate) const DURABLE: &str = "plant.pump";
/// A namespace whose entries pass.
pub(crate) const NAMESPACE: &str = "passing";
/// A team that agents come to and leave.
pub(crate) const INN: &str = "inn";

const STORES: &str = r#"
[telemetry.events]
file_bytes = "256KiB"
files = 2

[programs]
log_file_bytes = "64KiB"
log_files = 2

[bus]
dead_letters = 200

[[bus.durable]]
topics = "plant.**"
messages = 2000
bytes = "1MiB"
age = "30s"

[memory]
retain_every = "10s"
snapshot_every = "30s"
snapshot_after = "1MiB"

[[memory.namespace]]
name = "passing"
ttl = "5s"
quota = { entries = 5000 }
eviction = "lru"

[work]
ended_max = 500
dead_max = 100
late_max = 16
snapshot_after = "1MiB"
events = true
"#;

const NATIVES: &str = r#"
[[team]]
name = "crew"

  [[team.agent]]
  name = "clerk"
  kind = "echo"
  replicas = 4

  [[team.agent]]
  name = "customer"
  kind = "load"
  rate = 200.0
  to = ["clerk-2", "clerk-3", "clerk-4"]

  [[team.agent]]
  name = "clock"
  kind = "timer"
  every = "1s"
  to = ["clerk-2"]

  [[team.agent]]
  name = "crier"
  kind = "traffic"
  every = "100ms"
  replicas = 2
  topic = "market.turns"
  namespace = "passing"

# They take tasks, and fall at one now and then.
[[team]]
name = "yard"
intensity = { restarts = 1000, within = "30s" }
backoff = { first = "10ms", factor = 1.0, max = "10ms" }

  [[team.agent]]
  name = "turner"
  kind = "echo"
  replicas = 2
  fail_every = 100
  capabilities = ["turn"]

[[team]]
name = "inn"

  [[team.agent]]
  name = "keeper"
  kind = "echo"
"#;

const PROGRAMS: &str = r#"
[[team]]
name = "tools"
intensity = { restarts = 1000, within = "30s" }
backoff = { first = "100ms", factor = 1.0, max = "100ms" }

  [[team.agent]]
  name = "echo"
  kind = "program"
  command = ["ECHO"]
  sandbox = { kind = "none" }

  [[team.agent]]
  name = "carrier"
  kind = "program"
  command = ["ECHO"]
  sandbox = { kind = "none" }
  capabilities = ["carry"]

  [[team.agent]]
  name = "upper"
  kind = "program"
  mode = "exec"
  command = ["tr", "a-z", "A-Z"]

  # It writes entries that pass, publishes, and says something for its log.
  [[team.agent]]
  name = "chatter"
  kind = "program"
  command = ["sh", "-c", '''
while IFS= read -r line; do
  case $line in *'"kind":"work"'*) ;; *) continue ;; esac
  id=${line#'{"id":"'}
  id=${id%%\"*}
  printf '{"type":"memory","id":"m","op":"put","namespace":"passing","key":"chatter/%s","value":{"of":"%s"}}\n' "$id" "$id"
  printf '{"type":"publish","id":"p","topic":"plant.chatter","body":{"of":"%s"}}\n' "$id"
  echo "it is at $id" >&2
  printf '{"type":"done","id":"%s","ok":true}\n' "$id"
done
''']

  # It hears the durable topics, and goes on where it left off.
  [[team.agent]]
  name = "reader"
  kind = "program"
  command = ["sh", "-c", '''
echo '{"type":"subscribe","pattern":"plant.**","name":"reader"}'
while IFS= read -r line; do
  id=${line#'{"id":"'}
  printf '{"type":"done","id":"%s","ok":true}\n' "${id%%\"*}"
done
''']

  # It ends after some answers, and is started again.
  [[team.agent]]
  name = "stumbler"
  kind = "program"
  command = ["sh", "-c", '''
answers=0
while [ $answers -lt 50 ] && IFS= read -r line; do
  id=${line#'{"id":"'}
  printf '{"type":"done","id":"%s","ok":true}\n' "${id%%\"*}"
  answers=$((answers + 1))
done
exit 1
''']

  [[team.agent]]
  name = "feed"
  kind = "load"
  rate = 30.0
  to = ["echo", "chatter", "stumbler"]
"#;
