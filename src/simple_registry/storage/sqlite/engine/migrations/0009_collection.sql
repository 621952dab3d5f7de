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

-- Needed manifests without a tag, unless a review found what keeps them since. Triggers add all that may have lost it.
CREATE TABLE reviews (
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    due REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (repository, digest),
    FOREIGN KEY (repository, digest) REFERENCES manifests (repository, digest) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX reviews_due ON reviews (due, repository, digest);
INSERT INTO reviews (repository, digest)
SELECT repository, digest FROM manifests AS held
WHERE state = 'needed' AND NOT EXISTS (SELECT 1 FROM tags WHERE repository = held.repository AND digest = held.digest);

-- Not INSERT OR IGNORE: the statement that fires a trigger, such as an upsert, would overrule that.
CREATE TRIGGER reviews_of_pushed AFTER INSERT ON manifests
WHEN new.state = 'needed' AND NOT EXISTS (
    SELECT 1 FROM tags WHERE repository = new.repository AND digest = new.digest
) BEGIN
    INSERT INTO reviews (repository, digest) VALUES (new.repository, new.digest)
    ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER reviews_of_kept AFTER UPDATE OF state ON manifests
WHEN old.state <> 'needed' AND new.state = 'needed' BEGIN
    INSERT INTO reviews (repository, digest) VALUES (new.repository, new.digest)
    ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER reviews_below AFTER UPDATE OF state ON manifests
WHEN old.state = 'needed' AND new.state <> 'needed' BEGIN
    DELETE FROM reviews WHERE repository = old.repository AND digest = old.digest;
    INSERT INTO reviews (repository, digest)
    SELECT held.repository, held.digest
    FROM manifest_children AS part
    CROSS JOIN manifests AS held ON held.repository = part.repository AND held.digest = part.child
    WHERE part.repository = old.repository AND part.digest = old.digest AND held.state = 'needed'
    ON CONFLICT DO NOTHING;
    INSERT INTO reviews (repository, digest)
    SELECT held.repository, held.digest FROM manifests AS held INDEXED BY manifests_referrers
    WHERE held.repository = old.repository AND held.subject = old.digest AND held.state <> 'deleted'
    AND held.state = 'needed'
    ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER reviews_of_tagged AFTER INSERT ON tags BEGIN
    DELETE FROM reviews WHERE repository = new.repository AND digest = new.digest;
END;
CREATE TRIGGER reviews_of_moved AFTER UPDATE OF digest ON tags WHEN old.digest <> new.digest BEGIN
    DELETE FROM reviews WHERE repository = new.repository AND digest = new.digest;
    INSERT INTO reviews (repository, digest)
    SELECT repository, digest FROM manifests
    WHERE repository = old.repository AND digest = old.digest AND state = 'needed'
    ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER reviews_of_untagged AFTER DELETE ON tags BEGIN
    INSERT INTO reviews (repository, digest)
    SELECT repository, digest FROM manifests
    WHERE repository = old.repository AND digest = old.digest AND state = 'needed'
    ON CONFLICT DO NOTHING;
END;
