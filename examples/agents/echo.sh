#!/usr/bin/env bash
# Answers each post with its body, without a program to read JSON: the id has 32 digits, and the body is what follows its key.
set -euo pipefail

echo '{"type":"status","state":"ready"}'
while IFS= read -r line; do
  id=${line#'{"id":"'}
  id=${id%%'"'*}
  body=${line#*',"body":'}
  body=${body%'}'}
  body=${body%',"deadline_ms":'*}
  printf '{"type":"reply","id":"%s","body":%s}\n' "$id" "$body"
done
