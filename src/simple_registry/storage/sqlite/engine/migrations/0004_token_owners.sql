ALTER TABLE tokens ADD COLUMN fingerprint TEXT;  -- of the password hash that its owner proved; NULL: made by an operator, or before this
ALTER TABLE tokens ADD COLUMN unknown_since REAL;  -- when the collector first missed its owner; NULL while there is one
