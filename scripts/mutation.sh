#!/usr/bin/env bash
# Plants the faults of tests/mutation/faults.toml one at a time and has the tests find each.
#   scripts/mutation.sh              all of them (about half an hour on two cores)
#   scripts/mutation.sh journal_     those whose names begin so
#   scripts/mutation.sh --check      only that each fault still has its place in the code
# Exits 1 if one survives. Works in a copy of the tree under build/mutation.
set -euo pipefail
cd "$(dirname "$0")/.."
exec nice -n 5 /usr/bin/python3 tests/mutation/mutation.py "$@"
