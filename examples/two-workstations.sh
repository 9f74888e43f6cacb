#!/usr/bin/env bash
# Two workstations on one machine, each with its own HOME, and one server: messages, todos, a lock
# that one gets and the other does not, a component state; then the server is killed, work goes on,
# and after its return everything has arrived once.
#
#   examples/two-workstations.sh [path to coord]
#
# Ends with "all as it should be" and status 0, or says what was not.
set -euo pipefail
coord=${1:-coord}
work=$(mktemp -d)
alpha=$work/alpha beta=$work/beta
mkdir -p "$alpha/.claude" "$beta/.claude"
server_pid=''
cleanup() { [ -z "$server_pid" ] || kill -9 "$server_pid" 2>/dev/null || true; rm -rf "$work"; }
trap cleanup EXIT

as() { # as <home> <coord arguments...>
  local home=$1
  shift
  (cd "$home" && env -i PATH="$PATH" HOME="$home" "$coord" "$@")
}
expect() { # expect <what> <text it must hold> <text>
  case $3 in
    *"$2"*) printf 'ok    %s\n' "$1" ;;
    *) printf 'WRONG %s: expected "%s" in:\n%s\n' "$1" "$2" "$3"; exit 1 ;;
  esac
}
expect_not() {
  case $3 in
    *"$2"*) printf 'WRONG %s: did not expect "%s" in:\n%s\n' "$1" "$2" "$3"; exit 1 ;;
    *) printf 'ok    %s\n' "$1" ;;
  esac
}
start_server() { # on the port of the first time
  as "$alpha" --json start --background --port "${port:-0}" >"$work/start.json"
  url=$(sed 's/.*"url":"\([^"]*\)".*/\1/' "$work/start.json")
  server_pid=$(sed 's/.*"pid":\([0-9]*\).*/\1/' "$work/start.json")
  port=${url##*:}
}

echo '{"machine":"ALPHA","user":"ann"}' >"$alpha/.claude/identity.json"
start_server
# Beta is another workstation: it is told the address, and gets the token in a file of its own.
install -m 600 "$alpha/.local/state/coord/token" "$beta/coord-token"
printf '{"machine":"BETA","user":"bob","coord_api":"%s","coord_token_file":"%s"}' \
  "$url" "$beta/coord-token" >"$beta/.claude/identity.json"

as "$beta" session register --task "waiting for news" >/dev/null

as "$alpha" msg send ALL "Deploy at 5" "Please hold merges" >/dev/null
as "$alpha" msg send BETA "For you" "The pipeline is ready" >/dev/null
inbox=$(as "$beta" msg inbox)
expect "the broadcast arrives" "MESSAGE FROM ALPHA/claude-main — Deploy at 5" "$inbox"
expect "the direct message arrives" "| The pipeline is ready" "$inbox"

todo=$(as "$alpha" --json todo add "Update the runbook" --project acme/app | sed 's/^{"id":"\([^"]*\)".*/\1/')
expect "the todo is seen by the other" "Update the runbook" "$(as "$beta" todo list)"
as "$beta" todo done "$todo" >/dev/null
expect "and is done" "no todos" "$(as "$alpha" todo list)"

as "$alpha" lock claim acme/app 'src/api/**' "adding endpoints" >/dev/null
refusal=$(as "$beta" lock claim acme/app src/api/credentials.rs 2>&1) && status=0 || status=$?
expect "the lock is refused to the other (status 10)" "10" "$status"
expect "with the holder's name" "held by ALPHA/claude-main" "$refusal"

as "$alpha" component set acme/app server deployed --version 0.3.0 >/dev/null
expect "the component state is seen" "acme/app/server  deployed  0.3.0" "$(as "$beta" component list)"

echo "-- the server is killed"
kill -9 "$server_pid"
expect "mail is read from the copy here" "queued: read mark" "$(as "$beta" msg read --all)"
out=$(as "$beta" msg send ALPHA "While away" "one" 2>/dev/null)
expect "a message is queued" "queued" "$out"
as "$beta" todo add "Written offline" >/dev/null 2>&1
as "$beta" component set acme/app dashboard degraded >/dev/null 2>&1
expect "four writes wait, in order" "4" "$(as "$beta" outbox list 2>/dev/null | wc -l | tr -d ' ')"
reading=$(as "$beta" todo list 2>&1)
expect "what waits is seen at once" "Written offline  [queued here]" "$reading"
expect "and the answer says how old it is" "the server cannot be asked now" "$reading"
provisional=$(as "$beta" lock claim acme/app 'docs/**' "Offline" 2>/dev/null)
expect "a lock is held provisionally" "held provisionally" "$provisional"

echo "-- the server comes back"
start_server
expect "sync sends them" "sent 5 writes" "$(as "$beta" sync)"
expect "a second sync has nothing to send" "nothing was waiting" "$(as "$beta" sync)"
inbox=$(as "$alpha" msg inbox)
expect "the message arrived" "| one" "$inbox"
expect "once" "1" "$(grep -c 'While away' <<<"$inbox")"
expect "the todo too" "1" "$(as "$alpha" todo list | grep -c 'Written offline')"
expect "and the component state" "acme/app/dashboard  degraded" "$(as "$alpha" component list)"
expect "the lock outlived the server" "src/api/**" "$(as "$beta" lock list)"

hook=$(printf '{"hook_event_name":"SessionStart","source":"startup","session_id":"abcd1234","cwd":"%s"}' "$beta" | as "$beta" hook claude)
expect "a new session is told of the broadcast" "Deploy at 5" "$hook"
again=$(printf '{"hook_event_name":"SessionStart","source":"resume","session_id":"abcd1234","cwd":"%s"}' "$beta" | as "$beta" hook claude)
expect "and not told twice" "{}" "$again"

as "$alpha" stop >/dev/null
server_pid=''
echo "all as it should be"
