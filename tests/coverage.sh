#!/usr/bin/env bash
# Which lines of a crate its own tests run: by callgrind, on the binaries of its tests as `cargo test -p` builds them. The crate itself
# is not optimised, where that would lose lines: then it is built once more.
#   bash tests/coverage.sh triarch-bus codec filter           counts, of the files whose paths have one of these words in them
#   bash tests/coverage.sh triarch-bus src                    of all files
#   LINES_MISSED=1 bash tests/coverage.sh triarch-bus codec   and the lines that no test runs
#   TESTS="codec::tests --skip fuzzed" bash tests/coverage.sh triarch-bus codec   by some of the tests alone
#   TARGETS="lib behaviour" bash tests/coverage.sh triarch-journal reader         by those of `tests/behaviour` too
#   FEATURES=rustix/use-libc-auxv bash tests/coverage.sh triarch-memory query     where tests ask rustix for the time: valgrind has no vDSO
# A line counts where a binary has code for it; tests themselves do not. It runs fifty times slower than without.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[[ $# -ge 2 ]] || {
  echo "usage: bash tests/coverage.sh PACKAGE WORD…, as bash tests/coverage.sh triarch-bus codec" >&2
  exit 2
}
readonly PACKAGE=$1
shift
readonly WORDS=$(IFS='|' && echo "$*")
# Words of the names of tests, and flags such as `--skip load`; all tests where there is none.
readonly TESTS=${TESTS:-}
# The tests in `src`, and those in folders of `tests`, by name.
readonly TARGETS=${TARGETS:-lib}
readonly FEATURES=${FEATURES:-}

command -v valgrind >/dev/null && command -v objdump >/dev/null || {
  echo "please install: valgrind binutils" >&2
  exit 1
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Lines that were run: `fl=`, `fi=` and `fe=` name the file of those that follow.
run_lines() {
  awk -v here="$PWD/" '
    /^f[lie]=/ { file = substr($0, 4); sub(here, "", file); next }
    /^[0-9]+ [0-9]+$/ { print file ":" $1 }
  ' "$1"
}

# Lines that there is code for: a heading names the file of those that follow by its last part.
code_lines() {
  objdump --dwarf=decodedline -w "$1" 2>/dev/null | awk '
    /:$/ { file = $0; sub(/^CU: /, "", file); sub(/:$/, "", file); next }
    $NF == "x" && $2 ~ /^[0-9]+$/ && $2 > 0 { print ($1 ~ /\// ? $1 : file) ":" $2 }
  ' | sed "s|^$PWD/||"
}

for target in $TARGETS; do
  which=(--test "$target")
  [[ $target != lib ]] || which=(--lib)
  binary=$(cargo test -p "$PACKAGE" --features "$FEATURES" "${which[@]}" --no-run --locked \
    --config "profile.dev.package.$PACKAGE.opt-level=0" --message-format=json |
    grep '"test":true' | grep -o '"executable":"[^"]*"' | tail -n 1 | cut -d '"' -f 4)
  # shellcheck disable=SC2086
  PROPTEST_CASES=${PROPTEST_CASES:-16} valgrind --quiet --tool=callgrind --dump-line=yes --compress-strings=no \
    --compress-pos=no --callgrind-out-file="$folder/calls" "$binary" $TESTS >"$folder/log" 2>&1 || {
    tail -n 30 "$folder/log" >&2
    exit 1
  }
  grep -h '^test result' "$folder/log"
  run_lines "$folder/calls" >>"$folder/all_run"
  code_lines "$binary" >>"$folder/all_code"
done
sort -u "$folder/all_run" >"$folder/run"
sort -t : -k 1,1 -k 2,2n -u "$folder/all_code" >"$folder/code"

grep -E '^(src|actors|supervision)/' "$folder/code" |
  grep -vE '(_test|/tests|/fuzzed[a-z_]*|/testing)(\.rs|/)' | grep -E "$WORDS" >"$folder/ours" || true

# What stands below the first `#[cfg(test)]` of a module of tests is none of it, nor are attributes, fields and variants: only
# derives have code for those.
while read -r file; do
  [[ -f $file ]] || continue
  awk -v file="$file" '
    /^#\[cfg\(test\)\]/ { at = NR }
    /^(pub(\(crate\))? )?mod tests/ && at && NR < at + 5 { exit }
    /^(pub(\([a-z ]+\))? )?(struct|enum) .*\{$/ { is_declared = 1 }
    !is_declared && !/^#\[/ { print file ":" NR }
    /^}/ { is_declared = 0 }
  ' "$file"
done < <(cut -d : -f 1 "$folder/ours" | sort -u) >"$folder/own"
awk 'NR == FNR { own[$0] = 1; next } $0 in own' "$folder/own" "$folder/ours" >"$folder/counted"

awk -F : -v missed="${LINES_MISSED:-}" '
  NR == FNR { run[$0] = 1; next }
  {
    code[$1]++
    if ($0 in run) done[$1]++
    else lines[$1] = lines[$1] " " $2
  }
  END {
    for (file in code) {
      without = missed && lines[file] ? "  without" lines[file] : ""
      printf "%5.1f %%  %4d of %4d  %s%s\n", 100 * done[file] / code[file], done[file], code[file], file, without
      all += code[file]
      some += done[file]
    }
    if (all) printf "%5.1f %%  %4d of %4d  all of these\n", 100 * some / all, some, all
  }
' "$folder/run" "$folder/counted" | sort -k 6
