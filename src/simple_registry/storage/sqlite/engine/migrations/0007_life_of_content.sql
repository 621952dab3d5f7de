-- The life of content as states (`storage/life.py`): of content by digest, and of each holding of a repository.

ALTER TABLE blobs RENAME TO contents;
ALTER TABLE contents ADD COLUMN place TEXT NOT NULL DEFAULT '';  -- where the content store keeps it; empty for files
ALTER TABLE contents ADD COLUMN version INTEGER NOT NULL DEFAULT 0;  -- of the placement of its bytes
ALTER TABLE contents ADD COLUMN state TEXT NOT NULL DEFAULT 'whole';
UPDATE contents SET state = 'condemned' WHERE unheld_since IS NOT NULL;
DROP INDEX blobs_unheld;
ALTER TABLE contents DROP COLUMN unheld_since;
CREATE INDEX contents_condemned ON contents (digest) WHERE state = 'condemned';

-- `since` is when the state began, in the states in which that matters: unneeded and deleted.
ALTER TABLE repository_blobs ADD COLUMN state TEXT NOT NULL DEFAULT 'needed';
ALTER TABLE repository_blobs ADD COLUMN since REAL NOT NULL DEFAULT 0;
ALTER TABLE repository_blobs ADD COLUMN extended INTEGER NOT NULL DEFAULT 0;  -- whether the grace was prolonged
ALTER TABLE manifests ADD COLUMN state TEXT NOT NULL DEFAULT 'needed';
ALTER TABLE manifests ADD COLUMN since REAL NOT NULL DEFAULT 0;

CREATE INDEX manifest_children_needing ON manifest_children (repository, child, digest);
UPDATE repository_blobs SET state = 'unneeded', since = unixepoch() WHERE NOT EXISTS (
    SELECT 1 FROM manifest_children AS part
    WHERE part.repository = repository_blobs.repository AND part.child = repository_blobs.digest
);

DROP INDEX repository_blobs_holders;
CREATE INDEX repository_blobs_holders ON repository_blobs (digest, repository, state);
CREATE INDEX repository_blobs_unneeded ON repository_blobs (since, repository, digest) WHERE state = 'unneeded';
CREATE INDEX repository_blobs_deleted ON repository_blobs (since, repository, digest) WHERE state = 'deleted';
CREATE INDEX manifests_deleted ON manifests (since, repository, digest) WHERE state = 'deleted';

-- Listings walk these, which leave out what was deleted.
CREATE INDEX manifests_listed ON manifests (repository, digest) WHERE state <> 'deleted';
DROP INDEX manifests_referrers;
CREATE INDEX manifests_referrers ON manifests (repository, subject, digest)
    WHERE subject IS NOT NULL AND state <> 'deleted';
DROP INDEX manifests_referrers_by_type;
CREATE INDEX manifests_referrers_by_type ON manifests (repository, subject, artifact_type, digest)
    WHERE subject IS NOT NULL AND state <> 'deleted';

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES
    ('removals', 0),    -- grows whenever bytes of condemned content were removed
    ('placements', 0);  -- grows whenever bytes of content were placed
