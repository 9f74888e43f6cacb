-- Facts about this database: instance name, last fence, last time seen.
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- Idempotency keys with their answers, written in the effect's own transaction.
CREATE TABLE applied (
  key         TEXT PRIMARY KEY,
  fingerprint BLOB NOT NULL,
  status      INTEGER NOT NULL,
  response    TEXT NOT NULL,
  at          INTEGER NOT NULL
) STRICT;
CREATE INDEX applied_at ON applied (at);

-- The registry of sessions.
CREATE TABLE session (
  session_id  TEXT PRIMARY KEY,
  machine     TEXT,
  user        TEXT,
  tool        TEXT,
  project_key TEXT,
  branch      TEXT,
  task        TEXT,
  generation  INTEGER NOT NULL,
  first_seen  INTEGER NOT NULL,
  last_seen   INTEGER NOT NULL,
  ended_at    INTEGER,
  -- Every broadcast up to this message is read (or its own): unread mail lies behind it.
  read_to     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX session_machine ON session (machine, user);
CREATE INDEX session_last_seen ON session (last_seen);

-- Claims of every kind; a lock is a claim on a resource string. Ended rows stay as history.
CREATE TABLE claim (
  id             TEXT PRIMARY KEY,
  project_key    TEXT NOT NULL,
  session_id     TEXT NOT NULL,
  resource       TEXT NOT NULL,
  is_glob        INTEGER NOT NULL,
  description    TEXT,
  ttl_ms         INTEGER NOT NULL,
  fence          INTEGER UNIQUE,
  acquired_at    INTEGER NOT NULL,
  last_activity  INTEGER NOT NULL,
  expires_at     INTEGER,
  ended_at       INTEGER,
  end_reason     TEXT,
  ended_by       TEXT,
  end_note       TEXT
) STRICT;
CREATE INDEX claim_live_resource ON claim (project_key, resource) WHERE ended_at IS NULL;
CREATE INDEX claim_live_glob ON claim (project_key) WHERE ended_at IS NULL AND is_glob = 1;
CREATE INDEX claim_live_session ON claim (session_id) WHERE ended_at IS NULL;

CREATE TABLE component (
  project_key TEXT NOT NULL,
  component   TEXT NOT NULL,
  state       TEXT NOT NULL,
  version     TEXT,
  notes       TEXT,
  updated_by  TEXT,
  updated_at  INTEGER NOT NULL,
  PRIMARY KEY (project_key, component)
) STRICT;
CREATE INDEX component_updated ON component (updated_at);
CREATE TABLE component_change (
  seq         INTEGER PRIMARY KEY AUTOINCREMENT,
  project_key TEXT NOT NULL,
  component   TEXT NOT NULL,
  state       TEXT NOT NULL,
  version     TEXT,
  notes       TEXT,
  updated_by  TEXT,
  updated_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX component_change_of ON component_change (project_key, component, seq);

CREATE TABLE workflow (
  seq         INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT NOT NULL UNIQUE,
  project_key TEXT NOT NULL,
  name        TEXT NOT NULL,
  description TEXT,
  status      TEXT NOT NULL,
  created_by  TEXT,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT;
CREATE TABLE work_item (
  seq         INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT NOT NULL UNIQUE,
  workflow_id TEXT NOT NULL REFERENCES workflow (id),
  project_key TEXT NOT NULL,
  title       TEXT NOT NULL,
  description TEXT,
  status      TEXT NOT NULL,
  priority    INTEGER NOT NULL,
  assigned_to TEXT,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX work_item_workflow ON work_item (workflow_id);

-- seq is the order in which messages were accepted.
CREATE TABLE message (
  seq          INTEGER PRIMARY KEY AUTOINCREMENT,
  id           TEXT NOT NULL UNIQUE,
  from_session TEXT NOT NULL,
  to_session   TEXT NOT NULL,
  project_key  TEXT,
  subject      TEXT NOT NULL,
  body         TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  -- First read by anybody the address stands for; never set on broadcasts.
  read_at      INTEGER
) STRICT;
CREATE INDEX message_to ON message (to_session, seq);
CREATE INDEX message_unread ON message (to_session, seq) WHERE read_at IS NULL;
CREATE INDEX message_from ON message (from_session, seq);
CREATE TABLE receipt (
  message_seq INTEGER NOT NULL REFERENCES message (seq),
  session_id  TEXT NOT NULL,
  offered_at  INTEGER,
  read_at     INTEGER,
  PRIMARY KEY (message_seq, session_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE todo (
  seq                INTEGER PRIMARY KEY AUTOINCREMENT,
  id                 TEXT NOT NULL UNIQUE,
  text               TEXT NOT NULL,
  status             TEXT NOT NULL,
  assigned_to_user   TEXT,
  project_key        TEXT,
  parent_id          TEXT,
  source             TEXT,
  auto               INTEGER NOT NULL,
  created_by_user    TEXT,
  created_by_machine TEXT,
  created_at         INTEGER NOT NULL,
  completed_by       TEXT,
  completed_at       INTEGER
) STRICT;
CREATE INDEX todo_status ON todo (status, seq);

CREATE TABLE decision (
  seq           INTEGER PRIMARY KEY AUTOINCREMENT,
  id            TEXT NOT NULL UNIQUE,
  display_id    TEXT NOT NULL UNIQUE,
  project_key   TEXT,
  category      TEXT NOT NULL,
  title         TEXT NOT NULL,
  rationale     TEXT,
  scope         TEXT,
  decided_by    TEXT,
  decided_at    INTEGER NOT NULL,
  supersedes    TEXT,
  superseded_by TEXT
) STRICT;
CREATE TABLE decision_day (
  day  TEXT PRIMARY KEY,
  last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
