BEGIN IMMEDIATE;

-- Whether an assistant (MCP) that asks by this token may start, stop and restart bots.
ALTER TABLE api_token ADD COLUMN acting INTEGER NOT NULL DEFAULT 0 CHECK (acting IN (0, 1));

PRAGMA user_version = 11;
COMMIT;
