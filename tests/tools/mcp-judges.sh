#!/usr/bin/env bash
# Has programs that know nothing of us judge `coord mcp`: the MCP inspector in each of its eras, the
# official Python client in each of its modes, and the protocol's conformance suite behind a bridge.
#   tests/tools/mcp-judges.sh PATH_OF_COORD
# Installs them once below target/judges. Exit 3: something is missing here (node, python3 with venv, a
# package registry); the reason is on stderr. Exit 1: a judge found something.
set -euo pipefail
coord=$(realpath "$1")
cd "$(dirname "$0")"
tools=$PWD
target=${CARGO_TARGET_DIR:-../../target}
mkdir -p "$target/judges"
judges=$(cd "$target/judges" && pwd)
node=$judges/npm/node_modules/node/bin/node
python=$judges/py/bin/python
missing() { printf '%s\n' "$*" >&2; exit 3; }

npm_packages="node@22.23.3 @modelcontextprotocol/inspector@2.12.0 @modelcontextprotocol/conformance@0.1.16"
# The second line of the suite, with the revision of 2026-07-28.
next_packages="@modelcontextprotocol/conformance@0.2.0-alpha.12"
python_packages="mcp==2.3.0"
wanted="$npm_packages $next_packages $python_packages"

exec 9>"$judges/lock"
flock 9
if [ "$(cat "$judges/made-of" 2>/dev/null)" != "$wanted" ]; then
  command -v npm >/dev/null || missing "no npm"
  command -v python3 >/dev/null || missing "no python3"
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing "python3 without venv"
  rm -rf "$judges/npm" "$judges/next" "$judges/py"
  mkdir -p "$judges/npm" "$judges/next"
  install() {
    local folder=$1
    shift
    log=$(npm install --no-audit --no-fund --prefix "$folder" "$@" 2>&1) ||
      missing "npm could not install $*: $log"
  }
  # shellcheck disable=SC2086
  install "$judges/npm" $npm_packages
  install "$judges/next" $next_packages
  # Where install scripts are not allowed, node's own has not put its program there.
  if ! "$node" --version >/dev/null 2>&1; then
    (cd "$judges/npm/node_modules/node" && node installArchSpecificPackage.js) >/dev/null 2>&1 || true
  fi
  "$node" --version >/dev/null 2>&1 || missing "no node 22 could be installed"
  log=$(python3 -m venv "$judges/py" 2>&1) || missing "no environment could be made: $log"
  log=$("$judges/py/bin/pip" install --quiet --disable-pip-version-check $python_packages 2>&1) ||
    missing "the packages could not be installed: $log"
  printf '%s' "$wanted" >"$judges/made-of"
fi
flock -u 9

# A home of its own: nothing of whoever runs this is touched.
home=$(mktemp -d)
bridge=
trap '[ -z "$bridge" ] || kill "$bridge" 2>/dev/null || true; rm -rf "$home"' EXIT
mkdir -p "$home/app/.claude"
cd "$home/app"
PATH=$(dirname "$node"):$PATH
export HOME=$home PATH COORD_PROJECT_DIR=$home/app COORD_STATE_DIR=$home/state
unset COORD_API_URL COORD_AUTH_TOKEN COORD_SESSION_ID COORD_IDENTITY COORD_PROJECT
failed=0
passed() { printf 'passed: %s\n' "$1"; }
found() {
  printf 'FAILED: %s\n%s\n' "$1" "$2"
  failed=1
}

inspect() {
  local era=$1
  shift
  local log
  if log=$("$node" "$judges/npm/node_modules/.bin/mcp-inspector" --cli --protocol-era "$era" \
    --format json -q "$coord" mcp "$@" 2>&1); then
    passed "inspector, $era: $*"
  else
    found "inspector, $era: $*" "$log"
  fi
}
for era in legacy auto modern; do
  inspect "$era" --strict --method tools/list
  inspect "$era" --method resources/list
  inspect "$era" --method prompts/list
  inspect "$era" --method resources/read --uri coord://status
  inspect "$era" --method prompts/get --prompt-name sync
  inspect "$era" --method tools/call --tool-name coord_claim --tool-args-json "{\"files\":[\"inspector/$era.rs\"]}"
done

if log=$("$python" "$tools/mcp_client.py" "$coord" mcp 2>&1); then
  while read -r line; do passed "$line"; done <<<"$log"
else
  found "python client" "$log"
fi

python3 "$tools/mcp_http_bridge.py" "$coord" mcp >"$home/url" 2>"$home/bridge.log" &
bridge=$!
for _ in $(seq 200); do
  [ -s "$home/url" ] && break
  sleep 0.05
done
url=$(cat "$home/url")

conform() {
  local suite=$1 revision=$2 scenario=$3 log
  if log=$("$node" "$judges/$suite/node_modules/.bin/conformance" server --url "$url" \
    --scenario "$scenario" --spec-version "$revision" -o "$home/results/$scenario" 2>&1); then
    passed "conformance ($suite), $revision: $scenario"
  elif [ "$scenario" = server-stateless ] && log=$(judge_stateless); then
    passed "conformance ($suite), $revision: $scenario, $log"
  else
    found "conformance ($suite), $revision: $scenario" "$log"
  fi
}
# Five of its checks do not apply to us: four need tools that only a fixture has, and one is about a
# header of HTTP, which the bridge does not have to know.
judge_stateless() {
  "$python" - "$home/results/server-stateless" <<'PYTHON'
import glob, json, sys

NOT_OURS = {
    "sep-2575-http-server-header-mismatch-400": "a header of HTTP",
    "sep-2575-server-rejects-undeclared-capability": "the tool test_missing_capability",
    "sep-2575-missing-capability-http-400": "the tool test_missing_capability",
    "sep-2575-http-server-no-independent-requests-on-stream": "the tool test_streaming_elicitation",
    "sep-2575-server-no-log-without-loglevel": "the tool test_logging_tool",
}
[file] = glob.glob(sys.argv[1] + "/*/checks.json")
checks = json.load(open(file))
bad = [c for c in checks if c["status"] in ("FAILURE", "WARNING") and c["id"] not in NOT_OURS]
if bad or not checks:
    print("\n".join(f"{c['id']}: {c.get('errorMessage')}" for c in bad))
    sys.exit(1)
good = sum(c["status"] == "SUCCESS" for c in checks)
skipped = [c["id"] for c in checks if c["id"] in NOT_OURS and c["status"] == "FAILURE"]
print(f"{good} checks passed; not applicable: {', '.join(skipped)}")
PYTHON
}
for scenario in server-initialize ping tools-list resources-list prompts-list; do
  conform npm 2025-11-25 "$scenario"
  conform next 2025-11-25 "$scenario"
done
for scenario in tools-list resources-list prompts-list caching sep-2164-resource-not-found server-stateless; do
  conform next 2026-07-28 "$scenario"
done
exit "$failed"
