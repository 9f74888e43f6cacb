-- The change feed: for each row the place of its latest change in the order of all changes. The
-- triggers at the end keep it, whatever statement changes a row.
CREATE TABLE change (
  seq  INTEGER PRIMARY KEY,
  -- Which table: see `store::feed::Kind`.
  kind INTEGER NOT NULL,
  -- Its rowid there.
  at   INTEGER NOT NULL,
  UNIQUE (kind, at)
) STRICT;
-- The runs of the engine over this file, each with the last change before it: a cursor from a run
-- that is not here, or from later than that run went, is of another file (a backup was restored).
CREATE TABLE run (
  id    TEXT PRIMARY KEY,
  began INTEGER NOT NULL
) STRICT;
INSERT INTO run VALUES ('first', 0);

-- The feed names rows by their rowid, and only an INTEGER PRIMARY KEY keeps it through a VACUUM.
ALTER TABLE receipt RENAME TO receipt_before;
CREATE TABLE receipt (
  seq         INTEGER PRIMARY KEY,
  message_seq INTEGER NOT NULL REFERENCES message (seq),
  session_id  TEXT NOT NULL,
  offered_at  INTEGER,
  read_at     INTEGER,
  UNIQUE (message_seq, session_id)
) STRICT;
INSERT INTO receipt (message_seq, session_id, offered_at, read_at)
  SELECT message_seq, session_id, offered_at, read_at FROM receipt_before;
DROP TABLE receipt_before;

