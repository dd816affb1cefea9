BEGIN IMMEDIATE;

-- What was wrong, from its beginning to its end, and the message that tells of it. `details` and
-- `changes` are JSON; what they quote is redacted. `message_id` 0: it was never posted.
CREATE TABLE incident (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  subject TEXT NOT NULL,
  bot_id TEXT NOT NULL,
  bot_name TEXT NOT NULL,
  trouble TEXT NOT NULL,
  opened_at REAL NOT NULL,
  details TEXT NOT NULL,
  crashes INTEGER NOT NULL,
  returns INTEGER NOT NULL,
  well_since REAL NOT NULL,
  over_at REAL NOT NULL,
  ending TEXT,
  worse_at REAL NOT NULL,
  changes TEXT NOT NULL,
  acknowledged_by TEXT NOT NULL,
  acknowledged_at REAL NOT NULL,
  muted_until REAL NOT NULL,
  announced INTEGER NOT NULL,
  announced_at REAL NOT NULL,
  pinged TEXT NOT NULL,
  owed TEXT NOT NULL,
  channel_id INTEGER NOT NULL,
  message_id INTEGER NOT NULL,
  version INTEGER NOT NULL,
  shown INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX incident_open ON incident (subject) WHERE over_at = 0;
CREATE INDEX incident_of_subject ON incident (subject, id);

-- Who asked to be pinged. Quiet hours are minutes after midnight in `zone`; the same twice: none.
CREATE TABLE alert (
  kind TEXT NOT NULL CHECK (kind IN ('user', 'role')),
  subject INTEGER NOT NULL,
  bot_id TEXT NOT NULL,
  quiet_from INTEGER NOT NULL,
  quiet_to INTEGER NOT NULL,
  zone TEXT NOT NULL,
  since REAL NOT NULL,
  PRIMARY KEY (kind, subject, bot_id)
) STRICT;

-- What happened before there were incidents is no news.
INSERT OR REPLACE INTO installation
SELECT 'incidents', CAST(coalesce(max(seq), 0) AS TEXT) FROM journal;

PRAGMA user_version = 13;
COMMIT;
