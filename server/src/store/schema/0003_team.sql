-- Team claims (seeds 002 and 004): rows of the one claim table, of kind 'claim'. A claim without a
-- session has the session ''; one without a repository the project ''.
ALTER TABLE claim ADD COLUMN engineer TEXT;
-- 'file', 'shared_file' or 'module'.
ALTER TABLE claim ADD COLUMN claim_type TEXT;
ALTER TABLE claim ADD COLUMN branch TEXT;
-- As it was sent; `resource` is its canonical form.
ALTER TABLE claim ADD COLUMN pattern TEXT;
ALTER TABLE claim ADD COLUMN severity TEXT;
-- JSON list of `Parent::child` names; NULL is the whole file.
ALTER TABLE claim ADD COLUMN symbols TEXT;
ALTER TABLE claim ADD COLUMN narrowable INTEGER NOT NULL DEFAULT 0;
-- JSON list of the ids of claims that it stands beside by agreement.
ALTER TABLE claim ADD COLUMN partners TEXT;
-- 1 while a release request cuts its time short.
ALTER TABLE claim ADD COLUMN ttl_shortened INTEGER NOT NULL DEFAULT 0;
-- Where the index finds it: see `protocol::resource::Resource::anchor`. '' is found by every search.
ALTER TABLE claim ADD COLUMN anchor TEXT NOT NULL DEFAULT '';
UPDATE claim SET anchor = resource WHERE is_glob = 0 AND ended_at IS NULL;
DROP INDEX claim_live_resource;
DROP INDEX claim_live_glob;
CREATE INDEX claim_live_anchor ON claim (project_key, anchor) WHERE ended_at IS NULL;
-- One session's claims on one resource, live or not.
CREATE INDEX claim_of_resource ON claim (project_key, resource) WHERE kind <> 'claim';
CREATE INDEX claim_team ON claim (acquired_at) WHERE kind = 'claim';

