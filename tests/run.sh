#!/usr/bin/env bash
# The one test command: sets up what is missing, runs every stage, prints a table, and fails if a stage failed.
# Stages named as arguments run alone: bash tests/run.sh format lints
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null

readonly STAGES=(set_up format lints build tests documentation_tests rules watched examples documentation benches simulation shuttle dependencies)
# Where all stages run, these do so beside the tests, which wait more than they compute. The first hardly compute at all; the others have what
# is left of the processors. First of those the one with a folder of its own to build in: a build in that of the tests would have these
# wait until it is done.
readonly WAITING=(watched rules)
readonly BESIDE=(shuttle simulation lints documentation benches documentation_tests examples dependencies)
readonly FEATURES=(--features triarch-supervision/testing)
# What needs a Prometheus and an Alertmanager is no test for everybody, and has to be named.
readonly WATCHED=(--test watched)
readonly EXAMPLE_SECONDS=60
readonly SKIPPED=77

table=()
beside=
passed=0
failed=0
skipped=0

stage_set_up() {
  command -v cc >/dev/null || install_packages gcc libc6-dev
  command -v git >/dev/null || install_packages git
  cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
  cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
  printf '%s, %s cores, %s\n' "$(uname -srm)" "$(nproc)" "$(rustc --version)"
  install_missing
  cargo fetch --locked
}

