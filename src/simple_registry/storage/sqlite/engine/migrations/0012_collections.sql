-- The last collection of each origin, for the reports of the operator.
CREATE TABLE collections (
    origin TEXT PRIMARY KEY CHECK (origin IN ('schedule', 'command', 'request')),
    started REAL NOT NULL,
    ended REAL NOT NULL,
    complete INTEGER NOT NULL,
    unneeded INTEGER NOT NULL,
    manifests INTEGER NOT NULL,
    blobs INTEGER NOT NULL,
    early INTEGER NOT NULL,
    contents INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
