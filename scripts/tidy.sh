#!/usr/bin/env bash
# clang-tidy over the rooms and the program, as .clang-tidy says. Arguments are patterns of paths:
#   scripts/tidy.sh              all of lib/ and cmd/
#   scripts/tidy.sh lib/ledger   one room
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p build
cmake --preset tidy >build/tidy.configure.log 2>&1 || { cat build/tidy.configure.log; exit 1; }
# Headers that the build writes must be there before anything is read.
cmake --build --preset tidy --target mizan_crypto >/dev/null
patterns=("$@")
[ ${#patterns[@]} -gt 0 ] || patterns=("$PWD/lib/" "$PWD/cmd/")
run-clang-tidy -quiet -p build/tidy -j "$(nproc)" "${patterns[@]}"
