-- What repositories and identities use, for quotas. Triggers keep it in the transaction of each change, whatever statement
-- makes it.

-- The identity that pushed or mounted it; empty if that was before this column.
ALTER TABLE repository_blobs ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE manifests ADD COLUMN owner TEXT NOT NULL DEFAULT '';

-- Whether the last manifest that needed a blob released it: it counts no more, until a manifest needs it again, or a push or
-- a client that may push prolongs it. So no blob is kept for long without counting.
ALTER TABLE repository_blobs ADD COLUMN released INTEGER NOT NULL DEFAULT 0;
UPDATE repository_blobs SET released = 1 WHERE state = 'unneeded';

-- Whether a holding counts: a blob from its push on, before any manifest needs it.
ALTER TABLE repository_blobs ADD COLUMN
    counted INTEGER AS (state = 'needed' OR (state = 'unneeded' AND NOT released)) VIRTUAL;
ALTER TABLE manifests ADD COLUMN counted INTEGER AS (state = 'needed') VIRTUAL;

CREATE VIEW holdings AS
    SELECT repository, digest, owner, 0 AS manifest, held.counted, held.state = 'deleted' AS deleted,
        coalesce(size, 0) AS size
    FROM repository_blobs AS held LEFT JOIN contents USING (digest)
    UNION ALL
    SELECT repository, digest, owner, 1, held.counted, held.state = 'deleted', coalesce(size, 0)
    FROM manifests AS held LEFT JOIN contents USING (digest);

