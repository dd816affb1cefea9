BEGIN IMMEDIATE;

-- An answer that is owed: there from the moment a request is written down until Discord has taken
-- the last words about it. Without words: the request is under way, or its controller died.
CREATE TABLE outbox (
  request TEXT PRIMARY KEY,
  user_id INTEGER NOT NULL,
  action TEXT NOT NULL,
  bot_id TEXT NOT NULL,
  bot_name TEXT NOT NULL,
  asked_at REAL NOT NULL,
  words TEXT
) STRICT;

INSERT INTO outbox
SELECT request, user_id, action, bot_id, bot_name, at, NULL FROM audit
WHERE outcome IS NULL AND request IS NOT NULL;

PRAGMA user_version = 2;
COMMIT;
