-- Which bytes were verified, and when. A stamp is interpreted only by the content store; those of older rows are unknown.
ALTER TABLE contents ADD COLUMN stamp TEXT NOT NULL DEFAULT '';
ALTER TABLE contents ADD COLUMN verified REAL NOT NULL DEFAULT 0;  -- 0: not since they were pushed to an older version

CREATE INDEX contents_verified ON contents (verified, digest) WHERE state = 'whole';
