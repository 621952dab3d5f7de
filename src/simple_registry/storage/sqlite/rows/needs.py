"""What manifests keep: their parts, through child manifests, and their referrers.

    needed manifest ─► its parts are needed
    unneeded        ─► kept again with all that is unneeded below it and its deleted blobs, or prolonged with it
    deleted         ─► its parts are released, so that none ends later than one grace from now

Each function runs in its caller's transaction, and visits every manifest once, however many paths lead to it.
"""

from collections.abc import Iterable, Sequence

import apsw
import msgspec

from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.storage.life import HoldingEvent
from simple_registry.storage.sqlite.rows.holding import apply_event, apply_to_manifests

# The manifests, and the unneeded manifests that they would keep: children and referrers, and theirs.
_KEPT_WITH = """
WITH RECURSIVE kept (digest) AS (
    SELECT value FROM json_each(?2)
    UNION
    SELECT held.digest FROM kept
    CROSS JOIN manifest_children AS part ON part.repository = ?1 AND part.digest = kept.digest
    CROSS JOIN manifests AS held ON held.repository = ?1 AND held.digest = part.child AND held.state = 'unneeded'
    UNION
    SELECT held.digest FROM kept
    CROSS JOIN manifests AS held INDEXED BY manifests_referrers ON held.repository = ?1 AND held.subject = kept.digest
    AND held.state <> 'deleted' AND held.state = 'unneeded'
)
SELECT digest FROM kept
"""
# Manifests, and those below them that are not needed: deleted ones, too.
_BELOW = """
WITH RECURSIVE below (digest) AS (
    SELECT value FROM json_each(?2)
    UNION
    SELECT held.digest FROM below
    CROSS JOIN manifest_children AS part ON part.repository = ?1 AND part.digest = below.digest
    CROSS JOIN manifests AS held ON held.repository = ?1 AND held.digest = part.child AND held.state <> 'needed'
)
SELECT digest, state = 'deleted' FROM below CROSS JOIN manifests USING (digest) WHERE repository = ?1
"""
# A part may come more than once: with DISTINCT the planner would read all parts of the repository in their order.
_PARTS = """
SELECT child FROM json_each(?2) CROSS JOIN manifest_children AS part ON part.repository = ?1 AND part.digest = value
"""
_RELEASED = """
SELECT child FROM manifest_children AS part WHERE repository = ?1 AND digest = ?2 AND NOT EXISTS (
    SELECT 1 FROM manifest_children AS other JOIN manifests USING (repository, digest)
    WHERE other.repository = ?1 AND other.child = part.child AND manifests.state = 'needed'
)
"""


def keep_manifests(connection: apsw.Connection, repository: str, digests: Iterable[str], now: float) -> None:
    """Make manifests needed, with all that they keep: their parts, and the manifests that became unneeded with them."""
    _apply_below(connection, HoldingEvent.KEPT, repository, digests, now)


def restore_manifests(
    connection: apsw.Connection, repository: str, digests: Iterable[str], now: float
) -> Sequence[Digest]:
    """Make manifests needed again, with all that is below them. Return those that were deleted."""
    below = connection.execute(_BELOW, (repository, _array(digests))).fetchall()
    listed = _array(str(digest) for digest, _ in below)
    apply_to_manifests(connection, HoldingEvent.RESTORED, repository, listed, now)
    apply_event(
        connection, HoldingEvent.RESTORED, repository, _array(_texts(connection, _PARTS, repository, listed)), now
    )
    keep_manifests(connection, repository, digests, now)
    return tuple(parse_digest(str(digest)) for digest, deleted in sorted(below) if deleted)


def prolong_manifest(
    connection: apsw.Connection, event: HoldingEvent, repository: str, digest: Digest, now: float
) -> bool:
    """Apply an event (asked or seen) to an unneeded manifest and all that ends with it. Return whether it changed."""
    changed = apply_to_manifests(connection, event, repository, _array([str(digest)]), now)
    if changed:
        _apply_below(connection, event, repository, [str(digest)], now)
    return changed


def _apply_below(
    connection: apsw.Connection, event: HoldingEvent, repository: str, digests: Iterable[str], now: float
) -> None:
    given = set(digests)
    found = _texts(connection, _KEPT_WITH, repository, _array(given))
    manifests, below = _array(found), [digest for digest in found if digest not in given]
    apply_to_manifests(connection, event, repository, manifests, now)
    if event is HoldingEvent.KEPT and below:  # no push named their parts, so they may be deleted
        parts = _array(_texts(connection, _PARTS, repository, _array(below)))
        apply_event(connection, HoldingEvent.RESTORED, repository, parts, now)
    apply_event(connection, event, repository, _array(_texts(connection, _PARTS, repository, manifests)), now)


def release_parts(connection: apsw.Connection, repository: str, digest: Digest, now: float) -> None:
    """Make the parts of a manifest that is needed no more unneeded, except those of another needed manifest."""
    released = _array(_texts(connection, _RELEASED, repository, str(digest)))
    apply_event(connection, HoldingEvent.RELEASED, repository, released, now)


def _texts(connection: apsw.Connection, sql: str, *bindings: str) -> Iterable[str]:
    return [str(text) for (text,) in connection.execute(sql, bindings).fetchall()]


def _array(texts: Iterable[str]) -> str:
    return msgspec.json.encode(tuple(texts)).decode()
