#!/usr/bin/env bash
# Fuzzes every decoder of outside bytes, and the models of money and market, with libFuzzer.
#   scripts/fuzz.sh MINUTES              the minutes are shared among all targets
#   scripts/fuzz.sh MINUTES TARGET...    among these (tests/fuzz/TARGET.cpp)
# Begins with tests/fuzz/corpus; what is new goes to build/fuzz-corpus, what crashes to
# build/fuzz-crashes. Exits 1 if anything crashed; a target that does not build is passed over and
# named at the end, and it exits 1 too.
#   scripts/fuzz.sh keep TARGET...       takes finds that reach most new code into tests/fuzz/corpus
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:?usage: scripts/fuzz.sh MINUTES|keep [TARGET...]}
shift
targets=("$@")
if [ ${#targets[@]} = 0 ]; then
  for file in tests/fuzz/corpus/*/; do targets+=("$(basename "$file")"); done
fi
mkdir -p build build/fuzz-crashes
cmake --preset fuzz > build/fuzz.configure.log 2>&1 || { cat build/fuzz.configure.log; exit 1; }
built=()
unbuilt=()
for target in "${targets[@]}"; do
  if nice -n 5 cmake --build --preset fuzz --target "fuzz_$target"; then
    built+=("$target")
  else
    unbuilt+=("$target")
  fi
done
finish() {  # STATUS: whatever it is, a target that was passed over is a failure
  [ ${#unbuilt[@]} = 0 ] && exit "$1"
  echo "these do not build, and were passed over: ${unbuilt[*]}" >&2
  exit 1
}
[ ${#built[@]} = 0 ] && finish 1

failed=0
if [ "$minutes" = keep ]; then
  for target in "${built[@]}"; do
    /usr/bin/python3 tests/fuzz/keep.py build/fuzz/tests/fuzz/"fuzz_$target" \
      build/fuzz-corpus/"$target" tests/fuzz/corpus/"$target" || failed=1
  done
  finish $failed
fi

seconds=$((minutes * 60 / ${#built[@]}))
[ "$seconds" -gt 0 ] || seconds=1
for target in "${built[@]}"; do
  corpus=build/fuzz-corpus/$target
  log=build/fuzz-corpus/$target.log
  mkdir -p "$corpus"
  options=(-max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -print_final_stats=1
    -artifact_prefix="build/fuzz-crashes/$target-")
  dictionary=tests/fuzz/dictionaries/$target.dict
  [ -f "$dictionary" ] && options+=(-dict="$dictionary")
  if nice -n 10 build/fuzz/tests/fuzz/"fuzz_$target" "${options[@]}" "$corpus" \
    tests/fuzz/corpus/"$target" > "$log" 2>&1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    echo "$target: $runs executions in $seconds s, $(find "$corpus" -type f | wc -l) new inputs"
  else
    failed=1
    tail -40 "$log"
    crash=$(sed -n 's/.*Test unit written to //p' "$log" | tail -1)
    echo "$target: FAILED; the whole log is $log. Again:"
    echo "  build/fuzz/tests/fuzz/fuzz_$target $crash"
    echo "  build/release/tests/fuzz/fuzz_$target $crash     # without libFuzzer"
    echo "Its input belongs into tests/fuzz/corpus/$target/ once it is mended."
  fi
done
finish $failed
