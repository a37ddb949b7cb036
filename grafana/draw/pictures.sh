#!/usr/bin/env bash
# Draws the pictures of docs/pictures from live data: starts a fleet and a Prometheus, kills an agent now and then, and draws.
#
#   bash grafana/draw/pictures.sh [MINUTES]    15 where nothing is said
#
# It needs cargo, prometheus, python3 and tmux. BINARY names a triarch that is built already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly MINUTES=${1:-15}
readonly SCRAPE=5
readonly PICTURES=$PWD/docs/pictures
readonly AGENTS=$PWD/examples/agents
readonly TRIARCH=${BINARY:-${CARGO_TARGET_DIR:-$PWD/target}/release/triarch}
readonly RUNTIME=127.0.0.1:17117
readonly PROMETHEUS=127.0.0.1:19090

folder=$(mktemp -d)
started=()

clean_up() {
  tmux -L "${folder##*/}" kill-server 2>/dev/null || true
  ((${#started[@]})) && kill "${started[@]}" 2>/dev/null
  wait
  rm -rf "$folder"
}

main() {
  local minute
  [[ -n ${BINARY:-} ]] || cargo build --release --locked --bin triarch
  trap clean_up EXIT
  cat actors/teams/demo.toml grafana/draw/fleet.toml | sed "s|{agents}|$AGENTS|" >"$folder/triarch.toml"
  export TRIARCH_RUNTIME__STATE_DIR=$folder/state TRIARCH_GATEWAY__LISTEN=$RUNTIME
  start runtime "$TRIARCH" --config "$folder/triarch.toml" up
  sed "s|_interval: 15s|_interval: ${SCRAPE}s|; s|127.0.0.1:7117|$RUNTIME|; s|rules/|$PWD/grafana/prometheus/rules/|" \
    grafana/prometheus/prometheus.yml >"$folder/prometheus.yml"
  start prometheus prometheus --config.file="$folder/prometheus.yml" --storage.tsdb.path="$folder/data" \
    --web.listen-address="$PROMETHEUS"
  printf 'one agent is killed each minute; drawing in %s minutes\n' "$MINUTES"
  for ((minute = 0; minute < MINUTES; minute++)); do
    sleep 60
    "$TRIARCH" agent kill "tools/echo-$((minute % 3 + 1))" >/dev/null
    letters $((RANDOM % 60 + 20)) | "$TRIARCH" task submit --file - >/dev/null
  done
  board overview --open Supervision Mailboxes Programs
  board agents-and-mailboxes --open Supervisors --without Lives 'States of agents'
  board programs --open Logs
  board tasks
  board storage
  screen
}

# In the background, its output in a file of its own.
start() {
  local name=$1
  shift
  "$@" >"$folder/$name.out" 2>&1 &
  started+=("$!")
}

# So many tasks, of which each tenth is urgent.
letters() {
  local number
  for ((number = 0; number < $1; number++)); do
    printf '{"kind": "letter", "body": %s, "priority": "%s", "needs": ["writing"]}\n' \
      "$number" "$( ((number % 10)) && echo normal || echo high)"
  done
}

board() {
  python3 grafana/draw/board.py "grafana/dashboards/$1.json" "$PICTURES/$1.svg" \
    --prometheus "http://$PROMETHEUS" --minutes "$MINUTES" --scrape "$SCRAPE" "${@:2}"
}

# `triarch top` as a terminal shows it.
screen() {
  local terminal=(tmux -L "${folder##*/}")
  "${terminal[@]}" new-session -d -x 112 -y 38 "$TRIARCH" top
  sleep 5
  "${terminal[@]}" capture-pane -e -p | python3 grafana/draw/screen.py "$PICTURES/top.svg" 'triarch top'
}

main
