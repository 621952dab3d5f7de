-- What the collector reviews.

-- At most one row: while there is one, no other row changes.
CREATE TABLE read_only (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    reason TEXT NOT NULL,
    since REAL NOT NULL
) STRICT;
