"""What can be wrong with rows by themselves: each as a query, and as a statement where rows alone tell how to mend it.

Foreign keys and transactions keep all of this from happening; a disk, a hand or a defect of ours may not. Every query
is one statement, hence true of one moment, and goes on after the key of the last row that it gave.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from simple_registry.oci.digests import ALGORITHMS
from simple_registry.storage.inspection import Defect


@dataclass(frozen=True, slots=True)
class Query:
    """How to find a defect: `sql` takes `?1…` for the key to go on after, and `?9` for the number of rows.

    It returns repository, digest and name, and then what the key is made of.
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

_NO_HOLDER = """
NOT EXISTS (SELECT 1 FROM repository_blobs WHERE repository_blobs.digest = contents.digest)
AND NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.digest = contents.digest)
"""

# All of them name words of ours only.
QUERIES: Mapping[Defect, Query] = {
    Defect.TAG_WITHOUT_MANIFEST: Query(
        f"""
        SELECT repository, digest, tag, repository, tag FROM tags
        WHERE (repository, tag) > (?1, ?2) AND {well_formed("digest")}
        AND NOT EXISTS (
            SELECT 1 FROM manifests WHERE manifests.repository = tags.repository AND manifests.digest = tags.digest)
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
            WHERE held.repository = part.repository AND held.digest = part.child
            AND held.state <> 'deleted')
        AND NOT EXISTS (
            SELECT 1 FROM manifests AS held
            WHERE held.repository = part.repository AND held.digest = part.child
            AND held.state <> 'deleted')
        AND EXISTS (
            SELECT 1 FROM manifests AS whole WHERE whole.repository = part.repository AND whole.digest = part.digest
            AND whole.state <> 'deleted')
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
    Defect.HOLDER_WITHOUT_REPOSITORY: Query(
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
    Defect.HELD_AS_UNHELD: Query(
        f"""
        SELECT '', digest, '', digest FROM contents
        WHERE state = 'condemned' AND digest > ?1 AND NOT ({_NO_HOLDER}) AND {WELL_FORMED}
        ORDER BY digest LIMIT ?9
        """,
        ("",),
    ),
    Defect.UNHELD_AS_HELD: Query(
        f"""
        SELECT '', digest, '', digest FROM contents
        WHERE state <> 'condemned' AND digest > ?1 AND {_NO_HOLDER} AND {WELL_FORMED}
        ORDER BY digest LIMIT ?9
        """,
        ("",),
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

_HELD = f"NOT ({_NO_HOLDER})"
MENDING: Mapping[Defect, str] = {
    Defect.TAG_MALFORMED: "DELETE FROM tags WHERE repository = ?1 AND digest = ?2 AND tag = ?3",
    Defect.HOLDER_WITHOUT_REPOSITORY: "INSERT INTO repositories (name) VALUES (?1) ON CONFLICT DO NOTHING",
    Defect.PARTS_WITHOUT_MANIFEST: """
        DELETE FROM manifest_children WHERE repository = ?1 AND digest = ?2
        AND NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.repository = ?1 AND manifests.digest = ?2)
        """,
    Defect.HELD_AS_UNHELD: f"""
        UPDATE contents SET state = 'whole' WHERE digest = ?2 AND state = 'condemned' AND {_HELD}
        """,
    Defect.UNHELD_AS_HELD: f"""
        UPDATE contents SET state = 'condemned' WHERE digest = ?2 AND state <> 'condemned' AND {_NO_HOLDER}
        """,
}
"""Takes repository, digest and name."""
