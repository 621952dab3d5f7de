-- What repositories and users use, for quotas.

CREATE TEMP TABLE unused (a); DROP TABLE unused;
