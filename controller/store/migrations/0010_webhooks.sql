BEGIN IMMEDIATE;

-- Who is sent events, and how far each has come: entries of the journal up to `cursor` are settled.
-- The URL and the signing key are in files; `fingerprint` is a keyed hash of the URL.
CREATE TABLE webhook (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  format TEXT NOT NULL,
  host TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  plain INTEGER NOT NULL,
  events TEXT NOT NULL,
  created_at REAL NOT NULL,
  created_by TEXT NOT NULL,
  cursor INTEGER NOT NULL,
  delivered_at REAL,
  failures INTEGER NOT NULL DEFAULT 0,
  failing_since REAL,
  reason TEXT NOT NULL DEFAULT '',
  stopped INTEGER NOT NULL DEFAULT 0,
  dead INTEGER NOT NULL DEFAULT 0,
  dead_at REAL,
  lost INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Events that were given up. The entry itself is in the journal.
CREATE TABLE dead_letter (
  webhook_id TEXT NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  at REAL NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (webhook_id, seq)
) STRICT;

PRAGMA user_version = 10;
COMMIT;
