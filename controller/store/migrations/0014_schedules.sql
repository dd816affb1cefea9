BEGIN IMMEDIATE;

-- What bots do by themselves. A schedule goes with its bot.
CREATE TABLE schedule (
  id INTEGER PRIMARY KEY,
  bot_id TEXT NOT NULL REFERENCES bot (id) ON DELETE CASCADE,
  chore TEXT NOT NULL,
  cron TEXT NOT NULL,
  zone TEXT NOT NULL,
  principal_kind TEXT NOT NULL,
  principal_id TEXT NOT NULL,
  principal_name TEXT NOT NULL,
  created_at REAL NOT NULL,
  paused INTEGER NOT NULL DEFAULT 0,
  next_at REAL NOT NULL,
  last_at REAL NOT NULL DEFAULT 0,
  last_code TEXT NOT NULL DEFAULT '',
  last_words TEXT NOT NULL DEFAULT '',
  missed INTEGER NOT NULL DEFAULT 0,
  missed_at REAL NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX schedule_of_bot ON schedule (bot_id);
CREATE INDEX schedule_due ON schedule (next_at) WHERE NOT paused;

-- One act on many bots: exactly those that were listed when it was asked for.
CREATE TABLE batch (
  id INTEGER PRIMARY KEY,
  act TEXT NOT NULL,
  principal TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('asked', 'running', 'ended')),
  asked_at REAL NOT NULL,
  until REAL NOT NULL,
  ended_at REAL NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0,
  channel_id INTEGER NOT NULL DEFAULT 0,
  message_id INTEGER NOT NULL DEFAULT 0,
  told INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE batch_bot (
  batch_id INTEGER NOT NULL REFERENCES batch (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  bot_id TEXT NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting',
  words TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (batch_id, position)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 14;
COMMIT;
