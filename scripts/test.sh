#!/usr/bin/env bash
# Installs what is missing, builds, and runs all tests but soaks. Safe to run again.
#   scripts/test.sh          everything
#   scripts/test.sh quick    the release build's lint, unit and property tests only
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-all}
started=$SECONDS
say() { printf '\n== %4ds  %s\n' "$((SECONDS - started))" "$*"; }

say "installing and building (release)"
scripts/install.sh test
scripts/build.sh all
run_tests() { # PRESET-FOLDER CTEST-ARGS...
  local folder=$1; shift
  ctest --test-dir "$folder" --output-on-failure --no-tests=error "$@"
}
if [ "$what" = quick ]; then
  say "lint, unit, property"
  run_tests build/release -L 'lint|unit|property' -j 2
  exit
fi

sanitize() { # PRESET TESTS...: builds these executables alone, and runs them
  local preset=$1; shift
  say "building ($preset): $*"
  cmake --preset "$preset" > "build/$preset.configure.log" 2>&1 ||
    { cat "build/$preset.configure.log"; exit 1; }
  cmake --build --preset "$preset" --target "$@"
  say "tests under $preset"
  run_tests "build/$preset" -R "^($(IFS='|'; echo "$*"))\$" -j 2
}

# Quick tests first, side by side; then what starts servers and sandboxes, one at a time.
say "lint, unit, property, policy, fuzz corpora"
run_tests build/release -LE 'soak|e2e|crash|bench' -j 2
say "crash and end-to-end"
run_tests build/release -L 'crash|e2e' -LE soak
say "static analysis: cppcheck"
scripts/cppcheck.sh
sanitize tsan unit_net unit_service unit_provider
mapfile -t sanitized < <(ctest --test-dir build/release -N -L '^(unit|fuzz)$' |
  sed -n 's/^ *Test *#[0-9]*: //p')
sanitize asan-ubsan "${sanitized[@]}"
say "determinism: g++ and clang++, optimized and not, sanitizers on and off"
scripts/determinism.sh
say "all tests passed"
