#!/usr/bin/env bash
# Installs what the lock names from the npm registry, builds, and runs all tests of the contract: lints and formatting,
# forge's tests against the gas snapshot, and the receipts of a node. Nothing but the registry is asked. The last line is
# "N passed, N failed".
#   tools/test.sh            everything
#   tools/test.sh snapshot   writes the gas snapshot and artifacts/ anew instead of holding the build against them
set -euo pipefail
cd "$(dirname "$0")/.."

tools/install.sh
# Without their install scripts the packages have no launcher: the native program is called directly.
forge=node_modules/@foundry-rs/forge-linux-amd64/bin/forge
[ -x "$forge" ] || { echo "tools/test.sh: forge is for x86-64 Linux alone, and this is $(uname -sm)" >&2; exit 1; }

passed=0 failed=0
count() { if "${@:2}"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL $1"; fi; }

count "forge fmt" "$forge" fmt --check
lint() { ! "$forge" lint 2>&1 | grep -A 4 -E '^(warning|note|error)'; }
count "forge lint" lint

log=$(mktemp); trap 'rm -f "$log"' EXIT
check=true; [ "${1:-}" = snapshot ] && check=false
FORGE_SNAPSHOT_CHECK=$check "$forge" test --color never 2>&1 | tee "$log" || true
if [[ "$(tail -n 40 "$log")" =~ ([0-9]+)\ tests\ passed,\ ([0-9]+)\ failed ]]; then
  passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
else
  failed=$((failed + 1)); echo "FAIL forge test: it did not finish"
fi
grep -q 'Snapshots differ' "$log" && { failed=$((failed + 1)); echo "FAIL the gas snapshot"; }

artifacts() { if $check; then node tools/artifacts.mjs; else node tools/artifacts.mjs write; fi; }
count "artifacts" artifacts
receipts() { node tools/receipts.mjs; }
count "receipts of a node" receipts
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
