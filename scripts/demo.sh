#!/bin/bash
# From a clone to a trained model: installs what is missing, builds, and runs the main job with an
# exchange, a provider and a buyer on this machine. Arguments go to `mizan demo`; with
# `--settlement evm` the money is on a chain, whose node comes from the npm registry.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh
case " $* " in
  *" --settlement evm "* | *" --settlement=evm "*)
    scripts/install.sh test
    contracts/tools/install.sh ;;
esac
exec build/release/mizan demo "$@"
