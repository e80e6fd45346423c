#!/usr/bin/env bash
# Installs what the lock names from the npm registry, if that was not done since the lock was changed.
set -euo pipefail
cd "$(dirname "$0")/.."

# npm's own copy of the lock is the last thing that an installation writes.
if ! [ node_modules/.package-lock.json -nt package-lock.json ]; then
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
  touch node_modules/.package-lock.json
fi