CREATE TABLE usage (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- a repository that comes later has a greater one
    repository TEXT NOT NULL UNIQUE,
    tags INTEGER NOT NULL DEFAULT 0,
    manifests INTEGER NOT NULL DEFAULT 0,
    blobs INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,           -- of all that counts, each holding once
    unneeded_bytes INTEGER NOT NULL DEFAULT 0,  -- of holdings that neither count nor are deleted
    deleted_bytes INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE usage_by_identity (
    identity TEXT PRIMARY KEY,
    manifests INTEGER NOT NULL,
    blobs INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- All content, each digest once, by its state.
CREATE TABLE usage_by_state (
    state TEXT PRIMARY KEY,
    contents INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO usage (repository, tags, manifests, blobs, bytes, unneeded_bytes, deleted_bytes)
    SELECT name,
        (SELECT count(*) FROM tags WHERE tags.repository = name),
        coalesce(sum(manifest AND counted), 0),
        coalesce(sum(counted AND NOT manifest), 0),
        coalesce(sum(size * counted), 0),
        coalesce(sum(size * (1 - counted - deleted)), 0),
        coalesce(sum(size * deleted), 0)
    FROM repositories LEFT JOIN holdings ON repository = name
    GROUP BY name;
INSERT INTO usage_by_state (state, contents, bytes) SELECT state, count(*), sum(size) FROM contents GROUP BY state;

CREATE TRIGGER usage_begins AFTER INSERT ON repositories BEGIN
    INSERT INTO usage (repository) VALUES (NEW.name);
END;

CREATE TRIGGER usage_ends AFTER DELETE ON repositories BEGIN
    DELETE FROM usage WHERE repository = OLD.name;
END;

CREATE TRIGGER usage_of_tag AFTER INSERT ON tags BEGIN
    UPDATE usage SET tags = tags + 1 WHERE repository = NEW.repository;
END;

CREATE TRIGGER usage_of_removed_tag AFTER DELETE ON tags BEGIN
    UPDATE usage SET tags = tags - 1 WHERE repository = OLD.repository;
END;

CREATE TRIGGER blob_released AFTER UPDATE OF state ON repository_blobs
WHEN OLD.state = 'needed' AND NEW.state = 'unneeded' BEGIN
    UPDATE repository_blobs SET released = 1 WHERE repository = NEW.repository AND digest = NEW.digest;
END;

CREATE TRIGGER blob_counts_again AFTER UPDATE OF state ON repository_blobs
WHEN NEW.released AND (NEW.state = 'needed' OR (NEW.state = 'unneeded' AND NOT NEW.extended)) BEGIN
    UPDATE repository_blobs SET released = 0 WHERE repository = NEW.repository AND digest = NEW.digest;
END;

CREATE TRIGGER usage_of_blob AFTER INSERT ON repository_blobs BEGIN
    UPDATE usage SET
        blobs = blobs + NEW.counted,
        bytes = bytes + NEW.counted * size,
        unneeded_bytes = unneeded_bytes + (1 - NEW.counted - (NEW.state = 'deleted')) * size,
        deleted_bytes = deleted_bytes + (NEW.state = 'deleted') * size
    FROM (SELECT coalesce((SELECT size FROM contents WHERE digest = NEW.digest), 0) AS size)
    WHERE repository = NEW.repository;
    INSERT INTO usage_by_identity (identity, manifests, blobs, bytes)
        SELECT NEW.owner, 0, 1, coalesce((SELECT size FROM contents WHERE digest = NEW.digest), 0)
        WHERE NEW.counted AND NEW.owner <> ''
        ON CONFLICT (identity) DO UPDATE SET blobs = blobs + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER usage_of_changed_blob AFTER UPDATE OF state, released, owner ON repository_blobs
WHEN NOT (OLD.counted AND NEW.counted AND OLD.owner = NEW.owner) BEGIN
    UPDATE usage SET
        blobs = blobs + NEW.counted - OLD.counted,
        bytes = bytes + (NEW.counted - OLD.counted) * size,
        unneeded_bytes = unneeded_bytes
            + (OLD.counted - NEW.counted + (OLD.state = 'deleted') - (NEW.state = 'deleted')) * size,
        deleted_bytes = deleted_bytes + ((NEW.state = 'deleted') - (OLD.state = 'deleted')) * size
    FROM (SELECT coalesce((SELECT size FROM contents WHERE digest = NEW.digest), 0) AS size)
    WHERE repository = NEW.repository;
    UPDATE usage_by_identity SET blobs = blobs - 1, bytes = usage_by_identity.bytes - size
        FROM (SELECT coalesce((SELECT size FROM contents WHERE digest = OLD.digest), 0) AS size)
        WHERE identity = OLD.owner AND OLD.counted;
    INSERT INTO usage_by_identity (identity, manifests, blobs, bytes)
        SELECT NEW.owner, 0, 1, coalesce((SELECT size FROM contents WHERE digest = NEW.digest), 0)
        WHERE NEW.counted AND NEW.owner <> ''
        ON CONFLICT (identity) DO UPDATE SET blobs = blobs + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER usage_of_ended_blob AFTER DELETE ON repository_blobs BEGIN
    UPDATE usage SET
        blobs = blobs - OLD.counted,
        bytes = bytes - OLD.counted * size,
        unneeded_bytes = unneeded_bytes - (1 - OLD.counted - (OLD.state = 'deleted')) * size,
        deleted_bytes = deleted_bytes - (OLD.state = 'deleted') * size
    FROM (SELECT coalesce((SELECT size FROM contents WHERE digest = OLD.digest), 0) AS size)
    WHERE repository = OLD.repository;
    UPDATE usage_by_identity SET blobs = blobs - 1, bytes = usage_by_identity.bytes - size
        FROM (SELECT coalesce((SELECT size FROM contents WHERE digest = OLD.digest), 0) AS size)
        WHERE identity = OLD.owner AND OLD.counted;
END;

CREATE TRIGGER usage_of_manifest AFTER INSERT ON manifests BEGIN
    UPDATE usage SET
        manifests = manifests + NEW.counted,
        bytes = bytes + NEW.counted * size,
        unneeded_bytes = unneeded_bytes + (1 - NEW.counted - (NEW.state = 'deleted')) * size,
        deleted_bytes = deleted_bytes + (NEW.state = 'deleted') * size
    FROM (SELECT coalesce((SELECT size FROM contents WHERE digest = NEW.digest), 0) AS size)
    WHERE repository = NEW.repository;
    INSERT INTO usage_by_identity (identity, manifests, blobs, bytes)
        SELECT NEW.owner, 1, 0, coalesce((SELECT size FROM contents WHERE digest = NEW.digest), 0)
        WHERE NEW.counted AND NEW.owner <> ''
        ON CONFLICT (identity) DO UPDATE SET manifests = manifests + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER usage_of_changed_manifest AFTER UPDATE OF state, owner ON manifests
WHEN NOT (OLD.counted AND NEW.counted AND OLD.owner = NEW.owner) BEGIN
    UPDATE usage SET
        manifests = manifests + NEW.counted - OLD.counted,
        bytes = bytes + (NEW.counted - OLD.counted) * size,
        unneeded_bytes = unneeded_bytes
            + (OLD.counted - NEW.counted + (OLD.state = 'deleted') - (NEW.state = 'deleted')) * size,
        deleted_bytes = deleted_bytes + ((NEW.state = 'deleted') - (OLD.state = 'deleted')) * size
    FROM (SELECT coalesce((SELECT size FROM contents WHERE digest = NEW.digest), 0) AS size)
    WHERE repository = NEW.repository;
    UPDATE usage_by_identity SET manifests = manifests - 1, bytes = usage_by_identity.bytes - size
        FROM (SELECT coalesce((SELECT size FROM contents WHERE digest = OLD.digest), 0) AS size)
        WHERE identity = OLD.owner AND OLD.counted;
    INSERT INTO usage_by_identity (identity, manifests, blobs, bytes)
        SELECT NEW.owner, 1, 0, coalesce((SELECT size FROM contents WHERE digest = NEW.digest), 0)
        WHERE NEW.counted AND NEW.owner <> ''
        ON CONFLICT (identity) DO UPDATE SET manifests = manifests + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER usage_of_ended_manifest AFTER DELETE ON manifests BEGIN
    UPDATE usage SET
        manifests = manifests - OLD.counted,
        bytes = bytes - OLD.counted * size,
        unneeded_bytes = unneeded_bytes - (1 - OLD.counted - (OLD.state = 'deleted')) * size,
        deleted_bytes = deleted_bytes - (OLD.state = 'deleted') * size
    FROM (SELECT coalesce((SELECT size FROM contents WHERE digest = OLD.digest), 0) AS size)
    WHERE repository = OLD.repository;
    UPDATE usage_by_identity SET manifests = manifests - 1, bytes = usage_by_identity.bytes - size
        FROM (SELECT coalesce((SELECT size FROM contents WHERE digest = OLD.digest), 0) AS size)
        WHERE identity = OLD.owner AND OLD.counted;
END;

CREATE TRIGGER usage_of_content AFTER INSERT ON contents BEGIN
    INSERT INTO usage_by_state (state, contents, bytes) VALUES (NEW.state, 1, NEW.size)
        ON CONFLICT (state) DO UPDATE SET contents = contents + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER usage_of_changed_content AFTER UPDATE OF state, size ON contents
WHEN OLD.state <> NEW.state OR OLD.size <> NEW.size BEGIN
    UPDATE usage_by_state SET contents = contents - 1, bytes = bytes - OLD.size WHERE state = OLD.state;
    INSERT INTO usage_by_state (state, contents, bytes) VALUES (NEW.state, 1, NEW.size)
        ON CONFLICT (state) DO UPDATE SET contents = contents + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER usage_of_removed_content AFTER DELETE ON contents BEGIN
    UPDATE usage_by_state SET contents = contents - 1, bytes = bytes - OLD.size WHERE state = OLD.state;
END;

-- Only repairs change the size of content, or add the content of a holding.
CREATE TRIGGER usage_of_resized_content AFTER UPDATE OF size ON contents
WHEN OLD.size <> NEW.size BEGIN
    UPDATE usage SET
        bytes = bytes + held.counted * (NEW.size - OLD.size),
        unneeded_bytes = unneeded_bytes + (held.number - held.counted - held.deleted) * (NEW.size - OLD.size),
        deleted_bytes = deleted_bytes + held.deleted * (NEW.size - OLD.size)
    FROM (
        SELECT repository, count(*) AS number, sum(counted) AS counted, sum(deleted) AS deleted
        FROM holdings WHERE digest = NEW.digest GROUP BY repository
    ) AS held WHERE usage.repository = held.repository;
    UPDATE usage_by_identity SET bytes = bytes + held.number * (NEW.size - OLD.size)
    FROM (
        SELECT owner, count(*) AS number FROM holdings WHERE digest = NEW.digest AND counted GROUP BY owner
    ) AS held WHERE identity = held.owner;
END;

CREATE TRIGGER usage_of_restored_content AFTER INSERT ON contents
WHEN EXISTS (SELECT 1 FROM repository_blobs WHERE digest = NEW.digest)
    OR EXISTS (SELECT 1 FROM manifests WHERE digest = NEW.digest) BEGIN
    UPDATE usage SET
        bytes = bytes + held.counted * (NEW.size),
        unneeded_bytes = unneeded_bytes + (held.number - held.counted - held.deleted) * (NEW.size),
        deleted_bytes = deleted_bytes + held.deleted * (NEW.size)
    FROM (
        SELECT repository, count(*) AS number, sum(counted) AS counted, sum(deleted) AS deleted
        FROM holdings WHERE digest = NEW.digest GROUP BY repository
    ) AS held WHERE usage.repository = held.repository;
    UPDATE usage_by_identity SET bytes = bytes + held.number * (NEW.size)
    FROM (
        SELECT owner, count(*) AS number FROM holdings WHERE digest = NEW.digest AND counted GROUP BY owner
    ) AS held WHERE identity = held.owner;
END;

CREATE TRIGGER usage_of_lost_content AFTER DELETE ON contents
WHEN EXISTS (SELECT 1 FROM repository_blobs WHERE digest = OLD.digest)
    OR EXISTS (SELECT 1 FROM manifests WHERE digest = OLD.digest) BEGIN
    UPDATE usage SET
        bytes = bytes + held.counted * (-OLD.size),
        unneeded_bytes = unneeded_bytes + (held.number - held.counted - held.deleted) * (-OLD.size),
        deleted_bytes = deleted_bytes + held.deleted * (-OLD.size)
    FROM (
        SELECT repository, count(*) AS number, sum(counted) AS counted, sum(deleted) AS deleted
        FROM holdings WHERE digest = OLD.digest GROUP BY repository
    ) AS held WHERE usage.repository = held.repository;
    UPDATE usage_by_identity SET bytes = bytes + held.number * (-OLD.size)
    FROM (
        SELECT owner, count(*) AS number FROM holdings WHERE digest = OLD.digest AND counted GROUP BY owner
    ) AS held WHERE identity = held.owner;
END;
