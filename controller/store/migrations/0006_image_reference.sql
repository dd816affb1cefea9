BEGIN IMMEDIATE;

-- What the pinned image was resolved from, so that another reference in the template is noticed.
-- Empty: not known, because the image was pinned by an earlier version.
ALTER TABLE bot ADD COLUMN image_ref TEXT NOT NULL DEFAULT '';

PRAGMA user_version = 6;
COMMIT;
