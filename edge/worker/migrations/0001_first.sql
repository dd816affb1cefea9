-- What the controller told. A repeat of an event changes nothing.
CREATE TABLE events (
  id TEXT PRIMARY KEY,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  type TEXT NOT NULL,
  at TEXT NOT NULL,
  bot TEXT,
  wish TEXT,
  data TEXT NOT NULL,
  received_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX events_by_time ON events (received_at);

-- The fleet as it was last told; its age is counted by this side's clock alone.
CREATE TABLE fleet (
  site TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  received_at INTEGER NOT NULL
) WITHOUT ROWID;

-- What callers want while the controller may be away. Applied once each, in this order.
CREATE TABLE wishes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  subject TEXT NOT NULL,
  action TEXT NOT NULL,
  payload TEXT NOT NULL,
  signed_at TEXT NOT NULL,
  signature TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  outcome TEXT
);

-- Ids of signed calls that were taken: none counts twice.
CREATE TABLE calls (
  id TEXT PRIMARY KEY,
  until INTEGER NOT NULL
) WITHOUT ROWID;
