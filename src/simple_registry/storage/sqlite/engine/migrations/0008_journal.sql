-- What happened to tags, manifests and repositories: the journal.

CREATE TEMP TABLE unused (a); DROP TABLE unused;
