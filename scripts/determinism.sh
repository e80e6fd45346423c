#!/usr/bin/env bash
# The same journal gives the same states however the program was compiled: g++ and clang++, with
# optimization and without, with sanitizers and without. Simulated worlds, with real keys, leave
# their journals' commands in a file; each build applies them and prints the state's hash after
# every 100 and at each world's end, where its snapshot is restored and its verdicts are made again.
# That one seed gives one world is simulation_same_twice in ctest.
#   scripts/determinism.sh [PRESETS...]     release clang-debug asan-ubsan by default
set -euo pipefail
cd "$(dirname "$0")/.."
presets=("$@")
[ ${#presets[@]} -gt 0 ] || presets=(release clang-debug asan-ubsan)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p build
build() { # PRESET TARGET
  [ -f "build/$1/build.ninja" ] || cmake --preset "$1" > "build/$1.configure.log" 2>&1 ||
    { cat "build/$1.configure.log"; exit 1; }
  cmake --build --preset "$1" --target "$2" > "build/$1.determinism.log" 2>&1 ||
    { tail -40 "build/$1.determinism.log"; exit 1; }
}
build "${presets[0]}" mizan-sim-signed
"build/${presets[0]}/mizan-sim-signed" --seeds 11..30 --steps 3000 --quiet --record "$work/commands"
for preset in "${presets[@]}"; do
  build "$preset" mizan-replay
  "build/$preset/mizan-replay" "$work/commands" > "$work/$preset"
  cmp "$work/${presets[0]}" "$work/$preset" ||
    { echo "$preset goes through other states than ${presets[0]}"; exit 1; }
done
echo "$(tail -1 "$work/${presets[0]}"), $(grep -c 0x "$work/${presets[0]}") hashes:" \
  "the same in ${presets[*]}"
