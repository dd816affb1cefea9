BEGIN IMMEDIATE;

-- Everything that happened, in order, each entry chained to the one before it by a keyed hash. The
-- key is in a file beside the database, so whoever can only write the database can't forge entries.
CREATE TABLE journal (
  seq INTEGER PRIMARY KEY,
  at REAL NOT NULL,
  kind TEXT NOT NULL,
  bot_id TEXT NOT NULL,
  bot_name TEXT NOT NULL,
  principal_kind TEXT NOT NULL,
  principal_id TEXT NOT NULL,
  principal_name TEXT NOT NULL,
  request TEXT NOT NULL,
  cause INTEGER NOT NULL,
  data TEXT NOT NULL,
  mac BLOB NOT NULL
) STRICT;

CREATE INDEX journal_by_bot ON journal (bot_id, seq);
CREATE INDEX journal_by_cause ON journal (cause) WHERE cause > 0;
CREATE INDEX journal_asked ON journal (seq) WHERE kind = 'asked';
-- A request acts once, however often it is delivered.
CREATE UNIQUE INDEX journal_request ON journal (request) WHERE kind = 'asked' AND request <> '';

CREATE TRIGGER journal_is_never_rewritten BEFORE UPDATE ON journal
BEGIN
  SELECT RAISE(ABORT, 'journal entries are never rewritten');
END;

-- Entries leave the table only after they were written to a monthly file.
CREATE TRIGGER journal_is_never_deleted BEFORE DELETE ON journal
WHEN OLD.seq > (
  SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM installation WHERE key = 'journal_archived'
)
BEGIN
  SELECT RAISE(ABORT, 'journal entries are never deleted before they are archived');
END;

-- INSERT OR REPLACE removes what is in its way without a word to the trigger above.
CREATE TRIGGER journal_only_grows BEFORE INSERT ON journal
WHEN NEW.seq <= (SELECT max(seq) FROM journal) OR (
  NEW.kind = 'asked' AND NEW.request <> '' AND EXISTS (
    SELECT 1 FROM journal WHERE kind = 'asked' AND request <> '' AND request = NEW.request
  )
)
BEGIN
  SELECT RAISE(ABORT, 'journal entries are never replaced');
END;

-- What the audit held: a request and its end were one row each, in words.
CREATE TEMP TABLE earlier (
  n INTEGER PRIMARY KEY,
  audit_id INTEGER NOT NULL,
  ends INTEGER NOT NULL
);
INSERT INTO earlier (audit_id, ends)
SELECT id, ends FROM (
  SELECT id, 0 AS ends FROM audit
  UNION ALL
  SELECT id, 1 FROM audit WHERE outcome IS NOT NULL AND user_id <> 0
) ORDER BY id, ends;

CREATE TEMP TABLE renamed (action TEXT PRIMARY KEY, act TEXT NOT NULL);
INSERT INTO renamed VALUES
  ('create', 'bot.create'), ('start', 'bot.start'), ('stop', 'bot.stop'),
  ('restart', 'bot.restart'), ('delete', 'bot.delete'), ('edit', 'bot.edit'),
  ('secrets', 'bot.secrets'), ('enter secrets', 'bot.secrets'), ('action', 'bot.do'),
  ('grant', 'access.grant'), ('revoke', 'access.revoke'),
  ('bot create', 'bot.create'), ('bot start', 'bot.start'), ('bot stop', 'bot.stop'),
  ('bot restart', 'bot.restart'), ('bot do', 'bot.do'), ('button start', 'bot.start'),
  ('button stop', 'bot.stop'), ('button restart', 'bot.restart'),
  ('button delete', 'bot.delete'), ('modal form', 'bot.secrets'), ('modal do', 'bot.do'),
  ('modal edit', 'bot.edit'), ('access grant', 'access.grant'),
  ('access revoke', 'access.revoke');

-- How the audit said that a controller ended before its request did: by a kill, or on its own.
CREATE TEMP TABLE cut_short (outcome TEXT PRIMARY KEY);
INSERT INTO cut_short VALUES
  ('the controller was restarted; see its public message'),
  ('the controller ended before it was known');

