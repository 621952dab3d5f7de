-- When a session was opened: a credential that expired since may finish it. Of older rows only `touched` is known.
ALTER TABLE upload_sessions ADD COLUMN started REAL NOT NULL DEFAULT 0;
UPDATE upload_sessions SET started = touched;
