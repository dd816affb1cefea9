BEGIN IMMEDIATE;

-- The snapshot that a bot's state is being replaced by, and whether what was there is kept by now.
ALTER TABLE bot ADD COLUMN restoring INTEGER NOT NULL DEFAULT 0;
ALTER TABLE bot ADD COLUMN state_kept INTEGER NOT NULL DEFAULT 0;

PRAGMA user_version = 17;
COMMIT;
