#!/bin/bash
# Installs the Debian packages of scripts/packages.txt that are missing. Nothing else is touched.
#   scripts/install.sh test   those of scripts/packages-test.txt too, which the tests alone need
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*"; }
die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

[ -r /etc/os-release ] || die "this needs Debian 12 or newer (there is no /etc/os-release)"
. /etc/os-release
[ "${ID:-}" = debian ] || die "this needs Debian 12 or newer; this is ${PRETTY_NAME:-unknown}"
[ "${VERSION_ID:-99}" -ge 12 ] || die "this needs Debian 12 or newer; this is ${PRETTY_NAME}"

# A package that another one provides (libboost-json1.81-dev by a newer one, say) counts by name
# alone: what is built with must be what was tested with.
names() { sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$@"; }
mapfile -t wanted < <(names scripts/packages.txt)
# Node of another origin than Debian serves as well; its packages and Debian's exclude each other.
has_node() {
  command -v npm >/dev/null && command -v node >/dev/null &&
    [ "$(node -p 'parseInt(process.versions.node)' 2>/dev/null || echo 0)" -ge 18 ]
}
if [ "${1:-}" = test ]; then
  given=none
  ! has_node || given='nodejs|npm'
  mapfile -t -O ${#wanted[@]} wanted < <(names scripts/packages-test.txt | grep -Evx "$given")
fi
missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done

if [ ${#missing[@]} -gt 0 ]; then
  say "install: ${#missing[@]} of ${#wanted[@]} packages are missing: ${missing[*]}"
  [ "$(id -u)" = 0 ] || die "run it as root, or install these yourself: apt-get install ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q -o Acquire::Retries=3 update ||
    die "apt-get update failed: is there a network, and are the sources in /etc/apt right?"
  apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 \
    install --no-install-recommends "${missing[@]}" ||
    die "apt-get could not install: ${missing[*]}"
else
  say "install: all ${#wanted[@]} packages are there"
fi

# at_least NAME WANTED FOUND
at_least() {
  [ "$(printf '%s\n%s\n' "$2" "$3" | sort -V | head -n 1)" = "$2" ] ||
    die "$1 $2 or newer is needed, found $3"
}
at_least g++ 12 "$(g++ -dumpfullversion)"
at_least cmake 3.25 "$(cmake --version | sed -n '1s/[^0-9.]*//p')"
at_least python3 3.11 "$(/usr/bin/python3 -c 'import platform; print(platform.python_version())')"
command -v runc >/dev/null || command -v crun >/dev/null || die "neither runc nor crun is there"
command -v conmon >/dev/null || die "conmon is not there"
