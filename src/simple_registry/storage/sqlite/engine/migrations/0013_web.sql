-- Web sessions whose users signed out. The others have no row: what proves them is in their cookies.
CREATE TABLE ended_web_sessions (
    session_id TEXT PRIMARY KEY,
    expires REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX ended_web_sessions_expires ON ended_web_sessions (expires);

-- Tags by the time of their push, and the last push of a repository.
CREATE INDEX tags_pushed ON tags (repository, pushed, tag);
