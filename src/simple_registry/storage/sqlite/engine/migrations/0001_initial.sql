-- Names and digests are stored as text, so that rows can be read with any SQLite shell and compare in ASCII order.
-- Times are seconds since the Unix epoch.

CREATE TABLE repositories (
    name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Content that has a durable file, as blob or manifest of any repository or of none.
CREATE TABLE blobs (
    digest TEXT PRIMARY KEY,
    size INTEGER NOT NULL CHECK (size >= 0),
    unheld_since REAL  -- NULL while a repository holds it
) STRICT, WITHOUT ROWID;

CREATE INDEX blobs_unheld ON blobs (unheld_since, digest) WHERE unheld_since IS NOT NULL;

CREATE TABLE repository_blobs (
    repository TEXT NOT NULL REFERENCES repositories (name),
    digest TEXT NOT NULL REFERENCES blobs (digest),
    PRIMARY KEY (repository, digest)
) STRICT, WITHOUT ROWID;

CREATE INDEX repository_blobs_holders ON repository_blobs (digest, repository);

CREATE TABLE manifests (
    repository TEXT NOT NULL REFERENCES repositories (name),
    digest TEXT NOT NULL REFERENCES blobs (digest),
    media_type TEXT NOT NULL,
    artifact_type TEXT,
    subject TEXT,               -- the digest of the manifest it refers to, which need not exist
    annotations TEXT NOT NULL,  -- a JSON object of strings
    PRIMARY KEY (repository, digest)
) STRICT, WITHOUT ROWID;

CREATE INDEX manifests_holders ON manifests (digest, repository);
CREATE INDEX manifests_referrers ON manifests (repository, subject, digest) WHERE subject IS NOT NULL;
CREATE INDEX manifests_referrers_by_type
    ON manifests (repository, subject, artifact_type, digest) WHERE subject IS NOT NULL;

-- All digests a manifest refers to, except its subject, in the order of the document.
CREATE TABLE manifest_children (
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    position INTEGER NOT NULL,
    child TEXT NOT NULL,
    PRIMARY KEY (repository, digest, position),
    FOREIGN KEY (repository, digest) REFERENCES manifests (repository, digest) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE tags (
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (repository, tag),
    FOREIGN KEY (repository, digest) REFERENCES manifests (repository, digest) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX tags_of_manifest ON tags (repository, digest, tag);

-- The repository of a session need not exist yet.
CREATE TABLE upload_sessions (
    session TEXT PRIMARY KEY,
    repository TEXT NOT NULL,
    identity TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    received INTEGER NOT NULL CHECK (received >= 0),
    received_digest TEXT,
    touched REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX upload_sessions_touched ON upload_sessions (touched, session);
