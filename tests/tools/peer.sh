#!/usr/bin/env bash
# Makes a Python environment with coord-mcp-server 0.27.1, once, and prints its folder. The black-box
# tests run its unmodified programs against our server, the bench `team` runs its service beside ours.
# Exit 3: something is missing here (python3 with venv, a package registry); the reason is on stderr.
set -euo pipefail
cd "$(dirname "$0")"
wanted=$PWD/peer-requirements.txt
target=${CARGO_TARGET_DIR:-../../target}
mkdir -p "$target"
venv=$(cd "$target" && pwd)/peer-venv

# Tests ask at the same time: one makes it, the others wait.
exec 9>"$venv.lock"
flock 9

ready() { cmp -s "$wanted" "$venv/made-from.txt"; }
missing() { printf '%s\n' "$*" >&2; exit 3; }

if ! ready; then
  command -v python3 >/dev/null || missing "no python3"
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing "python3 without venv"
  rm -rf "$venv"
  log=$(python3 -m venv "$venv" 2>&1) || missing "no environment could be made: $log"
  log=$("$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" 2>&1) ||
    missing "the packages could not be installed: $log"
  cp "$wanted" "$venv/made-from.txt"
fi
printf '%s\n' "$venv"
