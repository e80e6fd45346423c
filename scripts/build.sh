#!/bin/bash
# Installs what is missing and builds the binary: build/release/mizan.
# scripts/build.sh [TARGET...] builds other targets too ("all" for everything).
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install.sh
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(mizan)
echo "build: configuring build/release"
log=build/configure.log
mkdir -p build
cmake --preset release >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
NINJA_STATUS="[%f/%t, %es] " cmake --build --preset release --target "${targets[@]}"
echo "build: build/release/mizan is ready"
