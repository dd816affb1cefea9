BEGIN IMMEDIATE;

-- What a bot's runs were made of, one row each time that changed: it never changes itself, except
-- for how it ended. Its template's text is kept once, for as many releases as have the same.
CREATE TABLE template_text (
  digest TEXT PRIMARY KEY,
  text TEXT NOT NULL
) STRICT;

CREATE TABLE releases (
  bot_id TEXT NOT NULL REFERENCES bot (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  content TEXT NOT NULL,
  template TEXT NOT NULL DEFAULT '',
  why TEXT NOT NULL,
  principal_kind TEXT NOT NULL,
  principal_id TEXT NOT NULL,
  principal_name TEXT NOT NULL,
  cause INTEGER NOT NULL,
  at REAL NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('trying', 'good', 'failed', 'replaced')),
  ended_at REAL NOT NULL DEFAULT 0,
  problem TEXT,
  tail TEXT NOT NULL DEFAULT '[]',
  PRIMARY KEY (bot_id, number)
) STRICT;

CREATE TRIGGER releases_never_change BEFORE UPDATE ON releases
WHEN OLD.outcome <> 'trying'
BEGIN
  SELECT RAISE(ABORT, 'a release that has ended never changes');
END;

-- The newest release that has proved itself, and the one that has yet to: what the row wishes for.
ALTER TABLE bot ADD COLUMN current_release INTEGER NOT NULL DEFAULT 0;
ALTER TABLE bot ADD COLUMN candidate_release INTEGER NOT NULL DEFAULT 0;
ALTER TABLE bot ADD COLUMN secret_set INTEGER NOT NULL DEFAULT 0;
ALTER TABLE bot ADD COLUMN held TEXT NOT NULL DEFAULT '';
ALTER TABLE bot ADD COLUMN setback TEXT;

-- A bot whose image was resolved once had a container, which counts as its first release's.
UPDATE bot SET current_release = 1 WHERE image <> '';
UPDATE bot SET candidate_release = 1 WHERE image = '';

INSERT INTO releases (
  bot_id, number, content, why, principal_kind, principal_id, principal_name, cause, at, outcome,
  ended_at
)
SELECT
  id,
  1,
  json_object(
    'template', template, 'provider', provider, 'model', model, 'channel', channel,
    'fields', json(fields), 'image', image, 'image_ref', image_ref, 'secret_set', 0, 'held', ''
  ),
  'create',
  CASE created_by WHEN 0 THEN 'system' ELSE 'user' END,
  CASE created_by WHEN 0 THEN '' ELSE CAST(created_by AS TEXT) END,
  '',
  0,
  created_at,
  CASE image WHEN '' THEN 'trying' ELSE 'good' END,
  CASE image WHEN '' THEN 0 ELSE created_at END
FROM bot;

PRAGMA user_version = 12;
COMMIT;
