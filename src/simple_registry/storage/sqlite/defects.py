"""Defects of rows: a query for each, and the repairs that need only rows.

Foreign keys and transactions prevent all of them, unless a disk fails, a file is edited by hand, or the registry has a
bug. Every query is one statement, so it sees one state of the database; it continues after the key of the last row that
it returned. The states of rows and the events that change them are in `storage/life.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import apsw

from simple_registry.oci.digests import ALGORITHMS, parse_digest
from simple_registry.storage.inspection import Defect, RowDefect
from simple_registry.storage.life import HoldingEvent
from simple_registry.storage.sqlite.rows.holding import apply_event, is_needed, release_content


@dataclass(frozen=True, slots=True)
class Query:
    """The query for a defect: `sql` takes `?1…` for the key to continue after, and `?9` for the number of rows.

    It returns the repository, digest and name, and then the values of the key.
    """

    sql: str
    begin: tuple[str | int, ...]


def well_formed(column: str) -> str:
    """Return the condition that a column holds a digest; GLOB is the only pattern that every SQLite has."""
    forms = (f"{column} GLOB '{algorithm}:{'[0-9a-f]' * length}'" for algorithm, length in ALGORITHMS.items())
    return f"({' OR '.join(forms)})"


WELL_FORMED = well_formed("digest")
"""The condition that a row of `contents` has a digest."""

_MALFORMED = " UNION ALL ".join(
    f"SELECT '{table}' AS place, {column} AS text FROM {table} WHERE {column} IS NOT NULL AND NOT {well_formed(column)}"
    for table, column in (
        ("contents", "digest"),
        ("manifest_children", "child"),
        ("manifests", "digest"),
        ("manifests", "subject"),
        ("repository_blobs", "digest"),
        ("upload_sessions", "received_digest"),
    )
)

_UNHELD = """
NOT EXISTS (SELECT 1 FROM repository_blobs WHERE repository_blobs.digest = contents.digest)
AND NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.digest = contents.digest)
"""
# In these, `found` is the table of the query.
_NO_CONTENT = f"{WELL_FORMED} AND NOT EXISTS (SELECT 1 FROM contents WHERE contents.digest = found.digest)"
_NO_MANIFEST = """
NOT EXISTS (SELECT 1 FROM manifests AS whole WHERE whole.repository = found.repository AND whole.digest = found.digest)
"""
_REFERRED = """
EXISTS (
    SELECT 1 FROM manifest_children AS part JOIN manifests USING (repository, digest)
    WHERE part.repository = found.repository AND part.child = found.digest AND manifests.state = 'needed')
"""


def _held(table: str, column: str, state: str = "<> 'deleted'") -> str:
    """Return the condition that the repository of a row holds, in such a state, what a column of it names."""
    return f"""
    EXISTS (
        SELECT 1 FROM {table} AS held
        WHERE held.repository = found.repository AND held.digest = found.{column} AND held.state {state})
    """


def _query(values: str, table: str, key: str, condition: str) -> Query:
    """Return the query for the rows of a table that meet a condition, in the order of their key."""
    columns = key.split(", ")
    after = ", ".join(f"?{number}" for number in range(1, len(columns) + 1))
    sql = f"SELECT {values}, {key} FROM {table} WHERE ({key}) > ({after}) AND {condition} ORDER BY {key} LIMIT ?9"
    return Query(sql, tuple(-1 if column == "position" else "" for column in columns))


def _tags(condition: str) -> Query:
    return _query("repository, digest, tag", "tags AS found", "repository, tag", condition)


def _holdings(table: str, condition: str) -> Query:
    return _query("repository, digest, ''", f"{table} AS found", "repository, digest", condition)


def _contents(condition: str) -> Query:
    return _query("'', digest, ''", "contents", "digest", f"{condition} AND {WELL_FORMED}")


def _counted(table: str, columns: str, values: str) -> str:
    """Return the statement that sets the counters of a row of usage, `?1`, to these values if they are others."""
    key, *counters = columns.split(", ")
    new = ", ".join(f"excluded.{each}" for each in counters)
    old = ", ".join(f"{table}.{each}" for each in counters)
    return f"""
    INSERT INTO {table} ({columns}) SELECT ?1, {values}
    ON CONFLICT ({key}) DO UPDATE SET ({", ".join(counters)}) = ({new}) WHERE ({old}) <> ({new})
    """


_OF_REPOSITORY = """
(SELECT count(*) FROM tags WHERE tags.repository = {0}),
coalesce(sum(manifest AND counted), 0), coalesce(sum(counted AND NOT manifest), 0), coalesce(sum(size * counted), 0),
coalesce(sum(size * (1 - counted - deleted)), 0), coalesce(sum(size * deleted), 0)
FROM holdings WHERE holdings.repository = {0}
"""
_OF_OWNER = (
    "coalesce(sum(manifest), 0), coalesce(sum(NOT manifest), 0), coalesce(sum(size), 0) FROM holdings WHERE counted"
)
_OF_STATE = "count(*), coalesce(sum(size), 0) FROM contents"

# The last two compare sums that are made once, not for each row.
_MISCOUNTED = f"""
SELECT 'usage' AS place, repository AS text, repository, 'repository' AS name FROM usage
WHERE (tags, manifests, blobs, bytes, unneeded_bytes, deleted_bytes)
    <> (SELECT {_OF_REPOSITORY.format("usage.repository")})
