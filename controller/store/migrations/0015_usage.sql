BEGIN IMMEDIATE;

-- A short number for each bot: what follows has many rows of it.
CREATE TABLE measured_bot (
  number INTEGER PRIMARY KEY,
  bot_id TEXT NOT NULL UNIQUE REFERENCES bot (id) ON DELETE CASCADE
) STRICT;

-- What bots used: means and the most, over `step` seconds from `at` on. Whole numbers of thousandths
-- of a core and of KiB, so that a row takes some 30 bytes.
CREATE TABLE usage (
  number INTEGER NOT NULL REFERENCES measured_bot (number) ON DELETE CASCADE,
  step INTEGER NOT NULL,
  at INTEGER NOT NULL,
  cpu INTEGER NOT NULL,
  cpu_most INTEGER NOT NULL,
  memory INTEGER NOT NULL,
  memory_most INTEGER NOT NULL,
  network INTEGER NOT NULL,
  disk INTEGER NOT NULL,
  PRIMARY KEY (number, step, at)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 15;
COMMIT;