CREATE TEMP TABLE carried AS
SELECT
  e.n AS seq,
  CASE e.ends WHEN 1 THEN coalesce(a.ended_at, a.at) ELSE a.at END AS at,
  CASE WHEN a.user_id = 0 THEN 'noted' WHEN e.ends THEN 'outcome' ELSE 'asked' END AS kind,
  a.bot_id,
  a.bot_name,
  CASE a.user_id WHEN 0 THEN 'system' ELSE 'user' END AS principal_kind,
  CASE a.user_id WHEN 0 THEN '' ELSE CAST(a.user_id AS TEXT) END AS principal_id,
  a.user_name AS principal_name,
  CASE WHEN a.request IS NULL THEN '' ELSE 'discord:' || a.request END AS request,
  CASE e.ends WHEN 1 THEN (
    SELECT b.n FROM earlier b WHERE b.audit_id = e.audit_id AND b.ends = 0
  ) ELSE 0 END AS cause,
  CASE
    WHEN a.user_id = 0 THEN json_object('act', a.action, 'words', coalesce(a.outcome, ''))
    WHEN e.ends AND a.outcome IN (SELECT outcome FROM cut_short)
      THEN json_object('result', 'cut-short')
    WHEN e.ends AND a.outcome GLOB 'refused: *'
      THEN json_object('result', 'refused', 'code', substr(a.outcome, 10))
    WHEN e.ends AND a.outcome GLOB 'not known: *'
      THEN json_object('result', 'unknown', 'code', substr(a.outcome, 12))
    WHEN e.ends AND a.outcome = 'failed' THEN json_object('result', 'failed')
    WHEN e.ends THEN json_object('result', 'done', 'words', a.outcome)
    ELSE json_object('act', coalesce(r.act, a.action), 'detail', a.detail)
  END AS data
FROM earlier e
JOIN audit a ON a.id = e.audit_id
LEFT JOIN renamed r ON r.action = a.action;

-- journal_mac is the program's own function. It chains the rows in the order in which it sees them,
-- and reading by n keeps that order without a sort.
INSERT INTO journal
SELECT
  c.seq, c.at, c.kind, c.bot_id, c.bot_name, c.principal_kind, c.principal_id, c.principal_name,
  c.request, c.cause, c.data,
  journal_mac(
    c.seq, c.at, c.kind, c.bot_id, c.bot_name, c.principal_kind, c.principal_id,
    c.principal_name, c.request, c.cause, c.data
  )
FROM earlier e CROSS JOIN carried c ON c.seq = e.n
ORDER BY e.n;

-- A form whose values may be on the disk while nothing was told to use them yet. Until now this was
-- read from the audit's sentences: the submit that used the form, the last one before it was used,
-- has no end of its own. Not of any other request: an upgrade restarts no bot without need.
ALTER TABLE form ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
UPDATE form SET settled = 1 WHERE used_at IS NOT NULL AND (
  EXISTS (SELECT 1 FROM bot WHERE bot.id = form.bot_id AND bot.log_floor >= form.used_at)
  OR NOT EXISTS (
    SELECT 1 FROM audit
    WHERE audit.id = (
      SELECT max(submit.id) FROM audit AS submit
      WHERE submit.bot_id = form.bot_id AND submit.user_id = form.user_id
        AND submit.action IN ('secrets', 'enter secrets') AND submit.at <= form.used_at
    ) AND (audit.outcome IS NULL OR audit.outcome IN (SELECT outcome FROM cut_short))
  )
);

-- An answer is owed to whoever asked, by whatever way they asked.
CREATE TABLE owed (
  request TEXT PRIMARY KEY,
  reply_via TEXT NOT NULL,
  recipient TEXT NOT NULL,
  act TEXT NOT NULL,
  bot_id TEXT NOT NULL,
  bot_name TEXT NOT NULL,
  asked_at REAL NOT NULL,
  words TEXT
) STRICT;
INSERT INTO owed
SELECT
  'discord:' || o.request, 'discord', CAST(o.user_id AS TEXT), coalesce(r.act, o.action),
  o.bot_id, o.bot_name, o.asked_at, o.words
FROM outbox o LEFT JOIN renamed r ON r.action = o.action;

DROP TABLE outbox;
DROP TABLE audit;
DROP TABLE temp.earlier;
DROP TABLE temp.renamed;
DROP TABLE temp.carried;
DROP TABLE temp.cut_short;

PRAGMA user_version = 5;
COMMIT;
