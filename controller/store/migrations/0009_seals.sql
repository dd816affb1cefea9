BEGIN IMMEDIATE;

-- Sealed values that were used: a hash of what is in each only once, kept as long as it could be used
-- again.
CREATE TABLE used_seal (
    nonce TEXT PRIMARY KEY,
    until REAL NOT NULL
) STRICT;

PRAGMA user_version = 9;
COMMIT;
