//! What agents are here: scripts for `sh`, to be put together.

/// Replies to each post.
pub(crate) const ECHO: &str = r#"
while read -r line; do
    id=${line#*'"id":"'}
    printf '{"type":"reply","id":"%s","body":"pong"}\n' "${id%%'"'*}"
done
"#;

/// Does not end when it is asked to, and neither does its helper in a session of its own. The helper's own `sleep` has no mark.
pub(crate) const STUBBORN: &str = r#"
trap '' TERM HUP INT
setsid sh -c 'trap "" TERM HUP; while :; do sleep 600; done' "$1" &
"#;

/// Leaves a daemon: in a session of its own, without its environment, and without its parents.
pub(crate) const DAEMON: &str = r#"
(setsid env -i sh -c 'trap "" TERM HUP; while :; do /bin/sleep 600; done' "$1" </dev/null >/dev/null 2>&1 & )
"#;
