#!/usr/bin/env bash
# Coordination of several sessions in one project, for scripts: the functions of seed 003. All state
# is coord's; the files below .claude/coordination/ are a copy that is written after each change.
# Needs bash and the `coord` program (COORD_BIN names another one).

if [[ -z "${EXIT_STALE_INSTANCE:-}" ]]; then
  readonly EXIT_SUCCESS=0 EXIT_LOCK_HELD=10 EXIT_LOCK_EXPIRED=11 EXIT_CONFLICT=12
  readonly EXIT_STALE_INSTANCE=13
  readonly LOCK_TIMEOUT=300 HEARTBEAT_TIMEOUT=300 STALE_CHECK_INTERVAL=60
fi

# The project: what the host says, else the nearest folder above that is one.
_coord_root() {
  local dir="${CLAUDE_PROJECT_DIR:-}"
  if [[ -n "$dir" ]]; then printf '%s' "$dir"; return 0; fi
  dir="$PWD"
  while [[ ! -e "$dir/.git" && ! -d "$dir/.claude" ]]; do
    if [[ -z "$dir" || "$dir" == / ]]; then dir="$PWD"; break; fi
    dir="${dir%/*}"
  done
  printf '%s' "$dir"
}

COORD_DIR="$(_coord_root)/.claude/coordination"
REGISTRY_FILE="$COORD_DIR/work-registry.json"
DECISIONS_FILE="$COORD_DIR/decision-log.json"
LOCKS_DIR="$COORD_DIR/locks"
HEARTBEATS_DIR="$COORD_DIR/heartbeats"
INSTANCE_ID=""
INSTANCE_PID=$$

_coord() {
  COORD_COORDINATION_DIR="$COORD_DIR" COORD_PROJECT_DIR="${COORD_DIR%/.claude/coordination}" \
    INSTANCE_ID="${INSTANCE_ID:-}" INSTANCE_PID="${INSTANCE_PID:-$$}" \
    "${COORD_BIN:-coord}" coordination "$@"
}

coord_init() {
  local id
  if [[ -n "${INSTANCE_ID:-}" && -f "$REGISTRY_FILE" && -f "$DECISIONS_FILE" &&
    -d "$LOCKS_DIR" && -d "$HEARTBEATS_DIR" ]]; then
    return 0
  fi
  # The program finds a project by its folder.
  (umask 077 && mkdir -p "$COORD_DIR") || [[ -L "$COORD_DIR" ]] || return
  id="$(_coord init)" || return
  INSTANCE_ID="${INSTANCE_ID:-$id}"
}

coord_generate_instance_id() { coord_init && _coord generate; }

coord_register_instance() { coord_init && _coord register "${1:-}" "${2:-}"; }
coord_unregister_instance() { coord_init && _coord unregister; }
coord_heartbeat() { coord_init && _coord heartbeat; }
coord_cleanup_stale_instances() { coord_init && _coord cleanup; }

coord_acquire_lock() { coord_init && _coord acquire "${1:-}" "${2:-}"; }
coord_release_lock() { coord_init && _coord release "${1:-}"; }
coord_renew_lock() { coord_init && _coord renew "${1:-}"; }
coord_release_all_locks() { coord_init && _coord release-all; }
coord_release_locks_by_instance() { coord_init && _coord release-by "${1:-}"; }
coord_check_lock() { coord_init && _coord check "${1:-}"; }
coord_detect_conflict() { coord_init && _coord detect "${1:-}"; }

coord_log_decision() { coord_init && _coord log "${1:-}" "${2:-}" "${3:-}" "${4:-}"; }
coord_query_decisions() { coord_init && _coord query "${1:-}" "${2:-}"; }

coord_list_instances() { coord_init && _coord list; }
coord_get_work() { coord_init && _coord work "${1:-}"; }
coord_status() { coord_init && _coord status; }

# The program guards its own files.
_acquire_file_lock() { return 0; }
_release_file_lock() { return 0; }

export -f _coord_root _coord _acquire_file_lock _release_file_lock coord_init \
  coord_generate_instance_id coord_register_instance coord_unregister_instance coord_heartbeat \
  coord_cleanup_stale_instances coord_acquire_lock coord_release_lock coord_renew_lock \
  coord_release_all_locks coord_release_locks_by_instance coord_check_lock coord_detect_conflict \
  coord_log_decision coord_query_decisions coord_list_instances coord_get_work coord_status