ALTER TABLE session RENAME TO session_before;
CREATE TABLE session (
  seq         INTEGER PRIMARY KEY,
  session_id  TEXT NOT NULL UNIQUE,
  machine     TEXT,
  user        TEXT,
  tool        TEXT,
  project_key TEXT,
  branch      TEXT,
  task        TEXT,
  -- What it does, as what, where (seed 003).
  role        TEXT,
  worktree    TEXT,
  pid         INTEGER,
  generation  INTEGER NOT NULL,
  -- When the current generation began.
  began_at    INTEGER,
  first_seen  INTEGER NOT NULL,
  last_seen   INTEGER NOT NULL,
  ended_at    INTEGER,
  -- 'ended' by itself, 'stale' when it was silent for too long.
  end_reason  TEXT,
  -- Every broadcast up to this message is read (or its own): unread mail lies behind it.
  read_to     INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO session (session_id, machine, user, tool, project_key, branch, task, generation,
    first_seen, last_seen, ended_at, read_to)
  SELECT session_id, machine, user, tool, project_key, branch, task, generation,
    first_seen, last_seen, ended_at, read_to FROM session_before;
DROP TABLE session_before;
CREATE INDEX session_machine ON session (machine, user);
CREATE INDEX session_last_seen ON session (last_seen);
CREATE INDEX session_not_ended ON session (last_seen) WHERE ended_at IS NULL;

ALTER TABLE claim RENAME TO claim_before;
CREATE TABLE claim (
  seq            INTEGER PRIMARY KEY,
  id             TEXT NOT NULL UNIQUE,
  project_key    TEXT NOT NULL,
  session_id     TEXT NOT NULL,
  -- The session's generation that it was granted to.
  generation     INTEGER,
  -- 'lock' (seed 000) or 'file' (seed 003: any sign of life of its session renews it).
  kind           TEXT NOT NULL DEFAULT 'lock',
  resource       TEXT NOT NULL,
  is_glob        INTEGER NOT NULL,
  description    TEXT,
  -- Of a file: its content when it was granted, and after its holder's last recorded edit; a
  -- SHA-256 in hex, or 'absent'.
  content_then   TEXT,
  content_now    TEXT,
  ttl_ms         INTEGER NOT NULL,
  -- Absent on a provisional claim, and on one that was past from the start.
  fence          INTEGER UNIQUE,
  acquired_at    INTEGER NOT NULL,
  last_activity  INTEGER NOT NULL,
  expires_at     INTEGER,
  ended_at       INTEGER,
  end_reason     TEXT,
  ended_by       TEXT,
  end_note       TEXT
) STRICT;
INSERT INTO claim (id, project_key, session_id, resource, is_glob, description, ttl_ms, fence,
    acquired_at, last_activity, expires_at, ended_at, end_reason, ended_by, end_note)
  SELECT id, project_key, session_id, resource, is_glob, description, ttl_ms, fence,
    acquired_at, last_activity, expires_at, ended_at, end_reason, ended_by, end_note
  FROM claim_before ORDER BY rowid;
DROP TABLE claim_before;
CREATE INDEX claim_live_resource ON claim (project_key, resource) WHERE ended_at IS NULL;
CREATE INDEX claim_live_glob ON claim (project_key) WHERE ended_at IS NULL AND is_glob = 1;
CREATE INDEX claim_live_session ON claim (session_id) WHERE ended_at IS NULL;
CREATE INDEX claim_live_expiry ON claim (expires_at) WHERE ended_at IS NULL;
CREATE INDEX claim_live_file ON claim (session_id) WHERE ended_at IS NULL AND kind = 'file';
CREATE INDEX claim_ended ON claim (project_key, ended_at) WHERE ended_at IS NOT NULL;

ALTER TABLE component RENAME TO component_before;
CREATE TABLE component (
  seq         INTEGER PRIMARY KEY,
  project_key TEXT NOT NULL,
  component   TEXT NOT NULL,
  state       TEXT NOT NULL,
  version     TEXT,
  notes       TEXT,
  updated_by  TEXT,
  updated_at  INTEGER NOT NULL,
  UNIQUE (project_key, component)
) STRICT;
INSERT INTO component (project_key, component, state, version, notes, updated_by, updated_at)
  SELECT project_key, component, state, version, notes, updated_by, updated_at
  FROM component_before ORDER BY rowid;
DROP TABLE component_before;
CREATE INDEX component_updated ON component (updated_at);

-- A message that nobody was offered until then is not shown any more.
ALTER TABLE message ADD COLUMN expires_at INTEGER;

-- Decisions (seed 003). Lists are JSON texts.
ALTER TABLE decision ADD COLUMN description TEXT;
ALTER TABLE decision ADD COLUMN status TEXT NOT NULL DEFAULT 'accepted';
ALTER TABLE decision ADD COLUMN alternatives TEXT;
ALTER TABLE decision ADD COLUMN files TEXT;
ALTER TABLE decision ADD COLUMN depends_on TEXT;

-- What is in a database already comes first in its feed, table by table.
INSERT INTO change (kind, at) SELECT 1, rowid FROM session ORDER BY rowid;
INSERT INTO change (kind, at) SELECT 2, rowid FROM claim ORDER BY rowid;
INSERT INTO change (kind, at) SELECT 3, rowid FROM component ORDER BY rowid;
INSERT INTO change (kind, at) SELECT 4, rowid FROM component_change ORDER BY rowid;
INSERT INTO change (kind, at) SELECT 5, rowid FROM workflow ORDER BY rowid;
INSERT INTO change (kind, at) SELECT 6, rowid FROM work_item ORDER BY rowid;
INSERT INTO change (kind, at) SELECT 7, rowid FROM message ORDER BY rowid;
INSERT INTO change (kind, at) SELECT 8, rowid FROM receipt ORDER BY rowid;
INSERT INTO change (kind, at) SELECT 9, rowid FROM todo ORDER BY rowid;
INSERT INTO change (kind, at) SELECT 10, rowid FROM decision ORDER BY rowid;

CREATE TRIGGER session_added AFTER INSERT ON session BEGIN
  INSERT INTO change (kind, at) VALUES (1, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER session_changed AFTER UPDATE ON session BEGIN
  INSERT INTO change (kind, at) VALUES (1, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER claim_added AFTER INSERT ON claim BEGIN
  INSERT INTO change (kind, at) VALUES (2, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER claim_changed AFTER UPDATE ON claim BEGIN
  INSERT INTO change (kind, at) VALUES (2, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER component_added AFTER INSERT ON component BEGIN
  INSERT INTO change (kind, at) VALUES (3, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER component_changed AFTER UPDATE ON component BEGIN
  INSERT INTO change (kind, at) VALUES (3, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER component_change_added AFTER INSERT ON component_change BEGIN
  INSERT INTO change (kind, at) VALUES (4, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER workflow_added AFTER INSERT ON workflow BEGIN
  INSERT INTO change (kind, at) VALUES (5, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER workflow_changed AFTER UPDATE ON workflow BEGIN
  INSERT INTO change (kind, at) VALUES (5, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER work_item_added AFTER INSERT ON work_item BEGIN
  INSERT INTO change (kind, at) VALUES (6, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER work_item_changed AFTER UPDATE ON work_item BEGIN
  INSERT INTO change (kind, at) VALUES (6, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER message_added AFTER INSERT ON message BEGIN
  INSERT INTO change (kind, at) VALUES (7, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER message_changed AFTER UPDATE ON message BEGIN
  INSERT INTO change (kind, at) VALUES (7, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER receipt_added AFTER INSERT ON receipt BEGIN
  INSERT INTO change (kind, at) VALUES (8, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER receipt_changed AFTER UPDATE ON receipt BEGIN
  INSERT INTO change (kind, at) VALUES (8, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER todo_added AFTER INSERT ON todo BEGIN
  INSERT INTO change (kind, at) VALUES (9, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER todo_changed AFTER UPDATE ON todo BEGIN
  INSERT INTO change (kind, at) VALUES (9, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER decision_added AFTER INSERT ON decision BEGIN
  INSERT INTO change (kind, at) VALUES (10, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER decision_changed AFTER UPDATE ON decision BEGIN
  INSERT INTO change (kind, at) VALUES (10, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
