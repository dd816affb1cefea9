BEGIN IMMEDIATE;

-- The run of a bot that has yet to be told to read replaced secrets; empty: none.
ALTER TABLE bot ADD COLUMN reload_run TEXT NOT NULL DEFAULT '';

PRAGMA user_version = 4;
COMMIT;
