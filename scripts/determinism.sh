#!/usr/bin/env bash
# The same seeds end in the same state however the program was compiled: g++ and clang++, with
# optimization and without, with sanitizers and without. Each build replays its own journals on the
# way, and a world's hash is that of the exchange's last state.
#   scripts/determinism.sh [PRESETS...]     release tidy asan-ubsan by default
set -euo pipefail
cd "$(dirname "$0")/.."
presets=("$@")
[ ${#presets[@]} -gt 0 ] || presets=(release tidy asan-ubsan)
seeds="11 12 13 14 15 16"
first=""
for preset in "${presets[@]}"; do
  mkdir -p build
  cmake --preset "$preset" > "build/$preset.configure.log" 2>&1 ||
    { cat "build/$preset.configure.log"; exit 1; }
  cmake --build --preset "$preset" --target mizan-sim > "build/$preset.sim.log" 2>&1 ||
    { tail -40 "build/$preset.sim.log"; exit 1; }
  hashes=$(for seed in $seeds; do "build/$preset/mizan-sim" --seed "$seed" --steps 6000 --quiet; done)
  echo "$preset:"; sed 's/^/  /' <<< "$hashes"
  [ -n "$first" ] || first=$hashes
  [ "$hashes" = "$first" ] || { echo "$preset ends in other states than ${presets[0]}"; exit 1; }
done
echo "the same states in ${#presets[@]} builds"
