-- A newer request for a session ends an older one. Each identity, and each address of anonymous clients, has a share.
ALTER TABLE upload_sessions ADD COLUMN client TEXT NOT NULL DEFAULT '';  -- empty where the identity alone has the share
ALTER TABLE upload_sessions ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;

CREATE INDEX upload_sessions_shares ON upload_sessions (identity, client, touched, session);
