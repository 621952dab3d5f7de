"""What can be wrong with rows by themselves: each as a query, and the repairs for which rows alone suffice.

Foreign keys and transactions prevent all of this; a failing disk, an edit by hand or a fault of ours may not. Every
query is one statement, so it is true of one moment, and continues after the key of the last row that it returned. The
states and what changes them are in `storage/life.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import apsw

from simple_registry.oci.digests import ALGORITHMS, parse_digest
from simple_registry.storage.inspection import Defect, RowDefect
from simple_registry.storage.life import HoldingEvent
from simple_registry.storage.sqlite.rows.holding import happen, is_needed, release_content


@dataclass(frozen=True, slots=True)
class Query:
    """How to find a defect: `sql` takes `?1…` for the key to continue after, and `?9` for the number of rows.

    It returns repository, digest and name, and then the values of the key.
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
_REFERRED = """
EXISTS (
    SELECT 1 FROM manifest_children AS part
    WHERE part.repository = repository_blobs.repository AND part.child = repository_blobs.digest)
"""

# All of them name words of ours only.
QUERIES: Mapping[Defect, Query] = {
    Defect.TAG_WITHOUT_MANIFEST: Query(
        f"""
        SELECT repository, digest, tag, repository, tag FROM tags
        WHERE (repository, tag) > (?1, ?2) AND {well_formed("digest")}
        AND NOT EXISTS (
            SELECT 1 FROM manifests
            WHERE manifests.repository = tags.repository AND manifests.digest = tags.digest AND state <> 'deleted')
        ORDER BY repository, tag LIMIT ?9
        """,
        ("", ""),
    ),
    Defect.TAG_MALFORMED: Query(
        f"""
        SELECT repository, digest, tag, repository, tag FROM tags
        WHERE (repository, tag) > (?1, ?2) AND NOT {well_formed("digest")}
        ORDER BY repository, tag LIMIT ?9
        """,
        ("", ""),
    ),
    Defect.PART_MISSING: Query(
        f"""
        SELECT repository, digest, child, repository, digest, position FROM manifest_children AS part
        WHERE (repository, digest, position) > (?1, ?2, ?3) AND {well_formed("digest")} AND {well_formed("child")}
        AND NOT EXISTS (
            SELECT 1 FROM repository_blobs AS held
            WHERE held.repository = part.repository AND held.digest = part.child AND held.state <> 'deleted')
        AND NOT EXISTS (
            SELECT 1 FROM manifests AS held
            WHERE held.repository = part.repository AND held.digest = part.child AND held.state <> 'deleted')
        AND EXISTS (
            SELECT 1 FROM manifests AS whole
            WHERE whole.repository = part.repository AND whole.digest = part.digest AND whole.state <> 'deleted')
        ORDER BY repository, digest, position LIMIT ?9
        """,
        ("", "", -1),
    ),
    Defect.BLOB_WITHOUT_CONTENT: Query(
        f"""
        SELECT repository, digest, '', repository, digest FROM repository_blobs
        WHERE (repository, digest) > (?1, ?2) AND {well_formed("digest")}
        AND NOT EXISTS (SELECT 1 FROM contents WHERE contents.digest = repository_blobs.digest)
        ORDER BY repository, digest LIMIT ?9
        """,
        ("", ""),
    ),
    Defect.MANIFEST_WITHOUT_CONTENT: Query(
        f"""
        SELECT repository, digest, '', repository, digest FROM manifests
        WHERE (repository, digest) > (?1, ?2) AND {well_formed("digest")}
        AND NOT EXISTS (SELECT 1 FROM contents WHERE contents.digest = manifests.digest)
        ORDER BY repository, digest LIMIT ?9
        """,
        ("", ""),
    ),
    Defect.HOLDING_WITHOUT_REPOSITORY: Query(
        """
        SELECT repository, '', '', repository FROM (
            SELECT DISTINCT repository FROM repository_blobs UNION SELECT DISTINCT repository FROM manifests)
        WHERE repository > ?1 AND NOT EXISTS (SELECT 1 FROM repositories WHERE name = repository)
        ORDER BY repository LIMIT ?9
        """,
        ("",),
    ),
    Defect.PARTS_WITHOUT_MANIFEST: Query(
        """
        SELECT DISTINCT repository, digest, '', repository, digest FROM manifest_children AS part
        WHERE (repository, digest) > (?1, ?2)
        AND NOT EXISTS (
            SELECT 1 FROM manifests AS whole WHERE whole.repository = part.repository AND whole.digest = part.digest)
        ORDER BY repository, digest LIMIT ?9
        """,
        ("", ""),
    ),
    Defect.CONDEMNED_HELD: Query(
        f"""
        SELECT '', digest, '', digest FROM contents
        WHERE state = 'condemned' AND digest > ?1 AND NOT ({_UNHELD}) AND {WELL_FORMED}
        ORDER BY digest LIMIT ?9
        """,
        ("",),
    ),
    Defect.WHOLE_UNHELD: Query(
        f"""
        SELECT '', digest, '', digest FROM contents
        WHERE state <> 'condemned' AND digest > ?1 AND {_UNHELD} AND {WELL_FORMED}
        ORDER BY digest LIMIT ?9
        """,
        ("",),
    ),
    Defect.NEEDED_UNREFERRED: Query(
        f"""
        SELECT repository, digest, '', repository, digest FROM repository_blobs
        WHERE state = 'needed' AND (repository, digest) > (?1, ?2) AND NOT {_REFERRED} AND {WELL_FORMED}
        ORDER BY repository, digest LIMIT ?9
        """,
        ("", ""),
    ),
    Defect.REFERRED_UNNEEDED: Query(
        f"""
        SELECT repository, digest, '', repository, digest FROM repository_blobs
        WHERE state = 'unneeded' AND (repository, digest) > (?1, ?2) AND {_REFERRED} AND {WELL_FORMED}
        ORDER BY repository, digest LIMIT ?9
        """,
        ("", ""),
    ),
    Defect.MALFORMED: Query(
        f"""
        SELECT DISTINCT place, text, '', place, text FROM ({_MALFORMED})
        WHERE (place, text) > (?1, ?2)
        ORDER BY place, text LIMIT ?9
        """,
        ("", ""),
    ),
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
    """Repair a defect for which rows alone suffice, if it is still there. Returns whether rows were changed."""
    before = connection.total_changes()
    match each.defect:
        case Defect.TAG_MALFORMED:
            connection.execute(_REMOVE_TAG, (each.repository, each.digest, each.name))
        case Defect.HOLDING_WITHOUT_REPOSITORY:
            connection.execute(_ADD_REPOSITORY, (each.repository,))
        case Defect.PARTS_WITHOUT_MANIFEST:
            connection.execute(_REMOVE_PARTS, (each.repository, each.digest))
        case Defect.CONDEMNED_HELD:
            connection.execute(_DOUBT, (each.digest,))
        case Defect.WHOLE_UNHELD:
            # Not where a manifest lacks it: the next push of it may want its bytes.
            if not connection.execute(IS_PART, (each.digest,)).fetchall():
                release_content(connection, [each.digest])
        case Defect.NEEDED_UNREFERRED | Defect.REFERRED_UNNEEDED:
            needed = is_needed(connection, each.repository, parse_digest(each.digest))
            event = HoldingEvent.KEPT if needed else HoldingEvent.RELEASED
            happen(connection, event, each.repository, f'["{each.digest}"]', now)
        case _:
            pass
    return connection.total_changes() > before
