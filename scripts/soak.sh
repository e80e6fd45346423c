#!/usr/bin/env bash
# Simulates at least a million leases with faults, on all cores, and sums up.
#   scripts/soak.sh [BUILD-FOLDER] [LEASES] [FIRST-SEED]
# Worlds begin at FIRST-SEED (a fresh one by default, printed): run it again with the same to see the same.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/release}
leases=${2:-1000000}
first=${3:-$(($(date +%s) * 1000))}
[[ $leases =~ ^[1-9][0-9]*$ && $first =~ ^[0-9]+$ ]] ||
  { echo "usage: scripts/soak.sh [BUILD-FOLDER] [LEASES, 1 at least] [FIRST-SEED]" >&2; exit 2; }
cores=$(nproc)
parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT
echo "seeds from $first on, $cores at a time"
pids=()
for ((core = 0; core < cores; ++core)); do
  "$build/mizan-sim" --seeds $((first + core * 100000000))..$((first + core * 100000000 + 99999999)) \
    --leases $(((leases + cores - 1) / cores)) > "$parts/$core" &
  pids+=($!)
done
failed=0
for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
grep -hE '^(seed|run it again|  +[0-9]+ ms:)' "$parts"/* || true
# Lines of "name count" are summed; of the first line, its numbers.
awk '/ worlds, / { for (i = 1; i <= NF; ++i) { w = $(i + 1); gsub(/[;,]/, "", w); if ($i + 0 == $i) sum[w] += $i } next }
     /:$/ { next }
     NF == 2 && $2 ~ /^[0-9]+$/ { if (!($1 in count)) order[++names] = $1; count[$1] += $2 }
     END {
       printf "%d worlds, %d failed; %d events, %.1f hours, %d commands, %d leases\n", sum["worlds"],
              sum["failed"], sum["events"], sum["hours"], sum["commands"], sum["leases"]
       for (i = 1; i <= names; ++i) printf "  %-24s %d\n", order[i], count[order[i]]
     }' "$parts"/*
exit $failed
