#!/usr/bin/env bash
# Has schemathesis, which knows nothing of us, make up requests from /openapi.json and judge the
# answers: no 5xx, nothing that the description does not say, no way round the token.
#   cargo build --release && tests/tools/schemathesis.sh [more arguments for schemathesis]
# Needs python3 with venv and a package registry.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd)
server=${COORD_SERVER:-$target/release/coord-server}
venv=$target/schemathesis-venv
[ -x "$server" ] || { echo "no $server: cargo build --release -p coord-server" >&2; exit 2; }
if ! [ -x "$venv/bin/schemathesis" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check schemathesis==4.32.5
fi

folder=$(mktemp -d)
token=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
COORD_AUTH_TOKEN=$token COORD_PORT=0 COORD_DATABASE_PATH=$folder/coordination.db \
  "$server" 2>"$folder/log" &
pid=$!
trap 'kill $pid 2>/dev/null; wait $pid 2>/dev/null; rm -rf "$folder"' EXIT
url=
for _ in $(seq 200); do
  url=$(sed -n 's/.*listening on \(http:\/\/[^ ]*\).*/\1/p' "$folder/log")
  [ -n "$url" ] && break
  sleep 0.05
done
[ -n "$url" ] || { cat "$folder/log" >&2; exit 2; }

# It keeps what it has seen in the folder where it runs. Streams never end, so they are left out.
cd "$folder"
"$venv/bin/schemathesis" run "$url/openapi.json" \
  --header "Authorization: Bearer $token" \
  --exclude-path /api/coord/events \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth,unsupported_method \
  --request-timeout 20 "$@"
