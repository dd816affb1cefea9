BEGIN IMMEDIATE;

-- A bot's own limits (memory, cpus, pids); what isn't in it is as the template says.
ALTER TABLE bot ADD COLUMN limits TEXT NOT NULL DEFAULT '{}';

PRAGMA user_version = 16;
COMMIT;
