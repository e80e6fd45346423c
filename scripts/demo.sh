#!/bin/bash
# From a clone to a trained model: installs what is missing, builds, and runs the main job with an
# exchange, a provider and a buyer on this machine. Arguments go to `mizan demo`.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh
exec build/release/mizan demo "$@"
