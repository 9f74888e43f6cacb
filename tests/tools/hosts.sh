#!/usr/bin/env bash
# Installs the clients that the tests of the hosts run (hosts/package.json), once, and prints their
# folder. Nothing but the package registry is asked: the programs are packages, and no
# install script runs but the one that puts a program in its place.
# Exit 3: something is missing here (npm, the registry); the reason is on stderr.
set -euo pipefail
cd "$(dirname "$0")/hosts"
wanted=$PWD
target=${CARGO_TARGET_DIR:-../../../target}
mkdir -p "$target"
hosts=$(cd "$target" && pwd)/hosts

# Tests ask at the same time: one installs, the others wait.
exec 9>"$hosts.lock"
flock 9

ready() { cmp -s "$wanted/package-lock.json" "$hosts/made-from.json"; }
missing() { printf '%s\n' "$*" >&2; exit 3; }

if ! ready; then
  command -v npm >/dev/null || missing "no npm"
  rm -rf "$hosts"
  mkdir "$hosts"
  cp "$wanted/package.json" "$wanted/package-lock.json" "$hosts"
  cd "$hosts"
  log=$(npm ci --ignore-scripts --no-audit --no-fund --loglevel=error 2>&1) ||
    missing "the clients could not be installed: $log"
  # Looks for the program among the installed packages and links it; it fetches nothing.
  log=$(cd node_modules/@anthropic-ai/claude-code && node install.cjs 2>&1) ||
    missing "claude: $log"
  cp package-lock.json made-from.json
fi
printf '%s\n' "$hosts"
