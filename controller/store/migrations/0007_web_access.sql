BEGIN IMMEDIATE;

-- Whoever asks over HTTP. No secret is kept: what is stored are SHA-256 hashes of random values.
-- A token that was revoked, or is over, stays for a while, so that its holder is told which it is.
CREATE TABLE api_token (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  hash BLOB NOT NULL,
  owner_kind TEXT NOT NULL CHECK (owner_kind IN ('user', 'console')),
  owner_id TEXT NOT NULL,
  owner_name TEXT NOT NULL,
  role INTEGER NOT NULL,
  bots TEXT NOT NULL,
  created_at REAL NOT NULL,
  expires_at REAL NOT NULL,
  used_at REAL,
  revoked_at REAL
) STRICT;

CREATE UNIQUE INDEX api_token_name ON api_token (name) WHERE revoked_at IS NULL;

-- The code of a sign-in link: good once, for one person, for some minutes.
CREATE TABLE sign_in (
  hash BLOB PRIMARY KEY,
  user_id TEXT NOT NULL,
  user_name TEXT NOT NULL,
  expires_at REAL NOT NULL
) STRICT;

CREATE TABLE web_session (
  id TEXT PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,
  user_id TEXT NOT NULL,
  user_name TEXT NOT NULL,
  about TEXT NOT NULL,
  created_at REAL NOT NULL,
  used_at REAL NOT NULL
) STRICT;

-- What was answered to a request that may be sent again (Idempotency-Key). Without a status: it is
-- under way, or its controller died.
CREATE TABLE kept_answer (
  request TEXT PRIMARY KEY,
  digest TEXT NOT NULL,
  at REAL NOT NULL,
  status INTEGER,
  location TEXT NOT NULL DEFAULT '',
  body TEXT NOT NULL DEFAULT ''
) STRICT;

PRAGMA user_version = 7;
COMMIT;