# All at once; a stage that misses something installs that by itself, or says what it leaves out.
install_missing() {
  local missing=()
  command -v fiu-run >/dev/null || missing+=(fiu-utils)
  has_faketime || missing+=(faketime)
  command -v erl >/dev/null || missing+=(erlang-base)
  command -v prometheus >/dev/null && command -v promtool >/dev/null || missing+=(prometheus)
  command -v prometheus-alertmanager >/dev/null || missing+=(prometheus-alertmanager)
  ((${#missing[@]} == 0)) || (install_packages "${missing[@]}") || echo "not installed: ${missing[*]}"
}

has_faketime() {
  compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null
}

stage_format() {
  cargo fmt --all --check
}

stage_lints() {
  cargo clippy --workspace --all-targets --locked "${FEATURES[@]}" -- -D warnings
  cargo clippy --workspace "${WATCHED[@]}" --locked "${FEATURES[@]}" -- -D warnings
}

stage_build() {
  cargo test --workspace --tests --locked --no-run "${FEATURES[@]}"
  cargo test --workspace "${WATCHED[@]}" --locked --no-run "${FEATURES[@]}"
}

# The clock jumps, the disk fails and OTP plays where there is what it takes; a test says so where there is not.
stage_tests() {
  command -v fiu-run >/dev/null || (install_packages fiu-utils) ||
    echo "fiu-utils is not installed: disks that fail are UNTESTED"
  has_faketime || (install_packages faketime) ||
    echo "faketime is not installed: jumps of the clock are UNTESTED"
  command -v erl >/dev/null || (install_packages erlang-base) ||
    echo "erlang-base is not installed: supervisors are UNTESTED against those of OTP"
  cargo test --workspace --tests --locked --no-fail-fast "${FEATURES[@]}"
}

stage_documentation_tests() {
  cargo test --workspace --doc --locked --no-fail-fast "${FEATURES[@]}"
}

stage_documentation() {
  RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked "${FEATURES[@]}"
}

# The package brings a service with it, which nothing here needs: of it only promtool is called.
stage_rules() {
  command -v promtool >/dev/null || install_packages prometheus
  promtool --version 2>&1 | head -n 1
  promtool check rules --lint=all grafana/prometheus/rules/*.yml
  promtool check config grafana/prometheus/prometheus.yml
  promtool test rules grafana/prometheus/tests/*.yml
}

# The real binary beside a real Prometheus and a real Alertmanager: what they see of it, and whom they tell.
stage_watched() {
  command -v prometheus >/dev/null || install_packages prometheus
  command -v prometheus-alertmanager >/dev/null || install_packages prometheus-alertmanager
  prometheus --version 2>&1 | head -n 1
  prometheus-alertmanager --version 2>&1 | head -n 1
  amtool check-config grafana/alertmanager/alertmanager.yml
  some_tests cargo test --workspace "${WATCHED[@]}" --locked "${FEATURES[@]}" -- --nocapture
}

# What the README says first is tried as it stands there, but for the profile, the state folder and the port. All stages build the
# whole workspace with the same features, so that none of them builds it anew.
stage_examples() {
  local names name
  cargo build --workspace --bins --examples --locked "${FEATURES[@]}"
  for_a_second triarch
  names=$(example_names)
  [[ -n $names ]] || skip "there are no examples"
  for name in $names; do
    printf -- '--- example %s\n' "$name"
    # Some of them are runtimes, which do nothing until they are told to, and one runs until somebody ends it.
    if [[ $name == own_agent* ]]; then
      for_a_second "examples/$name"
    elif [[ $name == service ]]; then
      timeout --preserve-status --signal=INT --kill-after=5 1 "$(built "examples/$name")"
    else
      timeout --kill-after=5 "$EXAMPLE_SECONDS" "$(built "examples/$name")"
    fi
  done
}

built() {
  echo "${CARGO_TARGET_DIR:-target}/debug/$1"
}

# Runs a runtime for a second, with a state folder and a port of its own.
for_a_second() {
  local state
  state=$(mktemp -d)
  TRIARCH_RUNTIME__STATE_DIR=$state TRIARCH_GATEWAY__LISTEN=127.0.0.1:0 \
    timeout --kill-after=5 "$EXAMPLE_SECONDS" "$(built "$1")" up --for 1s
  rm -rf "$state"
}

# A soak of some seconds, by the build for tests, shows that it runs, and that what is to happen in it does; its figures are none.
# What was built is run as it is: where it is the only bench that is named, cargo builds all beneath it once more.
stage_benches() {
  local soak triarch
  [[ -f benches/Cargo.toml ]] || skip "there are no benches"
  soak=$(cargo build --workspace --bins --benches --locked "${FEATURES[@]}" --message-format=json-render-diagnostics |
    sed -n 's/.*"executable":"\([^"]*\/soak-[^"]*\)".*/\1/p')
  [[ -x $soak ]] || die "the soak was not built"
  triarch=$(realpath "$(built triarch)")
  (cd benches && "$soak" --quick --triarch "$triarch")
}

# As by the profile of this name, with what lies beneath as it was built for the tests. Another crate has one that runs with the tests.
stage_simulation() {
  [[ -e supervision/tests/simulation.rs || -e supervision/tests/simulation/main.rs ]] || skip "there is no simulation"
  TRIARCH_SEEDS=10000 some_tests cargo test --workspace --exclude triarch-journal --locked "${FEATURES[@]}" \
    --config profile.dev.package.triarch-supervision.opt-level=2 --test simulation
}

# What lies beneath is hardly run there.
stage_shuttle() {
  grep -rqE '#!?\[cfg\(.*shuttle' supervision/src || skip "there are no shuttle tests"
  local name unoptimised=()
  for name in crc32c flume ractor tokio triarch-journal; do
    unoptimised+=(--config "profile.dev.package.$name.opt-level=0")
  done
  RUSTFLAGS="${RUSTFLAGS:-} --cfg shuttle" some_tests cargo test --locked -p triarch-supervision -p triarch-bus \
    "${unoptimised[@]}" --target-dir target/shuttle --lib schedules
}

# Advisories are looked up only where their database lies already: nothing is fetched here.
stage_dependencies() {
  local checks=(bans licenses sources)
  cargo deny --help 2>/dev/null | grep -q -- --config ||
    skip "cargo-deny 0.20 or later is not installed: bans, licences, sources and advisories of dependencies are UNCHECKED"
  if [[ -d ${CARGO_HOME:-$HOME/.cargo}/advisory-dbs ]]; then
    checks+=(advisories)
  else
    echo "no advisory database is at hand: advisories are UNCHECKED"
  fi
  cargo deny --locked --offline --config .ci/deny.toml check "${checks[@]}"
}

example_names() {
  local file
  for file in examples/*.rs examples/*/main.rs; do
    [[ -e $file ]] || continue
    file=${file#examples/}
    file=${file%/main.rs}
    echo "${file%.rs}"
  done
}

# A filter that matches no test passes in silence; here that is a failure.
some_tests() {
  local output
  output=$(mktemp)
  "$@" | tee "$output"
  ! grep -q '^test result: ok\. 0 ' "$output" && grep -q '^test result: ok\. ' "$output" || die "no test ran"
  rm "$output"
}

install_packages() {
  if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    die "please install: $*"
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"
}

# With an empty HOME the toolchain is still that of the account.
find_rust() {
  local home bin rustup
  cargo --version >/dev/null 2>&1 && return
  for home in "${HOME:-}" "$(getent passwd "$(id -u)" | cut -d: -f6)"; do
    bin=${CARGO_HOME:-$home/.cargo}/bin
    rustup=${RUSTUP_HOME:-$home/.rustup}
    if PATH="$bin:$PATH" RUSTUP_HOME=$rustup cargo --version >/dev/null 2>&1; then
      export PATH="$bin:$PATH" RUSTUP_HOME=$rustup
      return
    fi
  done
  die "Rust is needed, in the version that Cargo.toml names or later: https://rustup.rs"
}

skip() {
  echo "SKIPPED: $*"
  exit "$SKIPPED"
}

die() {
  echo "$*" >&2
  exit 1
}

# The subshell stands alone because bash ignores `set -e` in whatever is part of a condition. Sets `seconds` and `code`.
run_stage() {
  local name=$1 begun=$SECONDS
  printf '\n=== %s\n' "$name"
  set +e
  (
    set -e
    "stage_$name"
  )
  code=$?
  set -e
  seconds=$((SECONDS - begun))
}

# With less of a claim to the processors by so much. What they say is kept in a folder until it is their turn to be shown.
run_beside() {
  local name seconds code
  renice -n "$1" "$BASHPID" >/dev/null
  for name in "${@:2}"; do
    run_stage "$name" >"$beside/$name" 2>&1
    echo "$seconds $code" >"$beside/$name.end"
  done
}

# In groups of their own, so that whoever breaks this off ends those too.
begin_beside() {
  local waiting
  beside=$(mktemp -d)
  set -m
  run_beside 0 "${WAITING[@]}" &
  waiting=$!
  run_beside 10 "${BESIDE[@]}" &
  set +m
  trap "kill -- -$waiting -$! 2>/dev/null || true" EXIT
}

is_beside() {
  [[ " ${WAITING[*]} ${BESIDE[*]} " == *" $1 "* ]]
}

show_beside() {
  local name seconds code
  for name in "${WAITING[@]}" "${BESIDE[@]}"; do
    cat "$beside/$name"
    read -r seconds code <"$beside/$name.end"
    note "$name" "$seconds" "$code"
  done
  rm -rf "$beside"
}

note() {
  local result=FAILED
  case $3 in
    0) result=passed passed=$((passed + 1)) ;;
    "$SKIPPED") result=skipped skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)) ;;
  esac
  table+=("$(printf '%-20s %7d  %s' "$1" "$2" "$result")")
}

main() {
  local name seconds code is_whole= chosen=("$@")
  ((${#chosen[@]})) || is_whole=yes chosen=("${STAGES[@]}")
  for name in "${chosen[@]}"; do
    [[ " ${STAGES[*]} " == *" $name "* ]] || die "no stage $name; there are: ${STAGES[*]}"
  done
  find_rust
  for name in "${chosen[@]}"; do
    [[ -n $is_whole ]] && is_beside "$name" && continue
    run_stage "$name"
    note "$name" "$seconds" "$code"
    [[ -n $is_whole && $name == build ]] && begin_beside
  done
  if [[ -n $beside ]]; then
    wait
    show_beside
  fi
  printf '\n%-20s %7s  %s\n' stage seconds result
  printf '%s\n' "${table[@]}"
  printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  ((failed == 0))
}

main "$@"
