-- What the collector ends: manifests that nothing keeps, and parts as soon as no needed manifest refers to them.

ALTER TABLE manifests ADD COLUMN extended INTEGER NOT NULL DEFAULT 0;  -- whether the grace was prolonged
ALTER TABLE manifests ADD COLUMN pushed REAL NOT NULL DEFAULT 0;  -- last time
UPDATE manifests SET pushed = unixepoch();

-- Until now parts stayed needed until a deleted manifest ended, and unneeded blobs stayed for ever: the grace begins here.
UPDATE repository_blobs SET state = 'unneeded' WHERE state = 'needed' AND NOT EXISTS (
    SELECT 1 FROM manifest_children AS part JOIN manifests USING (repository, digest)
    WHERE part.repository = repository_blobs.repository AND part.child = repository_blobs.digest
    AND manifests.state = 'needed'
);
UPDATE repository_blobs SET since = unixepoch(), extended = 0 WHERE state = 'unneeded';

DROP INDEX repository_blobs_unneeded;
DROP INDEX repository_blobs_deleted;
DROP INDEX manifests_deleted;
CREATE INDEX repository_blobs_ending ON repository_blobs (since, repository, digest) WHERE state <> 'needed';
CREATE INDEX manifests_ending ON manifests (since, repository, digest) WHERE state <> 'needed';

DELETE FROM repositories
WHERE NOT EXISTS (SELECT 1 FROM repository_blobs WHERE repository = name)
AND NOT EXISTS (SELECT 1 FROM manifests WHERE repository = name);

-- At most one row: while there is one, no other row changes.
CREATE TABLE read_only (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    reason TEXT NOT NULL,
    since REAL NOT NULL
) STRICT;

-- What retention needs to know. Of older tags the times are not known: they count as pushed now.
ALTER TABLE tags ADD COLUMN pushed REAL NOT NULL DEFAULT 0;
UPDATE tags SET pushed = unixepoch();
ALTER TABLE tags ADD COLUMN pulled REAL;  -- NULL: not since then

CREATE TABLE retention_runs (
    name TEXT PRIMARY KEY,
    ran REAL NOT NULL  -- or when the document was first read
) STRICT, WITHOUT ROWID;
