BEGIN IMMEDIATE;

-- Where a bot or a grant comes from: `file:NAME` for what `botmaker apply` created for the fleet of
-- that name, so that it removes nothing else. A bot that somebody created otherwise has none.
ALTER TABLE bot ADD COLUMN source TEXT NOT NULL DEFAULT '';
ALTER TABLE access ADD COLUMN source TEXT NOT NULL DEFAULT 'granted';

PRAGMA user_version = 8;
COMMIT;
