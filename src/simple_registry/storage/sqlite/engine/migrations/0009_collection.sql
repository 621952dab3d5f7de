-- What the collector reviews.

CREATE TEMP TABLE unused (a); DROP TABLE unused;
