-- What happened to tags, manifests, blobs and repositories. An id is never used again.

CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time REAL NOT NULL,
    action TEXT NOT NULL,
    repository TEXT NOT NULL,
    tag TEXT,
    before TEXT,               -- the digest that the tag pointed at, or that was deleted
    after TEXT,                -- the digest that the tag points at since, or that was restored
    identity TEXT NOT NULL,
    credential TEXT NOT NULL,
    request TEXT NOT NULL,
    cause INTEGER              -- the id of the event that this one is part of
) STRICT;

CREATE INDEX journal_of_repository ON journal (repository, id);
CREATE INDEX journal_of_tag ON journal (repository, tag, id) WHERE tag IS NOT NULL;
CREATE INDEX journal_of_content ON journal (repository, before, id) WHERE tag IS NULL AND before IS NOT NULL;
CREATE INDEX journal_of_deletions ON journal (repository, id) WHERE action = 'repository.delete';
CREATE INDEX journal_caused ON journal (cause, id) WHERE cause IS NOT NULL;

-- When the journal began, unless it did so with the database.
INSERT INTO counters (name, value)
SELECT 'journal began', unixepoch() WHERE EXISTS (SELECT 1 FROM repositories);
