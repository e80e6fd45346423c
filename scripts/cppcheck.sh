#!/usr/bin/env bash
# cppcheck over rooms and the program; anything that it finds fails. What it already looked at and
# what has not changed since is not looked at again (build/cppcheck). Arguments are folders or files:
#   scripts/cppcheck.sh              all of lib/ and cmd/ (minutes the first time)
#   scripts/cppcheck.sh lib/ledger   one room
set -euo pipefail
cd "$(dirname "$0")/.."
command -v cppcheck >/dev/null || { echo "cppcheck.sh: run scripts/install.sh test" >&2; exit 1; }
mkdir -p build/cppcheck
[ $# -gt 0 ] || set -- lib cmd
exec nice -n 5 cppcheck --std=c++20 --language=c++ --enable=warning,performance,portability \
  --inline-suppr --error-exitcode=1 -q -j "$(nproc)" --cppcheck-build-dir=build/cppcheck \
  --suppressions-list=tests/lint/cppcheck/suppressions.txt -I tests/lint/cppcheck -I lib -I cmd "$@"
