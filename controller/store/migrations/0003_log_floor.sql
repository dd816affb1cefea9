BEGIN IMMEDIATE;

-- Log lines before this moment may hold secrets that were replaced, which nobody knows any more.
ALTER TABLE bot ADD COLUMN log_floor REAL NOT NULL DEFAULT 0;

PRAGMA user_version = 3;
COMMIT;
