-- Which bytes were verified, and when.

CREATE TEMP TABLE unused (a); DROP TABLE unused;