-- Who waits for claims to end.
CREATE TABLE waiter (
  seq               INTEGER PRIMARY KEY,
  id                TEXT NOT NULL UNIQUE,
  project_key       TEXT NOT NULL,
  engineer          TEXT NOT NULL,
  session_id        TEXT NOT NULL,
  -- The whole wish, as JSON.
  wish              TEXT NOT NULL,
  urgency           TEXT NOT NULL,
  -- The first of what it waits for, and which of its items meets it.
  blocking_claim_id TEXT,
  pattern           TEXT NOT NULL,
  claim_type        TEXT NOT NULL,
  symbols           TEXT,
  -- 'waiting', 'granted', 'expired', 'cancelled', 'left', 'refused'.
  state             TEXT NOT NULL,
  enqueued_at       INTEGER NOT NULL,
  expires_at        INTEGER NOT NULL,
  -- Not served later than this unless it is renewed: it may have left without a word. NULL: its
  -- caller hangs on a connection, and leaving is noticed.
  alive_until       INTEGER,
  decided_at        INTEGER,
  -- JSON list of the claims that it was granted.
  granted           TEXT,
  -- What its caller is told when it gets nothing.
  answer            TEXT
) STRICT;
CREATE INDEX waiter_until ON waiter (expires_at) WHERE state = 'waiting';
CREATE INDEX waiter_unheard ON waiter (alive_until) WHERE state = 'granted';
CREATE INDEX waiter_engineer ON waiter (engineer) WHERE state = 'waiting';
CREATE INDEX waiter_session ON waiter (session_id) WHERE state = 'waiting';
-- What each that waits wants: it comes before those who ask later.
CREATE TABLE waiter_item (
  project_key TEXT NOT NULL,
  anchor      TEXT NOT NULL,
  waiter      TEXT NOT NULL,
  at          INTEGER NOT NULL,
  resource    TEXT NOT NULL,
  symbols     TEXT,
  narrowable  INTEGER NOT NULL,
  hard        INTEGER NOT NULL,
  PRIMARY KEY (project_key, anchor, waiter, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiter_item_of ON waiter_item (waiter);
-- What each waits for: claims, and waiters before it.
CREATE TABLE waits_for (
  waiter TEXT NOT NULL,
  target TEXT NOT NULL,
  PRIMARY KEY (target, waiter)
) STRICT, WITHOUT ROWID;
CREATE INDEX waits_for_of ON waits_for (waiter);

-- Keys of requests whose answers are still to come, and what each waits as: whoever asks again under
-- the key takes its place.
CREATE TABLE parked_key (
  key         TEXT PRIMARY KEY,
  fingerprint BLOB NOT NULL,
  waits_as    TEXT NOT NULL,
  at          INTEGER NOT NULL
) STRICT;
CREATE INDEX parked_key_of ON parked_key (waits_as);

-- A holder is asked to let go.
CREATE TABLE release_request (
  seq                   INTEGER PRIMARY KEY,
  id                    TEXT NOT NULL UNIQUE,
  project_key           TEXT NOT NULL,
  claim_id              TEXT NOT NULL,
  requester_engineer    TEXT NOT NULL,
  requester_session_id  TEXT,
  requested_pattern     TEXT NOT NULL,
  requested_scope       TEXT,
  reason                TEXT,
  urgency               TEXT NOT NULL,
  -- 'pending', 'approved', 'denied', 'narrowed', 'coexist', 'expired', 'resolved'.
  decision              TEXT NOT NULL,
  decided_at            INTEGER,
  decided_by_engineer   TEXT,
  decided_by_session_id TEXT,
  note                  TEXT,
  original_expires_at   INTEGER,
  shortened_expires_at  INTEGER,
  created_at            INTEGER NOT NULL
) STRICT;
CREATE INDEX release_request_claim ON release_request (claim_id);
CREATE INDEX release_request_pending ON release_request (claim_id) WHERE decision = 'pending';
CREATE INDEX release_request_from ON release_request (requester_engineer, seq);

-- What happened to requests, and what the engine decided by itself (request_id NULL).
CREATE TABLE team_event (
  seq              INTEGER PRIMARY KEY,
  id               TEXT NOT NULL UNIQUE,
  project_key      TEXT NOT NULL,
  request_id       TEXT,
  -- The holder's claim that it is about, if any.
  claim_id         TEXT,
  event_type       TEXT NOT NULL,
  actor_engineer   TEXT,
  actor_session_id TEXT,
  -- JSON.
  detail           TEXT,
  created_at       INTEGER NOT NULL
) STRICT;
CREATE INDEX team_event_request ON team_event (request_id, seq) WHERE request_id IS NOT NULL;
CREATE INDEX team_event_claim ON team_event (claim_id, seq) WHERE claim_id IS NOT NULL;
CREATE INDEX team_event_type ON team_event (event_type, created_at);

-- Claims that were refused because somebody holds something.
CREATE TABLE blocked_attempt (
  seq          INTEGER PRIMARY KEY,
  id           TEXT NOT NULL UNIQUE,
  project_key  TEXT NOT NULL,
  -- The holder's claim.
  claim_id     TEXT NOT NULL,
  attempted_by TEXT NOT NULL,
  attempted_session_id TEXT,
  -- As it was sent.
  pattern      TEXT NOT NULL,
  -- Its canonical form.
  resource     TEXT NOT NULL,
  created_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX blocked_attempt_claim ON blocked_attempt (claim_id, seq);
CREATE INDEX blocked_attempt_resource ON blocked_attempt (resource, created_at);
CREATE INDEX blocked_attempt_at ON blocked_attempt (created_at);

-- The ownership document, as text; one row at most.
CREATE TABLE ownership (
  seq        INTEGER PRIMARY KEY,
  document   TEXT NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

-- Events for webhook receivers, a row for each of them; not part of the feed.
CREATE TABLE webhook_outbox (
  seq          INTEGER PRIMARY KEY,
  -- The delivery id.
  id           TEXT NOT NULL UNIQUE,
  -- Which receiver: scheme, host and port of its address, and a mark.
  receiver     TEXT NOT NULL,
  event_type   TEXT NOT NULL,
  payload      TEXT NOT NULL,
  -- 'pending', 'failed', 'delivered', 'exhausted'.
  state        TEXT NOT NULL,
  attempts     INTEGER NOT NULL DEFAULT 0,
  due_at       INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  -- The receiver's last status, or why there was none.
  last_outcome TEXT
) STRICT;
CREATE INDEX webhook_due ON webhook_outbox (receiver, due_at) WHERE state IN ('pending', 'failed');
CREATE INDEX webhook_state ON webhook_outbox (state, updated_at);

CREATE TRIGGER waiter_added AFTER INSERT ON waiter BEGIN
  INSERT INTO change (kind, at) VALUES (11, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER waiter_changed AFTER UPDATE OF state, blocking_claim_id ON waiter BEGIN
  INSERT INTO change (kind, at) VALUES (11, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER release_request_added AFTER INSERT ON release_request BEGIN
  INSERT INTO change (kind, at) VALUES (12, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER release_request_changed AFTER UPDATE ON release_request BEGIN
  INSERT INTO change (kind, at) VALUES (12, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER team_event_added AFTER INSERT ON team_event BEGIN
  INSERT INTO change (kind, at) VALUES (13, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER blocked_attempt_added AFTER INSERT ON blocked_attempt BEGIN
  INSERT INTO change (kind, at) VALUES (14, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER ownership_added AFTER INSERT ON ownership BEGIN
  INSERT INTO change (kind, at) VALUES (15, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
CREATE TRIGGER ownership_changed AFTER UPDATE ON ownership BEGIN
  INSERT INTO change (kind, at) VALUES (15, NEW.rowid)
  ON CONFLICT DO UPDATE SET seq = (SELECT MAX(seq) + 1 FROM change);
END;
