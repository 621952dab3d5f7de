-- What the upload store keeps of a session beside the size and the digest; empty for files.
ALTER TABLE upload_sessions ADD COLUMN received_state TEXT NOT NULL DEFAULT '';
