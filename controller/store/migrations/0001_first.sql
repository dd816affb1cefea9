BEGIN IMMEDIATE;

CREATE TABLE installation (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE TABLE bot (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  template TEXT NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  channel TEXT NOT NULL,
  fields TEXT NOT NULL,
  wish TEXT NOT NULL CHECK (wish IN ('run', 'stop', 'remove')),
  ended_run TEXT NOT NULL DEFAULT '',
  image TEXT NOT NULL DEFAULT '',
  problem TEXT,
  accounted_end REAL NOT NULL DEFAULT 0,
  created_at REAL NOT NULL,
  created_by INTEGER NOT NULL
) STRICT;

CREATE TABLE crash (
  bot_id TEXT NOT NULL REFERENCES bot (id) ON DELETE CASCADE,
  at REAL NOT NULL,
  exit_code INTEGER,
  oom_killed INTEGER NOT NULL,
  PRIMARY KEY (bot_id, at)
) STRICT;

-- A form is the right of one person to give one bot its secrets, once. Never a value of one.
CREATE TABLE form (
  id TEXT PRIMARY KEY,
  bot_id TEXT NOT NULL REFERENCES bot (id) ON DELETE CASCADE,
  user_id INTEGER NOT NULL,
  rotate INTEGER NOT NULL,
  expires_at REAL NOT NULL,
  used_at REAL
) STRICT;

-- The public message about a bot. It outlives its bot until the last edit has said so.
CREATE TABLE card (
  bot_id TEXT PRIMARY KEY,
  title TEXT NOT NULL,
  channel_id INTEGER NOT NULL,
  message_id INTEGER NOT NULL,
  digest TEXT NOT NULL
) STRICT;

CREATE TABLE access (
  kind TEXT NOT NULL CHECK (kind IN ('user', 'role')),
  subject INTEGER NOT NULL,
  bot_id TEXT NOT NULL,
  role INTEGER NOT NULL,
  PRIMARY KEY (kind, subject, bot_id)
) STRICT;

CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at REAL NOT NULL,
  request TEXT UNIQUE,
  user_id INTEGER NOT NULL,
  user_name TEXT NOT NULL,
  action TEXT NOT NULL,
  bot_id TEXT NOT NULL,
  bot_name TEXT NOT NULL,
  detail TEXT NOT NULL,
  outcome TEXT,
  ended_at REAL
) STRICT;

CREATE INDEX audit_by_bot ON audit (bot_id, id);

CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN
  SELECT RAISE(ABORT, 'audit rows are never deleted');
END;

CREATE TRIGGER audit_is_never_rewritten BEFORE UPDATE ON audit
WHEN OLD.outcome IS NOT NULL
BEGIN
  SELECT RAISE(ABORT, 'audit rows are never rewritten');
END;

PRAGMA user_version = 1;
COMMIT;