UNION ALL
SELECT 'usage', name, name, 'repository' FROM repositories
WHERE NOT EXISTS (SELECT 1 FROM usage WHERE usage.repository = repositories.name)
UNION ALL
SELECT 'usage_by_identity', coalesce(identity, owner), '', 'user ' || coalesce(identity, owner)
FROM usage_by_identity AS kept FULL JOIN (
    SELECT owner, sum(manifest) AS manifests, sum(NOT manifest) AS blobs, sum(size) AS bytes
    FROM holdings WHERE counted AND owner <> '' GROUP BY owner
) AS made ON owner = identity
WHERE (coalesce(kept.manifests, 0), coalesce(kept.blobs, 0), coalesce(kept.bytes, 0))
    <> (coalesce(made.manifests, 0), coalesce(made.blobs, 0), coalesce(made.bytes, 0))
UNION ALL
SELECT 'usage_by_state', coalesce(kept.state, made.state), '', coalesce(kept.state, made.state) || ' content'
FROM usage_by_state AS kept FULL JOIN (
    SELECT state, count(*) AS contents, sum(size) AS bytes FROM contents GROUP BY state
) AS made ON kept.state = made.state
WHERE (coalesce(kept.contents, 0), coalesce(kept.bytes, 0)) <> (coalesce(made.contents, 0), coalesce(made.bytes, 0))
"""
_RECOUNT = {
    "usage": _counted(
        "usage",
        "repository, tags, manifests, blobs, bytes, unneeded_bytes, deleted_bytes",
        f"{_OF_REPOSITORY.format('?1')} HAVING EXISTS (SELECT 1 FROM repositories WHERE name = ?1)",
    ),
    "usage_by_identity": _counted(
        "usage_by_identity", "identity, manifests, blobs, bytes", f"{_OF_OWNER} AND owner = ?1"
    ),
    "usage_by_state": _counted("usage_by_state", "state, contents, bytes", f"{_OF_STATE} WHERE state = ?1"),
}

# The statements contain no text from outside this program.
QUERIES: Mapping[Defect, Query] = {
    Defect.TAG_WITHOUT_MANIFEST: _tags(f"{WELL_FORMED} AND NOT {_held('manifests', 'digest')}"),
    Defect.TAG_MALFORMED: _tags(f"NOT {WELL_FORMED}"),
    Defect.PART_MISSING: _query(
        "repository, digest, child",
        "manifest_children AS found",
        "repository, digest, position",
        f"""
        {WELL_FORMED} AND {well_formed("child")} AND {_held("manifests", "digest", "= 'needed'")}
        AND NOT {_held("repository_blobs", "child")} AND NOT {_held("manifests", "child")}
        """,
    ),
    Defect.BLOB_WITHOUT_CONTENT: _holdings("repository_blobs", _NO_CONTENT),
    Defect.MANIFEST_WITHOUT_CONTENT: _holdings("manifests", _NO_CONTENT),
    Defect.HOLDING_WITHOUT_REPOSITORY: _query(
        "repository, '', ''",
        "(SELECT repository FROM repository_blobs UNION SELECT repository FROM manifests)",
        "repository",
        "NOT EXISTS (SELECT 1 FROM repositories WHERE name = repository)",
    ),
    Defect.PARTS_WITHOUT_MANIFEST: _query(
        "DISTINCT repository, digest, ''", "manifest_children AS found", "repository, digest", _NO_MANIFEST
    ),
    Defect.CONDEMNED_HELD: _contents(f"state = 'condemned' AND NOT ({_UNHELD})"),
    Defect.WHOLE_UNHELD: _contents(f"state <> 'condemned' AND {_UNHELD}"),
    Defect.NEEDED_UNREFERRED: _holdings("repository_blobs", f"state = 'needed' AND NOT {_REFERRED} AND {WELL_FORMED}"),
    Defect.REFERRED_UNNEEDED: _holdings("repository_blobs", f"state = 'unneeded' AND {_REFERRED} AND {WELL_FORMED}"),
    Defect.USAGE: _query("repository, '', name", f"({_MISCOUNTED})", "place, text", "TRUE"),
    Defect.MALFORMED: _query("DISTINCT place, text, ''", f"({_MALFORMED})", "place, text", "TRUE"),
}

_REMOVE_TAG = "DELETE FROM tags WHERE repository = ? AND digest = ? AND tag = ?"
_ADD_REPOSITORY = "INSERT INTO repositories (name) VALUES (?) ON CONFLICT DO NOTHING"
_REMOVE_PARTS = """
DELETE FROM manifest_children WHERE repository = ?1 AND digest = ?2
AND NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.repository = ?1 AND manifests.digest = ?2)
"""
# Its bytes may be gone already: it counts as whole again once they were read.
_DOUBT = f"UPDATE contents SET state = 'damaged' WHERE digest = ? AND state = 'condemned' AND NOT ({_UNHELD})"
IS_PART = """
SELECT 1 FROM repositories
WHERE EXISTS (SELECT 1 FROM manifest_children WHERE repository = name AND child = ?) LIMIT 1
"""
"""Whether a manifest of any repository refers to a digest."""


def repair(connection: apsw.Connection, each: RowDefect, now: float) -> bool:
    """Repair a defect that needs only rows, if it still exists. Return whether rows were changed."""
    before = connection.total_changes()
    match each.defect:
        case Defect.TAG_MALFORMED:
            connection.execute(_REMOVE_TAG, (each.repository, each.digest, each.name))
        case Defect.HOLDING_WITHOUT_REPOSITORY:
            connection.execute(_ADD_REPOSITORY, (each.repository,))
            connection.execute(_RECOUNT["usage"], (each.repository,))
        case Defect.PARTS_WITHOUT_MANIFEST:
            connection.execute(_REMOVE_PARTS, (each.repository, each.digest))
        case Defect.CONDEMNED_HELD:
            connection.execute(_DOUBT, (each.digest,))
        case Defect.WHOLE_UNHELD:
            # Not if a manifest of any repository refers to it: the next push there may need its bytes.
            if not connection.execute(IS_PART, (each.digest,)).fetchall():
                release_content(connection, [each.digest])
        case Defect.NEEDED_UNREFERRED | Defect.REFERRED_UNNEEDED:
            needed = is_needed(connection, each.repository, parse_digest(each.digest))
            event = HoldingEvent.KEPT if needed else HoldingEvent.RELEASED
            apply_event(connection, event, each.repository, f'["{each.digest}"]', now)
        case Defect.USAGE:
            table, row = each.key or ("usage", each.repository)
            connection.execute(_RECOUNT[str(table)], (row,))
        case _:
            pass
    return connection.total_changes() > before
