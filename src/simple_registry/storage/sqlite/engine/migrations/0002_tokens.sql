-- Tokens that the registry issued. A revoked one is deleted; one that expired goes a day later.
CREATE TABLE tokens (
    token_id TEXT PRIMARY KEY,
    secret_hash TEXT NOT NULL UNIQUE,  -- SHA-256 in hex; the secret itself is kept by its owner only
    owner TEXT NOT NULL,
    description TEXT NOT NULL,
    created REAL NOT NULL,
    expires REAL,
    scopes TEXT,  -- a JSON array of texts; NULL when the token may do all that its owner may
    last_used REAL
) STRICT, WITHOUT ROWID;

CREATE INDEX tokens_of_owner ON tokens (owner, token_id);
CREATE INDEX tokens_expires ON tokens (expires) WHERE expires IS NOT NULL;
